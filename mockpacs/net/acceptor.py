"""One incoming association: what it sends becomes requests, answers become PDUs, and what stalls is ended."""

from __future__ import annotations

import socket
import ssl
import time
from typing import Protocol

from mockpacs.net.dialogue import Dialogue
from mockpacs.net.environment import Environment
from mockpacs.net.incoming import Incoming
from mockpacs.net.link import Link
from mockpacs.net.tls import reason
from mockpacs.net.watch import Ran, Watch
from mockpacs.services.negotiation import Refused, agreed_information, negotiate
from mockpacs.traffic.exchange import Association, Notice
from mockpacs.traffic.subject import user_of
from mockpacs.wire import (
    Aborted,
    AssociateRefused,
    AssociateRequested,
    AssociateRJ,
    AssociateRQ,
    CommandReceived,
    DataReceived,
    Happening,
    ReleaseRequested,
    Role,
    State,
    UpperLayer,
)
from mockpacs.wire.text import printable

LOCAL_LIMIT_EXCEEDED = AssociateRJ(2, 3, 2)
"""Rejected transient, by the service provider (presentation), local limit exceeded (PS3.8 9.3.4)."""


class Hall(Protocol):
    """Where acceptors come and go."""

    def admit(self, acceptor: Acceptor) -> bool:
        """Whether one more association fits; if so it is counted until it left."""

    def entered(self, acceptor: Acceptor) -> None:
        """A connection was opened."""

    def left(self, acceptor: Acceptor) -> None:
        """Its connection is closed."""


