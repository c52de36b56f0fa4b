"""Rules are written as people write them, and what is written is the same rule."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, assume, given, settings
from pydantic import ValidationError
from pydicom.dataset import Dataset

from mockpacs.scenario.answers import AnswerSet
from mockpacs.scenario.load import TAGS, load, parse_text
from mockpacs.scenario.rule import Rule
from mockpacs.scenario.script import Script
from mockpacs.scenario.shipped import shipped
from mockpacs.scenario.wording import as_written, script_as_written
from mockpacs.wire.dataset import EXPLICIT_LITTLE
from mockpacs.written.yaml_file import Mapping, nodes_of, parse
from mockpacs.written.yaml_text import yaml_text
from tests.scenario import ruled


def read(text: str) -> Rule:
    return Rule.model_validate(parse(text, "r.yaml", TAGS))


def bare(value: Any) -> Any:
    """Without the difference between bytes and text tagged as bytes, and between numbers and their digits."""
    if isinstance(value, bytes):
        return value.hex(" ")
    if isinstance(value, dict):
        return {str(key): bare(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [bare(one) for one in value]
    return value if value is None or isinstance(value, bool | float) else str(value)


@pytest.mark.parametrize("written", ruled.written_rules().values(), ids=ruled.written_rules())
def test_every_rule_of_scenarios_and_documents_is_the_same_rule_when_it_is_written(written: Mapping) -> None:
    rule = Rule.model_validate(written)
    assert Rule.model_validate(as_written(rule)) == rule
    assert read(yaml_text(as_written(rule))) == rule


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(ruled.rules)
def test_every_rule_that_can_be_said_is_the_same_rule_when_it_is_written(said: dict[str, Any]) -> None:
    try:
        rule = Rule.model_validate(said)
    except ValidationError:
        assume(False)
    written = as_written(rule)
    again = Rule.model_validate(written)
    assert again == rule
    assert as_written(again) == written
    assert bare(Rule.model_validate(nodes_of(written, "t.py:1")).model_dump()) == bare(rule.model_dump())
    assert bare(read(yaml_text(written)).model_dump()) == bare(rule.model_dump())


@pytest.mark.parametrize(
    "text",
    [
        "{ when: { service: C-STORE }, then: abort }",
        "{ when: { event: [associate, release] }, then: nothing }",
        '{ when: { service: any, calling: [CT*, "123"] }, chance: 12.5%, then: abort }',
        "{ when: { service: C-FIND, query: { PatientName: [absent] } }, then: stop-reading }",
        "{ when: { service: C-FIND, query: { PatientName: absent } }, then: half-close }",
        "{ when: { service: C-FIND, query: { StudyDate: { not: empty } } }, then: pending }",
        "{ when: { service: C-STORE, at: { received: 64kB } }, times: 1, then: reset }",
        "{ when: { event: associate }, then: { reject: transient } }",
        "{ when: { event: associate }, then: { reject: { reason: called-ae-not-recognized } } }",
        "{ when: { event: associate }, then: { reject: { source: acse } } }",
        "{ when: { event: associate }, then: { abort: { reason: unexpected-pdu } } }",
        "{ when: { service: C-ECHO }, nth: every 10, then: { delay: 200ms } }",
        "{ when: { service: C-ECHO }, nth: 2..4, then: { wait: end } }",
        '{ when: { service: C-ECHO }, then: { status: "0110", comment: "no" } }',
        '{ when: { service: C-ECHO }, then: { corrupt: { offset: 3, xor: "10" } } }',
        "{ when: { service: C-ECHO }, then: { lie: { command_field: C-STORE-RSP } } }",
        "{ when: { service: C-ECHO }, limit: 20/minute, over: { bandwidth: 64kB/s } }",
        "{ when: { service: C-ECHO }, set: { door: { all: open } } }",
        "{ when: { service: C-ECHO, state: { door: shut } }, then: { truncate: 0 }, later: abort }",
    ],
)
def test_what_is_short_already_is_written_as_it_was(text: str) -> None:
    assert yaml_text(as_written(read(text))) == f"{text}\n"


@pytest.mark.parametrize(
    ("long", "short"),
    [
        ("{ delay: { seconds: 0.2 } }", "{ delay: 200ms }"),
        ("{ delay: { median: 80ms, spread: 0.5 } }", "{ delay: { median: 80ms } }"),
        ("[{ abort: { source: user } }]", "abort"),
        ("{ close: { how: half } }", "half-close"),
        ("[{ delay: 60s }, { abort: true }]", "[{ delay: 60s }, abort]"),
        ("{ status: [0xa700], store: false, silence: false }", "{ status: A700, store: false }"),
        (
            "{ reject: { result: permanent, source: presentation, reason: 2 } }",
            "{ reject: { reason: local-limit-exceeded } }",
        ),
        ("{ reject: { source: user, reason: 1 } }", "reject"),
        ("{ abort: { source: provider, reason: 2 } }", "{ abort: { reason: unexpected-pdu } }"),
        ("{ send: 9900-01 }", "{ send: 99 00 01 }"),
        ("{ bandwidth: 64000 }", "{ bandwidth: 64kB/s }"),
        ("{ offending: ['(0028,0010)'] }", "{ offending: Rows }"),
    ],
)
def test_what_is_long_becomes_short(long: str, short: str) -> None:
    rule = read(f"{{ when: {{ service: C-ECHO }}, then: {long} }}")
    assert as_written(rule)["then"] == parse(short, "s.yaml") or as_written(rule)["then"] == yaml.safe_load(short)


@pytest.mark.parametrize("name", shipped())
def test_every_scenario_loads_again_from_what_is_written(name: str) -> None:
    script = load([shipped()[name]])
    text = yaml_text(script_as_written(script))
    again = parse_text(text, "/somewhere/else.yaml")
    assert [bare(one) for one in _rules(again)] == [bare(one) for one in _rules(script)]
    assert (again.states, again.seed, again.names) == (script.states, script.seed, script.names)
    assert [one for _, one in again.expect] == [one for _, one in script.expect]
    assert again.data.keys() == script.data.keys()
    assert yaml_text(script_as_written(again)) == text


def _rules(script: Script) -> list[dict[str, Any]]:
    """What all rules say, with the names they are known by; certificates are found in the folder."""
    found = []
    for placed in script.rules:
        said = {**placed.rule.model_dump(), "name": placed.name}
        for step in said["then"] or ():
            if step["tls"] and step["tls"]["certificate"]:
                paths = {key: placed.folder.absolute() / step["tls"][key] for key in ("certificate", "private_key")}
                step["tls"].update({key: str(path) for key, path in paths.items()})
        found.append(said)
    return found


def test_a_script_of_everything_is_written(tmp_path: Path) -> None:
    text = (
        "mockpacs: 1\nname: All of it\nabout: |\n  First.\n  Second.\nseed: 5\nserver: { aet: A }\n"
        "data:\n  files: [one.dcm, /two.dcm, { PatientID: P1, PixelData: !bytes '00 01' }]\n"
        "state: { door: shut, lid: { start: up, per: PatientID } }\n"
        "rules:\n  - name: the door\n    when: { service: C-FIND, state: { door: shut } }\n"
        "    set: { door: open }\n    then: { answer: files }\n"
        "expect:\n  - { service: C-STORE, count: 3, per: PatientID }\n  - { rule: the door, count: 1..2 }\n"
    )
    (tmp_path / "all.yaml").write_text(text)
    assert (
        yaml_text(script_as_written(load([tmp_path / "all.yaml"])))
        == f"""\
