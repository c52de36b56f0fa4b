"""Shipped scenarios whose fault no client tells of in words: seen on the bytes, by a client that reads strictly."""

from __future__ import annotations

import socket
import ssl

import pytest

from mockpacs import MockPACS
from mockpacs.wire import Abort, AssociateAC, AssociateRJ, PDataTF, ProposedContext, ReleaseRQ, encode_pdu
from tests.interop.provoking import FOLDER, play
from tests.net.wire_client import CT, IMPLICIT, WireClient, accepted, associate_request, ct_image, element

JPEG_BASELINE = "1.2.840.10008.1.2.4.50"
STUDIES = element(0x00080052, "CS", b"STUDY ") + element(0x00100010, "PN", b"") + element(0x0020000D, "UI", b"")
LARGE = ct_image(pixels=400_000)


def client(pacs: MockPACS) -> WireClient:
    return WireClient(pacs.host, pacs.port)


def terms(name: str, count: int = 1) -> list[AssociateAC | AssociateRJ]:
    """How a scenario answers so many associations, one after the other."""
    answered = []
    with play(name) as pacs:
        for _ in range(count):
            with client(pacs) as one:
                answered.append(one.associate())
    return answered


def found(name: str, identifier: bytes = STUDIES) -> list[tuple[int, bytes | None]]:
    """What a scenario answers to a query up to its first final response."""
    with play(name) as pacs, client(pacs) as one:
        one.associate()
        return one.find(identifier)


# association


def test_every_rejection_is_the_number_it_says() -> None:
    told = [(rj.result, rj.source, rj.reason) for rj in terms("every-rejection", 16) if isinstance(rj, AssociateRJ)]
    assert told == [
        *((1, 1, 1), (1, 1, 2), (1, 1, 3), (1, 1, 7), (1, 1, 10)),
        *((1, 2, 1), (1, 2, 2), (1, 3, 0)),
        *((2, 1, 1), (2, 3, 1), (2, 3, 2), (2, 3, 7)),
        *((0, 1, 1), (3, 1, 1), (1, 255, 255)),
        (1, 1, 1),
    ]


def test_every_abort_is_the_number_it_says() -> None:
    told = []
    with play("aborts") as pacs:
        for _ in range(9):
            with client(pacs) as one:
                one.associate()
                one.send(one.echo_request())
                told.append(one.read_abort())
    assert told == [(0, 0), (2, 0), (2, 1), (2, 2), (2, 4), (2, 5), (2, 6), (1, 3), (255, 255)]


def test_contexts_are_refused_for_all_reasons() -> None:
    (answer,) = terms("no-context-accepted")
    assert isinstance(answer, AssociateAC)
    assert [(one.context_id, one.result) for one in answer.contexts] == [(1, 1), (3, 4), (5, 3)]


def test_contexts_are_left_out() -> None:
    (answer,) = terms("contexts-missing")
    assert isinstance(answer, AssociateAC)
    assert [one.context_id for one in answer.contexts] == [1]


def test_the_doorman_narrows_the_terms() -> None:
    with play("doorman") as pacs, client(pacs) as one:
        assert accepted(one.associate(calling="CT7")) == {1: IMPLICIT, 5: "1.2.840.10008.1.2.1"}
        assert one.max_pdu == 4096


def test_a_transfer_syntax_comes_that_nobody_offered() -> None:
    assert accepted(terms("uninvited-transfer-syntax")[0]) == dict.fromkeys((1, 3, 5), JPEG_BASELINE)


def test_a_context_is_accepted_that_nobody_proposed() -> None:
    (answer,) = terms("unknown-context-id")
    assert isinstance(answer, AssociateAC)
    assert {one.context_id for one in answer.contexts} == {98}


def test_all_sizes_of_pdu_are_advertised() -> None:
    sizes = [ac.user.max_pdu_length for ac in terms("pdu-sizes", 6) if isinstance(ac, AssociateAC)]
    assert sizes == [0, 0xFFFFFFFF, 4096, 64, 6, 0]


