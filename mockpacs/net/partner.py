"""One outgoing association at the level of messages: whoever holds it says each message, and hears each one whole.

It serves nothing, keeps no exchanges and needs no server around it: a recorded client is played with it. Everything
happens in the event loop, without a task of its own.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Final, Literal, NamedTuple, Protocol

from mockpacs.net.link import Link
from mockpacs.net.peer import Peer, host_and_port
from mockpacs.net.tls import reason
from mockpacs.traffic.recorder import Recorder
from mockpacs.traffic.recording import words
from mockpacs.traffic.track import Track
from mockpacs.wire import (
    Aborted,
    AcceptedContext,
    AssociateAC,
    AssociateAccepted,
    AssociateRejected,
    AssociateRJ,
    AssociateRQ,
    Command,
    CommandReceived,
    DataReceived,
    Happening,
    ReleaseConfirmed,
    ReleaseRequested,
    Role,
    State,
    UpperLayer,
    can_carry_data,
    cut_stream,
)
from mockpacs.wire.text import printable

_KEPT_AT_MOST: Final = 1 << 20
"""Bytes of the data set of a response that are kept; what comes beyond is counted."""
_AT_ONCE: Final = 1 << 20
"""Bytes of a message that are written before the peer has taken some of them."""

_GOODBYE_SECONDS: Final = 2.0
"""Time that what waits to be sent has after the end."""

How = Literal["rejected", "released", "aborted", "closed", "reset"]


class Heard(NamedTuple):
    """One message of the peer."""

    context: AcceptedContext
    command: Command
    data: bytes
    """The data set of a response, as far as it is kept; of a request it is only counted."""
    size: int
    """Bytes of the data set."""


class Ended(NamedTuple):
    """How an association ended."""

    how: How
    by_peer: bool
    why: str
    """A sentence."""


class Ear(Protocol):
    """Who hears what comes on an association."""

    def answered(self, answer: AssociateAC | AssociateRJ) -> None:
        """The peer has accepted or rejected the association."""

    def heard(self, message: Heard) -> None:
        """A message came to its end."""

    def ended(self, end: Ended) -> None:
        """The association, or the connection before there was one, is over. Called once."""


class Setting(NamedTuple):
    """What the partners of one run share."""

    recorder: Recorder | None
    buffer: memoryview
    """`RECEIVE_BUFFER_SIZE` bytes."""


class Partner:
    """The receiver of one link that we opened."""

    def __init__(
        self, number: int, peer: Peer, sock: socket.socket, request: AssociateRQ, setting: Setting, ear: Ear
    ) -> None:
        """``sock`` is connected and does not block; ``number``: which connection of the recording it becomes."""
        self._ear = ear
        self._request = request
        self._upper = UpperLayer(Role.REQUESTOR, max_pdu_length=request.user.max_pdu_length)
        self._upper.request(request)
        self.number = number
        self.address = host_and_port(sock.getsockname())
        self._track = track_of(number, peer, sock, setting.recorder)
        self.link = Link(sock, self, setting.buffer, peer.tls, self._track, server=peer.host)
        self._command: CommandReceived | None = None
        self._data = bytearray()
        self._size = 0
        self._end: Ended | None = None
        self._gone = asyncio.Event()
        self.is_open = False
        """Whether there ever was a connection on which something could be said; without one TLS has failed."""

    @property
    def accepted(self) -> Mapping[int, AcceptedContext]:
        """The presentation contexts agreed on."""
        return self._upper.accepted

    @property
    def can_send(self) -> bool:
        """Whether the association takes messages."""
        limit = self._upper.peer_max_pdu_length
        return self._upper.state is State.STA6 and self.link.is_open and can_carry_data(limit)

    @property
    def max_pdu_length(self) -> int:
        """The maximum length the peer advertised, in bytes; 0 is no limit."""
        return self._upper.peer_max_pdu_length

    @property
    def end(self) -> Ended | None:
        """How it ended; None while it stands."""
        return self._end

    # what its holder does

    def remark(self, text: str) -> None:
        """A comment of the recording on what is sent next."""
        if self._track is not None:
            self._track.about_sending(text)

    def send(self, context_id: int, command: bytes, data: bytes | None) -> None:
        """Send one message. Nothing happens when the association is over."""
        if self.can_send:
            self._upper.send_encoded(context_id, command, data)
            self._flush()

    async def send_blocks(self, context_id: int, command: bytes, blocks: Iterable[bytes], seconds: float) -> bool:
        """Send a message with a long data set; returns when most of it has been taken. No other one may begin before.

        False when the peer takes nothing of it for so many seconds: half a message has left then. What reading the
        blocks raises is raised; then half a message has left as well, and the association is aborted.
        """
        waiting: list[bytes] = []
        size = 0
        try:
            for pdu in cut_stream(context_id, command, blocks, self._upper.peer_max_pdu_length):
                waiting.append(pdu)
                size += len(pdu)
                if size >= _AT_ONCE:
                    if not self._push(waiting):
                        return True
                    if not await taken(self.link, seconds):
                        return False
                    waiting, size = [], 0
        except BaseException:
            self.abort()
            raise
        self._push(waiting)
        return True

    def release(self) -> None:
        """Ask for the release; `Ear.ended` says when the peer has agreed."""
        if self._upper.state is State.STA6:
            self._upper.release()
            self._flush()

    def abort(self, source: int = 0, why: int = 0) -> None:
        """A-ABORT, then the end of the connection."""
        if self._end is None and self._upper.is_associated:
            self._tell("aborted", f"aborted by us: as it was recorded (source {source}, reason {why})")
            self._upper.abort(source, why)
            self._over(Ended("aborted", False, "aborted by us"))
            self._flush()
        self.link.close()

    def close(self) -> None:
        """The end of the connection, without a word."""
        self._over(Ended("closed", False, "closed by us"))
        self.link.close()

    def reset(self) -> None:
        """RST."""
        self._over(Ended("reset", False, "reset by us"))
        self.link.reset()

    async def leave(self) -> None:
        """Return when the connection is closed; what is still open is ended, within a short time."""
        try:
            if self._end is None:
                self.abort()
            self.link.close()
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
        """The connection stands: ask for the association."""
        self.is_open = True
        self._upper.transport_opened()
        self._flush()

    def received(self, data: memoryview | bytes) -> None:
        """Bytes: let the upper layer say what they mean."""
        for happening in self._upper.receive(data):
            self._handle(happening)
        self._flush()

    def closed(self, error: Exception | None) -> None:
        """The connection is gone."""
        self._upper.transport_closed()
        if isinstance(error, ssl.SSLError):
            self._over(Ended("closed", True, f"TLS failed: {reason(error)}"))
        elif error is not None:
            self._over(Ended("reset", True, "the peer reset the connection"))
        self._over(Ended("closed", True, "the peer closed the connection"))
        self._gone.set()

    # what the upper layer reports

    def _handle(self, happening: Happening) -> None:
        match happening:
            case DataReceived(_, data, is_last):
                self._take_data(data, is_last=is_last)
            case CommandReceived():
                self._command, self._data, self._size = happening, bytearray(), 0
                if not happening.command.has_dataset:
                    self._hear()
            case AssociateAccepted(answer):
                self._tell("opened", words.opened(self._request, answer))
                self._ear.answered(answer)
            case AssociateRejected(answer):
                self._tell("rejected", words.rejected(answer, self._request, Role.REQUESTOR))
                self._ear.answered(answer)
                self._over(Ended("rejected", True, "rejected by the peer"))
            case ReleaseRequested():
                self._upper.answer_release()
                self._over(Ended("released", True, "the peer released the association"))
            case ReleaseConfirmed():
                self._over(Ended("released", False, "released"))
            case Aborted(source, why, by_peer, text):
                who = "by the peer" if by_peer else "by us"
                self._tell("aborted", f"aborted {who}: {text} (source {source}, reason {why})")
                self._over(Ended("aborted", by_peer, f"aborted {who}: {text}"))

    def _take_data(self, data: memoryview | bytes, *, is_last: bool) -> None:
        self._size += len(data)
        if self._command is not None and not self._command.command.is_request and self._size <= _KEPT_AT_MOST:
            self._data += data
        if is_last:
            self._hear()

    def _hear(self) -> None:
        received, self._command = self._command, None
        if received is not None:
            context = self.accepted[received.context_id]
            self._ear.heard(Heard(context, received.command, bytes(self._data), self._size))

    def _tell(self, kind: str, text: str) -> None:
        """A comment of the recording, as a server of ours makes it."""
        self.remark(f"{self.number} {kind}: {printable(text)}")

    def _over(self, end: Ended) -> None:
        if self._end is None:
            self._end = end
            self._ear.ended(end)

    def _push(self, pdus: list[bytes]) -> bool:
        if not self.can_send:
            return False
        self._upper.send_pdus(pdus)
        self._flush()
        return True

    def _flush(self) -> None:
        if pdus := self._upper.data_to_send():
            self.link.write(pdus)
        if self._upper.should_close or self._upper.state is State.STA13:
            self.link.close()


async def taken(link: Link, seconds: float) -> bool:
    """Return when the peer has taken enough, or is gone: True. False when it takes nothing for so many seconds."""
    loop = asyncio.get_running_loop()
    while True:
        waiter = loop.create_future()
        link.when_drained(partial(_set, waiter))
        if waiter.done():
            return True
        untaken = link.untaken
        await asyncio.wait([waiter], timeout=seconds)
        if waiter.done():
            return True
        if link.untaken >= untaken:
            return False


def _set(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)


def track_of(number: int, peer: Peer, sock: socket.socket, recorder: Recorder | None) -> Track | None:
    """The track of a connection that we opened; None without a recording."""
    if recorder is None:
        return None
    security = "TLS" if peer.tls else ""
    return recorder.track(number, sock.getpeername(), sock.getsockname(), security=security, by_us=True)
