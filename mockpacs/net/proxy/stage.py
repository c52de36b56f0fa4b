"""A proxied pair under a scenario: what passes is met PDU by PDU, and rules decide what becomes of it.

Each direction has a task: what has to wait makes all that comes behind it in that direction wait, and nothing else.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Final

from mockpacs.net.performer import Performer
from mockpacs.net.proxy.asked import Asked
from mockpacs.net.proxy.dialogue import Dialogue
from mockpacs.net.proxy.exit import Pair, depart
from mockpacs.net.proxy.leg import Leg
from mockpacs.net.proxy.stream import Stream, Unit
from mockpacs.net.proxy.usher import Usher
from mockpacs.net.theatre import Theatre
from mockpacs.scenario.decision import Act, Decision
from mockpacs.scenario.tampering import HONEST, Tampering, tampering_of
from mockpacs.wire import AssociateRJ, AssociateRQ, PduType, Role
from mockpacs.wire.conversation import Conversation
from mockpacs.wire.fault import Fault, operations
from mockpacs.wire.operation import Finish, HalfClose, Operation, Write

_TOGETHER: Final = 256 * 1024
"""Bytes that are passed on in one write."""


class Stage:
    """Of one pair. Made before the link of the client: the rules of connect say what TLS it meets."""

    def __init__(self, theatre: Theatre, pair: Pair) -> None:
        self.theatre = theatre
        self.pair = pair
        self.talk = Conversation(from_start=True)
        self.is_over = False
        """Whether a rule ended it all, or fell silent: nothing is passed on any more."""
        self._usher = Usher(theatre, pair.notes, self.talk)
        self._dialogue = Dialogue(self)
        self._welcome: Decision | None = None
        self._passing: list[bytes] = []  # to the server
        self._pace: Fault | None = None
        self._up: Stream
        self._down: Stream
        self._performers: dict[Leg, Performer] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._ended: set[Leg] = set()  # they have said all they will
        self._passed: set[Leg] = set()  # of these, the others have heard it
        self._tampering: dict[int, Tampering] = {}  # by the type of the PDU it happens to

    # what the pair reports

    def greet(self, usual: ssl.SSLContext | None) -> tuple[ssl.SSLContext | None, bool]:
        """Somebody connects: the TLS they meet, and whether its handshake is to stall."""
        self._welcome = self._usher.asks("connect")
        if self._welcome is None:
            return usual, False
        context, is_stalled = self.theatre.security(self._welcome.acts, usual)
        self.is_over = is_stalled
        return context, is_stalled

    async def welcome(self) -> bool:
        """Play what connect asks for. Whether the server is to be called."""
        decision, self._welcome = self._welcome, None
        if decision is None:
            return not self.is_over
        self._usher.announce("connect", decision)
        if not self.is_over and await self._play(decision) is not None:
            return True
        if not self.pair.client.is_open and not self.pair.client.is_gone:
            self.pair.client.link.open()  # it is silent, or reads what is left to be read
        return False

    def attach(self, leg: Leg) -> None:
        """A link that will be opened."""
        self._performers[leg] = performer = Performer(leg.link)
        performer.pace = self._pace
        if leg is self.pair.client:
            self._up = Stream(leg.link)
        else:
            self._down = Stream(leg.link)

    def joined(self) -> None:
        """Both connections stand."""
        self.spawn(self._pass(self._up, self._from_client))
        self.spawn(self._pass(self._down, self._from_server))

    def received(self, leg: Leg, data: memoryview | bytes) -> None:
        """Bytes came."""
        if not self.is_over:
            (self._up if leg is self.pair.client else self._down).add(data)

    def said_end(self, leg: Leg) -> None:
        """A side says nothing more."""
        if leg not in self._ended:
            self._ended.add(leg)
            (self._up if leg is self.pair.client else self._down).end()

    def closed(self, leg: Leg, other: Leg) -> None:
        """A connection is gone in order; what it said before is still to be passed on."""
        self._performers[leg].stop()
        if self.is_over or leg in self._passed:
            other.link.close()
        else:
            self.said_end(leg)

    def note_open(self) -> None:
        """It may be about to end: what was decided about open requests is told before."""
        self._dialogue.note_open()

    def end(self) -> None:
        """Both connections are gone, or about to be; harmless when repeated."""
        self._usher.end()
        self._dialogue.end()
        for task in self._tasks:
            task.cancel()
        for performer in self._performers.values():
            performer.stop()
        self.theatre.engine.forget(self.pair.notes.association.number)

    # what is done

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something until the pair ends."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    async def to_server(self, raw: bytes) -> None:
        """Pass on, together with what comes right behind it; return when the server has taken enough."""
        self._passing.append(raw)
        if not self._up.has_more or sum(map(len, self._passing)) >= _TOGETHER:
            await self.flush()

    async def flush(self) -> None:
        """What is to be passed on to the server leaves now."""
        data, self._passing = b"".join(self._passing), []
        if data and not self.is_over and (server := self.pair.server) is not None:
            server.see_written(data)
            await self._perform(server, [Write(data)])

    async def to_client(self, what: Iterable[Operation], comments: Sequence[str] = ()) -> None:
        """The same in the other direction."""
        if not self.is_over:
            await self._perform(self.pair.client, self._leaving(what, comments))

    async def _perform(self, leg: Leg, what: Iterable[Operation]) -> None:
        performer = self._performers[leg]
        performer.perform(what)
        if not performer.is_idle:
            await performer.idle()
        if leg.link.stalled_since is not None:
            await leg.link.drained()

    def _leaving(self, what: Iterable[Operation], comments: Sequence[str]) -> Iterator[Operation]:
        for operation in what:
            if isinstance(operation, Write):
                self.pair.client.see_written(operation.data)
                self.pair.leaving(operation.data, comments)
                comments = ()
            yield operation

    async def later(self, acts: tuple[Act, ...], rule: str) -> None:
        """What happens on its own after an answer."""
        for act in acts:
            await asyncio.sleep(act.delay_seconds)
            if self.is_over:
                return
            if act.step.send:
                await self.to_client([Write(act.step.send)])
            if act.ends:
                self.depart(act, rule)

    def depart(self, act: Act, rule: str) -> None:
        """End both connections, or fall silent, as the act says."""
        if not self.is_over:
            self._dialogue.note_open()
            self.is_over = depart(act, rule, self.pair, self._performers[self.pair.client], self.theatre.refuse)

    # events

    async def meets(
        self, kind: str, request: AssociateRQ | None = None, asked: Asked | None = None
    ) -> Tampering | None:
        """Something happens: what is done to the answer; None: it is not passed on."""
        await self.flush()
        decision = self._usher.asks(kind, request, asked)
        if decision is None:
            return HONEST
        self._usher.announce(kind, decision)
        return await self._play(decision)

    async def _play(self, decision: Decision) -> Tampering | None:
        tampering, is_settled = HONEST, False
        for act in decision.acts:
            step = act.step
            await asyncio.sleep(act.delay_seconds)
            if self.is_over:
                return None
            changes = tampering_of(act)
            if step.drip or step.bandwidth:
                self._slow_down(changes.fault)
            tampering = tampering.and_(changes)
            if step.send:
                await self.to_client([Write(step.send)])
            if step.reject is not None:
                answer = AssociateRJ(step.reject.result, step.reject.source, step.reject.reason)
                self.is_over = True
                self.pair.reject(answer, f'rule "{decision.rule}"')
            is_settled = is_settled or step.nothing or step.reject is not None
            if act.ends:
                self.depart(act, decision.rule)
                if self.is_over:
                    return None
        if decision.later:
            self.spawn(self.later(decision.later, decision.rule))
        return None if is_settled else tampering

    def _slow_down(self, pace: Fault) -> None:
        """A slow network is slow both ways."""
        self._pace = pace
        for performer in self._performers.values():
            performer.pace = pace

    # the two directions

    async def _pass(self, stream: Stream, take: Callable[[Unit], Coroutine[Any, Any, None]]) -> None:
        async for unit in stream.units():
            if not self.is_over:
                await take(unit)

    async def _from_client(self, unit: Unit) -> None:
        pdu_type, raw = unit
        tampering: Tampering | None = HONEST
        if pdu_type == PduType.P_DATA_TF:
            if await self._dialogue.from_client(raw):
                await self.to_server(raw)
            return
        if pdu_type > 0:
            self.talk.feed(Role.REQUESTOR, raw)
        if pdu_type == PduType.ASSOCIATE_RQ and self.talk.request is not None:
            tampering = await self.meets("associate", self.talk.request)
        elif pdu_type == PduType.RELEASE_RQ:
            tampering = await self.meets("release")
        elif pdu_type == PduType.ABORT:
            tampering = await self.meets("abort")
        elif pdu_type < 0:
            tampering = await self.meets("close")
        if tampering is None:
            return
        if pdu_type < 0:
            self._pass_end(self.pair.client, self.pair.server)
            return
        if pdu_type in (PduType.ASSOCIATE_RQ, PduType.RELEASE_RQ):
            self._tampering[pdu_type + 1] = tampering
        await self.to_server(raw)

    async def _from_server(self, unit: Unit) -> None:
        pdu_type, raw = unit
        if pdu_type == PduType.P_DATA_TF:
            await self._dialogue.from_server(raw)
            return
        if pdu_type < 0:
            self._pass_end(self.pair.server, self.pair.client)
            return
        if pdu_type > 0:
            self.talk.feed(Role.ACCEPTOR, raw)
        if pdu_type in (PduType.ASSOCIATE_AC, PduType.ASSOCIATE_RJ):
            self._usher.settle()
        tampering = self._tampering.pop(pdu_type, HONEST)
        if tampering.is_none:
            await self.to_client([Write(raw)])
        else:  # how fast is a matter of the pace
            fault = replace(tampering.fault, drip_bytes=0, bandwidth=0)
            await self.to_client(operations([raw], fault))

    def _pass_end(self, leg: Leg | None, other: Leg | None) -> None:
        if leg is None or other is None:
            return
        self._passed.add(leg)
        if not other.is_gone:
            self._performers[other].perform([Finish() if leg.is_gone else HalfClose()])

    def _done(self, task: asyncio.Task[None]) -> None:
        """A defect of ours must not go unheard, nor leave anybody waiting."""
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.pair.notes.tell("trouble", f"a part of the proxy failed: {type(error).__name__}: {error}")
            for leg in self._performers:
                leg.link.reset()
