"""Requests for an association that real or hostile peers make: the defined answer, and nobody else is concerned."""

from __future__ import annotations

import struct
from collections.abc import Callable

import pytest

from mockpacs.wire import (
    Abort,
    AssociateAC,
    AssociateRJ,
    AssociateRQ,
    ExtendedNegotiation,
    ProposedContext,
    ReleaseRP,
    ReleaseRQ,
    RoleSelection,
    UserIdentity,
    encode_pdu,
)
from tests.net.conftest import Served, stored
from tests.net.test_hostile_bytes import APPLICATION, ECHO_CONTEXT, USER, item, pdu, request_of
from tests.net.wire_client import (
    CONTEXTS,
    CT,
    EXPLICIT,
    IMPLICIT,
    STUDY_ROOT_FIND,
    VERIFICATION,
    accepted,
    associate_request,
    ct_image,
    element,
)

INVALID_PARAMETER = (2, 6)
UNEXPECTED_PDU = (2, 2)


def test_one_association_too_many_is_rejected_until_another_one_left(serve: Callable[..., Served]) -> None:
    server = serve(max_associations=2)
    first, second = server.associate(), server.associate()
    with server.connect() as third:
        assert third.associate() == AssociateRJ(2, 3, 2)
    assert (first.echo(), second.echo()) == (0, 0)
    first.socket.close()
    server.wait_for(
        lambda: [
            notice for notice in server.notices("aborted") if notice.association and notice.association.number == 1
        ]
    )
    assert "max_associations" in server.lines
    server.still_serves()


@pytest.mark.parametrize("length", range(1, 7))
def test_a_maximum_length_that_cannot_carry_a_message_is_rejected(server: Served, length: int) -> None:
    assert server.connect().associate(max_pdu_length=length) == AssociateRJ(1, 1, 1)


@pytest.mark.parametrize("length", [7, 8, 9, 0xFFFFFFFF])
def test_every_other_maximum_length_is_served(server: Served, length: int) -> None:
    server.still_serves()
    client = server.associate(max_pdu_length=length)
    assert client.echo() == 0
    level = element(0x00080052, "CS", b"STUDY") + element(0x00100020, "LO", b"P1")
    assert [status for status, _ in client.find(level)] == [0xFF00, 0]
    client.release()


def titled(called: bytes, calling: bytes) -> bytes:
    head = struct.pack(">Hxx16s16s32x", 1, called, calling)
    return request_of(APPLICATION, ECHO_CONTEXT, USER, fixed=head)


@pytest.mark.parametrize(
    ("called", "calling"),
    [
        pytest.param(b"MOCKPACS".ljust(16, b"\0"), b"RAW".ljust(16, b"\0"), id="padded with NUL"),
        pytest.param(b"MOCKPACS\0GARBAGE", b"RAW\0\xff\xfe\xfd\xfc".ljust(16, b"x"), id="the rest of a C buffer"),
        pytest.param(b" " * 16, b" " * 16, id="all spaces"),
        pytest.param(b"\0" * 16, b"\0" * 16, id="all NUL"),
        pytest.param(b"\xff" * 16, bytes(range(1, 17)), id="no letters"),
    ],
)
def test_titles_padded_with_anything_are_accepted(server: Served, called: bytes, calling: bytes) -> None:
    client = server.connect()
    client.send(titled(called, calling))
    assert isinstance(client.read(), AssociateAC)
    client.max_pdu = 16384
    assert client.echo() == 0


def test_a_title_padded_with_nul_is_the_title(serve: Callable[..., Served]) -> None:
    server = serve(called_aets=["MOCKPACS"], calling_aets=["RAW", "AFTERWARDS"])
    client = server.connect()
    client.send(titled(b"MOCKPACS".ljust(16, b"\0"), b"  RAW".ljust(16, b"\0")))
    assert isinstance(client.read(), AssociateAC)
    assert server.connect().associate(called="OTHER") == AssociateRJ(1, 1, 7)
    assert server.connect().associate(calling="OTHER") == AssociateRJ(1, 1, 3)
    server.still_serves()


