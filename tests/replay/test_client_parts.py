"""The parts of a replayed client that need no connection: UIDs, contexts, aliases, frames, options, reports."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from mockpacs.errors import ConfigurationError
from mockpacs.net.partner import Heard
from mockpacs.replay.association import TapedAssociation
from mockpacs.replay.blob import Blob
from mockpacs.replay.client.aliases import learn
from mockpacs.replay.client.dialogue import Request
from mockpacs.replay.client.negotiation import Place, has_secret, place_of, proposal_of
from mockpacs.replay.client.outgoing import outgoing
from mockpacs.replay.client.pdus import fitting
from mockpacs.replay.client.raw import Framing
from mockpacs.replay.client.recorded import Answers, Asked
from mockpacs.replay.client.report import Report
from mockpacs.replay.client.settings import Settings, speed_of
from mockpacs.replay.client.uids import UidTable
from mockpacs.replay.step import Said
from mockpacs.traffic.exchange import Association
from mockpacs.wire import (
    PDV,
    AcceptedContext,
    AssociateRQ,
    Command,
    CommandField,
    PDataTF,
    ProposedContext,
    Role,
    Tag,
    UserIdentity,
    UserInformation,
    Value,
    decode_pdu,
    request,
    response_to,
)
from tests.net.wire_client import CT, EXPLICIT, IMPLICIT, STUDY_ROOT_FIND, ct_image, element

JPEG = "1.2.840.10008.1.2.4.50"
BIG = "1.2.840.10008.1.2.2"


def said(command: Command, data: bytes | None = None, *, syntax: str = EXPLICIT, abstract: str = CT) -> Said:
    context = AcceptedContext(3, abstract, syntax)
    blob = None if data is None else Blob(data)
    return Said(1.0, Role.REQUESTOR, context, command, blob, True, 1, 1.0)


def store(data: bytes = ct_image(), **how: Any) -> Said:
    elements: dict[int, Value] = {Tag.AFFECTED_SOP_CLASS: CT, Tag.AFFECTED_SOP_INSTANCE: "1.2.3.4.5"}
    return said(request(CommandField.C_STORE_RQ, 77, has_dataset=True, elements=elements), data, **how)


def taped(rq: AssociateRQ | None = None, *steps: Said) -> TapedAssociation:
    association = Association(1, "10.0.0.1:1", "CT1", "PACS")
    return TapedAssociation(1, association, 0.0, rq, None, steps, (), "", True, None)


# UIDs


def test_fresh_uids_are_the_same_for_a_seed_and_others_for_another() -> None:
    table, again, other = UidTable("7"), UidTable("7"), UidTable("8")
    fresh = table.bring("1.2.3")
    assert fresh.startswith("2.25.")
    assert len(fresh) <= 64
    assert again.bring("1.2.3") == fresh != other.bring("1.2.3")
    assert table.bring("1.2.840.10008.1.20.1.1") == "1.2.840.10008.1.20.1.1"


def test_what_the_client_did_not_bring_keeps_its_name() -> None:
    table = UidTable("7")
    assert table.rename("1.2.3") == "1.2.3"
    fresh = table.bring("1.2.3")
    assert table.rename("1.2.3") == fresh


def test_what_the_peer_gave_is_stronger_than_a_fresh_uid() -> None:
    table = UidTable("7")
    table.learn("1.2.3", "9.9")
    assert table.bring("1.2.3") == table.rename("1.2.3") == "9.9"


# contexts


def test_identifiers_are_kept_when_they_may_be_used() -> None:
    rq = AssociateRQ("PACS", "CT1", (ProposedContext(5, CT, (EXPLICIT,)), ProposedContext(1, CT, (IMPLICIT,))))
    proposal = proposal_of(taped(rq), Settings())
    assert proposal.request == rq
    assert proposal.ids == {5: 5, 1: 1}


def test_identifiers_that_are_even_or_repeated_become_others() -> None:
    rq = AssociateRQ("PACS", "CT1", (ProposedContext(2, CT, (EXPLICIT,)), ProposedContext(2, CT, (IMPLICIT,))))
    proposal = proposal_of(taped(rq), Settings())
    assert [context.context_id for context in proposal.request.contexts] == [1, 3]
    assert proposal.ids == {2: 1}


def test_without_a_request_the_messages_say_what_is_proposed() -> None:
    proposal = proposal_of(taped(None, store(), store(syntax=EXPLICIT)), Settings())
    assert proposal.request.contexts == (ProposedContext(3, CT, (EXPLICIT,)),)
    assert (proposal.request.calling, proposal.request.called) == ("CT1", "PACS")


def test_titles_and_the_passcode_are_replaced_when_asked_for() -> None:
    identity = UserIdentity(2, False, b"doe", b"***")
    rq = AssociateRQ("PACS", "CT1", (), UserInformation(user_identity=identity))
    assert has_secret(rq)
    assert not has_secret(dataclasses.replace(rq, user=UserInformation(user_identity=UserIdentity(1, False, b"doe"))))
    changed = proposal_of(taped(rq), Settings(called="OTHER", calling="ME", passcode="word")).request
    assert (changed.called, changed.calling) == ("OTHER", "ME")
    assert changed.user.user_identity == UserIdentity(2, False, b"doe", b"word")


@pytest.mark.parametrize(
    ("recorded", "accepted", "expected"),
    [
        (EXPLICIT, {3: (CT, EXPLICIT)}, (3, False)),
        (EXPLICIT, {3: (CT, IMPLICIT), 9: (CT, EXPLICIT)}, (9, False)),
        (EXPLICIT, {3: (CT, IMPLICIT)}, (3, True)),
        (BIG, {3: (CT, IMPLICIT)}, (3, True)),
        (EXPLICIT, {3: (CT, BIG)}, "nothing is transcoded"),
        (EXPLICIT, {3: (CT, JPEG)}, "nothing is transcoded"),
        (JPEG, {3: (CT, EXPLICIT)}, "nothing is transcoded"),
        (EXPLICIT, {3: (STUDY_ROOT_FIND, EXPLICIT)}, "accepts no context for CT Image Storage"),
        (EXPLICIT, {}, "accepts no context for CT Image Storage"),
    ],
)
def test_where_a_message_is_said(
    recorded: str, accepted: dict[int, tuple[str, str]], expected: tuple[int, bool] | str
) -> None:
    contexts = {number: AcceptedContext(number, *syntaxes) for number, syntaxes in accepted.items()}
    place = place_of(store(syntax=recorded), {3: 3}, contexts)
    if isinstance(expected, str):
        assert isinstance(place, str)
        assert expected in place
    else:
        assert isinstance(place, Place)
        assert (place.context.context_id, place.is_converted) == expected


def test_a_message_on_a_context_that_was_refused_is_not_said() -> None:
    place = place_of(store(syntax="", abstract=""), {3: 3}, {3: AcceptedContext(3, CT, EXPLICIT)})
    assert "was not accepted in the recording" in str(place)


# messages


def test_a_data_set_is_converted_to_the_syntax_of_the_live_context_and_back() -> None:
    original = store()
    there = outgoing(original, Place(AcceptedContext(3, CT, IMPLICIT), True), UidTable(), 5)
    assert isinstance(there.data, bytes)
    assert there.data != ct_image()
    back = outgoing(store(there.data, syntax=IMPLICIT), Place(AcceptedContext(3, CT, EXPLICIT), True), UidTable(), 5)
    assert back.data == ct_image()


def test_the_message_id_is_fresh_and_all_else_stays() -> None:
    out = outgoing(store(), Place(AcceptedContext(3, CT, EXPLICIT), False), UidTable(), 5)
    assert out.command.message_id == 5
    assert out.command.affected_sop_instance == "1.2.3.4.5"
    assert out.data == ct_image()


def test_a_cancel_names_the_live_message() -> None:
    elements: dict[int, Value] = {
        Tag.COMMAND_FIELD: CommandField.C_CANCEL_RQ,
        Tag.MESSAGE_ID_RESPONDED_TO: 77,
        Tag.DATA_SET_TYPE: 0x101,
    }
    out = outgoing(said(Command(elements)), Place(AcceptedContext(3, CT, EXPLICIT), False), UidTable(), 0, 9)
    assert out.command.message_id_responded_to == 9


def test_fresh_uids_are_in_the_command_and_in_the_data_set() -> None:
    table = UidTable("1")
    out = outgoing(store(), Place(AcceptedContext(3, CT, EXPLICIT), False), table, 5)
    fresh = table.rename("1.2.3.4.5")
    assert out.command.affected_sop_instance == fresh
    assert isinstance(out.data, bytes)
    assert fresh.encode() in out.data
    assert out.command.affected_sop_class == CT


def test_answers_are_taken_by_instance_then_in_order_each_once() -> None:
    def one(instance: str) -> Command:
        return request(CommandField.C_STORE_RQ, 1, elements={Tag.AFFECTED_SOP_INSTANCE: instance})

    asked = [Asked(one("1.1"), None), Asked(one("1.2"), None), Asked(one("1.3"), None)]
    answers = Answers(asked)
    assert answers.take(one("1.2")) is asked[1]
    assert answers.take(one("9.9")) is asked[0]
    assert answers.take(one("1.2")) is asked[2]
    assert answers.take(one("1.1")) is None


# aliases


def match(patient: str, study: str) -> bytes:
    return element(0x00100020, "LO", patient.encode()) + element(0x0020000D, "UI", study.encode())


def asked(*matches: bytes) -> Request:
    context = AcceptedContext(5, STUDY_ROOT_FIND, EXPLICIT)
    command = request(CommandField.C_FIND_RQ, 1, has_dataset=True)
    found = Request(1, 1, command, context)
    found.matches = [Heard(context, response_to(command, 0xFF00), data, len(data)) for data in matches]
    return found


def recorded(*matches: bytes) -> list[Said]:
    command = response_to(request(CommandField.C_FIND_RQ, 1), 0xFF00, has_dataset=True)
    return [said(command, data, abstract=STUDY_ROOT_FIND) for data in matches]


def test_matches_that_say_the_same_are_the_same_whatever_their_order() -> None:
    table = UidTable()
    learn(table, asked(match("B", "9.2"), match("A", "9.1")), recorded(match("A", "1.1"), match("B", "1.2")), None)
    assert (table.rename("1.1"), table.rename("1.2"), table.rename("1.3")) == ("9.1", "9.2", "1.3")


def test_matches_that_say_nothing_else_are_taken_in_their_order() -> None:
    table = UidTable()
    learn(table, asked(match("", "9.1"), match("", "9.2")), recorded(match("", "1.1"), match("", "1.2")), None)
    assert (table.rename("1.1"), table.rename("1.2")) == ("9.1", "9.2")


def test_matches_of_others_teach_nothing() -> None:
    table = UidTable()
    learn(table, asked(match("C", "9.1"), match("D", "9.2")), recorded(match("A", "1.1")), None)
    assert table.is_idle


def test_a_name_that_the_peer_gives_to_a_created_instance_is_learnt() -> None:
    table = UidTable()
    one = asked()
    rq = request(CommandField.N_CREATE_RQ, 1, elements={Tag.AFFECTED_SOP_CLASS: "1.2.840.10008.5.1.1.1"})
    one.command = rq
    one.final = response_to(rq, 0, elements={Tag.AFFECTED_SOP_INSTANCE: "9.9"})
    learn(table, one, (), said(response_to(rq, 0, elements={Tag.AFFECTED_SOP_INSTANCE: "1.1"})))
    assert table.rename("1.1") == "9.9"


# PDUs


def test_frames_are_the_same_however_the_bytes_come() -> None:
    pdus = [b"\x01\0\0\0\0\x03abc", b"\x04\0\0\0\0\0", b"\x05\0\0\0\0\x04\0\0\0\0"]
    whole = b"".join(pdus) + b"GET / HTTP"
    at_once = list(Framing().feed(whole))
    assert at_once == [(pdu, True) for pdu in pdus] + [(b"GET / HTTP", False)]
    framing = Framing()
    one_by_one = [piece for at in range(len(whole)) for piece in framing.feed(whole[at : at + 1]) if piece[0]]
    assert one_by_one[:3] == [(pdu, True) for pdu in pdus]
    assert b"".join(data for data, _ in one_by_one) == whole


def test_half_a_pdu_is_passed_on_and_so_is_its_rest() -> None:
    framing = Framing()
    assert list(framing.feed(b"\x01\0\0\0\0\x08abc")) == []
    assert framing.flush() == b"\x01\0\0\0\0\x08abc"
    assert list(framing.feed(b"defgh" + b"\x05\0\0\0\0\0")) == [(b"defgh", False), (b"\x05\0\0\0\0\0", True)]


def test_fragments_are_cut_again_for_a_peer_that_takes_less() -> None:
    pdvs = (PDV(1, True, True, b"c" * 10), PDV(1, False, True, b"d" * 25))
    assert len(fitting(pdvs, 0)) == 1
    pdus = [decode_pdu(4, raw[6:]) for raw in fitting(pdvs, 16)]
    pieces = [pdv for pdu in pdus if isinstance(pdu, PDataTF) for pdv in pdu.pdvs]
    assert b"".join(bytes(pdv.data) for pdv in pieces if not pdv.is_command) == b"d" * 25
    assert [pdv.is_last for pdv in pieces if not pdv.is_command] == [False, False, True]
    assert all(len(raw) - 6 <= 16 for raw in fitting(pdvs, 16))


# options and reports


@pytest.mark.parametrize(("text", "speed"), [("asap", 0), ("recorded", 1), ("2x", 2), ("0.5x", 0.5), ("ASAP", 0)])
def test_a_time_is_a_speed(text: str, speed: float) -> None:
    assert speed_of(text) == speed


@pytest.mark.parametrize("text", ["fast", "0x", "-1x", "x", "1e400x", "2"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="--time"):
        speed_of(text)


def test_a_report_says_same_different_or_trouble() -> None:
    report = Report()
    assert (report.exit_status, report.lines()[-1]) == (0, "played 0 associations, 0 requests: all as recorded")
    report.miss("1.2", "C-STORE", "no context")
    report.differ("1.1", "C-ECHO", "0000 success", "0110 processing-failure")
    assert report.exit_status == 1
    assert report.lines() == [
        "1.1  C-ECHO: recorded 0000 success, now 0110 processing-failure",
        "1.2  C-STORE: not played: no context",
        "played 0 associations, 0 requests: 1 difference, 1 not played",
    ]
    report.fail("nobody there")
    report.fail("second")
    assert report.exit_status == 2
    assert report.as_json()["trouble"] == "nobody there"


def test_a_long_report_is_counted() -> None:
    report = Report()
    for at in range(1500):
        report.differ(str(at), "x", "a", "b")
    assert len(report.differences) == 1000
    assert report.lines()[-1].endswith("1500 differences")
