"""A recorded server answers again: what it was asked, in whatever clothes the client comes."""

from __future__ import annotations

from pathlib import Path

import pytest

from mockpacs import MockPACS
from mockpacs.replay.server import Choices
from mockpacs.wire import AssociateRJ, ProposedContext
from mockpacs.wire.dataset import EXPLICIT_LITTLE, IMPLICIT_LITTLE, scan
from tests.net.wire_client import CT, EXPLICIT, IMPLICIT, STUDY_ROOT_FIND, VERIFICATION, WireClient, ct_image, element
from tests.replay.served import asking, record, replayed, studies

TWO_PATIENTS = """
rules:
  - when: { service: C-FIND, query: { PatientID: P1 } }
    then: { answer: [{ PatientID: P1, StudyInstanceUID: "1.1" }, { PatientID: P1, StudyInstanceUID: "1.2" }] }
  - when: { service: C-FIND, query: { PatientID: P2 } }
    then: { status: out-of-resources, comment: Come back }
  - when: { service: C-FIND }
    then: { answer: [{ PatientID: ALL, StudyInstanceUID: "1.3" }] }
"""
THIRD_FAILS = """
rules:
  - when: { service: C-STORE }
    nth: 3
    then: { status: out-of-resources, comment: Disk full }
"""


def ask_for_two(pacs: MockPACS) -> list[list[int]]:
    with asking(pacs) as client:
        return [[status for status, _ in client.find(studies(patient))] for patient in ("P1", "P2")]


def test_all_that_was_asked_is_answered_as_it_was(tmp_path: Path) -> None:
    def talk(pacs: MockPACS) -> object:
        with asking(pacs) as client:
            return client.echo(), client.store(), client.find(studies("P1")), client.find(studies("P2"))

    answers = []
    path = record(tmp_path, lambda pacs: answers.append(talk(pacs)), scenario=TWO_PATIENTS)
    with replayed(path) as again:
        answers.append(talk(again.pacs))

    assert answers[0] == answers[1]
    assert again.ledger.is_same
    assert again.ledger.lines() == ["replayed 4 of 4 recorded answers"]


def test_other_contexts_another_max_pdu_and_other_message_ids_do_not_matter(tmp_path: Path) -> None:
    path = record(tmp_path, ask_for_two, scenario=TWO_PATIENTS)
    contexts = (
        ProposedContext(31, STUDY_ROOT_FIND, (IMPLICIT,)),
        ProposedContext(7, VERIFICATION, (IMPLICIT,)),
        ProposedContext(9, CT, (EXPLICIT,)),
    )
    identifier = b"\x08\x00\x52\x00\x06\x00\x00\x00STUDY \x10\x00\x20\x00\x02\x00\x00\x00P1"
    with replayed(path) as again, asking(again.pacs, *contexts, max_pdu_length=200) as client:
        client._message_id = 4000
        found = client.find(identifier, context_id=31)

    assert [status for status, _ in found] == [0xFF00, 0xFF00, 0x0000]
    uids = [bytes(scan(data or b"", IMPLICIT_LITTLE).elements[0x0020000D].value) for _, data in found[:2]]
    assert uids == [b"1.1\0", b"1.2\0"]
    assert max(client.lengths) <= 200


def test_a_match_is_the_recorded_one_byte_for_byte(tmp_path: Path) -> None:
    scenario = """
rules:
  - when: { service: C-FIND }
    then: { answer: [{ PatientID: P1, PatientName: "Doe^Jane ", ModalitiesInStudy: [CT, MR] }] }
"""
    found = []

    def talk(pacs: MockPACS) -> None:
        with asking(pacs) as client:
            found.append(client.find(studies("P1")))

    path = record(tmp_path, talk, scenario=scenario)
    with replayed(path) as again:
        talk(again.pacs)

    assert found[0] == found[1]
    assert len(scan(found[0][0][1] or b"", EXPLICIT_LITTLE).elements) == 3


