"""Bad files: every mistake is a line with its place and a sentence that helps, and all of them come at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from mockpacs.errors import ScenarioError
from mockpacs.scenario.load import load
from tests.scenario.written import problem_of, problems, problems_of_rules

GOLDEN = Path(__file__).parent / "golden"


def test_the_errors_of_the_design_look_as_designed() -> None:
    assert problems(
        """\
        rules:
          - name: slow
            when: { service: C-ECHO }
            then: { dealy: 2s }
          - when: { service: C-STORE, at: response }
            then: { status: out-of-resorces }
          - name: everything
            when: { service: C-STORE }
            then: { status: success }
          - when: { service: C-STORE, calling: CT1 }
            then: reset
        """
    ) == [
        's.yaml:5:13: unknown step "dealy". Did you mean "delay"?',
        's.yaml:7:21: "out-of-resorces" is not a status of C-STORE. Did you mean "out-of-resources"?',
        's.yaml:11:5: this rule can never fire: rule "everything" (line 8) takes every C-STORE first.',
    ]


@pytest.mark.parametrize("golden", sorted(GOLDEN.glob("*.yaml")), ids=lambda path: path.stem)
def test_everything_that_is_wrong_in_a_file_is_told_at_once(golden: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The text beside each file is what a user sees; read it as one."""
    monkeypatch.chdir(GOLDEN)
    with pytest.raises(ScenarioError) as caught:
        load([golden.name], check=lambda name, node: [(name, "no such option")] if name == "prot" else [])
    assert str(caught.value) + "\n" == golden.with_suffix(".txt").read_text(encoding="utf-8")


def test_the_golden_files_are_there() -> None:
    assert len(list(GOLDEN.glob("*.yaml"))) >= 3


def test_errors_of_several_files_come_together_in_the_order_of_the_files(tmp_path: Path) -> None:
    first, second, missing = (tmp_path / name for name in ("z.yaml", "a.yaml", "missing.yaml"))
    first.write_text("mockpacs: 1\nnmae: x\nrules: 3\n")
    second.write_text("mockpacs: 1\nrules: [\n")
    with pytest.raises(ScenarioError) as caught:
        load([first, missing, second])
    assert str(caught.value).splitlines() == [
        f'{first}:2:1: unknown key "nmae" of a scenario. Did you mean "name"?',
        f'{first}:3:8: rules is a list, not the value "3".',
        f"{missing}: cannot be read: No such file or directory.",
        f"{second}:3:1: not YAML: expected the node content, but found '<stream end>'.",
    ]


