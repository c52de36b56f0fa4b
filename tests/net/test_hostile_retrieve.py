"""Retrieves with somebody who does not behave: destinations, who asked, the disk, and stops in the middle."""

from __future__ import annotations

import random
import socket
import threading
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mockpacs.net.dialer import Dialer
from mockpacs.traffic.exchange import Notice
from mockpacs.wire import (
    Abort,
    AssociateAC,
    Command,
    CommandField,
    PDataTF,
    ReleaseRP,
    ReleaseRQ,
    Tag,
    Value,
    encode_pdu,
    request,
    response_to,
)
from tests.net.conftest import Served, stored
from tests.net.destination import Destination, Leg, read_message
from tests.net.retrieving import (
    AS_SCP,
    Counted,
    answer,
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
from tests.net.test_hostile_fuzz import damage
from tests.net.wire_client import CT, RETRIEVE_CONTEXTS, WireClient, ct_image

Serve = Callable[..., Served]
Make = Callable[..., Destination]
Pair = tuple[Served, Destination]

SHORT = {"artim_timeout": "300ms", "network_timeout": "300ms"}
BIG = 12_000_000
"""Bytes of pixels: more than the systems at both ends and the server hold for a peer that does not read."""


@pytest.fixture
def pair(serve: Serve, destination: Make) -> Pair:
    """A server, and the one destination that it knows."""
    there = destination()
    return serve(peer=[there.option]), there


@pytest.fixture
def hasty(serve: Serve, destination: Make) -> Pair:
    """The same with a server that does not wait for long."""
    there = destination()
    return serve(peer=[there.option], **SHORT), there


def lost(client: WireClient, count: int = 2) -> str:
    """All failed; what the first failed of."""
    said, response, data = final(client)
    assert said == Counted(0xA702, 0, count, 0)
    assert failed_list(data) == [uid_of(n) for n in range(1, count + 1)]
    assert response.error_comment is not None
    assert response.error_comment.startswith(f"{count} of {count} failed: ")
    return response.error_comment.partition(": ")[2]


def why(server: Served, kind: str = "aborted") -> list[str]:
    """What was told of the ends of associations that the server opened."""
    return [one.text for one in server.notices(kind) if one.association is not None and one.association.by_us]


# a destination before it is one


def test_nobody_listens(pair: Pair) -> None:
    server, destination = pair
    fill(server, 2)
    where = destination.option.split("=")[1]
    destination.close_door()
    client = moving(server, destination)

    assert lost(client) == "DESTINATION cannot be reached: Connection refused"
    (notice,) = server.notices("trouble")
    assert notice.text == f"DESTINATION at {where} cannot be reached: Connection refused (for 2.1)"
    assert client.echo() == 0
    assert legs(server) == []


@pytest.mark.parametrize("host", ["no-such-host.invalid", "b\u00fccher.invalid"])
def test_a_name_that_is_none(serve: Serve, host: str) -> None:
    server = serve()
    fill(server, 2)
    server.pacs.peers.add("NOWHERE", host, 104)
    client = retriever(server)
    client.send(client.move_request(study(), "NOWHERE"))

    assert lost(client).startswith("NOWHERE cannot be reached: ")
    assert len(troubles(server)) == 1


def full_door(stack: ExitStack) -> int:
    """A port whose system answers no further connection: its queue is full. Whoever connects waits."""
    door = stack.enter_context(socket.socket())
    door.bind(("127.0.0.1", 0))
    door.listen(0)
    for _ in range(8):
        waiting = stack.enter_context(socket.socket())
        waiting.setblocking(False)
        waiting.connect_ex(door.getsockname())
    port: int = door.getsockname()[1]
    return port


def test_a_destination_that_cannot_be_connected_to_in_time(serve: Serve) -> None:
    with ExitStack() as stack:
        port = full_door(stack)
        server = serve(artim_timeout="300ms")
        fill(server, 2)
        server.pacs.peers.add("FULL", "127.0.0.1", port)
        client = retriever(server)
        client.send(client.move_request(study(), "FULL"))

        assert lost(client) == "FULL cannot be reached: no connection within 0.3"


def test_a_destination_that_does_not_answer_the_association_request(hasty: Pair) -> None:
    server, destination = hasty
    fill(server, 2)
    client = moving(server, destination)
    leg = destination.asked()

    assert leg.read_abort() == (0, 0)
    leg.socket.close()
    assert lost(client).startswith("no answer to the association request within")
    assert why(server) == ["aborted by us: no answer to the association request within 0.3 s (artim_timeout)"]
    destination.nobody_came()


def accepted(leg: Leg) -> bytes:
    return encode_pdu(leg.answer_to_request())


INSTEAD_OF_AN_ANSWER: dict[str, Callable[[Leg], object]] = {
    "FIN": lambda leg: leg.socket.close(),
    "RST": lambda leg: leg.reset(),
    "an abort": lambda leg: leg.send(encode_pdu(Abort(2, 1))),
    "garbage": lambda leg: leg.send(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
    "half an answer and FIN": lambda leg: leg.leave_with(accepted(leg)[:50]),
    "half an answer": lambda leg: leg.send(accepted(leg)[:-1]),
    "half a header": lambda leg: leg.send(b"\2\0\0"),
    "a PDU of 4 GB": lambda leg: leg.send(b"\2\0\xff\xff\xff\xff"),
    "a request": lambda leg: leg.send(leg.request_bytes),
    "data": lambda leg: leg.send(leg.echo_request()),
    "a release request": lambda leg: leg.send(encode_pdu(ReleaseRQ())),
    "a release response": lambda leg: leg.send(encode_pdu(ReleaseRP())),
    "a broken answer": lambda leg: leg.send(b"\2\0\0\0\0\x08" + bytes(8)),
}


@pytest.mark.parametrize("say", INSTEAD_OF_AN_ANSWER.values(), ids=INSTEAD_OF_AN_ANSWER)
def test_anything_but_an_answer_to_the_association_request(hasty: Pair, say: Callable[[Leg], object]) -> None:
    server, destination = hasty
    fill(server, 2)
    client = moving(server, destination)
    leg = destination.asked()
    say(leg)
    if leg.socket.fileno() >= 0:
        assert isinstance(pdu := leg.read(), Abort | None), pdu
        leg.socket.close()

    assert lost(client)
    assert len(why(server)) == 1
    destination.nobody_came()
    assert client.echo() == 0
    server.still_serves()


STRANGE_ANSWERS: dict[str, Callable[[AssociateAC], AssociateAC]] = {
    "no context is answered": lambda ac: AssociateAC(ac.called, ac.calling, (), ac.user),
    "contexts that were not proposed": lambda ac: AssociateAC(
        ac.called,
        ac.calling,
        tuple(type(one)(one.context_id + 100, 0, one.transfer_syntax) for one in ac.contexts),
        ac.user,
    ),
    "a transfer syntax that was not proposed": lambda ac: AssociateAC(
        ac.called, ac.calling, tuple(replace(one, transfer_syntax="1.2.3.4") for one in ac.contexts), ac.user
    ),
    "no transfer syntax": lambda ac: AssociateAC(
        ac.called, ac.calling, tuple(replace(one, transfer_syntax="") for one in ac.contexts), ac.user
    ),
}


@pytest.mark.parametrize("strange", STRANGE_ANSWERS.values(), ids=STRANGE_ANSWERS)
def test_an_answer_that_accepts_nothing_of_use(pair: Pair, strange: Callable[[AssociateAC], AssociateAC]) -> None:
    server, destination = pair
    fill(server, 2)
    client = moving(server, destination)
    leg = destination.asked()
    leg.send(encode_pdu(strange(leg.answer_to_request())))
    leg.released()

    assert lost(client)
    assert legs(server) == []
    assert troubles(server) == []


def troubles(server: Served) -> list[Notice]:
    """All but those that say a comment whole which the peer got cut."""
    return [one for one in server.notices("trouble") if not one.text.startswith("C-MOVE ")]


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 5, 6])
def test_a_destination_whose_maximum_length_carries_nothing(pair: Pair, limit: int) -> None:
    server, destination = pair
    fill(server, 2)
    client = moving(server, destination)
    leg = destination.associated(max_pdu=limit)
    leg.released()

    assert lost(client) == f"DESTINATION takes PDUs of {limit} bytes, too short for"
    assert [one.text for one in server.notices("trouble")] == [
        f"C-MOVE 2.1: 2 of 2 failed: DESTINATION takes PDUs of {limit} bytes, too short for any message"
    ]
    assert client.echo() == 0


