"""C-MOVE and C-GET on the wire: what is said to a destination, in which bytes, and what is answered to who asked."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mockpacs.traffic.exchange import Exchange
from mockpacs.wire import APPLICATION_CONTEXT, AssociateRJ, CommandField, ProposedContext, Tag, encode_pdu
from mockpacs.wire.implementation import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from tests.net.conftest import Served
from tests.net.destination import Destination
from tests.net.retrieving import (
    AS_SCP,
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
from tests.net.wire_client import (
    CT,
    EXPLICIT,
    IMPLICIT,
    RETRIEVE_CONTEXTS,
    STUDY_ROOT_GET,
    ct_image,
)

Serve = Callable[..., Served]
Make = Callable[..., Destination]
Pair = tuple[Served, Destination]

MR = "1.2.840.10008.5.1.4.1.1.4"


@pytest.fixture
def pair(serve: Serve, destination: Make) -> Pair:
    """A server, and the one destination that it knows."""
    there = destination()
    return serve(peer=[there.option]), there


# C-MOVE


def test_a_study_is_moved_and_every_response_counts(pair: Pair) -> None:
    server, destination = pair
    images = fill(server, 3)
    client = moving(server, destination)
    leg = destination.associated()
    taken = leg.take(0, 0, 0)
    leg.released()
    said = [counted(response) for response, _ in client.responses()]

    assert [data for _, _, data in taken] == images
    assert said == [Counted(0xFF00, 1, 0, 0, 2), Counted(0xFF00, 2, 0, 0, 1), Counted(0x0000, 3, 0, 0)]
    client.release()
    destination.nobody_came()


def test_the_association_request_to_a_destination(pair: Pair) -> None:
    server, destination = pair
    fill(server, 1)
    client = moving(server, destination)
    leg = destination.asked()
    leg.accept()
    request = leg.request

    assert request.protocol_version == 1
    assert request.application_context == APPLICATION_CONTEXT
    assert (request.calling, request.called) == ("MOCKPACS", "DESTINATION")
    assert leg.request_bytes[10:42] == b"DESTINATION".ljust(16) + b"MOCKPACS".ljust(16)
    assert [one.context_id for one in request.contexts] == list(range(1, 2 * len(request.contexts), 2))
    assert {one.abstract_syntax for one in request.contexts} == {CT}
    assert [one.transfer_syntaxes for one in request.contexts][:2] == [(EXPLICIT,), (IMPLICIT,)]
    assert {len(one.transfer_syntaxes) for one in request.contexts} == {1}
    assert request.user.max_pdu_length == server.pacs.options.max_pdu
    assert request.user.implementation_class_uid == IMPLEMENTATION_CLASS_UID
    assert request.user.implementation_version_name == IMPLEMENTATION_VERSION_NAME
    assert (request.user.roles, request.user.extended, request.user.asynchronous_operations) == ((), (), None)
    leg.take(0)
    leg.released()
    assert final(client)[0] == Counted(0, 1, 0, 0)


@pytest.mark.parametrize("priority", [0, 1, 2])
def test_the_request_of_a_sub_operation_of_a_move(pair: Pair, priority: int) -> None:
    server, destination = pair
    fill(server, 2)
    client = retriever(server, calling="WHO ASKED")
    assert client.echo() == 0
    client.send(client.move_request(study(), "DESTINATION", priority=priority))
    leg = destination.associated()
    for n, (context_id, command, _) in enumerate(leg.take(0, 0), 1):
        assert context_id == 1
        assert {tag: value for tag, value in command.elements.items() if tag} == {
            Tag.AFFECTED_SOP_CLASS: CT,
            Tag.COMMAND_FIELD: CommandField.C_STORE_RQ,
            Tag.MESSAGE_ID: n,
            Tag.PRIORITY: priority,
            Tag.DATA_SET_TYPE: 1,
            Tag.AFFECTED_SOP_INSTANCE: uid_of(n),
            Tag.MOVE_ORIGINATOR_AET: "WHO ASKED",
            Tag.MOVE_ORIGINATOR_MESSAGE_ID: 2,
        }
    leg.released()
    assert final(client)[0] == Counted(0, 2, 0, 0)


@pytest.mark.parametrize("limit", [7, 8, 100, 4096, 16384, 131_072, 1 << 20, 0])
def test_a_data_set_is_cut_to_what_the_destination_takes(pair: Pair, limit: int) -> None:
    server, destination = pair
    (image,) = fill(server, 1, pixels=500 if 0 < limit < 100 else 300_000)
    client = moving(server, destination)
    leg = destination.associated(max_pdu=limit)
    _, command, data = leg.message_in()
    leg.answer(command)
    leg.released()

    assert data == image
    assert max(leg.lengths) <= (limit or 131_072)
    assert max(leg.lengths) == min(limit or 131_072, 131_072) - (limit % 2 if limit > 7 else 0)
    assert final(client)[0] == Counted(0, 1, 0, 0)


def test_each_of_several_instances_is_answered_before_the_next_is_sent(pair: Pair) -> None:
    server, destination = pair
    fill(server, 2)
    client = moving(server, destination)
    leg = destination.associated()
    _, first_one, _ = leg.message_in()
    server.has_read_all()
    leg.has_heard_all()
    leg.answer(first_one)
    leg.take(0)
    leg.released()
    assert final(client)[0] == Counted(0, 2, 0, 0)


@pytest.mark.parametrize(
    ("statuses", "wanted", "failed"),
    [
        ((0, 0xB000, 0), (0xB000, 2, 0, 1), []),
        ((0xB007, 0xB006, 0xB000), (0xB000, 0, 0, 3), []),
        ((0xA700, 0, 0), (0xB000, 2, 1, 0), [1]),
        ((0, 0xC001, 0x0110), (0xB000, 1, 2, 0), [2, 3]),
        ((0xA700, 0xB000, 0xA900), (0xB000, 0, 2, 1), [1, 3]),
        ((0xA700, 0xA900, 0x0122), (0xA702, 0, 3, 0), [1, 2, 3]),
        ((0xFE00, 0x1234, 0), (0xB000, 1, 2, 0), [1, 2]),
    ],
)
def test_what_a_destination_answers_is_counted(
    pair: Pair, statuses: tuple[int, ...], wanted: tuple[int, ...], failed: list[int]
) -> None:
    server, destination = pair
    fill(server, 3)
    client = moving(server, destination)
    leg = destination.associated()
    leg.take(*statuses)
    leg.released()
    said, response, data = final(client)

    assert said == Counted(*wanted)
    assert (failed_list(data) if failed else data) == ([uid_of(n) for n in failed] or None)
    assert response.error_comment is not None
    told = legs(server)
    assert [one.status for one in told] == list(statuses)
    assert [one.id for one in told] == ["3.1", "3.2", "3.3"]


def test_an_unknown_destination_is_refused_and_nobody_is_called(pair: Pair) -> None:
    server, destination = pair
    fill(server, 1)
    client = retriever(server)
    client.send(client.move_request(study(), "SOMEBODY ELSE"))
    said, response, data = final(client)

    assert (said.status, data) == (0xA801, None)
    assert response.error_comment == "Unknown move destination SOMEBODY ELSE"
    destination.nobody_came()
    assert client.echo() == 0


def test_a_study_that_is_not_there_calls_nobody(pair: Pair) -> None:
    server, destination = pair
    client = retriever(server)
    client.send(client.move_request(study("1.2.9"), "DESTINATION"))

    assert final(client)[0] == Counted(0, 0, 0, 0)
    destination.nobody_came()


def test_a_refused_class_fails_alone(pair: Pair) -> None:
    server, destination = pair
    images = fill(server, 2)
    storing = server.associate(ProposedContext(1, MR, (EXPLICIT,)))
    storing.send(storing.store_request(ct_image("1.2.3.4.9"), "1.2.3.4.9", context_id=1, sop_class=MR))
    assert storing.status() in (0, 0xB007)
    client = moving(server, destination)
    leg = destination.asked()
    assert {one.abstract_syntax for one in leg.request.contexts} == {CT, MR}
    leg.accept(lambda abstract, syntaxes: syntaxes[0] if abstract == CT else None)
    assert [data for _, _, data in leg.take(0, 0)] == images
    leg.released()
    said, response, data = final(client)

    assert said == Counted(0xB000, 2, 1, 0)
    assert failed_list(data) == ["1.2.3.4.9"]
    assert response.error_comment == "1 of 3 failed: DESTINATION accepts no context for MR Image Stora"
    destination.nobody_came()


def test_all_contexts_refused_fails_all_and_releases(pair: Pair) -> None:
    server, destination = pair
    fill(server, 3)
    client = moving(server, destination)
    leg = destination.associated(choose=lambda *_: None)
    leg.released()
    said, _, data = final(client)

    assert said == Counted(0xA702, 0, 3, 0)
    assert failed_list(data) == [uid_of(n) for n in (1, 2, 3)]
    destination.nobody_came()


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (AssociateRJ(1, 1, 7), "called AE title not recognized"),
        (AssociateRJ(2, 3, 2), "local limit exceeded"),
        (AssociateRJ(1, 2, 2), "protocol version not supported"),
        (AssociateRJ(1, 1, 99), "a reason the standard does not know"),
    ],
)
def test_a_destination_that_rejects_is_asked_once(pair: Pair, answer: AssociateRJ, why: str) -> None:
    server, destination = pair
    fill(server, 3)
    client = moving(server, destination)
    leg = destination.asked()
    leg.send(encode_pdu(answer))
    leg.read_end()
    said, response, data = final(client)

    assert said == Counted(0xA702, 0, 3, 0)
    assert len(failed_list(data)) == 3
    assert (response.error_comment or "").startswith("3 of 3 failed: association rejected by DESTINATION: ")
    (notice,) = server.notices("rejected")
    assert why in notice.text
    assert notice.association is not None
    assert (notice.association.by_us, notice.association.cause) == (True, "2.1")
    destination.nobody_came()
    assert client.echo() == 0


def test_only_the_wanted_transfer_syntax_is_proposed(serve: Serve, destination: Make) -> None:
    there = destination()
    server = serve(
        peer=[{"aet": there.aet, "host": "127.0.0.1", "port": there.port, "transfer_syntaxes": ["implicit"]}]
    )
    (image,) = fill(server, 1)
    client = moving(server, there)
    leg = there.associated()
    assert [one.transfer_syntaxes for one in leg.request.contexts] == [(IMPLICIT,)]
    ((_, _, data),) = leg.take(0)
    leg.released()

    assert final(client)[0] == Counted(0, 1, 0, 0)
    assert data is not None
    assert data != image
    assert data.startswith(bytes.fromhex("08001600 1a000000") + CT.encode())


def test_requests_behind_a_move_wait_for_it(pair: Pair) -> None:
    server, destination = pair
    fill(server, 1)
    client = moving(server, destination)
    client.send(client.move_request(study(), "DESTINATION"), client.echo_request())
    for _ in range(2):
        leg = destination.associated()
        leg.take(0)
        leg.released()
    heard = [client.response()[0] for _ in range(3)]

    assert [one.field for one in heard] == [CommandField.C_MOVE_RSP] * 2 + [CommandField.C_ECHO_RSP]
    assert [one.message_id_responded_to for one in heard] == [1, 2, 3]
    client.release()


def moves(server: Served) -> list[Exchange]:
    return [one for one in server.exchanges if one.service == "C-MOVE"]


def test_two_moves_at_the_same_time_have_an_association_each(pair: Pair) -> None:
    server, destination = pair
    fill(server, 2)
    clients = [moving(server, destination, calling=f"RAW{n}") for n in range(2)]
    both = [destination.associated() for _ in clients]
    for _ in range(2):
        for leg in both:
            leg.take(0)
    for leg in both:
        leg.released()
    for client in clients:
        assert final(client)[0] == Counted(0, 2, 0, 0)
    server.wait_for(lambda: len(moves(server)) == 2)
    assert {one.cause for one in legs(server)} == {one.id for one in moves(server)}


def test_a_move_to_the_server_itself(serve: Serve) -> None:
    server = serve(record=False)  # without a recording: there both ends of one connection have the same addresses
    fill(server, 3)
    server.pacs.peers.add("ITSELF", "127.0.0.1", server.port)
    client = retriever(server)
    client.send(client.move_request(study(), "ITSELF"))

    assert final(client)[0] == Counted(0, 3, 0, 0)
    client.release()
    assert server.pacs.archive.counts().instances == 3


def test_a_destination_may_come_and_go_while_the_server_runs(serve: Serve, destination: Make) -> None:
    server, there = serve(), destination("LATER")
    fill(server, 1)
    client = retriever(server)
    client.send(client.move_request(study(), "LATER"))
    assert final(client)[0].status == 0xA801
    server.pacs.peers.add("LATER", "127.0.0.1", there.port)
    client.send(client.move_request(study(), "LATER"))
    leg = there.associated()
    leg.take(0)
    leg.released()
    assert final(client)[0] == Counted(0, 1, 0, 0)
    server.pacs.peers.remove("LATER")
    client.send(client.move_request(study(), "LATER"))
    assert final(client)[0].status == 0xA801


def test_the_exchanges_of_a_move_say_why_they_were(pair: Pair) -> None:
    server, destination = pair
    images = fill(server, 2)
    client = moving(server, destination)
    leg = destination.associated()
    leg.take(0, 0xA700)
    leg.released()
    final(client)
    client.release()

    stores, (move,) = legs(server), moves(server)
    assert (move.id, move.counts, move.asked_by_us, move.cause) == ("2.1", (1, 1, 0), False, "")
    for n, (one, image, status) in enumerate(zip(stores, images, (0, 0xA700), strict=True), 1):
        assert (one.id, one.service, one.status, one.cause) == (f"3.{n}", "C-STORE", status, "2.1")
        assert one.subject == f"CT {uid_of(n)}  {len(image)} B"
        assert one.size == len(image)
        assert (one.association.calling, one.association.called) == ("MOCKPACS", "DESTINATION")
        assert (one.association.server, one.association.address) == (destination.option.split("=")[1], leg.address)
        assert [(a.status, a.times) for a in one.answers] == [(status, 1)]
        assert one.dataset is not None
        assert one.dataset.SOPInstanceUID == uid_of(n)
    assert server.exchanges.index(move) > server.exchanges.index(stores[-1])


def test_more_than_128_pairs_of_class_and_syntax(pair: Pair) -> None:
    """Some contexts for each of 150 classes: as many associations as that needs, not 150."""
    server, destination = pair
    classes = [f"1.2.3.99.{n}" for n in range(150)]
    for at in range(0, 150, 100):
        some = classes[at : at + 100]
        storing = server.associate(*(ProposedContext(2 * n + 1, uid, (EXPLICIT,)) for n, uid in enumerate(some)))
        for n, uid in enumerate(some):
            image, instance = ct_image(f"{uid}.1"), f"{uid}.1"
            storing.send(storing.store_request(image, instance, context_id=2 * n + 1, sop_class=uid))
            assert storing.status() in (0, 0xB007)
        storing.release()
    client = moving(server, destination)
    taken: list[str | None] = []
    while len(taken) < 150:
        leg = destination.associated()
        assert len(leg.request.contexts) <= 128
        assert [one.context_id for one in leg.request.contexts] == list(range(1, 2 * len(leg.request.contexts), 2))
        fresh = dict.fromkeys(one.abstract_syntax for one in leg.request.contexts)
        for _ in [uid for uid in fresh if uid in classes[len(taken) :]]:
            ((_, command, _),) = leg.take(0)
            taken.append(command.affected_sop_class)
        leg.released()

    assert taken == classes
    assert len(destination.legs) <= 5
    assert final(client)[0] == Counted(0, 150, 0, 0)


# C-GET


def test_a_study_is_got_and_every_response_counts(pair: Pair) -> None:
    server, destination = pair
    images = fill(server, 3)
    client = getting(server)
    got, said = [], []
    for _ in images:
        context_id, command, data = next_sub_operation(client)
        answer(client, context_id, command)
        got.append(data)
        response, _ = client.response()
        said.append(counted(response))

    assert got == images
    assert said == [Counted(0xFF00, 1, 0, 0, 2), Counted(0xFF00, 2, 0, 0, 1), Counted(0x0000, 3, 0, 0)]
    client.release()
    destination.nobody_came()


@pytest.mark.parametrize("priority", [0, 1, 2])
def test_the_request_of_a_sub_operation_of_a_get(pair: Pair, priority: int) -> None:
    server, _ = pair
    fill(server, 1)
    client = retriever(server)
    client.send(client.get_request(study(), priority=priority))
    context_id, command, _ = next_sub_operation(client)
    answer(client, context_id, command)

    assert context_id == 3
    assert {tag: value for tag, value in command.elements.items() if tag} == {
        Tag.AFFECTED_SOP_CLASS: CT,
        Tag.COMMAND_FIELD: CommandField.C_STORE_RQ,
        Tag.MESSAGE_ID: 1,
        Tag.PRIORITY: priority,
        Tag.DATA_SET_TYPE: 1,
        Tag.AFFECTED_SOP_INSTANCE: uid_of(1),
    }
    assert final(client)[0] == Counted(0, 1, 0, 0)


@pytest.mark.parametrize("limit", [7, 100, 16384, 0])
def test_a_data_set_is_cut_to_what_who_asks_takes(pair: Pair, limit: int) -> None:
    server, _ = pair
    (image,) = fill(server, 1, pixels=500 if limit == 7 else 300_000)
    client = getting(server, max_pdu_length=limit)
    assert take(client, 0) == [image]
    assert final(client)[0] == Counted(0, 1, 0, 0)
    assert max(client.lengths) <= (limit or 131_072)


@pytest.mark.parametrize(
    ("contexts", "roles", "why"),
    [
        (RETRIEVE_CONTEXTS, (), "no SCP role for CT Image Storage"),
        (
            tuple(one for one in RETRIEVE_CONTEXTS if one.abstract_syntax == STUDY_ROOT_GET),
            AS_SCP,
            "no context for CT Image Storage",
        ),
        ((*RETRIEVE_CONTEXTS[:1], *RETRIEVE_CONTEXTS[2:]), (), "no context for CT Image Storage"),
    ],
    ids=["no role", "no context, but a role", "neither"],
)
def test_what_cannot_come_back_fails(
    pair: Pair, contexts: tuple[ProposedContext, ...], roles: tuple[object, ...], why: str
) -> None:
    server, _ = pair
    fill(server, 2)
    client = retriever(server, *contexts, roles=roles)
    client.send(client.get_request(study()))
    said, response, data = final(client)

    assert said == Counted(0xA702, 0, 2, 0)
    assert response.error_comment == f"2 of 2 failed: {why}"
    assert failed_list(data) == [uid_of(1), uid_of(2)]
    assert legs(server) == []
    client.release()


def test_a_cancel_between_two_sub_operations_ends_the_get(pair: Pair) -> None:
    server, _ = pair
    fill(server, 3)
    client = getting(server)
    context_id, command, _ = next_sub_operation(client)
    client.send(client.cancel_request(context_id=9))  # what is begun is done, the next is not
    answer(client, context_id, command)
    said, _, data = final(client)

    assert said == Counted(0xFE00, 1, 0, 0, 2)
    assert data is None
    assert client.echo() == 0
    assert len(legs(server)) == 1


def test_a_cancel_before_the_first_sub_operation(pair: Pair) -> None:
    """Both are in the same bytes: nothing has begun when the cancel is read."""
    server, _ = pair
    fill(server, 2)
    client = retriever(server)
    client.send(client.get_request(study()), client.cancel_request(context_id=9))
    said, _, data = final(client)

    assert (said, data) == (Counted(0xFE00, 0, 0, 0, 2), None)
    assert legs(server) == []


def test_a_cancel_of_a_move_after_a_failure(pair: Pair) -> None:
    server, destination = pair
    fill(server, 3)
    client = moving(server, destination)
    leg = destination.associated()
    leg.take(0)
    context_id, command, _ = leg.message_in()
    client.send(client.cancel_request(context_id=7))
    server.has_read_all()
    leg.answer(command, 0xA700, context_id=context_id)
    leg.released()
    said, _, data = final(client)

    assert said == Counted(0xFE00, 1, 1, 0, 1)
    assert failed_list(data) == [uid_of(2)]
    assert client.echo() == 0


# what is recorded of it


@pytest.mark.parametrize("pixels", [64, 40_000])
def test_legs_that_go_on_in_a_new_part_of_the_recording(serve: Serve, destination: Make, pixels: int) -> None:
    """Each part can be read on its own; that all of them tell what was reported is seen when the server ends."""
    there = destination()
    server = serve(peer=[there.option], recording_size="64 KiB")
    count = 60 if pixels == 64 else 8
    images = fill(server, count, pixels=pixels)
    client = moving(server, there)
    leg = there.associated()
    assert [data for _, _, data in leg.take(*[0] * count)] == images
    leg.released()
    assert final(client)[0] == Counted(0, count, 0, 0)
    client.send(client.get_request(study()))
    assert take(client, *[0] * count) == images
    assert final(client)[0] == Counted(0, count, 0, 0)
    client.release()

    assert len({one.place.path for one in server.exchanges if one.place}) > 2
    assert [one.cause for one in legs(server)] == ["2.1"] * count + ["2.2"] * count