UNKNOWN_SUB_ITEMS = item(
    0x50, item(0x51, struct.pack(">I", 16384)) + item(0x5F, b"who knows") + item(0xFF, b"") + item(0x52, b"1.2.3")
)
TOLERATED: dict[str, bytes] = {
    "unknown items": request_of(item(0x99, b"?" * 300), APPLICATION, item(0, b""), ECHO_CONTEXT, USER, item(0xFF, b"")),
    "contexts in contexts in contexts": request_of(
        APPLICATION,
        ECHO_CONTEXT,
        item(0x20, b"\3\0\0\0" + item(0x20, b"\1\0\0\0" + item(0x20, b"\1\0\0\0\x20\0\xff"))),
        USER,
    ),
    "unknown sub-items": request_of(APPLICATION, ECHO_CONTEXT, UNKNOWN_SUB_ITEMS),
    "sub-items in disorder": request_of(UNKNOWN_SUB_ITEMS, ECHO_CONTEXT, APPLICATION),
    "no user information": request_of(APPLICATION, ECHO_CONTEXT),
    "sub-items of the wrong size": request_of(
        APPLICATION,
        ECHO_CONTEXT,
        item(0x50, item(0x51, b"\1") + item(0x53, b"") + item(0x54, b"\0\xff") + item(0x58, b"")),
    ),
    "reserved bytes that are set": pdu(
        1, b"\0\1\xff\xff" + b"MOCKPACS".ljust(16) + b"RAW".ljust(16) + b"\xff" * 32 + APPLICATION + ECHO_CONTEXT + USER
    ),
    "all bits of the protocol version": request_of(
        APPLICATION, ECHO_CONTEXT, USER, fixed=struct.pack(">Hxx16s16s32x", 0xFFFF, b"A".ljust(16), b"B".ljust(16))
    ),
}


@pytest.mark.parametrize("sent", TOLERATED.values(), ids=TOLERATED)
def test_what_is_not_understood_is_skipped(server: Served, sent: bytes) -> None:
    client = server.connect()
    client.send(sent)
    answer = client.read()
    assert isinstance(answer, AssociateAC)
    assert accepted(answer) == {1: IMPLICIT}
    client.max_pdu = 16384
    assert client.echo() == 0


@pytest.mark.parametrize("version", [0, 2, 0xFFFE])
def test_a_protocol_version_without_bit_0_is_rejected(server: Served, version: int) -> None:
    client = server.connect()
    client.send(encode_pdu(AssociateRQ("MOCKPACS", "RAW", CONTEXTS, protocol_version=version)))
    assert client.read() == AssociateRJ(1, 2, 2)


@pytest.mark.parametrize("name", ["1.2.840.10008.3.1.1.2", "", "HTTP/1.1", "1" * 60_000])
def test_another_application_context_is_rejected(server: Served, name: str) -> None:
    client = server.connect()
    client.send(encode_pdu(AssociateRQ("MOCKPACS", "RAW", CONTEXTS, application_context=name)))
    assert client.read() == AssociateRJ(1, 1, 2)


def test_a_context_without_a_usable_transfer_syntax_is_refused_and_its_neighbour_served(server: Served) -> None:
    client = server.connect()
    proposals = ((), ("",), ("\0\0",), ("x" * 60_000,), ("1.2.3\n4",), ("1." * 40,))
    contexts = [ProposedContext(2 * n + 3, CT, syntaxes) for n, syntaxes in enumerate(proposals)]
    answer = client.associate(CONTEXTS[0], *contexts)
    assert isinstance(answer, AssociateAC)
    assert [context.result for context in answer.contexts] == [0, *[4] * len(proposals)]
    assert client.echo() == 0


@pytest.mark.parametrize("syntax", ["", "x", "1.2.3\x1b[31m", "9." * 30_000, "1.2.840.10008.5.1.4.1.1." + "1" * 50])
def test_an_abstract_syntax_that_is_no_uid_is_refused(server: Served, syntax: str) -> None:
    client = server.connect()
    answer = client.associate(ProposedContext(1, VERIFICATION, (IMPLICIT,)), ProposedContext(3, syntax, (EXPLICIT,)))
    assert isinstance(answer, AssociateAC)
    assert [context.result for context in answer.contexts] == [0, 3]
    assert client.echo() == 0