PARTS = {
    "{ when: { service: C-ECHO }, then: status }": (
        '"status" does not say enough alone: write status: and what it shall be.'
    ),
    "{ when: { service: C-ECHO }, then: success }": 'unknown step "success". Did you mean "status: success"?',
    "{ when: { service: C-ECHO }, then: [reset, [close]] }": "a step is a mapping (key: value), not a list.",
    "{ when: { service: C-ECHO }, then: { lie: 5 } }": 'lie is a mapping (key: value), not the value "5".',
    "{ when: { service: C-ECHO }, status: success }": (
        'unknown key "status" of a rule. It is a step: write it under then.'
    ),
    "{ when: { service: C-ECHO }, then: { mesage_id: 5 } }": 'unknown step "mesage_id". Known: delay,',
    "{ when: { service: C-ECHO }, then: { message_id: 5 } }": (
        'unknown step "message_id". It is a lie: write it under lie.'
    ),
    "{ when: { service: C-ECHO }, then: { lie: { context: 5 } } }": 'unknown lie "context". Did you mean "context_id"?',
    "{ when: { service: C-ECHO, nth: 2 }, then: reset }": (
        'unknown condition "nth". It is a key of a rule: write it beside when.'
    ),
    "{ when: { service: C-ECHO, at: { recieved: 5 } }, then: reset }": (
        'unknown moment "recieved". Did you mean "received"?'
    ),
    "{ then: reset }": 'a rule needs "when".',
    "{ when: C-ECHO, then: reset }": 'when is a mapping (key: value), not the value "C-ECHO".',
    "{ when: { calling: CT1 }, then: reset }": (
        "a service (C-STORE, any, ...) or an event (associate, release, ...) is missing here."
    ),
    "{ when: { service: C-ECHO } }": "a rule needs then, a sequence, over, set or later.",
    "{ when: { service: c-store }, then: reset }": '"c-store" is not one of any, C-ECHO,',
    "{ when: { service: }, then: reset }": "a value is missing here.",
    "{ when: { service: C-ECHO }, then: { delay: 5 parsecs } }": (
        '"5 parsecs" is not a duration of 0 or more, at most a week: seconds, or a number with ms, s, m or h.'
    ),
    "{ when: { service: C-ECHO }, then: { delay: { between: [1s] } } }": "between needs 2 values.",
    "{ when: { service: C-ECHO }, then: { delay: { max: 1s } } }": (
        "a delay is a time (2s), or has a median, or is between two times."
    ),
    "{ when: { service: C-ECHO }, then: { bandwidth: fast } }": '"fast" is not a rate, such as 64kB/s or 1MB/s.',
    "{ when: { service: C-ECHO }, then: reset, chance: 0.2 }": '"0.2" is not a chance from 0% to 100%, such as 20%.',
    "{ when: { service: C-ECHO }, then: reset, nth: third }": '"third" is not a count: 3, 2..4, 5.. or every 10.',
    "{ when: { service: C-ECHO }, over: reset, limit: 20/fortnight }": (
        '"20/fortnight" is not a limit, such as 20/minute, 5/second or 100/10s.'
    ),
    "{ when: { service: C-ECHO }, over: reset, limit: 20/0s }": '"20/0s" is not a limit',
    "{ when: { service: C-ECHO }, then: reset, per: SOPInstanceUDI }": (
        '"SOPInstanceUDI" is not a key to count by: scenario, association, exchange, calling-ae, or an attribute. '
        'Did you mean "SOPInstanceUID"?'
    ),
    "{ when: { service: C-ECHO }, then: { send: 9 } }": '"9" is not bytes in hexadecimal, such as 99 00 00 04.',
    "{ when: { service: C-ECHO }, then: { abort: { source: nobody } } }": (
        '"nobody" is not one of user, provider, nor a number up to 255.'
    ),
    "{ when: { event: associate }, then: { reject: { source: user, reason: local-limit-exceeded } } }": (
        "local-limit-exceeded is a reason of presentation, not of user; for anything else write numbers."
    ),
    "{ when: { service: C-FIND, query: { PatientNmae: X } }, then: reset }": (
        'unknown attribute "PatientNmae". Did you mean "PatientName"?'
    ),
    "{ when: { service: C-FIND, query: { qwertz: X } }, then: reset }": (
        'unknown attribute "qwertz". Write a keyword (PatientID) or a tag (0010,0020).'
    ),
    "{ when: { service: C-FIND, query: { PatientID: } }, then: reset }": (
        "a value is missing here; for zero length write empty."
    ),
    "{ when: { service: C-FIND, query: { PatientID: { mtches: x } } }, then: reset }": (
        'unknown condition "mtches". Did you mean "matches"?'
    ),
    "{ when: { service: C-FIND, query: { PatientID: { matches: '(' } } }, then: reset }": (
        '"(" is not a regular expression'
    ),
    "{ when: { service: C-STORE, at: [request, response] }, then: reset }": (
        "a rule has one moment; write a rule for each."
    ),
    "{ when: { service: C-ECHO }, then: { lie: { remove: Stauts } } }": (
        '"Stauts" is not an element of a command set. Did you mean "Status"?'
    ),
    "{ when: { service: C-ECHO }, then: { lie: { command_field: C-ECHO-RPS } } }": 'Did you mean "C-ECHO-RSP"?',
    "{ when: { service: C-ECHO }, then: reset, continue: yes }": '"yes" is not true or false.',
    "{ when: { service: C-ECHO }, sequence: [] }": "a sequence needs at least one answer.",
    "{ when: { service: C-ECHO }, then: { comment: !bytes '61' } }": (
        "!bytes is not wanted here; it goes before the bytes of send."
    ),
    "3": 'a rule is a mapping (key: value), not the value "3".',
    "": "a rule is a mapping (key: value), not nothing.",
}