# a destination in the middle of a sub-operation


INSTEAD_OF_A_RESPONSE: dict[str, Callable[[Leg, Command], object]] = {
    "FIN": lambda leg, _: leg.socket.close(),
    "RST": lambda leg, _: leg.reset(),
    "an abort": lambda leg, _: leg.send(encode_pdu(Abort(0, 0))),
    "garbage": lambda leg, _: leg.send(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
    "silence": lambda leg, _: None,
    "half a response": lambda leg, command: leg.send(leg.answer_bytes(command)[:-1]),
    "half a response and FIN": lambda leg, command: leg.leave_with(leg.answer_bytes(command)[:-1]),
    "a wrong message id": lambda leg, command: leg.answer(command, elements={Tag.MESSAGE_ID_RESPONDED_TO: 77}),
    "no message id": lambda leg, _: leg.send(
        leg.message(1, Command({Tag.COMMAND_FIELD: CommandField.C_STORE_RSP, Tag.DATA_SET_TYPE: 0x0101, Tag.STATUS: 0}))
    ),
    "a release request": lambda leg, _: leg.send(encode_pdu(ReleaseRQ())),
    "an association request": lambda leg, _: leg.send(leg.request_bytes),
    "a context that was not accepted": lambda leg, command: leg.answer(command, context_id=99),
    "an association answer": lambda leg, _: leg.send(accepted(leg)),
    "a command set that is none": lambda leg, _: leg.send(b"\4\0\0\0\0\x0a\0\0\0\6\1\3ABCD"),
    "pending for ever": lambda leg, command: leg.answer(command, 0xFF00),
}


@pytest.mark.parametrize("say", INSTEAD_OF_A_RESPONSE.values(), ids=INSTEAD_OF_A_RESPONSE)
def test_anything_but_a_response(hasty: Pair, say: Callable[[Leg, Command], object]) -> None:
    server, destination = hasty
    fill(server, 3)
    client = moving(server, destination)
    leg = destination.associated()
    leg.take(0)
    _, command, _ = leg.message_in()
    say(leg, command)
    while leg.socket.fileno() >= 0:
        pdu = leg.read()
        assert isinstance(pdu, Abort | ReleaseRP | None), pdu
        if not isinstance(pdu, ReleaseRP):
            break
        leg.socket.close()
    leg.socket.close()
    said, _, data = final(client)

    assert said == Counted(0xB000, 1, 2, 0)
    assert failed_list(data) == [uid_of(2), uid_of(3)]
    destination.nobody_came()
    told = [(one.status, one.comment) for one in legs(server)]
    assert told == [(0, ""), (None, "the association ended before the answer")]
    assert client.echo() == 0
    server.still_serves()


def test_a_response_whose_data_set_never_ends_has_a_status_all_the_same(hasty: Pair) -> None:
    server, destination = hasty
    fill(server, 2)
    client = moving(server, destination)
    leg = destination.associated()
    _, command, _ = leg.message_in()
    leg.send(leg.answer_bytes(command, 0xB000, data=bytes(100))[:-50])
    assert leg.read_abort() == (0, 0)
    leg.socket.close()

    assert final(client)[0] == Counted(0xB000, 0, 1, 1)


ALSO_A_RESPONSE: dict[str, Callable[[Leg, Command], object]] = {
    "twice": lambda leg, command: leg.send(leg.answer_bytes(command) * 2),
    "another context": lambda leg, command: leg.answer(command, context_id=3),
    "a data set": lambda leg, command: leg.answer(command, data=bytes(1000)),
    "a wrong message id first": lambda leg, command: leg.send(
        leg.answer_bytes(command, 0xA700, elements={Tag.MESSAGE_ID_RESPONDED_TO: 77}), leg.answer_bytes(command)
    ),
    "a wrong message id with a data set first": lambda leg, command: leg.send(
        leg.answer_bytes(command, 0xA700, elements={Tag.MESSAGE_ID_RESPONDED_TO: 77}, data=bytes(1000)),
        leg.answer_bytes(command),
    ),
    "pending first": lambda leg, command: leg.send(leg.answer_bytes(command, 0xFF00), leg.answer_bytes(command)),
    "byte by byte": lambda leg, command: leg.drip(leg.answer_bytes(command)),
    "in many fragments": lambda leg, command: _with_limit(leg, command, 8),
    "with an echo request before": lambda leg, command: leg.send(leg.echo_request(), leg.answer_bytes(command)),
    "with a cancel before": lambda leg, command: leg.send(leg.cancel_request(context_id=1), leg.answer_bytes(command)),
}


def _with_limit(leg: Leg, command: Command, limit: int) -> None:
    usual, leg.max_pdu = leg.max_pdu, limit
    leg.answer(command)
    leg.max_pdu = usual


@pytest.mark.parametrize("say", ALSO_A_RESPONSE.values(), ids=ALSO_A_RESPONSE)
def test_what_else_comes_with_a_response(pair: Pair, say: Callable[[Leg, Command], object]) -> None:
    server, destination = pair
    fill(server, 3)
    client = moving(server, destination)
    leg = destination.associated()
    answered = []
    while (pdu := leg.read_or_release()) is not None:
        if pdu.is_request:
            say(leg, pdu)
            answered.append(pdu.message_id)
        else:  # what we answer to a request that nobody may send
            assert pdu.status == 0x0211
    leg.read_end()

    assert final(client)[0] == Counted(0, 3, 0, 0)
    assert answered == [1, 2, 3]
    assert [one.status for one in legs(server)] == [0, 0, 0]


def test_a_response_without_a_status_has_failed_and_is_no_end(pair: Pair) -> None:
    server, destination = pair
    fill(server, 2)
    client = moving(server, destination)
    leg = destination.associated()
    leg.message_in()
    elements: dict[int, Value] = {
        Tag.COMMAND_FIELD: CommandField.C_STORE_RSP,
        Tag.MESSAGE_ID_RESPONDED_TO: 1,
        Tag.DATA_SET_TYPE: 0x0101,
    }
    leg.send(leg.message(1, Command(elements)))
    leg.take(0)
    leg.released()

    assert final(client)[0] == Counted(0xB000, 1, 1, 0)


def test_a_response_before_anything_was_asked_answers_nothing(pair: Pair) -> None:
    server, destination = pair
    fill(server, 1)
    client = moving(server, destination)
    leg = destination.asked()
    elements: dict[int, Value] = {Tag.AFFECTED_SOP_CLASS: CT, Tag.AFFECTED_SOP_INSTANCE: uid_of(1)}
    early = request(CommandField.C_STORE_RQ, 1, has_dataset=True, elements=elements)
    leg.send(accepted(leg), leg.answer_bytes(early, 0xA700))
    leg.take(0)
    leg.released()

    assert final(client)[0] == Counted(0, 1, 0, 0)
    (notice,) = server.notices("trouble")
    assert notice.text == "C_STORE_RSP came, but nothing was asked; ignored"


def test_a_request_of_the_destination_is_refused_on_its_own_context(pair: Pair) -> None:
    server, destination = pair
    fill(server, 1)
    client = moving(server, destination)
    leg = destination.associated()
    _, command, _ = leg.message_in()
    leg.send(leg.message(3, leg.store_command(9, CT, "1.2.9"), ct_image("1.2.9")))
    context_id, response, _ = leg.message_in()
    leg.answer(command)
    leg.released()

    assert (context_id, response.status, response.message_id_responded_to) == (3, 0x0211, 9)
    assert response.field is CommandField.C_STORE_RSP
    assert final(client)[0] == Counted(0, 1, 0, 0)
    assert server.pacs.archive.instance("1.2.9") is None
    (refused,) = [one for one in server.exchanges if one.association.by_us and not one.asked_by_us]
    assert (refused.service, refused.status, refused.subject) == ("C-STORE", 0x0211, f"? 1.2.9  {refused.size} B")


def test_a_final_response_before_the_data_set_has_left(serve: Serve, destination: Make) -> None:
    """What is left of the data set follows all the same: the next message must not begin in the middle of it."""
    there = destination(receive_buffer=4096)
    server = serve(peer=[there.option])
    images = fill(server, 2, pixels=BIG)
    client = moving(server, there)
    leg = there.associated()
    for n, (image, status) in enumerate(zip(images, (0xA700, 0), strict=True), 1):
        command = leg.command_in()
        assert command.message_id == n
        leg.answer(command, status)
        server.has_read_all()
        assert leg.data_in() == image
    leg.released()
    said, _, data = final(client)

    assert said == Counted(0xB000, 1, 1, 0)
    assert failed_list(data) == [uid_of(1)]
    assert [one.status for one in legs(server)] == [0xA700, 0]


def test_a_destination_that_never_reads(serve: Serve, destination: Make) -> None:
    there = destination(receive_buffer=4096)
    server = serve(peer=[there.option], network_timeout="300ms")
    fill(server, 2, pixels=BIG)
    client = moving(server, there)
    leg = there.associated()

    assert lost(client) == "aborted by us: the peer takes nothing of what we"
    assert why(server) == ["aborted by us: the peer takes nothing of what we send for 0.3 s (network_timeout)"]
    leg.socket.close()
    assert client.echo() == 0
    there.nobody_came()


def test_a_destination_that_reads_slowly_is_waited_for(serve: Serve, destination: Make) -> None:
    """All the time that it takes something is longer than the time for one that takes nothing."""
    there = destination(receive_buffer=4096)
    server = serve(peer=[there.option], network_timeout="1s")
    (image,) = fill(server, 1, pixels=BIG)
    client = moving(server, there)
    leg = there.associated()
    command = leg.command_in()
    pause, data = threading.Event(), bytearray()
    while len(data) < len(image):
        pdu = leg.read()
        assert isinstance(pdu, PDataTF), pdu
        data += b"".join(pdv.data for pdv in pdu.pdvs)
        pause.wait(0.003)
    leg.answer(command)
    leg.released()

    assert data == image
    assert final(client)[0] == Counted(0, 1, 0, 0)


@pytest.mark.parametrize("seed", range(3))
def test_damaged_answers(serve: Serve, destination: Make, seed: int) -> None:
    """Whatever becomes of them, each C-MOVE is answered, and the recording tells what was reported."""
    many = [destination(f"D{n}") for n in range(12)]
    server = serve(peer=[there.option for there in many], **SHORT)
    fill(server, 3)
    clients = [moving(server, there, calling=f"RAW{n}") for n, there in enumerate(many)]
    playing = [
        threading.Thread(target=_answer_badly, args=(there, random.Random(100 * seed + n)))
        for n, there in enumerate(many)
    ]
    for one in playing:
        one.start()
    for client in clients:
        said, _, _ = final(client)
        assert (said.completed or 0) + (said.failed or 0) + (said.warning or 0) == 3
    for one in playing:
        one.join()
    assert not [one.text for one in server.notices("trouble") if "failed in the server" in one.text]


def _answer_badly(there: Destination, noise: random.Random) -> None:
    leg = there.asked()
    with suppress(AssertionError, OSError):  # what comes from the server is looked at elsewhere
        leg.send(damage(noise, accepted(leg)) if noise.random() < 0.4 else accepted(leg))
        for _ in range(3):
            _, command, _ = leg.message_in()
            response = leg.answer_bytes(command)
            leg.send(damage(noise, response) if noise.random() < 0.6 else response)
        leg.released()
    leg.socket.close()


# the end of an association to a destination


def test_a_destination_that_does_not_agree_to_the_release(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mockpacs.net.requestor._RELEASE_SECONDS", 0.2)
    server, destination = pair
    fill(server, 1)
    client = moving(server, destination)
    leg = destination.associated()
    leg.take(0)
    assert isinstance(leg.read(), ReleaseRQ)
    assert leg.read_abort() == (0, 0)
    leg.read_end()

    assert final(client)[0] == Counted(0, 1, 0, 0)
    assert why(server) == ["aborted by us: the peer does not answer our release request"]


RELEASES: dict[str, Callable[[Leg], object]] = {
    "its own request": lambda leg: leg.send(encode_pdu(ReleaseRQ())),
    "FIN": lambda leg: leg.socket.close(),
    "RST": lambda leg: leg.reset(),
    "an abort": lambda leg: leg.send(encode_pdu(Abort(0, 0))),
    "garbage": lambda leg: leg.send(b"BYE BYE"),
    "data first": lambda leg: leg.send(leg.echo_request(), encode_pdu(ReleaseRP())),
    "the response twice": lambda leg: leg.send(encode_pdu(ReleaseRP()) * 2),
}


@pytest.mark.parametrize("say", RELEASES.values(), ids=RELEASES)
def test_what_else_comes_instead_of_a_release(pair: Pair, say: Callable[[Leg], object]) -> None:
    server, destination = pair
    fill(server, 1)
    client = moving(server, destination)
    leg = destination.associated()
    leg.take(0)
    assert isinstance(leg.read(), ReleaseRQ)
    say(leg)
    if leg.socket.fileno() >= 0:
        while (pdu := leg.read()) is not None:
            if isinstance(pdu, ReleaseRP):  # it agrees to ours; now we to its
                leg.send(encode_pdu(ReleaseRP()))
    leg.socket.close()

    assert final(client)[0] == Counted(0, 1, 0, 0)
    assert client.echo() == 0


def test_an_association_that_ended_while_nothing_was_sent(pair: Pair) -> None:
    """The destination aborts as soon as it has answered: the next sub-operation finds nobody."""
    server, destination = pair
    fill(server, 3)
    client = moving(server, destination)
    leg = destination.associated()
    context_id, command, _ = leg.message_in()
    leg.send(leg.answer_bytes(command, context_id=context_id), encode_pdu(Abort(0, 0)))
    leg.socket.close()

    assert final(client)[0] == Counted(0xB000, 1, 2, 0)
    destination.nobody_came()


# who asked for a move, and is gone


LEAVING: dict[str, Callable[[WireClient], object]] = {
    "an abort": lambda client: client.send(encode_pdu(Abort(0, 0))),
    "FIN": lambda client: client.socket.close(),
    "RST": lambda client: client.reset(),
    "garbage": lambda client: client.send(b"HELLO!"),
}


@pytest.mark.parametrize("leave", LEAVING.values(), ids=LEAVING)
def test_who_asked_for_a_move_is_gone(pair: Pair, leave: Callable[[WireClient], object]) -> None:
    """What is begun is done, the next is not."""
    server, destination = pair
    fill(server, 3)
    client = moving(server, destination)
    leg = destination.associated()
    _, command, _ = leg.message_in()
    leave(client)
    server.has_read_all()
    leg.answer(command)
    leg.released()
    server.wait_for(lambda: any(one.service == "C-MOVE" for one in server.exchanges))

    (move,) = [one for one in server.exchanges if one.service == "C-MOVE"]
    assert (move.status, move.comment) == (None, "the association ended before the answer")
    assert [one.status for one in legs(server)] == [0]
    server.still_serves()


def test_who_asked_for_a_move_releases_and_is_answered_first(pair: Pair) -> None:
    server, destination = pair
    fill(server, 2)
    client = moving(server, destination)
    client.send(encode_pdu(ReleaseRQ()))
    leg = destination.associated()
    leg.take(0, 0)
    leg.released()

    assert final(client)[0] == Counted(0, 2, 0, 0)
    assert isinstance(client.read(), ReleaseRP)


# who asked for a C-GET


@pytest.mark.parametrize("leave", LEAVING.values(), ids=LEAVING)
@pytest.mark.parametrize("pixels", [64, BIG])
def test_who_asked_for_a_get_is_gone(server: Served, leave: Callable[[WireClient], object], pixels: int) -> None:
    fill(server, 3, pixels=pixels)
    client = retriever(server)
    client.send(client.get_request(study()))
    if pixels == BIG:  # of which only a part can be on its way
        assert isinstance(client.read(), PDataTF)
    else:
        next_sub_operation(client)
    leave(client)
    server.wait_for(lambda: any(one.service == "C-GET" for one in server.exchanges))
    client.socket.close()

    (get,) = [one for one in server.exchanges if one.service == "C-GET"]
    assert (get.status, get.comment) == (None, "the association ended before the answer")
    within = "within the data set" if pixels == BIG else "before the answer"
    assert [(one.status, one.comment) for one in legs(server)] == [(None, f"the association ended {within}")]


def test_a_release_in_the_middle_of_a_get_ends_it_in_order(server: Served) -> None:
    fill(server, 3)
    client = getting(server)
    take(client, 0)
    next_sub_operation(client)
    client.send(encode_pdu(ReleaseRQ()))
    said, response, data = final(client)

    assert said == Counted(0xB000, 1, 2, 0)
    assert response.error_comment == "2 of 3 failed: the peer asked for the release"
    assert failed_list(data) == [uid_of(2), uid_of(3)]
    assert isinstance(client.read(), ReleaseRP)
    client.hear_nothing_more()


def test_an_answer_behind_a_release_is_none(server: Served) -> None:
    """PS3.8 9.2: who has asked for the release sends no data any more."""
    fill(server, 2)
    client = getting(server)
    context_id, command, _ = next_sub_operation(client)
    client.send(encode_pdu(ReleaseRQ()), client.message(context_id, response_to(command, 0)))
    while isinstance(pdu := client.read(), PDataTF):
        pass
    assert pdu == Abort(2, 2)
    assert [one.status for one in legs(server)] == [None]


def test_a_release_behind_a_get_that_has_not_begun(server: Served) -> None:
    """After its release request it can answer nothing any more: nobody waits for that."""
    fill(server, 2)
    client = retriever(server)
    client.send(client.echo_request() * 50, client.get_request(study()), encode_pdu(ReleaseRQ()))
    for _ in range(50):
        assert client.response()[0].status == 0
    said, response, _ = final(client)

    assert said == Counted(0xA702, 0, 2, 0)
    assert response.error_comment == "2 of 2 failed: the peer asked for the release"
    assert isinstance(client.read(), ReleaseRP)


def test_a_release_in_the_middle_of_a_data_set_is_an_abort(server: Served) -> None:
    """The response would have to stand in the middle of the data set."""
    fill(server, 2, pixels=BIG)
    client = retriever(server)
    client.send(client.get_request(study()))
    assert isinstance(client.read(), PDataTF)
    client.send(encode_pdu(ReleaseRQ()))
    while isinstance(pdu := client.read(), PDataTF):
        pass
    assert pdu == Abort(0, 0)
    assert [one.text for one in server.notices("aborted")] == [
        "aborted by us: the peer asked for the release while a sub-operation was sent to it"
    ]


def test_who_asked_for_a_get_and_answers_nothing(serve: Serve) -> None:
    server = serve(network_timeout="300ms")
    fill(server, 2)
    client = getting(server)
    next_sub_operation(client)

    assert client.read_abort() == (2, 0)
    assert [one.text for one in server.notices("aborted")] == [
        "aborted by us: nothing was heard for 0.3 s (network_timeout)"
    ]
    server.still_serves()


def test_who_asked_for_a_get_and_reads_nothing(serve: Serve) -> None:
    server = serve(network_timeout="300ms")
    fill(server, 2, pixels=BIG)
    client = server.connect()
    client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.associate(*RETRIEVE_CONTEXTS, roles=AS_SCP)
    client.send(client.get_request(study()))
    server.wait_for(lambda: server.notices("aborted"))
    assert [one.text for one in server.notices("aborted")] == [
        "aborted by us: the peer takes nothing of what we send for 0.3 s (network_timeout)"
    ]
    server.still_serves()


@pytest.mark.parametrize("count", [40, 500])
def test_many_requests_during_a_get_do_not_keep_its_answers_away(server: Served, count: int) -> None:
    """More than may wait before a peer is not read any more."""
    images = fill(server, 2)
    client = getting(server)
    context_id, command, data = next_sub_operation(client)
    client.send(client.echo_request() * count)
    answer(client, context_id, command)
    assert [data, *take(client, 0)] == images
    heard = [client.response()[0] for _ in range(count + 1)]

    assert heard[0].field is CommandField.C_GET_RSP
    assert (heard[0].status, heard[0].completed_sub_operations) == (0, 2)
    assert {one.field for one in heard[1:]} == {CommandField.C_ECHO_RSP}
    client.release()


def test_a_flood_of_requests_during_a_get_ends_the_association(server: Served) -> None:
    fill(server, 1)
    client = getting(server)
    next_sub_operation(client)
    flood = threading.Thread(target=client.send, args=(client.echo_request() * 3000,))
    flood.start()
    assert client.read_abort() == (0, 0)
    flood.join()
    assert [one.text for one in server.notices("aborted")] == [
        "aborted by us: too many requests came while a C-GET was being served"
    ]


def test_many_requests_before_a_get_and_behind_it(server: Served) -> None:
    """It begins while the peer is made to wait because of all that waits."""
    images = fill(server, 2)
    client = retriever(server)
    echoes = client.echo_request() * 200
    client.send(echoes, client.get_request(study()), echoes)
    for _ in range(200):
        assert client.response()[0].status == 0
    assert take(client, 0, 0) == images
    assert final(client)[0] == Counted(0, 2, 0, 0)
    for _ in range(200):
        assert client.response()[0].status == 0
    client.release()


def test_two_gets_and_a_store_at_once(server: Served) -> None:
    images = fill(server, 2)
    client = retriever(server)
    stored_meanwhile = client.store_request(ct_image("1.2.9", study="1.2.9"), "1.2.9")
    client.send(client.get_request(study()), stored_meanwhile, client.get_request(study()), client.echo_request())
    assert take(client, 0, 0) == images
    first, _, _ = final(client)
    assert client.response()[0].field is CommandField.C_STORE_RSP
    assert take(client, 0, 0xA700) == images
    second, _, data = final(client)

    assert (first, second) == (Counted(0, 2, 0, 0), Counted(0xB000, 1, 1, 0))
    assert failed_list(data) == [uid_of(2)]
    assert client.response()[0].field is CommandField.C_ECHO_RSP
    assert [one.command.message_id for one in legs(server) if one.command] == [1, 2, 3, 4]
    client.release()


def test_a_store_in_the_middle_of_a_get(server: Served) -> None:
    """Its data set and the answers to the sub-operations come one behind the other."""
    images = fill(server, 2)
    client = getting(server)
    for image in images:
        context_id, command, data = next_sub_operation(client)
        assert data == image
        new = f"1.2.9.{command.message_id}"
        client.send(client.store_request(ct_image(new, study="1.2.9", pixels=300_000), new))
        answer(client, context_id, command)
    assert final(client)[0] == Counted(0, 2, 0, 0)
    assert [client.response()[0].status for _ in images] == [0, 0]
    assert server.pacs.archive.instance("1.2.9.2") is not None
    client.release()


STRANGE_IN_A_GET: dict[str, Callable[[WireClient, int, Command], object]] = {
    "twice": lambda client, context, command: client.send(client.message(context, _response(command)) * 2),
    "another context": lambda client, _, command: answer(client, 1, command),
    "a data set": lambda client, context, command: client.send(
        client.message(context, _response(command, has_dataset=True), bytes(1000))
    ),
    "a wrong message id with a data set first": lambda client, context, command: client.send(
        client.message(context, _response(command, has_dataset=True, elements={Tag.MESSAGE_ID_RESPONDED_TO: 77}), b"1"),
        client.message(context, _response(command)),
    ),
    "a cancel of nothing first": lambda client, context, command: client.send(
        client.message(context, _cancel(999)), client.message(context, _response(command))
    ),
}


def _response(command: Command, **how: object) -> Command:
    return response_to(command, 0, **how)  # type: ignore[arg-type]


def _cancel(message_id: int) -> Command:
    return Command(
        {
            Tag.COMMAND_FIELD: CommandField.C_CANCEL_RQ,
            Tag.MESSAGE_ID_RESPONDED_TO: message_id,
            Tag.DATA_SET_TYPE: 0x0101,
        }
    )


@pytest.mark.parametrize("say", STRANGE_IN_A_GET.values(), ids=STRANGE_IN_A_GET)
def test_strange_responses_in_a_get(server: Served, say: Callable[[WireClient, int, Command], object]) -> None:
    images = fill(server, 3)
    client = getting(server)
    for image in images:
        context_id, command, data = next_sub_operation(client)
        assert data == image
        say(client, context_id, command)

    assert final(client)[0] == Counted(0, 3, 0, 0)
    assert client.echo() == 0
    client.release()


# the disk


def test_a_file_that_is_gone_fails_alone(archive: Served) -> None:
    images = fill(archive, 3)
    assert archive.storage is not None
    (gone,) = [path for path, data in stored(archive.storage).items() if data.endswith(images[1])]
    (archive.storage / "archive" / gone).unlink()
    client = getting(archive)
    assert take(client, 0, 0) == [images[0], images[2]]
    said, _, data = final(client)

    assert said == Counted(0xB000, 2, 1, 0)
    assert failed_list(data) == [uid_of(2)]
    assert client.echo() == 0


@pytest.mark.parametrize("service", ["C-GET", "C-MOVE"])
def test_a_file_that_becomes_shorter_while_it_is_sent(
    serve: Serve, destination: Make, tmp_path: Path, service: str
) -> None:
    """Half a data set has left and cannot be taken back: the association ends, and says so.

    The destination of a C-MOVE did nothing wrong: what is still to come gets another association.
    """
    there = destination(receive_buffer=4096)
    server = serve(storage=tmp_path / "storage", peer=[there.option], record=False)
    fill(server, 2, pixels=BIG)
    peer: WireClient
    if service == "C-GET":
        peer = client = retriever(server)
        client.send(client.get_request(study()))
        assert isinstance(client.read(), PDataTF)
    else:
        client = moving(server, there)
        peer = there.associated()
        assert isinstance(peer.read(), PDataTF)
    (path,) = (tmp_path / "storage/archive").rglob(f"{uid_of(1)}.dcm")
    with path.open("r+b") as file:
        file.truncate(1000)
    while isinstance(pdu := peer.read(), PDataTF):
        pass

    assert pdu == Abort(0, 0)
    (notice,) = server.notices("aborted")
    assert notice.text.startswith("aborted by us: a data set cannot be read to its end: ")
    if service == "C-MOVE":
        peer.socket.close()
        again = there.associated()
        again.take(0x0000)
        again.released()
        said, _, data = final(client)
        assert said == Counted(0xB000, 1, 1, 0)
        assert failed_list(data) == [uid_of(1)]
    server.still_serves()


def test_what_is_deleted_meanwhile_fails_alone(server: Served) -> None:
    images = fill(server, 120)
    client = getting(server)
    context_id, command, data = next_sub_operation(client)
    server.pacs.archive.clear()
    answer(client, context_id, command)
    got = [data]
    while (message := read_message(client))[1].field is CommandField.C_STORE_RQ or message[1].status == 0xFF00:
        if message[1].field is CommandField.C_STORE_RQ:
            answer(client, message[0], message[1])
            got.append(message[2])
    final_response = message[1]

    assert got == images[: len(got)]
    assert final_response.status == 0xB000
    assert final_response.completed_sub_operations == len(got) < 120
    assert final_response.failed_sub_operations == 120 - len(got)


@pytest.mark.parametrize("rules", ["", "rules: [{ when: { service: C-GET, at: { sub-operation: 9 } }, then: abort }]"])
def test_a_system_without_a_thread_left(serve: Serve, monkeypatch: pytest.MonkeyPatch, rules: str) -> None:
    server = serve(rules, record=False)  # where a defect of ours is not told
    images = fill(server, 1)
    start = threading.Thread.start

    def refuse(thread: threading.Thread) -> None:
        if "retrieve" in thread.name:
            raise RuntimeError("can't start new thread")
        start(thread)

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        client = getting(server)
        (response, _) = client.response()
    assert (response.status, response.error_comment) == (0x0110, "RuntimeError in the server")
    assert len(server.notices("trouble")) == 1
    client.send(client.get_request(study()))
    assert take(client, 0) == images
    assert final(client)[0] == Counted(0, 1, 0, 0)


# a stop in the middle of it


def ended(server: Served) -> None:
    """Stop, twice; nothing may be left to end by itself, or this raises."""
    server.pacs.stop()
    server.pacs.stop()


def test_a_stop_while_a_get_waits_for_its_answer(serve: Serve) -> None:
    server = serve()
    fill(server, 2)
    client = getting(server)
    next_sub_operation(client)
    ended(server)

    assert client.read_abort() == (0, 0)
    assert [one.status for one in server.exchanges if one.service == "C-GET"] == [None]


@pytest.mark.parametrize("receive_buffer", [0, 4096])
def test_a_stop_while_nobody_reads_what_is_got(serve: Serve, receive_buffer: int) -> None:
    server = serve()
    fill(server, 2, pixels=BIG)
    client = retriever(server)
    client.send(client.get_request(study()))
    assert isinstance(client.read(), PDataTF)
    ended(server)
    assert [one.status for one in server.exchanges if one.service == "C-GET"] == [None]


def test_a_stop_while_a_destination_is_waited_for(pair: Pair) -> None:
    server, destination = pair
    fill(server, 2)
    client = moving(server, destination)
    leg = destination.associated()
    leg.message_in()
    ended(server)

    assert client.read_abort() == (0, 0)
    assert leg.read_abort() == (0, 0)
    leg.read_end()
    assert why(server) == ["aborted by us: the server stops"]


def test_a_stop_while_a_destination_reads_nothing(serve: Serve, destination: Make) -> None:
    there = destination(receive_buffer=4096)
    server = serve(peer=[there.option])
    fill(server, 2, pixels=BIG)
    moving(server, there)
    leg = there.associated()
    assert isinstance(leg.read(), PDataTF)
    ended(server)
    assert why(server) == ["aborted by us: the server stops"]


def _dialer(server: Served) -> Dialer:
    dialer = server.pacs._running.environment.dialer
    assert dialer is not None
    return dialer


def test_a_stop_while_connecting(serve: Serve) -> None:
    with ExitStack() as stack:
        port = full_door(stack)
        server = serve()
        fill(server, 2)
        server.pacs.peers.add("FULL", "127.0.0.1", port)
        client = retriever(server)
        client.send(client.move_request(study(), "FULL"))
        server.wait_until(lambda: _dialer(server)._connecting)
        ended(server)

        assert client.read_abort() == (0, 0)


def test_a_stop_while_a_name_is_looked_up(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever looks it up cannot be interrupted, and is not waited for."""
    asked, answer = threading.Event(), threading.Event()
    look_up = socket.getaddrinfo

    def slow(host: str, *more: Any, **how: Any) -> Any:
        if host == "slow.example" and not how.get("flags"):
            asked.set()
            assert answer.wait(60)
        return look_up(host, *more, **how)

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    server = serve()
    fill(server, 2)
    server.pacs.peers.add("SLOW", "slow.example", 104)
    client = retriever(server)
    client.send(client.move_request(study(), "SLOW"))
    server.wait_until(asked.is_set)
    stopping = threading.Thread(target=ended, args=(server,))
    stopping.start()
    stopping.join(20)
    is_stopped = not stopping.is_alive()
    answer.set()
    for thread in threading.enumerate():
        if thread is stopping or thread.name.startswith("mockpacs-resolver"):
            thread.join()

    assert is_stopped
    assert client.read_abort() == (0, 0)


def test_a_stop_while_an_association_is_asked_for(pair: Pair) -> None:
    server, destination = pair
    fill(server, 2)
    client = moving(server, destination)
    leg = destination.asked()
    ended(server)

    assert client.read_abort() == (0, 0)
    assert isinstance(leg.read(), Abort | None)


def test_a_stop_while_a_release_is_waited_for(pair: Pair) -> None:
    server, destination = pair
    fill(server, 1)
    moving(server, destination)
    leg = destination.associated()
    leg.take(0)
    assert isinstance(leg.read(), ReleaseRQ)
    ended(server)
    assert leg.read_abort() == (0, 0)


def test_a_stop_in_the_middle_of_many_retrieves(serve: Serve, destination: Make) -> None:
    there = destination()
    server = serve(peer=[there.option])
    fill(server, 5)
    clients = [moving(server, there) for _ in range(8)] + [getting(server) for _ in range(8)]
    open_legs = [there.asked() for _ in range(8)]
    for leg in open_legs[::2]:
        leg.accept()
        leg.take(0, 0)
    for client in clients[8::2]:
        take(client, 0)
    ended(server)
    assert sum(one.service in ("C-GET", "C-MOVE") for one in server.exchanges) == 16
    assert server.notices("trouble") == []
