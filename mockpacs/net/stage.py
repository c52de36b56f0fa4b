"""The exchanges of one association under a scenario: for each request that a rule may be about, a scene is played."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable
from typing import Protocol

from mockpacs.net.courier import Lose
from mockpacs.net.cue import event_cue, exchange_cue
from mockpacs.net.environment import Environment
from mockpacs.net.incoming import UNDECIDED, Decided, Incoming
from mockpacs.net.responder import Responder, Sender
from mockpacs.net.scene import Scene
from mockpacs.net.theatre import Theatre
from mockpacs.scenario.cast import Cast
from mockpacs.scenario.condition import Moment
from mockpacs.scenario.decision import Act, Decision
from mockpacs.scenario.facts import DataFacts
from mockpacs.scenario.moments import QUERIES
from mockpacs.scenario.telling import told
from mockpacs.services.courier import Delivery, SubOperation
from mockpacs.services.request import Outcome, Request
from mockpacs.traffic.exchange import Association
from mockpacs.wire.dataset import Encoding
from mockpacs.wire.operation import Operation, Write


class Actor(Sender, Protocol):
    """What a scenario needs of an association, beside what answering needs."""

    @property
    def peer_max_pdu_length(self) -> int:
        """The maximum length the peer advertised, in bytes; 0 is no limit."""

    def perform(self, operations: Iterable[Operation]) -> None:
        """Do this on the connection, behind what is queued."""

    async def performed(self) -> None:
        """Return when all that was queued is done, or the connection is gone."""

    @property
    def has_sent(self) -> bool:
        """Whether all that was queued has left: the peer can have seen it."""

    def depart(self, act: Act, rule: str) -> None:
        """End the association, or fall silent, as the act says."""

    def hold(self, seconds: float) -> None:
        """Read nothing for that time."""


class Stage:
    """Knows what is going on in an association, and ends it when the association does."""

    def __init__(
        self,
        environment: Environment,
        theatre: Theatre,
        association: Association,
        request: Callable[[Incoming], Request],
        actor: Actor,
        responder: Responder,
    ) -> None:
        self.environment = environment
        self.theatre = theatre
        self.association = association
        self.request = request
        """Makes the complete request for a service."""
        self.actor = actor
        self.responder = responder
        self.over = asyncio.Event()
        """Whether the association has ended: whoever waits need not wait any more."""

    def concerns(self, service: str) -> bool:
        """Whether a rule is about this service, or about a cancel of it."""
        cast = self.theatre.engine.cast
        return cast.concerns(service) or (service in QUERIES and cast.concerns("cancel"))

    def look(self, incoming: Incoming) -> None:
        """Its turn has come: what rules and expectations look at is read now; afterwards the archive has it."""
        cast, command = self._cast_of(incoming), incoming.command
        if command.has_dataset and cast.wants_data(command.service):
            encoding = Encoding.of(incoming.context.transfer_syntax)
            incoming.facts = DataFacts(incoming.far_head(), encoding, cast.tags)

    def prepare(self, incoming: Incoming) -> None:
        """A rule may be about this request: from here on its exchange is a scene."""
        incoming.scene = Scene(self, incoming)

    def meets_sub_operations(self, incoming: Incoming) -> bool:
        """Whether a rule may be about the sub-operations of a retrieve."""
        return Moment.SUB_OPERATION in self._cast_of(incoming).moments(incoming.command.service)

    def _cast_of(self, incoming: Incoming) -> Cast:
        """The rules an exchange began with hold for all of it."""
        return incoming.scene.cast if incoming.scene is not None else self.theatre.engine.cast

    def decide(
        self,
        incoming: Incoming,
        moment: Moment,
        *,
        mark: int = 0,
        status: int | None = None,
        sub: SubOperation | None = None,
    ) -> Decision | None:
        """Ask the scenario; what fired is told with the exchange."""
        cast = self._cast_of(incoming)
        if moment not in cast.moments(incoming.command.service):
            return None
        if self.over.is_set() or not self.actor.can_send:
            return None  # there is nobody to whom anything could be done
        decision = self.theatre.engine.decide(
            exchange_cue(incoming, self.association, moment, cast.tags, mark=mark, status=status, sub=sub), cast
        )
        if decision is not None:
            incoming.decided.add(decision.rule, told(decision, moment))
        return decision

    def reported(self, incoming: Incoming, final: Outcome | None) -> None:
        """An exchange is over: expectations count it."""
        engine, status = self.theatre.engine, final.status if final else None
        cue = exchange_cue(incoming, self.association, Moment.AFTER_RESPONSE, engine.cast.tags, status=status)
        engine.reported(cue, incoming.decided.rule)

    async def meet(self, incoming: Incoming, sub: SubOperation, lose: Lose) -> Delivery | None:
        """The turn of a sub-operation: what has become of it, None when it is to be done."""
        decision = self.decide(incoming, Moment.SUB_OPERATION, sub=sub)
        if decision is None:
            return None
        delivery = None
        if decision.later:
            self.environment.spawn(self.afterwards(decision.later, decision.rule))
        for act in decision.acts:
            if incoming.scene is None or not await incoming.scene.wait(act):
                return Delivery(None, "the association ended")
            if act.step.destination is not None:
                lose(act.step.destination, decision.rule)
            if act.step.send:
                self.actor.perform([Write(act.step.send)])
                await self.actor.performed()
            if act.ends:
                incoming.scene.note_rules()
                self.actor.depart(act, decision.rule)
                return Delivery(None, "the association ended")
            if act.status is not None:
                delivery = Delivery(act.status, act.step.comment or f'rule "{decision.rule}"')
        return delivery

    async def pause(self, seconds: float) -> bool:
        """Wait, but not beyond the end of the association. Whether it goes on."""
        if seconds > 0:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self.over.wait()
        return not self.over.is_set()

    def cancel(self, incoming: Incoming) -> None:
        """A C-CANCEL for this request, unless a rule has other plans with it."""
        engine, cue = self.theatre.engine, event_cue("cancel", self.association, incoming=incoming)
        cast = self._cast_of(incoming)
        is_early = incoming.scene is None and incoming.command.service in QUERIES  # it began before there was a rule
        decision = engine.decide(cue, cast) if cast.concerns("cancel") and not is_early else None
        engine.reported(cue, decision.rule if decision else "")
        if decision is None:
            incoming.cancel()
            return
        if incoming.decided is UNDECIDED:
            incoming.decided = Decided()
        incoming.decided.add(decision.rule, told(decision))
        if incoming.scene is not None:
            incoming.scene.note_rules()  # now: perhaps its turn never comes
        self.environment.spawn(self._cancel(incoming, decision))

    async def _cancel(self, incoming: Incoming, decision: Decision) -> None:
        for act in decision.acts:
            if not await self.pause(act.delay_seconds):
                return
            if act.step.nothing:
                break
            if act.ends:
                self.actor.depart(act, decision.rule)
                return
        else:
            incoming.cancel()
        await self.afterwards(decision.later, decision.rule)

    async def afterwards(self, acts: tuple[Act, ...], rule: str) -> None:
        """What happens on its own after an answer."""
        for act in acts:
            if not await self.pause(act.delay_seconds) or not self.actor.can_send:
                return
            if act.step.send:
                self.actor.perform([Write(act.step.send)])
                await self.actor.performed()
            if act.ends:
                self.actor.depart(act, rule)
                return