def test_which_of_several_requests_it_is_the_position_says(tmp_path: Path) -> None:
    def talk(pacs: MockPACS) -> list[int]:
        with asking(pacs) as client:
            return [client.store(instance=f"1.2.{number}") for number in range(5)]

    path = record(tmp_path, talk, scenario=THIRD_FAILS)
    with replayed(path) as again:
        assert talk(again.pacs) == [0, 0, 0xA700, 0, 0]

    assert again.ledger.is_same


def test_the_words_of_a_failure_are_those_of_the_recording(tmp_path: Path) -> None:
    def talk(pacs: MockPACS) -> str | None:
        with asking(pacs) as client:
            client.send(client.find_request(studies("P2")))
            (response, _), *others = client.responses()
            assert not others
            return response.error_comment

    path = record(tmp_path, talk, scenario=TWO_PATIENTS)
    with replayed(path) as again:
        assert talk(again.pacs) == "Come back"


# what was not recorded


@pytest.mark.parametrize(
    ("unmatched", "status", "differences"),
    [
        ("fail", 0x0110, ["unmatched: C-ECHO"]),
        ("last", 0x0122, ["unmatched: 1.1 C-ECHO was asked once more"]),
        ("honest", 0x0000, ["unmatched: C-ECHO"]),
    ],
)
def test_what_was_asked_more_often(tmp_path: Path, unmatched: str, status: int, differences: list[str]) -> None:
    def talk(pacs: MockPACS, times: int) -> list[int]:
        with asking(pacs) as client:
            return [client.echo() for _ in range(times)]

    scenario = "rules: [{ when: { service: C-ECHO }, then: { status: sop-class-not-supported } }]"
    path = record(tmp_path, lambda pacs: talk(pacs, 2), scenario=scenario)
    with replayed(path, Choices(unmatched)) as again:  # type: ignore[arg-type]
        assert talk(again.pacs, 3) == [0x0122, 0x0122, status]

    assert again.differences == differences


def test_what_was_never_asked_is_told(tmp_path: Path) -> None:
    path = record(tmp_path, ask_for_two, scenario=TWO_PATIENTS)
    with replayed(path) as again, asking(again.pacs) as client:
        client.find(studies("P2"))

    assert again.differences == ["never asked: 1.1 C-FIND STUDY PatientID=P1"]
    assert again.ledger.as_json()["answered"] == 1


def test_a_query_for_something_else_is_none_that_was_recorded(tmp_path: Path) -> None:
    path = record(tmp_path, ask_for_two, scenario=TWO_PATIENTS)
    with replayed(path) as again, asking(again.pacs) as client:
        assert client.find(studies("P3")) == [(0x0110, None)]
        assert client.find(studies("P")) == [(0x0110, None)]

    assert "unmatched: C-FIND STUDY PatientID=P3" in again.differences


def test_an_honest_server_looks_into_its_archive_for_what_was_not_recorded(tmp_path: Path) -> None:
    path = record(tmp_path, ask_for_two, scenario=TWO_PATIENTS)
    with replayed(path, Choices("honest")) as again, asking(again.pacs) as client:
        assert client.store() == 0
        assert [status for status, _ in client.find(studies("P3"))] == [0]
        assert [status for status, _ in client.find(element(0x00080052, "CS", b"STUDY"))] == [0xFF00, 0]


def test_a_wild_card_is_a_key_like_any_other(tmp_path: Path) -> None:
    def talk(pacs: MockPACS) -> list[int]:
        with asking(pacs) as client:
            return [len(client.find(studies(patient))) for patient in ("P*", "P1", "")]

    path = record(tmp_path, talk, scenario=TWO_PATIENTS)
    with replayed(path) as again:
        assert talk(again.pacs) == [2, 3, 2]

    assert again.ledger.is_same


