"""Sub-operations: which exchange they belong to, which side we were on; on our associations and on those of others."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from mockpacs.traffic.exchange import Association, Exchange, counts_of
from mockpacs.traffic.recording.detail import data_of, read_exchange
from mockpacs.traffic.recording.recording import Recording
from mockpacs.wire import Abort, AssociateRJ, Command, ReleaseRP, ReleaseRQ, Tag, Value
from mockpacs.wire import CommandField as F
from tests.net.wire_client import ct_image, element
from tests.traffic.recording.script import (
    COMMITMENT,
    CT,
    GET,
    MOVE,
    REQUEST,
    SCP,
    SCU,
    Line,
    Script,
    answer,
    ask,
    cancel,
    echo,
    echoed,
    exchanges,
    notices,
    records,
    store,
    stored,
)
from tests.traffic.recording.written import write

STUDY = element(0x00080052, "CS", b"STUDY")
IMAGE, LARGE = ct_image(), ct_image(pixels=300_000)
COUNTS: dict[int, Value] = {
    Tag.COMPLETED_SUB_OPERATIONS: 2,
    Tag.FAILED_SUB_OPERATIONS: 1,
    Tag.WARNING_SUB_OPERATIONS: 0,
}
TO_OTHERS = "connection 4 to 10.0.0.2:11112 for 3.1"


def outgoing(script: Script, comment: str = TO_OTHERS) -> Line:
    return script.open(comment, number=4)


def get(message_id: int = 1) -> bytes:
    return ask(F.C_GET_RQ, message_id, GET, STUDY)


def move(message_id: int = 1) -> bytes:
    return ask(F.C_MOVE_RQ, message_id, MOVE, STUDY, {Tag.MOVE_DESTINATION: "STORE"})


def moved(message_id: int, originator: str, originator_id: int) -> bytes:
    """A sub-operation of a C-MOVE."""
    elements: dict[int, Value] = {
        Tag.AFFECTED_SOP_INSTANCE: "1.2.3",
        Tag.MOVE_ORIGINATOR_AET: originator,
        Tag.MOVE_ORIGINATOR_MESSAGE_ID: originator_id,
    }
    return ask(F.C_STORE_RQ, message_id, CT, IMAGE, elements)


def a_get(script: Script) -> Line:
    """Three sub-operations, a cancel among them, a request of the peer behind them."""
    line = script.open("connection 1 from 10.0.0.1:50001").associate().say(SCU, echo(1)).say(SCP, echoed(1))
    line.say(SCU, get(2)).say(SCP, store(1, LARGE, "1.1")).say(SCU, stored(1))
    line.say(SCP, answer(F.C_GET_RQ, 2, GET, 0xFF00, elements={**COUNTS, Tag.REMAINING_SUB_OPERATIONS: 2}))
    line.say(SCP, store(2, IMAGE, "1.2")).say(SCU, cancel(2, GET), stored(2, 0xA700))
    line.say(SCP, store(3, LARGE, "1.3")).say(SCU, stored(3))
    line.say(SCP, answer(F.C_GET_RQ, 2, GET, 0xB000, elements=COUNTS))
    return line.say(SCU, store(3, IMAGE, "1.4")).say(SCP, stored(3)).release()


def legs(found: list[Exchange]) -> list[tuple[str, str, bool, str]]:
    return [(one.id, one.service, one.asked_by_us, one.cause) for one in sorted(found, key=lambda one: one.number)]


def test_what_we_ask_on_a_connection_that_we_opened_is_a_leg_of_its_cause() -> None:
    script = Script()
    outgoing(script).associate().say(SCU, store(1, IMAGE)).say(SCP, stored(1, 0xA700, "disk full")).release()
    (found,) = exchanges(records(script))

    assert found.association == Association(
        4, "10.0.0.1:50001", "CT1", "MOCKPACS", server="10.0.0.2:11112", cause="3.1", by_us=True
    )
    assert (found.status, found.comment, found.asked_by_us, found.cause) == (0xA700, "disk full", True, "3.1")


def test_what_the_peer_asks_on_it_is_no_leg() -> None:
    script = Script()
    line = outgoing(script).associate()
    line.say(SCP, ask(F.N_EVENT_REPORT_RQ, 9, COMMITMENT, None, {Tag.EVENT_TYPE: 1}))
    line.say(SCU, answer(F.N_EVENT_REPORT_RQ, 9, COMMITMENT)).release()

    assert legs(exchanges(records(script))) == [("4.1", "N-EVENT-REPORT", False, "")]


def test_without_a_cause_we_asked_for_a_reason_of_our_own() -> None:
    script = Script()
    line = outgoing(script, "connection 4 to 10.0.0.2:11112 TLS TLSv1.3").associate()
    line.say(SCU, echo(1)).say(SCP, echoed(1)).release()
    (found,) = exchanges(records(script))

    assert (found.asked_by_us, found.cause, found.association.cause) == (True, "", "")
    assert (found.association.by_us, found.association.secure) == (True, True)


def test_in_a_capture_of_others_nothing_was_asked_by_us_whatever_a_comment_says() -> None:
    script = Script()
    outgoing(script).associate().say(SCU, echo(1)).say(SCP, echoed(1)).release()
    (found,) = exchanges(records(script, None))

    assert (found.asked_by_us, found.cause, found.association.by_us, found.association.cause) == (False, "", False, "")


@pytest.mark.parametrize("ours", [SCP, None])
def test_stores_by_the_acceptor_are_the_legs_of_the_get_that_is_open(ours: object) -> None:
    script = Script()
    a_get(script)
    is_ours = ours is SCP
    found = exchanges(records(script, SCP if is_ours else None))

    assert legs(found) == [
        ("1.1", "C-ECHO", False, ""),
        ("1.2", "C-GET", False, ""),
        ("1.3", "C-STORE", is_ours, "1.2"),
        ("1.4", "C-STORE", is_ours, "1.2"),
        ("1.5", "C-STORE", is_ours, "1.2"),
        ("1.6", "C-STORE", False, ""),
    ]
    assert [one.counts for one in found if one.service == "C-GET"] == [(2, 1, 0)]
    assert all(one.counts is None for one in found if one.service != "C-GET")


def test_of_two_gets_the_one_that_is_answered_first_has_the_legs() -> None:
    script = Script()
    line = script.open("connection 1 from 10.0.0.1:50001").associate().say(SCU, get(1), get(2))
    line.say(SCP, store(1, IMAGE)).say(SCU, stored(1)).say(SCP, answer(F.C_GET_RQ, 1, GET))
    line.say(SCP, store(2, IMAGE)).say(SCU, stored(2)).say(SCP, answer(F.C_GET_RQ, 2, GET)).release()

    causes = [one.cause for one in exchanges(records(script)) if one.service == "C-STORE"]
    assert causes == ["1.1", "1.2"]


def test_a_get_of_ours_brings_stores_of_the_peer_that_are_its_legs_and_not_asked_by_us() -> None:
    script = Script()
    line = outgoing(script, "connection 4 to 10.0.0.2:11112").associate().say(SCU, get(1))
    line.say(SCP, store(1, IMAGE)).say(SCU, stored(1)).say(SCP, answer(F.C_GET_RQ, 1, GET)).release()

    assert legs(exchanges(records(script))) == [("4.1", "C-GET", True, ""), ("4.2", "C-STORE", False, "4.1")]


def test_a_leg_of_a_move_between_others_is_known_by_its_originator() -> None:
    script = Script()
    one = script.open().associate().say(SCU, move(7))
    two = script.open().associate().say(SCU, moved(1, "CT1", 7)).say(SCP, stored(1))
    two.say(SCU, moved(2, "CT1", 8)).say(SCP, stored(2)).say(SCU, moved(3, "CT2", 7)).say(SCP, stored(3))
    one.say(SCP, answer(F.C_MOVE_RQ, 7, MOVE, elements=COUNTS)).release()
    two.say(SCU, moved(4, "CT1", 7)).say(SCP, stored(4)).release()
    found = exchanges(records(script, None))

    assert [(one.id, one.cause) for one in found if one.service == "C-STORE"] == [
        ("2.1", "1.1"),
        ("2.2", ""),
        ("2.3", ""),
        ("2.4", ""),
    ], "the last one came when the C-MOVE was over"


@pytest.mark.parametrize(
    ("said", "counts"),
    [
        (COUNTS, (2, 1, 0)),
        ({}, None),
        ({Tag.FAILED_SUB_OPERATIONS: 3}, (0, 3, 0)),
        ({Tag.REMAINING_SUB_OPERATIONS: 3}, None),
    ],
)
def test_what_a_response_counts(said: dict[int, Value], counts: tuple[int, int, int] | None) -> None:
    assert counts_of(Command(said)) == counts


# notices


def test_an_association_of_ours_is_told_as_the_live_server_tells_it() -> None:
    script = Script()
    outgoing(script).associate().say(SCU, ReleaseRQ()).say(SCP, ReleaseRP()).close(SCU).close(SCP)

    assert notices(records(script)) == [
        ("opened", "associated with MOCKPACS, 7 of 7 contexts accepted"),
        ("released", "released"),
    ]


@pytest.mark.parametrize(
    ("reject", "text"),
    [
        (
            AssociateRJ(1, 1, 7),
            "association rejected by MOCKPACS: called AE title not recognized (result 1, source 1, reason 7)",
        ),
        (
            AssociateRJ(2, 2, 2),
            "association rejected by MOCKPACS: protocol version not supported, for now (result 2, source 2, reason 2)",
        ),
    ],
)
def test_who_rejects_us_is_named(reject: AssociateRJ, text: str) -> None:
    script = Script()
    outgoing(script).say(SCU, REQUEST).say(SCP, reject).close(SCU).close(SCP)
    found = records(script)

    assert notices(found) == [("rejected", text)]
    assert found[0].association is not None
    assert found[0].association.by_us


@pytest.mark.parametrize(
    ("sender", "text"),
    [
        (SCU, "aborted by us: service user (source 0, reason 0)"),
        (SCP, "aborted by the peer: service user (source 0, reason 0)"),
    ],
)
def test_who_aborts_is_us_or_the_peer(sender: object, text: str) -> None:
    script = Script()
    line = outgoing(script).associate()
    line.say(SCU if sender is SCU else SCP, Abort(0, 0)).close(SCU).close(SCP)

    assert notices(records(script))[-1] == ("aborted", text)


def test_what_the_live_server_said_of_it_is_quoted() -> None:
    script = Script()
    line = outgoing(script).associate().say(SCU, store(1, IMAGE), comment="4 opened: associated with STORE, my words")
    line.say(SCP, stored(1)).say(SCU, ReleaseRQ()).say(SCP, ReleaseRP()).close(SCU, "fin", "4 released: bye").close(SCP)

    assert notices(records(script)) == [("opened", "associated with STORE, my words"), ("released", "bye")]


# on the disk


@pytest.mark.parametrize("part_size", [0, 5_000, 100_000])
def test_legs_are_read_back_in_full_from_every_part(tmp_path: Path, part_size: int) -> None:
    script = Script()
    a_get(script)
    line = outgoing(script, "connection 4 to 10.0.0.2:11112 for 1.2").associate()
    for number in (1, 2, 3):
        line.say(SCU, store(number, LARGE, f"4.{number}")).say(SCP, stored(number))
    line.release()
    found = exchanges(write(tmp_path, script, part_size=part_size).records())

    assert sorted(legs(found)) == [
        ("1.1", "C-ECHO", False, ""),
        ("1.2", "C-GET", False, ""),
        ("1.3", "C-STORE", True, "1.2"),
        ("1.4", "C-STORE", True, "1.2"),
        ("1.5", "C-STORE", True, "1.2"),
        ("1.6", "C-STORE", False, ""),
        *((f"4.{number}", "C-STORE", True, "1.2") for number in (1, 2, 3)),
    ]
    for one in found:
        if one.service == "C-STORE":
            data = IMAGE if one.id in ("1.4", "1.6") else LARGE
            into = io.BytesIO()
            assert data_of(one, into) == len(data), one.id
            assert into.getvalue() == data
            request, response = read_exchange(one).messages
            assert (request.data, response.command.field) == (data, F.C_STORE_RSP)


def test_a_part_read_alone_knows_which_side_we_were(tmp_path: Path) -> None:
    script = Script()
    line = outgoing(script).associate()
    for number in (1, 2, 3, 4):
        line.say(SCU, store(number, LARGE, f"4.{number}"), comment=f"4.{number} C-STORE-RQ CT1 > MOCKPACS")
        line.say(SCP, stored(number))
    line.release()
    recording = write(tmp_path, script, part_size=400_000)
    later = [exchanges(Recording([part]).records()) for part in recording.parts[1:]]
    found = [one for part in later for one in part]
    assert found
    assert {(one.asked_by_us, one.cause, one.association.by_us) for one in found} == {(True, "3.1", True)}
    assert found[-1].id == "4.4"


def test_a_get_in_full_has_its_own_messages_and_holds_none_of_its_legs(tmp_path: Path) -> None:
    script = Script()
    a_get(script)
    found = exchanges(write(tmp_path, script).records())
    (one,) = [one for one in found if one.service == "C-GET"]
    _, messages, pdus = read_exchange(one)

    assert [message.command.field for message in messages] == [F.C_GET_RQ, F.C_GET_RSP, F.C_CANCEL_RQ, F.C_GET_RSP]
    assert sum(len(pdu.raw) for pdu in pdus) < 5_000
