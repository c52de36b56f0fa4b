"""One outgoing association: on the same wire, tap and link as an incoming one, with us as the requestor."""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections.abc import Callable, Mapping
from typing import Final, Protocol

from mockpacs.net.asking import Asking
from mockpacs.net.environment import Environment
from mockpacs.net.incoming import Incoming
from mockpacs.net.link import Link
from mockpacs.net.peer import Peer, host_and_port
from mockpacs.net.responder import Responder, nobody
from mockpacs.net.tls import reason
from mockpacs.net.watch import Watch
from mockpacs.traffic.exchange import Association, Notice
from mockpacs.traffic.recording import words
from mockpacs.wire import (
    Aborted,
    AcceptedContext,
    AssociateAC,
    AssociateAccepted,
    AssociateRejected,
    AssociateRQ,
    CommandReceived,
    DataReceived,
    Happening,
    ReleaseConfirmed,
    ReleaseRequested,
    Role,
    State,
    UpperLayer,
)
from mockpacs.wire.text import printable

_RELEASE_SECONDS: Final = 5.0
"""Time a peer has to answer our release request; then the connection is closed without it."""


class NotAssociated(Exception):  # noqa: N818  it is an answer, not an error of the program
    """No association came about; the text says why, for a person."""


class Lobby(Protocol):
    """Where requestors come and go."""

    def left(self, requestor: Requestor) -> None:
        """Its connection is closed."""