@pytest.mark.parametrize("rule", PARTS)
def test_what_is_wrong_with_a_rule_is_told_in_one_sentence(rule: str) -> None:
    assert problem_of(rule).startswith(PARTS[rule]) or problem_of(rule).endswith(PARTS[rule])


@pytest.mark.parametrize(
    ("status", "told"),
    [
        ("110", '"110" is not a status: a code has four hexadecimal digits; 110 in decimal is 006E.'),
        ("42752", '"42752" is not a status: a code has four hexadecimal digits; 42752 in decimal is A700.'),
        ("99999", '"99999" is not a status: a code has four hexadecimal digits.'),
        ("sucess", '"sucess" is not a status of C-STORE. Did you mean "success"?'),
        ("identifier-mismatch", '"identifier-mismatch" is not a status of C-STORE. Did you mean "data-set-mismatch"?'),
        ("xyz", '"xyz" is not a status of C-STORE. Known: out-of-resources (A700), data-set-mismatch (A900), '),
    ],
)
def test_a_status_that_is_none_is_told_with_those_of_the_service(status: str, told: str) -> None:
    assert problem_of(f"{{ when: {{ service: C-STORE }}, then: {{ status: {status} }} }}").startswith(told)


def test_a_name_must_be_a_status_of_every_service_that_is_named_and_of_one_if_none_is() -> None:
    one = "then: { status: data-set-mismatch }"
    assert '"data-set-mismatch" is not a status of C-FIND.' in problem_of(
        f"{{ when: {{ service: [C-STORE, C-FIND] }}, {one} }}"
    )
    told = problem_of("{ when: { service: any }, then: { status: data-set-mismach } }")
    assert told == '"data-set-mismach" is not a status. Did you mean "data-set-mismatch"?'
    lines = problems_of_rules(f"{{ when: {{ service: any }}, {one}, chance: 5 }}")
    assert len(lines) == 1  # the chance


def test_the_place_is_that_of_the_part_that_is_wrong() -> None:
    lines = problems(
        """\
        rules:
          - when:
              service: [C-ECHO,
                        C-EHCO]
            then:
              - delay: 1s
              - reset
              - stauts: success
          - when: { service: C-ECHO }
            sequence:
              - reset
              - [close,
                 dealy]
        """
    )
    assert [line.split(": ")[0] for line in lines] == ["s.yaml:5:17", "s.yaml:9:9", "s.yaml:14:10"]


def test_a_word_that_is_no_step_and_a_list_of_two_are_told_apart() -> None:
    assert problems_of_rules("{ when: { service: C-ECHO }, then: [dealy, stauts] }") == [
        '3:39: unknown step "dealy". Did you mean "delay"?',
        '3:46: unknown step "stauts". Did you mean "status"?',
    ]


def test_a_mistake_does_not_hide_another_in_the_same_rule() -> None:
    assert problems_of_rules(
        "{ when: { service: C-ECHO, state: { x: y } }, then: dealy, set: { z: 1 } }",
        "{ when: { event: release }, then: { status: success }, times: 0 }",
    ) == [
        '3:39: unknown state "x". States are named under state, such as x: {start: ...}.',
        '3:55: unknown step "dealy". Did you mean "delay"?',
        '3:69: unknown state "z". States are named under state, such as z: {start: ...}.',
        "4:39: status is not possible at event release; it is at the moments request, received, pdu, sub-operation, "
        "before-response and response.",
        '4:65: "0" is not a whole number from 1 to 2147483647.',
    ]


def test_nothing_in_a_sentence_can_move_a_cursor() -> None:
    [line] = problems('"\\e[31mred": 1')
    assert line.isprintable()
    assert "\\x1b[31mred" in line


def test_more_than_a_hundred_mistakes_are_not_all_told() -> None:
    lines = problems("rules:\n" + "- 1\n" * 300)
    assert len(lines) == 101
    assert lines[-1] == "and more problems"
