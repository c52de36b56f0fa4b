"""Requests of ours: cut, sent no faster than they are taken, answered once. The association is a stand-in."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any, cast

import pytest

from mockpacs.net import asking as module
from mockpacs.net.asking import Asking, Response, Unanswered
from mockpacs.net.link import Link
from mockpacs.traffic.exchange import Association, Exchange
from mockpacs.wire import Command, CommandField, Tag, Value, cut, decode_command, encode_command, request, response_to
from tests.net.surroundings import CONTEXTS, CT, Surroundings, surroundings, until

MIB = 1 << 20
CONTEXT = CONTEXTS[CT]
ELEMENTS: dict[int, Value] = {Tag.AFFECTED_SOP_CLASS: CT, Tag.AFFECTED_SOP_INSTANCE: "1.2.3", Tag.PRIORITY: 0}


class Speaker:
    """An association that remembers; while ``is_full`` its peer takes nothing."""

    def __init__(self) -> None:
        self.can_send = True
        self.is_full = False
        self.is_clear = True
        self.peer_max_pdu_length = 16384
        self.sent: list[bytes] = []
        self.flushed = 0
        self.broken: list[str] = []
        self.waiting: list[Callable[[], None]] = []

    @property
    def size(self) -> int:
        return sum(map(len, self.sent))

    def send_pdus(self, pdus: list[bytes]) -> None:
        assert self.can_send
        self.sent += pdus

    def flush(self) -> None:
        self.flushed = len(self.sent)

    def when_taken(self, then: Callable[[], None]) -> None:
        if self.is_full:
            self.waiting.append(then)
        else:
            then()

    def take(self) -> None:
        self.is_full = False
        waiting, self.waiting = self.waiting, []
        for then in waiting:
            then()

    def break_off(self, why: str) -> None:
        self.broken.append(why)
        self.can_send = False


class Scene:
    """Asking, and what is around it."""

    def __init__(self, around: Surroundings) -> None:
        self.around = around
        self.speaker = Speaker()
        link = cast(Link, SimpleNamespace(track=None, stalled_since=None, unrecorded=0))
        self.count = 0
        who = Association(7, "127.0.0.1:1", "US", "THEM", by_us=True)
        self.asking = Asking(around.environment, who, link, self.speaker, self.next)

    def next(self) -> int:
        self.count += 1
        return self.count

    def ask(self, blocks: Iterable[bytes] | None, **how: Any) -> asyncio.Future[list[Response]]:
        """In a thread, as whoever asks does."""
        field = CommandField.C_ECHO_RQ if blocks is None else CommandField.C_STORE_RQ
        return asyncio.ensure_future(
            asyncio.to_thread(self.asking.ask, CONTEXT, field, ELEMENTS, blocks, cause="3.1", **how)
        )

    def answer(self, status: int = 0, message_id: int = 1, **how: Any) -> bool:
        command = request(CommandField.C_STORE_RQ, message_id, has_dataset=True, elements=ELEMENTS)
        return self.asking.answered(response_to(command, status, **how))

    @property
    def exchanges(self) -> list[Exchange]:
        return self.around.exchanges


@asynccontextmanager
async def scene() -> AsyncIterator[Scene]:
    async with surroundings() as around:
        yield Scene(around)


def play(what: Callable[[Scene], Any]) -> None:
    async def run() -> None:
        async with scene() as here:
            await what(here)

    asyncio.run(run())


def message_of(message_id: int, data: bytes, limit: int = 16384) -> list[bytes]:
    """The PDUs that must have been sent."""
    command = request(CommandField.C_STORE_RQ, message_id, has_dataset=True, elements=ELEMENTS)
    return cut(CONTEXT.context_id, encode_command(command), data, limit)


class Counted:
    """Blocks that say how many were asked for."""

    def __init__(self, *blocks: bytes, fails_after: int | None = None) -> None:
        self.blocks = blocks
        self.fails_after = fails_after
        self.size = 0

    def __iter__(self) -> Iterator[bytes]:
        for at, block in enumerate(self.blocks):
            if at == self.fails_after:
                raise OSError("the disk is gone")
            self.size += len(block)
            yield block


@pytest.mark.parametrize("limit", [7, 100, 16384, 131_072, 0])
@pytest.mark.parametrize("sizes", [(0,), (1,), (5, 0, 7), (100, 100, 100), (3000,)])
def test_blocks_become_the_pdus_of_one_message(limit: int, sizes: tuple[int, ...]) -> None:
    async def what(here: Scene) -> None:
        here.speaker.peer_max_pdu_length = limit
        blocks = [bytes((at + 1,)) * size for at, size in enumerate(sizes)]
        asked = here.ask(blocks)
        await until(lambda: here.speaker.sent)
        here.answer()
        await asked

        assert here.speaker.sent == message_of(1, b"".join(blocks), limit)
        assert here.speaker.flushed == len(here.speaker.sent)
        (exchange,) = here.exchanges
        assert (exchange.id, exchange.size, exchange.status) == ("7.1", sum(sizes), 0)
        assert (exchange.asked_by_us, exchange.cause) == (True, "3.1")

    play(what)


def test_no_more_is_read_than_is_taken() -> None:
    """At most two megabytes ahead of the peer, however long the data set is."""

    async def what(here: Scene) -> None:
        here.speaker.is_full = True
        blocks, taken = Counted(*[bytes(256 * 1024)] * 400), 0
        asked = here.ask(blocks)
        for _ in range(9):
            await until(lambda: len(here.speaker.waiting) > module._UNTAKEN_AT_MOST)
            assert 0 < blocks.size - taken < 2 * MIB
            assert 0 < here.speaker.size - taken < 2 * MIB
            taken = here.speaker.size
            here.speaker.take()
            here.speaker.is_full = True
        here.speaker.take()
        await until(lambda: blocks.size == 400 * 256 * 1024)
        await until(lambda: here.asking.is_waiting and not here.asking.is_mid_message)
        here.answer()
        assert len(await asked) == 1

        assert here.speaker.sent == message_of(1, bytes(100 * MIB))

    play(what)


def test_message_ids_begin_anew_after_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MESSAGE_IDS", 3)

    async def what(here: Scene) -> None:
        for message_id in (1, 2, 3, 1, 2):
            asked = here.ask(None)
            await until(lambda: here.asking.is_waiting)
            assert here.answer(0, message_id)
            await asked
        assert [one.command.message_id for one in here.exchanges if one.command] == [1, 2, 3, 1, 2]
        assert [one.number for one in here.exchanges] == [1, 2, 3, 4, 5]

    play(what)


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 5, 6])
def test_a_peer_that_takes_nothing_is_asked_nothing(limit: int) -> None:
    async def what(here: Scene) -> None:
        here.speaker.peer_max_pdu_length = limit
        for blocks in (None, [b"data"]):
            with pytest.raises(Unanswered, match=str(limit)):
                await here.ask(blocks)
        assert (here.speaker.sent, here.exchanges, here.count) == ([], [], 0)

    play(what)


def test_responses_that_answer_nothing_are_told_so() -> None:
    async def what(here: Scene) -> None:
        assert not here.answer()
        asked = here.ask([b"data"])
        await until(lambda: here.asking.is_waiting)
        assert not here.answer(0, 2)
        assert not here.answer(0, 0)
        assert not here.asking.take_data(b"of that", is_last=True)
        assert here.answer(0xA700)
        assert not here.answer()
        (response,) = await asked
        assert response.command.status == 0xA700
        assert len(here.exchanges) == 1

    play(what)


def test_pending_responses_are_kept_with_their_data_sets() -> None:
    async def what(here: Scene) -> None:
        asked = here.ask([b"identifier"])
        await until(lambda: here.asking.is_waiting)
        for n in range(3):
            assert here.answer(0xFF00, has_dataset=True)
            assert here.asking.take_data(b"match ", is_last=False)
            assert here.asking.take_data(bytes((n,)), is_last=True)
        assert here.answer(0)
        responses = await asked
        assert [one.data for one in responses] == [b"match \0", b"match \1", b"match \2", None]
        assert [(one.status, one.times) for one in here.exchanges[0].answers] == [(0xFF00, 3), (0, 1)]

    play(what)


def test_more_data_than_is_kept_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_ANSWER_AT_MOST", 10)

    async def what(here: Scene) -> None:
        asked = here.ask([b"identifier"])
        await until(lambda: here.asking.is_waiting)
        for _ in range(100):
            here.answer(0xFF00, has_dataset=True)
            here.asking.take_data(b"12345678", is_last=True)
        here.answer(0)
        assert sum(len(one.data or b"") for one in await asked) == 16

    play(what)


def test_a_final_response_in_the_middle_of_the_data_set_waits_for_its_end() -> None:
    async def what(here: Scene) -> None:
        here.speaker.is_full = True
        asked = here.ask([bytes(5 * MIB)])
        await until(lambda: here.speaker.waiting)
        assert here.answer(0xA700)
        assert not here.answer(0xA700), "twice"
        assert here.asking.is_mid_message
        here.speaker.take()
        (response,) = await asked
        assert response.command.status == 0xA700
        assert here.speaker.sent == message_of(1, bytes(5 * MIB))

        again = here.ask([b"next"])
        await until(lambda: here.asking.is_waiting)
        assert here.answer(0, 2)
        await again
        assert here.speaker.sent == message_of(1, bytes(5 * MIB)) + message_of(2, b"next")
        assert [(one.number, one.status) for one in here.exchanges] == [(1, 0xA700), (2, 0)]

    play(what)


def test_blocks_that_cannot_be_read_at_first_leave_nothing_behind() -> None:
    async def what(here: Scene) -> None:
        with pytest.raises(OSError, match="disk"):
            await here.ask(Counted(b"one", fails_after=0))
        with pytest.raises(OSError, match="disk"):
            await here.ask(Counted(bytes(1000), bytes(1000), fails_after=1))
        assert (here.speaker.sent, here.speaker.broken, here.exchanges) == ([], [], [])
        assert not here.asking.is_waiting

    play(what)


def test_blocks_that_cannot_be_read_to_the_end_break_the_association_off() -> None:
    async def what(here: Scene) -> None:
        with pytest.raises(OSError, match="disk"):
            await here.ask(Counted(*[bytes(MIB)] * 5, fails_after=3))
        await until(lambda: here.speaker.broken)
        assert here.speaker.broken == ["a data set cannot be read to its end: the disk is gone"]
        here.asking.end("aborted by us")
        assert [one.comment for one in here.exchanges] == ["the association ended within the data set"]

    play(what)


def test_who_waits_for_an_answer_hears_of_the_end() -> None:
    async def what(here: Scene) -> None:
        asked = here.ask([b"data"])
        await until(lambda: here.asking.is_waiting)
        here.asking.end("the peer is gone")
        here.asking.end("something else")
        with pytest.raises(Unanswered, match="the peer is gone"):
            await asked
        with pytest.raises(Unanswered, match="the peer is gone"):
            await here.ask([b"more"])
        assert [(one.status, one.comment) for one in here.exchanges] == [
            (None, "the association ended before the answer")
        ]
        assert not here.answer()

    play(what)


def test_who_waits_for_the_peer_to_take_something_hears_of_the_end_at_once() -> None:
    """The connection may stand for a while yet, with a peer that takes nothing."""

    async def what(here: Scene) -> None:
        here.speaker.is_full = True
        asked = here.ask([bytes(5 * MIB)])
        await until(lambda: here.speaker.waiting)
        here.speaker.can_send = False
        here.asking.end("aborted")
        with pytest.raises(Unanswered, match="aborted"):
            await asked
        here.speaker.take()  # harmless
        assert [one.comment for one in here.exchanges] == ["the association ended within the data set"]

    play(what)


def test_blocks_are_closed_when_nobody_takes_them() -> None:
    """Not when somebody collects what is left of them: there is a file behind."""
    ended: list[str] = []

    def blocks() -> Iterator[bytes]:
        try:
            while True:
                yield bytes(MIB)
        finally:
            ended.append("closed")

    async def what(here: Scene) -> None:
        kept = blocks()  # by whoever asks
        here.speaker.is_full = True
        asked = here.ask(kept)
        await until(lambda: here.speaker.waiting)
        here.asking.end("aborted")
        with pytest.raises(Unanswered):
            await asked
        assert ended == ["closed"]
        del kept

    play(what)


def test_an_association_that_takes_no_messages_is_asked_nothing() -> None:
    async def what(here: Scene) -> None:
        here.speaker.can_send = False
        with pytest.raises(Unanswered, match="has ended"):
            await here.ask([bytes(5 * MIB)])
        assert here.exchanges == []

    play(what)


def test_after_the_loop_nobody_is_asked() -> None:
    kept: list[Scene] = []

    async def what(here: Scene) -> None:
        kept.append(here)

    play(what)
    with pytest.raises(Unanswered, match="the server stopped"):
        kept[0].asking.ask(CONTEXT, CommandField.C_ECHO_RQ, ELEMENTS, None)


def test_the_command_that_is_told_is_the_one_that_was_sent() -> None:
    async def what(here: Scene) -> None:
        asked = here.ask([b"data"])
        await until(lambda: here.asking.is_waiting)
        here.answer()
        await asked
        sent = decode_command(here.speaker.sent[0][12:])
        assert isinstance(sent, Command)
        assert here.exchanges[0].command == sent

    play(what)
