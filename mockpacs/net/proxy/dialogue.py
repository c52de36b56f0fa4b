"""The messages of a proxied association under a scenario: requests on their way up, responses on their way down."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from mockpacs.net.proxy.answer import Answer
from mockpacs.net.proxy.asked import Asked
from mockpacs.net.proxy.exchanges import Exchanges, Stage
from mockpacs.scenario.condition import Moment
from mockpacs.scenario.decision import Decision
from mockpacs.scenario.tampering import tampering_of
from mockpacs.wire import Command, Role
from mockpacs.wire.operation import Write
from mockpacs.wire.seen import CommandSeen, DataSeen

_HELD_AT_MOST: Final = 16 << 20
"""Bytes of a response that are held to be looked at; a longer one passes as it is."""


@dataclass(slots=True)
class _Coming:
    """A response whose data set is still coming."""

    asked: Asked | None
    context_id: int
    command: Command
    data: bytearray = field(default_factory=bytearray)


class Dialogue:
    """Of one pair."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._count = 0
        self._exchanges = Exchanges(stage)
        self._arriving: Asked | None = None
        self._held: list[bytes] = []  # PDUs of responses that are not whole
        self._held_size = 0
        self._whole: list[tuple[Asked | None, Answer]] = []  # of these, those that are
        self._coming: _Coming | None = None
        self._is_cut = False  # some of it was passed on already

    # requests

    async def from_client(self, raw: bytes) -> bool:
        """A P-DATA-TF. Whether it is passed on."""
        is_passed = True
        for seen in self._stage.talk.feed(Role.REQUESTOR, raw):
            if isinstance(seen, CommandSeen):
                is_passed = await self._see_request(seen) and is_passed
            elif isinstance(seen, DataSeen) and (asked := self._arriving) is not None:
                asked.append(seen.data)
                for moment, mark in asked.reached():
                    decision = self._exchanges.decide(asked, moment, mark=mark)
                    is_passed = is_passed and (decision is None or await self._meet(asked, decision))
                if seen.is_last and is_passed:
                    self._arriving = None
                    is_passed = await self._complete(asked)
            if self._stage.is_over:
                return False
        return is_passed

    async def _see_request(self, seen: CommandSeen) -> bool:
        command = seen.command
        if command.service == "C-CANCEL":
            asked = self._exchanges.open.get(command.message_id_responded_to)
            return await self._stage.meets("cancel", None, asked) is not None
        if not command.is_request:
            return True  # to a sub-operation of a C-GET
        self._count += 1
        context = self._stage.talk.context(seen.context_id)
        asked = Asked(self._count, context, command, self._stage.theatre.engine.cast)
        self._exchanges.open[command.message_id] = asked
        if command.has_dataset:
            self._arriving = asked
            return True
        return await self._complete(asked)

    async def _complete(self, asked: Asked) -> bool:
        self._stage.pair.passing(asked.number, f"{asked.service}-RQ")
        decision = self._exchanges.decide(asked, Moment.REQUEST)
        return decision is None or await self._meet(asked, decision)

    async def _meet(self, asked: Asked, decision: Decision) -> bool:
        """What happens before the request is passed on, and what is to happen to its responses. Whether it is."""
        await self._stage.flush()
        has_answered = False
        for act in decision.acts:
            if has_answered:
                asked.parting.append((act, decision.rule))
                continue
            if not await self._exchanges.wait(act):
                return False
            if act.is_change or act.answers:
                asked.tint = asked.tint.and_(tampering_of(act))
            if act.answers:
                has_answered = True
                asked.answer = act
                continue
            asked.is_silenced = asked.is_silenced or act.step.nothing
            await self._exchanges.finish_act(act, decision.rule)
            if self._stage.is_over:
                return False
        return True

    # responses

    async def from_server(self, raw: bytes) -> None:
        """A P-DATA-TF."""
        self._held.append(raw)
        self._held_size += len(raw)
        for seen in self._stage.talk.feed(Role.ACCEPTOR, raw):
            if isinstance(seen, CommandSeen):
                self._see_response(seen)
            elif isinstance(seen, DataSeen) and (coming := self._coming) is not None:
                if coming.asked is not None and coming.asked.is_watched:
                    coming.data += seen.data
                if seen.is_last:
                    self._is_whole(coming, bytes(coming.data))
        if self._coming is None:
            await self._let_go()
        elif not self._whole and (not self._is_watched(self._coming.asked) or self._held_size > _HELD_AT_MOST):
            self._is_cut = True
            await self._pass_held()  # of a long one that nothing happens to nothing is held

    def _see_response(self, seen: CommandSeen) -> None:
        command = seen.command
        asked = None
        if not command.is_request:
            asked = self._exchanges.open.get(command.message_id_responded_to)
        elif command.service != "C-CANCEL":
            self._count += 1
        self._coming = _Coming(asked, seen.context_id, command)
        if not command.has_dataset:
            self._is_whole(self._coming, None)

    def _is_whole(self, coming: _Coming, data: bytes | None) -> None:
        self._coming = None
        self._whole.append((coming.asked, Answer(coming.context_id, coming.command, data)))

    @staticmethod
    def _is_watched(asked: Asked | None) -> bool:
        return asked is not None and asked.is_watched

    async def _pass_held(self) -> None:
        held, self._held, self._held_size = self._held, [], 0
        await self._stage.to_client([Write(b"".join(held))])

    async def _let_go(self) -> None:
        """All that is held is whole."""
        whole, self._whole = self._whole, []
        if self._is_cut or len(whole) != 1 or not self._is_watched(whole[0][0]):
            await self._pass_held()
            self._is_cut = False
            for asked, answer in whole:
                if asked is not None and answer.is_final(asked.service):
                    self._exchanges.finish(asked, answer.command.status)
            return
        held, self._held, self._held_size = self._held, [], 0
        asked, answer = whole[0]
        assert asked is not None
        await self._exchanges.respond(asked, answer, held)

    # the end

    def note_open(self) -> None:
        """A rule is about to end it all: what was decided about open requests is told before."""
        self._exchanges.note_open()

    def end(self) -> None:
        """The association is over."""
        self._exchanges.end()
