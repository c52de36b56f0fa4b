"""One exchange as a scenario plays it: acts before the answer, the answer and what is changed in it, acts after it.

It runs in a task and only for requests that a rule may be about; all others take the short way of the dialogue.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple

from mockpacs.net.incoming import Decided, Incoming
from mockpacs.net.responder import nobody, response
from mockpacs.scenario.condition import Moment
from mockpacs.scenario.decision import Act, Decision
from mockpacs.scenario.ending import Wait
from mockpacs.scenario.tampering import HONEST, Tampering, tampering_of
from mockpacs.services import scripted
from mockpacs.services.request import Lane, Outcome, Request, Service
from mockpacs.wire import encode_response
from mockpacs.wire.fault import operations
from mockpacs.wire.lie import tell
from mockpacs.wire.operation import Write
from mockpacs.wire.status import CANCEL, PENDING, PENDING_WITH_WARNING, PROCESSING_FAILURE

if TYPE_CHECKING:
    from mockpacs.net.stage import Stage

_PENDING: Final = (PENDING, PENDING_WITH_WARNING)
Finish = Callable[[Outcome | None, str], None]
"""Called once, with the final response that was sent, None when there was none, and then why."""


class _Amended(NamedTuple):
    """A response as rules want it."""

    outcome: Outcome
    tampering: Tampering
    parting: list[tuple[Act, str]]
    """How it ends after it, and the rule."""
    is_touched: bool
    """Whether a rule had a say in it."""


class Scene:
    """An exchange under a scenario."""

    def __init__(self, stage: Stage, incoming: Incoming) -> None:
        self._stage = stage
        self._incoming = incoming
        self._engine = stage.theatre.engine
        self._marks = list(self._engine.marks(incoming.command.service))
        self._fragments = 1  # the command set was one
        self._marking: asyncio.Task[None] | None = None
        self._reached: list[Decision] = []
        self._later: list[Decision] = []
        self._stirred = asyncio.Event()
        self._request: Request | None = None
        self._kept: Outcome | None = None  # what the archive said, which is asked once
        self._final: Outcome | None = None
        self._together = 0  # pending responses that are queued and leave in one write
        self._noted = ("", "")  # rules and faults that are in a comment of the recording
        self._is_answered = False
        self._is_silent = False
        self._is_over = False
        self._has_begun = False
        self._is_handed_over = False  # the archive has the data set, or has refused it
        incoming.decided = Decided()

    def stir(self) -> None:
        """A cancel came, or the association ended: whoever waits for that need not wait any more."""
        self._stirred.set()
        if self._stage.over.is_set():
            self._note_rules()  # now: when the task turns to it the recording of the connection has ended

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
        self._note_rules()
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

    async def play(self, finish: Finish) -> None:
        """All of it; ``finish`` is told in the end, whatever happens."""
        why_not = "the association ended before the answer"
        try:
            await self._play()
        except Exception as error:  # noqa: BLE001 - a defect of ours must not take the association, nor go unheard
            self._stage.responder.trouble(self._incoming, error)
            if not self._is_answered and self._stage.actor.can_send:
                self._final = Outcome(PROCESSING_FAILURE, comment=f"{type(error).__name__} in the server")
                self._stage.responder.respond(self._incoming, self._final)
                self._stage.actor.flush()
        finally:
            if self._final is None and self._incoming.decided.rule:
                why_not = f'no answer: rule "{self._incoming.decided.rule}"'
            self._note_rules()
            if not self._is_handed_over:
                self._incoming.discard()
            self._stage.reported(self._incoming, self._final)
            for decision in self._later:
                self._stage.environment.spawn(self._stage.afterwards(decision.later, decision.rule))
            finish(self._final, why_not)

    async def _play(self) -> None:
        if self._marking is not None:
            await self._marking
        if self._is_over or self._is_answered or self._is_silent:
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
        if not await self._wait(act):
            return False
        if step.answers and not await self._answer(act, is_early=is_early):
            return False
        if step.send:
            self._stage.actor.perform([Write(step.send)])
            await self._stage.actor.performed()
        if step.nothing:
            self._is_silent = True
        if act.ends:
            self._depart(act, rule)
        return not act.ends

    async def _wait(self, act: Act) -> bool:
        """The delay of an act, and what it waits for. Whether the association goes on."""
        if not await self._stage.pause(act.delay_seconds):
            self._is_over = True
        elif act.step.wait is not None:
            await self._await_peer(act.step.wait)
        self._is_over = self._is_over or self._stage.over.is_set()
        return not self._is_over

    async def _await_peer(self, wait: Wait) -> None:
        awaited = self._stirred if wait.until == "cancel" else self._stage.over
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait.max):
                await awaited.wait()

    def _depart(self, act: Act, rule: str) -> None:
        self._is_over = True
        self._note_rules()
        self._stage.actor.depart(act, rule)

    def _note_rules(self) -> None:
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
        tampering = tampering_of(act)
        self._has_begun = False
        if is_early:
            self._is_answered = True
            status = PROCESSING_FAILURE if act is None or act.status is None else act.status
            return await self._say(scripted.relabelled(Outcome(status), act) if act else Outcome(status), tampering)
        async for outcome in self._outcomes(act):
            if not await self._say(outcome, tampering, every=_every(act)):
                return False
        self._is_answered = True
        return True

    async def _outcomes(self, act: Act | None) -> AsyncIterator[Outcome]:
        """What the service says, as far as the act asks it, and what the act makes of it."""
        service = self._service()
        refusal = self._incoming.refusal() if act is None else None
        if refusal is not None or (service is None and act is None):
            yield refusal or nobody(self._incoming)
            return
        if self._incoming.command.service == "C-STORE":
            yield await self._stored(act, service)
            return
        request = self._whole_request()
        source = scripted.stream(act, request, service, self._stage.theatre.answers)
        if service is not None and service.lane is Lane.LOOP:
            for outcome in source:
                yield outcome
            return
        withheld = False
        async for outcome in self._batched(source):
            if outcome.status in _PENDING and self._incoming.is_cancelled:
                withheld = True  # made before the cancel came
            elif withheld and self._is_final(outcome) and (act is None or act.status is None):
                yield replace(outcome, status=CANCEL)
            else:
                yield outcome

    async def _batched(self, source: Iterable[Outcome]) -> AsyncIterator[Outcome]:
        """Outcomes made in a thread."""
        batches = self._stage.environment.lanes.batches(source)
        try:
            while batch := await batches.take():
                for outcome in batch:
                    yield outcome
                self._let_go()
                await self._stage.actor.performed()
        finally:
            await batches.close()

    async def _stored(self, act: Act | None, service: Service | None) -> Outcome:
        if service is None or not scripted.stores(act):
            return scripted.after_store(act, None)
        if self._kept is None:
            done: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
            self._is_handed_over = True
            request = self._whole_request()
            self._stage.environment.lanes.write(request, done.set_result)
            self._kept = await done
        return scripted.after_store(act, self._kept)

    def _service(self) -> Service | None:
        command, context = self._incoming.command, self._incoming.context
        return self._stage.environment.registry.find(context.abstract_syntax, command.service)

    def _whole_request(self) -> Request:
        if self._request is None:
            self._request = self._incoming.request(self._stage.agreed)
        return self._request

    # one response

    async def _say(self, outcome: Outcome, tampering: Tampering, *, every: float = 0.0) -> bool:
        """One response, unless a rule has other plans with it. Whether the exchange goes on."""
        amended = await self._amended(outcome, tampering)
        if amended is None:
            return not self._is_over
        outcome, tampering, parting, is_touched = amended
        is_final = self._is_final(outcome)
        moment = Moment.AFTER_RESPONSE if is_final else Moment.BETWEEN_RESPONSES
        after = self._decide(moment, status=outcome.status)
        if not self._stage.actor.can_send:
            self._is_over = True
            return False
        if not (is_final or is_touched or every) and after is None and outcome.is_plain:
            self._queue(outcome)
            return True
        await self._send(outcome, tampering)
        if is_final:
            self._final = outcome
        following = [(act, after.rule) for act in after.acts] if after is not None else []
        for act, rule in [*parting, *following]:
            if not self._is_over:
                await self._follow(act, rule)
        if every and not is_final and not await self._stage.pause(every):
            self._is_over = True
        return not self._is_over

    def _is_final(self, outcome: Outcome) -> bool:
        """Whether no response follows; the status alone does not tell when a rule gives matches another one."""
        is_match = self._incoming.command.service == "C-FIND" and outcome.data is not None
        return not (is_match or outcome.status in _PENDING)

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
                if not await self._wait(act):
                    return None
                outcome = scripted.relabelled(outcome, act)
                tampering = tampering.and_(tampering_of(act))
                if act.step.send:
                    self._stage.actor.perform([Write(act.step.send)])
                is_swallowed = is_swallowed or act.step.nothing
                if act.ends and not act.step.answers:
                    self._depart(act, decision.rule)
                    return None
                if act.ends:
                    parting.append((act, decision.rule))
        if is_swallowed:
            self._is_silent = True
            return None
        return _Amended(outcome, tampering, parting, is_touched)

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
            self._stage.responder.note_answer(incoming, outcome.status)
            command = response(incoming.command, outcome)
            context_id = incoming.context.context_id
            pdus = tell(command, outcome.data, context_id, actor.peer_max_pdu_length, tampering.lies)
            actor.perform(operations(pdus, tampering.fault))
        await actor.performed()

    async def _follow(self, act: Act, rule: str) -> None:
        """An act after a response."""
        if act.step.answers:  # it was the answer; what is left is how it ends
            self._depart(act, rule)
            return
        if not await self._wait(act):
            return
        if act.step.send:
            self._stage.actor.perform([Write(act.step.send)])
            await self._stage.actor.performed()
        if act.ends:
            self._depart(act, rule)


def _every(act: Act | None) -> float:
    return act.step.pending.every or 0.0 if act is not None and act.step.pending is not None else 0.0