mockpacs: 1
name: All of it
about: |
  First.
  Second.
seed: 5
server: {{ aet: A }}
data:
  files:
    - {tmp_path}/one.dcm
    - /two.dcm
    - {{ PatientID: P1, PixelData: !bytes "00 01" }}
state: {{ door: shut, lid: {{ start: up, per: PatientID }} }}
rules:
  - name: the door
    when: {{ service: C-FIND, state: {{ door: shut }} }}
    then: {{ answer: files }}
    set: {{ door: open }}
expect:
  - {{ service: C-STORE, count: 3, per: PatientID }}
  - {{ rule: the door, count: 1..2 }}
"""
    )


def test_a_data_set_in_an_answer_is_written_as_keywords_and_values() -> None:
    item = Dataset()
    item.CodeValue = "1"
    answer = Dataset()
    answer.PatientName = "Doe^Jane=山田"
    answer.StudyDate = ""
    answer.OtherPatientIDs = ["A", "B"]
    answer.Rows = 512
    answer.add_new(0x60003000, "OB", b"\x01\x02")
    answer.ProcedureCodeSequence = [item]
    answer.add_new(0x00091001, "UN", b"\x07")
    rule = Rule.model_validate({"when": {"service": "C-FIND"}, "then": {"answer": [answer]}})
    written = as_written(rule)
    assert written["then"]["answer"] == [
        {
            "StudyDate": None,
            "(0009,1001)": "07",
            "PatientName": "Doe^Jane=山田",
            "OtherPatientIDs": ["A", "B"],
            "ProcedureCodeSequence": [{"CodeValue": "1"}],
            "Rows": 512,
            "(6000,3000)": "01 02",
        }
    ]
    again = read(yaml_text(written)).then
    assert again is not None
    assert AnswerSet.of(again[0].answer).encoded(EXPLICIT_LITTLE) == AnswerSet.of([answer]).encoded(EXPLICIT_LITTLE)


def test_the_flags_of_an_expression_made_in_python_are_written_into_it() -> None:
    when = {"service": "C-STORE", "calling": {"matches": re.compile("mr.*", re.IGNORECASE | re.DOTALL)}}
    assert as_written(Rule.model_validate({"when": when, "then": "abort"}))["when"]["calling"] == {
        "matches": "(?is)mr.*"
    }


def test_rules_without_a_name_of_their_own_are_written_with_the_name_they_are_known_by() -> None:
    script = parse_text("mockpacs: 1\nrules: [{ when: { service: C-ECHO }, then: abort }]", "a.yaml")
    assert script_as_written(script)["rules"] == [{"name": "a.yaml:2", "when": {"service": "C-ECHO"}, "then": "abort"}]
    nameless = replace(script, rules=tuple(replace(one, name="") for one in script.rules))
    assert script_as_written(nameless)["rules"] == [{"when": {"service": "C-ECHO"}, "then": "abort"}]
