"""Opening associations: addresses, names, what is asked for, and the ways in which none comes about."""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing
from typing import Any

import pytest

from mockpacs.errors import LocalProtocolError
from mockpacs.net import dialer as module
from mockpacs.net.dialer import Dialer
from mockpacs.net.peer import Peer, host_and_port
from mockpacs.net.requestor import NotAssociated, Requestor
from mockpacs.wire import Abort, RoleSelection
from tests.net.destination import Destination, Leg
from tests.net.surroundings import CT, EXPLICIT, PATIENCE_SECONDS, Surroundings, surroundings, until

CONTEXTS = [(CT, (EXPLICIT,))]


@pytest.fixture
def there() -> Iterator[Destination]:
    made = Destination()
    yield made
    made.close()


class Here:
    """A dialer and what is around it."""

    def __init__(self, around: Surroundings, destination: Destination) -> None:
        self.around = around
        self.peer = Peer(destination.aet, "127.0.0.1", destination.port)
        self.dialer = Dialer(around.environment, "US", [self.peer])
        around.environment.dialer = self.dialer
        self.destination = destination

    def call(self, peer: Peer | None = None, **how: object) -> asyncio.Task[Requestor]:
        return asyncio.create_task(self.dialer.associate(peer or self.peer, CONTEXTS, **how))  # type: ignore[arg-type]

    async def leg(self, what: Callable[[], Leg] | None = None) -> Leg:
        """The other end, in a thread: it blocks."""
        return await asyncio.to_thread(what or self.destination.associated)


def play(there: Destination, what: Callable[[Here], Awaitable[None]], **limits: Any) -> None:
    """A scene; afterwards nothing is open."""

    async def run() -> None:
        async with surroundings(**limits) as around:
            here = Here(around, there)
            await what(here)
            await here.dialer.close(PATIENCE_SECONDS)
            assert not here.dialer._open

    asyncio.run(run())


def test_what_is_asked_for(there: Destination) -> None:
    async def what(here: Here) -> None:
        roles = (RoleSelection(CT, scu=True, scp=True),)
        calling = here.call(cause="3.1", calling="SOMEBODY", roles=roles)
        leg = await here.leg()
        requestor = await calling
        assert (leg.request.calling, leg.request.called, leg.request.user.roles) == ("SOMEBODY", "DESTINATION", roles)
        assert {one.abstract_syntax for one in requestor.accepted.values()} == {CT}
        who = requestor.association
        assert (who.number, who.by_us, who.cause, who.address) == (1, True, "3.1", leg.address)
        assert who.server == here.peer.address
        released = asyncio.create_task(requestor.release())
        await asyncio.to_thread(leg.released)
        await released
        assert here.around.notices == [
            "associated with DESTINATION, 1 of 1 contexts accepted",
            "released",
        ]

    play(there, what)


def test_the_second_address_of_a_name_is_tried(there: Destination, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(socket.socket()) as nobody:
        nobody.bind(("127.0.0.1", 0))  # and does not listen
        found = [nobody.getsockname(), ("127.0.0.1", there.port)]
    answers = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", address) for address in found]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: answers)

    async def what(here: Here) -> None:
        calling = here.call()
        leg = await here.leg()
        requestor = await calling
        requestor.break_off("enough")
        assert await asyncio.to_thread(leg.read_abort) == (0, 0)

    play(there, what)


def test_a_peer_that_is_gone_before_it_is_looked_at(there: Destination, monkeypatch: pytest.MonkeyPatch) -> None:
    connected = module.socket_of

    async def too_late(peer: Peer) -> socket.socket:
        sock = await connected(peer)
        leg = await asyncio.to_thread(there.connected)
        leg.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        leg.socket.close()
        is_gone = asyncio.Event()
        asyncio.get_running_loop().add_reader(sock, is_gone.set)
        await is_gone.wait()
        asyncio.get_running_loop().remove_reader(sock)
        return sock

    monkeypatch.setattr(module, "socket_of", too_late)

    async def what(here: Here) -> None:
        with pytest.raises(NotAssociated):
            await here.call()
        assert not here.dialer._open

    play(there, what)


@pytest.mark.parametrize("how", ["close", "halt"])
def test_a_stop_while_a_name_is_looked_up(there: Destination, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    asked, answer = threading.Event(), threading.Event()
    look_up = socket.getaddrinfo

    def slow(host: str, *more: object, **how: object) -> object:
        if host == "slow.example":
            if how.get("flags"):
                raise socket.gaierror(socket.EAI_NONAME, "no number")
            asked.set()
            answer.wait(PATIENCE_SECONDS)
        return look_up(host, *more, **how)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "getaddrinfo", slow)

    async def what(here: Here) -> None:
        calling = here.call(Peer("SLOW", "slow.example", 104))
        await until(asked.is_set)
        if how == "halt":
            here.dialer.halt()
        else:
            await here.dialer.close(PATIENCE_SECONDS)
        with pytest.raises(NotAssociated, match="the server stops"):
            await calling
        answer.set()

    play(there, what)


def test_after_a_stop_nobody_is_called(there: Destination) -> None:
    async def what(here: Here) -> None:
        here.dialer.halt()
        with pytest.raises(NotAssociated, match="the server stops"):
            await here.call()

    play(there, what)
    there.nobody_came()


def test_a_halt_ends_without_a_word(there: Destination) -> None:
    async def what(here: Here) -> None:
        calling = here.call()
        leg = await here.leg()
        await calling
        waiting = here.call()
        other = await here.leg(there.asked)
        here.dialer.halt()
        assert await asyncio.to_thread(leg.read) is None
        assert await asyncio.to_thread(other.read) is None
        with pytest.raises(NotAssociated):
            await waiting
        await until(lambda: not here.dialer._open)

    play(there, what)


def test_who_waits_may_be_told_off(there: Destination) -> None:
    """A call that is cancelled leaves the association to its end: nothing is lost track of."""

    async def what(here: Here) -> None:
        calling = here.call()
        leg = await here.leg(there.asked)
        calling.cancel()
        with pytest.raises(asyncio.CancelledError):
            await calling
        assert len(here.dialer._open) == 1
        closing_all = asyncio.create_task(here.dialer.close(PATIENCE_SECONDS))
        assert await asyncio.to_thread(leg.read) in (Abort(0, 0), None)
        await closing_all

    play(there, what)


def test_a_request_that_cannot_be_written_leaves_no_socket(there: Destination) -> None:
    async def what(here: Here) -> None:
        with pytest.raises(LocalProtocolError):
            await here.call(Peer("A" * 17, "127.0.0.1", there.port))
        assert not here.dialer._open
        leg = await here.leg(there.connected)
        assert await asyncio.to_thread(leg.read) is None

    play(there, what)


@pytest.mark.parametrize(
    ("address", "text"), [(("127.0.0.1", 104), "127.0.0.1:104"), (("::1", 104, 0, 0), "[::1]:104")]
)
def test_addresses_as_people_write_them(address: tuple[str, int], text: str) -> None:
    assert host_and_port(address) == text
