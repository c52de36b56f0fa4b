"""The clients that measure: a raw-socket association of pre-encoded bytes, and DCMTK's programs."""

import os
import socket
import struct
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType

from bench.encoding import (
    EXPLICIT_LITTLE,
    RELEASE_RQ,
    associate_rq,
    echo_rq,
    find_rq,
    message,
    p_data,
)

ASSOCIATE_AC, RELEASE_RP, P_DATA_TF = 2, 6, 4
SUCCESS = 0x0000
PENDING = (0xFF00, 0xFF01)
STATUS = b"\0\0\0\x09\x02\0\0\0"  # (0000,0900), two bytes long
ECHO = p_data(echo_rq(), is_command=True)
CLIENT_SECONDS = 300.0


class BenchError(Exception):
    """A measurement that cannot be trusted: a server or client did something else than the benchmark asked for."""


class Association:
    """One association on a blocking socket, bytes only. TCP_NODELAY is on and every message leaves in one `send`."""

    def __init__(
        self,
        port: int,
        abstract_syntax: str,
        transfer_syntax: str = EXPLICIT_LITTLE,
        *,
        timeout_seconds: float = 60,
        request: bytes = b"",
    ) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=timeout_seconds)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._pending = bytearray()
        try:
            self.socket.sendall(request or associate_rq(abstract_syntax, transfer_syntax, called="BENCH"))
            self.max_pdu_length = self._accepted()
        except BaseException:
            self.socket.close()
            raise

    def __enter__(self) -> "Association":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None:
                self.release()
        finally:
            self.socket.close()

    def _accepted(self) -> int:
        kind, body = self.receive()
        if kind != ASSOCIATE_AC:
            raise BenchError(f"association answered by PDU type {kind}: {body[:16].hex()}")
        context = body.index(b"\x21\0", 68)
        if body[context + 6] != 0:
            raise BenchError(f"presentation context refused with result {body[context + 6]}")
        length_item = body.index(b"\x51\0\0\x04", context)
        return int.from_bytes(body[length_item + 4 : length_item + 8], "big")

    def receive(self) -> tuple[int, bytes]:
        """The next PDU: type and body."""
        while True:
            if len(self._pending) >= 6:
                kind, length = struct.unpack_from("!BxI", self._pending)
                if len(self._pending) >= 6 + length:
                    body = bytes(self._pending[6 : 6 + length])
                    del self._pending[: 6 + length]
                    return kind, body
            self._pending += self._received()

    def _received(self) -> bytes:
        data = self.socket.recv(1 << 18)
        if not data:
            raise BenchError("connection closed by the server")
        return data

    def status(self) -> int:
        """The status of the next response without a data set."""
        kind, body = self.receive()
        if kind != P_DATA_TF:
            raise BenchError(f"P-DATA-TF expected, PDU type {kind} received: {body[:16].hex()}")
        return status_of(body)

    def expect_success(self, what: str) -> None:
        status = self.status()
        if status:
            raise BenchError(f"{what} answered with status {status:04X}")

    def echo(self) -> None:
        self.socket.sendall(ECHO)
        self.expect_success("C-ECHO")

    def find(self, identifier: bytes) -> int:
        """Send a C-FIND and count its matches."""
        self.socket.sendall(message(find_rq(), identifier, self.max_pdu_length))
        for matches, body in enumerate(self._command_pdus()):
            status = status_of(body)
            if status == SUCCESS:
                return matches
            if status not in PENDING:
                raise BenchError(f"C-FIND answered with status {status:04X}")
        raise AssertionError("unreachable")

    def _command_pdus(self) -> Iterator[bytes]:
        """Bodies of the PDUs that begin with a command set, which every server here sends in one piece.

        The rest is walked over in place: the client must not be the slow one.
        """
        buffer = bytearray()
        while True:
            start = 0
            while len(buffer) - start >= 12:
                kind, length, control = struct.unpack_from("!BxI5xB", buffer, start)
                if kind != P_DATA_TF:
                    raise BenchError(f"P-DATA-TF expected, PDU type {kind} received")
                if len(buffer) - start < 6 + length:
                    break
                if control & 1:
                    yield bytes(buffer[start + 6 : start + 6 + length])
                start += 6 + length
            del buffer[:start]
            buffer += self._received()

    def release(self) -> None:
        self.socket.sendall(RELEASE_RQ)
        kind, _ = self.receive()
        if kind != RELEASE_RP:
            raise BenchError(f"A-RELEASE-RP expected, PDU type {kind} received")


def status_of(body: bytes) -> int:
    """The status in a P-DATA-TF body that begins with a command set."""
    place = body.find(STATUS)
    if place < 0:
        raise BenchError(f"response without a status: {body[:64].hex()}")
    return int.from_bytes(body[place + 8 : place + 10], "little")


class Tool:
    """A DCMTK client started as a process. `as_packaged`: Nagle stays on, as Debian ships it."""

    def __init__(self, command: Sequence[str | Path], *, as_packaged: bool = False) -> None:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("TCP_")}
        if not as_packaged:
            environment["TCP_NODELAY"] = "1"
        self.name = str(command[0])
        self.process = subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )

    def failure(self, timeout_seconds: float = CLIENT_SECONDS) -> str:
        """Wait for its end; "" when it succeeded, otherwise what it said."""
        try:
            _, errors = self.process.communicate(timeout=timeout_seconds)
        except subprocess.TimeoutExpired:
            return f"{self.name}: no end after {timeout_seconds:.0f} s"
        finally:
            self.process.kill()
            self.process.wait()
        said = errors.decode(errors="replace")
        if self.process.returncode or any(line.startswith(("E:", "F:")) for line in said.splitlines()):
            return f"{self.name}: exit status {self.process.returncode}: {said.strip()[-300:]}"
        return ""


def run_tool(command: Sequence[str | Path], *, as_packaged: bool = False) -> None:
    failure = Tool(command, as_packaged=as_packaged).failure()
    if failure:
        raise BenchError(failure)


def storescu(port: int, directory: Path) -> list[str | Path]:
    return ["storescu", "-aec", "BENCH", "+sd", "127.0.0.1", str(port), directory]


def echoscu(port: int) -> list[str | Path]:
    return ["echoscu", "-aec", "BENCH", "127.0.0.1", str(port)]


def findscu(port: int, keys: Sequence[str]) -> list[str | Path]:
    options: list[str | Path] = ["findscu", "-S", "-aec", "BENCH"]
    for key in keys:
        options += ["-k", key]
    return [*options, "127.0.0.1", str(port)]


def getscu(port: int, study: str, *options: str | Path) -> list[str | Path]:
    return ["getscu", "-S", "-aec", "BENCH", *options, *_study(study), "127.0.0.1", str(port)]


def movescu(port: int, study: str, destination: str) -> list[str | Path]:
    return ["movescu", "-S", "-aec", "BENCH", "-aem", destination, *_study(study), "127.0.0.1", str(port)]


def _study(uid: str) -> list[str | Path]:
    return ["-k", "QueryRetrieveLevel=STUDY", "-k", f"StudyInstanceUID={uid}"]