class Acceptor:
    """The receiver of one link."""

    def __init__(
        self,
        number: int,
        address: tuple[str, int],
        sock: socket.socket,
        environment: Environment,
        hall: Hall,
        buffer: memoryview,
        tls: ssl.SSLContext | None,
    ) -> None:
        self._track = None
        if environment.recorder is not None:
            security = "TLS" if tls else ""
            self._track = environment.recorder.track(number, address, sock.getsockname(), security=security)
        self.link = Link(sock, self, buffer, tls, self._track)
        self._association = Association(number, _host_and_port(address), secure=tls is not None)
        self._environment = environment
        self._hall = hall
        self._upper = UpperLayer(Role.ACCEPTOR, max_pdu_length=environment.house.max_pdu_length)
        self._dialogue: Dialogue | None = None
        self._arriving: Incoming | None = None
        self._watch = Watch(environment.limits, self.link, self._upper, lambda: self.is_busy, self._ran_out)

    @property
    def is_busy(self) -> bool:
        """Whether a request is being answered."""
        return self._dialogue is not None and self._dialogue.is_busy

    def stop(self) -> None:
        """The server stops: A-ABORT to whoever is associated, then close."""
        if self._upper.is_associated:
            self._notice("aborted", "aborted by us: the server stops")
            self._upper.abort()
            self.flush()
        self.link.close()

    def drop(self, why: str) -> None:
        """Close a connection that never became an association, without a word."""
        self._notice("closed", why, detail=True)
        self.link.reset()

    # what the link reports

    def opened(self) -> None:
        """A connection: ARTIM runs until its A-ASSOCIATE-RQ is here."""
        self._upper.transport_opened()
        self._hall.entered(self)
        self.flush()

    def received(self, data: memoryview | bytes) -> None:
        """Bytes: let the upper layer say what they mean, and act on it."""
        self._watch.see_activity()
        for happening in self._upper.receive(data):
            self._handle(happening)
        self.flush()
        if self._arriving is not None and self._arriving.is_behind:
            self._wait_for_disk(self._arriving)

    def closed(self, error: Exception | None) -> None:
        """The connection is gone."""
        for happening in self._upper.transport_closed():
            self._handle(happening)
        self._end()
        self._watch.stop()
        if isinstance(error, ssl.SSLError):
            self._notice("closed", f"TLS failed: {reason(error)}")
        self._hall.left(self)

    # what a dialogue needs

    @property
    def can_send(self) -> bool:
        """Whether the association still takes responses."""
        return self._upper.can_send and self.link.is_open

    def send(self, context_id: int, command: bytes, data: bytes | None) -> None:
        """Queue one message."""
        self._upper.send_encoded(context_id, command, data)

    def flush(self) -> None:
        """Write what the upper layer wants written, mind its timer, close when it says so."""
        if pdus := self._upper.data_to_send():
            self._watch.see_activity()
            self.link.write(pdus)
            if self.link.stalled_since is not None:
                self._watch.start()
        self._watch.see_artim()
        if self._upper.should_close:
            if self.link.stalled_since is None:
                self.link.close()
            else:
                self.link.reset()  # the peer aborted, or ARTIM ran out: what it has not taken is not waited for

    # what the upper layer reports

    def _handle(self, happening: Happening) -> None:
        match happening:
            case DataReceived(_, data, is_last):
                self._take_data(data, is_last=is_last)
            case CommandReceived():
                self._take_command(happening)
            case AssociateRequested(request):
                self._negotiate(request)
            case AssociateRefused(request):
                self._meet(request)
                self._notice("rejected", f"protocol version {request.protocol_version:#06x} is not supported")
            case ReleaseRequested():
                if self._dialogue is not None:
                    self._dialogue.when_idle(self._release)
            case Aborted(source, reason, by_peer, why):
                who = "by the peer" if by_peer else "by us"
                self._notice("aborted", f"aborted {who}: {why} (source {source}, reason {reason})")
                self._end()

    def _negotiate(self, request: AssociateRQ) -> None:
        self._meet(request)
        if self._upper.state is not State.STA3:
            return  # more came with the request, before our answer, and ended the association
        answer = negotiate(request, self._environment.house)
        if isinstance(answer, Refused):
            self._reject(answer.answer, answer.why)
        elif not self._hall.admit(self):
            limit = self._environment.limits.max_associations
            self._reject(
                LOCAL_LIMIT_EXCEEDED, f"{limit} associations are open, more are not allowed (max_associations)"
            )
        else:
            self._upper.accept(answer)
            agreed = dict(agreed_information(answer))
            self._dialogue = Dialogue(self._environment, self._association, agreed, self.link, self)
            accepted = len(self._upper.accepted)
            text = f"associated with {request.called}, {accepted} of {len(answer.contexts)} contexts accepted"
            self._notice("opened", text, detail=True)
            self._watch.start()

    def _meet(self, request: AssociateRQ) -> None:
        user = user_of(request.user.user_identity)
        met = self._association
        self._association = Association(met.number, met.address, request.calling, request.called, user, met.secure)

    def _reject(self, answer: AssociateRJ, why: str) -> None:
        self._upper.reject(answer)
        numbers = f"result {answer.result}, source {answer.source}, reason {answer.reason}"
        self._notice("rejected", f"association rejected: {why} ({numbers})")

    def _take_command(self, received: CommandReceived) -> None:
        command = received.command
        if self._dialogue is None:
            return
        if command.service == "C-CANCEL":
            self._dialogue.cancel(command.message_id_responded_to)
        elif not command.is_request:
            self._notice("trouble", f"{command.field.name} came, but nothing was asked; ignored")
        else:
            context = self._upper.accepted[received.context_id]
            incoming = self._dialogue.begin(context, command, received.start)
            if command.has_dataset:
                self._arriving = incoming
            else:
                self._dialogue.take(incoming)

    def _take_data(self, data: memoryview | bytes, *, is_last: bool) -> None:
        if self._arriving is None:
            return  # the data set of a message that was ignored
        self._arriving.append(data)
        if is_last and self._dialogue is not None:
            incoming, self._arriving = self._arriving, None
            self._dialogue.take(incoming)

    def _release(self) -> None:
        """Everything that came is answered: agree to the release, then wait for the peer to close (AR-4)."""
        if self._upper.state is State.STA8:
            self._upper.answer_release()
            self._notice("released", "released", detail=True)
            self.flush()

    def _end(self) -> None:
        if self._dialogue is not None:
            self._dialogue.end()
            if self._arriving is not None:
                incoming, self._arriving = self._arriving, None
                self._dialogue.lose(incoming)

    def _wait_for_disk(self, incoming: Incoming) -> None:
        """Make the peer wait while the disk is behind, so that memory stays bounded."""
        self.link.pause()
        incoming.when_written(self.link.resume)

    # what the watch reports

    def _ran_out(self, what: Ran) -> None:
        match what:
            case Ran.CLOSING:
                self.link.reset()
            case Ran.ARTIM:
                if self._upper.state is State.STA2:
                    self._notice("closed", "no A-ASSOCIATE-RQ came in time (artim_timeout)")
                self._upper.artim_expired()
                self.flush()
            case Ran.DEAFNESS:
                self._time_out("the peer takes nothing of what we send")
                self.link.reset()  # an A-ABORT would wait behind all that the peer does not take
            case Ran.SILENCE:
                self._time_out("nothing was heard")

    def _time_out(self, what: str) -> None:
        seconds = self._environment.limits.network_seconds
        self._notice("aborted", f"aborted by us: {what} for {seconds:g} s (network_timeout)")
        self._upper.abort(2, 0)
        self._end()
        self.flush()

    def _notice(self, kind: str, text: str, *, detail: bool = False) -> None:
        if self._track is not None:
            self._track.about_sending(f"{self._association.number} {kind}: {printable(text)}")
        self._environment.observe(Notice(time.time(), kind, text, self._association, detail))


def _host_and_port(address: tuple[str, int]) -> str:
    host, port = address[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