def test_a_key_more_is_another_query_where_the_recording_has_both(tmp_path: Path) -> None:
    date = element(0x00080020, "DA", b"20260101")

    def keys(*, dated: bool) -> bytes:
        return element(0x00080052, "CS", b"STUDY") + date * dated + element(0x00100020, "LO", b"P1")

    scenario = """
rules:
  - when: { service: C-FIND, query: { StudyDate: "20260101" } }
    then: { answer: [] }
  - when: { service: C-FIND }
    then: { answer: [{ PatientID: P1 }] }
"""

    def talk(pacs: MockPACS) -> list[int]:
        with asking(pacs) as client:
            return [len(client.find(keys(dated=dated))) for dated in (False, True, True, False)]

    path = record(tmp_path, talk, scenario=scenario)
    with replayed(path) as again:
        assert talk(again.pacs) == [2, 1, 1, 2]

    assert again.ledger.is_same


def test_an_ignored_key_does_not_tell_queries_apart(tmp_path: Path) -> None:
    path = record(tmp_path, ask_for_two, scenario=TWO_PATIENTS)
    with replayed(path, Choices(ignored=frozenset((0x00100020,)))) as again, asking(again.pacs) as client:
        found = [len(client.find(studies(patient))) for patient in ("X", "Y")]

    assert found == [3, 1]


def test_the_items_of_a_worklist_query_are_keys(tmp_path: Path) -> None:
    worklist = "1.2.840.10008.5.1.4.31"
    contexts = (ProposedContext(1, worklist, (EXPLICIT,)),)

    def keys(modality: str) -> bytes:
        inner = element(0x00080060, "CS", modality.encode()) + element(0x00400001, "AE", b"")
        item = b"\xfe\xff\x00\xe0" + len(inner).to_bytes(4, "little") + inner
        return element(0x00100010, "PN", b"") + element(0x00400100, "SQ", item)

    scenario = """
rules:
  - when: { event: associate }
    then: { accept: { contexts: [{ result: accepted }] } }
  - when: { service: C-FIND, query: { ScheduledProcedureStepSequence: { Modality: CT } } }
    then: { answer: [{ PatientID: P1 }] }
  - when: { service: C-FIND, query: { ScheduledProcedureStepSequence: { Modality: MR } } }
    then: { answer: [{ PatientID: P2 }, { PatientID: P3 }] }
  - when: { service: C-FIND }
    then: { answer: [] }
"""

    def talk(pacs: MockPACS) -> list[int]:
        with asking(pacs, *contexts) as client:
            return [
                len(client.find(keys(modality), context_id=1, model=worklist)) for modality in ("MR", "", "CT", "MR")
            ]

    path = record(tmp_path, talk, scenario=scenario)
    with replayed(path) as again:
        assert talk(again.pacs) == [3, 1, 2, 3]

    assert again.ledger.is_same


def test_matches_with_a_warning_keep_it(tmp_path: Path) -> None:
    scenario = """
rules: [{ when: { service: C-FIND }, then: { pending: { status: FF01 } } }]
"""

    def talk(pacs: MockPACS) -> list[int]:
        with asking(pacs) as client:
            return [status for status, _ in client.find(studies("P1"))]

    def fill(pacs: MockPACS) -> None:
        with asking(pacs, calling="FILLER") as client:
            assert client.store() == 0

    path = record(tmp_path, talk, scenario=scenario, before=fill)
    with replayed(path) as again:
        assert talk(again.pacs) == [0xFF01, 0x0000]


def test_a_service_that_only_a_scenario_has_is_there_again(tmp_path: Path) -> None:
    from mockpacs.wire import CommandField, Tag

    mpps = "1.2.840.10008.3.1.2.3.3"
    scenario = """
rules:
  - when: { event: associate }
    then: { accept: { contexts: [{ result: accepted }] } }
  - when: { service: N-CREATE }
    then: { answer: [{ PerformedProcedureStepStatus: IN PROGRESS }], lie: { sop_instance: "1.2.77" } }
  - when: { service: N-SET }
    then: { status: invalid-attribute-value, offending: PatientID }
"""

    def talk(pacs: MockPACS) -> list[object]:
        with asking(pacs, ProposedContext(1, mpps, (EXPLICIT,))) as client:
            heard: list[object] = []
            for field in (CommandField.N_CREATE_RQ, CommandField.N_SET_RQ):
                command = client._request(field, mpps, True, {Tag.AFFECTED_SOP_INSTANCE: "1.2.3"})
                client.send(client.message(1, command, element(0x00400252, "CS", b"IN PROGRESS")))
                response, data = client.response()
                heard.append((response.status, response.affected_sop_instance, response.offending_elements, data))
            return heard

    heard = []
    path = record(tmp_path, lambda pacs: heard.append(talk(pacs)), scenario=scenario)
    with replayed(path) as again:
        heard.append(talk(again.pacs))

    assert heard[0] == heard[1]
    assert heard[0][0][:2] == (0, "1.2.77")  # type: ignore[index]
    assert again.ledger.is_same


