"""One connection, seen from its socket: writing, back-pressure, closing and resetting."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import Awaitable, Callable
from contextlib import closing

import pytest

from mockpacs.net.link import RECEIVE_BUFFER_SIZE, Link
from tests.net.surroundings import until

MIB = 1 << 20


class Collected:
    """A receiver that remembers; ``link`` is its end of a connection, ``peer`` the other, which blocks."""

    def __init__(self) -> None:
        with closing(socket.create_server(("127.0.0.1", 0))) as door:
            self.peer = socket.create_connection(door.getsockname(), 20)
            ours, _ = door.accept()
        ours.setblocking(False)
        self.link = Link(ours, self, memoryview(bytearray(RECEIVE_BUFFER_SIZE)))
        self.data = bytearray()
        self.events: list[str] = []
        self.error: Exception | None = None

    def opened(self) -> None:
        self.events.append("opened")

    def received(self, data: memoryview | bytes) -> None:
        self.data += data

    def closed(self, error: Exception | None) -> None:
        self.events.append("closed")
        self.error = error

    @property
    def is_gone(self) -> bool:
        return self.events[-1:] == ["closed"]


def play(scene: Callable[[Collected], Awaitable[None]]) -> None:
    """A scene on one open connection. Whatever happens in it: opened once, closed once."""

    async def run() -> Collected:
        collected = Collected()
        collected.link.open()
        await scene(collected)
        collected.link.reset()
        await until(lambda: collected.is_gone)
        collected.peer.close()
        return collected

    assert asyncio.run(run()).events == ["opened", "closed"]


def everything(peer: socket.socket) -> bytes:
    """What the peer reads up to the FIN."""
    data = bytearray()
    while piece := peer.recv(MIB):
        data += piece
    return bytes(data)


def exactly(peer: socket.socket, count: int) -> None:
    while count:
        count -= len(peer.recv(min(count, MIB)))


def test_bytes_go_both_ways() -> None:
    async def scene(here: Collected) -> None:
        here.peer.sendall(b"question")
        await until(lambda: here.data)
        here.link.write([b"an", b"swer"])

        assert here.data == b"question"
        assert here.peer.recv(100) == b"answer"

    play(scene)


def test_writing_nothing_sends_nothing() -> None:
    async def scene(here: Collected) -> None:
        here.link.write([])
        here.link.close()
        await until(lambda: here.is_gone)

        assert everything(here.peer) == b""

    play(scene)


def test_closing_sends_what_waits_and_then_a_fin() -> None:
    async def scene(here: Collected) -> None:
        here.link.write([bytes(16 * MIB)])
        here.link.close()
        assert not here.link.is_open
        assert not here.is_gone
        received = asyncio.get_running_loop().run_in_executor(None, everything, here.peer)
        await until(lambda: here.is_gone)

        assert len(await received) == 16 * MIB
        assert here.error is None

    play(scene)


def test_writing_pausing_resuming_and_closing_after_the_end_are_harmless() -> None:
    async def scene(here: Collected) -> None:
        here.link.close()
        here.link.write([b"too late"])
        here.link.resume()
        await until(lambda: here.is_gone)
        here.link.write([b"too late"])
        here.link.pause()
        here.link.resume()
        here.link.close()
        here.link.reset()
        await here.link.drained()

        assert everything(here.peer) == b""

    play(scene)


def test_a_reset_reaches_the_peer_as_one_and_nothing_else() -> None:
    async def scene(here: Collected) -> None:
        here.link.write([bytes(16 * MIB)])
        here.link.reset()
        await until(lambda: here.is_gone)

        with pytest.raises(ConnectionResetError):
            everything(here.peer)

    play(scene)


def test_a_reset_with_nothing_unsent_is_a_reset_too() -> None:
    async def scene(here: Collected) -> None:
        here.link.reset()
        await until(lambda: here.is_gone)

        with pytest.raises(ConnectionResetError):
            here.peer.recv(1)

    play(scene)


def test_a_goodbye_is_not_overtaken_by_a_reset_when_the_peer_has_said_more() -> None:
    async def scene(here: Collected) -> None:
        here.link.pause()
        here.peer.sendall(bytes(100_000))
        here.link.write([b"abort"])
        here.link.close()
        await until(lambda: here.is_gone)

        assert here.peer.recv(5) == b"abort"
        assert here.peer.recv(1) == b""

    play(scene)


def test_the_end_of_the_peer_is_reported() -> None:
    async def scene(here: Collected) -> None:
        here.peer.close()
        await until(lambda: here.is_gone)

        assert here.error is None
        assert not here.link.is_open

    play(scene)


def test_a_reset_of_the_peer_is_reported_with_its_error() -> None:
    async def scene(here: Collected) -> None:
        here.peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        here.peer.close()
        await until(lambda: here.is_gone)

        assert isinstance(here.error, ConnectionResetError)

    play(scene)


def test_a_paused_link_reads_nothing_until_it_is_resumed() -> None:
    async def scene(here: Collected) -> None:
        assert here.link.is_reading
        here.link.pause()
        assert not here.link.is_reading
        here.peer.sendall(b"patience")
        # the loop has looked at its sockets: an echo over another connection took a turn of it
        other = Collected()
        other.link.open()
        other.peer.sendall(b"x")
        await until(lambda: other.data)
        assert here.data == b""
        here.link.resume()
        await until(lambda: here.data)

        assert here.data == b"patience"
        other.link.reset()
        await until(lambda: other.is_gone)
        other.peer.close()

    play(scene)


def test_a_peer_that_does_not_read_makes_producers_wait_and_one_that_does_frees_them() -> None:
    async def scene(here: Collected) -> None:
        assert here.link.stalled_since is None
        here.link.write([bytes(32 * MIB)])
        assert here.link.stalled_since is not None
        called: list[str] = []
        here.link.when_drained(lambda: called.append("drained"))
        waiting = asyncio.create_task(here.link.drained())
        await asyncio.sleep(0)
        assert called == []
        received = asyncio.get_running_loop().run_in_executor(None, exactly, here.peer, 32 * MIB)
        await waiting

        assert called == ["drained"]
        await received
        await until(lambda: here.link.stalled_since is None)
        assert here.link.is_open

    play(scene)


def test_little_unsent_makes_nobody_wait() -> None:
    async def scene(here: Collected) -> None:
        called: list[bool] = []
        here.link.write([b"little"])
        here.link.when_drained(lambda: called.append(True))
        await here.link.drained()

        assert called == [True]
        assert here.link.stalled_since is None

    play(scene)


@pytest.mark.parametrize("end", ["reset", "peer"])
def test_who_waits_to_write_is_freed_when_the_connection_ends(end: str) -> None:
    async def scene(here: Collected) -> None:
        here.link.write([bytes(32 * MIB)])
        waiting = [asyncio.create_task(here.link.drained()) for _ in range(3)]
        await asyncio.sleep(0)
        if end == "reset":
            here.link.reset()
        else:
            here.peer.close()
        await asyncio.gather(*waiting)

        assert here.is_gone or not here.link.is_open

    play(scene)


def test_who_waits_and_is_cancelled_harms_nobody() -> None:
    async def scene(here: Collected) -> None:
        here.link.write([bytes(32 * MIB)])
        waiting = [asyncio.create_task(here.link.drained()) for _ in range(2)]
        await asyncio.sleep(0)
        waiting[0].cancel()
        here.link.reset()
        await waiting[1]

        assert waiting[0].cancelled()

    play(scene)


def test_a_plain_link_is_not_secure() -> None:
    async def scene(here: Collected) -> None:
        assert not here.link.is_secure

    play(scene)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what its queue holds")
def test_what_a_slow_peer_takes_is_seen_before_the_socket_is_writable_again() -> None:
    async def scene(here: Collected) -> None:
        here.link.write([bytes(32 * MIB)])
        full = here.link.untaken
        assert full > 16 * MIB

        exactly(here.peer, MIB)
        await until(lambda: here.link.untaken <= full - MIB // 2)

    play(scene)
