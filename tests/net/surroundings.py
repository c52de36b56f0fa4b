"""What dialogues and requests need around them, without a socket: services under the control of a test, stand-ins for
the link and the association, and a way to let the event loop turn until something is true."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any, cast

from mockpacs.archive import Archive, QueryOptions
from mockpacs.net.environment import Environment, Limits
from mockpacs.net.incoming import Incoming
from mockpacs.net.lanes import Lanes
from mockpacs.services.negotiation import House
from mockpacs.services.registry import Registry
from mockpacs.services.request import Lane, Outcome, Request, Service
from mockpacs.traffic.exchange import Exchange, Notice, Record
from mockpacs.wire import AcceptedContext, Command, CommandField, Tag, decode_command, request

VERIFICATION = "1.2.840.10008.1.1"
CT = "1.2.840.10008.5.1.4.1.1.2"
STUDY_ROOT = "1.2.840.10008.5.1.4.1.2.2.1"
EXPLICIT = "1.2.840.10008.1.2.1"
CONTEXTS = {
    uid: AcceptedContext(number, uid, EXPLICIT) for number, uid in ((1, VERIFICATION), (3, CT), (5, STUDY_ROOT))
}
PATIENCE_SECONDS = 20.0


class Desk:
    """A registry in which a test can replace services."""

    def __init__(self, registry: Registry) -> None:
        self.real = registry
        self.replaced: dict[str, Service] = {}

    def find(self, abstract_syntax: str, service: str) -> Service | None:
        return self.replaced.get(service) or self.real.find(abstract_syntax, service)


class Gated:
    """A service of the readers that says ``outcomes`` one by one; it waits at the gate before those numbered."""

    lane = Lane.READER

    def __init__(self, outcomes: Sequence[Outcome | Exception], *gated: int) -> None:
        self.outcomes = outcomes
        self.gated = gated
        self.reached, self.gate, self.ended = threading.Event(), threading.Event(), threading.Event()
        self.said = 0

    def answer(self, request: Request) -> Iterable[Outcome]:
        try:
            for number, outcome in enumerate(self.outcomes):
                if number in self.gated:
                    self.reached.set()
                    assert self.gate.wait(PATIENCE_SECONDS)
                if request.cancelled():
                    yield Outcome(0xFE00)
                    return
                if isinstance(outcome, Exception):
                    raise outcome
                self.said += 1
                yield outcome
        finally:
            self.ended.set()


class Association:
    """Takes what a dialogue sends; also stands for its link: whether it reads, whether the peer takes what is sent."""

    def __init__(self) -> None:
        self.sent: list[tuple[int, Command, bytes | None]] = []
        self.flushed = 0
        self.can_send = True
        self.is_reading = True
        self.is_blocked = False
        self.track = None
        self._waiting: list[Callable[[], None]] = []

    @property
    def answers(self) -> list[tuple[int | None, int | None]]:
        """Message ID and status of what was sent, in order; all of it must have been flushed."""
        assert self.flushed == len(self.sent)
        return [(command.message_id_responded_to, command.status) for _, command, _ in self.sent]

    def send(self, context_id: int, command: bytes, data: bytes | None) -> None:
        assert self.can_send
        decoded = decode_command(command)
        assert isinstance(decoded, Command)
        self.sent.append((context_id, decoded, data))

    def flush(self) -> None:
        self.flushed = len(self.sent)

    def pause(self) -> None:
        self.is_reading = False

    def resume(self) -> None:
        self.is_reading = True

    def when_drained(self, then: Callable[[], None]) -> None:
        if self.is_blocked:
            self._waiting.append(then)
        else:
            then()

    async def drained(self) -> None:
        future = asyncio.get_running_loop().create_future()
        self.when_drained(lambda: future.set_result(None))
        await future

    def unblock(self) -> None:
        self.is_blocked = False
        waiting, self._waiting = self._waiting, []
        for then in waiting:
            then()


class Surroundings:
    """An environment and what was reported in it."""

    def __init__(self, storage: Path | None, limits: Limits) -> None:
        self.archive = Archive.open(storage)
        self.desk = Desk(Registry(self.archive, QueryOptions()))
        self.records: list[Record] = []
        self._numbers = count(1)
        self.lanes = Lanes(self.desk.real.storage, self._trouble)
        self.environment = Environment(
            house=House(self.desk.real.offer),
            registry=cast(Registry, self.desk),
            spool=self.archive.spool,
            lanes=self.lanes,
            limits=limits,
            observe=self.records.append,
        )

    @property
    def exchanges(self) -> list[Exchange]:
        return [record for record in self.records if isinstance(record, Exchange)]

    @property
    def notices(self) -> list[str]:
        return [record.text for record in self.records if isinstance(record, Notice)]

    def incoming(self, command: Command, data: bytes | None = None) -> Incoming:
        """A complete request."""
        arrived = Incoming(next(self._numbers), context_of(command), command, "SCU", self.environment)
        if data is not None:
            arrived.append(data)
        return arrived

    def end(self) -> None:
        assert self.lanes.finish_writing(PATIENCE_SECONDS)
        self.lanes.close(wait=True)
        self.archive.close()

    def _trouble(self, what: str, error: BaseException) -> None:
        assert asyncio.get_running_loop()
        self.records.append(Notice(0.0, "trouble", f"{what}: {error}"))


def context_of(command: Command) -> AcceptedContext:
    return CONTEXTS[command.affected_sop_class or VERIFICATION]


@asynccontextmanager
async def surroundings(storage: Path | None = None, **limits: Any) -> AsyncIterator[Surroundings]:
    """An environment for one test; no task and no thread may be left."""
    made = Surroundings(storage, Limits(**limits))
    try:
        yield made
        await until(lambda: not made.environment.tasks)
    finally:
        made.end()


async def until(what: Callable[[], Any]) -> None:
    """Let the event loop turn until something is true."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not what():
            await asyncio.sleep(0)


def echo(message_id: int) -> Command:
    return request(CommandField.C_ECHO_RQ, message_id, elements={Tag.AFFECTED_SOP_CLASS: VERIFICATION})


def find(message_id: int) -> Command:
    return request(CommandField.C_FIND_RQ, message_id, has_dataset=True, elements={Tag.AFFECTED_SOP_CLASS: STUDY_ROOT})


def store(message_id: int, instance: str) -> Command:
    return request(
        CommandField.C_STORE_RQ,
        message_id,
        has_dataset=True,
        elements={Tag.AFFECTED_SOP_CLASS: CT, Tag.AFFECTED_SOP_INSTANCE: instance},
    )
