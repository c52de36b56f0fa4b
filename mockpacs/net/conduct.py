"""What a scenario does with one connection: operations in order, endings, silence; the hands of its stage and usher."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Collection, Iterable
from dataclasses import replace
from typing import Final, Protocol

from mockpacs.net.link import Link
from mockpacs.net.performer import Performer
from mockpacs.net.theatre import Theatre
from mockpacs.net.usher import Usher, Usual
from mockpacs.net.watch import Watch
from mockpacs.scenario.decision import Act, Decision
from mockpacs.scenario.ending import Abort
from mockpacs.scenario.step import Accept
from mockpacs.scenario.tampering import Tampering
from mockpacs.services.terms import on_terms
from mockpacs.traffic.exchange import Association
from mockpacs.wire import Abort as AbortPdu
from mockpacs.wire import AssociateAC, AssociateRJ, AssociateRQ, UpperLayer, encode_pdu
from mockpacs.wire.fault import Fault, operations
from mockpacs.wire.operation import Deafen, Finish, HalfClose, Mute, Operation, Write

_HOLD_AT_MOST: Final = 256 * 1024
"""Bytes kept while a connection is not listened to yet. Whoever reads nothing does not see the peer go either."""


class Host(Protocol):
    """The association that is conducted."""

    @property
    def association(self) -> Association:
        """Who is at the other end, as far as is known."""

    @property
    def can_send(self) -> bool:
        """Whether the association still takes responses."""

    def flush(self) -> None:
        """Write what the upper layer wants written."""

    def received(self, data: memoryview | bytes) -> None:
        """Let the upper layer say what bytes mean."""

    def reject(self, answer: AssociateRJ, why: str) -> None:
        """Reject the association."""

    def notice(self, kind: str, text: str) -> None:
        """Tell something."""

    def end_dialogue(self) -> None:
        """Answer nothing more."""


class Conduct:
    """Of one connection. Made before its link: the rules of connect say what TLS it meets."""

    def __init__(self, theatre: Theatre, host: Host, upper: UpperLayer) -> None:
        self.usher = Usher(theatre, self)
        self.performer: Performer
        self.is_dismissed = False
        """Whether a rule ended the association, or fell silent: what the peer says means nothing any more."""
        self.keeps_open = False
        """Whether the connection stays although the upper layer would close it."""
        self.left_open = ""
        """The rule because of which a connection stays on which nothing is said."""
        self._theatre = theatre
        self._host = host
        self._upper = upper
        self._link: Link
        self._watch: Watch
        self._welcome: Decision | None = None
        self._held: bytearray | None = None
        self._has_heard_end = False

    @property
    def is_playing(self) -> bool:
        """Whether a rule makes the peer wait."""
        return self.usher.is_playing or not self.performer.is_idle

    def greet(self, tls: ssl.SSLContext | None) -> ssl.SSLContext | None:
        """Somebody connects: ask what happens to them. The TLS they meet."""
        self._welcome = self.usher.asks("connect", self._host.association)
        if self._welcome is None:
            return tls
        security, is_stalled = self._theatre.security(self._welcome.acts, tls)
        if is_stalled:
            self._fall_silent(self._welcome.rule)
        return security

    def attach(self, link: Link, watch: Watch) -> None:
        """The connection stands."""
        self._link, self._watch = link, watch
        self.performer = Performer(link)
        if self._theatre.engine.cast.concerns("close"):
            link.asked_at_end = self._stays_after_end

    def opened(self) -> None:
        """Play what connect asks for; until that is done nothing is listened to."""
        if self._welcome is not None:
            self.usher.tell("connect", self._welcome)
        if self.is_dismissed:
            self._watch.suspend()
        elif self._welcome is not None:
            self._held = bytearray()
            self._watch.suspend()
            self.usher.play(self._welcome, lambda *_: self._listen())

    def admits(self, data: memoryview | bytes) -> bool:
        """Whether bytes may be looked at now; those that may later are kept."""
        if self._held is not None and not self.is_dismissed:
            self._held += data
            if len(self._held) >= _HOLD_AT_MOST:
                self._link.pause()
            return False
        return not self.is_dismissed

    def stop(self) -> None:
        """The connection ends, or the server does: nothing more is waited for."""
        self.usher.end()
        self.performer.stop()

    def meet(self, kind: str, usual: Usual, request: AssociateRQ | None = None) -> None:
        """Something happens to the association: do what rules want, else, or after it, the usual."""
        decision = self.usher.asks(kind, self._host.association, request)
        if decision is None:
            usual()
        else:
            self.usher.play(decision, usual)

    def abandoned(self) -> None:
        """The peer aborted: a rule may want to stay."""
        decision = self.usher.asks("abort", self._host.association)
        if decision is not None:
            self.keeps_open = True
            self.usher.play(decision, lambda *_: self._let_go())

    def closed(self) -> None:
        """The connection is gone."""
        self.stop()
        self.usher.settle()
        if not self._has_heard_end:
            self.usher.asks("close", self._host.association)
        if self.left_open:
            self._host.notice("closed", f'closed, after silence by rule "{self.left_open}"')
        self._theatre.engine.forget(self._host.association.number)

    def send_tampered(self, pdus: list[bytes], tampering: Tampering) -> None:
        """Send PDUs of the association itself; how fast is a matter of the pace."""
        fault = replace(tampering.fault, drip_bytes=0, bandwidth=0)
        self.performer.perform(operations(pdus, fault))

    def on_terms(self, request: AssociateRQ, answer: AssociateAC, accept: Accept) -> AssociateAC:
        """The answer to an association request, as a rule wants it."""
        return on_terms(request, answer, accept)

    def negotiated(self, request: AssociateRQ, accepted: Collection[int]) -> None:
        """The association was accepted, with these contexts, or rejected."""
        served = {context.abstract_syntax for context in request.contexts if context.context_id in accepted}
        proposed = dict.fromkeys(context.abstract_syntax for context in request.contexts)
        self.usher.settle(tuple(uid for uid in proposed if uid not in served))

    # what a stage and an usher ask for

    @property
    def can_send(self) -> bool:
        """Whether responses may still be sent."""
        return self._host.can_send and not self.is_dismissed

    @property
    def peer_max_pdu_length(self) -> int:
        """The maximum length the peer advertised, in bytes; 0 is no limit."""
        return self._upper.peer_max_pdu_length

    def send(self, context_id: int, command: bytes, data: bytes | None) -> None:
        """Queue one message."""
        self._upper.send_encoded(context_id, command, data)

    def flush(self) -> None:
        """Write what is queued."""
        self._host.flush()

    def perform(self, operations: Iterable[Operation]) -> None:
        """Do this on the connection, behind what is queued."""
        if not self.is_dismissed:
            self._host.flush()
            self._watch.see_activity()
            self.performer.perform(operations)

    async def performed(self) -> None:
        """Return when all that was queued is done and the peer has taken enough, or the connection is gone."""
        await self.performer.idle()
        await self._link.drained()

    @property
    def has_sent(self) -> bool:
        """Whether all that was queued has left: the peer can have seen it."""
        return self.performer.has_sent

    def pace(self, fault: Fault) -> None:
        """Send everything from here on like this."""
        self.performer.pace = fault

    def hold(self, seconds: float) -> None:
        """Read nothing for that time."""
        self._link.pause()
        asyncio.get_running_loop().call_later(seconds, self._link.resume)

    def announce(self, text: str) -> None:
        """Tell what a rule did."""
        self._host.notice("scenario", text)

    def turn_away(self, answer: AssociateRJ, rule: str) -> None:
        """Reject the association."""
        self._host.reject(answer, f'rule "{rule}"')
        self._host.flush()

    def depart(self, act: Act, rule: str) -> None:
        """End the association or the connection, or fall silent, as the act says."""
        if self.is_dismissed:
            return
        step = act.step
        if step.abort is not None:
            self._abort(step.abort, rule)
        elif step.close is not None:
            self._close(rule, half=step.close.how == "half")
        elif step.reset or step.refuse is not None:
            self._dismiss("closed", f'reset by us: rule "{rule}"')
            self.performer.reset()
            if step.refuse is not None:
                self._theatre.refuse(step.refuse.seconds)
        else:
            self._fall_silent(rule)
            self.performer.perform([*([Deafen()] if step.stop_reading else []), *([Mute()] if step.silence else [])])
            self._watch.suspend()

    def _abort(self, abort: Abort, rule: str) -> None:
        text = f'aborted by us: rule "{rule}" (source {abort.source}, reason {abort.reason})'
        if self._upper.is_associated:
            self._host.notice("aborted", text)
            self._upper.abort(abort.source, abort.reason)
            self._host.end_dialogue()
            self._host.flush()
        else:
            self._dismiss("aborted", text)
            self.performer.perform([Write(encode_pdu(AbortPdu(abort.source, abort.reason))), Finish()])

    def _close(self, rule: str, *, half: bool) -> None:
        if half:
            self.left_open = rule
            self._watch.suspend()
        self._dismiss("scenario" if half else "closed", f'{"half-closed" if half else "closed"} by us: rule "{rule}"')
        self.performer.perform([HalfClose() if half else Finish()])

    def _fall_silent(self, rule: str) -> None:
        self.is_dismissed = self.keeps_open = True
        self.left_open = rule
        self._host.end_dialogue()

    def _dismiss(self, kind: str, text: str) -> None:
        self.is_dismissed = True
        self._host.notice(kind, text)
        self._host.end_dialogue()

    def _stays_after_end(self) -> bool:
        """The peer's FIN is here: a rule may want to stay, for a time or for good."""
        self._has_heard_end = True
        decision = self.usher.asks("close", self._host.association)
        if decision is None or not any(act.delay_seconds or act.step.silence for act in decision.acts):
            return False
        self.usher.play(decision, lambda *_: self._link.close())
        return True

    def _let_go(self) -> None:
        self.keeps_open = False
        self._host.flush()

    def _listen(self) -> None:
        """The rules of connect are done: look at what came meanwhile."""
        held, self._held = self._held, None
        self._watch.resume()
        self._link.resume()
        if held:
            self._host.received(bytes(held))
