"""Conditions on who asks, for what, and with which outcome."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockpacs.errors import ScenarioError
from mockpacs.scenario.condition import Moment
from mockpacs.scenario.models import models_of
from mockpacs.scenario.pattern import LONGEST_MATCHED, any_of, glob, matches
from tests.scenario.asking import CT, MR, PATIENT_ROOT_MOVE, STUDY_ROOT_FIND, WORKLIST, engine, find, stimulus, store

IMPLICIT, EXPLICIT, DEFLATED, BIG = (f"1.2.840.10008.1.2{end}" for end in ("", ".1", ".1.99", ".2"))
JPEG = "1.2.840.10008.1.2.4.50"


def holds(condition: str, service: str = "C-STORE", **fields: object) -> bool:
    """Whether a rule with such a condition fires."""
    about = "event" if service == "associate" else "service"
    asked = engine(f"- {{ when: {{ {about}: {service}, {condition} }}, then: {{ delay: 1s }} }}")
    return asked.decide(stimulus(service, **fields)) is not None  # type: ignore[arg-type]


TEXTS = [
    ("CT1", "CT1", True),
    ("CT1", "CT2", False),
    ("CT1", "ct1", False),
    ("CT1", " CT1  ", True),
    ("' CT1 '", "CT1", True),
    ("CT1", "CT1\0", True),
    ("CT1", "C T1", False),
    ("'CT*'", "CT", True),
    ("'CT*'", "XCT", False),
    ("'*CT'", "XCT", True),
    ("'C?1'", "CT1", True),
    ("'C?1'", "C1", False),
    ("'*T*1*'", "XT-12", True),
    ("[CT1, 'MR*']", "MR7", True),
    ("[CT1, 'MR*']", "CT1", True),
    ("[CT1, 'MR*']", "CT2", False),
    ("{ in: [CT1] }", "CT1", True),
    ("{ not: CT1 }", "CT2", True),
    ("{ not: CT1 }", "CT1", False),
    ("{ not: ['CT*', MR01] }", "CT9", False),
    ("{ not: { matches: 'CT[0-9]' } }", "CT9", False),
    ("{ in: 'CT*', not: CT9 }", "CT9", False),
    ("{ in: 'CT*', not: CT9 }", "CT8", True),
    ("{ matches: 'CT[0-9]+' }", "CT12", True),
    ("{ matches: 'CT[0-9]+' }", "CT12X", False),
    ("{ matches: 'CT[0-9]+' }", "XCT12", False),
    ("'[CT]1'", "C1", False),
    ("'*'", "", False),
    ("{ not: CT1 }", "", False),
    ("{ matches: '.*' }", "", False),
]


TEXT_CASES = [(key, *case) for key in ("calling", "called") for case in TEXTS]
TEXT_CASES += [("peer", *case) for case in TEXTS if case[1] == case[1].strip(" \0")]  # an address is not padded


@pytest.mark.parametrize(("key", "condition", "came", "expected"), TEXT_CASES)
def test_texts_are_compared_with_case_globs_and_lists(key: str, condition: str, came: str, expected: bool) -> None:
    assert holds(f"{key}: {condition}", **{key: came}) is expected


SOP_CLASSES = [
    (CT, CT, True),
    (CT, MR, False),
    ("CT Image Storage", CT, True),
    ("CTImageStorage", CT, True),
    ("ct image storage", CT, True),
    ("'CT*'", CT, True),
    ("'CT*'", MR, False),
    ("'*Image Storage'", MR, True),
    ("'1.2.840.10008.5.1.4.1.1.?'", CT, True),
    ("'1.2.840.*'", "1.2.840.1.2.3", True),
    ("'1.2.840.*'", "1.3", False),
    ("1.2.3.4", "1.2.3.4", True),
    ("[MR Image Storage, CT Image Storage]", CT, True),
    ("['1.2.840.10008.5.1.4.1.1.2', '1.9.*']", "1.9.1", True),
    ("{ not: CT Image Storage }", CT, False),
    ("{ not: CT Image Storage }", MR, True),
    ("{ not: '1.2.840.*' }", "1.3", True),
    ("{ matches: '.*[.]2' }", CT, True),
    ("{ matches: '.*[.]3' }", CT, False),
    ("{ in: '1.2.840.*', matches: '.*[.]2' }", CT, True),
    ("{ in: '1.3.*', matches: '.*[.]2' }", CT, False),
    ("{ in: [CT Image Storage], not: CT Image Storage }", CT, False),
    ("'*'", "", False),
    ("{ not: CT Image Storage }", "", False),
]


@pytest.mark.parametrize(("condition", "came", "expected"), SOP_CLASSES)
def test_sop_classes_are_known_by_uid_name_and_keyword(condition: str, came: str, expected: bool) -> None:
    assert holds(f"sop_class: {condition}", sop_classes=(came,)) is expected


@pytest.mark.parametrize(
    ("condition", "proposed", "expected"),
    [
        ("CT Image Storage", (MR, CT), True),
        ("CT Image Storage", (MR,), False),
        ("CT Image Storage", (), False),
        ("{ not: CT Image Storage }", (MR, CT), False),
        ("{ not: CT Image Storage }", (MR,), True),
        ("{ not: CT Image Storage }", (), False),
    ],
)
def test_of_an_association_one_proposal_is_enough_and_not_means_none(
    condition: str, proposed: tuple[str, ...], expected: bool
) -> None:
    assert holds(f"sop_class: {condition}", "associate", sop_classes=proposed) is expected
    syntaxes = tuple({CT: JPEG, MR: EXPLICIT}[uid] for uid in proposed)
    jpeg = condition.replace("CT Image Storage", JPEG)
    assert holds(f"transfer_syntax: {jpeg}", "associate", transfer_syntaxes=syntaxes) is expected


@pytest.mark.parametrize(
    ("condition", "came", "expected"),
    [
        ("implicit", IMPLICIT, True),
        ("implicit", EXPLICIT, False),
        ("explicit", EXPLICIT, True),
        ("deflated", DEFLATED, True),
        ("big", BIG, True),
        ("[implicit, explicit]", EXPLICIT, True),
        ("{ not: [implicit, explicit] }", JPEG, True),
        ("Explicit VR Little Endian", EXPLICIT, True),
        ("JPEGBaseline8Bit", JPEG, True),
        ("'JPEG*'", JPEG, True),
        ("'JPEG*'", EXPLICIT, False),
        ("'1.2.840.10008.1.2.4.*'", JPEG, True),
        ("implicit", "", False),
    ],
)
def test_transfer_syntaxes_are_known_in_conversation_too(condition: str, came: str, expected: bool) -> None:
    assert holds(f"transfer_syntax: {condition}", transfer_syntaxes=(came,)) is expected


@pytest.mark.parametrize(
    ("condition", "service", "came", "expected"),
    [
        (STUDY_ROOT_FIND, "C-FIND", STUDY_ROOT_FIND, True),
        ("'*Worklist*'", "C-FIND", WORKLIST, True),
        ("'*Worklist*'", "C-FIND", STUDY_ROOT_FIND, False),
        ("'Patient Root*'", "C-MOVE", PATIENT_ROOT_MOVE, True),
        ("{ not: '*Worklist*' }", "C-FIND", STUDY_ROOT_FIND, True),
        ("study-root", "C-FIND", STUDY_ROOT_FIND, True),
        ("[patient-root, worklist]", "C-FIND", STUDY_ROOT_FIND, False),
        ("patient-root", "C-MOVE", PATIENT_ROOT_MOVE, True),
    ],
)
def test_a_query_model_is_the_sop_class(condition: str, service: str, came: str, expected: bool) -> None:
    assert holds(f"model: {condition}", service, sop_classes=(came,)) is expected


@pytest.mark.parametrize(
    ("word", "uids"),
    [
        ("patient-root", [f"1.2.840.10008.5.1.4.1.2.1.{number}" for number in (1, 2, 3)]),
        ("Study-Root", [f"1.2.840.10008.5.1.4.1.2.2.{number}" for number in (1, 2, 3)]),
        ("patient-study-only", [f"1.2.840.10008.5.1.4.1.2.3.{number}" for number in (1, 2, 3)]),
        ("worklist", [WORKLIST]),
    ],
)
def test_query_models_have_short_names(word: str, uids: list[str]) -> None:
    known = models_of(word)
    assert all(uid in known for uid in uids)
    assert CT not in known


@pytest.mark.parametrize("condition", ["sop_class: Foo", "transfer_syntax: [implicit, Foo]", "model: { not: Foo }"])
def test_a_name_that_nobody_knows_is_refused(condition: str) -> None:
    with pytest.raises(ScenarioError, match='"Foo" is no'):
        holds(condition, "C-FIND")


@pytest.mark.parametrize(
    ("condition", "status", "expected"),
    [
        ("success", 0x0000, True),
        ("success", 0xA700, False),
        ("out-of-resources", 0xA700, True),
        ("[out-of-resources, B000]", 0xB000, True),
        ("A7FF", 0xA7FF, True),
        ("success", None, False),
    ],
)
def test_a_status_is_that_of_the_response(condition: str, status: int | None, expected: bool) -> None:
    found = holds(f"at: before-response, status: {condition}", moment=Moment.BEFORE_RESPONSE, status=status)
    assert found is expected


def test_a_level_is_that_of_the_identifier() -> None:
    asked = engine("- { when: { service: C-FIND, level: [study, SERIES] }, then: abort }")
    levels = ["STUDY", "SERIES", "IMAGE", "study", ""]
    found = [asked.decide(find({"QueryRetrieveLevel": level})) is not None for level in levels]
    assert found == [True, True, False, False, False]
    assert asked.decide(find({})) is None
    assert asked.decide(stimulus("C-FIND")) is None


def test_all_conditions_must_hold() -> None:
    asked = engine("- { when: { service: C-STORE, calling: A, called: B, peer: C }, then: abort }")
    for wrong in ({}, {"calling": "X"}, {"called": "X"}, {"peer": "X"}):
        fields = {"calling": "A", "called": "B", "peer": "C", **wrong}
        assert (asked.decide(store(**fields)) is not None) is (not wrong)


def test_a_regular_expression_looks_at_the_beginning_of_a_very_long_text() -> None:
    seen = matches(re.compile("a+"))
    assert seen("a" * LONGEST_MATCHED + "b")
    assert not seen("b" + "a" * LONGEST_MATCHED)


TEXT = st.text(alphabet="ab*?[", max_size=12)


@given(TEXT, st.text(alphabet="ab[]\n", max_size=30))
def test_globs_match_as_regular_expressions_do(pattern: str, text: str) -> None:
    expression = "".join({"*": ".*", "?": "."}.get(mark, re.escape(mark)) for mark in pattern)
    assert glob(pattern)(text) == (re.fullmatch(expression, text, re.DOTALL) is not None)
    assert any_of([pattern])(text) == glob(pattern)(text)


def test_a_glob_takes_no_longer_for_a_text_that_is_made_to_hurt() -> None:
    """Twenty asterisks against a text that nearly fits: with backtracking this would not end in a lifetime."""
    assert not glob("*a" * 20 + "*c")("a" * 20_000 + "b")


def test_any_of_none_is_nothing() -> None:
    assert not any_of([])("")
