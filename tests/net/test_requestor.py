"""An association that we opened: what its peer may do when it is its turn, and when it is not. No server around it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from typing import Any

import pytest

from mockpacs.net.asking import Unanswered
from mockpacs.net.dialer import Dialer
from mockpacs.net.peer import Peer
from mockpacs.net.requestor import Requestor
from mockpacs.wire import Abort, AcceptedContext, CommandField, ReleaseRP, ReleaseRQ, Tag, Value, encode_pdu
from tests.net.destination import Destination, Leg
from tests.net.surroundings import CT, EXPLICIT, PATIENCE_SECONDS, VERIFICATION, Surroundings, surroundings, until

Call = Callable[[], Awaitable[tuple[Requestor, Leg]]]
ELEMENTS: dict[int, Value] = {Tag.AFFECTED_SOP_CLASS: CT, Tag.AFFECTED_SOP_INSTANCE: "1.2.3", Tag.PRIORITY: 0}


@pytest.fixture
def there() -> Iterator[Destination]:
    made = Destination()
    yield made
    made.close()


class Here:
    """An association of ours, and its other end."""

    def __init__(self, around: Surroundings, requestor: Requestor, leg: Leg, call: Call) -> None:
        self.around = around
        self.requestor = requestor
        self.leg = leg
        self._call = call

    async def another(self) -> Here:
        """One more of the same."""
        return Here(self.around, *await self._call(), self._call)

    @property
    def notices(self) -> list[str]:
        return self.around.notices[1:]  # the first: that it was opened

    @property
    def context(self) -> AcceptedContext:
        return next(one for one in self.requestor.accepted.values() if one.abstract_syntax == CT)

    def ask(self, data: bytes | None = b"data") -> asyncio.Future[Any]:
        blocks, field = (None, CommandField.C_ECHO_RQ) if data is None else ([data], CommandField.C_STORE_RQ)
        ask = self.requestor.asking.ask
        return asyncio.ensure_future(asyncio.to_thread(ask, self.context, field, ELEMENTS, blocks))

    async def theirs(self, what: Callable[..., Any], *more: Any) -> Any:
        """What the other end does: it blocks, so in a thread."""
        return await asyncio.to_thread(what, *more)

    async def gone(self) -> None:
        await until(lambda: self.requestor.link.is_gone)


def play(there: Destination, what: Callable[[Here], Awaitable[None]], **limits: Any) -> None:
    async def run() -> None:
        async with surroundings(**limits) as around:
            dialer = Dialer(around.environment, "US")
            contexts = [(VERIFICATION, (EXPLICIT,)), (CT, (EXPLICIT,))]
            peer = Peer(there.aet, "127.0.0.1", there.port)

            async def call() -> tuple[Requestor, Leg]:
                calling = asyncio.create_task(dialer.associate(peer, contexts))
                leg = await asyncio.to_thread(there.associated)
                return await calling, leg

            await what(Here(around, *await call(), call))
            await dialer.close(PATIENCE_SECONDS)
            assert not dialer._open

    asyncio.run(run())


def test_one_thing_is_asked_after_the_other(there: Destination) -> None:
    async def what(here: Here) -> None:
        for n in range(1, 4):
            asked = here.ask()
            context_id, command, data = await here.theirs(here.leg.message_in)
            assert (context_id, command.message_id, data) == (3, n, b"data")
            here.leg.answer(command, 0xB000, elements={Tag.ERROR_COMMENT: "so so"})
            ((response, nothing),) = await asked
            assert (response.status, nothing) == (0xB000, None)
        assert [(one.number, one.status, one.comment) for one in here.around.exchanges] == [
            (n, 0xB000, "so so") for n in (1, 2, 3)
        ]

    play(there, what)


def test_a_release_is_asked_for_and_agreed_to(there: Destination) -> None:
    async def what(here: Here) -> None:
        releasing = asyncio.create_task(here.requestor.release())
        await here.theirs(here.leg.released)
        await releasing
        await here.gone()
        await here.requestor.release()  # harmless
        here.requestor.break_off("nobody is there")
        here.requestor.stop()
        assert here.notices == ["released"]

    play(there, what)


def test_both_ask_for_the_release_at_once(there: Destination) -> None:
    """PS3.8 9.2: the requestor of the association answers first, then waits for its own answer."""

    async def what(here: Here) -> None:
        releasing = asyncio.create_task(here.requestor.release())
        assert isinstance(await here.theirs(here.leg.read), ReleaseRQ)
        here.leg.send(encode_pdu(ReleaseRQ()))
        assert isinstance(await here.theirs(here.leg.read), ReleaseRP)
        here.leg.send(encode_pdu(ReleaseRP()))
        await here.theirs(here.leg.read_end)
        await releasing
        assert here.notices == ["released"]

    play(there, what)


@pytest.mark.parametrize("is_asked", [True, False])
def test_the_peer_releases(there: Destination, is_asked: bool) -> None:
    async def what(here: Here) -> None:
        asked = here.ask() if is_asked else None
        if asked is not None:
            await here.theirs(here.leg.message_in)
        here.leg.send(encode_pdu(ReleaseRQ()))
        assert isinstance(await here.theirs(here.leg.read), ReleaseRP)
        if asked is not None:
            with pytest.raises(Unanswered, match="released"):
                await asked
        with pytest.raises(Unanswered, match="released"):
            await here.ask()
        here.leg.socket.close()
        await here.gone()
        assert here.notices == ["released"]

    play(there, what)


def test_a_peer_that_releases_and_does_not_close_is_closed(there: Destination) -> None:
    async def what(here: Here) -> None:
        here.leg.send(encode_pdu(ReleaseRQ()))
        assert isinstance(await here.theirs(here.leg.read), ReleaseRP)
        await here.theirs(here.leg.read_end)
        await here.gone()

    play(there, what, artim_seconds=0.2)


ENDS: dict[str, tuple[Callable[[Leg], object], str]] = {
    "an abort": (lambda leg: leg.send(encode_pdu(Abort(0, 0))), "aborted by the peer: service user"),
    "FIN": (lambda leg: leg.socket.close(), "aborted by the peer: the transport connection closed without a release"),
    "RST": (lambda leg: leg.reset(), "aborted by the peer: the transport connection closed without a release"),
    "garbage": (lambda leg: leg.send(b"GARBAGE!"), "aborted by us: "),
}


@pytest.mark.parametrize("is_asked", [True, False])
@pytest.mark.parametrize(("end", "text"), ENDS.values(), ids=ENDS)
def test_the_peer_ends_it(there: Destination, end: Callable[[Leg], object], text: str, is_asked: bool) -> None:
    async def what(here: Here) -> None:
        asked = here.ask() if is_asked else None
        if asked is not None:
            await here.theirs(here.leg.message_in)
        end(here.leg)
        await until(lambda: here.notices)
        here.leg.socket.close()
        if asked is not None:
            with pytest.raises(Unanswered, match=text):
                await asked
        (notice,) = here.notices
        assert notice.startswith(text)
        await here.gone()
        with pytest.raises(Unanswered, match=text):
            await here.ask()

    play(there, what)


def test_we_break_it_off_once(there: Destination) -> None:
    async def what(here: Here) -> None:
        asked = here.ask()
        await here.theirs(here.leg.message_in)
        here.requestor.break_off("enough")
        here.requestor.break_off("more than enough")
        here.requestor.stop()
        with pytest.raises(Unanswered, match="aborted by us: enough"):
            await asked
        assert await here.theirs(here.leg.read_abort) == (0, 0)
        await here.theirs(here.leg.read_end)
        assert here.notices == ["aborted by us: enough"]

    play(there, what)


def test_we_reset_it(there: Destination) -> None:
    async def what(here: Here) -> None:
        asked = here.ask()
        await here.theirs(here.leg.message_in)
        here.requestor.reset('rule "x"')
        with pytest.raises(Unanswered, match="reset by us"):
            await asked
        assert await here.theirs(here.leg.read) is None
        assert here.notices == ['reset by us: rule "x"']

    play(there, what)


def test_silence_counts_while_it_is_the_turn_of_the_peer_only(there: Destination) -> None:
    async def what(here: Here) -> None:
        other = await here.another()  # and later, but it waits for an answer
        with pytest.raises(Unanswered, match=r"nothing was heard for 0\.1 s \(network_timeout\)"):
            await other.ask()
        other.leg.socket.close()
        await other.gone()
        asked = here.ask()
        _, command, _ = await here.theirs(here.leg.message_in)
        here.leg.answer(command)
        await asked

    play(there, what, network_seconds=0.1)


@pytest.mark.parametrize("is_first", [True, False])
def test_a_request_of_the_peer_is_refused_and_told(there: Destination, is_first: bool) -> None:
    """Before we ask something, and while we wait for an answer."""

    async def what(here: Here) -> None:
        asked = None if is_first else here.ask()
        command = None if is_first else (await here.theirs(here.leg.message_in))[1]
        here.leg.send(
            here.leg.echo_request(), here.leg.message(3, here.leg.store_command(5, CT, "1.2.9"), b"D" * 50_000)
        )
        for field, message_id, context_id in ((CommandField.C_ECHO_RSP, 1, 1), (CommandField.C_STORE_RSP, 5, 3)):
            on, response, _ = await here.theirs(here.leg.message_in)
            assert (on, response.field, response.message_id_responded_to) == (context_id, field, message_id)
            assert response.status == 0x0211
        if asked is not None and command is not None:
            here.leg.answer(command)
            await asked
        told = [(one.service, one.status, one.size, one.asked_by_us) for one in here.around.exchanges]
        assert told[:2] == [("C-ECHO", 0x0211, 0, False), ("C-STORE", 0x0211, 50_000, False)]
        assert here.around.archive.counts().instances == 0
        assert here.notices == []

    play(there, what)


def test_a_request_of_the_peer_that_never_ends_is_told(there: Destination) -> None:
    async def what(here: Here) -> None:
        here.leg.send(here.leg.message(3, here.leg.store_command(5, CT, "1.2.9"), b"D" * 50_000)[:-10])
        here.leg.socket.close()
        await here.gone()
        (told,) = here.around.exchanges
        assert (told.service, told.status, told.comment) == (
            "C-STORE",
            None,
            "the association ended within the data set",
        )

    play(there, what)


def test_a_cancel_of_the_peer_means_nothing(there: Destination) -> None:
    async def what(here: Here) -> None:
        asked = here.ask()
        _, command, _ = await here.theirs(here.leg.message_in)
        here.leg.send(here.leg.cancel_request(context_id=1))
        here.leg.answer(command)
        await asked
        assert here.notices == []

    play(there, what)


def test_a_hundred_requests_in_a_row(there: Destination) -> None:
    async def what(here: Here) -> None:
        for _ in range(100):
            asked = here.ask()
            await here.theirs(partial(here.leg.take, 0))
            await asked
        assert [one.number for one in here.around.exchanges] == list(range(1, 101))

    play(there, what)
