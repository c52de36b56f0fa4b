"""From TCP events to records: pairing, services, ends of all kinds, what is none of our business."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mockpacs.traffic.capture.event import Chunk, Missing
from mockpacs.traffic.exchange import Answer, Exchange, Notice
from mockpacs.traffic.recording import pairing
from mockpacs.traffic.recording import timeline as timelines
from mockpacs.traffic.recording.timeline import Timeline
from mockpacs.wire import (
    Abort,
    AssociateRJ,
    CommandField,
    ReleaseRP,
    ReleaseRQ,
    Role,
    Tag,
    UserIdentity,
    UserInformation,
    Value,
)
from tests.net.wire_client import ct_image, element
from tests.traffic.recording.script import (
    ANSWER,
    COMMITMENT,
    CT,
    FIND,
    GET,
    INSTANCE,
    MOVE,
    MPPS,
    REQUEST,
    SCP,
    SCU,
    VERIFICATION,
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

F = CommandField
STUDIES = element(0x00080052, "CS", b"STUDY") + element(0x00100010, "PN", b"DOE*")
MATCH = STUDIES + element(0x0020000D, "UI", b"1.2.3")
IMAGE = ct_image()


def only(script: Script, ours: Role | None = SCP) -> Exchange:
    (found,) = exchanges(records(script, ours))
    return found


def test_an_echo_is_told_with_all_that_is_known_of_it() -> None:
    script = Script()
    line = script.open("connection 1 from 10.0.0.1:50001").associate()
    asked_at, heard_at = line.sequence[SCU], line.sequence[SCP]
    offset = script.size
    line.say(SCU, echo())
    started = script.clock
    line.say(SCP, echoed())
    end = script.size
    line.release()
    opened, exchange, released = records(script)
    assert isinstance(opened, Notice)
    assert (opened.kind, opened.text, opened.detail) == (
        "opened",
        "associated with MOCKPACS, 7 of 7 contexts accepted",
        True,
    )
    assert isinstance(released, Notice)
    assert (released.kind, released.text, released.detail) == ("released", "released", True)
    assert isinstance(exchange, Exchange)
    one = exchange.association
    assert (one.number, one.address, one.calling, one.called) == (1, "10.0.0.1:50001", "CT1", "MOCKPACS")
    assert (one.user, one.secure, one.server) == ("", False, "")
    assert (exchange.id, exchange.service, exchange.status, exchange.subject, exchange.comment) == (
        "1.1",
        "C-ECHO",
        0,
        "",
        "",
    )
    assert exchange.started == started
    assert exchange.seconds == pytest.approx(0.001)
    assert exchange.answers == (Answer(0, 1, exchange.seconds, exchange.seconds),)
    assert exchange.command is not None
    assert exchange.command.message_id == 1
    assert exchange.context is not None
    assert exchange.context.abstract_syntax == VERIFICATION
    place = exchange.place
    assert place is not None
    assert (place.offset, place.end, place.requestor, place.acceptor) == (offset, end, asked_at, heard_at)


NAMED: dict[int, Value] = {Tag.AFFECTED_SOP_INSTANCE: "1.2.3"}
ASKED: dict[int, Value] = {Tag.REQUESTED_SOP_CLASS: MPPS, Tag.REQUESTED_SOP_INSTANCE: "1.2.3"}


@pytest.mark.parametrize(
    ("field", "syntax", "data", "elements", "said", "subject"),
    [
        (F.C_ECHO_RQ, VERIFICATION, None, {}, None, ""),
        (F.C_STORE_RQ, CT, IMAGE, NAMED, None, f"CT 1.2.3  {len(IMAGE)} B"),
        (F.C_FIND_RQ, FIND, STUDIES, {}, None, "STUDY PatientName=DOE*"),
        (F.C_GET_RQ, GET, STUDIES, {}, b"", "STUDY PatientName=DOE*"),
        (F.C_MOVE_RQ, MOVE, STUDIES, {Tag.MOVE_DESTINATION: "WS"}, None, "STUDY PatientName=DOE* > WS"),
        (F.N_EVENT_REPORT_RQ, COMMITMENT, b"", NAMED | {Tag.EVENT_TYPE: 2}, None, "event 2 1.2.3"),
        (F.N_ACTION_RQ, COMMITMENT, b"", ASKED | {Tag.ACTION_TYPE: 1}, b"", "action 1 1.2.3"),
        (F.N_GET_RQ, MPPS, None, ASKED, MATCH, "1.2.3"),
        (F.N_SET_RQ, MPPS, b"\0" * 10, ASKED, MATCH, "1.2.3"),
        (F.N_CREATE_RQ, MPPS, b"\0" * 10, {}, None, ""),
        (F.N_DELETE_RQ, MPPS, None, ASKED, None, "1.2.3"),
    ],
    ids=lambda value: value.service if isinstance(value, F) else "",
)
def test_every_service_is_an_exchange(
    field: F, syntax: str, data: bytes | None, elements: dict[int, Value], said: bytes | None, subject: str
) -> None:
    script = Script()
    line = script.open().associate().say(SCU, ask(field, 5, syntax, data, elements))
    line.say(SCP, answer(field, 5, syntax, 0, said)).release()
    exchange = only(script)
    assert (exchange.service, exchange.status, exchange.subject) == (field.service, 0, subject)
    assert exchange.size == len(data or b"")
    assert exchange.responses == 1


def test_pending_responses_are_counted() -> None:
    script = Script()
    line = script.open().associate().say(SCU, ask(F.C_FIND_RQ, 1, FIND, STUDIES))
    for status in (0xFF00, 0xFF00, 0xFF01):
        line.say(SCP, answer(F.C_FIND_RQ, 1, FIND, status, MATCH))
    line.say(SCP, answer(F.C_FIND_RQ, 1, FIND)).release()
    exchange = only(script)
    assert [(one.status, one.times) for one in exchange.answers] == [(0xFF00, 2), (0xFF01, 1), (0, 1)]
    assert exchange.status == 0


def test_an_exchange_ends_with_the_data_set_of_its_last_response() -> None:
    script = Script()
    line = script.open().associate().say(SCU, ask(F.N_GET_RQ, 1, MPPS))
    said = answer(F.N_GET_RQ, 1, MPPS, 0, MATCH)
    line.say(SCP, said[:-4])
    assert exchanges(records(script)) == exchanges(records(script.events, SCP))
    early = Timeline(ours=SCP)
    assert exchanges([record for event in script.events for record in early.feed(event)]) == []
    line.say(SCP, said[-4:])
    end = script.size
    line.release()
    place = only(script).place
    assert place is not None
    assert place.end == end


def test_pipelined_requests_find_their_answers_in_any_order() -> None:
    script = Script()
    line = script.open().associate().say(SCU, echo(1), store(2, IMAGE), echo(3))
    line.say(SCP, echoed(3), stored(2, 0xA700, "full"), echoed(1)).release()
    found = exchanges(records(script))
    assert [(one.number, one.service, one.status, one.comment) for one in found] == [
        (3, "C-ECHO", 0, ""),
        (2, "C-STORE", 0xA700, "full"),
        (1, "C-ECHO", 0, ""),
    ]


def test_a_message_id_in_use_goes_to_the_oldest_on_its_context_and_of_its_service() -> None:
    script = Script()
    line = script.open().associate().say(SCU, store(7, IMAGE), echo(7), echo(7))
    line.say(SCP, echoed(7, 0x0110), echoed(7, 0x0122), stored(7, 0xA700)).release()
    found = exchanges(records(script))
    assert [(one.number, one.status) for one in found] == [(2, 0x0110), (3, 0x0122), (1, 0xA700)]


def test_a_response_of_another_service_answers_what_has_its_message_id() -> None:
    script = Script()
    script.open().associate().say(SCU, store(7, IMAGE)).say(SCP, echoed(7)).release()
    assert only(script).status == 0


def test_both_sides_may_ask() -> None:
    script = Script()
    line = script.open().associate().say(SCU, ask(F.C_GET_RQ, 1, GET, STUDIES))
    line.say(SCP, store(1, IMAGE)).say(SCU, stored(1)).say(SCP, answer(F.C_GET_RQ, 1, GET, 0xFF00))
    line.say(SCP, store(2, IMAGE)).say(SCU, stored(2, 0xA700)).say(SCP, answer(F.C_GET_RQ, 1, GET, 0xB000))
    line.release()
    found = exchanges(records(script, None))
    assert [(one.number, one.service, one.status) for one in found] == [
        (2, "C-STORE", 0),
        (3, "C-STORE", 0xA700),
        (1, "C-GET", 0xB000),
    ]
    assert found[0].place is not None
    assert found[0].place.acceptor < found[1].place.acceptor if found[1].place else False


def test_a_cancel_is_remembered_in_what_it_cancels() -> None:
    script = Script()
    line = script.open().associate().say(SCU, ask(F.C_FIND_RQ, 1, FIND, STUDIES), echo(2))
    line.say(SCP, answer(F.C_FIND_RQ, 1, FIND, 0xFF00, MATCH)).say(SCU, cancel(1), cancel(99))
    line.say(SCP, answer(F.C_FIND_RQ, 1, FIND, 0xFE00), echoed(2)).say(SCU, cancel(1)).release()
    told = records(script)
    assert [(one.service, one.status, one.comment) for one in exchanges(told)] == [
        ("C-FIND", 0xFE00, ""),
        ("C-ECHO", 0, ""),
    ]
    assert notices(told)[1:] == [("released", "released")]


def test_an_answer_before_the_end_of_the_data_set_waits_for_it() -> None:
    script = Script()
    asked = store(1, IMAGE)
    line = script.open().associate().say(SCU, asked[:-10]).say(SCP, stored(1, 0xA700)).say(SCU, asked[-10:])
    line.say(SCU, echo(2)).say(SCP, echoed(2)).release()
    first, second = exchanges(records(script))
    assert (first.number, first.status, first.size) == (1, 0xA700, len(IMAGE))
    assert second.number == 2


@pytest.mark.parametrize(
    ("ours", "text"),
    [
        (SCP, "C_ECHO_RSP came, but nothing was asked; ignored"),
        (None, "C_ECHO_RSP came, but nothing was asked"),
    ],
)
def test_a_response_nobody_asked_for_is_trouble(ours: Role | None, text: str) -> None:
    script = Script()
    script.open().associate().say(SCU, echoed(1)).release()
    told = records(script, ours)
    assert exchanges(told) == []
    assert ("trouble", text) in notices(told)


def test_a_second_final_answer_is_trouble() -> None:
    script = Script()
    script.open().associate().say(SCU, echo(1)).say(SCP, echoed(1), echoed(1)).release()
    told = records(script)
    assert len(exchanges(told)) == 1
    assert any("nothing was asked" in text for _, text in notices(told))


def test_what_is_not_answered_is_told_at_the_end_of_the_association() -> None:
    script = Script()
    large = ct_image(pixels=40_000)
    script.open().associate().say(SCU, echo(1), store(2, large)[:-30]).close(SCU)
    told = records(script)
    assert [(one.number, one.status, one.comment) for one in exchanges(told)] == [
        (1, None, "the association ended before the answer"),
        (2, None, "the association ended within the data set"),
    ]
    assert (
        "aborted",
        "aborted by the peer: the transport connection closed without a release (source 2, reason 0)",
    ) in (notices(told))
    assert exchanges(told)[1].subject.startswith("CT ")


def test_more_requests_than_can_be_held_are_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pairing, "MOST_OPEN", 3)
    script = Script()
    script.open().associate().say(SCU, *(echo(number) for number in range(1, 6))).release()
    found = exchanges(records(script))
    assert [one.number for one in found] == [1, 2, 3, 4, 5]
    assert "too many requests" in found[0].comment
    assert found[4].comment == "the association ended before the answer"


@pytest.mark.parametrize(
    ("ours", "sender", "abort", "text"),
    [
        (SCP, SCU, Abort(0, 0), "aborted by the peer: service user (source 0, reason 0)"),
        (
            SCP,
            SCU,
            Abort(2, 2),
            "aborted by the peer: unexpected pdu (source 2, reason 2)",
        ),
        (SCP, SCP, Abort(2, 6), "aborted by us: invalid parameter (source 2, reason 6)"),
        (None, SCU, Abort(0, 0), "aborted by the requestor: service user (source 0, reason 0)"),
        (None, SCP, Abort(2, 9), "aborted by the acceptor: unknown reason (source 2, reason 9)"),
    ],
)
def test_an_abort_says_by_whom(ours: Role | None, sender: Role, abort: Abort, text: str) -> None:
    script = Script()
    script.open().associate().say(SCU, echo()).say(sender, abort).close(sender).close(SCP)
    told = records(script, ours)
    assert notices(told)[1:] == [("aborted", text)]
    assert [one.comment for one in exchanges(told)] == ["the association ended before the answer"]


def test_our_comment_says_why_we_aborted() -> None:
    script = Script()
    text = "aborted by us: nothing was heard for 60 s (network_timeout)"
    script.open().associate().say(SCP, Abort(2, 0)).close(SCP, "fin", f"1 aborted: {text}")
    assert notices(records(script))[1:] == [("aborted", text)]


def test_a_comment_on_the_abort_itself_is_told_at_once() -> None:
    script = Script()
    script.open().associate().say(SCP, Abort(2, 0), comment="1 aborted: because").close(SCP)
    timeline = Timeline(ours=SCP)
    told = [record for event in script.events[:-1] for record in timeline.feed(event)]
    assert notices(told)[1:] == [("aborted", "because")]


def test_our_words_about_the_peer_may_come_after_the_last_packet() -> None:
    script = Script()
    line = script.open().associate().say(SCU, echo()).close(SCU)
    closed_at = script.clock
    line.close(SCP).remark(SCP, "1 aborted: aborted by the peer: it left")
    timeline = Timeline(ours=SCP)
    told = [record for event in script.events for record in timeline.feed(event)]
    assert notices(told)[1:] == [("aborted", "aborted by the peer: it left")]
    assert [type(record) for record in told] == [Notice, Notice, Exchange]
    notice = told[1]
    assert isinstance(notice, Notice)
    assert notice.when == closed_at
    assert timeline.open_connections == 0


def test_our_words_that_never_came_are_replaced_at_the_end() -> None:
    script = Script()
    script.open().associate().say(SCU, Abort(0, 0)).close(SCU).close(SCP)
    timeline = Timeline(ours=SCP)
    told = [record for event in script.events for record in timeline.feed(event)]
    assert [kind for kind, _ in notices(told)] == ["opened"]
    assert timeline.open_connections == 1
    assert [kind for kind, _ in notices(timeline.finish())] == ["aborted"]


def test_connections_that_wait_for_our_words_are_not_held_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timelines, "_MOST_CLOSING", 2)
    script = Script()
    for _ in range(10):
        script.open().associate().close(SCU).close(SCP)
    timeline = Timeline(ours=SCP)
    for event in script.events:
        timeline.feed(event)
    assert timeline.open_connections == 2


def test_other_notices_of_ours_are_told_as_they_were() -> None:
    script = Script()
    line = script.open().associate().say(SCU, echo())
    line.say(SCP, echoed(1, 0x0110), comment="1 trouble: C-ECHO failed in the server: KeyError: 1").release()
    assert notices(records(script))[1] == ("trouble", "C-ECHO failed in the server: KeyError: 1")


@pytest.mark.parametrize(
    ("answered", "text"),
    [
        (AssociateRJ(1, 1, 7), "association rejected: called AE title not recognized (result 1, source 1, reason 7)"),
        (AssociateRJ(2, 3, 2), "association rejected: local limit exceeded, for now (result 2, source 3, reason 2)"),
        (AssociateRJ(1, 2, 2), "protocol version 0x0001 is not supported"),
        (
            AssociateRJ(1, 1, 9),
            "association rejected: a reason the standard does not know (result 1, source 1, reason 9)",
        ),
    ],
)
def test_a_rejection_says_why(answered: AssociateRJ, text: str) -> None:
    script = Script()
    script.open().say(SCU, REQUEST).say(SCP, answered).close(SCP).close(SCU)
    told = records(script)
    assert notices(told) == [("rejected", text)]
    assert told[0].association is not None
    assert told[0].association.calling == "CT1"


def test_who_associates_is_known_by_name() -> None:
    user = UserInformation(16384, "1.2.3", user_identity=UserIdentity(1, False, b"ada"))
    script = Script()
    line = script.open("connection 1 from 10.0.0.1:50001 TLS TLSv1.3 TLS_AES_256_GCM_SHA384")
    line.associate(replace(REQUEST, user=user)).say(SCU, echo()).say(SCP, echoed()).release()
    assert (only(script).association.user, only(script).association.secure) == ("ada", True)


def test_a_connection_without_a_word_is_a_detail() -> None:
    script = Script()
    script.open().close(SCU)
    (notice,) = records(script)
    assert isinstance(notice, Notice)
    assert (notice.kind, notice.text, notice.detail) == ("closed", "closed without a word", True)


def test_bytes_that_are_no_pdu_are_told_with_a_guess() -> None:
    script = Script()
    script.open().say(SCU, b"GET / HTTP/1.1\r\nHost: pacs\r\n\r\n").close(SCP)
    told = notices(records(script))
    assert told[0][0] == "trouble"
    assert "30 bytes from the peer are no PDU" in told[0][1]
    assert "HTTP" in told[0][1]


def test_half_a_pdu_is_told() -> None:
    script = Script()
    script.open().associate().say(SCU, echo()[:-3]).close(SCU)
    told = notices(records(script))
    assert any("half a PDU" in text for kind, text in told if kind == "trouble")
    assert told[-1][0] == "aborted"


def test_nonsense_in_a_pdu_is_told_and_the_rest_is_read() -> None:
    script = Script()
    lying = b"\4\0\0\0\0\6\0\0\0\xff\1\3"
    script.open().associate().say(SCU, lying).say(SCU, echo()).say(SCP, echoed()).release()
    told = records(script)
    assert len(exchanges(told)) == 1
    assert any(text.startswith("what the peer sent makes no message: ") for _, text in notices(told))


def test_a_capture_that_begins_in_mid_session_pairs_what_it_has() -> None:
    script = Script()
    line = script.open(from_start=False, sequences=(0xFFFFFFF0, 77)).say(SCP, stored(4))
    line.say(SCU, store(5, IMAGE)).say(SCP, stored(5)).release()
    told = records(script, None)
    exchange = exchanges(told)[0]
    assert (exchange.service, exchange.status, exchange.context and exchange.context.abstract_syntax) == (
        "C-STORE",
        0,
        "",
    )
    assert exchange.association.calling == ""
    assert exchange.place is not None
    assert exchange.place.requestor == 0xFFFFFFF0
    assert notices(told) == [
        ("opened", "the capture begins in the middle of the association"),
        ("trouble", "C-STORE-RSP answers a request from before the capture began"),
        ("released", "released"),
    ]


def test_sides_that_were_guessed_wrong_are_put_right() -> None:
    script = Script()
    line = script.open(from_start=False).say(SCP, REQUEST).say(SCU, ANSWER).say(SCP, echo()).say(SCU, echoed())
    line.say(SCP, Abort(0, 0)).close(SCP).close(SCU)
    told = records(script, None)
    (exchange,) = exchanges(told)
    assert (exchange.association.address, exchange.association.server) == ("10.0.0.2:11112", "10.0.0.1:50001")
    assert ("aborted", "aborted by the requestor: service user (source 0, reason 0)") in notices(told)


def test_missing_bytes_are_told_and_what_follows_is_read() -> None:
    script = Script()
    asked = store(1, IMAGE)
    line = script.open().associate().say(SCU, asked[:200]).lose(SCU, len(asked) - 200).say(SCP, stored(1))
    line.say(SCU, echo(2)).say(SCP, echoed(2)).release()
    told = records(script, None)
    assert [(one.service, one.status) for one in exchanges(told)] == [("C-STORE", 0), ("C-ECHO", 0)]
    assert f"{len(asked) - 200} bytes from the requestor are missing in the capture" in [
        text for _, text in notices(told)
    ]


def test_the_end_of_the_recording_is_not_the_end_of_the_association() -> None:
    script = Script()
    script.open().associate().say(SCU, echo()).close(None, "cut")
    told = records(script)
    assert notices(told)[-1] == ("closed", "the recording ended while the connection was open")
    assert exchanges(told)[0].status is None
    assert notices(records(script.events[:-1])) == notices(told)


def test_a_request_after_the_release_request_is_no_exchange() -> None:
    script = Script()
    line = script.open().associate().say(SCU, ReleaseRQ(), echo()).say(SCP, Abort(2, 2)).close(SCP)
    told = records(script)
    assert exchanges(told) == []
    assert ("trouble", "C-ECHO-RQ came from the peer after its release request") in notices(told)
    del line


def test_a_request_that_we_refused_with_its_context_is_no_exchange() -> None:
    script = Script()
    refused = replace(ANSWER, contexts=ANSWER.contexts[1:])
    script.open().associate(ac=refused).say(SCU, echo()).say(SCP, Abort(2, 6)).close(SCP)
    told = records(script)
    assert exchanges(told) == []
    assert ("trouble", "C-ECHO-RQ came from the peer on presentation context 1, which was not accepted") in notices(
        told
    )
    assert len(exchanges(records(script, None))) == 1, "of others nobody knows what they do with it"


def test_others_may_answer_after_a_fin() -> None:
    script = Script()
    line = script.open().associate().say(SCU, echo()).close(SCU).say(SCP, echoed())
    line.close(SCP)
    told = records(script, None)
    assert [one.status for one in exchanges(told)] == [0]
    assert notices(told)[-1][1].startswith("aborted by the requestor: ")


def test_what_a_rule_decided_comes_from_the_comment() -> None:
    script = Script()
    line = script.open("connection 1 from 10.0.0.1:50001").associate()
    line.say(SCU, echo(), comment="1.1 C-ECHO-RQ CT1 > MOCKPACS")
    line.say(SCP, echoed(1, 0x0110), comment='1.1 C-ECHO-RSP 0110 failure CT1 > MOCKPACS rule "no echo" fault "late"')
    line.release()
    assert (only(script).rule, only(script).fault) == ("no echo", "late")


def test_bytes_that_did_not_leave_are_told() -> None:
    script = Script()
    script.open().associate().say(SCU, echo()).say(SCP, echoed()).close(SCU, "reset", "unsent 84")
    assert ("trouble", "84 bytes at the end did not leave") in notices(records(script))


def test_a_later_part_alone_has_the_numbers_of_the_whole() -> None:
    script = Script()
    line = script.open("continues connection 3 of 20260101-120000.pcapng", number=3).associate()
    line.say(SCP, stored(6), comment="3.6 C-STORE-RSP 0000 success CT1 > MOCKPACS")
    line.say(SCU, echo(7), comment="3.7 C-ECHO-RQ CT1 > MOCKPACS").say(
        SCP, echoed(7), comment='3.7 C-ECHO-RSP 0000 rule "r"'
    )
    line.say(SCU, echo(8), comment="3.8 C-ECHO-RQ CT1 > MOCKPACS").say(SCP, echoed(8)).release()
    found = exchanges(records(script))
    assert [(one.id, one.rule) for one in found] == [("3.7", "r"), ("3.8", "")]


def test_interleaved_associations_do_not_touch_one_another() -> None:
    script = Script()
    lines = [script.open().associate() for _ in range(5)]
    for message_id in range(1, 4):
        for line in lines:
            line.say(SCU, echo(message_id))
        for line in reversed(lines):
            line.say(SCP, echoed(message_id))
    for line in lines:
        line.release()
    found = exchanges(records(script))
    assert sorted(one.id for one in found) == [f"{one}.{number}" for one in range(1, 6) for number in range(1, 4)]
    assert all(one.status == 0 for one in found)


def test_what_is_not_dicom_in_a_capture_of_others_is_counted_and_left_out() -> None:
    script = Script()
    script.open().say(SCU, b"GET / HTTP/1.1\r\n\r\n").say(SCP, b"HTTP/1.1 200 OK\r\n\r\n").close(SCU).close(SCP)
    script.open().say(SCU, b"\x16\x03\x01\x02\x00" + bytes(512)).close(SCU).close(SCP)
    script.open().close(SCU).close(SCP)
    script.open(from_start=False).say(SCU, bytes(range(256)) * 20).close(SCU).close(SCP)
    script.open().associate().say(SCU, echo()).say(SCP, echoed()).release()
    told = records(script, None)
    assert [record.association and record.association.number for record in told] == [5, 5, 5, None]
    last = told[-1]
    assert isinstance(last, Notice)
    assert (last.text, last.detail) == ("4 connections without DICOM left out, 1 of them TLS", True)
    assert exchanges(told)[0].association.server == "10.0.0.2:11112"


def test_finished_associations_are_forgotten() -> None:
    timeline = Timeline(ours=SCP)
    for _ in range(3):
        script = Script()
        script.open().associate().say(SCU, echo()).say(SCP, echoed()).release()
        for event in script.events:
            timeline.feed(event)
    assert timeline.open_connections == 0


def test_the_beginning_of_the_data_set_is_told_with_the_request() -> None:
    heard: list[tuple[str, int | None, bytes]] = []
    timeline = Timeline(ours=SCP, on_request=lambda one, head: heard.append((one.id, one.status, head)))
    script = Script()
    large = ct_image(pixels=200_000)
    line = script.open().associate().say(SCU, store(1, IMAGE), store(2, large)).say(SCP, stored(1), stored(2))
    line.say(SCU, store(3, large)[:40_000]).close(SCU).close(SCP)
    for event in script.events:
        timeline.feed(event)
    timeline.finish()
    assert [(name, status) for name, status, _ in heard] == [("1.1", None), ("1.2", None), ("1.3", None)]
    assert heard[0][2] == IMAGE
    assert heard[1][2] == large[: 64 * 1024]
    assert heard[2][2] == large[: 2 * (16384 - 6)]


@pytest.mark.parametrize("longest", [1, 7, 100])
def test_how_the_bytes_were_cut_makes_no_difference(longest: int) -> None:
    def told(longest: int) -> list[tuple[object, ...]]:
        script = Script()
        line = script.open()
        for sender, data in (
            (SCU, REQUEST),
            (SCP, ANSWER),
            (SCU, store(1, IMAGE) + echo(2)),
            (SCP, stored(1) + echoed(2)),
            (SCU, ask(F.C_FIND_RQ, 3, FIND, STUDIES)),
            (SCP, answer(F.C_FIND_RQ, 3, FIND, 0xFF00, MATCH) + answer(F.C_FIND_RQ, 3, FIND)),
        ):
            line.say(sender, data, longest=longest)
        line.release()
        return [
            (one.id, one.status, one.subject, one.size, one.responses, one.place and one.place.requestor)
            for one in exchanges(records(script))
        ]

    assert told(longest) == told(65_480)


def test_a_place_begins_in_the_block_of_its_first_byte() -> None:
    script = Script()
    line = script.open().associate()
    starts = []
    for message_id in range(1, 40):
        starts.append((script.size, line.sequence[SCU]))
        line.say(SCU, store(message_id, IMAGE), longest=50).say(SCP, stored(message_id), longest=50)
    line.release()
    found = [one.place for one in exchanges(records(script))]
    assert [(place.offset, place.requestor) for place in found if place] == starts


def test_the_release_may_come_from_the_acceptor() -> None:
    script = Script()
    script.open().associate().say(SCP, ReleaseRQ()).say(SCU, ReleaseRP()).close(SCP).close(SCU)
    assert notices(records(script, None))[1:] == [("released", "released")]


def test_the_instance_is_named_short() -> None:
    script = Script()
    script.open().associate().say(SCU, store(1, IMAGE)).say(SCP, stored(1)).release()
    assert only(script).subject == f"CT {INSTANCE[:17]}...  {len(IMAGE)} B"


def session() -> Script:
    """A little of everything."""
    script = Script()
    one, two = script.open().associate(), script.open(from_start=False)
    one.say(SCU, store(1, IMAGE), ask(F.C_FIND_RQ, 2, FIND, STUDIES))
    two.say(SCU, ask(F.C_GET_RQ, 1, GET, STUDIES)).say(SCP, store(1, IMAGE)).say(SCU, stored(1))
    one.say(SCP, stored(1), answer(F.C_FIND_RQ, 2, FIND, 0xFF00, MATCH)).say(SCU, cancel(2))
    one.say(SCP, answer(F.C_FIND_RQ, 2, FIND, 0xFE00), comment='1.2 C-FIND-RSP FE00 x rule "r" fault "f"').release()
    two.say(SCP, answer(F.C_GET_RQ, 1, GET)).say(SCP, Abort(2, 1)).close(SCP, "reset", "2 aborted: so", "unsent 10")
    return script


@pytest.mark.parametrize("ours", [SCP, None])
@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_no_bytes_and_no_order_make_it_raise(ours: Role | None, data: st.DataObject) -> None:
    events = session().events
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(events) - 1))
        event = events[at]
        match data.draw(st.sampled_from(("spoil", "drop", "repeat", "swap", "miss"))):
            case "spoil" if isinstance(event, Chunk) and event.data:
                raw = bytearray(event.data)
                raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
                events[at] = event._replace(data=bytes(raw))
            case "drop":
                del events[at]
            case "repeat":
                events.insert(at, event)
            case "swap":
                events.append(events.pop(at))
            case "miss" if isinstance(event, Chunk):
                events[at] = Missing(event.flow, event.sender, event.when, event.sequence, len(event.data))
    timeline = Timeline(ours=ours, on_request=lambda exchange, head: None)
    for event in events:
        timeline.feed(event)
    timeline.finish()
    assert timeline.open_connections == 0


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.sampled_from([SCU, SCP]), st.binary(max_size=60)), max_size=8))
def test_random_bytes_are_told_as_no_pdus(pieces: list[tuple[Role, bytes]]) -> None:
    script = Script()
    line = script.open()
    for sender, piece in pieces:
        line.say(sender, piece)
    line.close()
    assert exchanges(records(script)) == []


def test_a_long_association_does_not_take_more_memory_than_a_short_one() -> None:
    def peak(count: int) -> int:
        timeline = Timeline(ours=SCP)
        first = Script()
        first.open().associate()
        for event in first.events:
            timeline.feed(event)
        script = Script()
        line = script.open()
        for _ in range(20):
            line.say(SCU, store(1, IMAGE)).say(SCP, stored(1))
        tracemalloc.start()
        for _ in range(count):
            for event in script.events[1:]:
                timeline.feed(event)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    peak(120)  # the interpreter keeps some thousands of small tuples for later
    assert peak(50) < 2 * peak(5)