def test_the_titles_of_the_answer_are_others() -> None:
    (answer,) = terms("titles-changed")
    assert isinstance(answer, AssociateAC)
    assert (answer.called, answer.calling) == ("SOMEBODY", "ELSE")


# connection


@pytest.mark.parametrize("name", ["tcp-silent", "release-ignored", "tcp-half-close", "tcp-never-closes"])
def test_silence_is_silence_and_the_connection_stays(name: str) -> None:
    """What is sent is taken, nothing comes back: no PDU, and but for the one that is half closed no FIN."""
    with play(name) as pacs, client(pacs) as one:
        if name != "tcp-silent":
            one.associate()
            assert one.echo() == 0
        if name == "tcp-half-close":
            one.read_end()
        one.send(encode_pdu(Abort(0, 0) if name == "tcp-never-closes" else ReleaseRQ()))
        if name != "tcp-half-close":
            one.socket.settimeout(0.1)
            with pytest.raises(TimeoutError):
                one.socket.recv(1)


def test_a_connection_that_the_client_closed_stays_open() -> None:
    with play("tcp-never-closes") as pacs, client(pacs) as one:
        one.associate()
        one.release()
        one.socket.shutdown(socket.SHUT_WR)
        one.socket.settimeout(0.1)
        with pytest.raises(TimeoutError):
            one.socket.recv(1)


def test_a_connection_is_closed_before_a_word_was_said() -> None:
    with play("tcp-closed-at-once") as pacs, client(pacs) as one:
        assert one.socket.recv(1) == b""


@pytest.mark.parametrize(("name", "is_reset"), [("tcp-reset", True), ("pulled-cable", True), ("tcp-fin", False)])
def test_an_end_is_a_reset_or_a_fin_as_the_scenario_says(name: str, is_reset: bool) -> None:
    with play(name) as pacs, client(pacs) as one:
        one.associate()
        try:
            one.send(one.store_request(LARGE))
            ending = one.socket.recv(1)
        except (ConnectionResetError, BrokenPipeError):
            ending = b"RST"
    assert ending == (b"RST" if is_reset else b"")


def test_an_answer_drips_in_single_bytes() -> None:
    with play("tcp-drip") as pacs, client(pacs) as one:
        one.associate()
        one.send(one.echo_request())
        assert len(one.socket.recv(1000)) < 50


def test_a_thin_line_carries_an_answer_in_pieces() -> None:
    with play("tcp-thin-line") as pacs, client(pacs) as one:
        one.send(associate_request(*(ProposedContext(number, CT, (IMPLICIT,)) for number in range(1, 64, 2))))
        first = one.socket.recv(100_000)
        assert 6 < len(first) < 6 + int.from_bytes(first[2:6], "big")


# TLS


@pytest.mark.parametrize(
    ("name", "reason"),
    [("tls-expired-certificate", "certificate has expired"), ("tls-wrong-name", "IP address mismatch")],
)
def test_a_client_that_looks_refuses_the_certificate(name: str, reason: str) -> None:
    context = ssl.create_default_context(cafile=str(FOLDER / "certificates" / "ca.pem"))
    refused = pytest.raises(ssl.SSLCertVerificationError, match=reason)
    with play(name) as pacs, socket.create_connection((pacs.host, pacs.port), 20) as plain, refused:
        context.wrap_socket(plain, server_hostname=pacs.host)


# PDU, DIMSE


def test_legal_oddities_are_many_small_fragments() -> None:
    """The first answer has two bytes in each PDU, the second up to four fragments in each."""
    shapes = []
    with play("odd-but-legal") as pacs, client(pacs) as one:
        one.associate()
        for _ in range(2):
            one.send(one.echo_request())
            fragments: list[list[int]] = []
            is_last = False
            while not is_last:
                pdu = one.read()
                assert isinstance(pdu, PDataTF)
                fragments.append([len(pdv.data) for pdv in pdu.pdvs])
                is_last = pdu.pdvs[-1].is_last
            shapes.append(fragments)
    assert {tuple(sizes) for sizes in shapes[0]} == {(2,)}
    assert shapes[1][0] == [10, 10, 10, 10]


