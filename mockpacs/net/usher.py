"""The events of one connection under a scenario: who connects, asks, leaves. Plays what rules want before the usual."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace
from typing import Protocol

from mockpacs.net.cue import event_cue
from mockpacs.net.environment import Environment
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

    def __init__(self, environment: Environment, theatre: Theatre, guest: Guest) -> None:
        self._environment = environment
        self._theatre = theatre
        self._guest = guest
        self._over = asyncio.Event()
        self._asked: tuple[Stimulus, str] | None = None

    def asks(self, kind: str, association: Association, request: AssociateRQ | None = None) -> Decision | None:
        """What a rule wants at this event, None when none does. `settle` must follow for a ``request``."""
        engine, cue = self._theatre.engine, event_cue(kind, association, request)
        decision = engine.decide(cue) if engine.concerns(kind) else None
        rule = decision.rule if decision else ""
        if request is not None:
            self._asked = cue, rule
        else:
            engine.reported(cue, rule)
        if decision is not None:
            self._guest.announce(f'rule "{rule}" at {kind}{_what(decision)}')
        return decision

    def settle(self, refused: tuple[str, ...] = ()) -> None:
        """The association request is answered, or never will be; ``refused``: SOP classes without a context."""
        if self._asked is not None:
            (cue, rule), self._asked = self._asked, None
            self._theatre.engine.reported(replace(cue, refused=refused), rule)

    def play(self, decision: Decision, usual: Usual) -> None:
        """Do what the decision says; ``usual`` follows unless that ends the matter."""
        self._environment.spawn(self._play(decision, usual))

    def end(self) -> None:
        """The connection is gone: nothing more is waited for."""
        self._over.set()

    async def _play(self, decision: Decision, usual: Usual) -> None:
        accept, tampering, is_settled = None, HONEST, False
        for act in decision.acts:
            step = act.step
            if not await self._pause(act.delay_seconds):
                return
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
        await self._play_later(decision)

    async def _play_later(self, decision: Decision) -> None:
        for act in decision.later:
            if not await self._pause(act.delay_seconds):
                return
            if act.step.send:
                self._guest.perform([Write(act.step.send)])
            if act.ends:
                self._guest.depart(act, decision.rule)
                return

    async def _pause(self, seconds: float) -> bool:
        if seconds > 0:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._over.wait()
        return not self._over.is_set()


def _what(decision: Decision) -> str:
    what = told(decision)
    return f": {what}" if what else ""
