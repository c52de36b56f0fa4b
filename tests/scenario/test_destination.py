"""The condition on the destination of a C-MOVE, and elements of the command that are no attributes."""

from __future__ import annotations

import pytest

from mockpacs.errors import ScenarioError
from mockpacs.scenario.condition import Moment
from mockpacs.scenario.near import render
from mockpacs.scenario.rule import Rule
from mockpacs.scenario.stimulus import Stimulus
from mockpacs.scenario.wording import as_written
from tests.scenario.asking import engine, fired, stimulus
from tests.scenario.written import problem_of, problems_of_rules, script


def move(destination: str, **fields: object) -> Stimulus:
    return stimulus("C-MOVE", {}, destination=destination, calling="VIEWER", **fields)


@pytest.mark.parametrize(
    ("condition", "met"),
    [
        ("WS1", ["WS1", " WS1 "]),
        ("'WS*'", ["WS1", "WS2", " WS1 "]),
        ("[WS2, ARCHIVE]", ["WS2", "ARCHIVE"]),
        ("{ not: WS1 }", ["WS2", "ARCHIVE"]),
        ("{ matches: 'WS[0-9]' }", ["WS1", "WS2", " WS1 "]),
    ],
)
@pytest.mark.parametrize(
    ("at", "fields"),
    [
        ("request", {}),
        ("sub-operation", {"moment": Moment.SUB_OPERATION, "mark": 1, "of": 2}),
        ("{ sub-operation: last }", {"moment": Moment.SUB_OPERATION, "mark": 2, "of": 2}),
    ],
)
def test_a_rule_is_about_some_destinations(condition: str, met: list[str], at: str, fields: dict[str, object]) -> None:
    asked = engine(
        f"- {{ name: r, when: {{ service: C-MOVE, at: {at}, destination: {condition} }}, then: {{ status: A700 }} }}"
    )
    titles = ["WS1", "WS2", "ARCHIVE", " WS1 ", ""]

    assert fired(asked, [move(title, **fields) for title in titles]) == ["r" if one in met else "-" for one in titles]


def test_what_has_no_destination_meets_no_condition_on_it() -> None:
    asked = engine("- { name: r, when: { service: any, destination: { not: WS1 } }, then: { delay: 1s } }")

    assert fired(asked, [stimulus("C-ECHO"), move("WS2")]) == ["-", "r"]


def test_why_not() -> None:
    asked = engine("- { name: r, when: { service: C-MOVE, destination: WS1 }, then: { status: A700 } }")

    assert render(asked.explain(move("ws1"))).splitlines()[1:] == [
        'closest: "r" (test.yaml:3), 1 of 2 conditions',
        "  service      C-MOVE                    ok",
        '  destination  expected WS1              got "ws1" (only the case differs)',
    ]


def test_an_expectation_counts_what_went_to_one_destination() -> None:
    asked = engine("rules: []\nexpect: [{ service: C-MOVE, destination: WS1, count: 2 }]")
    for title in ("WS1", "WS2"):
        asked.reported(move(title, moment=Moment.AFTER_RESPONSE, status=0), "")

    assert asked.unmet() == ["test.yaml:3: expected C-MOVE with destination WS1 twice, it came once"]


def test_it_is_written_as_it_was_read() -> None:
    when = {"service": "C-MOVE", "destination": {"not": ["WS*", "ARCHIVE"]}}
    rule = Rule.model_validate({"when": when, "then": "abort"})

    assert as_written(rule)["when"] == when
    assert Rule.model_validate(as_written(rule)) == rule


def test_a_rule_about_all_destinations_takes_those_about_one() -> None:
    with pytest.raises(ScenarioError, match="this rule can never fire"):
        script(f"rules:\n- {_rule('WS*')}\n- {_rule('WS1')}\n")
    script(f"rules:\n- {_rule('WS1')}\n- {_rule('WS*')}\n")


def _rule(destination: str) -> str:
    return f"{{ when: {{ service: C-MOVE, destination: '{destination}' }}, then: abort }}"


@pytest.mark.parametrize("service", ["C-GET", "C-STORE", "[C-GET, C-MOVE]"])
def test_only_a_c_move_has_one(service: str) -> None:
    told = problem_of(f"{{ when: {{ service: {service}, destination: WS1 }}, then: abort }}")

    assert told == f"destination is about C-MOVE, not about {'C-GET' if 'GET' in service else service}."


def test_an_event_has_none() -> None:
    told = problem_of("{ when: { event: cancel, destination: WS1 }, then: nothing }")

    assert told.startswith("destination is not known at event cancel; what is known: calling")


# elements of the command


@pytest.mark.parametrize("key", ["query", "dataset"])
@pytest.mark.parametrize(
    ("element", "name", "home"),
    [
        ("MoveDestination", "MoveDestination", "write destination under when"),
        ("(0000,0600)", "MoveDestination", "write destination under when"),
        ("AffectedSOPClassUID", "AffectedSOPClassUID", "write sop_class under when"),
        ("Status", "Status", "write status under when, at a moment that has one"),
        ("CommandField", "CommandField", "write service under when"),
        (
            "AffectedSOPInstanceUID",
            "AffectedSOPInstanceUID",
            "of a C-STORE write dataset: { SOPInstanceUID: ... }",
        ),
        ("MessageID", "MessageID", "there is no condition on it"),
    ],
)
def test_elements_of_the_command_are_in_no_data_set(key: str, element: str, name: str, home: str) -> None:
    service = "C-MOVE" if key == "query" else "C-STORE"
    lines = problems_of_rules(f'{{ when: {{ service: {service}, {key}: {{ "{element}": X }} }}, then: abort }}')

    column = len(f"- {{ when: {{ service: {service}, {key}: {{ ") + 1
    assert lines == [f"3:{column}: {name} is an element of the command, and no data set has it; {home}."]


def test_nor_in_an_item_of_a_sequence() -> None:
    told = problem_of("{ when: { service: C-FIND, query: { RequestAttributesSequence: { Status: X } } }, then: abort }")

    assert told.startswith("Status is an element of the command")
