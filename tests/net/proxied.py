"""A proxy between a client and a server that are both in the hands of a test, down to the last byte."""

from __future__ import annotations

import contextlib
import gc
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mockpacs.proxying import Proxying, ProxyOptions
from mockpacs.traffic.exchange import Exchange, Notice, Record
from mockpacs.traffic.recording.recording import Recording
from mockpacs.traffic.render import line
from mockpacs.written.address import Address
from tests.net.wire_client import WireClient

PATIENCE_SECONDS = 20.0
NO_LINGER = struct.pack("ii", 1, 0)
ACCEPTED: list[socket.socket] = []
"""By hosts of tests; not those of the proxy."""


class Between:
    """A running proxy and what it reported."""

    def __init__(self, to: tuple[str, int], recordings: Path | None, **options: Any) -> None:
        self.records: list[Record] = []
        self._reported = threading.Condition()
        before = set(threading.enumerate())
        options = {"listen": Address("127.0.0.1", 0), **options}
        if recordings is not None:
            options["recordings"] = recordings
        self.proxying = Proxying(
            ProxyOptions(to=Address(*to), record=recordings is not None, **options), observe=self._observe
        ).start()
        self.host, self.port = self.proxying.host, self.proxying.port
        (self.thread,) = set(threading.enumerate()) - before
        self._clients: list[WireClient] = []

    def connect(self) -> WireClient:
        client = WireClient(self.host, self.port, timeout=PATIENCE_SECONDS)
        self._clients.append(client)
        return client

    @property
    def lines(self) -> str:
        return "\n".join(map(line, self.records))

    @property
    def exchanges(self) -> list[Exchange]:
        return [record for record in self.records if isinstance(record, Exchange)]

    @property
    def notices(self) -> list[str]:
        return [record.text for record in self.records if isinstance(record, Notice)]

    def wait_for(self, what: Callable[[], Any]) -> None:
        """Return when what was reported makes it true."""
        with self._reported:
            assert self._reported.wait_for(what, PATIENCE_SECONDS), self.lines

    def end(self) -> None:
        try:
            self.proxying.stop()
        finally:
            for client in self._clients:
                client.socket.close()

    def recorded(self) -> list[Record]:
        """What the recording says; the proxy has stopped."""
        assert self.proxying.recording is not None
        recording = Recording.open(self.proxying.recording)
        found = list(recording.records())
        assert recording.problems == []
        return found

    def _observe(self, record: Record) -> None:
        with self._reported:
            self.records.append(record)
            self._reported.notify_all()


@contextmanager
def between(to: tuple[str, int], recordings: Path | None = None, **options: Any) -> Iterator[Between]:
    """A proxy; at the end nothing of it is left."""
    descriptors = _descriptors()
    made = Between(to, recordings, **options)
    try:
        yield made
    finally:
        made.end()
        for sock in ACCEPTED:
            sock.close()
        ACCEPTED.clear()
    assert not made.thread.is_alive()
    until = time.monotonic() + PATIENCE_SECONDS
    while _descriptors() - descriptors:  # the server of the test may still be closing its own
        assert time.monotonic() < until
        threading.Event().wait(0.002)


class Host:
    """Stands behind a proxy: accepts one connection after the other, says and hears what a test wants."""

    def __init__(self) -> None:
        self._door = socket.create_server(("127.0.0.1", 0))
        self._door.settimeout(PATIENCE_SECONDS)
        self.address: tuple[str, int] = self._door.getsockname()

    def accept(self) -> socket.socket:
        sock, _ = self._door.accept()
        sock.settimeout(PATIENCE_SECONDS)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        ACCEPTED.append(sock)
        return sock

    def close(self) -> None:
        self._door.close()


def read_exactly(sock: socket.socket, count: int) -> bytes:
    data = bytearray()
    while len(data) < count and (piece := sock.recv(min(count - len(data), 1 << 20))):
        data += piece
    return bytes(data)


def read_all(sock: socket.socket) -> bytes:
    """Up to the FIN."""
    return read_exactly(sock, 1 << 40)


def is_reset(sock: socket.socket) -> bool:
    """Whether the peer sends RST, and nothing before it."""
    try:
        return not sock.recv(1) and False
    except ConnectionResetError:
        return True


def reset(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
    sock.close()


def free_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def _descriptors() -> set[str]:
    """The sockets that are open."""
    gc.collect()
    found = set()
    for name in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):
            found.add(str(name.readlink()))
    return {one for one in found if one.startswith("socket")}