# order


def test_in_strict_order_every_request_has_its_turn(tmp_path: Path) -> None:
    path = record(tmp_path, ask_for_two, scenario=TWO_PATIENTS)
    with replayed(path, Choices(order="strict")) as again, asking(again.pacs) as client:
        found = [client.find(studies(patient))[-1][0] for patient in ("P2", "P1", "P2")]

    assert found == [0x0110, 0x0000, 0xA700]
    assert again.differences == ["unmatched: C-FIND STUDY PatientID=P2"]


def test_in_strict_order_the_second_association_is_the_second(tmp_path: Path) -> None:
    scenario = "rules: [{ when: { service: C-ECHO }, sequence: [{ status: '0000' }, { status: '0211' }] }]"

    def talk(pacs: MockPACS) -> list[int]:
        found = []
        for _ in range(2):
            with asking(pacs) as client:
                found.append(client.echo())
        return found

    path = record(tmp_path, talk, scenario=scenario)
    with replayed(path, Choices(order="strict")) as again:
        assert talk(again.pacs) == [0x0000, 0x0211]
    assert again.ledger.is_same


# associations


def test_a_rejection_comes_at_its_place(tmp_path: Path) -> None:
    scenario = "rules: [{ when: { event: associate }, nth: 2, then: { reject: { result: transient, reason: 2 } } }]"

    def talk(pacs: MockPACS) -> list[str]:
        found = []
        for _ in range(3):
            with WireClient(pacs.host, pacs.port) as client:
                answer = client.associate()
                found.append(f"{answer}" if isinstance(answer, AssociateRJ) else "accepted")
        return found

    heard = []
    path = record(tmp_path, lambda pacs: heard.append(talk(pacs)), scenario=scenario)
    with replayed(path) as again:
        heard.append(talk(again.pacs))

    assert heard[0] == heard[1]
    assert "AssociateRJ" in heard[0][1]


def test_contexts_are_refused_as_they_were(tmp_path: Path) -> None:
    scenario = """
rules:
  - when: { event: associate }
    then: { accept: { max_pdu: 5000, contexts: [{ sop_class: CT*, result: user-rejection }, {}] } }
"""
    path = record(tmp_path, ask_for_nothing, scenario=scenario)
    with replayed(path) as again, WireClient(again.pacs.host, again.pacs.port) as client:
        answer = client.associate(
            ProposedContext(1, STUDY_ROOT_FIND, (EXPLICIT,)),
            ProposedContext(3, CT, (IMPLICIT,)),
            ProposedContext(5, "1.2.840.10008.5.1.4.1.1.4", (IMPLICIT,)),
        )

    assert not isinstance(answer, AssociateRJ)
    assert [context.result for context in answer.contexts] == [0, 1, 0]
    assert answer.user.max_pdu_length == 5000


def ask_for_nothing(pacs: MockPACS) -> None:
    with asking(pacs):
        pass


