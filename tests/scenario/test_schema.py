"""The JSON Schema: it is current, it takes every scenario there is, and it knows what an editor shall complete."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, ClassVar

import jsonschema
import pytest
import yaml

from mockpacs.scenario import ending, lie, model, pace, step
from mockpacs.scenario.condition import At, Attribute, When, Words
from mockpacs.scenario.part import Part
from mockpacs.scenario.rule import Change, Rule
from mockpacs.scenario.schema import FILE, schema, step_words, text
from mockpacs.scenario.values import status_names

ROOT = Path(__file__).parents[2]
EXAMPLE = re.compile(r"^```yaml scenario\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PARTS = [
    *(model.Scenario, model.StateSpec, model.Count, model.Expectation, Rule, Change, When, At, Words, Attribute),
    *(step.Step, step.Pending, step.Accept, step.Context),
    *(ending.Reject, ending.Abort, ending.Close, ending.Refuse, ending.Wait, ending.Tls),
    *(pace.Delay, pace.Drip, pace.Truncate, pace.Corrupt, lie.Lie),
]


class EditorsLoader(yaml.SafeLoader):
    """YAML as editors read it: numbers and booleans are no text, dates are."""

    yaml_implicit_resolvers: ClassVar[dict[str, Any]] = {
        mark: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
        for mark, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


EditorsLoader.add_constructor("!bytes", lambda loader, node: loader.construct_scalar(node))

VALIDATOR = jsonschema.Draft202012Validator(json.loads(FILE.read_text(encoding="utf-8")))


def complaints(written: str) -> list[str]:
    found = VALIDATOR.iter_errors(yaml.load(written, EditorsLoader))
    return [f"{error.json_path}: {error.message[:200]}" for error in found]


def examples() -> dict[str, str]:
    """All shipped scenarios, and all in the documents."""
    found = {path.name: path.read_text(encoding="utf-8") for path in sorted((ROOT / "scenarios").glob("*.yaml"))}
    for path in sorted((ROOT / "docs").glob("*.md")):
        for number, match in enumerate(EXAMPLE.finditer(path.read_text(encoding="utf-8")), 1):
            found[f"{path.name} {number}"] = match[1]
    return found


EXAMPLES = examples()


def test_the_shipped_file_is_what_the_model_says() -> None:
    """When this fails: make docs."""
    assert FILE.read_text(encoding="utf-8") == text()


def test_it_is_a_json_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(schema())


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_scenario_is_valid(name: str) -> None:
    assert complaints(EXAMPLES[name]) == []


def test_there_are_scenarios_to_try() -> None:
    assert len(EXAMPLES) > 40


SHORT = """
mockpacs: 1
name: 12
state: { busy: false, full: { start: 0, per: SOPInstanceUID } }
rules:
  - when: { service: [C-STORE, any], calling: 1, called: { not: [A, 2] }, at: { received: 256kB } }
    then: [reset, half-close, { delay: 2 }, { close: half }, { close: true }, { status: 0110 }, { status: [A700, 1] }]
    set: { busy: true, full: { all: 3 } }
  - when: { event: associate, at: response, level: study, status: [success, 0xA700], state: { busy: no } }
    sequence: [reset, [reset, close], { accept: true }]
    nth: 3
  - when: { service: C-FIND, query: { PatientID: 7, Rows: { gt: 5 }, A: absent, Seq: { Modality: { in: [CT] } } } }
    then: { reject: permanent, abort: 7, wait: end, refuse: 5s, tls: stall, truncate: 40, send: !bytes "00" }
    over: accept
    limit: 20/minute
expect: [{ rule: x, count: 3 }, { service: any, count: ..5 }]
"""


def test_every_short_form_is_valid() -> None:
    assert complaints(SHORT) == []


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("name: 12", "nmae: 12"),
        ("mockpacs: 1", "mockpacs: 2"),
        ("half-close", "half-closed"),
        ("{ delay: 2 }", "{ dealy: 2 }"),
        ("C-STORE", "C-STOER"),
        ("close: half", "close: quarter"),
        ("{ status: [A700, 1] }", "{ status: out-of-resorces }"),
        ("nth: 3", "nth: third"),
        ("event: associate", "evnt: associate"),
        ("{ gt: 5 }", "{ greater: 5 }"),
        ("reject: permanent", "reject: for-ever"),
        ("count: ..5", "cuont: 5"),
    ],
)
def test_what_is_misspelt_is_not_valid(right: str, wrong: str) -> None:
    assert right in SHORT
    assert complaints(SHORT.replace(right, wrong, 1)) != []


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.__name__)
def test_every_key_of_every_part_can_be_completed_and_is_described(part: type[Part]) -> None:
    known = schema()["$defs"][part.__name__]
    properties: dict[str, Any] = (known if "properties" in known else known["anyOf"][0])["properties"]
    assert list(properties) == list(part.written())
    assert [key for key, value in properties.items() if not value.get("description")] == []


def test_statuses_and_words_can_be_completed() -> None:
    written = FILE.read_text(encoding="utf-8")
    assert [name for name in status_names() if f'"{name}"' not in written] == []
    assert {"reset", "half-close", "nothing", "abort", "silence"} <= set(step_words())
    assert "status" not in step_words()


def test_every_word_that_is_offered_is_a_step() -> None:
    for word in step_words():
        steps = Rule.model_validate({"when": {"service": "C-STORE"}, "then": word}).then
        assert steps is not None
        assert steps[0].given