def test_an_association_without_any_context_can_only_be_released(server: Served) -> None:
    client = server.connect()
    client.send(request_of(APPLICATION, USER))
    answer = client.read()
    assert isinstance(answer, AssociateAC)
    assert answer.contexts == ()
    client.release()


def test_128_contexts_with_38_transfer_syntaxes_are_all_answered(server: Served) -> None:
    syntaxes = (*(f"1.2.840.10008.1.2.4.{n}" for n in range(50, 86)), IMPLICIT, EXPLICIT)
    contexts = [ProposedContext(2 * n + 1, f"1.2.840.10008.5.1.4.1.1.{n}", syntaxes) for n in range(128)]
    client = server.connect()
    answer = client.associate(*contexts)
    assert accepted(answer) == {context.context_id: EXPLICIT for context in contexts}
    assert client.store_status(3, "1.2.840.10008.5.1.4.1.1.1") == 0xB007  # the data set is a CT, and says so


def test_one_abstract_syntax_in_128_contexts_is_served_in_each(server: Served) -> None:
    client = server.connect()
    contexts = [ProposedContext(2 * n + 1, VERIFICATION, (IMPLICIT,)) for n in range(128)]
    assert len(accepted(client.associate(*contexts))) == 128
    for context in contexts:
        client.send(client.echo_request(context.context_id))
        assert client.status() == 0


def test_of_several_contexts_with_one_identifier_the_first_counts(server: Served) -> None:
    client = server.connect()
    answer = client.associate(
        ProposedContext(1, VERIFICATION, (IMPLICIT,)),
        ProposedContext(1, CT, (EXPLICIT,)),
        ProposedContext(1, STUDY_ROOT_FIND, (EXPLICIT,)),
    )
    assert isinstance(answer, AssociateAC)
    assert [context.result for context in answer.contexts] == [0, 2, 2]
    assert client.echo() == 0
    client.send(client.store_request(ct_image(), context_id=1))
    assert client.status() == 0x0211


def test_user_information_of_64_kb_is_answered_within_64_kb(server: Served) -> None:
    roles = tuple(RoleSelection(f"1.2.840.{n:05}.{n:020}", True, True) for n in range(1500))
    extended = tuple(ExtendedNegotiation(CT, b"") for _ in range(2100))
    for user in ({"roles": (*roles, RoleSelection(CT, True, True))}, {"extended": extended}):
        client = server.connect()
        answer = client.associate(**user)
        assert isinstance(answer, AssociateAC)
        assert {role.sop_class for role in answer.user.roles} <= {CT}
        assert client.echo() == 0


def test_the_longest_association_request_is_answered(server: Served) -> None:
    syntaxes = tuple(f"1.2.840.10008.1.2.4.{n}{'0' * 30}" for n in range(100))
    contexts = [ProposedContext(2 * n + 1, f"1.2.3.{n}", syntaxes) for n in range(128)]
    client = server.connect()
    assert len(accepted(client.associate(*contexts))) == 128


@pytest.mark.parametrize("context_id", [0, 2, 7, 255])
def test_data_on_a_context_that_was_not_accepted_aborts(server: Served, context_id: int) -> None:
    client = server.associate(*CONTEXTS, ProposedContext(7, "1.2.840.10008.5.1.4.31", (IMPLICIT,)))
    client.send(client.echo_request(context_id))
    assert client.read_abort() == INVALID_PARAMETER


def test_data_after_a_release_aborts(archive: Served) -> None:
    client = archive.associate()
    # Sta8: the store is still being answered when the release and more data come
    client.send(client.store_request(ct_image(pixels=500_000)), encode_pdu(ReleaseRQ()), client.echo_request())
    assert client.read_abort() == UNEXPECTED_PDU


