"""Expectations: counted when exchanges and events finish, and told in sentences when they do not hold."""

from __future__ import annotations

import pytest

from mockpacs.scenario.engine import Engine
from tests.scenario.asking import CT, MR, echo, engine, find, stimulus, store


def expecting(expectation: str, before: str = "") -> Engine:
    return engine(f"{before}expect:\n  - {expectation}")


@pytest.mark.parametrize(
    ("count", "holds"),
    [
        ("2", [False, False, True, False]),
        ("1..2", [False, True, True, False]),
        ("2..", [False, False, True, True]),
        ("..1", [True, True, False, False]),
        ("0", [True, False, False, False]),
        (None, [False, True, True, True]),
    ],
)
def test_a_count_is_a_number_or_a_range(count: str | None, holds: list[bool]) -> None:
    asked = expecting(f"{{ service: C-ECHO{f', count: {count}' if count else ''} }}")
    found = []
    for _ in range(4):
        found.append(asked.unmet() == [])
        asked.reported(echo(), "")
    assert found == holds


@pytest.mark.parametrize(
    ("condition", "met", "missed"),
    [
        ("calling: 'CT*'", {"calling": "CT1"}, {"calling": "MR1"}),
        ("called: PACS", {"called": "PACS"}, {"called": "X"}),
        ("peer: '10.*'", {"peer": "10.0.0.1"}, {"peer": "11.0.0.1"}),
        ("sop_class: CT Image Storage", {"sop_classes": (CT,)}, {"sop_classes": (MR,)}),
        ("transfer_syntax: implicit", {"transfer_syntaxes": ("1.2.840.10008.1.2",)}, {"transfer_syntaxes": ("1.2",)}),
        ("dataset: { PatientID: P1 }", {"values": {"PatientID": "P1"}}, {"values": {"PatientID": "P2"}}),
        ("status: out-of-resources", {"status": 0xA700}, {"status": 0}),
    ],
)
def test_conditions_are_those_of_when(condition: str, met: dict[str, object], missed: dict[str, object]) -> None:
    asked = expecting(f"{{ service: C-STORE, {condition} }}")
    asked.reported(store(**missed), "")  # type: ignore[arg-type]
    asked.reported(find(), "")
    assert len(asked.unmet()) == 1
    asked.reported(store(**met), "")  # type: ignore[arg-type]
    assert asked.unmet() == []


def test_a_level_is_expected_of_a_query() -> None:
    asked = expecting("{ service: C-FIND, level: STUDY, query: { PatientID: present } }")
    asked.reported(find({"QueryRetrieveLevel": "SERIES", "PatientID": ""}), "")
    assert len(asked.unmet()) == 1
    asked.reported(find({"QueryRetrieveLevel": "STUDY", "PatientID": ""}), "")
    assert asked.unmet() == []


def test_events_are_expected_too() -> None:
    asked = expecting("{ event: abort, count: 0 }")
    assert asked.unmet() == []
    asked.reported(stimulus("release"), "")
    assert asked.unmet() == []
    asked.reported(stimulus("abort"), "")
    assert asked.unmet() == ["test.yaml:3: expected abort never, it came once"]


RULES = """rules:
  - { name: "one, two", when: { service: C-ECHO }, times: 1, then: abort }
  - { name: one, when: { service: C-ECHO }, then: abort }
"""


@pytest.mark.parametrize(
    ("reported", "holds"),
    [("one", True), ("slow, one", True), ("one, slow", True), ("a, one, b", True), ("one more", False), ("", False)],
)
def test_a_rule_is_expected_by_its_name(reported: str, holds: bool) -> None:
    asked = expecting("{ service: C-ECHO, rule: one }", RULES)
    asked.reported(echo(), reported)
    assert (asked.unmet() == []) is holds


def test_an_expectation_that_only_names_a_rule_is_about_what_the_rule_is_about() -> None:
    asked = expecting("{ rule: one, count: 1 }", RULES)
    asked.reported(find(), "one")
    assert len(asked.unmet()) == 1
    asked.reported(echo(), "one")
    assert asked.unmet() == []


def test_a_name_with_a_comma_in_it_is_a_name() -> None:
    asked = expecting('{ service: C-ECHO, rule: "one, two" }', RULES)
    asked.reported(echo(), "slow, one, two")
    assert asked.unmet() == []


def test_a_count_per_key_must_hold_for_every_key_that_was_seen() -> None:
    asked = expecting("{ service: C-STORE, count: 2, per: SOPInstanceUID }")
    for instance in ("1", "2", "1", "2", "3"):
        asked.reported(store(instance), "")
    assert asked.unmet() == [
        'test.yaml:3: expected C-STORE twice for each SOPInstanceUID, it was once for "3"',
    ]
    asked.reported(store("3"), "")
    assert asked.unmet() == []


def test_a_key_that_never_had_the_status_that_is_expected_was_seen_all_the_same() -> None:
    asked = expecting("{ service: C-STORE, status: success, count: 1, per: SOPInstanceUID }")
    asked.reported(store("1", status=0xA700), "")
    asked.reported(store("1", status=0), "")
    assert asked.unmet() == []
    asked.reported(store("2", status=0xA700), "")
    assert asked.unmet() == [
        'test.yaml:3: expected C-STORE with status success once for each SOPInstanceUID, it was never for "2"',
    ]


def test_many_keys_are_told_by_three_of_them() -> None:
    asked = expecting("{ service: C-STORE, count: 2, per: SOPInstanceUID }")
    for instance in range(8):
        asked.reported(store(str(instance)), "")
    (sentence,) = asked.unmet()
    assert sentence.endswith('it was once for "0", once for "1", once for "2" and 5 more')


def test_what_never_came_at_all_is_told() -> None:
    assert expecting("{ service: C-STORE, count: 3, per: SOPInstanceUID }").unmet() == [
        "test.yaml:3: expected C-STORE 3 times, it never came",
    ]


@pytest.mark.parametrize(
    ("expectation", "told"),
    [
        ("{ service: [C-ECHO, C-FIND], count: 3.. }", "C-ECHO or C-FIND at least 3 times, it never came"),
        ("{ service: any, count: 1..2 }", "any 1 to 2 times, it never came"),
        ("{ name: It must come, service: C-ECHO }", '"It must come" at least once, it never came'),
        (
            "{ service: C-STORE, calling: { not: X }, dataset: { Rows: { gt: '5' } }, status: A700, rule: r }",
            'C-STORE with calling not X, Rows > 5, status A700, rule "r" at least once, it never came',
        ),
    ],
)
def test_what_is_expected_is_told_in_words(expectation: str, told: str) -> None:
    before = "rules:\n  - { name: r, when: { service: any }, then: abort }\n"
    (sentence,) = expecting(expectation, before).unmet()
    assert sentence == f"test.yaml:5: expected {told}"


def test_a_reset_counts_anew() -> None:
    asked = expecting("{ service: C-ECHO, count: 1 }")
    asked.reported(echo(), "")
    asked.reset()
    assert len(asked.unmet()) == 1


def test_what_was_counted_outlives_its_association() -> None:
    asked = expecting("{ service: C-ECHO, count: 1, per: association }")
    asked.reported(echo(association=5), "")
    asked.forget(5)
    assert asked.unmet() == []
