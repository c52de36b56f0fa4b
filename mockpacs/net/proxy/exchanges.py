"""The exchanges of a proxied association under a scenario: what rules decide about each, and do to its responses."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable, Sequence
from typing import Any, Protocol

from mockpacs.net.proxy.answer import Answer
from mockpacs.net.proxy.asked import Asked
from mockpacs.net.proxy.exit import Pair
from mockpacs.net.theatre import Theatre
from mockpacs.scenario.condition import Moment
from mockpacs.scenario.decision import Act, Decision
from mockpacs.scenario.tampering import Tampering, tampering_of
from mockpacs.scenario.telling import told
from mockpacs.traffic.comment import message, titles
from mockpacs.wire import can_carry_data, tell
from mockpacs.wire.conversation import Conversation
from mockpacs.wire.fault import operations
from mockpacs.wire.operation import Operation, Write
from mockpacs.wire.status import name_of


class Stage(Protocol):
    """What exchanges ask for."""

    theatre: Theatre
    talk: Conversation
    is_over: bool

    @property
    def pair(self) -> Pair:
        """The pair it plays on."""

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something until the pair ends."""

    async def flush(self) -> None:
        """What is to be passed on to the server leaves now."""

    async def to_client(self, what: Iterable[Operation], comments: Sequence[str] = ()) -> None:
        """Do this on the client's connection; return when it has taken enough."""

    async def meets(self, kind: str, request: None = None, asked: Asked | None = None) -> Tampering | None:
        """An event; None: it is not passed on."""

    async def later(self, acts: tuple[Act, ...], rule: str) -> None:
        """What happens on its own after an answer."""

    def depart(self, act: Act, rule: str) -> None:
        """End it, as the act says."""