def test_data_after_the_answer_to_a_release_is_not_listened_to(server: Served) -> None:
    client = server.associate()
    client.release()
    client.send(client.echo_request())
    client.hear_nothing_more()  # PS3.8 table 9-10: AA-6 in Sta13
    assert server.exchanges == []


def test_an_early_release_waits_for_the_answers(archive: Served) -> None:
    client = archive.associate()
    stores = [client.store_request(ct_image(f"1.2.{n}"), f"1.2.{n}") for n in range(50)]
    client.send(*stores, client.echo_request(), encode_pdu(ReleaseRQ()))
    responses = [client.response()[0] for _ in range(51)]
    assert [response.message_id_responded_to for response in responses] == list(range(1, 52))
    assert {response.status for response in responses} == {0}
    assert isinstance(client.read(), ReleaseRP)


def test_a_second_release_aborts_while_the_first_waits(archive: Served) -> None:
    client = archive.associate()
    client.send(client.store_request(ct_image(pixels=500_000)), encode_pdu(ReleaseRQ()) * 2)
    assert client.read_abort() == UNEXPECTED_PDU


def test_a_release_in_the_middle_of_a_data_set_is_granted_and_the_half_forgotten(archive: Served) -> None:
    client = archive.associate()
    message = client.store_request(ct_image(pixels=3_000_000))
    client.send(message[: last_pdu(message)])
    client.release()
    client.socket.close()
    archive.still_serves()
    assert len(stored(archive.storage)) == 1
    archive.wait_until_nothing_is_incoming()


@pytest.mark.parametrize("pixels", [1000, 300_000, 5_000_000])
@pytest.mark.parametrize("ending", ["abort", "reset", "close"])
def test_an_end_in_the_middle_of_a_store_leaves_nothing(archive: Served, pixels: int, ending: str) -> None:
    client = archive.associate()
    message = client.store_request(ct_image("1.2.7", pixels=pixels), "1.2.7")
    cut = last_pdu(message)
    client.send(message[:cut])
    if ending == "abort":
        client.send(encode_pdu(Abort(0, 0)))
        client.read_end()
    elif ending == "reset":
        client.reset()
    else:
        client.socket.close()
    archive.wait_for(lambda: archive.notices("aborted"))
    assert {exchange.status for exchange in archive.exchanges} <= {None}
    archive.still_serves()
    assert [path for path in stored(archive.storage) if "1.2.7." in path] == []
    archive.wait_until_nothing_is_incoming()


def test_the_end_of_the_connection_right_after_the_request_is_nothing_special(server: Served) -> None:
    for _ in range(20):
        with server.connect() as client:
            client.send(associate_request())
        with server.connect() as client:
            client.send(associate_request(), encode_pdu(Abort(0, 0)))


def last_pdu(message: bytes) -> int:
    """Where the last PDU of a message begins."""
    at = 0
    while (after := at + 6 + int.from_bytes(message[at + 2 : at + 6], "big")) < len(message):
        at = after
    return at


@pytest.mark.parametrize("kind", [0, 1, 2, 3, 4, 5, 99, 255])
def test_a_user_identity_full_of_noise_is_nothing_to_stumble_over(server: Served, kind: int) -> None:
    identity = UserIdentity(kind, True, bytes(range(256)) * 100, b"\xff" * 10_000)
    client = server.connect()
    assert isinstance(client.associate(user_identity=identity), AssociateAC)
    assert client.echo() == 0


def test_a_wrong_user_identity_is_rejected(serve: Callable[..., Served]) -> None:
    server = serve(users=["a:b"])
    for noise in (b"", b"\0", b"\xff" * 60_000, b"b\0"):
        identity = UserIdentity(2, False, b"a", noise)
        assert server.connect().associate(user_identity=identity) == AssociateRJ(1, 1, 1)
    server.still_serves()


def test_the_answer_repeats_the_titles_whatever_they_are(server: Served) -> None:
    client = server.connect()
    answer = client.associate(calling="\x1b]0;x\x07", called="<b>&amp;")
    assert isinstance(answer, AssociateAC)
    assert (answer.calling, answer.called) == ("\x1b]0;x\x07", "<b>&amp;")
