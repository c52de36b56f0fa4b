"""Acts of a scenario on what services say: stores, queries, everything else, and outcomes about to leave."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from mockpacs.archive import Archive
from mockpacs.scenario.answers import AnswerSet
from mockpacs.scenario.decision import Act
from mockpacs.scenario.step import Step
from mockpacs.scenario.values import status_code
from mockpacs.services.request import Lane, Outcome, Request, Service, SubOperations
from mockpacs.services.scripted import after_store, relabelled, stores, stream
from mockpacs.services.storage import StorageService
from mockpacs.wire import AcceptedContext, CommandField, request
from mockpacs.wire.dataset import EXPLICIT_LITTLE, IMPLICIT_LITTLE
from tests.archive.asking import read
from tests.services.samples import EXPLICIT, IMPLICIT, STUDY_ROOT, ct, find_request, identifier, store_request

SUCCESS, PENDING, WARNING, REFUSED, CANCEL, NOBODY = 0x0000, 0xFF00, 0xB000, 0xA700, 0xFE00, 0x0211
ANSWERS = {"two": AnswerSet.of([{"PatientID": "A"}, {"PatientID": "B"}]), "none": AnswerSet.of([])}


def act(*, service: str = "C-FIND", **step: Any) -> Act:
    """An act as the engine draws it: the status is a code."""
    made = Step.model_validate(step)
    return Act(made, status=status_code(made.status[0], service) if made.status else None)


class Honest:
    """A service that says what it was told to, and remembers whether it was asked."""

    lane = Lane.READER

    def __init__(self, *outcomes: Outcome) -> None:
        self.outcomes = outcomes
        self.asked = 0
        self.given = 0

    def answer(self, request: Request) -> Iterable[Outcome]:
        del request
        self.asked += 1
        for outcome in self.outcomes:
            self.given += 1
            yield outcome


def matches(*ids: str, then: Outcome = Outcome(SUCCESS)) -> Honest:  # noqa: B008
    return Honest(*(Outcome(PENDING, identifier(PatientID=one)) for one in ids), then)


def plain(field: CommandField, syntax: str = EXPLICIT) -> Request:
    return Request(request(field, 1), AcceptedContext(1, STUDY_ROOT, syntax))


def said(outcomes: Iterable[Outcome]) -> list[int | str]:
    """Matches by their Patient ID, everything else by its status."""
    return [read(one.data).PatientID if one.data is not None else one.status for one in outcomes]


def find(
    made: Act | None, honest: Service | None, *, cancelled: Callable[[], bool] = lambda: False
) -> Iterator[Outcome]:
    return stream(made, find_request(identifier(), cancelled=cancelled), honest, ANSWERS)


# C-STORE


@pytest.mark.parametrize(
    ("step", "is_stored"),
    [
        ({}, True),
        ({"comment": "x"}, True),
        ({"lie": {"message_id": 1}}, True),
        ({"status": "success"}, True),
        ({"status": "B007"}, True),
        ({"status": "0107"}, True),
        ({"status": "out-of-resources"}, False),
        ({"status": "C123"}, False),
        ({"status": "0110"}, False),
        ({"status": "FE00"}, False),
        ({"status": "FF00"}, False),
        ({"store": False}, False),
        ({"store": False, "status": "success"}, False),
        ({"store": True, "status": "A700"}, True),
    ],
)
def test_what_is_answered_with_a_failure_is_not_stored_unless_the_act_says_so(
    step: dict[str, Any], is_stored: bool
) -> None:
    assert stores(act(service="C-STORE", **step)) is is_stored


def test_without_an_act_the_archive_decides() -> None:
    assert stores(None)
    assert after_store(None, Outcome(WARNING)) == Outcome(WARNING)
    assert after_store(None, None).status == NOBODY


@pytest.mark.parametrize(
    ("step", "honest", "answered"),
    [
        ({}, Outcome(WARNING, comment="kept"), Outcome(WARNING, comment="kept")),
        ({"comment": "ours"}, Outcome(SUCCESS), Outcome(SUCCESS, comment="ours")),
        ({"comment": ""}, Outcome(WARNING, comment="kept"), Outcome(WARNING)),
        ({"status": "success"}, Outcome(SUCCESS), Outcome(SUCCESS)),
        ({"status": "B006", "comment": "dropped"}, Outcome(SUCCESS), Outcome(0xB006, comment="dropped")),
        # a Success never lies by accident
        ({"status": "success", "comment": "ours"}, Outcome(REFUSED, comment="full"), Outcome(REFUSED, comment="full")),
        ({"status": "B006"}, Outcome(0xC000, comment="what"), Outcome(0xC000, comment="what")),
        # stored, but the failure is answered
        ({"store": True, "status": "A900"}, Outcome(SUCCESS), Outcome(0xA900)),
        ({"store": True, "status": "A900"}, Outcome(REFUSED), Outcome(0xA900)),
        # not asked
        ({"store": False}, None, Outcome(SUCCESS)),
        ({"store": False, "status": "B000", "error_id": 7}, None, Outcome(WARNING, error_id=7)),
        (
            {"status": "out-of-resources", "comment": "Disk full", "offending": ["PatientID"]},
            None,
            Outcome(REFUSED, comment="Disk full", offending=(0x00100020,)),
        ),
        ({"status": "success"}, None, Outcome(SUCCESS)),
        ({"comment": "ours"}, None, Outcome(NOBODY, comment="ours")),
    ],
)
def test_what_a_store_is_answered_with(step: dict[str, Any], honest: Outcome | None, answered: Outcome) -> None:
    assert after_store(act(service="C-STORE", **step), honest) == answered


@pytest.mark.parametrize(
    ("step", "status", "count"),
    [
        ({"status": "success"}, SUCCESS, 1),
        ({"status": "A700"}, REFUSED, 0),
        ({"store": False}, SUCCESS, 0),
        ({"store": True, "status": "A700"}, REFUSED, 1),
    ],
)
def test_a_store_without_a_thread_for_the_archive_is_done_and_what_is_not_stored_is_forgotten(
    step: dict[str, Any], status: int, count: int, tmp_path: Path
) -> None:
    with Archive.open(tmp_path) as archive:
        asked = store_request(archive, ct("1.2.3.4.5"), "1.2.3.4.5")
        assert asked.data is not None
        asked.data.spill()  # type: ignore[union-attr]

        (outcome,) = stream(act(service="C-STORE", **step), asked, StorageService(archive), {})

        assert outcome.status == status
        assert archive.counts().instances == count
        assert not list((tmp_path / "incoming").iterdir())


# C-FIND


@pytest.mark.parametrize(
    ("step", "answered"),
    [
        ({}, ["P1", "P2", "P3", SUCCESS]),
        ({"lie": {"repeat": 2}}, ["P1", "P2", "P3", SUCCESS]),
        ({"status": "success"}, ["P1", "P2", "P3", SUCCESS]),
        ({"status": "B001"}, ["P1", "P2", "P3", 0xB001]),
        ({"pending": {"take": 2}}, ["P1", "P2", SUCCESS]),
        ({"pending": {"take": 3}}, ["P1", "P2", "P3", SUCCESS]),
        ({"pending": {"take": 0}}, [SUCCESS]),
        ({"pending": {"skip": 1}}, ["P2", "P3", SUCCESS]),
        ({"pending": {"skip": 1, "take": 1}}, ["P2", SUCCESS]),
        ({"pending": {"skip": 9}}, [SUCCESS]),
        ({"pending": {"take": 1}, "status": "A700"}, ["P1", REFUSED]),
        ({"pending": {}, "status": "A700"}, ["P1", "P2", "P3", REFUSED]),
        ({"pending": {"set": {"PatientID": "X"}}}, ["X", "X", "X", SUCCESS]),
        ({"answer": "two"}, ["A", "B", SUCCESS]),
        ({"answer": "two", "pending": {"skip": 1}}, ["B", SUCCESS]),
        ({"pending": {"from": "two", "take": 1}}, ["A", SUCCESS]),
        ({"answer": "none"}, [SUCCESS]),
        ({"answer": [{"PatientID": "I"}]}, ["I", SUCCESS]),
        ({"answer": []}, [SUCCESS]),
        ({"answer": "two", "status": "C001"}, ["A", "B", 0xC001]),
        ({"status": "A700"}, [REFUSED]),
        ({"status": "FE00"}, [CANCEL]),
        ({"status": "FF00"}, [PENDING]),
    ],
)
def test_a_query_is_answered_as_the_act_says(step: dict[str, Any], answered: Sequence[int | str]) -> None:
    assert said(find(act(**step), matches("P1", "P2", "P3"))) == answered


@pytest.mark.parametrize(
    ("step", "is_asked"),
    [
        ({"status": "A700"}, False),
        ({"answer": "two"}, False),
        ({"pending": {"take": 0}}, False),
        ({"status": "success"}, True),
        ({"comment": "x"}, True),
        ({"pending": {"take": 1}, "status": "A700"}, True),
    ],
)
def test_the_archive_is_asked_only_when_it_has_a_say(step: dict[str, Any], is_asked: bool) -> None:
    honest = matches("P1")
    list(find(act(**step), honest))

    assert honest.asked == is_asked


def test_no_more_matches_are_made_than_are_taken() -> None:
    honest = matches("P1", "P2", "P3")
    list(find(act(pending={"take": 1}), honest))

    assert honest.given == 1


@pytest.mark.parametrize(
    ("step", "final"),
    [
        ({}, Outcome(0xA900, comment="level", offending=(0x00080052,))),
        ({"status": "success"}, Outcome(0xA900, comment="level", offending=(0x00080052,))),
        ({"pending": {"take": 5}}, Outcome(0xA900, comment="level", offending=(0x00080052,))),
        ({"comment": "", "offending": []}, Outcome(0xA900)),
        ({"comment": "other", "error_id": 3}, Outcome(0xA900, None, "other", (0x00080052,), 3)),
        ({"pending": {}, "status": "C000"}, Outcome(0xC000, comment="level", offending=(0x00080052,))),
        ({"status": "C000"}, Outcome(0xC000)),
    ],
)
def test_a_query_that_fails_honestly_is_no_success(step: dict[str, Any], final: Outcome) -> None:
    honest = Honest(Outcome(0xA900, comment="level", offending=(0x00080052,)))

    assert list(find(act(**step), honest)) == [final]


@pytest.mark.parametrize("step", [{}, {"status": "success"}, {"pending": {"set": {"PatientID": "X"}}}])
def test_a_cancelled_query_stays_cancelled(step: dict[str, Any]) -> None:
    assert said(find(act(**step), matches("P1", then=Outcome(CANCEL))))[-1] == CANCEL


def test_pending_responses_keep_their_status_or_get_another() -> None:
    honest = Honest(Outcome(0xFF01, identifier()), Outcome(PENDING, identifier()), Outcome(SUCCESS))

    assert [one.status for one in find(act(comment="x"), honest)] == [0xFF01, PENDING, SUCCESS]
    assert [one.status for one in find(act(pending={"status": "pending-with-warning"}), honest)] == [0xFF01, 0xFF01, 0]
    assert [one.status for one in find(act(pending={"status": "B001"}), honest)] == [0xB001, 0xB001, SUCCESS]


def test_only_the_final_response_is_explained() -> None:
    pending, final = find(act(answer=[{}], comment="why", offending="PatientID", error_id=1), None)

    assert pending.is_plain
    assert final == Outcome(SUCCESS, comment="why", offending=(0x00100020,), error_id=1)


def test_identifiers_are_changed_and_cut() -> None:
    step = {"pending": {"set": {"PatientName": "X"}, "remove": ["QueryRetrieveLevel", "PatientID"], "cut": 1}}
    match, _ = find(act(**step), matches("P1"))

    assert match.data == b"\x10\0\x10\0PN\2\0X"


@pytest.mark.parametrize(("syntax", "encoding"), [(EXPLICIT, EXPLICIT_LITTLE), (IMPLICIT, IMPLICIT_LITTLE)])
def test_answers_are_encoded_as_the_context_says(syntax: str, encoding: Any) -> None:
    asked = find_request(identifier(), syntax=syntax)
    match, _ = stream(act(answer="two", pending={"take": 1, "set": {"PatientName": "X"}}), asked, None, ANSWERS)

    assert match.data is not None
    assert str(read(match.data, encoding).PatientName) == "X"


# for ever


@pytest.mark.parametrize(
    ("step", "begin"),
    [
        ({"forever": True}, ["P1", "P2", "P1", "P2", "P1"]),
        ({"forever": True, "take": 1}, ["P1", "P1", "P1", "P1", "P1"]),
        ({"forever": True, "skip": 1}, ["P2", "P2", "P2", "P2", "P2"]),
        ({"forever": True, "from": "two"}, ["A", "B", "A", "B", "A"]),
    ],
)
def test_matches_come_again_and_again_until_somebody_cancels(step: dict[str, Any], begin: list[str]) -> None:
    is_cancelled = False
    outcomes = find(act(pending=step), matches("P1", "P2"), cancelled=lambda: is_cancelled)

    assert said(islice(outcomes, 5)) == begin
    is_cancelled = True
    assert [(one.status, one.data) for one in outcomes] == [(CANCEL, None)]


@pytest.mark.parametrize("step", [{"forever": True, "from": "none"}, {"forever": True, "take": 0}])
def test_nothing_is_not_repeated_for_ever(step: dict[str, Any]) -> None:
    assert said(find(act(pending=step), matches("P1"))) == [SUCCESS]


def test_a_failing_query_is_not_repeated_for_ever() -> None:
    assert said(find(act(pending={"forever": True}), Honest(Outcome(0xA900)))) == [0xA900]


def test_a_set_of_answers_ends_at_a_cancel() -> None:
    is_cancelled = False
    outcomes = find(act(answer="two"), None, cancelled=lambda: is_cancelled)

    assert said([next(outcomes)]) == ["A"]
    is_cancelled = True
    assert said(outcomes) == [CANCEL]


# where nobody serves, and everything else


@pytest.mark.parametrize(
    ("field", "step", "answered"),
    [
        (CommandField.C_MOVE_RQ, {"status": "A801"}, [0xA801]),
        (CommandField.C_MOVE_RQ, {"status": "success"}, [SUCCESS]),
        (CommandField.C_MOVE_RQ, {"pending": {"take": 3}}, [PENDING, PENDING, PENDING, SUCCESS]),
        (CommandField.C_MOVE_RQ, {"pending": {"remaining": 3}, "status": "B000"}, [PENDING, WARNING]),
        (CommandField.C_GET_RQ, {"pending": {"take": 1}, "status": "A702"}, [PENDING, 0xA702]),
        (CommandField.C_GET_RQ, {"comment": "no"}, [NOBODY]),
        (CommandField.C_ECHO_RQ, {"status": "0122"}, [0x0122]),
        (CommandField.C_ECHO_RQ, {"status": "success", "pending": {"take": 2}}, [SUCCESS]),
        (CommandField.N_ACTION_RQ, {"status": "0123"}, [0x0123]),
        (CommandField.C_FIND_RQ, {"status": "success"}, [SUCCESS]),
        (CommandField.C_FIND_RQ, {"pending": {"take": 2}}, [SUCCESS]),
        (CommandField.C_FIND_RQ, {"answer": "two"}, ["A", "B", SUCCESS]),
        (CommandField.C_FIND_RQ, {"lie": {}}, [NOBODY]),
    ],
)
def test_what_nobody_serves_can_be_scripted(
    field: CommandField, step: dict[str, Any], answered: list[int | str]
) -> None:
    made = act(service="C-MOVE", **step)

    assert said(stream(made, plain(field), None, ANSWERS)) == answered


def test_an_endless_retrieve_ends_at_a_cancel() -> None:
    is_cancelled = False
    asked = plain(CommandField.C_MOVE_RQ)
    asked.cancelled = lambda: is_cancelled
    outcomes = stream(act(pending={"forever": True}), asked, None, {})

    assert said(islice(outcomes, 3)) == [PENDING] * 3
    is_cancelled = True
    assert said(outcomes) == [CANCEL]


@pytest.mark.parametrize("step", [{"answer": "two"}, {"pending": {"from": "two"}}, {"answer": [{"PatientID": "A"}]}])
@pytest.mark.parametrize("honest", [None, Honest(Outcome(SUCCESS))])
def test_the_final_response_of_other_services_has_the_data_set(step: dict[str, Any], honest: Service | None) -> None:
    (final,) = stream(act(**step), plain(CommandField.N_GET_RQ), honest, ANSWERS)

    assert final.status == SUCCESS
    assert said([final]) == ["A"]


def test_a_data_set_goes_with_a_scripted_failure_too_and_is_changed() -> None:
    made = act(service="C-MOVE", answer="two", status="B000", pending={"set": {"PatientID": "X"}, "take": 1})
    pending, final = stream(made, plain(CommandField.C_MOVE_RQ), None, ANSWERS)

    assert (pending.status, pending.data) == (PENDING, None)
    assert final.status == WARNING
    assert said([final]) == ["X"]


@pytest.mark.parametrize(
    ("step", "answered"),
    [
        ({}, Outcome(SUCCESS)),
        ({"comment": "hello"}, Outcome(SUCCESS, comment="hello")),
        ({"status": "success"}, Outcome(SUCCESS)),
        ({"status": "0110", "comment": "no"}, Outcome(0x0110, comment="no")),
    ],
)
def test_an_echo_is_answered_as_the_act_says(step: dict[str, Any], answered: Outcome) -> None:
    made = act(service="C-ECHO", **step)

    assert list(stream(made, plain(CommandField.C_ECHO_RQ), Honest(Outcome(SUCCESS)), {})) == [answered]


def test_without_an_act_the_service_answers() -> None:
    assert said(find(None, matches("P1"))) == ["P1", SUCCESS]
    assert said(find(None, None)) == [NOBODY]


@pytest.mark.parametrize(
    ("step", "why"),
    [
        ({"answer": "nothing"}, 'no set of answers "nothing"'),
        ({"answer": [{"PatientNme": "X"}]}, "PatientNme"),
        ({"answer": "two", "pending": {"set": {"Rows": "many"}}}, "many"),
    ],
)
def test_an_act_made_in_python_that_makes_no_sense_is_a_failure_that_says_why(step: dict[str, Any], why: str) -> None:
    *_, final = find(act(**step), None)

    assert final.status == 0x0110
    assert why in final.comment


# retrieves: the sub-operations are done once, whatever is said about them

FAILED_LIST = b"\x08\0\x58\0UI\4\x001.2\0"
WHOLE = Outcome(SUCCESS, counts=SubOperations(3, 0, 0))
PARTLY = Outcome(WARNING, FAILED_LIST, "1 of 3 failed", counts=SubOperations(2, 1, 0))
UNDONE = Outcome(0xA702, FAILED_LIST, "3 of 3 failed", counts=SubOperations(0, 3, 0))
CANCELLED = Outcome(CANCEL, counts=SubOperations(1, 0, 0, 2))
UNKNOWN = Outcome(0xA801, comment="Unknown move destination NOWHERE")


def retrieval(final: Outcome = WHOLE, *, pending: int = 2) -> Honest:
    """A retrieve of three instances."""
    told = [Outcome(PENDING, counts=SubOperations(done, 0, 0, 3 - done)) for done in range(1, pending + 1)]
    return Honest(*told, final)


def move(
    made: Act | None, honest: Service | None, *, cancelled: Callable[[], bool] = lambda: False
) -> Iterator[Outcome]:
    asked = plain(CommandField.C_MOVE_RQ)
    asked.cancelled = cancelled
    return stream(made, asked, honest, ANSWERS)


def remaining(outcomes: Iterable[Outcome]) -> list[int | None]:
    return [one.counts.remaining if one.counts else None for one in outcomes]


@pytest.mark.parametrize(
    ("step", "told"),
    [
        ({}, [2, 1, None]),
        ({"pending": {"take": 1}}, [2, None]),
        ({"pending": {"take": 0}}, [None]),
        ({"pending": {"skip": 1}}, [1, None]),
        ({"pending": {"skip": 1, "take": 0}}, [None]),
        ({"pending": {"skip": 9}}, [None]),
        ({"pending": {"remaining": 7}}, [7, 7, None]),
        ({"pending": {"remaining": 0}, "status": "A702"}, [0, 0, None]),
        ({"lie": {"remaining": 4}}, [2, 1, None]),
    ],
)
def test_pending_responses_of_a_retrieve_are_left_out_or_miscount_and_all_its_sub_operations_are_done(
    step: dict[str, Any], told: list[int | None]
) -> None:
    honest = retrieval()

    *pending, final = move(act(service="C-MOVE", **step), honest)

    assert remaining([*pending, final]) == told
    assert [one.status for one in pending] == [PENDING] * len(pending)
    assert final.counts == WHOLE.counts
    assert (honest.asked, honest.given) == (1, 3)


def test_pending_responses_of_a_retrieve_get_another_status() -> None:
    step = {"pending": {"status": "FF01"}}

    assert [one.status for one in move(act(**step), retrieval())] == [0xFF01, 0xFF01, SUCCESS]


@pytest.mark.parametrize(
    ("step", "honest", "final"),
    [
        ({"status": "success"}, WHOLE, WHOLE),
        ({"status": "B000"}, WHOLE, Outcome(WARNING, counts=SubOperations(3, 0, 0))),
        ({"status": "B000", "comment": "so so"}, PARTLY, Outcome(WARNING, FAILED_LIST, "so so", counts=PARTLY.counts)),
        ({"comment": "ours"}, UNDONE, Outcome(0xA702, FAILED_LIST, "ours", counts=UNDONE.counts)),
        # failures that are answered after the work
        ({"pending": {}, "status": "A702"}, WHOLE, Outcome(0xA702, counts=SubOperations(3, 0, 0))),
        ({"pending": {}, "status": "FE00"}, PARTLY, Outcome(CANCEL, FAILED_LIST, PARTLY.comment, counts=PARTLY.counts)),
        # a Success never lies by accident
        ({"status": "success"}, PARTLY, PARTLY),
        ({"status": "success"}, UNDONE, UNDONE),
        ({"status": "B000"}, UNDONE, UNDONE),
        ({"status": "success"}, CANCELLED, CANCELLED),
        ({"status": "success"}, UNKNOWN, UNKNOWN),
        ({"pending": {"take": 0}, "status": "success"}, UNDONE, UNDONE),
        # what came with a warning has come
        (
            {"status": "success"},
            Outcome(WARNING, counts=SubOperations(0, 0, 3)),
            Outcome(SUCCESS, counts=SubOperations(0, 0, 3)),
        ),
    ],
)
def test_a_retrieve_ends_as_the_act_says_unless_it_failed(
    step: dict[str, Any], honest: Outcome, final: Outcome
) -> None:
    *_, last = move(act(service="C-MOVE", **step), retrieval(honest))

    assert last == final


def test_a_retrieve_that_is_answered_with_a_failure_alone_is_not_done() -> None:
    honest = retrieval()

    assert list(move(act(service="C-MOVE", status="A801", comment="no"), honest)) == [Outcome(0xA801, comment="no")]
    assert honest.asked == 0


def test_a_data_set_of_the_scenario_takes_the_place_of_the_failed_list() -> None:
    *_, final = move(act(answer="two"), retrieval(PARTLY))

    assert said([final]) == ["A"]
    assert final.counts == PARTLY.counts


@pytest.mark.parametrize(
    ("step", "final", "pending", "begin", "again"),
    [
        ({}, WHOLE, 2, [2, 1], 1),
        ({"remaining": 5}, WHOLE, 2, [5, 5], 5),
        ({"take": 1}, WHOLE, 2, [2], 1),
        ({"skip": 9}, PARTLY, 2, [], 1),
        ({}, UNDONE, 2, [2, 1], 1),
        ({}, WHOLE, 0, [], 0),  # one instance has no pending response: then it is made of what the final one says
        ({"remaining": 1}, Outcome(SUCCESS, counts=SubOperations(1, 0, 0)), 0, [], 1),
    ],
)
def test_the_last_pending_response_of_a_retrieve_is_repeated_until_somebody_cancels(
    step: dict[str, Any], final: Outcome, pending: int, begin: list[int], again: int
) -> None:
    is_cancelled = False
    honest = retrieval(final, pending=pending)
    outcomes = move(act(pending={"forever": True, **step}), honest, cancelled=lambda: is_cancelled)

    told = list(islice(outcomes, len(begin) + 3))
    assert remaining(told) == [*begin, again, again, again]
    assert {one.status for one in told} == {PENDING}
    assert honest.asked == 1
    is_cancelled = True
    (last,) = outcomes
    assert (last.status, last.data, last.counts) == (CANCEL, final.data, final.counts)


@pytest.mark.parametrize("final", [UNKNOWN, Outcome(SUCCESS, counts=SubOperations(0, 0, 0))])
def test_a_retrieve_of_nothing_is_not_repeated_for_ever(final: Outcome) -> None:
    assert list(move(act(pending={"forever": True}), Honest(final))) == [final]


def test_a_retrieve_that_is_cancelled_on_the_way_is_over() -> None:
    is_cancelled = False
    outcomes = move(act(pending={"forever": True}), retrieval(CANCELLED, pending=1), cancelled=lambda: is_cancelled)

    assert remaining([next(outcomes)]) == [2]
    is_cancelled = True
    assert list(outcomes) == [CANCELLED]


def test_a_retrieve_nobody_listens_to_any_more_is_closed() -> None:
    closed: list[bool] = []

    class Closing(Honest):
        def answer(self, request: Request) -> Iterable[Outcome]:
            try:
                yield from super().answer(request)
            finally:
                closed.append(True)

    honest = Closing(*retrieval().outcomes)
    outcomes = move(act(pending={}), honest)
    next(outcomes)
    outcomes.close()  # type: ignore[attr-defined]

    assert closed
    assert honest.given == 1


def test_where_nobody_retrieves_pending_responses_count_what_is_said() -> None:
    *pending, final = move(act(pending={"take": 3}), None)

    assert [one.counts for one in pending] == [(1, 0, 0, 2), (2, 0, 0, 1), (3, 0, 0, 0)]
    assert final == Outcome(SUCCESS)


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        ("success", Outcome(SUCCESS, None, "why", counts=SubOperations(1, 2, 0))),
        ("A702", Outcome(0xA702, b"x", "why", counts=SubOperations(1, 2, 0))),
        ("B000", Outcome(WARNING, b"x", "why", counts=SubOperations(1, 2, 0))),
        ("FE00", Outcome(CANCEL, b"x", "why", counts=SubOperations(1, 2, 0, 4))),
        ("FF00", Outcome(PENDING, None, "why", counts=SubOperations(1, 2, 0, 4))),
    ],
)
def test_a_response_of_a_retrieve_that_gets_another_status_has_what_belongs_to_that(
    status: str, outcome: Outcome
) -> None:
    honest = Outcome(CANCEL, b"x", "why", counts=SubOperations(1, 2, 0, 4))

    assert relabelled(honest, act(service="C-MOVE", status=status)) == outcome
    assert relabelled(honest, act(lie={"remaining": 1})) == honest


# outcomes about to leave


@pytest.mark.parametrize(
    ("step", "said"),
    [
        ({}, {}),
        ({"status": "A700"}, {"status": REFUSED}),
        ({"comment": "other"}, {"comment": "other"}),
        ({"comment": ""}, {"comment": ""}),
        ({"offending": ["PatientID", "(0008,0052)"]}, {"offending": (0x00100020, 0x00080052)}),
        ({"offending": []}, {"offending": ()}),
        ({"error_id": 9}, {"error_id": 9}),
        ({"drip": {"bytes": 1}}, {}),
    ],
)
def test_an_outcome_that_is_about_to_leave_is_relabelled(step: dict[str, Any], said: dict[str, Any]) -> None:
    whole = {"status": 0xC000, "data": b"x", "comment": "honest", "offending": (1,), "error_id": 2, "attributes": (3,)}

    assert relabelled(Outcome(**whole), act(**step)) == Outcome(**{**whole, **said})
    assert relabelled(Outcome(**whole), None) == Outcome(**whole)
