"""Running a server: on a free loopback port, with fresh storage, in a process group of its own, and always killed."""

import atexit
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
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
LARGE_FILE = 64 << 20
_used: list[Path] = []


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
    """A directory on the disk the repository is on (a tmpfs would flatter everybody).

    It is removed when all is measured: ext4 searches past inodes that were deleted in the last minutes, so thousands of
    files deleted now would cost the next server a millisecond for each file it makes. Only large files go at once.
    """
    DATA.mkdir(exist_ok=True)
    directory = Path(tempfile.mkdtemp(prefix="run-", dir=DATA))
    if not _used:
        atexit.register(_remove_used)
    _used.append(directory)
    os.sync()  # what the last one wrote is on disk before the next one starts
    try:
        yield directory
    finally:
        for path in directory.rglob("*"):
            if path.is_file() and path.stat().st_size > LARGE_FILE:
                path.unlink()


def _remove_used() -> None:
    for directory in _used:
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
