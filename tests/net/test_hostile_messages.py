"""Messages that break the rules of PS3.7 and PS3.8 Annex E, and legal ones in numbers nobody expects."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import pytest

from mockpacs.wire import (
    PDV,
    Abort,
    Command,
    CommandField,
    PDataTF,
    ProposedContext,
    Tag,
    encode_command,
    encode_pdu,
    request,
)
from tests.net.conftest import Served, stored
from tests.net.wire_client import CONTEXTS, CT, IMPLICIT, STUDY_ROOT_FIND, VERIFICATION, ct_image, element

INVALID_PARAMETER = (2, 6)
UNEXPECTED_PARAMETER = (2, 5)


def raw_element(tag: int, value: bytes, *, group: int = 0, claims: int | None = None) -> bytes:
    """One element of a command set, whose length may lie."""
    return struct.pack("<HHI", group, tag, len(value) if claims is None else claims) + value


def us(tag: int, value: int) -> bytes:
    return raw_element(tag, struct.pack("<H", value))


def pdvs(*fragments: PDV) -> bytes:
    return encode_pdu(PDataTF(fragments))


def command_of(*elements: bytes, context_id: int = 1) -> bytes:
    """A message of one command set."""
    return pdvs(PDV(context_id, True, True, b"".join(elements)))


ECHO = encode_command(request(CommandField.C_ECHO_RQ, 1, elements={Tag.AFFECTED_SOP_CLASS: VERIFICATION}))
STORE = encode_command(
    request(
        CommandField.C_STORE_RQ,
        1,
        has_dataset=True,
        elements={Tag.AFFECTED_SOP_CLASS: CT, Tag.AFFECTED_SOP_INSTANCE: "1.2.3.4.5", Tag.PRIORITY: 0},
    )
)
NO_DATA = us(0x0800, 0x0101)

BROKEN: dict[str, tuple[bytes, tuple[int, int]]] = {
    "data before a command": (pdvs(PDV(3, False, True, b"data")), UNEXPECTED_PARAMETER),
    "data after a message without any": (
        pdvs(PDV(1, True, True, ECHO), PDV(1, False, True, b"x")),
        UNEXPECTED_PARAMETER,
    ),
    "a command in a data set": (
        pdvs(PDV(3, True, True, STORE), PDV(3, False, False, b"x"), PDV(3, True, True, STORE)),
        UNEXPECTED_PARAMETER,
    ),
    "another context in a data set": (
        pdvs(PDV(3, True, True, STORE), PDV(3, False, False, b"x"), PDV(1, True, True, ECHO)),
        INVALID_PARAMETER,
    ),
    "another context in a command": (pdvs(PDV(1, True, False, ECHO), PDV(3, True, True, b"")), INVALID_PARAMETER),
    "data in a command": (pdvs(PDV(1, True, False, ECHO), PDV(1, False, True, b"x")), UNEXPECTED_PARAMETER),
    "an empty command set": (command_of(), INVALID_PARAMETER),
    "an unknown command": (command_of(us(0x0100, 0x0042), us(0x0110, 1), NO_DATA), INVALID_PARAMETER),
    "a command that is no number": (
        command_of(raw_element(0x0100, b"ECHO"), us(0x0110, 1), NO_DATA),
        INVALID_PARAMETER,
    ),
    "no command field": (command_of(us(0x0110, 1), NO_DATA), INVALID_PARAMETER),
    "no message identifier": (command_of(us(0x0100, 0x0030), NO_DATA), INVALID_PARAMETER),
    "a cancel of nothing": (command_of(us(0x0100, 0x0FFF), NO_DATA), INVALID_PARAMETER),
    "no word about a data set": (command_of(us(0x0100, 0x0030), us(0x0110, 1)), INVALID_PARAMETER),
    "an element of another group": (command_of(ECHO, raw_element(0x10, b"DOE^", group=0x10)), INVALID_PARAMETER),
    "an element that claims too much": (command_of(ECHO, raw_element(0x0902, b"x", claims=9)), INVALID_PARAMETER),
    "an element of 4 GiB": (command_of(ECHO, raw_element(0x0902, b"", claims=0xFFFFFFFF)), INVALID_PARAMETER),
    "half an element": (command_of(ECHO, b"\0\0\2"), INVALID_PARAMETER),
    "text": (command_of(b"C-ECHO please"), INVALID_PARAMETER),
}


@pytest.mark.parametrize(("sent", "answer"), BROKEN.values(), ids=BROKEN)
def test_a_message_that_breaks_the_rules_is_aborted(server: Served, sent: bytes, answer: tuple[int, int]) -> None:
    client = server.associate()
    client.send(sent)
    while isinstance(pdu := client.read(), PDataTF):
        pass  # the answer to what was in order before the nonsense
    assert pdu == Abort(*answer)


def test_a_command_set_of_more_than_a_mebibyte_is_aborted(server: Served) -> None:
    client = server.associate()
    client.send(*[pdvs(PDV(1, True, False, bytes(60_000)))] * 18)
    assert client.read_abort() == INVALID_PARAMETER


def test_a_command_set_of_almost_a_mebibyte_is_read(server: Served) -> None:
    client = server.associate()
    client.send(pdvs(PDV(1, True, False, ECHO)))
    filler = raw_element(0x7777, bytes(1_000_000))
    client.send(*[pdvs(PDV(1, True, False, filler[at : at + 50_000])) for at in range(0, len(filler), 50_000)])
    client.send(pdvs(PDV(1, True, True, b"")))
    response, _ = client.response()
    assert (response.status, response.message_id_responded_to) == (0, 1)


def test_fragments_of_one_byte_and_of_none_make_a_message(archive: Served) -> None:
    client = archive.associate()
    data = ct_image()
    empty = PDV(3, True, False, b"")
    command = [fragment for byte in STORE[:-1] for fragment in (PDV(3, True, False, bytes((byte,))), empty)]
    client.send(pdvs(*command, PDV(3, True, True, STORE[-1:])))
    client.send(pdvs(*[PDV(3, False, False, b"")] * 1000))
    client.send(pdvs(*[PDV(3, False, False, bytes((byte,))) for byte in data], PDV(3, False, True, b"")))
    assert client.response()[0].status == 0
    (file,) = stored(archive.storage).values()
    assert file.endswith(data)


def test_fragments_without_an_end_take_no_memory_beyond_the_limit(archive: Served) -> None:
    """50 MB of data set in small fragments and no last one: it waits on disk, and goes with the association."""
    client = archive.associate()
    client.send(pdvs(PDV(3, True, True, STORE)))
    piece = pdvs(*[PDV(3, False, False, bytes(1000))] * 100)
    for _ in range(500):
        client.send(piece)
    assert archive.exchanges == []
    client.reset()
    archive.wait_for(lambda: archive.notices("aborted"))
    archive.still_serves()
    archive.wait_until_nothing_is_incoming()


def test_empty_fragments_without_an_end_are_worth_nothing(server: Served) -> None:
    client = server.associate()
    client.send(pdvs(PDV(3, True, True, STORE)), *[pdvs(*[PDV(3, False, False, b"")] * 10_000)] * 10)
    client.send(pdvs(PDV(3, False, True, ct_image())))
    assert client.response()[0].status == 0


def test_responses_nobody_waits_for_are_ignored_and_told(server: Served) -> None:
    client = server.associate()
    client.send(command_of(us(0x0100, 0x8030), us(0x0120, 1), us(0x0900, 0), NO_DATA))
    client.send(command_of(us(0x0100, 0x8001), us(0x0120, 9), us(0x0900, 0), us(0x0800, 1), context_id=3))
    client.send(pdvs(PDV(3, False, True, b"its data set")))
    assert client.echo() == 0
    assert [notice.text.split()[0] for notice in server.notices("trouble")] == ["C_ECHO_RSP", "C_STORE_RSP"]


def test_a_store_without_a_data_set_is_refused(server: Served) -> None:
    client = server.associate()
    elements = {Tag.AFFECTED_SOP_CLASS: CT, Tag.AFFECTED_SOP_INSTANCE: "1.2.3", Tag.PRIORITY: 0}
    client.send(client.message(3, request(CommandField.C_STORE_RQ, 77, elements=elements)))
    response, _ = client.response()
    assert (response.status, response.message_id_responded_to) == (0xC000, 77)
    assert client.echo() == 0


def test_a_query_without_an_identifier_is_refused(server: Served) -> None:
    client = server.associate()
    command = request(CommandField.C_FIND_RQ, 78, elements={Tag.AFFECTED_SOP_CLASS: STUDY_ROOT_FIND, Tag.PRIORITY: 0})
    client.send(client.message(5, command))
    response, _ = client.response()
    assert (response.status, response.message_id_responded_to) == (0xA900, 78)
    assert client.echo() == 0


def test_a_data_set_that_comes_with_an_echo_is_not_looked_at(server: Served) -> None:
    client = server.associate()
    command = request(CommandField.C_ECHO_RQ, 79, has_dataset=True, elements={Tag.AFFECTED_SOP_CLASS: VERIFICATION})
    client.send(client.message(1, command, b"\xff" * 100_000))
    assert client.response()[0].status == 0
    assert client.echo() == 0


def test_a_store_of_another_class_than_its_context_is_refused(archive: Served) -> None:
    client = archive.associate()
    for sop_class in ("1.2.840.10008.5.1.4.1.1.4", "../../etc/passwd", "", "9." * 200_000):
        client.send(client.store_request(ct_image(), sop_class=sop_class))
        assert client.status() == 0x0122
    assert stored(archive.storage) == {}


UNSERVED = (
    *(CommandField.N_EVENT_REPORT_RQ, CommandField.N_GET_RQ, CommandField.N_SET_RQ, CommandField.N_ACTION_RQ),
    *(CommandField.N_CREATE_RQ, CommandField.N_DELETE_RQ, CommandField.C_GET_RQ, CommandField.C_MOVE_RQ),
)


@pytest.mark.parametrize("field", UNSERVED, ids=lambda field: field.service)
@pytest.mark.parametrize("data", [None, b"", b"\xff" * 300_000], ids=["without data", "empty data", "with data"])
def test_a_service_that_is_not_served_here_is_unrecognized(
    server: Served, field: CommandField, data: bytes | None
) -> None:
    client = server.associate()
    client.send(client.message(1, request(field, 5, has_dataset=data is not None), data))
    response, _ = client.response()
    assert (response.status, response.message_id_responded_to) == (0x0211, 5)
    assert response.field == field | 0x8000
    assert client.echo() == 0


def test_5000_reports_to_nobody_are_answered_each_and_in_order(server: Served) -> None:
    client = server.associate()
    elements = {Tag.AFFECTED_SOP_CLASS: VERIFICATION, Tag.AFFECTED_SOP_INSTANCE: "1.2.3", Tag.EVENT_TYPE: 1}
    reports = [
        request(CommandField.N_EVENT_REPORT_RQ, number, has_dataset=True, elements=elements) for number in range(5000)
    ]
    client.send(*[client.message(1, report, bytes(8)) for report in reports])
    answers = [client.response()[0] for _ in reports]
    assert [answer.message_id_responded_to for answer in answers] == list(range(5000))
    assert {answer.status for answer in answers} == {0x0211}


def test_2000_echoes_in_one_burst_are_answered_in_order(server: Served) -> None:
    client = server.associate()
    client.send(*[client.echo_request() for _ in range(2000)])
    answers = [client.response()[0] for _ in range(2000)]
    assert [answer.message_id_responded_to for answer in answers] == list(range(1, 2001))
    assert {answer.status for answer in answers} == {0}


def test_500_stores_in_one_burst_are_answered_in_order_and_all_kept(archive: Served) -> None:
    client = archive.associate()
    client.send(*[client.store_request(ct_image(f"1.2.3.{n}"), f"1.2.3.{n}") for n in range(500)])
    answers = [client.response()[0] for _ in range(500)]
    assert [answer.message_id_responded_to for answer in answers] == list(range(1, 501))
    assert {answer.status for answer in answers} == {0}
    assert len(stored(archive.storage)) == 500


def test_requests_with_the_same_message_identifier_are_all_answered(server: Served) -> None:
    client = server.associate()
    client.send(*[pdvs(PDV(1, True, True, ECHO))] * 100)
    assert [client.response()[0].message_id_responded_to for _ in range(100)] == [1] * 100


def query_for(level: str) -> bytes:
    return element(0x00080052, "CS", level.encode()) + element(0x0020000D, "UI", b"")


def fill(server: Served, count: int, *, filler: str = "") -> None:
    """Store as many studies; ``filler`` makes their patient identifiers longer."""
    client = server.associate(calling="FILL")
    for n in range(count):
        data = ct_image(f"1.5.{n}", study=f"1.4.{n}", patient=f"P{n}{filler}")
        client.send(client.store_request(data, f"1.5.{n}"))
    assert {client.response()[0].status for _ in range(count)} == {0}
    client.release()
    client.socket.close()


def cancel(message_id: int, context_id: int = 5) -> bytes:
    return command_of(us(0x0100, 0x0FFF), us(0x0120, message_id), NO_DATA, context_id=context_id)


def test_a_cancel_at_any_moment_ends_the_query_it_names_or_means_nothing(server: Served) -> None:
    fill(server, 600)
    client = server.associate()
    client.send(cancel(1), cancel(0), cancel(65_535), cancel(7, context_id=1))  # of nothing
    for moment in range(0, 200, 10):
        client.send(client.find_request(query_for("STUDY")))
        for _ in range(moment):
            assert client.response()[0].status == 0xFF00
        client.send(cancel(12_345), client.cancel_request(), cancel(12_346, context_id=3))
        *pending, (final, identifier) = client.responses()
        assert final.status in (0xFE00, 0)
        assert identifier is None
        assert all(response.status == 0xFF00 for response, _ in pending)
        client.send(client.cancel_request())  # of one that is over
        assert client.echo() == 0


def test_a_cancel_sent_with_its_query_is_heard(server: Served) -> None:
    fill(server, 600)
    client = server.associate()
    client.send(client.find_request(query_for("STUDY")), client.cancel_request())
    *pending, (final, _) = client.responses()
    assert final.status == 0xFE00
    assert len(pending) < 600


def test_a_cancel_of_a_query_that_waits_its_turn_is_heard(server: Served) -> None:
    fill(server, 600)
    client = server.associate()
    client.send(*[client.find_request(query_for("STUDY")) for _ in range(3)], client.cancel_request())
    finals = [[response.status for response, _ in client.responses()][-1] for _ in range(3)]
    assert finals == [0, 0, 0xFE00]


def test_a_burst_that_is_refused_for_its_size_does_not_hold_up_what_comes_after(
    serve: Callable[..., Served], tmp_path: Any
) -> None:
    server = serve(storage=tmp_path / "storage", max_instance_size="2 MB")
    client = server.associate()
    for _ in range(10):
        sent = [client.store_request(ct_image("1.2.8", pixels=3_000_000), "1.2.8") for _ in range(3)]
        client.send(*sent, client.echo_request())
        answers = [client.response()[0] for _ in range(4)]
        assert [answer.status for answer in answers] == [0xA700, 0xA700, 0xA700, 0]
        assert answers[0].error_comment == "Data set of 3000152 bytes, 2000000 are allowed"
    client.release()
    assert stored(server.storage) == {}
    server.still_serves()


def test_an_identifier_over_its_limit_is_refused(server: Served) -> None:
    client = server.associate()
    huge = query_for("STUDY") + element(0x00100020, "LO", b"x" * 60_000) * 150
    answers = client.find(huge)
    assert [status for status, _ in answers] == [0xA700]
    assert client.echo() == 0


def test_a_megabyte_of_name_is_answered_in_pieces_the_peer_can_take(server: Served) -> None:
    client = server.associate(ProposedContext(1, VERIFICATION, (IMPLICIT,)), CONTEXTS[1], max_pdu_length=7)
    client.send(client.store_request(ct_image(), "9." * 20_000))
    response, _ = client.response()
    assert isinstance(response, Command)
    assert response.status == 0x0117
    assert client.echo() == 0