class Exchanges:
    """Of one pair."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self.open: dict[int | None, Asked] = {}
        """Those that wait for an answer, by Message ID."""

    # responses

    async def respond(self, asked: Asked, honest: Answer, raws: list[bytes]) -> None:
        """A whole response, and the PDUs it came in: it is passed on as rules want it."""
        service, answer = asked.service, honest
        is_last = honest.is_final(service)
        if asked.is_silenced or (not is_last and asked.answer is not None and asked.answer.status is not None):
            if is_last:
                self.finish(asked, None)
            return
        if is_last and asked.answer is not None:
            answer = answer.relabelled(asked.answer)
        amended = await self._amended(asked, answer)
        if amended is None:
            if is_last and not self._stage.is_over:
                self.finish(asked, None)
            return
        answer, tampering, parting = amended
        is_final = answer.is_final(service)
        if answer is honest and tampering.is_none:
            await self._stage.to_client([Write(b"".join(raws))], self._comments(asked, answer))
        else:
            user = self._stage.talk.request.user if self._stage.talk.request else None
            limit = user.max_pdu_length if user and can_carry_data(user.max_pdu_length) else 0
            pdus = tell(answer.command, answer.data, answer.context_id, limit, tampering.lies)
            await self._stage.to_client(operations(pdus, tampering.fault), self._comments(asked, answer))
        after = self.decide(asked, Moment.AFTER_RESPONSE if is_final else Moment.BETWEEN_RESPONSES, answer)
        if is_final:
            parting += asked.parting
            if asked.answer is not None and not asked.answer.is_change:
                await self.finish_act(asked.answer, asked.rule)
            asked.is_silenced = True  # what the server still says about it is heard by nobody
            self.finish(asked, answer.command.status, is_open=not is_last)
        if after is not None:
            parting += [(act, after.rule) for act in after.acts]
        for act, rule in parting:
            if self._stage.is_over or (not act.answers and not await self.wait(act)):
                return
            await self.finish_act(act, rule)

    async def _amended(self, asked: Asked, answer: Answer) -> tuple[Answer, Tampering, list[tuple[Act, str]]] | None:
        """What rules make of a response that is about to leave; None: it does not leave."""
        moments = [Moment.RESPONSE] if asked.has_begun else [Moment.BEFORE_RESPONSE, Moment.RESPONSE]
        asked.has_begun = True
        parting: list[tuple[Act, str]] = []
        tampering = asked.tint
        for moment in moments:
            decision = self.decide(asked, moment, answer)
            for act in decision.acts if decision else ():
                assert decision is not None
                if not await self.wait(act):
                    return None
                answer = self._worded(asked, answer, act, moment)
                tampering = tampering.and_(tampering_of(act))
                if act.answers:
                    parting.append((act, decision.rule))
                    continue
                asked.is_silenced = asked.is_silenced or act.step.nothing
                await self.finish_act(act, decision.rule)
                if self._stage.is_over:
                    return None
        if asked.is_silenced:
            self._note_no_answer(asked)
            return None
        return answer, tampering, parting

    @staticmethod
    def _worded(asked: Asked, answer: Answer, act: Act, moment: Moment) -> Answer:
        """In the words of an act. Before the first response a final status is the whole answer."""
        if moment is Moment.BEFORE_RESPONSE and act.status is not None and not answer.is_final(asked.service):
            alone = answer.alone(act)
            if alone.is_final(asked.service):
                return alone
        return answer.relabelled(act) if act.answers else answer

    # both

    def decide(self, asked: Asked, moment: Moment, answer: Answer | None = None, *, mark: int = 0) -> Decision | None:
        """Ask the scenario; what fired is told with the exchange."""
        if moment not in asked.cast.moments(asked.service) or self._stage.is_over:
            return None
        status = answer.command.status if answer else None
        cue = asked.cue(self._stage.pair.notes.association, moment, mark=mark, status=status)
        decision = self._stage.theatre.engine.decide(cue, asked.cast)
        if decision is not None:
            asked.decided(decision.rule, told(decision, moment))
            if decision.later:
                asked.later.append((decision.later, decision.rule))
        return decision

    async def wait(self, act: Act) -> bool:
        """The delay of an act. Whether the association goes on."""
        await asyncio.sleep(act.delay_seconds)
        return not self._stage.is_over

    async def finish_act(self, act: Act, rule: str) -> None:
        """What an act sends on its own, and how it ends."""
        if act.step.send:
            await self._stage.to_client([Write(act.step.send)])
        if act.ends:
            self._stage.depart(act, rule)

    # the end of an exchange

    def finish(self, asked: Asked, status: int | None, *, is_open: bool = False) -> None:
        """Its final response has left, or never will; ``is_open``: the server will say more about it."""
        if not is_open:
            self._drop(asked)
        engine = self._stage.theatre.engine
        if status is None:
            self._note_no_answer(asked)
        if not asked.is_reported:
            asked.is_reported = True
            cue = asked.cue(self._stage.pair.notes.association, Moment.AFTER_RESPONSE, status=status)
            engine.reported(cue, asked.rule)
            for acts, rule in asked.later:
                self._stage.spawn(self._stage.later(acts, rule))

    def _drop(self, asked: Asked) -> None:
        if self.open.get(asked.command.message_id) is asked:
            del self.open[asked.command.message_id]

    def end(self) -> None:
        """The association is over: what is open will not be answered."""
        for asked in list(self.open.values()):
            asked.later.clear()
            self.finish(asked, None)

    def note_open(self) -> None:
        """A rule is about to end it all: what was decided about open requests is told before."""
        for asked in self.open.values():
            self._note_no_answer(asked)

    def _comments(self, asked: Asked, answer: Answer) -> tuple[str, ...]:
        if not asked.rule:
            return ()
        asked.noted = (asked.rule, asked.fault)
        status = answer.command.status or 0
        result = f"{status:04X} {name_of(status, asked.service)}"
        return (self._message(asked, f"{asked.service}-RSP", result),)

    def _note_no_answer(self, asked: Asked) -> None:
        """A comment on what leaves next: the rule because of which this request gets no answer."""
        if asked.rule and asked.noted != (asked.rule, asked.fault):
            asked.noted = (asked.rule, asked.fault)
            self._stage.pair.leaving(b"", (self._message(asked, f"{asked.service}-RQ"),))

    def _message(self, asked: Asked, name: str, result: str = "") -> str:
        one = self._stage.pair.notes.association
        both = titles(one.calling, one.called)
        return message(f"{one.number}.{asked.number}", name, both, result, rule=asked.rule, fault=asked.fault)
