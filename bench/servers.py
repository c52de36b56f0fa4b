"""The servers that are compared: how each is started on a free loopback port with fresh storage, and always killed."""

import contextlib
import functools
import importlib.util
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from bench.clients import Association, BenchError
from bench.data import DATA
from bench.encoding import VERIFICATION

ROOT = Path(__file__).resolve().parent.parent
AE_TITLE = "BENCH"
START_SECONDS = 30.0
STOP_SECONDS = 10.0

# DCMTK's network layer, which Orthanc shares, leaves Nagle on unless this is set; without it each answer of the server,
# written in two pieces, waits 44 ms for the client's delayed ACK. It is set for all rows that do not say "as packaged".
NODELAY = {"TCP_NODELAY": "1"}


@dataclass(frozen=True, slots=True, eq=False)
class Peer:
    """A kind of server. `command` prepares a directory and says what to run.

    `missing` gives the reason why it cannot run here, or ""; `stored` counts the instances in its storage.
    """

    name: str
    label: str
    command: Callable[[Path, int], list[str]]
    missing: Callable[[], str]
    stored: Callable[["Server"], int]
    environment: dict[str, str] = field(default_factory=dict)
    is_slow: bool = False  # its runs are few: three where the others have five


class Server:
    """One running server. Times are seconds since just before the process was made."""

    def __init__(self, peer: Peer, directory: Path, port: int, process: subprocess.Popen[bytes]) -> None:
        self.peer = peer
        self.directory = directory
        self.port = port
        self.process = process
        self.port_open_seconds = 0.0
        self.answering_seconds = 0.0

    @property
    def pid(self) -> int:
        return self.process.pid

    def stored(self) -> int:
        """How many instances the server's storage holds."""
        return self.peer.stored(self)

    def wait_until_answering(self, began: float) -> None:
        """Poll until the port is open, then until a C-ECHO succeeds."""
        self._poll(self._connect, began, interval_seconds=0.0005)
        self.port_open_seconds = time.perf_counter() - began
        self._poll(self._echo, began, interval_seconds=0.005)
        self.answering_seconds = time.perf_counter() - began

    def _poll(self, attempt: Callable[[], None], began: float, interval_seconds: float) -> None:
        while True:
            if self.process.poll() is not None:
                raise BenchError(f"{self.peer.label} exited with {self.process.returncode}: {self.log_tail()}")
            try:
                return attempt()
            except (OSError, BenchError) as error:
                if time.perf_counter() - began > START_SECONDS:
                    raise BenchError(f"{self.peer.label} does not answer: {error}; {self.log_tail()}") from error
            time.sleep(interval_seconds)

    def _connect(self) -> None:
        socket.create_connection(("127.0.0.1", self.port), timeout=5).close()

    def _echo(self) -> None:
        with Association(self.port, VERIFICATION, timeout_seconds=5) as association:
            association.echo()

    def log_tail(self) -> str:
        log = self.directory / "server.log"
        return log.read_text(errors="replace")[-800:].strip() if log.exists() else ""

    def kill(self) -> None:
        """End the whole process group: first asked, then forced."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(STOP_SECONDS)


@contextlib.contextmanager
def running(peer: Peer, *options: str, as_packaged: bool = False, directory: Path | None = None) -> Iterator[Server]:
    """`peer` with fresh storage (or `directory`, kept); `options` are added to its command line."""
    with contextlib.ExitStack() as stack:
        if directory is None:
            directory = stack.enter_context(scratch_directory())
        port = free_port()
        command = [*peer.command(directory, port), *options]
        environment = os.environ | peer.environment | ({} if as_packaged else NODELAY)
        log = stack.enter_context((directory / "server.log").open("wb"))
        began = time.perf_counter()
        process = subprocess.Popen(
            command,
            cwd=directory,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        server = Server(peer, directory, port, process)
        stack.callback(server.kill)
        server.wait_until_answering(began)
        yield server


@contextlib.contextmanager
def scratch_directory() -> Iterator[Path]:
    """A directory on the disk the repository is on (a tmpfs would flatter everybody), removed afterwards."""
    DATA.mkdir(exist_ok=True)
    directory = Path(tempfile.mkdtemp(prefix="run-", dir=DATA))
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def end_tidily_on_sigterm() -> None:
    """SIGTERM unwinds the stack, so that every server is killed and every directory removed."""

    def stop(number: int, _frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    signal.signal(signal.SIGTERM, stop)


# ---- who they are ----------------------------------------------------------------------------------------------------


def _mockpacs(directory: Path, port: int) -> list[str]:
    serve = [sys.executable, "-m", "mockpacs", "serve", "--host", "127.0.0.1", "--port", str(port)]
    return [*serve, "--storage", str(directory / "storage")]


@functools.cache
def _mockpacs_missing() -> str:
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "mockpacs", "--version"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    return "" if done.returncode == 0 else f"does not run: {done.stderr.strip()[-200:]}"


def _orthanc(directory: Path, port: int) -> list[str]:
    (directory / "storage").mkdir(exist_ok=True)
    configuration = directory / "orthanc.json"
    settings = {
        "Name": "bench",
        "StorageDirectory": str(directory / "storage"),
        "IndexDirectory": str(directory / "storage"),
        "StorageCompression": False,
        "OverwriteInstances": False,
        "HttpServerEnabled": True,
        "HttpPort": free_port(),
        "RemoteAccessAllowed": False,
        "DicomAet": AE_TITLE,
        "DicomPort": port,
        "DicomAlwaysAllowEcho": True,
        "DicomAlwaysAllowFind": True,
        "DicomAlwaysAllowStore": True,
        "Plugins": [],
    }
    configuration.write_text(json.dumps(settings))
    return ["Orthanc", str(configuration)]


def _orthanc_stored(server: Server) -> int:
    port = json.loads((server.directory / "orthanc.json").read_text())["HttpPort"]
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/statistics", timeout=10) as answer:
        return int(json.load(answer)["CountInstances"])


def _dcmqrscp(directory: Path, port: int) -> list[str]:
    (directory / "area").mkdir(exist_ok=True)
    configuration = directory / "dcmqrscp.cfg"
    configuration.write_text(
        f"NetworkTCPPort = {port}\nMaxPDUSize = 16384\nMaxAssociations = 64\n"
        "HostTable BEGIN\nHostTable END\nVendorTable BEGIN\nVendorTable END\n"
        f"AETable BEGIN\n{AE_TITLE} {directory / 'area'} RW (5000, 4096mb) ANY\nAETable END\n"
    )
    return ["dcmqrscp", "-c", str(configuration)]


def _storescp(directory: Path, port: int) -> list[str]:
    (directory / "area").mkdir(exist_ok=True)
    return ["storescp", "-od", str(directory / "area"), str(port)]


def _pynetdicom_storescp(directory: Path, port: int) -> list[str]:
    area = directory / "area"
    area.mkdir(exist_ok=True)
    return [sys.executable, "-m", "pynetdicom", "storescp", "-ba", "127.0.0.1", "-od", str(area), str(port)]


def _qrscp(directory: Path, port: int) -> list[str]:
    area = directory / "area"
    area.mkdir(exist_ok=True)
    where = ["--database-location", str(directory / "qrscp.sqlite"), "--instance-location", str(area)]
    return [sys.executable, "-m", "pynetdicom", "qrscp", "--port", str(port), "-ba", "127.0.0.1", *where]


def _files(directory: str) -> Callable[[Server], int]:
    def count(server: Server) -> int:
        paths = (server.directory / directory).rglob("*")
        return sum(1 for path in paths if path.is_file() and path.name != "index.dat")

    return count


def _mockpacs_stored(server: Server) -> int:
    return sum(1 for _ in (server.directory / "storage" / "archive").rglob("*.dcm"))


def _needs_program(name: str) -> Callable[[], str]:
    return lambda: "" if shutil.which(name) else "not installed"


def _needs_modules(*names: str) -> Callable[[], str]:
    return lambda: "".join(f"not installed: {name}" for name in names if importlib.util.find_spec(name) is None)


MOCKPACS = Peer("mockpacs", "mockpacs", _mockpacs, _mockpacs_missing, _mockpacs_stored, {"PYTHONPATH": str(ROOT)})
ORTHANC = Peer("orthanc", "Orthanc", _orthanc, _needs_program("Orthanc"), _orthanc_stored)
DCMQRSCP = Peer("dcmqrscp", "dcmqrscp", _dcmqrscp, _needs_program("dcmqrscp"), _files("area"))
STORESCP = Peer("storescp", "storescp", _storescp, _needs_program("storescp"), _files("area"))
QRSCP = Peer(
    "qrscp", "pynetdicom qrscp", _qrscp, _needs_modules("pynetdicom", "sqlalchemy"), _files("area"), is_slow=True
)
PYNETDICOM = Peer(
    "pynetdicom",
    "pynetdicom storescp",
    _pynetdicom_storescp,
    _needs_modules("pynetdicom"),
    _files("area"),
    is_slow=True,
)

ALL: Sequence[Peer] = (MOCKPACS, ORTHANC, DCMQRSCP, STORESCP, QRSCP, PYNETDICOM)
