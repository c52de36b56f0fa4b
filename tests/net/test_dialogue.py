"""The exchanges of one association: their order, C-CANCEL, release, and the ends nobody wants. No socket here."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest

from mockpacs.net.dialogue import Dialogue
from mockpacs.net.link import Link
from mockpacs.services.request import Lane, Outcome, Request
from mockpacs.traffic.exchange import Association as Party
from mockpacs.wire import CommandField, Tag, request
from tests.net.surroundings import (
    VERIFICATION,
    Association,
    Gated,
    Surroundings,
    echo,
    find,
    store,
    surroundings,
    until,
)
from tests.net.wire_client import ct_image

MATCH = Outcome(0xFF00, data=b"match")
DONE = Outcome(0x0000)


def dialogue_in(around: Surroundings, association: Association) -> Dialogue:
    return Dialogue(around.environment, Party(1, "peer", "SCU", "PACS"), {}, cast(Link, association), association)


class Prepared:
    """A service of the readers whose outcomes are there already; it does not look whether it is cancelled."""

    lane = Lane.READER

    def __init__(self, outcomes: list[Outcome]) -> None:
        self.outcomes = outcomes

    def answer(self, request: Request) -> list[Outcome]:
        return self.outcomes


def test_requests_of_every_lane_are_answered_in_the_order_they_came() -> None:
    async def scene() -> None:
        async with surroundings() as around:
            association = Association()
            dialogue = dialogue_in(around, association)
            around.desk.replaced["C-FIND"] = Gated([MATCH, DONE])
            dialogue.take(around.incoming(echo(1)))
            dialogue.take(around.incoming(find(2), b"keys"))
            dialogue.take(around.incoming(store(3, "1.2.3.4.5"), ct_image()))
            dialogue.take(around.incoming(echo(4)))
            dialogue.take(around.incoming(store(5, "1.2.3.4.6"), ct_image("1.2.3.4.6")))
            await until(lambda: len(around.exchanges) == 5)

            assert association.answers == [(1, 0), (2, 0xFF00), (2, 0), (3, 0), (4, 0), (5, 0)]
            assert [exchange.number for exchange in around.exchanges] == [1, 2, 3, 4, 5]
            assert around.archive.counts().instances == 2
            assert not dialogue.is_busy

    asyncio.run(scene())


def test_a_slow_request_holds_back_those_after_it() -> None:
    async def scene() -> None:
        async with surroundings() as around:
            association = Association()
            dialogue = dialogue_in(around, association)
            around.desk.replaced["C-FIND"] = slow = Gated([DONE], 0)
            dialogue.take(around.incoming(find(1), b"keys"))
            dialogue.take(around.incoming(echo(2)))
            await until(slow.reached.is_set)
            assert dialogue.is_busy
            assert association.answers == []
            slow.gate.set()
            await until(lambda: len(around.exchanges) == 2)

            assert association.answers == [(1, 0), (2, 0)]

    asyncio.run(scene())


def test_a_thousand_waiting_echoes_are_answered_without_recursion() -> None:
    async def scene() -> None:
        async with surroundings() as around:
            association = Association()
            dialogue = dialogue_in(around, association)
            around.desk.replaced["C-FIND"] = slow = Gated([DONE], 0)
            dialogue.take(around.incoming(find(1), b"keys"))
            for number in range(2, 5000):
                dialogue.take(around.incoming(echo(number)))
            slow.gate.set()
            await until(lambda: not dialogue.is_busy)

            assert association.answers == [(number, 0) for number in range(1, 5000)]

    asyncio.run(scene())


def test_a_cancel_ends_the_current_query_after_what_was_sent() -> None:
    async def scene() -> None:
        async with surroundings() as around:
            association = Association()
            dialogue = dialogue_in(around, association)
            around.desk.replaced["C-FIND"] = slow = Gated([MATCH] * 8 + [MATCH] * 1000 + [DONE], 8)
            dialogue.take(around.incoming(find(7), b"keys"))
            await until(lambda: len(association.sent) == 8)
            dialogue.cancel(7)
            slow.gate.set()
            await until(lambda: around.exchanges)

            assert association.answers == [(7, 0xFF00)] * 8 + [(7, 0xFE00)]
            assert association.sent[-1][2] is None
            assert slow.said == 8, "the search itself must end"
            assert (around.exchanges[0].status, around.exchanges[0].responses) == (0xFE00, 9)

    asyncio.run(scene())


def test_matches_made_before_the_cancel_was_heard_are_withheld() -> None:
    async def scene() -> None:
        async with surroundings() as around:
            association = Association()
            dialogue = dialogue_in(around, association)
            around.desk.replaced["C-FIND"] = Prepared([MATCH] * 20 + [DONE])
            dialogue.take(around.incoming(find(7), b"keys"))
            association.is_blocked = True
            await until(lambda: len(association.sent) == 8)
            dialogue.cancel(7)
            association.unblock()
            await until(lambda: around.exchanges)

            assert association.answers == [(7, 0xFF00)] * 8 + [(7, 0xFE00)]

    asyncio.run(scene())


def test_a_cancel_finds_a_request_that_still_waits_and_leaves_the_others_alone() -> None:
    async def scene() -> None:
        async with surroundings() as around:
            association = Association()
            dialogue = dialogue_in(around, association)
            around.desk.replaced["C-FIND"] = slow = Gated([MATCH, DONE], 0)
            for number in (1, 2, 3):
                dialogue.take(around.incoming(find(number), b"keys"))
            dialogue.cancel(2)
            slow.gate.set()
            await until(lambda: len(around.exchanges) == 3)

            assert association.answers == [(1, 0xFF00), (1, 0), (2, 0xFE00), (3, 0xFF00), (3, 0)]

    asyncio.run(scene())


@pytest.mark.parametrize("message_id", [99, None])
def test_a_cancel_of_nothing_means_nothing(message_id: int | None) -> None:
    async def scene() -> None:
        async with surroundings() as around:
            association = Association()
            dialogue = dialogue_in(around, association)
            dialogue.cancel(message_id)
            around.desk.replaced["C-FIND"] = slow = Gated([MATCH, DONE], 1)
            dialogue.take(around.incoming(find(1), b"keys"))
            dialogue.cancel(message_id)
            slow.gate.set()
            await until(lambda: around.exchanges)

            assert association.answers == [(1, 0xFF00), (1, 0)]

    asyncio.run(scene())


def test_a_release_is_agreed_to_at_once_when_idle_and_else_after_the_last_answer() -> None:
    async def scene() -> None:
        async with surroundings() as around:
            association = Association()
            dialogue = dialogue_in(around, association)
            released: list[int] = []
            dialogue.when_idle(lambda: released.append(len(association.sent)))
            assert released == [0]

            around.desk.replaced["C-FIND"] = slow = Gated([MATCH, DONE], 1)
            dialogue.take(around.incoming(find(1), b"keys"))
            dialogue.take(around.incoming(echo(2)))
            dialogue.when_idle(lambda: released.append(len(association.sent)))
            await until(slow.reached.is_set)
            assert released == [0]
            slow.gate.set()
            await until(lambda: len(released) == 2)

            assert released == [0, 3]

    asyncio.run(scene())


def test_an_association_that_ends_in_mid_query_stops_the_search() -> None:
    async def scene() -> None:
        async with surroundings() as around:
            association = Association()
            dialogue = dialogue_in(around, association)
            around.desk.replaced["C-FIND"] = slow = Gated([MATCH] * 100_000, 8)
            dialogue.take(around.incoming(find(1), b"keys"))
            dialogue.take(around.incoming(echo(2)))
            await until(lambda: len(association.sent) == 8)
            association.can_send = False
            dialogue.when_idle(lambda: pytest.fail("nobody is there to be released"))
            dialogue.end()
            slow.gate.set()
            await until(lambda: len(around.exchanges) == 2)

            assert slow.said == 8
            assert len(association.sent) == 8
            assert [(each.service, each.status, each.responses) for each in around.exchanges] == [
                ("C-FIND", None, 8),
                ("C-ECHO", None, 0),
            ]
            assert not dialogue.is_busy

    asyncio.run(scene())


def test_a_store_that_still_waits_when_the_association_ends_is_forgotten() -> None:
    async def scene() -> None:
        async with surroundings() as around:
            association = Association()
            dialogue = dialogue_in(around, association)
            around.desk.replaced["C-FIND"] = slow = Gated([DONE], 0)
            dialogue.take(around.incoming(find(1), b"keys"))
            dialogue.take(around.incoming(store(2, "1.2.3.4.5"), ct_image()))
            association.can_send = False
            dialogue.end()
            slow.gate.set()
            await until(lambda: not dialogue.is_busy)

            assert around.archive.counts().instances == 0
            assert association.sent == []

    asyncio.run(scene())


def test_a_store_whose_turn_came_but_which_the_peer_held_up_is_forgotten_too() -> None:
    async def scene() -> None:
        async with surroundings() as around:
            association = Association()
            dialogue = dialogue_in(around, association)
            association.is_blocked = True
            dialogue.take(around.incoming(store(1, "1.2.3.4.5"), ct_image()))
            association.can_send = False
            dialogue.end()
            association.unblock()
            await until(lambda: around.exchanges)

            assert around.exchanges[0].status is None
            assert around.archive.counts().instances == 0
            assert not dialogue.is_busy

    asyncio.run(scene())


def test_a_service_that_fails_costs_one_answer_and_not_the_association() -> None:
    async def scene() -> None:
        async with surroundings() as around:
            association = Association()
            dialogue = dialogue_in(around, association)
            around.desk.replaced["C-FIND"] = Gated([MATCH, ZeroDivisionError("oops")])
            dialogue.take(around.incoming(find(1), b"keys"))
            dialogue.take(around.incoming(echo(2)))
            await until(lambda: len(around.exchanges) == 2)

            assert association.answers[-2:] == [(1, 0x0110), (2, 0)]
            assert association.sent[-2][1].error_comment == "ZeroDivisionError in the server"
            assert around.notices == ["C-FIND failed in the server: ZeroDivisionError: oops"]

    asyncio.run(scene())


def test_a_request_nobody_answers_is_an_unrecognized_operation() -> None:
    async def scene() -> None:
        async with surroundings() as around:
            association = Association()
            dialogue = dialogue_in(around, association)
            get = request(CommandField.C_GET_RQ, 9, has_dataset=True, elements={Tag.AFFECTED_SOP_CLASS: VERIFICATION})
            dialogue.take(around.incoming(get, b"identifier"))
            await until(lambda: around.exchanges)

            assert association.answers == [(9, 0x0211)]
            assert association.sent[0][1].field is CommandField.C_GET_RSP

    asyncio.run(scene())


class Explaining:
    """Answers at once with a given outcome."""

    lane = Lane.LOOP

    def __init__(self, outcome: Outcome) -> None:
        self.outcome = outcome

    def answer(self, request: Request) -> tuple[Outcome]:
        return (self.outcome,)


def test_an_outcome_becomes_the_elements_of_the_response() -> None:
    async def scene() -> None:
        async with surroundings() as around:
            association = Association()
            dialogue = dialogue_in(around, association)
            outcome = Outcome(0xA900, comment="schlüssel to it " * 20, offending=(0x0020000D, 0x00100020))
            around.desk.replaced["C-ECHO"] = Explaining(outcome)
            dialogue.take(around.incoming(echo(1)))

            ((context_id, response, data),) = association.sent
            assert (context_id, data) == (1, None)
            assert response.field is CommandField.C_ECHO_RSP
            assert response.status == 0xA900
            assert response.error_comment is not None
            assert response.error_comment.startswith("schl?ssel to it schl?ssel")
            assert len(response.error_comment) == 63, "a space at the end of 64 would be padding"
            assert around.exchanges[0].comment == response.error_comment
            assert response.offending_elements == (0x0020000D, 0x00100020)
            assert response.affected_sop_class == VERIFICATION

    asyncio.run(scene())


def test_what_a_request_asked_for_is_reported_with_its_answer() -> None:
    async def scene() -> None:
        async with surroundings() as around:
            dialogue = dialogue_in(around, Association())
            data = ct_image()
            dialogue.take(around.incoming(store(1, "1.2.3.4.5"), data))
            await until(lambda: around.exchanges)

            (exchange,) = around.exchanges
            assert (exchange.service, exchange.status, exchange.size) == ("C-STORE", 0, len(data))
            assert exchange.subject == f"CT 1.2.3.4.5  {len(data)} B"
            assert exchange.association.calling == "SCU"
            assert exchange.responses == 1

    asyncio.run(scene())


def test_too_many_waiting_requests_make_the_peer_wait_until_half_of_them_are_answered() -> None:
    async def scene() -> None:
        async with surroundings(max_waiting_requests=4) as around:
            association = Association()
            dialogue = dialogue_in(around, association)
            around.desk.replaced["C-FIND"] = slow = Gated([DONE], 0)
            dialogue.take(around.incoming(find(1), b"keys"))
            for number in (2, 3, 4):
                dialogue.take(around.incoming(echo(number)))
                assert association.is_reading
            dialogue.take(around.incoming(echo(5)))
            assert not association.is_reading
            slow.gate.set()
            await until(lambda: len(around.exchanges) == 5)

            assert association.is_reading

    asyncio.run(scene())


def test_a_peer_that_takes_no_answers_gets_no_more_work_done() -> None:
    async def scene() -> None:
        async with surroundings(max_waiting_requests=4) as around:
            association = Association()
            dialogue = dialogue_in(around, association)
            association.is_blocked = True
            for number in range(1, 7):
                dialogue.take(around.incoming(echo(number)))
            assert association.sent == []
            assert not association.is_reading
            association.unblock()

            assert association.answers == [(number, 0) for number in range(1, 7)]
            assert association.is_reading

    asyncio.run(scene())


def test_a_stream_goes_no_faster_than_the_peer_takes_it() -> None:
    async def scene() -> None:
        async with surroundings() as around:
            association = Association()
            dialogue = dialogue_in(around, association)
            around.desk.replaced["C-FIND"] = stream = Gated([MATCH] * 10_000 + [DONE])
            dialogue.take(around.incoming(find(1), b"keys"))
            association.is_blocked = True
            await until(lambda: association.sent)
            sent = len(association.sent)
            # whatever is made ahead is made by now: another reader has had its turn in every thread
            for _ in range(4):
                await around.lanes.run(lambda: None)
            assert len(association.sent) == sent
            assert stream.said < 1000
            association.unblock()
            await until(lambda: around.exchanges)

            assert len(association.sent) == 10_001

    asyncio.run(scene())


def test_an_association_that_ends_while_its_peer_takes_nothing_leaves_no_task() -> None:
    async def scene() -> None:
        async with surroundings() as around:
            association = Association()
            dialogue = dialogue_in(around, association)
            around.desk.replaced["C-FIND"] = stream = Gated([MATCH] * 10_000 + [DONE])
            dialogue.take(around.incoming(find(1), b"keys"))
            association.is_blocked = True
            await until(lambda: association.sent)
            association.can_send = False
            dialogue.end()
            association.unblock()  # a link that is gone holds nobody
            await until(lambda: around.exchanges)

            assert stream.said < 1000
            assert around.exchanges[0].status is None

    asyncio.run(scene())
