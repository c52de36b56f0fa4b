"""Operations on a real connection: their order, their waits, what interrupts them, and that nobody else waits."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from itertools import pairwise, repeat
from typing import Any

import pytest

from mockpacs.wire import (
    Deafen,
    Fault,
    Finish,
    HalfClose,
    Mute,
    Operation,
    Reset,
    Wait,
    Write,
    operations,
)
from tests.net.connected import MIB, Connected, play
from tests.net.surroundings import until

LONG = 30.0
"""Seconds that no test waits."""


class Taken:
    """Operations that remember how many of them were taken."""

    def __init__(self, operations: Iterator[Operation]) -> None:
        self._operations = operations
        self.count = 0

    def __iter__(self) -> Iterator[Operation]:
        for operation in self._operations:
            self.count += 1
            yield operation


async def nothing_comes(here: Connected) -> None:
    """What was sent up to now is with the peer, and that is nothing."""
    other = Connected()
    other.link.write([b"x"])
    assert await other.hear(1) == b"x"
    await other.finish()
    here.peer.setblocking(False)
    with pytest.raises(BlockingIOError):
        here.peer.recv(1)
    here.peer.settimeout(20)


# order


def test_what_can_be_done_now_is_done_now() -> None:
    async def scene(here: Connected) -> None:
        here.performer.perform([Write(b"one "), Write(b"two "), Write(b""), Write(b"three")])

        assert here.performer.is_idle
        assert await here.hear(13) == b"one two three"

    play(scene)


def test_what_is_written_while_idle_goes_straight_to_the_link() -> None:
    async def scene(here: Connected) -> None:
        written: list[list[bytes]] = []
        here.link.write = written.append  # type: ignore[method-assign]
        pieces = [b"a", b"b"]
        here.performer.write(pieces)
        here.performer.write([])

        assert written == [[b"a", b"b"], []]
        assert written[0] is pieces

    play(scene)


def test_all_that_is_told_keeps_its_order_across_waits() -> None:
    async def scene(here: Connected) -> None:
        here.performer.perform([Write(b"1"), Wait(0.002), Write(b"2"), Wait(0), Write(b"3")])
        here.performer.write([b"4", b"5"])
        here.performer.perform([Wait(0.002), Write(b"6")])
        here.performer.write([b"7"])
        assert not here.performer.is_idle
        here.performer.close()
        here.performer.write([b"never"])

        assert await here.hear() == b"1234567"
        await until(lambda: here.is_gone)
        assert here.error is None

    play(scene)


def test_a_wait_takes_its_time() -> None:
    async def scene(here: Connected) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        here.performer.perform([Wait(0.02), Wait(0.02)])
        await here.performer.idle()

        assert loop.time() - began >= 0.039

    play(scene)


def test_operations_are_taken_one_by_one_as_their_turn_comes() -> None:
    async def scene(here: Connected) -> None:
        first = Taken(iter([Write(b"a"), Wait(LONG), Write(b"b")]))
        second = Taken(iter([Write(b"c")]))
        here.performer.perform(first)
        here.performer.perform(second)
        assert await here.hear(1) == b"a"

        assert (first.count, second.count) == (2, 0)

    play(scene)


def test_what_the_iterator_itself_writes_comes_after_it() -> None:
    async def scene(here: Connected) -> None:
        def chatty() -> Iterator[Operation]:
            yield Write(b"1")
            here.performer.write([b"3"])
            assert not here.performer.is_idle
            yield Write(b"2")

        here.performer.perform(chatty())

        assert await here.hear(3) == b"123"

    play(scene)


def test_operations_that_cannot_be_made_do_not_stop_the_next() -> None:
    async def scene(here: Connected) -> None:
        def defect() -> Iterator[Operation]:
            yield Write(b"1")
            raise ZeroDivisionError

        done: list[str] = []
        here.performer.perform([Wait(0)])
        here.performer.perform([Write(b"0")])
        await here.performer.idle()
        with pytest.raises(ZeroDivisionError):
            here.performer.perform(defect())
        assert here.performer.is_idle
        here.performer.perform([Wait(0)])
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, told: done.append(type(told["exception"]).__name__))
        here.performer.perform(defect())
        here.performer.perform([Write(b"2")])
        await here.performer.idle()

        assert await here.hear(4) == b"0112"
        assert done == ["ZeroDivisionError"]

    play(scene)


def test_operations_that_stop_the_performer_are_the_last() -> None:
    async def scene(here: Connected) -> None:
        def quitting() -> Iterator[Operation]:
            yield Write(b"1")
            here.performer.stop()
            yield Wait(0)
            yield Write(b"never")

        here.performer.perform(quitting())
        here.performer.perform([Write(b"2")])
        await here.performer.idle()

        assert await here.hear(2) == b"12"
        await nothing_comes(here)

    play(scene)


# back-pressure and fairness


def test_a_peer_that_does_not_read_is_not_told_more_than_it_can_be() -> None:
    async def scene(here: Connected) -> None:
        taken = Taken(Write(bytes(MIB)) for _ in range(64))
        here.performer.perform(taken)
        here.performer.perform([Write(b"end")])
        await until(lambda: here.link.stalled_since is not None)
        for _ in range(100):
            await asyncio.sleep(0)
        assert not here.performer.is_idle
        assert 0 < taken.count < 64

        assert await here.hear(64 * MIB + 3) == bytes(64 * MIB) + b"end"
        await here.performer.idle()
        assert taken.count == 64

    play(scene)


def test_operations_without_end_leave_the_loop_to_others() -> None:
    async def scene(here: Connected) -> None:
        for endless in (repeat(Write(b"")), repeat(Write(b"x"))):
            other = Connected()
            other.performer.perform(endless)
            here.performer.perform([Write(b"alive"), Wait(0), Write(b"!")])
            assert await here.hear(6) == b"alive!"
            assert not other.performer.is_idle
            await other.finish()

    play(scene)


def test_many_bytes_at_once_leave_the_loop_to_others() -> None:
    async def scene(here: Connected) -> None:
        taken = Taken(Write(bytes(MIB // 2)) for _ in range(8))
        here.link.write = lambda pieces: None  # type: ignore[method-assign]
        here.performer.perform(taken)
        assert taken.count == 2
        await here.performer.idle()

        assert taken.count == 8

    play(scene)


def test_two_performers_do_not_delay_each_other() -> None:
    async def scene(here: Connected) -> None:
        other = Connected()
        other.performer.perform([Write(b"slow"), Wait(LONG), Write(b"never")])
        dripping = Connected()
        dripping.performer.perform(operations([bytes(1000)], Fault(drip_bytes=1, drip_every_seconds=0.001)))
        loop = asyncio.get_running_loop()
        began = loop.time()
        for number in range(10):
            here.performer.perform([Write(bytes([number])), Wait(0.001)])
            await here.performer.idle()

        assert loop.time() - began < LONG
        assert await here.hear(10) == bytes(range(10))
        assert await other.hear(4) == b"slow"
        assert not other.performer.is_idle
        assert not dripping.performer.is_idle
        await other.finish()
        await dripping.finish()

    play(scene)


# the end interrupts


def released(here: Connected) -> list[str]:
    """What is told when the performer has nothing more to do."""
    told: list[str] = []
    here.performer.when_idle(lambda: told.append("called"))
    return told


def test_who_stops_leaves_no_timer_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene(here: Connected) -> None:
        loop = asyncio.get_running_loop()
        timers: list[asyncio.TimerHandle] = []
        call_later = loop.call_later

        def remembered(*arguments: Any) -> asyncio.TimerHandle:
            timers.append(call_later(*arguments))
            return timers[-1]

        monkeypatch.setattr(loop, "call_later", remembered)
        here.performer.perform([Wait(LONG)])
        here.performer.stop()

        assert [timer.cancelled() for timer in timers] == [True]

    play(scene)


@pytest.mark.parametrize("how", ["stop", "reset", "link reset", "peer"])
def test_a_long_wait_is_over_when_the_connection_is(how: str) -> None:
    async def scene(here: Connected) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        here.performer.perform([Wait(LONG), Write(b"never")])
        here.performer.perform([Write(b"neither")])
        waiting = asyncio.create_task(here.performer.idle())
        told = released(here)
        await asyncio.sleep(0)
        assert told == []
        match how:
            case "stop":
                here.performer.stop()
                assert told == ["called"]
            case "reset":
                here.performer.reset()
                assert told == ["called"]
            case "link reset":
                here.link.reset()
            case "peer":
                here.peer.shutdown(socket.SHUT_WR)
        await waiting

        assert told == ["called"]
        assert here.performer.is_idle
        assert loop.time() - began < LONG
        if how in ("stop", "peer"):
            here.link.close()
            assert await here.hear() == b""

    play(scene)


def test_a_peer_that_goes_while_much_waits_frees_whoever_waits() -> None:
    async def scene(here: Connected) -> None:
        taken = Taken(Write(bytes(MIB)) for _ in range(64))
        here.performer.perform(taken)
        here.performer.perform([Wait(LONG)])
        told = released(here)
        await until(lambda: here.link.stalled_since is not None)
        here.peer.close()
        await until(lambda: here.is_gone)

        assert told == ["called"]
        assert taken.count < 64

    play(scene)


def test_stopping_again_and_again_is_harmless_and_so_is_all_that_comes_after_the_end() -> None:
    async def scene(here: Connected) -> None:
        here.performer.perform([Wait(LONG)])
        here.performer.stop()
        here.performer.stop()
        here.performer.reset()
        await until(lambda: here.is_gone)
        here.performer.stop()
        taken = Taken(iter([Write(b"late"), Wait(LONG)]))
        here.performer.perform(taken)
        here.performer.write([b"late"])
        here.performer.close()
        here.performer.reset()
        await here.performer.idle()

        assert taken.count == 0
        assert here.performer.is_idle
        with pytest.raises(ConnectionResetError):
            here.peer.recv(1)

    play(scene)


def test_a_wait_that_was_stopped_does_not_end_a_later_one() -> None:
    async def scene(here: Connected) -> None:
        here.performer.perform([Write(bytes(32 * MIB)), Write(b"never")])
        assert not here.performer.is_idle  # until the peer takes something
        here.performer.stop()
        here.performer.perform([Wait(LONG), Write(b"never")])
        assert await here.hear(32 * MIB) == bytes(32 * MIB)

        assert not here.performer.is_idle
        await nothing_comes(here)

    play(scene)


def test_after_a_stop_the_last_word_goes_out_at_once() -> None:
    async def scene(here: Connected) -> None:
        here.performer.pace = Fault(drip_bytes=1, drip_every_seconds=LONG)
        here.performer.write([b"slow"])
        here.performer.stop()
        here.performer.write([b"abort"])
        here.performer.close()

        assert await here.hear() == b"sabort"

    play(scene)


def test_who_waits_is_told_once_and_who_does_not_need_to_at_once() -> None:
    async def scene(here: Connected) -> None:
        assert released(here) == ["called"]
        await here.performer.idle()
        here.performer.perform([Wait(0.002)])
        told = [released(here), released(here)]
        cancelled = asyncio.create_task(here.performer.idle())
        await asyncio.sleep(0)
        cancelled.cancel()
        assert told == [[], []]
        await here.performer.idle()

        assert told == [["called"], ["called"]]

    play(scene)


# endings


def test_a_fin_ends_what_is_queued() -> None:
    async def scene(here: Connected) -> None:
        taken = Taken(iter([Write(b"last"), Finish(), Write(b"never"), Wait(LONG)]))
        here.performer.perform(taken)
        here.performer.perform([Wait(LONG)])

        assert await here.hear() == b"last"
        await here.performer.idle()
        await until(lambda: here.is_gone)
        assert here.error is None
        assert taken.count == 2

    play(scene)


def test_a_reset_in_its_turn_loses_what_follows() -> None:
    async def scene(here: Connected) -> None:
        here.performer.perform([Write(b"last"), Wait(0.001), Reset(), Write(b"never"), Wait(LONG)])
        here.performer.perform([Wait(LONG)])
        assert await here.hear(4) == b"last"
        await here.performer.idle()

        with pytest.raises(ConnectionResetError):
            await here.hear()
        await until(lambda: here.is_gone)

    play(scene)


def test_a_reset_does_not_wait_for_what_is_queued() -> None:
    async def scene(here: Connected) -> None:
        here.performer.perform([Wait(LONG), Write(b"never")])
        here.performer.reset()

        with pytest.raises(ConnectionResetError):
            await here.hear()

    play(scene)


def test_after_half_a_close_what_the_peer_says_is_heard_and_the_rest_goes_on() -> None:
    async def scene(here: Connected) -> None:
        here.performer.perform([Write(b"last"), HalfClose(), Write(b"never"), Wait(0.001)])
        assert await here.hear() == b"last"
        await here.say(b"and then?")
        await here.performer.idle()
        here.performer.perform([Reset()])
        await until(lambda: here.is_gone)

        with pytest.raises(BrokenPipeError):
            here.peer.sendall(b"x")

    play(scene)


def test_who_is_mute_says_nothing_but_hears_waits_and_closes() -> None:
    async def scene(here: Connected) -> None:
        assert not here.performer.is_mute
        here.performer.perform([Write(b"last"), Mute(), Write(b"never"), Wait(0.001), Write(b"never")])
        assert here.performer.is_mute
        await here.performer.idle()
        here.performer.write([b"never"])
        here.performer.pace = Fault(drip_bytes=1, drip_every_seconds=LONG)
        here.performer.write([b"never"])
        await here.performer.idle()
        await here.say(b"anybody there?")
        assert await here.hear(4) == b"last"
        await nothing_comes(here)
        here.performer.close()

        assert await here.hear() == b""

    play(scene)


def test_who_is_deaf_hears_nothing_whoever_resumes_but_speaks() -> None:
    async def scene(here: Connected) -> None:
        here.performer.perform([Write(b"la"), Deafen(), Write(b"la")])
        here.link.resume()
        here.peer.sendall(b"hello?")
        await nothing_comes_in(here)
        here.performer.write([b"!"])

        assert await here.hear(5) == b"lala!"
        assert here.data == b""

    play(scene)


async def nothing_comes_in(here: Connected) -> None:
    """The loop has looked at its sockets."""
    other = Connected()
    await other.say(b"x")
    await other.finish()
    assert not here.link.is_reading


# pace


def paced(here: Connected, pace: Fault) -> list[Any]:
    """What reaches the link from now on: sizes of writes, with the loop time of each."""
    here.performer.pace = pace
    seen: list[Any] = []
    write = here.link.write

    def watched(pieces: list[bytes]) -> None:
        seen.append((len(b"".join(pieces)), asyncio.get_running_loop().time()))
        write(pieces)

    here.link.write = watched  # type: ignore[method-assign]
    return seen


def test_a_drip_goes_on_from_one_answer_to_the_next() -> None:
    async def scene(here: Connected) -> None:
        seen = paced(here, Fault(drip_bytes=3, drip_every_seconds=0.004, truncate_after=1, corrupt_offset=0))
        here.performer.write([b"hello ", b"my"])
        here.performer.perform([Write(b"dear")])
        here.performer.write([])
        await here.performer.idle()

        assert await here.hear(12) == b"hello mydear"
        assert [size for size, _ in seen] == [3, 3, 2, 3, 1]
        times = [when for _, when in seen]
        assert all(later - earlier >= 0.003 for earlier, later in pairwise(times))

    play(scene)


def test_nothing_is_not_slowed_down() -> None:
    async def scene(here: Connected) -> None:
        here.performer.pace = Fault(drip_bytes=1, drip_every_seconds=LONG)
        here.performer.write([])
        here.performer.perform([Write(b"")] * 5000)
        here.performer.perform([Write(b"x")])
        await here.performer.idle()

        assert await here.hear(1) == b"x"

    play(scene)


def test_a_bandwidth_is_kept_over_many_answers() -> None:
    async def scene(here: Connected) -> None:
        seen = paced(here, Fault(bandwidth=2000))
        for _ in range(10):
            here.performer.write([b"12345678"])
        await here.performer.idle()

        assert [size for size, _ in seen] == [8] * 10
        assert seen[-1][1] - seen[0][1] >= 72 / 2000 - 0.001
        assert await here.hear(80) == b"12345678" * 10

    play(scene)


def test_an_answer_that_drips_also_keeps_the_bandwidth_of_its_connection() -> None:
    async def scene(here: Connected) -> None:
        seen = paced(here, Fault(bandwidth=1000))
        here.performer.perform(operations([bytes(20)], Fault(drip_bytes=10, drip_every_seconds=0.001)))
        await here.performer.idle()

        assert [size for size, _ in seen] == [10, 10]
        assert seen[1][1] - seen[0][1] >= 0.01

    play(scene)


def test_a_pace_that_is_taken_back_slows_nothing_down_any_more() -> None:
    async def scene(here: Connected) -> None:
        here.performer.pace = Fault(drip_bytes=1, drip_every_seconds=0.001)
        here.performer.write([b"slow"])
        here.performer.pace = None
        here.performer.write([bytes(100_000)])
        here.performer.close()

        assert await here.hear() == b"slow" + bytes(100_000)

    play(scene)


def test_a_pace_delays_what_comes_too_early_and_nothing_else() -> None:
    async def scene(here: Connected) -> None:
        here.performer.pace = Fault(drip_bytes=10, drip_every_seconds=0.002)
        here.performer.write([b"one"])
        assert here.performer.is_idle
        ready = asyncio.get_running_loop().time() + 0.002
        await until(lambda: asyncio.get_running_loop().time() >= ready)
        here.performer.pace = Fault(drip_bytes=10, drip_every_seconds=LONG)
        here.performer.write([b"two"])
        assert here.performer.is_idle
        here.performer.write([b"never"])
        assert not here.performer.is_idle

        assert await here.hear(6) == b"onetwo"

    play(scene)
