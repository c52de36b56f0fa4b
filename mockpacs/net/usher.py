"""The events of one connection under a scenario: who connects, asks, leaves. Plays what rules want before the usual."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from typing import Protocol, TypeAlias

from mockpacs.net.cue import event_cue
from mockpacs.net.theatre import Theatre
from mockpacs.scenario.decision import Act, Decision
from mockpacs.scenario.step import Accept
from mockpacs.scenario.stimulus import Stimulus
from mockpacs.scenario.tampering import HONEST, Tampering, tampering_of
from mockpacs.scenario.telling import told
from mockpacs.traffic.exchange import Association
from mockpacs.wire import AssociateRJ, AssociateRQ
from mockpacs.wire.fault import Fault
from mockpacs.wire.operation import Operation, Write

Timers: TypeAlias = dict[Iterator[float], asyncio.TimerHandle]
"""What waits for its time."""


class Usual(Protocol):
    """What the honest server does then, on the terms of a rule, tampered with."""

    def __call__(self, accept: Accept | None = None, tampering: Tampering | None = None) -> None:
        """Do it."""


class Guest(Protocol):
    """What an usher can do with a connection."""

    def perform(self, operations: list[Operation]) -> None:
        """Do this on the connection, behind what is queued."""

    def pace(self, fault: Fault) -> None:
        """Send everything from here on like this."""

    def turn_away(self, answer: AssociateRJ, rule: str) -> None:
        """Reject the association."""

    def depart(self, act: Act, rule: str) -> None:
        """End the association, or fall silent, as the act says."""

    def announce(self, text: str) -> None:
        """Tell what a rule did."""


class Usher:
    """Asks the scenario about events and plays its decisions, one event after the other."""

    def __init__(self, theatre: Theatre, guest: Guest) -> None:
        self._theatre = theatre
        self._guest = guest
        self._is_over = False
        self._waiting: Timers = {}
        self._later: Timers = {}
        self._asked: tuple[Stimulus, str] | None = None

    def asks(self, kind: str, association: Association, request: AssociateRQ | None = None) -> Decision | None:
        """What a rule wants at this event, None when none does. `settle` must follow for a ``request``."""
        engine, cue = self._theatre.engine, event_cue(kind, association, request)
        decision = engine.decide(cue) if engine.cast.concerns(kind) else None
        rule = decision.rule if decision else ""
        if request is not None:
            self._asked = cue, rule
        else:
            engine.reported(cue, rule)
        if decision is not None and kind != "connect":
            self.tell(kind, decision)
        return decision

    def tell(self, kind: str, decision: Decision) -> None:
        """Tell what fired; of connect when there is a connection to tell it of."""
        self._guest.announce(f'rule "{decision.rule}" at {kind}{_what(decision)}')

    def settle(self, refused: tuple[str, ...] = ()) -> None:
        """The association request is answered, or never will be; ``refused``: SOP classes without a context."""
        if self._asked is not None:
            (cue, rule), self._asked = self._asked, None
            self._theatre.engine.reported(replace(cue, refused=refused), rule)

    @property
    def is_playing(self) -> bool:
        """Whether a rule makes the peer wait."""
        return bool(self._waiting)

    def play(self, decision: Decision, usual: Usual) -> None:
        """Do what the decision says; ``usual`` follows unless that ends the matter.

        All that need not be waited for is done when this returns: what came in the same bytes is looked at after it.
        """
        self._proceed(self._steps(decision, usual), self._waiting)

    def end(self) -> None:
        """The connection is gone: nothing more is waited for."""
        self._is_over = True
        for timer in (*self._waiting.values(), *self._later.values()):
            timer.cancel()
        self._waiting.clear()
        self._later.clear()

    def _proceed(self, steps: Iterator[float], waiting: Timers) -> None:
        """Go on to the next delay."""
        waiting.pop(steps, None)
        seconds = next(steps, None)
        if seconds is not None and not self._is_over:
            waiting[steps] = asyncio.get_running_loop().call_later(seconds, self._proceed, steps, waiting)

    def _steps(self, decision: Decision, usual: Usual) -> Iterator[float]:
        """Play a decision; yields how long to wait before going on."""
        accept, tampering, is_settled = None, HONEST, False
        for act in decision.acts:
            step = act.step
            if act.delay_seconds:
                yield act.delay_seconds
            accept = step.accept or accept
            changes = tampering_of(act)
            if step.drip or step.bandwidth:
                self._guest.pace(changes.fault)
            tampering = tampering.and_(changes)
            if step.send:
                self._guest.perform([Write(step.send)])
            if step.reject is not None:
                answer = AssociateRJ(step.reject.result, step.reject.source, step.reject.reason)
                self._guest.turn_away(answer, decision.rule)
            is_settled = is_settled or step.nothing or step.reject is not None
            if act.ends:
                self._guest.depart(act, decision.rule)
                return
        if not is_settled:
            usual(accept, tampering)
        self._proceed(self._later_steps(decision), self._later)

    def _later_steps(self, decision: Decision) -> Iterator[float]:
        for act in decision.later:
            if act.delay_seconds:
                yield act.delay_seconds
            if act.step.send:
                self._guest.perform([Write(act.step.send)])
            if act.ends:
                self._guest.depart(act, decision.rule)
                return


def _what(decision: Decision) -> str:
    what = told(decision)
    return f": {what}" if what else ""
