"""The step that only Python has: a function that answers. Files are refused it, and nothing about files mentions it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mockpacs.errors import ScenarioError
from mockpacs.scenario.load import parse_text
from mockpacs.scenario.loose import rules_of
from mockpacs.scenario.moments import MOMENT_STEPS, STEP_SERVICES
from mockpacs.scenario.reference import document
from mockpacs.scenario.rule import Rule
from mockpacs.scenario.schema import text
from mockpacs.scenario.step import ANSWERS, Step
from mockpacs.scenario.telling import told_act
from mockpacs.scenario.values import SERVICES
from tests.scenario.written import problems_of_rules

REFUSED = "call names a Python function: MockPACS.on in a test; a file cannot have it."
ANSWER: dict[str, Any] = {
    "status": "success",
    "comment": "text",
    "offending": "PatientID",
    "error_id": 7,
    "pending": {"take": 1},
    "answer": [],
    "store": True,
    "nothing": True,
}
BESIDE: dict[str, Any] = {
    "delay": "1s",
    "drip": {"bytes": 1},
    "bandwidth": "64kB/s",
    "send": "00",
    "truncate": 3,
    "corrupt": {"bytes": 1},
    "lie": {"message_id": 1},
    "abort": True,
    "close": "half",
}


def rule(step: dict[str, Any], **when: Any) -> dict[str, Any]:
    return {"when": {"service": "C-STORE", **when}, "then": step}


def problem(rule: dict[str, Any], *calls: str) -> str:
    with pytest.raises(ScenarioError) as refused:
        rules_of(rule, place="test.py:1", calls=calls)
    (line,) = str(refused.value).splitlines()
    return line.removeprefix("test.py:1: ")


@pytest.mark.parametrize(
    "steps",
    [
        "then: { call: find }",
        "sequence: [reset, { call: find }]",
        "over: { call: find }, limit: 1/s",
        "then: [{ call: find }]",
    ],
)
def test_a_file_cannot_have_it(steps: str) -> None:
    written = f"{{ when: {{ service: C-FIND }}, {steps} }}"
    assert problems_of_rules(written) == [f"3:{written.index('call') + 3}: {REFUSED}"]


def test_nothing_about_files_mentions_it() -> None:
    assert "call" in Step.model_fields
    assert "call" not in Step.written()
    assert "Python" not in text()
    assert "Python" not in document()
    with pytest.raises(ScenarioError) as refused:
        parse_text("mockpacs: 1\nrules: [{ when: { service: C-ECHO }, then: { cal: x } }]")
    assert "call" not in str(refused.value)


@pytest.mark.parametrize("service", SERVICES)
def test_python_can_have_it_for_every_service(service: str) -> None:
    made = rules_of({"when": {"service": service}, "then": {"call": "find"}}, place="test.py:1", calls=["find"])
    assert made.rules[0].rule == Rule.model_validate({"when": {"service": service}, "then": {"call": "find"}})


def test_only_functions_that_are_known() -> None:
    assert problem(rule({"call": "fnd"}), "find") == 'no handler is called "fnd". Did you mean "find"?'
    assert problem(rule({"call": "store"}), "x") == 'no handler is called "store". Known: x.'
    assert problem(rule({"call": "store"})) == 'no handler is called "store". MockPACS.on makes them.'


@pytest.mark.parametrize("key", ANSWER)
def test_the_function_says_everything_about_the_answer(key: str) -> None:
    when = {} if key not in STEP_SERVICES else {"service": STEP_SERVICES[key][0]}
    line = problem(rule({"call": "find", key: ANSWER[key]}, **when), "find")
    assert "exclude one another in one step" in line
    assert "call" in line


def test_the_samples_are_all_answers_there_are() -> None:
    assert set(ANSWER) == {*ANSWERS - {"call"}, "store", "nothing"}


@pytest.mark.parametrize("key", BESIDE)
def test_how_the_answer_looks_and_what_follows_is_for_the_step_to_say(key: str) -> None:
    rules_of(rule({"call": "find", key: BESIDE[key]}), place="test.py:1", calls=["find"])


@pytest.mark.parametrize("moment", [one for one, steps in MOMENT_STEPS.items() if "call" not in steps])
def test_it_is_asked_when_the_request_is_complete_and_at_no_other_moment(moment: str) -> None:
    at = {str(moment): 3} if moment in ("received", "pdu") else str(moment)
    when = {"service": {"between-responses": "C-FIND", "sub-operation": "C-MOVE"}.get(moment, "C-STORE")}
    assert problem(rule({"call": "find"}, at=at, **when), "find").startswith("a function cannot answer at moment")


def test_events_are_not_answered_by_functions() -> None:
    line = problem({"when": {"event": "associate"}, "then": {"call": "find"}}, "find")
    assert line == "a function cannot answer at event associate; it can at moment request."


def test_it_is_told_with_the_name_of_the_function() -> None:
    from mockpacs.scenario.engine import Engine
    from mockpacs.scenario.script import Script
    from mockpacs.scenario.stimulus import Stimulus

    made = Rule.model_validate({"when": {"service": "C-FIND"}, "then": {"call": "find", "lie": {"message_id": 1}}})
    decision = Engine(Script.of([made], folder=Path())).decide(Stimulus("C-FIND"))
    assert decision is not None
    (act,) = decision.acts
    assert act.answers
    assert list(told_act(act)) == ["call find", "lie message_id 1"]
