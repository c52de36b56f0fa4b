"""Running programs: DCMTK's clients to their end, servers until the test is over. Everything is bounded in time."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

from pydicom import Dataset, dcmread

from tests.conftest import find_tool

LIMIT_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Ran:
    """What a program said, on both outputs, and its exit status."""

    status: int
    text: str

    def lines(self, containing: str) -> list[str]:
        return [line for line in self.text.splitlines() if containing in line]


def run(program: str, *arguments: object, nagle: bool = True, timeout: float = LIMIT_SECONDS) -> Ran:
    """Run a program to its end. DCMTK leaves Nagle's algorithm on as packaged; ``nagle=False`` switches it off."""
    done = subprocess.run(
        [find_tool(program), *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=environment(nagle=nagle),
        timeout=timeout,
        check=False,
    )
    return Ran(done.returncode, done.stdout.decode("utf-8", "backslashreplace"))


def environment(*, nagle: bool = True) -> dict[str, str]:
    return {**os.environ, **({} if nagle else {"TCP_NODELAY": "1"})}


@contextmanager
def running(program: str, *arguments: object, nagle: bool = True, **how: Any) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program beside the test; at the end of the block it is killed."""
    command = [find_tool(program), *map(str, arguments)]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, env=environment(nagle=nagle), **how) as process:
        try:
            yield process
        finally:
            process.kill()


def until(condition: Callable[[], bool], what: str, *, seconds: float = 30.0) -> None:
    """Wait until a condition holds; the test fails when it does not in time."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"after {seconds:g} s still not: {what}"
        time.sleep(0.002)


@dataclass(frozen=True, slots=True)
class Found:
    """What findscu received: the identifiers in order, the name of each pending status, and that of the final one."""

    matches: list[Dataset]
    pending: list[str]
    final: str


_RESPONSE = re.compile(r"Received (?:Find Response \d+|Final Find Response) \((.*)\)")


def findscu(pacs: Any, folder: Path, model: str, keys: Iterable[str], *options: object) -> Found:
    """Ask with DCMTK's findscu; the answers are those it wrote as files. ``model``: -P, -S or -O."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    asked = [word for key in keys for word in ("-k", key)]
    ran = run("findscu", "-v", "-X", "-od", folder, "-aec", pacs.aet, model, *options, *asked, pacs.host, pacs.port)
    assert ran.status == 0, ran.text
    *pending, final = _RESPONSE.findall(ran.text)
    matches = [dcmread(path, force=True) for path in sorted(folder.glob("rsp*.dcm"))]
    assert len(matches) == len(pending), ran.text
    return Found(matches, pending, final)


class Server:
    """``mockpacs serve`` as a process of its own, which can be killed."""

    aet = "MOCKPACS"
    host = "127.0.0.1"

    def __init__(self, storage: Path, *arguments: str) -> None:
        command = [sys.executable, "-m", "mockpacs", "serve", "--port", "0", "--log-format", "json"]
        self.process = subprocess.Popen(
            [*command, "--storage", str(storage), *arguments],
            cwd=Path(__file__).parents[2],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        assert self.process.stdout is not None
        self.banner = json.loads(self.process.stdout.readline())
        assert self.banner["event"] == "serving"
        self.port: int = self.banner["port"]

    def kill(self) -> None:
        """``kill -9``."""
        self.process.send_signal(signal.SIGKILL)
        self._reap()

    def stop(self) -> int:
        """SIGTERM; the exit status."""
        self.process.terminate()
        return self._reap()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.returncode is None:
            self.kill()

    def _reap(self) -> int:
        self.process.communicate(timeout=LIMIT_SECONDS)
        return self.process.returncode


def mockpacs(*arguments: object) -> Ran:
    """Run the command line of mockpacs to its end."""
    done = subprocess.run(
        [sys.executable, "-m", "mockpacs", *map(str, arguments)],
        cwd=Path(__file__).parents[2],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=LIMIT_SECONDS,
        check=False,
    )
    return Ran(done.returncode, done.stdout.decode())


class Step(NamedTuple):
    """One response to a C-GET or C-MOVE: its status and its counters, None where one is not in it."""

    status: int
    remaining: int | None
    completed: int | None
    failed: int | None
    warning: int | None


@dataclass(frozen=True, slots=True)
class Retrieved:
    """What getscu or movescu said about the responses it received."""

    steps: list[Step]
    failed_list: list[str]
    text: str

    @property
    def status(self) -> int:
        return self.steps[-1].status

    @property
    def counts(self) -> tuple[int | None, int | None, int | None]:
        """Completed, failed and with a warning, in the final response."""
        return self.steps[-1][2:]


_RETRIEVE_RSP = re.compile(
    r"^D: Message Type +: C-(?:GET|MOVE) RSP\n((?:D: .*\n)*?)D: =+ END DIMSE MESSAGE", re.MULTILINE
)
_FAILED_LIST = re.compile(r"\(0008,0058\) UI \[([0-9.\\]+)\]")


def getscu(pacs: Any, folder: Path, model: str, keys: Iterable[str], *options: object) -> Retrieved:
    """C-GET by DCMTK into a folder, the data sets as they come. ``model``: -P, -S or -O."""
    folder.mkdir(parents=True, exist_ok=True)
    asked = [word for key in keys for word in ("-k", key)]
    how = ("-d", "+B", "-od", folder, "-aec", pacs.aet)
    return _retrieved(run("getscu", *how, model, *options, *asked, pacs.host, pacs.port, nagle=False))


def movescu(pacs: Any, destination: str, model: str, keys: Iterable[str], *options: object) -> Retrieved:
    """C-MOVE by DCMTK to a destination the server knows. ``model``: -P, -S or -O."""
    asked = [word for key in keys for word in ("-k", key)]
    how = ("-d", "-aec", pacs.aet, "-aem", destination)
    return _retrieved(run("movescu", *how, model, *options, *asked, pacs.host, pacs.port, nagle=False))


def _retrieved(ran: Ran) -> Retrieved:
    steps = []
    for block in _RETRIEVE_RSP.findall(ran.text):
        said = dict(re.findall(r"^D: (\w[\w ]*?) *: (\w+)", block, re.MULTILINE))
        counters = [
            int(value) if (value := said[f"{name} Suboperations"]).isdecimal() else None
            for name in ("Remaining", "Completed", "Failed", "Warning")
        ]
        steps.append(Step(int(said["DIMSE Status"], 16), *counters))
    assert steps, ran.text
    listed = _FAILED_LIST.findall(ran.text)
    return Retrieved(steps, listed[-1].split("\\") if listed else [], ran.text)


@contextmanager
def storescp(folder: Path, *options: object) -> Iterator[int]:
    """The port of a storescp that writes what it receives into a folder, bit by bit, in the SOP classes it knows."""
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with running("storescp", "+B", "+uf", "-od", folder, *options, port, nagle=False, **quiet):
        until(lambda: accepts_connections(port), "storescp listens")
        yield port


def free_port() -> int:
    """A port of this machine where nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def accepts_connections(port: int) -> bool:
    """Whether somebody listens at a port of this machine."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except OSError:
        return False
    return True
