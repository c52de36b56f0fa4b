"""One incoming association: what it sends becomes requests, answers become PDUs, and what stalls is ended."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from mockpacs.net.dialogue import Dialogue
from mockpacs.net.environment import Environment
from mockpacs.net.hall import Hall
from mockpacs.net.incoming import Incoming
from mockpacs.net.link import Link
from mockpacs.net.peer import host_and_port
from mockpacs.net.tls import reason
from mockpacs.net.watch import Watch
from mockpacs.services.negotiation import Refused, agreed_information, negotiate
from mockpacs.traffic.exchange import Association, Notice
from mockpacs.traffic.subject import user_of
from mockpacs.wire import (
    Aborted,
    AssociateAC,
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

if TYPE_CHECKING:  # only a server with a scenario loads these
    from mockpacs.net.conduct import Conduct
    from mockpacs.net.performer import Performer
    from mockpacs.net.theatre import Theatre
    from mockpacs.scenario.step import Accept
    from mockpacs.scenario.tampering import Tampering

LOCAL_LIMIT_EXCEEDED = AssociateRJ(2, 3, 2)
"""Rejected transient, by the service provider (presentation), local limit exceeded (PS3.8 9.3.4)."""


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
        self._environment = environment
        self._hall = hall
        self._upper = UpperLayer(Role.ACCEPTOR, max_pdu_length=environment.house.max_pdu_length)
        self._dialogue: Dialogue | None = None
        self._arriving: Incoming | None = None
        self._association = Association(number, host_and_port(address))
        self._is_gone = False
        self._conduct: Conduct | None = None
        if environment.theatre is not None:
            from mockpacs.net.conduct import Conduct

            self._conduct = Conduct(environment.theatre, self, self._upper)
            tls = self._conduct.greet(tls)
        self._track = None
        if environment.recorder is not None:
            security = "TLS" if tls else ""
            self._track = environment.recorder.track(number, address, sock.getsockname(), security=security)
        self._association = replace(self._association, secure=tls is not None)
        self.link = Link(sock, self, buffer, tls, self._track)
        self._watch = Watch(environment.limits, self.link, self._upper, lambda: self.is_busy, self)
        if self._conduct is not None:
            self._conduct.attach(self.link, self._watch)

    def join(self, theatre: Theatre) -> None:
        """A scenario came while the connection is open: its rules hold for what begins from now on."""
        if self._conduct is None and not self._is_gone:
            from mockpacs.net.conduct import Conduct

            self._conduct = Conduct(theatre, self, self._upper)
            self._conduct.attach(self.link, self._watch)
            if self._dialogue is not None:
                self._dialogue.join(theatre, self._conduct)

    @property
    def association(self) -> Association:
        """Who is at the other end, as far as is known."""
        return self._association

    @property
    def is_busy(self) -> bool:
        """Whether a request is being answered, or a rule makes the peer wait: its silence means nothing then."""
        if self._conduct is not None and self._conduct.is_playing:
            return True
        return self._dialogue is not None and self._dialogue.is_busy

    def stop(self) -> None:
        """The server stops: A-ABORT to whoever is associated, then close."""
        if self._conduct is not None:
            self._conduct.stop()
        if self._upper.is_associated and not self._is_dismissed:
            self.notice("aborted", "aborted by us: the server stops")
            self._upper.abort()
            self.flush()
        self.link.close()

    def drop(self, why: str) -> None:
        """Close a connection that never became an association, without a word."""
        self.notice("closed", why, detail=True)
        self.link.reset()

    # what the link reports

    def opened(self) -> None:
        """A connection: ARTIM runs until its A-ASSOCIATE-RQ is here."""
        self._upper.transport_opened()
        self._hall.entered(self)
        self.flush()
        if self._conduct is not None:
            self._conduct.opened()

    def received(self, data: memoryview | bytes) -> None:
        """Bytes: let the upper layer say what they mean, and act on it."""
        self._watch.see_activity()
        if self._conduct is not None and not self._conduct.admits(data):
            return
        for happening in self._upper.receive(data):
            if self._is_dismissed:
                return
            self._handle(happening)
        self.flush()
        if self._arriving is not None and self._arriving.is_behind:
            self._wait_for_disk(self._arriving)

    def closed(self, error: Exception | None) -> None:
        """The connection is gone."""
        self._is_gone = True
        happenings = self._upper.transport_closed()
        if self._conduct is not None:
            self._conduct.closed()
        for happening in happenings if not self._is_dismissed else ():
            self._handle(happening)
        self.end_dialogue()
        self._watch.stop()
        if isinstance(error, ssl.SSLError):
            self.notice("closed", f"TLS failed: {reason(error)}")
        self._hall.left(self)

    # what a dialogue needs

    @property
    def can_send(self) -> bool:
        """Whether the association still takes responses."""
        return self._upper.can_send and self.link.is_open and not self._is_dismissed

    def send(self, context_id: int, command: bytes, data: bytes | None) -> None:
        """Queue one message."""
        self._upper.send_encoded(context_id, command, data)

    @property
    def peer_max_pdu_length(self) -> int:
        """The maximum length the peer advertised, in bytes; 0 is no limit."""
        return self._upper.peer_max_pdu_length

    @property
    def is_clear(self) -> bool:
        """Whether what is written goes to the link at once."""
        return self._conduct is None or self._conduct.performer.is_idle

    def send_pdus(self, pdus: list[bytes]) -> None:
        """Queue P-DATA-TF PDUs of a request of ours."""
        self._upper.send_pdus(pdus)

    def when_taken(self, then: Callable[[], None]) -> None:
        """Call ``then`` when the peer has taken enough of what was written, or when the connection is gone."""
        if self._conduct is None:
            self.link.when_drained(then)
        else:
            self._conduct.performer.when_idle(lambda: self.link.when_drained(then))

    def break_off(self, why: str) -> None:
        """Abort the association."""
        if self._upper.is_associated and not self._is_dismissed:
            self.notice("aborted", f"aborted by us: {why}")
            self._upper.abort()
            self.end_dialogue()
            self.flush()

    def flush(self) -> None:
        """Write what the upper layer wants written, mind its timer, close when it says so."""
        if pdus := self._upper.data_to_send():
            self._watch.see_activity()
            self._sink.write(pdus)
            if self.link.stalled_since is not None:
                self._watch.start()
        self._watch.see_artim()
        if self._upper.should_close and not (self._conduct and self._conduct.keeps_open):
            if self._conduct is not None:
                self._conduct.performer.stop()  # nobody wants what a rule would still say
            if self.link.stalled_since is None:
                self._sink.close()
            else:
                self._sink.reset()  # the peer aborted, or ARTIM ran out: what it has not taken is not waited for

    @property
    def _sink(self) -> Link | Performer:
        """Where bytes go: straight to the link, or behind what a scenario does with it."""
        return self.link if self._conduct is None else self._conduct.performer

    @property
    def _is_dismissed(self) -> bool:
        """Whether a rule ended the association: what the peer still says means nothing."""
        return self._conduct is not None and self._conduct.is_dismissed

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
                self.notice("rejected", f"protocol version {request.protocol_version:#06x} is not supported")
            case ReleaseRequested():
                if self._dialogue is not None:
                    self._dialogue.when_idle(self._release)
            case Aborted(source, reason, by_peer, why):
                who = "by the peer" if by_peer else "by us"
                self.notice("aborted", f"aborted {who}: {why} (source {source}, reason {reason})")
                self.end_dialogue()
                if by_peer and self._conduct is not None and not self._is_gone:
                    self._conduct.abandoned()

    def _negotiate(self, request: AssociateRQ) -> None:
        self._meet(request)
        if self._upper.state is not State.STA3:
            return  # more came with the request, before our answer, and ended the association
        if self._conduct is None:
            self._answer(request)
        else:
            self._conduct.meet("associate", partial(self._answer, request), request)

    def _answer(self, request: AssociateRQ, accept: Accept | None = None, tampering: Tampering | None = None) -> None:
        """Accept the association or reject it; ``accept`` and ``tampering`` are the wishes of a rule."""
        if self._upper.state is not State.STA3:
            return  # it ended while a rule made it wait
        answer = negotiate(request, self._environment.house)
        if isinstance(answer, Refused):
            self.reject(answer.answer, answer.why)
        elif not self._hall.admit(self):
            limit = self._environment.limits.max_associations
            self.reject(LOCAL_LIMIT_EXCEEDED, f"{limit} associations are open, more are not allowed (max_associations)")
        else:
            self._accept(
                request, self._conduct.on_terms(request, answer, accept) if self._conduct and accept else answer
            )
        if self._conduct is not None:
            self._conduct.negotiated(request, self._upper.accepted)
            if tampering is not None:
                self._conduct.send_tampered(self._upper.data_to_send(), tampering)
        self.flush()

    def _accept(self, request: AssociateRQ, answer: AssociateAC) -> None:
        self._upper.accept(answer)
        agreed = dict(agreed_information(answer))
        accepted = self._upper.accepted
        self._dialogue = Dialogue(
            self._environment,
            self._association,
            agreed,
            self.link,
            self,
            self._conduct,
            accepted=accepted,
            providers=frozenset(role.sop_class for role in answer.user.roles if role.scp),
        )
        text = f"associated with {request.called}, {len(accepted)} of {len(answer.contexts)} contexts accepted"
        self.notice("opened", text, detail=True)
        self._watch.start()

    def _meet(self, request: AssociateRQ) -> None:
        user = user_of(request.user.user_identity)
        met = self._association
        self._association = Association(met.number, met.address, request.calling, request.called, user, met.secure)

    def reject(self, answer: AssociateRJ, why: str) -> None:
        """Reject the association, and say why; unless it ended while a rule made it wait."""
        if self._upper.state is not State.STA3:
            return
        self._upper.reject(answer)
        numbers = f"result {answer.result}, source {answer.source}, reason {answer.reason}"
        self.notice("rejected", f"association rejected: {why} ({numbers})")

    def _take_command(self, received: CommandReceived) -> None:
        command = received.command
        if self._dialogue is None:
            return
        if command.service == "C-CANCEL":
            self._dialogue.cancel(command.message_id_responded_to)
        elif not command.is_request:
            if self._dialogue.asking.answered(command):
                return
            self.notice("trouble", f"{command.field.name} came, but nothing was asked; ignored")
        else:
            context = self._upper.accepted[received.context_id]
            incoming = self._dialogue.begin(context, command, received.start)
            if command.has_dataset:
                self._arriving = incoming
            else:
                self._dialogue.take(incoming)

    def _take_data(self, data: memoryview | bytes, *, is_last: bool) -> None:
        if self._arriving is None:  # of a response to what we asked, or of a message that was ignored
            if self._dialogue is not None:
                self._dialogue.asking.take_data(data, is_last=is_last)
            return
        self._arriving.append(data)
        if self._arriving.scene is not None:
            self._arriving.scene.see_fragment()
            if self._is_dismissed or not self._upper.can_send:
                return  # a rule ended the association
        if is_last and self._dialogue is not None:
            incoming, self._arriving = self._arriving, None
            self._dialogue.take(incoming)

    def _release(self) -> None:
        """Everything that came is answered: agree to the release, unless a rule has other plans."""
        if self._conduct is None:
            self._agree_to_release()
        else:
            self._conduct.meet("release", self._agree_to_release)

    def _agree_to_release(self, accept: Accept | None = None, tampering: Tampering | None = None) -> None:
        """Then wait for the peer to close (AR-4)."""
        del accept  # a release has no terms
        if self._upper.state is State.STA8:
            self._upper.answer_release()
            self.notice("released", "released", detail=True)
            if self._conduct is not None and tampering is not None:
                self._conduct.send_tampered(self._upper.data_to_send(), tampering)
            self.flush()

    def end_dialogue(self) -> None:
        """Nothing more is answered."""
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

    def artim_ran_out(self) -> None:
        """The peer did not ask for an association, or did not close, in time."""
        if self._upper.state is State.STA2:
            self.notice("closed", "no A-ASSOCIATE-RQ came in time (artim_timeout)")
        self._upper.artim_expired()
        self.flush()

    def time_out(self, why: str) -> None:
        """Abort: nothing was heard, or nothing taken."""
        self.notice("aborted", f"aborted by us: {why}")
        if self._upper.is_associated:
            self._upper.abort(2, 0)
        self.end_dialogue()
        self.flush()

    def notice(self, kind: str, text: str, *, detail: bool = False) -> None:
        """Tell something, in the recording and to whoever observes."""
        if self._track is not None:
            self._track.about_sending(f"{self._association.number} {kind}: {printable(text)}")
        self._environment.observe(Notice(time.time(), kind, text, self._association, detail))