class Requestor:
    """The receiver of one link that we opened. `associated` says when the peer has answered."""

    def __init__(
        self,
        number: int,
        peer: Peer,
        sock: socket.socket,
        request: AssociateRQ,
        environment: Environment,
        lobby: Lobby,
        buffer: memoryview,
        cause: str,
    ) -> None:
        """``sock`` is connected; ``cause``: the exchange it is opened for, "" for none."""
        self._environment = environment
        self._lobby = lobby
        self._request = request
        self._upper = UpperLayer(Role.REQUESTOR, max_pdu_length=environment.house.max_pdu_length)
        self._upper.request(request)
        local = host_and_port(sock.getsockname())
        self._association = Association(
            number,
            local,
            request.calling,
            request.called,
            secure=peer.tls is not None,
            server=host_and_port(sock.getpeername()),
            cause=cause,
            by_us=True,
        )
        track = None
        if environment.recorder is not None:
            security = "TLS" if peer.tls else ""
            remote, own = sock.getpeername(), sock.getsockname()
            track = environment.recorder.track(number, remote, own, security=security, by_us=True, cause=cause)
        self._track = track
        self.link = Link(sock, self, buffer, peer.tls, track, server=peer.host)
        self._watch = Watch(environment.limits, self.link, self._upper, lambda: not self._is_waiting, self)
        self._count = 0
        self.asking = Asking(environment, self._association, self.link, self, self._next_number)
        self._answer: asyncio.Future[AssociateAC] = asyncio.get_running_loop().create_future()
        self._released = asyncio.Event()
        self._responder = Responder(environment, self._association, self.link, self)
        self._arriving: Incoming | None = None  # a request of the peer whose data set is still coming
        self._has_ended = False

    @property
    def association(self) -> Association:
        """Who is at the other end."""
        return self._association

    @property
    def accepted(self) -> Mapping[int, AcceptedContext]:
        """The presentation contexts agreed on."""
        return self._upper.accepted

    async def associated(self) -> AssociateAC:
        """The answer of the peer. Raises `NotAssociated`."""
        return await asyncio.shield(self._answer)

    async def release(self) -> None:
        """End the association in order; return when the peer has agreed, or when it did not in time."""
        if self._upper.state is State.STA6:
            self._upper.release()
            self.flush()
            try:
                async with asyncio.timeout(_RELEASE_SECONDS):
                    await self._released.wait()
            except TimeoutError:
                self.break_off("the peer does not answer our release request")
        self.link.close()

    def break_off(self, why: str) -> None:
        """Abort the association."""
        if self._upper.is_associated and not self._has_ended:
            self._end("aborted", f"aborted by us: {why}")
            self._upper.abort()
            self.flush()
        else:
            self.link.close()

    def reset(self, why: str) -> None:
        """RST, without a word."""
        self._end("closed", f"reset by us: {why}")
        self.link.reset()

    def stop(self) -> None:
        """The server stops."""
        self.break_off("the server stops")
        if self.link.stalled_since is None:
            self.link.close()
        else:
            self.link.reset()  # it has taken nothing so far: what it has not taken is not waited for

    # what the link reports

    def opened(self) -> None:
        """The connection stands: ask for the association."""
        self._upper.transport_opened()
        self.flush()
        self._watch.start()

    def received(self, data: memoryview | bytes) -> None:
        """Bytes: let the upper layer say what they mean, and act on it."""
        self._watch.see_activity()
        for happening in self._upper.receive(data):
            self._handle(happening)
        self.flush()

    def closed(self, error: Exception | None) -> None:
        """The connection is gone."""
        happenings = self._upper.transport_closed()
        if isinstance(error, ssl.SSLError):  # first: that the connection closed then is only what follows
            self._end("closed", f"TLS failed: {reason(error)}")
        elif self.link.is_greeting:
            self._end("closed", "TLS failed: the connection ended before the handshake was done")
        for happening in happenings:
            self._handle(happening)
        self._end("", "the connection closed before the association was answered")
        self._watch.stop()
        self._lobby.left(self)

    # what asking needs

    @property
    def can_send(self) -> bool:
        """Whether the association takes messages."""
        return self._upper.state is State.STA6 and self.link.is_open

    @property
    def peer_max_pdu_length(self) -> int:
        """The maximum length the peer advertised, in bytes; 0 is no limit."""
        return self._upper.peer_max_pdu_length

    @property
    def is_clear(self) -> bool:
        """Whether what is written goes to the link at once."""
        return True

    def send(self, context_id: int, command: bytes, data: bytes | None) -> None:
        """Queue one message."""
        self._upper.send_encoded(context_id, command, data)

    def send_pdus(self, pdus: list[bytes]) -> None:
        """Queue P-DATA-TF PDUs."""
        self._upper.send_pdus(pdus)

    def flush(self) -> None:
        """Write what the upper layer wants written, mind its timer, close when it says so."""
        if pdus := self._upper.data_to_send():
            self._watch.see_activity()
            self.link.write(pdus)
            if self.link.stalled_since is not None:
                self._watch.start()
        self._watch.see_artim()
        if self._upper.should_close:
            self.link.close()

    def when_taken(self, then: Callable[[], None]) -> None:
        """Call ``then`` when the peer has taken enough of what was written, or when the connection is gone."""
        self.link.when_drained(then)

    # what the upper layer reports

    def _handle(self, happening: Happening) -> None:
        match happening:
            case DataReceived(_, data, is_last):
                self._take_data(data, is_last=is_last)
            case CommandReceived():
                self._take_command(happening)
            case AssociateAccepted(answer):
                self._notice("opened", words.opened(self._request, answer), detail=True)
                if not self._answer.done():
                    self._answer.set_result(answer)
            case AssociateRejected(answer):
                self._end("rejected", words.rejected(answer, self._request, Role.REQUESTOR))
            case ReleaseRequested():
                self._upper.answer_release()
                self._end("released", "released", "the peer released the association")
            case ReleaseConfirmed():
                self._end("released", "released")
            case Aborted(source, reason, by_peer, why):
                who = "by the peer" if by_peer else "by us"
                self._end("aborted", f"aborted {who}: {why} (source {source}, reason {reason})")

    def _take_command(self, received: CommandReceived) -> None:
        command = received.command
        if not command.is_request:
            if not self.asking.answered(command):
                self._notice("trouble", f"{command.field.name} came, but nothing was asked; ignored")
        elif command.service != "C-CANCEL":
            context, who = self.accepted[received.context_id], self._association.called
            incoming = Incoming(self._next_number(), context, command, who, self._environment)
            if self._track is not None:
                incoming.place = self._track.place_of(received.start)
            incoming.discard()  # its data set is counted only
            if command.has_dataset:
                self._arriving = incoming
            else:
                self._refuse(incoming)

    def _take_data(self, data: memoryview | bytes, *, is_last: bool) -> None:
        if self._arriving is None:
            self.asking.take_data(data, is_last=is_last)
            return
        self._arriving.append(data)
        if is_last:
            incoming, self._arriving = self._arriving, None
            self._refuse(incoming)

    def _refuse(self, incoming: Incoming) -> None:
        """Nobody serves anything on an association of ours."""
        self._responder.note_request(incoming)
        final = nobody(incoming) if self.can_send else None
        if final is not None:
            self._responder.respond(incoming, final)
            self.flush()
        self._responder.report(incoming, final)

    # the end

    @property
    def _is_waiting(self) -> bool:
        """Whether it is the peer's turn to say something."""
        return self.asking.is_waiting or not self._answer.done()

    def artim_ran_out(self) -> None:
        """The peer did not close in time."""
        self._upper.artim_expired()
        self.flush()

    def time_out(self, why: str) -> None:
        """Abort: nothing was heard, or nothing taken."""
        self.break_off(why)

    def _end(self, kind: str, text: str, why: str = "") -> None:
        """The association is over, once: that is told, unless ``kind`` is "". Who waits for something hears why."""
        if self._has_ended:
            return
        self._has_ended = True
        why = why or text
        if kind:
            self._notice(kind, text, detail=kind == "released")
        if not self._answer.done():
            self._answer.set_exception(NotAssociated(why))
            self._answer.exception()  # seen: perhaps nobody waits for it
        self.asking.end(why)
        if self._arriving is not None:
            incoming, self._arriving = self._arriving, None
            self._responder.report(incoming, None, words.ENDED_WITHIN)
        self._released.set()

    def _notice(self, kind: str, text: str, *, detail: bool = False) -> None:
        if self._track is not None:
            self._track.about_sending(f"{self._association.number} {kind}: {printable(text)}")
        self._environment.observe(Notice(time.time(), kind, text, self._association, detail))

    def _next_number(self) -> int:
        self._count += 1
        return self._count
