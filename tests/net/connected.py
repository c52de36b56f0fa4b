"""A link of a real connection with nothing around it but a receiver that remembers."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable
from contextlib import closing

from mockpacs.net.link import RECEIVE_BUFFER_SIZE, Link
from mockpacs.net.performer import Performer
from mockpacs.traffic.recorder import Recorder
from tests.net.surroundings import until

MIB = 1 << 20


class Connected:
    """``link`` and its ``performer`` are our end of a connection; ``peer`` is the other, it blocks and has patience."""

    def __init__(self, recorder: Recorder | None = None, context: ssl.SSLContext | None = None) -> None:
        with closing(socket.create_server(("127.0.0.1", 0))) as door:
            self.peer = socket.create_connection(door.getsockname(), 20)
            self.peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            ours, address = door.accept()
        ours.setblocking(False)
        track = recorder.track(1, address, ours.getsockname()) if recorder else None
        self.link = Link(ours, self, memoryview(bytearray(RECEIVE_BUFFER_SIZE)), context, track)
        self.performer = Performer(self.link)
        self.data = bytearray()
        self.events: list[str] = []
        self.error: Exception | None = None
        self.link.open()

    def opened(self) -> None:
        self.events.append("opened")

    def received(self, data: memoryview | bytes) -> None:
        self.data += data

    def closed(self, error: Exception | None) -> None:
        self.events.append("closed")
        self.error = error
        self.performer.stop()

    @property
    def is_gone(self) -> bool:
        return "closed" in self.events

    async def hear(self, count: int = 1 << 40) -> bytes:
        """What the peer reads: so many bytes, or all up to the end."""
        return await asyncio.get_running_loop().run_in_executor(None, self._hear, count)

    async def say(self, data: bytes) -> None:
        """The peer sends, and it is here."""
        expected = len(self.data) + len(data)
        self.peer.sendall(data)
        await until(lambda: len(self.data) == expected)

    async def finish(self) -> None:
        """Whatever happened: opened once, closed once."""
        self.link.reset()
        await until(lambda: self.is_gone)
        self.peer.close()
        assert self.events == ["opened", "closed"]
        assert self.performer.is_idle

    def _hear(self, count: int) -> bytes:
        data = bytearray()
        while len(data) < count and (piece := self.peer.recv(min(count - len(data), MIB))):
            data += piece
        return bytes(data)


def play(
    scene: Callable[[Connected], Awaitable[None]],
    recorder: Recorder | None = None,
    context: ssl.SSLContext | None = None,
) -> None:
    """A scene on one open connection."""

    async def run() -> None:
        here = Connected(recorder, context)
        await scene(here)
        await here.finish()

    asyncio.run(run())