def test_garbage_follows_an_answer() -> None:
    with play("garbage") as pacs, client(pacs) as one:
        one.associate()
        assert one.echo() == 0
        assert one.socket.recv(8, socket.MSG_WAITALL) == bytes.fromhex("deadbeef") * 2


def test_a_store_is_answered_before_its_data_set_is_complete() -> None:
    with play("early-answer") as pacs, client(pacs) as one:
        one.associate()
        message = one.store_request(LARGE)
        one.send(message[: len(message) // 2])
        assert one.status() == 0xA700
        one.send(message[len(message) // 2 :])
        assert one.echo() == 0
    assert pacs.summary.instances == 0


def test_a_store_is_pending_and_then_done() -> None:
    with play("pending-store") as pacs, client(pacs) as one:
        one.associate()
        assert one.store() == 0xFF00
        assert one.status() == 0x0000


def test_failures_explain_themselves() -> None:
    with play("store-failures") as pacs, client(pacs) as one:
        one.associate()
        told = []
        for _ in range(5):
            one.send(one.store_request(ct_image()))
            response, _ = one.response()
            told.append((response.status, response.error_comment, response.offending_elements, response.error_id))
    assert told == [
        (0xA700, "Out of resources", None, None),
        (0xA7FF, "Out of resources, the last code of the range", None, None),
        (0xA900, "Not what its SOP class says", (0x00080016,), None),
        (0xC000, "Cannot understand", (0x00280010,), None),
        (0xC123, "Cannot understand, a code of our own", None, 42),
    ]


# C-FIND


def test_a_cancel_is_ignored() -> None:
    with play("find-cancel-ignored") as pacs, client(pacs) as one:
        one.associate()
        one.send(one.find_request(STUDIES))
        one.response()
        one.send(one.cancel_request())
        assert {one.response()[0].status for _ in range(20)} == {0xFF00}


def test_a_match_is_latin_1_that_says_it_is_utf_8() -> None:
    (_, identifier), (final, _) = found("find-wrong-character-set")
    assert final == 0x0000
    assert identifier is not None
    assert element(0x00080005, "CS", b"ISO_IR 192") in identifier
    assert b"M\xfcller^J\xf6rg" in identifier


def test_a_match_has_no_identity() -> None:
    (_, identifier), (final, _) = found("find-empty-values")
    assert final == 0x0000
    assert identifier is not None
    assert element(0x0020000D, "UI", b"") in identifier
    assert b"Doe" not in identifier


def test_a_match_is_cut_short() -> None:
    (_, identifier), _ = found("find-cut-identifier")
    assert identifier is not None
    assert identifier.endswith(b"1.2.3.4.5\0"[:-5])


def test_a_failed_query_gives_no_reason() -> None:
    with play("find-no-reason") as pacs, client(pacs) as one:
        one.associate()
        one.send(one.find_request(STUDIES))
        response, _ = one.response()
    assert response.status == 0xC000
    assert response.error_comment is None


@pytest.mark.parametrize(
    ("name", "statuses"),
    [
        ("find-goes-on", [(0xFF00, True), (0, False), (0xFF00, True), (0, False)]),
        ("find-success-with-match", [(0, True), (0, False)]),
    ],
)
def test_more_comes_after_the_final_response(name: str, statuses: list[tuple[int, bool]]) -> None:
    with play(name) as pacs, client(pacs) as one:
        one.associate()
        one.send(one.find_request(STUDIES))
        responses = [one.response() for _ in statuses]
    assert [(response.status, data is not None) for response, data in responses] == statuses


def test_somebody_else_is_found() -> None:
    (_, identifier), _ = found("find-something-else", STUDIES.replace(b"PN\0\0", b"PN\6\0SMITH*"))
    assert identifier is not None
    assert b"Doe^Jane" in identifier
