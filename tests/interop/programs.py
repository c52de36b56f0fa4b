"""Running programs: DCMTK's clients to their end, servers until the test is over. Everything is bounded in time."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

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
