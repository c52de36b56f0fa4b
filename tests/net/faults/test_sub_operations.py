"""Rules at the sub-operations of C-GET and C-MOVE: what becomes of an instance, of the destination, of who asked."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mockpacs.wire import Abort, CommandField, PDataTF, ReleaseRP, ReleaseRQ, encode_pdu
from tests.net.conftest import Served
from tests.net.destination import Destination, Leg, read_message
from tests.net.faults.conftest import Play, fired
from tests.net.retrieving import (
    Counted,
    answer,
    counted,
    failed_list,
    fill,
    final,
    getting,
    legs,
    moving,
    next_sub_operation,
    retriever,
    study,
    take,
    uid_of,
)
from tests.net.wire_client import WireClient

Make = Callable[..., Destination]
Ruled = Callable[..., tuple[Served, Destination]]


@pytest.fixture
def ruled(play: Play, destination: Make) -> Ruled:
    """``ruled("at: sub-operation", "{ status: A700 }")``: a server whose retrieves for RAW meet one rule."""

    def start(
        when: str, then: str, *, service: str = "[C-GET, C-MOVE]", more: str = "", **options: object
    ) -> tuple[Served, Destination]:
        there = destination()
        rule = f"{{ name: fault, when: {{ service: {service}, calling: RAW, {when} }}, then: {then}{more} }}"
        return play(f"rules: [{rule}]", peer=[there.option], **options), there

    return start


def rules_of(server: Served) -> list[tuple[str, str]]:
    """Rule and fault of the retrieve, once it is reported."""
    server.wait_for(lambda: fired(server))
    return fired(server)


# status: the sub-operation is not done, and counted as if it had ended so


@pytest.mark.parametrize(
    ("place", "status", "wanted", "failed"),
    [
        ("sub-operation", "A700", (0xA702, 0, 3, 0), [1, 2, 3]),
        ("sub-operation", "success", (0x0000, 3, 0, 0), []),
        ("sub-operation", "B000", (0xB000, 0, 0, 3), []),
        ("{ sub-operation: 1 }", "A900", (0xB000, 2, 1, 0), [1]),
        ("{ sub-operation: 2 }", "C001", (0xB000, 2, 1, 0), [2]),
        ("{ sub-operation: last }", "0110", (0xB000, 2, 1, 0), [3]),
        ("{ sub-operation: last }", "B007", (0xB000, 2, 0, 1), []),
        ("{ sub-operation: last }", "success", (0x0000, 3, 0, 0), []),
        ("{ sub-operation: 4 }", "A700", (0x0000, 3, 0, 0), []),
    ],
)
@pytest.mark.parametrize("service", ["C-GET", "C-MOVE"])
def test_a_status_is_counted_and_nothing_is_sent(
    ruled: Ruled, service: str, place: str, status: str, wanted: tuple[int, ...], failed: list[int]
) -> None:
    server, there = ruled(f"at: {place}", f'{{ status: "{status}" }}')
    images = fill(server, 3)
    touched = {"sub-operation": {1, 2, 3}, "{ sub-operation: 4 }": set(), "{ sub-operation: last }": {3}}.get(
        place, {int(place[-3]) if place[-3].isdigit() else 0}
    )
    honest = [image for n, image in enumerate(images, 1) if n not in touched]
    client = moving(server, there) if service == "C-MOVE" else getting(server)
    if service == "C-GET":
        got = take(client, *[0] * len(honest))
    elif honest:
        leg = there.associated()
        got = [data for _, _, data in leg.take(*[0] * len(honest))]
        leg.released()
    else:
        got = []
    said, _, data = final(client)

    assert got == honest
    assert said == Counted(*wanted)
    assert (failed_list(data) if failed else data) == ([uid_of(n) for n in failed] or None)
    assert len(legs(server)) == len(honest)
    if not honest:
        there.nobody_came()
    assert client.echo() == 0


def test_every_response_in_between_counts_what_rules_did(ruled: Ruled) -> None:
    server, _ = ruled("at: { sub-operation: 2 }", "{ status: A700 }")
    fill(server, 3)
    client = getting(server)
    said = []
    for has_one in (True, False, True):
        if has_one:
            take_one(client)
        said.append(counted(client.response()[0]))

    assert said == [Counted(0xFF00, 1, 0, 0, 2), Counted(0xFF00, 1, 1, 0, 1), Counted(0xB000, 2, 1, 0)]
    assert [rule for rule, _ in rules_of(server)] == ["fault"]


def take_one(client: WireClient) -> None:
    context_id, command, _ = read_message(client)
    assert command.field is CommandField.C_STORE_RQ
    answer(client, context_id, command)


def test_a_rule_about_one_class_or_instance(ruled: Ruled) -> None:
    server, _ = ruled("at: sub-operation, sop_class: CT Image Storage", "{ status: A700 }", more=", times: 1")
    fill(server, 2)
    client = getting(server)
    take(client, 0)
    assert final(client)[0] == Counted(0xB000, 1, 1, 0)


# delay


def test_a_delay_holds_a_sub_operation_and_the_one_behind_it(ruled: Ruled) -> None:
    server, _ = ruled("at: { sub-operation: 2 }", "{ delay: 300ms }", network_timeout="100ms")
    fill(server, 3)
    client = getting(server)
    take(client, 0, 0, 0)
    assert final(client)[0] == Counted(0, 3, 0, 0)  # nobody lost patience: it was we who were silent
    assert rules_of(server)[0][0] == "fault"


def during_the_delay(server: Served) -> None:
    """Return when the rule has fired."""
    theatre = server.pacs._running.environment.theatre
    assert theatre is not None
    server.wait_until(lambda: theatre.engine.fired("fault"))


def test_a_cancel_during_a_delay_ends_the_retrieve_after_it(ruled: Ruled) -> None:
    server, _ = ruled("at: { sub-operation: 2 }", "{ delay: 200ms }")
    fill(server, 3)
    client = getting(server)
    take(client, 0)
    during_the_delay(server)
    client.send(client.cancel_request(context_id=9))
    while (message := _next(client))[0] == CommandField.C_STORE_RQ:
        pass
    assert message[1] == Counted(0xFE00, 2, 0, 0, 1)


def _next(client: WireClient) -> tuple[CommandField, Counted]:
    context_id, command, _ = read_message(client)
    if command.field is CommandField.C_STORE_RQ:
        answer(client, context_id, command)
    elif command.status == 0xFF00:
        return _next(client)
    return command.field, counted(command)


def test_who_is_gone_during_a_delay_is_not_waited_for(ruled: Ruled) -> None:
    server, there = ruled("at: { sub-operation: 2 }", "{ delay: 1h }")
    fill(server, 3)
    client = moving(server, there)
    leg = there.associated()
    leg.take(0)
    assert counted(client.response()[0]) == Counted(0xFF00, 1, 0, 0, 2)
    during_the_delay(server)
    client.send(encode_pdu(Abort(0, 0)))
    leg.released()
    server.wait_for(lambda: any(one.service == "C-MOVE" for one in server.exchanges))
    assert len(legs(server)) == 1


def test_a_stop_during_a_delay_is_not_held(ruled: Ruled) -> None:
    server, there = ruled("at: { sub-operation: 2 }", "{ delay: 1h }")
    fill(server, 3)
    client = moving(server, there)
    leg = there.associated()
    leg.take(0)
    assert counted(client.response()[0]) == Counted(0xFF00, 1, 0, 0, 2)
    during_the_delay(server)
    server.pacs.stop()
    assert client.read_abort() == (0, 0)
    assert isinstance(leg.read(), Abort | ReleaseRQ)


# destination


def test_a_destination_refuses_from_the_first_on(ruled: Ruled) -> None:
    server, there = ruled("at: { sub-operation: 1 }", "{ destination: refuse }", service="C-MOVE")
    fill(server, 3)
    client = moving(server, there)
    said, response, data = final(client)

    assert said == Counted(0xA702, 0, 3, 0)
    assert failed_list(data) == [uid_of(n) for n in (1, 2, 3)]
    assert response.error_comment == "3 of 3 failed: the destination refused"
    there.nobody_came()


ENDINGS: dict[str, Callable[[Leg], bool]] = {
    "refuse": lambda leg: leg.read_abort() == (0, 0),
    "abort": lambda leg: leg.read_abort() == (0, 0),
    "reset": lambda leg: leg.read() is None,
}


@pytest.mark.parametrize("how", ENDINGS)
def test_a_destination_is_lost_in_the_middle(ruled: Ruled, how: str) -> None:
    server, there = ruled("at: { sub-operation: 2 }", f"{{ destination: {how} }}", service="C-MOVE")
    fill(server, 3)
    client = moving(server, there)
    leg = there.associated()
    leg.take(0)
    assert ENDINGS[how](leg)
    leg.socket.close()
    said, _, data = final(client)

    assert said == Counted(0xB000, 1, 2, 0)
    assert failed_list(data) == [uid_of(2), uid_of(3)]
    there.nobody_came()
    assert rules_of(server) == [("fault", f"destination {how}")]
    assert client.echo() == 0


def test_a_destination_is_lost_with_a_status_for_that_one(ruled: Ruled) -> None:
    """Success is counted for what was never delivered; the rest fails by itself."""
    server, there = ruled("at: { sub-operation: 2 }", "[{ destination: abort }, { status: success }]", service="C-MOVE")
    fill(server, 3)
    client = moving(server, there)
    leg = there.associated()
    leg.take(0)
    assert leg.read_abort() == (0, 0)
    leg.socket.close()
    assert final(client)[0] == Counted(0xB000, 2, 1, 0)


# the association of who asked

OF_WHO_ASKED: dict[str, Callable[[WireClient], bool]] = {
    "abort": lambda client: client.read_abort() == (0, 0),
    "reset": lambda client: client.read() is None,
    "close": lambda client: client.read() is None,
}


@pytest.mark.parametrize("how", OF_WHO_ASKED)
def test_the_association_of_a_move_ends_in_the_middle(ruled: Ruled, how: str) -> None:
    server, there = ruled("at: { sub-operation: 2 }", how)
    fill(server, 3)
    client = moving(server, there)
    leg = there.associated()
    leg.take(0)
    assert counted(client.response()[0]) == Counted(0xFF00, 1, 0, 0, 2)
    assert OF_WHO_ASKED[how](client)
    leg.released()
    server.wait_for(lambda: any(one.service == "C-MOVE" for one in server.exchanges))

    (move,) = [one for one in server.exchanges if one.service == "C-MOVE"]
    assert (move.status, move.rule) == (None, "fault")
    assert len(legs(server)) == 1


@pytest.mark.parametrize("how", OF_WHO_ASKED)
@pytest.mark.parametrize("place", ["{ sub-operation: 1 }", "{ sub-operation: last }"])
def test_the_association_of_a_get_ends_in_the_middle(ruled: Ruled, how: str, place: str) -> None:
    server, _ = ruled(f"at: {place}", how)
    fill(server, 3)
    client = getting(server)
    if "last" in place:
        take(client, 0, 0)
        assert counted(client.response()[0]) == Counted(0xFF00, 2, 0, 0, 1)
    assert OF_WHO_ASKED[how](client)
    server.wait_for(lambda: any(one.service == "C-GET" for one in server.exchanges))

    (get,) = [one for one in server.exchanges if one.service == "C-GET"]
    assert (get.status, get.rule) == (None, "fault")


def test_silence_in_the_middle_of_a_get(ruled: Ruled) -> None:
    """Nothing comes any more, and nothing is looked at; a stop ends it."""
    server, _ = ruled("at: { sub-operation: 2 }", "silence")
    fill(server, 3)
    client = getting(server)
    take(client, 0)
    assert counted(client.response()[0]) == Counted(0xFF00, 1, 0, 0, 2)
    client.send(client.echo_request())
    server.has_read_all()
    client.has_heard_all()
    server.pacs.stop()


# at other moments, around honest sub-operations


@pytest.mark.parametrize("service", ["C-GET", "C-MOVE"])
def test_a_final_status_of_a_rule_keeps_the_counters(ruled: Ruled, service: str) -> None:
    server, there = ruled("at: response, status: success", "{ status: B000 }", service=service)
    fill(server, 2)
    if service == "C-GET":
        client = getting(server)
        take(client, 0, 0)
    else:
        client = moving(server, there)
        leg = there.associated()
        leg.take(0, 0)
    said = final(client)[0]
    if service == "C-MOVE":
        leg.released()

    assert said == Counted(0xB000, 2, 0, 0)


def test_an_abort_between_two_responses_of_a_get(ruled: Ruled) -> None:
    server, _ = ruled("at: between-responses", "abort", service="C-GET")
    fill(server, 3)
    client = getting(server)
    take(client, 0)
    assert counted(client.response()[0]) == Counted(0xFF00, 1, 0, 0, 2)
    assert client.read_abort() == (0, 0)
    server.wait_for(lambda: any(one.service == "C-GET" for one in server.exchanges))
    assert len(legs(server)) == 1


def test_pending_responses_without_end(ruled: Ruled) -> None:
    """The sub-operations are done once; then the last pending response comes again and again, until a cancel."""
    server, there = ruled("", "{ pending: { forever: true, every: 1ms } }", service="C-MOVE")
    fill(server, 2)
    client = moving(server, there)
    leg = there.associated()
    leg.take(0, 0)
    leg.released()
    for _ in range(50):
        assert client.response()[0].status == 0xFF00
    assert len(legs(server)) == 2
    client.send(encode_pdu(Abort(0, 0)))
    there.nobody_came()


def test_a_slow_get_is_paced_and_whole(ruled: Ruled) -> None:
    """A bandwidth holds for what is asked as well; the data set comes to its end, and the next begins behind it."""
    server, _ = ruled("at: request", "{ bandwidth: 2MB/s }", service="C-GET")
    images = fill(server, 2, pixels=300_000)
    client = getting(server)
    assert take(client, 0, 0) == images
    assert final(client)[0] == Counted(0, 2, 0, 0)


def test_who_answers_nothing_under_a_scenario_is_not_waited_for(ruled: Ruled) -> None:
    server, _ = ruled("at: { sub-operation: 3 }", "{ status: A700 }", network_timeout="300ms")
    fill(server, 3)
    client = getting(server)
    next_sub_operation(client)
    assert client.read_abort() == (2, 0)
    server.wait_for(lambda: any(one.service == "C-GET" for one in server.exchanges))


def test_a_release_in_the_middle_of_a_get_under_a_scenario(ruled: Ruled) -> None:
    server, _ = ruled("at: { sub-operation: 3 }", "{ status: A700 }")
    fill(server, 3)
    client = getting(server)
    take(client, 0)
    next_sub_operation(client)
    client.send(encode_pdu(ReleaseRQ()))
    assert final(client)[0] == Counted(0xB000, 1, 2, 0)
    assert isinstance(client.read(), ReleaseRP)


def test_big_data_sets_under_a_scenario_are_streamed(ruled: Ruled) -> None:
    server, there = ruled("at: { sub-operation: 2 }", "{ status: A700 }")
    images = fill(server, 3, pixels=6_000_000)
    client = getting(server)
    assert take(client, 0, 0) == [images[0], images[2]]
    assert final(client)[0] == Counted(0xB000, 2, 1, 0)
    client.send(client.move_request(study(), there.aet))
    leg = there.associated()
    assert [data for _, _, data in leg.take(0, 0)] == [images[0], images[2]]
    leg.released()
    assert final(client)[0] == Counted(0xB000, 2, 1, 0)


@pytest.mark.parametrize("leave", ["abort", "reset", "garbage"])
def test_who_is_gone_while_a_big_data_set_comes_under_a_scenario(ruled: Ruled, leave: str) -> None:
    server, _ = ruled("at: { sub-operation: 2 }", "{ status: A700 }")
    fill(server, 3, pixels=12_000_000)
    client = retriever(server)
    client.send(client.get_request(study()))
    assert isinstance(client.read(), PDataTF)
    if leave == "reset":
        client.reset()
    else:
        client.send(encode_pdu(Abort(0, 0)) if leave == "abort" else b"GARBAGE")
    server.wait_for(lambda: any(one.service == "C-GET" for one in server.exchanges))
    client.socket.close()
