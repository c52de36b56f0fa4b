"""Steps against moments, names against what has them, conditions against what is known: what can be and what cannot."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mockpacs.errors import ScenarioError
from mockpacs.scenario.condition import Moment
from mockpacs.scenario.load import load
from mockpacs.scenario.moments import (
    EVENT_CONDITIONS,
    EVENT_STEPS,
    LATER_STEPS,
    MOMENT_STEPS,
    STATUS_MOMENTS,
    STEP_SERVICES,
)
from mockpacs.scenario.step import Step
from mockpacs.scenario.values import EVENTS
from tests.scenario.written import problem_of, problems, problems_of_rules, script

STEPS = {
    "delay": "1s",
    "wait": "end",
    "status": "success",
    "comment": "text",
    "offending": "PatientID",
    "error_id": "7",
    "pending": "{ take: 1 }",
    "answer": "[]",
    "store": "true",
    "nothing": "true",
    "accept": "{ max_pdu: 4096 }",
    "reject": "transient",
    "abort": "provider",
    "destination": "reset",
    "close": "half",
    "reset": "true",
    "silence": "true",
    "stop-reading": "true",
    "refuse": "5s",
    "tls": "stall",
    "drip": "{ bytes: 1 }",
    "bandwidth": "64kB/s",
    "send": '!bytes "00 01"',
    "truncate": "3",
    "corrupt": "{ bytes: 1 }",
    "lie": "{ repeat: 2 }",
}
CONDITIONS = {
    "calling": "X",
    "called": "X",
    "peer": "127.0.0.1",
    "sop_class": "CT Image Storage",
    "transfer_syntax": "implicit",
    "model": "study-root",
    "level": "STUDY",
    "query": "{ PatientID: X }",
    "dataset": "{ PatientID: X }",
    "status": "success",
    "state": "{ s: a }",
}


def test_the_samples_are_all_steps_there_are() -> None:
    assert list(STEPS) == list(Step.written())


def moments() -> Iterator[tuple[str, str, bool]]:
    """A condition, a step, and whether they go together."""
    for moment, steps in MOMENT_STEPS.items():
        at = f"{{ {moment}: 3 }}" if moment in (Moment.RECEIVED, Moment.PDU) else str(moment)
        for step in STEPS:
            service = STEP_SERVICES.get(step, ("C-STORE",))[0]
            service = "C-FIND" if moment is Moment.BETWEEN_RESPONSES else service
            service = "C-MOVE" if moment is Moment.SUB_OPERATION else service
            if moment in (Moment.RECEIVED, Moment.PDU):
                service = "C-STORE"
            yield f"service: {service}, at: {at}", step, step in steps
    for event, steps in EVENT_STEPS.items():
        for step in STEPS:
            yield f"event: {event}", step, step in steps


@pytest.mark.parametrize(("when", "step", "is_possible"), list(moments()))
def test_a_step_is_possible_where_the_table_says_so_and_nowhere_else(when: str, step: str, is_possible: bool) -> None:
    rule = f"{{ when: {{ {when} }}, then: {{ {step}: {STEPS[step]} }} }}"
    if is_possible:
        script(f"rules: [{rule}]")
    else:
        assert problem_of(rule).startswith(f"{step} is not possible at ")


@pytest.mark.parametrize("step", STEPS)
def test_later_has_steps_of_its_own(step: str) -> None:
    rule = f"{{ when: {{ service: C-FIND }}, later: {{ {step}: {STEPS[step]} }} }}"
    if step in LATER_STEPS:
        script(f"rules: [{rule}]")
    else:
        assert problem_of(rule).startswith(f"{step} is not possible under later")


@pytest.mark.parametrize("under", ["then: [reset, STEP]", "sequence: [reset, [reset, STEP]]", "over: STEP, limit: 1/s"])
def test_steps_are_looked_at_wherever_they_are(under: str) -> None:
    rule = f"{{ when: {{ service: C-ECHO }}, {under.replace('STEP', '{ reject: transient }')} }}"
    [line] = problems_of_rules(rule)
    assert line == f"3:{rule.index('reject') + 3}: reject is not possible at moment request; it is at event associate."


@pytest.mark.parametrize("event", EVENTS)
@pytest.mark.parametrize("condition", CONDITIONS)
def test_at_an_event_only_that_can_be_asked_for_which_is_known(event: str, condition: str) -> None:
    rule = f"- {{ when: {{ event: {event}, {condition}: {CONDITIONS[condition]} }}, then: {{ delay: 1s }} }}"
    text = f"state: {{ s: a }}\nrules:\n{rule}\n"
    if condition in EVENT_CONDITIONS[event]:
        script(text)
    else:
        [line] = problems(text)
        assert f": {condition} is not known at event {event}; what is known: " in line


@pytest.mark.parametrize("moment", [moment for moment in Moment if moment not in (Moment.RECEIVED, Moment.PDU)])
def test_a_status_can_be_asked_for_when_there_is_one(moment: Moment) -> None:
    service = "C-MOVE" if moment is Moment.SUB_OPERATION else "C-FIND"
    rule = f"{{ when: {{ service: {service}, at: {moment}, status: success }}, then: silence }}"
    if moment in STATUS_MOMENTS:
        script(f"rules: [{rule}]")
    else:
        assert problem_of(rule).startswith(f"there is no status yet at {moment}; write at: before-response, response, ")


def test_any_service_may_be_asked_for_what_only_some_have() -> None:
    script("rules: [{ when: { service: any, query: { PatientID: X }, level: STUDY }, then: reset }]")
    script("rules: [{ when: { service: any, at: { received: 1 } }, then: reset }]")


def test_a_step_of_one_service_needs_a_rule_about_that_service() -> None:
    assert problem_of("{ when: { service: any }, then: { store: false } }") == (
        "store is a step for C-STORE, and this rule is about any service."
    )
    assert problem_of("{ when: { service: [C-FIND, C-ECHO] }, then: { answer: [] } }") == (
        "answer is a step for C-FIND, C-GET, C-MOVE, N-EVENT-REPORT, N-GET, N-SET, N-ACTION or N-CREATE, "
        "and this rule is about C-ECHO."
    )


@pytest.mark.parametrize(
    ("step", "told"),
    [
        ("{ close: true, reset: true }", "close and reset"),
        ("{ silence: true, abort: user }", "abort and silence"),
        ("{ nothing: true, status: success }", "status and nothing"),
        ("{ nothing: true, store: false }", "store and nothing"),
        ("{ status: success, close: true }", ""),
        ("{ nothing: false, status: success }", ""),
        ("[{ status: success }, nothing]", ""),
    ],
)
def test_keys_that_exclude_one_another_do_so_in_one_step(step: str, told: str) -> None:
    rule = f"{{ when: {{ service: C-STORE }}, then: {step} }}"
    if told:
        assert problem_of(rule) == f"{told} exclude one another in one step."
    else:
        script(f"rules: [{rule}]")


def test_a_state_has_the_values_that_it_begins_with_or_is_set_to() -> None:
    [line] = problems(
        """
        state: { a: one, b: { start: x, per: association } }
        rules:
          - { when: { service: C-ECHO, state: { a: [two, "t*"] } }, then: reset }
          - { when: { service: C-FIND, state: { a: three } }, then: reset, set: { a: two } }
          - { when: { service: C-STORE, state: { b: { not: y } } }, then: reset, set: { a: { all: three } } }
          - { when: { event: release }, then: reset, set: { b: z } }
        """
    )
    assert line.endswith('state "b" is never "y". It begins as or is set to x, z.')


def test_a_state_that_no_rule_sets_may_be_set_from_outside_to_anything_that_is_no_slip() -> None:
    rule = "{ when: { service: C-STORE, state: { archive: %s } }, then: { status: A700 } }"
    script(f"state: {{ archive: open }}\nrules: [{rule % 'full'}]")
    [line] = problems(f"state: {{ archive: open }}\nrules: [{rule % 'opem'}]")
    assert line.endswith('state "archive" is never "opem". Did you mean "open"?')


def test_values_of_states_are_not_judged_while_rules_are_wrong() -> None:
    """The value may be set by a rule that is not understood yet."""
    [line] = problems(
        """
        state: { a: one }
        rules:
          - { when: { service: C-ECHO, state: { a: two } }, then: reset }
          - { when: { service: C-ECHO }, then: rest, set: { a: two } }
        """
    )
    assert 'unknown step "rest"' in line


def test_names_of_one_file_are_known_in_the_others(tmp_path: Path) -> None:
    first, second = tmp_path / "a.yaml", tmp_path / "b.yaml"
    first.write_text("mockpacs: 1\nstate: { s: a }\ndata: { d: { PatientID: X } }\n")
    second.write_text(
        "mockpacs: 1\nrules:\n- { name: r, when: { service: C-FIND, state: { s: a } }, then: { answer: d } }\n"
    )
    assert len(load([first, second]).rules) == 1
    with pytest.raises(ScenarioError, match="unknown state"):
        load([second])


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("state: { s: a }", 'there is another state "s" already'),
        ("data: { s: [] }", 'there is another set of answers "s" already'),
        ("server: { s: a }", 'there is another option "s" already'),
        (
            "rules: [{ name: s, when: { event: close, peer: PEER }, then: silence }]",
            'there is another rule "s" already',
        ),
    ],
)
def test_two_files_cannot_give_one_name_to_two_things(written: str, told: str, tmp_path: Path) -> None:
    paths = [tmp_path / "a.yaml", tmp_path / "b.yaml"]
    for path in paths:
        path.write_text(f"mockpacs: 1\n{written.replace('PEER', path.stem)}\n")
    with pytest.raises(ScenarioError) as caught:
        load(paths)
    assert str(caught.value).startswith(f"{paths[1]}:2:")
    assert str(caught.value).endswith(f"{told} ({paths[0]}:2).")


def test_files_of_a_rule_are_looked_for_beside_the_scenario(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_text("mockpacs: 1\nrules: [{ when: { event: connect }, then: { tls: { certificate: c.pem } } }]\n")
    with pytest.raises(ScenarioError) as caught:
        load([path])
    assert str(caught.value).endswith(f'"c.pem": there is no such file in {tmp_path}.')
    (tmp_path / "c.pem").touch()
    assert len(load([path]).rules) == 1


def test_sets_of_answers_are_read_when_the_scenario_is_checked(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_text("mockpacs: 1\ndata: { d: nowhere.dcm }\n")
    assert list(load([path]).data) == ["d"]
    with pytest.raises(ScenarioError) as caught:
        load([path], check=lambda _name, _node: [])
    assert str(caught.value) == f'{path}:2:12: "nowhere.dcm": there is no such file in {tmp_path}.'


def test_bytes_go_where_bytes_are_wanted() -> None:
    script(
        """
        data: { d: { PixelData: !bytes "00 01" } }
        rules:
          - { when: { service: C-FIND, level: STUDY }, then: { answer: [{ PixelData: !bytes "00" }] } }
          - { when: { service: C-FIND }, then: { pending: { set: { PatientName: !bytes "ff" } }, send: !bytes "00" } }
        """
    )
    [line] = problems("name: !bytes '00'")
    assert line == "s.yaml:2:7: !bytes is not wanted here; it goes before the bytes of send."


@pytest.mark.parametrize(
    ("rule", "key"),
    [
        ("{ when: { service: C-ECHO, calling: }, then: reset }", "calling"),
        ("{ when: { service: C-ECHO, calling: { not: } }, then: reset }", "not"),
        ("{ when: { service: C-ECHO }, then: reset, times: }", "times"),
        ("{ when: { service: C-ECHO }, then: [reset, { delay: }] }", "delay"),
    ],
)
def test_a_key_without_a_value_is_not_taken_for_one_that_is_not_there(rule: str, key: str) -> None:
    """A condition that somebody has yet to write would hold for everybody."""
    [line] = problems_of_rules(rule)
    assert line == f"3:{rule.index(key + ':') + 3}: {key} says nothing: give it a value, or leave it out."


def test_an_attribute_without_a_value_has_zero_length() -> None:
    script("rules: [{ when: { service: C-FIND }, then: { pending: { set: { PatientID: } } } }]")
    script("rules: [{ when: { service: C-FIND }, then: { answer: [{ PatientID: }] } }]")
