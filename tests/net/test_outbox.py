"""What is on its way: recorded before it leaves, in its order, and no more of it than is about to leave."""

from __future__ import annotations

import array
import asyncio
import fcntl
import socket
import termios
from collections.abc import Awaitable, Callable
from typing import cast

import pytest

from mockpacs.net.outbox import Outbox
from mockpacs.traffic.track import Track
from tests.net.surroundings import until

KIB, MIB = 1 << 10, 1 << 20
PIECE = 256 * KIB


class Desk:
    """An outbox, the peer it sends to, and the track that is told; ``is_full`` lets recording fail."""

    def __init__(self, *, records: bool = True) -> None:
        ours, self.peer = socket.socketpair()
        ours.setblocking(False)
        self.peer.setblocking(False)
        self.ours = ours
        self.recorded: list[bytes] = []
        self.heard = bytearray()
        self.is_full = False
        self.failures: list[OSError | None] = []
        self.times_emptied = 0
        track = cast(Track, self) if records else None
        self.outbox = Outbox(ours, track, self.failures.append, self._emptied)

    def sending(self, data: bytes | memoryview) -> bool:
        """Of the track: what is told now must not have left yet."""
        assert len(self.heard) + self._waiting_for_the_peer() <= sum(map(len, self.recorded))
        if not self.is_full:
            self.recorded.append(bytes(data))
        return not self.is_full

    def hear(self, most: int = 1 << 30) -> None:
        """Let the peer take what is there."""
        while most > 0:
            try:
                piece = self.peer.recv(min(most, MIB))
            except BlockingIOError:
                return
            self.heard += piece
            most -= len(piece)
            if not piece:
                return

    def _waiting_for_the_peer(self) -> int:
        count = array.array("i", [0])
        if self.peer.fileno() >= 0:
            fcntl.ioctl(self.peer, termios.FIONREAD, count)
        return count[0]

    def _emptied(self) -> None:
        self.times_emptied += 1


def play(scene: Callable[[Desk], Awaitable[None]], *, records: bool = True) -> None:
    async def run() -> None:
        desk = Desk(records=records)
        await scene(desk)
        desk.outbox.close()
        desk.ours.close()
        desk.peer.close()

    asyncio.run(run())


