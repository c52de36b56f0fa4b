"""Rules that can never fire are found; rules that can are left in peace."""

from __future__ import annotations

from pathlib import Path

import pytest

from mockpacs.errors import ScenarioError
from mockpacs.scenario.load import load
from tests.scenario.written import problems_of_rules, script

TAKEN = [
    ("service: C-STORE", "service: C-STORE"),
    ("service: any", "service: C-ECHO"),
    ("service: [C-STORE, C-FIND]", "service: C-FIND"),
    ("event: [release, close]", "event: close"),
    ("service: C-STORE", "service: C-STORE, calling: CT1"),
    ("service: C-STORE, calling: 'CT*'", "service: C-STORE, calling: [CT1, CT2]"),
    ("service: C-STORE, calling: 'CT*'", "service: C-STORE, calling: 'CT*', called: X"),
    ("service: C-STORE, calling: { not: X }", "service: C-STORE, calling: { not: X }"),
    ("service: C-STORE, dataset: { Modality: [CT, MR] }", "service: C-STORE, dataset: { Modality: CT, PatientID: X }"),
    ("service: C-STORE, dataset: { Rows: { gt: 5 } }", "service: C-STORE, dataset: { Rows: { gt: 5, lt: 7 } }"),
    ("service: C-FIND, level: [STUDY, SERIES]", "service: C-FIND, level: STUDY"),
    ("service: C-STORE, at: { received: 1kB }", "service: C-STORE, at: { received: 1000 }, calling: X"),
    ("service: C-STORE, at: response, status: [success, A700]", "service: C-STORE, at: response, status: success"),
    ("service: C-STORE, state: { s: a }", "service: C-STORE, state: { s: a }, calling: X"),
]


@pytest.mark.parametrize(("first", "second"), TAKEN)
def test_a_rule_whose_conditions_another_takes_all_can_never_fire(first: str, second: str) -> None:
    states = "state: { s: a }\n"
    text = f"{states}rules:\n- {{ when: {{ {first} }}, then: silence }}\n- {{ when: {{ {second} }}, then: silence }}\n"
    with pytest.raises(ScenarioError, match=r"^s.yaml:5:3: this rule can never fire: rule in line 4 takes .* first\.$"):
        script(text)


FREE = [
    ("service: C-STORE", "service: C-FIND"),
    ("service: C-FIND", "service: [C-FIND, C-STORE]"),
    ("service: C-STORE", "service: any"),
    ("service: any", "event: close"),
    ("service: C-STORE, calling: CT1", "service: C-STORE"),
    ("service: C-STORE, calling: CT1", "service: C-STORE, calling: 'CT*'"),
    ("service: C-STORE, calling: 'CT?'", "service: C-STORE, calling: CT10"),
    ("service: C-STORE, calling: []", "service: C-STORE, calling: CT1"),
    ("service: C-STORE, calling: { not: X }", "service: C-STORE, calling: X"),
    ("service: C-STORE, calling: { matches: x }", "service: C-STORE, calling: x"),
    ("service: C-STORE, dataset: { Modality: CT, PatientID: X }", "service: C-STORE, dataset: { Modality: CT }"),
    ("service: C-STORE, dataset: { Modality: CT }", "service: C-STORE, dataset: { Modality: { not: CT } }"),
    ("service: C-STORE, dataset: { Rows: { gt: 5 } }", "service: C-STORE, dataset: { Rows: { gt: 4 } }"),
    ("service: C-STORE, at: { received: 1kB }", "service: C-STORE, at: { received: 2kB }"),
    ("service: C-STORE, at: { received: 3 }", "service: C-STORE, at: { pdu: 3 }"),
    ("service: C-STORE, at: response", "service: C-STORE"),
    ("service: C-FIND, level: STUDY", "service: C-FIND, level: [STUDY, SERIES]"),
    ("service: C-STORE, state: { s: a }", "service: C-STORE"),
]


@pytest.mark.parametrize(("first", "second"), FREE)
def test_a_rule_that_something_is_left_for_can_fire(first: str, second: str) -> None:
    rules = f"- {{ when: {{ {first} }}, then: silence }}\n- {{ when: {{ {second} }}, then: silence }}\n"
    assert len(script(f"state: {{ s: a }}\nrules:\n{rules}").rules) == 2


@pytest.mark.parametrize(
    "limited",
    [
        "nth: 3, then: reset",
        "times: 1, then: reset",
        "chance: 99%, then: reset",
        "limit: 5/minute, over: reset",
        "continue: true, then: { delay: 1s }",
        "sequence: [reset], at_end: pass",
    ],
)
def test_a_rule_that_lets_something_through_takes_nothing(limited: str) -> None:
    rules = f"- {{ when: {{ service: C-ECHO }}, {limited} }}\n- {{ when: {{ service: C-ECHO }}, then: reset }}\n"
    assert len(script(f"rules:\n{rules}").rules) == 2


@pytest.mark.parametrize(
    "unlimited",
    [
        "sequence: [reset]",
        "sequence: [reset], at_end: loop",
        "sequence: [reset], at_end: fail",
        "chance: 100%, then: reset",
    ],
)
def test_a_rule_that_always_has_an_answer_takes_all(unlimited: str) -> None:
    lines = problems_of_rules(
        f"{{ when: {{ service: C-ECHO }}, {unlimited} }}", "{ when: { service: C-ECHO }, then: reset, times: 1 }"
    )
    assert lines == ["4:3: this rule can never fire: rule in line 3 takes every C-ECHO first."]


def test_what_two_rules_take_together_is_taken() -> None:
    assert problems_of_rules(
        "{ name: a, when: { service: C-ECHO }, then: reset }",
        "{ when: { service: C-FIND }, then: reset }",
        "{ when: { service: [C-FIND, C-ECHO] }, then: reset }",
    ) == ['5:3: this rule can never fire: rules "a" (line 3) and in line 4 take every C-FIND and every C-ECHO first.']


def test_what_a_rule_waits_for_is_not_called_everything() -> None:
    [line] = problems_of_rules(
        "{ name: ct, when: { service: C-STORE, calling: 'CT*' }, then: reset }",
        "{ when: { service: C-STORE, calling: CT1 }, then: reset }",
    )
    assert line == '4:3: this rule can never fire: rule "ct" (line 3) takes all that it waits for first.'


def test_the_rule_in_the_way_can_be_in_another_file(tmp_path: Path) -> None:
    first, second = tmp_path / "a.yaml", tmp_path / "b.yaml"
    for path in (first, second):
        path.write_text("mockpacs: 1\nrules:\n- { when: { service: C-ECHO }, then: reset }\n")
    (remark,) = load([first, second]).remarks
    assert remark == f"{second}:3:3: note: this rule can never fire: rule {first}:3 takes every C-ECHO first."
