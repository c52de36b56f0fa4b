"""One exchange as a scenario plays it: acts before the answer, the answer and what is changed in it, acts after it.

It runs in a task and only for requests that a rule may be about; all others take the short way of the dialogue.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, NamedTuple

from mockpacs.net.incoming import Decided, Incoming
from mockpacs.net.responder import as_told, response
from mockpacs.net.source import Source, is_final
from mockpacs.scenario.condition import Moment
from mockpacs.scenario.decision import Act, Decision
from mockpacs.scenario.ending import Wait
from mockpacs.scenario.tampering import HONEST, Tampering, tampering_of
from mockpacs.services import scripted
from mockpacs.services.request import Outcome
from mockpacs.wire import encode_response
from mockpacs.wire.fault import operations
from mockpacs.wire.lie import tell
from mockpacs.wire.operation import Write
from mockpacs.wire.status import PROCESSING_FAILURE

if TYPE_CHECKING:
    from mockpacs.net.stage import Stage

_NO_ANSWER: Final = "the association ended before the answer"


class _Amended(NamedTuple):
    """A response as rules want it."""

    outcome: Outcome
    tampering: Tampering
    parting: list[tuple[Act, str]]
    """What is left of acts that are the response: the bytes after it, the end. With the rule."""
    is_touched: bool
    """Whether a rule had a say in it."""


class Scene:
    """An exchange under a scenario."""

    def __init__(self, stage: Stage, incoming: Incoming) -> None:
        self._stage = stage
        self._incoming = incoming
        self._source = Source(stage, incoming)
        self.cast = stage.theatre.engine.cast
        """The rules that decide about it: those of its begin, whatever changes meanwhile."""
        self._marks = list(self.cast.marks(incoming.command.service))
        self._fragments = 1  # the command set was one
        self._marking: asyncio.Task[None] | None = None
        self._reached: list[Decision] = []
        self._later: list[Decision] = []
        self._tint = HONEST  # what rules that continue change in all answers
        self._stirred = asyncio.Event()
        self._final: Outcome | None = None
        self._leaving: Outcome | None = None  # a final response on its way
        self._together = 0  # pending responses that are queued and leave in one write
        self._noted = ("", "")  # rules and faults that are in a comment of the recording
        self._is_answered = False
        self._is_silent = False
        self._is_over = False
        self._has_begun = False
        self._is_complete = False  # the request, with all of its data set
        self._is_reported = False
        incoming.decided = Decided()

    @property
    def final(self) -> Outcome | None:
        """The final response that was sent, None when there was none."""
        return self._final

    def stir(self) -> None:
        """A cancel came, or the association ended: whoever waits for that need not wait any more."""
        self._stirred.set()
        if self._stage.over.is_set():
            self.note_rules()  # now: when the task turns to it the recording of the connection has ended

    # while the data set comes

    def see_fragment(self) -> None:
        """A fragment of the data set came: moments in the middle of it may have been reached."""
        self._fragments += 1
        while self._marks:
            reached = [
                (moment, mark)
                for moment, mark in self._marks
                if (self._incoming.size if moment is Moment.RECEIVED else self._fragments) >= mark
            ]
            if not reached or self._is_over:
                return
            self._marks.remove(reached[0])
            decision = self._decide(reached[0][0], mark=reached[0][1])
            if decision is not None:
                self._meet(decision)

    def _meet(self, decision: Decision) -> None:
        """At once where nothing has to be waited for: what follows in the same bytes must not be looked at."""
        self._reached.append(decision)
        self.note_rules()
        if self._marking is None:
            self._marking = self._stage.environment.spawn(self._meet_all())
        for act in decision.acts:
            if act.delay_seconds:
                self._stage.actor.hold(act.delay_seconds)
                return
            if act.ends and not act.step.answers and not act.step.send:
                self._depart(act, decision.rule)
                return

    async def _meet_all(self) -> None:
        while self._reached:
            decision = self._reached.pop(0)
            for act in decision.acts:
                if not await self._perform(act, decision.rule, is_early=True):
                    self._reached.clear()
                    break
        self._marking = None

    # when the request is complete

    @property
    def is_sent(self) -> bool:
        """Of one that is finishing: whether the peer can have seen the final response."""
        return self._final is not None or self._stage.actor.has_sent

    async def play(self, finish: Callable[[], None]) -> None:
        """All of it; ``finish`` is called in the end, whatever happens."""
        self._is_complete = True
        try:
            await self._play()
        except Exception as error:  # noqa: BLE001 - a defect of ours must not take the association, nor go unheard
            self._stage.responder.trouble(self._incoming, error)
            if not self._is_answered and self._stage.actor.can_send:
                self._final = Outcome(PROCESSING_FAILURE, comment=f"{type(error).__name__} in the server")
                self._stage.responder.respond(self._incoming, self._final)
                self._stage.actor.flush()
        finally:
            self.note_rules()
            self._source.discard()
            for decision in self._later:
                self._stage.environment.spawn(self._stage.afterwards(decision.later, decision.rule))
            try:
                self.report()
            finally:
                self._incoming.scene = self._incoming.facts = None  # a circle would keep the data set for long
                finish()

    def report(self) -> None:
        """Tell the exchange, once: at its end, or when what a rule still does after the final response takes time.

        Or when somebody asks who can have seen that response: see `Environment.settle`.
        """
        self._stage.environment.finishing.discard(self)
        if self._is_reported:
            return
        self._is_reported = True
        final = self._final if self._final is not None else self._leaving
        is_scripted = final is None and self._incoming.decided.rule
        why_not = "no answer, by the scenario" if is_scripted else _NO_ANSWER
        self._stage.responder.report(self._incoming, final, why_not)
        self._stage.reported(self._incoming, final)

    async def _play(self) -> None:
        if self._marking is not None:
            await self._marking
        if self._has_ended() or self._is_answered or self._is_silent:
            return
        decision = self._decide(Moment.REQUEST)
        if decision is None:
            await self._answer(None)
            return
        for act in decision.acts:
            if not await self._perform(act, decision.rule):
                return
        if not (self._is_answered or self._is_silent):
            await self._answer(None)

    def _decide(self, moment: Moment, *, mark: int = 0, status: int | None = None) -> Decision | None:
        """Ask the scenario; what comes later is kept for the end of the exchange."""
        decision = self._stage.decide(self._incoming, moment, mark=mark, status=status)
        if decision is not None and decision.later:
            self._later.append(decision)
        return decision

    async def _perform(self, act: Act, rule: str, *, is_early: bool = False) -> bool:
        """One act: the delay, the answer, the bytes, the end. Whether the exchange goes on."""
        step = act.step
        if not await self.wait(act):
            return False
        if act.is_change:
            self._tint = self._tint.and_(tampering_of(act))
        if act.answers and not await self._answer(act, is_early=is_early):
            return False
        if step.send:
            self._stage.actor.perform([Write(step.send)])
            await self._stage.actor.performed()
        if step.nothing:
            self._is_silent = True
        if act.ends:
            self._depart(act, rule)
        return not act.ends

    async def wait(self, act: Act) -> bool:
        """The delay of an act, and what it waits for. Whether the association goes on."""
        if self._final is not None and self._is_complete and _takes_time(act):
            self.report()
        if not await self._stage.pause(act.delay_seconds):
            self._is_over = True
        elif act.step.wait is not None:
            await self._await_peer(act.step.wait)
        self._is_over = self._is_over or self._stage.over.is_set()
        return not self._is_over

    def _has_ended(self) -> bool:
        """Whether nobody hears an answer any more: no rule is asked then."""
        self._is_over = self._is_over or self._stage.over.is_set() or not self._stage.actor.can_send
        return self._is_over

    async def _await_peer(self, wait: Wait) -> None:
        await self._rest(self._stirred if wait.until == "cancel" else self._stage.over, wait.max)

    async def _rest(self, awaited: asyncio.Event, seconds: float | None) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await awaited.wait()

    def _depart(self, act: Act, rule: str) -> None:
        self._is_over = True
        self.note_rules()
        self._stage.actor.depart(act, rule)

    def note_rules(self) -> None:
        """What was decided and is in no comment yet is told with what is sent next."""
        if self._decided != self._noted:
            self._noted = self._decided
            self._stage.responder.note_no_answer(self._incoming)

    @property
    def _decided(self) -> tuple[str, str]:
        return self._incoming.decided.rule, self._incoming.decided.fault

    # the answer

    async def _answer(self, act: Act | None, *, is_early: bool = False) -> bool:
        """All responses of one answer. Whether the exchange goes on."""
        tampering = self._tint.and_(tampering_of(act))
        self._has_begun = False
        if is_early:
            self._is_answered = True
            status = PROCESSING_FAILURE if act is None or act.status is None else act.status
            return await self._say(scripted.relabelled(Outcome(status), act) if act else Outcome(status), tampering)
        async with contextlib.aclosing(self._source.batches(act)) as batches:
            async for batch in batches:
                for outcome in batch:
                    before = self._final
                    if not await self._say(outcome, tampering, every=_every(act)):
                        return False
                    if self._final is not before:  # perhaps sooner than the service meant
                        self._is_answered = True
                        return True
                self._let_go()
                await self._stage.actor.performed()
        self._is_answered = True
        return True

    # one response

    async def _say(self, outcome: Outcome, tampering: Tampering, *, every: float = 0.0) -> bool:
        """One response, unless a rule has other plans with it. Whether the exchange goes on."""
        if self._has_ended():
            return False
        amended = await self._amended(outcome, tampering)
        if amended is None or self._has_ended():
            return not self._is_over
        outcome, tampering, parting, is_touched = amended
        is_last = is_final(self._incoming.command.service, outcome)
        moment = Moment.AFTER_RESPONSE if is_last else Moment.BETWEEN_RESPONSES
        after = self._decide(moment, status=outcome.status)
        if not (is_last or is_touched or every) and after is None and outcome.is_plain:
            self._queue(outcome)
            return True
        if is_last and self._is_complete:
            self._leaving = outcome
            self._stage.environment.finishing.add(self)
        await self._send(outcome, tampering)
        self._leaving = None
        if is_last and not (self._stage.over.is_set() and tampering.fault.is_slow):
            self._final = as_told(self._incoming.command, outcome, tampering.lies)
        following = [(act, after.rule) for act in after.acts] if after is not None else []
        for act, rule in [*parting, *following]:
            if not self._is_over:
                await self._follow(act, rule)
        if every and not is_last:
            await self._rest(self._stirred, every)
            self._is_over = self._is_over or self._stage.over.is_set()
        return not self._is_over

    async def _amended(self, outcome: Outcome, tampering: Tampering) -> _Amended | None:
        """What rules make of a response that is about to leave; None: it does not leave."""
        moments = [Moment.RESPONSE] if self._has_begun else [Moment.BEFORE_RESPONSE, Moment.RESPONSE]
        self._has_begun = True
        parting: list[tuple[Act, str]] = []
        is_swallowed = False
        is_touched = not tampering.is_none
        for moment in moments:
            decision = self._decide(moment, status=outcome.status)
            if decision is None:
                continue
            is_touched = True
            self._let_go()
            for act in decision.acts:
                if not await self.wait(act):
                    return None
                outcome = self._relabelled(outcome, act, moment)
                tampering = tampering.and_(tampering_of(act))
                is_swallowed = is_swallowed or act.step.nothing
                if act.step.answers:
                    parting.append((act, decision.rule))
                    continue
                if act.step.send:
                    self._stage.actor.perform([Write(act.step.send)])
                if act.ends:
                    self._depart(act, decision.rule)
                    return None
        if is_swallowed:
            self._is_silent = True
            return None
        return _Amended(outcome, tampering, parting, is_touched)

    def _relabelled(self, outcome: Outcome, act: Act, moment: Moment) -> Outcome:
        """The outcome in the words of an act. Before the first response a final status is the whole answer."""
        service = self._incoming.command.service
        if moment is Moment.BEFORE_RESPONSE and act.status is not None and not is_final(service, outcome):
            alone = scripted.relabelled(Outcome(act.status), act)
            if is_final(service, alone):
                return alone
        return scripted.relabelled(outcome, act)

    def _queue(self, outcome: Outcome) -> None:
        """A pending response that no rule is about leaves with its neighbours, as without a scenario."""
        command = encode_response(self._incoming.command, outcome.status, has_dataset=outcome.data is not None)
        self._stage.actor.send(self._incoming.context.context_id, command, outcome.data)
        self._incoming.note_response(outcome.status)
        self._together += 1

    def _let_go(self) -> None:
        """What is queued leaves."""
        together, self._together = self._together, 0
        self._noted = self._decided if together else self._noted
        self._stage.responder.note_pending(self._incoming, together)
        self._stage.actor.flush()

    async def _send(self, outcome: Outcome, tampering: Tampering) -> None:
        actor, incoming = self._stage.actor, self._incoming
        self._stage.responder.note_pending(incoming, self._together)
        self._together, self._noted = 0, self._decided
        if tampering is HONEST or tampering.is_none:
            self._stage.responder.respond(incoming, outcome)
            actor.flush()
        else:
            self._stage.responder.note_answer(incoming, outcome)
            command = response(incoming.command, outcome)
            context_id = incoming.context.context_id
            pdus = tell(command, outcome.data, context_id, actor.peer_max_pdu_length, tampering.lies)
            actor.perform(operations(pdus, tampering.fault))
        await actor.performed()

    async def _follow(self, act: Act, rule: str) -> None:
        """An act after a response; of one that was the response, what is left."""
        if not act.step.answers and not await self.wait(act):
            return
        if act.step.send:
            self._stage.actor.perform([Write(act.step.send)])
            await self._stage.actor.performed()
        if act.ends:
            self._depart(act, rule)


def _takes_time(act: Act) -> bool:
    step = act.step
    return bool(act.delay_seconds or step.wait or step.drip or step.bandwidth)


def _every(act: Act | None) -> float:
    return act.step.pending.every or 0.0 if act is not None and act.step.pending is not None else 0.0
