"""Rules that stand in no file: made in Python or sent as a text, with the sentences of the loader."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mockpacs.errors import ScenarioError
from mockpacs.scenario.condition import Attribute, When
from mockpacs.scenario.load import load, parse_text
from mockpacs.scenario.loose import parse_rules, rules_of
from mockpacs.scenario.pace import Delay
from mockpacs.scenario.rule import Rule
from mockpacs.scenario.shipped import shipped
from mockpacs.scenario.step import Step
from mockpacs.scenario.wording import as_written, script_as_written
from tests.scenario import ruled

RULE = {"when": {"service": "C-STORE"}, "then": "abort"}
PLACE = "test_sender.py:12"


def problems(value: Any, **more: Any) -> list[str]:
    with pytest.raises(ScenarioError) as caught:
        rules_of(value, place=PLACE, **more)
    lines = str(caught.value).splitlines()
    assert all(line.startswith(f"{PLACE}: ") for line in lines)
    return [line.removeprefix(f"{PLACE}: ") for line in lines]


def text_problems(text: str, **more: Any) -> list[str]:
    with pytest.raises(ScenarioError) as caught:
        parse_rules(text, "body", **more)
    return str(caught.value).splitlines()


def test_a_rule_a_list_and_a_scenario_are_read() -> None:
    named = {"name": "b", "when": {"service": "C-FIND"}, "then": "abort"}
    (one,) = rules_of(RULE, place=PLACE, folder=Path("/f")).rules
    assert (one.name, one.place, one.folder, one.rule) == ("", PLACE, Path("/f"), Rule.model_validate(RULE))
    assert [placed.name for placed in rules_of([RULE, named], place=PLACE).rules] == ["", "b"]
    whole = rules_of({"name": "n", "seed": 3, "state": {"s": "x"}, "rules": (RULE,)}, place=PLACE)
    assert (whole.names, whole.seed, list(whole.states), len(whole.rules)) == (("n",), 3, ["s"], 1)
    assert [rule.rule for rule in rules_of(Rule.model_validate(RULE), place=PLACE).rules] == [one.rule]


def test_texts_are_read_with_the_line_of_each_rule() -> None:
    rules = parse_rules(
        "- when: { service: C-STORE }\n  then: abort\n- { when: { service: C-ECHO }, then: abort }\n", "r"
    ).rules
    assert [(placed.name, placed.place) for placed in rules] == [("", "r:1"), ("", "r:3")]
    assert parse_rules(json.dumps(RULE), "r").rules[0].rule == rules[0].rule
    assert parse_rules(json.dumps({"rules": [RULE]}), "r", seed=9).seed == 9


def test_json_in_ascii_keeps_its_characters() -> None:
    said = {**RULE, "name": 'ü 😀 / \\ud83d "'}
    assert parse_rules(json.dumps(said), "r").rules[0].name == said["name"]
    assert parse_rules(json.dumps([said]).replace("/", "\\/"), "r").rules[0].name == said["name"]


@pytest.mark.parametrize("name", shipped())
def test_every_shipped_scenario_means_the_same_as_values_and_as_json(name: str) -> None:
    script = load([shipped()[name]])
    written = script_as_written(script)
    for again in (rules_of(written, place=PLACE), parse_rules(json.dumps(written), "x/y.json")):
        assert [as_written(one.rule) for one in again.rules] == written.get("rules", [])
        assert (again.states, again.seed) == (script.states, script.seed)


STORE = {"service": "C-STORE"}
NONSENSE: list[tuple[Any, list[str]]] = [
    ({"when": {**STORE, "callng": "A"}, "then": "abort"}, ['unknown condition "callng". Did you mean "calling"?']),
    ({"when": STORE, "then": "abrt"}, ['unknown step "abrt". Did you mean "abort"?']),
    ({"then": "abort"}, ['a rule needs "when".']),
    ({}, ['a rule needs "when".']),
    ([5], ['a rule is a mapping (key: value), not the value "5".']),
    (None, ["a rule, a list of rules or a scenario is expected here, not nothing."]),
    ("abort", ['a rule, a list of rules or a scenario is expected here, not "abort".']),
    ({**RULE, "times": 0}, ["0 is not a whole number from 1 to 2147483647."]),
    ({**RULE, "times": None}, ["times says nothing: give it a value, or leave it out."]),
    ({"when": {**STORE, "calling": True}, "then": "abort"}, ["True is not text."]),
    (
        {"when": {**STORE, "calling": b"A"}, "then": "abort"},
        ["!bytes is not wanted here; it goes before the bytes of send."],
    ),
    (
        {"when": {**STORE, "dataset": {"PatientNme": "x"}}, "then": "abort"},
        ['unknown attribute "PatientNme". Did you mean "PatientName"?'],
    ),
    ([RULE, RULE], [f"this rule can never fire: rule {PLACE} takes every C-STORE first."]),
    (
        [{**RULE, "name": "a"}, {**RULE, "name": "a", "when": {"service": "C-ECHO"}}],
        [f'there is another rule "a" already ({PLACE}).'],
    ),
    (
        [{"when": STORE, "then": {"status": "out-of-resorces"}, "nth": 0}, {"when": STORE, "then": {"delay": -1}}],
        [
            '"out-of-resorces" is not a status of C-STORE. Did you mean "out-of-resources"?',
            "0 is not a count: 3, 2..4, 5.. or every 10.",
            "-1 is not a duration of 0 or more",
        ],
    ),
]


@pytest.mark.parametrize(("value", "sentences"), NONSENSE)
def test_nonsense_is_told_with_the_place_in_python(value: Any, sentences: list[str]) -> None:
    told = problems(value)
    assert len(told) == len(sentences)
    assert all(any(line.startswith(sentence) for line in told) for sentence in sentences)


@pytest.mark.parametrize("name", list(ruled.written_rules())[::9])
def test_a_mistake_has_the_sentence_of_the_loader(name: str) -> None:
    """One more key and one less in rules of all sorts: the same lines but for their places."""
    rule = as_written(Rule.model_validate(ruled.written_rules()[name]))
    for wrong in (
        {**rule, "thn": "x"},
        {key: one for key, one in rule.items() if key != "when"},
        {**rule, "chance": "x"},
    ):
        with pytest.raises(ScenarioError) as caught:
            parse_text(f"mockpacs: 1\nrules:\n- {json.dumps(wrong)}\n", "s.yaml")
        loader = {line.partition(": ")[2] for line in str(caught.value).splitlines()}
        assert set(problems(wrong)) == loader


_keys = st.one_of(
    st.sampled_from([key for part in (Rule, Step, When, Attribute, Delay) for key in part.written()]),
    st.sampled_from(["PatientID", 0x00280010, -1, 2**70, None, True, 1.5, (1, 2), b"x", ""]),
)
_leaves = st.one_of(
    st.sampled_from([None, True, -1, 2**70, 0.5, float("nan"), b"x", "", "abort", "success", "*", object()]),
    st.sampled_from(["C-STORE", "C-FIND", "associate", "connect", "PatientID"]),
)
_anything = st.recursive(_leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_keys, inner, max_size=3))


@settings(deadline=None, max_examples=300)
@given(_anything, st.dictionaries(_keys, _anything, max_size=2), st.sampled_from(["C-STORE", "C-FIND"]))
def test_whatever_is_said_is_a_script_or_lines_with_the_place(then: Any, more: dict[Any, Any], service: str) -> None:
    for value in (then, {"then": then, "when": {"service": service, **more}}, {"when": {"service": service}, **more}):
        told = _told(value)
        assert all(line.startswith(f"{PLACE}: ") or line == "and more problems" for line in told)


def _told(value: Any) -> list[str]:
    try:
        rules_of(value, place=PLACE)
    except ScenarioError as error:
        return str(error).splitlines()
    return []


def test_texts_that_are_no_rules_are_told_with_line_and_column() -> None:
    assert text_problems("- when: { service: C-STORE }\n  then: abrt\n") == [
        'body:2:9: unknown step "abrt". Did you mean "abort"?'
    ]
    assert text_problems('{"when": {') == ["body:1:11: not YAML: expected the node content, but found '<stream end>'."]
    assert text_problems("") == ["body:1:1: a rule, a list of rules or a scenario is expected here, not nothing."]
    assert text_problems("mockpacs: 2\nrules: []") == [
        'body:1:11: "2" is a language version this mockpacs does not know; it reads mockpacs: 1.'
    ]


def test_rules_may_name_what_they_are_added_to_and_nothing_else() -> None:
    known = parse_text(
        "mockpacs: 1\nstate: { door: shut }\ndata: { study: [{ PatientID: P1 }] }\n"
        "rules: [{ when: { service: C-ECHO }, set: { door: ajar } }]",
        "s.yaml",
    )
    rule = {"when": {"service": "C-FIND", "state": {"door": "ajar"}}, "then": {"answer": "study"}, "set": {"door": "x"}}
    assert len(rules_of(rule, place=PLACE, known=known).rules) == 1
    assert parse_rules(json.dumps(rule), "body", known=known).rules[0].rule == Rule.model_validate(rule)
    assert problems(rule) == [
        'unknown state "door". States are named under state, such as door: {start: ...}.',
        'unknown set of answers "study". Sets are named under data.',
    ]
    wrong = {"when": {"service": "C-FIND", "state": {"door": "opn"}}, "then": {"answer": "studi"}}
    assert problems(wrong, known=known) == [
        'state "door" is never "opn". It begins as or is set to ajar, shut.',
        'unknown set of answers "studi". Did you mean "study"?',
    ]
    assert 'unknown state "door"' in problems({"rules": [rule]}, known=known)[0]


def test_functions_may_be_called_where_they_are_known() -> None:
    rule = {"when": {"service": "C-FIND"}, "then": {"call": "find"}}
    (placed,) = rules_of(rule, place=PLACE, calls=["find"]).rules
    assert as_written(placed.rule) == rule
    assert parse_rules(json.dumps(rule), "body", calls=["find"]).rules[0].rule == placed.rule
    assert problems(rule, calls=["fin"]) == ['no handler is called "find". Did you mean "fin"?']
    assert problems(rule) == ["call names a Python function: MockPACS.on in a test; a file cannot have it."]


def test_python_says_numbers_where_yaml_says_digits() -> None:
    rule = {
        "when": {"service": "C-STORE", "dataset": {0x00280010: 512, "Columns": {"gt": 1.5}}},
        "then": {"status": 0xA700, "delay": 0.2},
        "chance": 1 / 3,
        "times": 2,
    }
    text = (
        "when: { service: C-STORE, dataset: { Rows: 512, Columns: { gt: 1.5 } } }\n"
        "times: 2\nthen: { status: A700, delay: 200ms }\n"
    )
    (one,) = rules_of(rule, place=PLACE).rules
    assert one.rule.model_copy(update={"chance": None}) == parse_rules(text, "t").rules[0].rule
    assert one.rule.chance == 1 / 3


def test_what_holds_itself_is_refused() -> None:
    rule: dict[str, Any] = {"when": {"service": "C-STORE"}}
    rule["then"] = rule
    assert problems(rule) == ["nested deeper than 24 levels"]


def test_nodes_that_were_given_are_not_changed() -> None:
    value = {"rules": [RULE]}
    rules_of(value, place=PLACE)
    assert value == {"rules": [RULE]}