def data_of(size: int) -> bytes:
    return (bytes(range(251)) * (size // 251 + 1))[:size]


@pytest.mark.parametrize("records", [True, False])
def test_what_the_system_takes_leaves_at_once(*, records: bool) -> None:
    async def scene(desk: Desk) -> None:
        desk.outbox.send(b"answer")
        desk.outbox.send(b"")
        desk.outbox.send(b"another")
        desk.hear()

        assert desk.heard == b"answeranother"
        assert desk.recorded == ([b"answer", b"another"] if records else [])
        assert (desk.outbox.size, desk.outbox.ahead) == (0, 0)
        assert desk.outbox.stalled_since is None
        assert desk.outbox.close() == 0

    play(scene, records=records)


def test_what_the_peer_takes_slowly_is_recorded_in_its_turn() -> None:
    async def scene(desk: Desk) -> None:
        data = data_of(8 * MIB)
        desk.outbox.send(data)
        desk.outbox.send(b"the end")
        held = sum(map(len, desk.recorded)) - desk.outbox.ahead
        assert max(map(len, desk.recorded)) <= PIECE
        assert 0 < desk.outbox.ahead <= PIECE
        assert held + desk.outbox.size == len(data) + 7
        assert desk.outbox.stalled_since is not None
        while desk.outbox.size:
            desk.hear(100 * KIB)
            await asyncio.sleep(0)
            assert sum(map(len, desk.recorded)) - len(data) - 7 + desk.outbox.size == desk.outbox.ahead
        desk.hear()

        assert desk.heard == data + b"the end" == b"".join(desk.recorded)
        assert desk.times_emptied == 1
        assert desk.outbox.stalled_since is None

    play(scene)


@pytest.mark.parametrize("taken", [0, 1, 300 * KIB, 2 * MIB])
def test_what_is_recorded_and_did_not_leave_is_counted(taken: int) -> None:
    async def scene(desk: Desk) -> None:
        desk.outbox.send(data_of(8 * MIB))
        desk.outbox.send(b"the end")
        while len(desk.heard) < taken:
            desk.hear(100 * KIB)
            await asyncio.sleep(0)
        unsent = desk.outbox.close()
        desk.hear()

        recorded = b"".join(desk.recorded)
        assert 0 < unsent <= PIECE
        assert desk.heard == recorded[: len(recorded) - unsent]
        assert (desk.outbox.size, desk.outbox.ahead) == (0, 0)
        desk.outbox.send(b"too late")
        assert b"".join(desk.recorded) == recorded

    play(scene)


def test_without_a_recording_all_that_waits_is_counted() -> None:
    async def scene(desk: Desk) -> None:
        desk.outbox.send(data_of(8 * MIB))
        waiting = desk.outbox.size

        assert desk.outbox.close() == waiting > 0

    play(scene, records=False)


def test_what_cannot_be_recorded_does_not_leave() -> None:
    async def scene(desk: Desk) -> None:
        desk.outbox.send(b"answer")
        desk.is_full = True
        desk.outbox.send(b"secret")
        assert desk.failures == [], "not from within what the caller is doing"
        desk.outbox.send(b"secret too")
        await until(lambda: desk.failures)
        desk.hear()

        assert desk.heard == b"answer"
        assert desk.failures == [None]
        assert desk.outbox.close() == 0

    play(scene)


def test_what_cannot_be_recorded_in_its_turn_does_not_leave() -> None:
    async def scene(desk: Desk) -> None:
        data = data_of(8 * MIB)
        desk.outbox.send(data)
        desk.is_full = True
        while not desk.failures:
            desk.hear(100 * KIB)
            await asyncio.sleep(0)
        unsent = desk.outbox.close()
        desk.hear()

        assert set(desk.failures) == {None}
        assert unsent == 0
        assert desk.heard == b"".join(desk.recorded) == data[: len(desk.heard)]
        assert len(desk.heard) < len(data)

    play(scene)


def test_a_peer_that_is_gone_is_told_in_a_turn_of_its_own() -> None:
    async def scene(desk: Desk) -> None:
        desk.peer.close()
        desk.outbox.send(b"answer")
        assert desk.failures == []
        desk.outbox.send(b"another")
        await until(lambda: desk.failures)

        (error,) = desk.failures
        assert isinstance(error, BrokenPipeError)
        assert desk.recorded == [b"answer"]
        assert desk.outbox.close() == len(b"answer")

    play(scene)


def test_a_peer_that_goes_while_much_waits_is_told_once() -> None:
    async def scene(desk: Desk) -> None:
        def failed(error: OSError | None) -> None:
            desk.failures.append(error)
            desk.outbox.close()

        desk.outbox._failed = failed
        desk.outbox.send(data_of(8 * MIB))
        desk.peer.close()
        await until(lambda: desk.failures)
        await asyncio.sleep(0)

        assert [type(error) for error in desk.failures] == [BrokenPipeError]

    play(scene)


def test_a_producer_waits_while_much_waits() -> None:
    async def scene(desk: Desk) -> None:
        called: list[str] = []
        desk.outbox.when_drained(lambda: called.append("nothing waits"))
        desk.outbox.send(data_of(8 * MIB))
        desk.outbox.when_drained(lambda: called.append("much waited"))
        assert called == ["nothing waits"]
        while len(called) == 1:
            assert desk.outbox.size > 256 * KIB
            desk.hear(100 * KIB)
            await asyncio.sleep(0)

        assert desk.outbox.size <= 256 * KIB

    play(scene)


def test_a_producer_need_not_wait_for_a_peer_that_is_gone() -> None:
    async def scene(desk: Desk) -> None:
        called: list[str] = []
        desk.outbox.send(data_of(8 * MIB))
        desk.outbox.when_drained(lambda: called.append("gone"))
        desk.outbox.close()
        desk.outbox.release_producers()

        assert called == ["gone"]

    play(scene)


def test_nothing_is_sent_nor_recorded_after_a_fin() -> None:
    async def scene(desk: Desk) -> None:
        desk.outbox.send(b"last")
        desk.outbox.finish()
        desk.outbox.send(b"too late")
        await asyncio.sleep(0)
        desk.hear()

        assert desk.heard == b"last"
        assert desk.recorded == [b"last"]
        assert desk.failures == []
        assert desk.peer.recv(1) == b""
        assert desk.outbox.close() == 0

    play(scene)


def test_a_fin_for_a_peer_that_is_gone_is_no_failure() -> None:
    async def scene(desk: Desk) -> None:
        desk.peer.close()
        desk.outbox.finish()
        desk.outbox.finish()
        await asyncio.sleep(0)

        assert desk.failures == []

    play(scene)