def test_one_transfer_syntax_of_two_is_refused_as_it_was(tmp_path: Path) -> None:
    jpeg = "1.2.840.10008.1.2.4.70"
    scenario = (
        "rules: [{ when: { event: associate }, then: { accept: { contexts: [{ transfer_syntax: explicit }] } } }]"
    )
    contexts = (ProposedContext(1, CT, (jpeg,)), ProposedContext(3, CT, (IMPLICIT, EXPLICIT)))

    def talk(pacs: MockPACS) -> list[tuple[int, str]]:
        with WireClient(pacs.host, pacs.port) as client:
            answer = client.associate(*contexts)
            assert not isinstance(answer, AssociateRJ)
            return [(one.result, one.transfer_syntax * (one.result == 0)) for one in answer.contexts]

    heard = []
    path = record(tmp_path, lambda pacs: heard.append(talk(pacs)), scenario=scenario)
    with replayed(path) as again:
        heard.append(talk(again.pacs))

    assert heard[0] == heard[1] == [(4, ""), (0, EXPLICIT)]


# endings


@pytest.mark.parametrize("ending", ["abort", "close", "reset"])
def test_an_end_instead_of_an_answer_comes_at_its_place(tmp_path: Path, ending: str) -> None:
    scenario = f"rules: [{{ when: {{ service: C-STORE }}, nth: 2, then: {ending} }}]"

    def talk(pacs: MockPACS) -> list[object]:
        with WireClient(pacs.host, pacs.port) as client:
            client.associate()
            heard: list[object] = [client.store(instance="1.2.1")]
            client.send(client.store_request(ct_image("1.2.2"), "1.2.2"))
            return [*heard, client.read()]

    heard = []
    path = record(tmp_path, lambda pacs: heard.append(talk(pacs)), scenario=scenario)
    with replayed(path) as again:
        heard.append(talk(again.pacs))

    assert heard[0] == heard[1]
    assert again.ledger.is_same


def test_an_end_behind_an_answer_comes_behind_it(tmp_path: Path) -> None:
    scenario = "rules: [{ when: { service: C-ECHO }, then: { status: '0000', abort: user } }]"

    def talk(pacs: MockPACS) -> tuple[int, tuple[int, int]]:
        with WireClient(pacs.host, pacs.port) as client:
            client.associate()
            return client.echo(), client.read_abort()

    path = record(tmp_path, talk, scenario=scenario)
    with replayed(path) as again:
        assert talk(again.pacs) == (0, (0, 0))


def test_an_end_among_the_matches_comes_behind_as_many(tmp_path: Path) -> None:
    scenario = """
rules:
  - when: { service: C-FIND }
    then: { answer: [{ PatientID: P1 }, { PatientID: P2 }] }
  - when: { service: C-FIND, at: response, status: success }
    then: abort
"""

    def talk(pacs: MockPACS) -> list[int | None]:
        with WireClient(pacs.host, pacs.port) as client:
            client.associate()
            client.send(client.find_request(studies("P*")))
            heard = [client.response()[0].status for _ in range(2)]
            return [*heard, *client.read_abort()]

    path = record(tmp_path, talk, scenario=scenario)
    with replayed(path) as again:
        assert talk(again.pacs) == [0xFF00, 0xFF00, 0, 0]

    assert again.ledger.is_same


def test_a_release_that_was_not_answered_is_not_answered(tmp_path: Path) -> None:
    scenario = "rules: [{ when: { event: release }, then: abort }]"

    def talk(pacs: MockPACS) -> tuple[int, tuple[int, int]]:
        from mockpacs.wire import ReleaseRQ, encode_pdu

        with WireClient(pacs.host, pacs.port) as client:
            client.associate()
            status = client.echo()
            client.send(encode_pdu(ReleaseRQ()))
            return status, client.read_abort()

    path = record(tmp_path, talk, scenario=scenario)
    with replayed(path) as again:
        assert talk(again.pacs) == (0, (0, 0))


def test_an_answer_that_is_none_is_sent_as_it_was(tmp_path: Path) -> None:
    scenario = "rules: [{ when: { service: C-ECHO }, then: { lie: { message_id: 77 } } }]"

    def talk(pacs: MockPACS) -> int | None:
        with WireClient(pacs.host, pacs.port) as client:
            client.associate()
            client.send(client.echo_request())
            return client.response()[0].message_id_responded_to

    path = record(tmp_path, talk, scenario=scenario)
    with replayed(path) as again:
        assert talk(again.pacs) == 77

    assert "no proper answer" in "".join(again.compiled.notes)
