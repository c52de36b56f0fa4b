"""A live connection on which recorded bytes are sent as they are; what comes is only looked at."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable

from mockpacs.net.link import Link
from mockpacs.net.partner import Setting, taken, track_of
from mockpacs.net.peer import Peer
from mockpacs.net.tls import reason
from mockpacs.replay.client.milestones import Milestone, Milestones
from mockpacs.wire import AcceptedContext, AssociateAC, Role
from mockpacs.wire.conversation import Conversation

_GOODBYE_SECONDS = 2.0


class Line:
    """The receiver of one link. One coroutine at a time may `wait`."""

    def __init__(self, number: int, peer: Peer, sock: socket.socket, setting: Setting) -> None:
        """``sock`` is connected and does not block."""
        self._loop = asyncio.get_running_loop()
        track = track_of(number, peer, sock, setting.recorder)
        self.link = Link(sock, self, setting.buffer, peer.tls, track, server=peer.host)
        self.link.asked_at_end = self._see_end
        self.milestones: list[Milestone] = []
        """What the peer has said."""
        self.has_ended = False
        """Whether the peer says nothing more."""
        self.is_ready = False
        """Whether bytes could ever be sent."""
        self.why = ""
        """How the connection ended, when it was the peer's doing."""
        self._conversation = Conversation(from_start=True)
        self._looking = Milestones()
        self._ready = asyncio.Event()
        self._gone = asyncio.Event()
        self._wanted: Callable[[], bool] | None = None
        self._waiter: asyncio.Future[None] | None = None

    @property
    def answer(self) -> AssociateAC | None:
        """The A-ASSOCIATE-AC, None before it."""
        answer = self._conversation.answer
        return answer if isinstance(answer, AssociateAC) else None

    def accepted(self, context_id: int) -> AcceptedContext | None:
        """A presentation context that was agreed on."""
        return self._conversation.accepted.get(context_id)

    async def open(self, seconds: float) -> None:
        """Return when bytes can be sent; or when there is nobody any more."""
        self.link.open()
        try:
            async with asyncio.timeout(seconds):
                await self._ready.wait()
        except TimeoutError:
            self.why = f"no TLS connection within {seconds:g} s"
            self.link.reset()

    async def send(self, data: bytes, seconds: float) -> bool:
        """Bytes; returns when most of them are taken. False when nothing of them is for so many seconds."""
        self._conversation.feed(Role.REQUESTOR, data)
        self.link.write([data])
        return self.link.stalled_since is None or await taken(self.link, seconds)

    async def wait(self, wanted: Callable[[], bool], seconds: float) -> bool:
        """Return when this is true, or nothing more can come: whether it is true. False after so many seconds."""
        if wanted() or self.has_ended:
            return wanted()
        self._wanted, self._waiter = wanted, self._loop.create_future()
        try:
            async with asyncio.timeout(seconds):
                await self._waiter
        except TimeoutError:
            pass
        finally:
            self._wanted = self._waiter = None
        return wanted()

    async def leave(self) -> None:
        """Return when the connection is closed."""
        self.link.close()
        try:
            async with asyncio.timeout(_GOODBYE_SECONDS):
                await self._gone.wait()
        except TimeoutError:
            self.link.reset()
            await self._gone.wait()
        except BaseException:
            self.link.reset()
            raise

    # what the link reports

    def opened(self) -> None:
        """Bytes can be sent."""
        self.is_ready = True
        self._ready.set()

    def received(self, data: memoryview | bytes) -> None:
        """Bytes came."""
        self.milestones += self._looking.of(self._conversation.feed(Role.ACCEPTOR, data))
        self._look()

    def closed(self, error: Exception | None) -> None:
        """The connection is gone."""
        if isinstance(error, ssl.SSLError):
            self.why = self.why or f"TLS failed: {reason(error)}"
        elif error is not None:
            self.why = self.why or "reset by the server"
        self.has_ended = True
        self._ready.set()
        self._gone.set()
        self._look()

    def _see_end(self) -> bool:
        """The peer has sent FIN; whether the connection stays: until the recorded client ended it."""
        self.why = "closed by the server"
        self.has_ended = True
        self._look()
        return True

    def _look(self) -> None:
        waiter, wanted = self._waiter, self._wanted
        if waiter is not None and wanted is not None and not waiter.done() and (wanted() or self.has_ended):
            waiter.set_result(None)
