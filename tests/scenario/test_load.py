"""Good files: what the loader makes of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from mockpacs.errors import ConfigurationError, ScenarioError
from mockpacs.scenario.condition import Moment
from mockpacs.scenario.load import load, parse_text
from mockpacs.scenario.rule import Rule
from mockpacs.scenario.script import Script
from tests.scenario.written import script

FLAKY = """\
mockpacs: 1
name: Third time lucky
about: Every instance is refused twice.
seed: 5
state:
  archive: { start: open, per: StudyInstanceUID }
data:
  one: { PatientID: P1 }
server:
  aet: FLAKY
rules:
  - name: flaky store
    when: { service: C-STORE }
    per: SOPInstanceUID
    sequence:
      - { status: out-of-resources }
      - [{ delay: 1s }, { status: success }]
  - when: { event: release }
    then: close
expect:
  - { service: C-STORE, count: 3 }
  - { rule: flaky store }
"""


@pytest.fixture
def flaky(tmp_path: Path) -> Path:
    path = tmp_path / "flaky.yaml"
    path.write_text(FLAKY)
    return path


def test_rules_have_names_places_and_a_folder(flaky: Path) -> None:
    named, unnamed = load([flaky]).rules
    assert (named.name, named.place, named.folder) == ("flaky store", f"{flaky}:12", flaky.parent)
    assert (unnamed.name, unnamed.place) == ("flaky.yaml:18", f"{flaky}:18")


def test_all_of_a_file_is_in_the_script(flaky: Path) -> None:
    loaded = load([str(flaky)])
    assert loaded.names == ("Third time lucky",)
    assert loaded.abouts == ("Every instance is refused twice.",)
    assert loaded.states["archive"].per == "StudyInstanceUID"
    assert loaded.data["one"] == ({"PatientID": "P1"}, flaky.parent)
    assert loaded.server["aet"] == ("FLAKY", flaky.parent)
    assert [key.place for key in loaded.server] == [f"{flaky}:10:3"]  # type: ignore[attr-defined]
    assert [(place, one.count.bounds) for place, one in loaded.expect] == [
        (f"{flaky}:21", (3, 3)),
        (f"{flaky}:22", (1, None)),
    ]


def test_an_item_of_a_sequence_is_one_step_or_several(flaky: Path) -> None:
    sequence = load([flaky]).rules[0].rule.sequence
    assert sequence is not None
    assert [[step.status for step in steps] for steps in sequence] == [[("out-of-resources",)], [(), ("success",)]]


def test_an_expectation_that_only_names_a_rule_is_about_what_the_rule_is_about(flaky: Path) -> None:
    _, expected = load([flaky]).expect[1]
    assert (expected.service, expected.rule) == (("C-STORE",), "flaky store")


def test_the_seed_of_the_command_line_is_stronger_than_that_of_the_file_and_0_is_the_last_resort(flaky: Path) -> None:
    assert load([flaky]).seed == 5
    assert load([flaky], seed=0).seed == 0
    assert script("rules: []").seed == 0


def test_several_files_are_merged_in_their_order(flaky: Path, tmp_path: Path) -> None:
    second = tmp_path / "second.yaml"
    second.write_text(
        "mockpacs: 1\nseed: 7\nrules:\n- { when: { service: C-ECHO, state: { archive: open } }, then: reset }\n"
    )
    loaded = load([second, flaky])
    assert [placed.name for placed in loaded.rules] == ["second.yaml:4", "flaky store", "flaky.yaml:18"]
    assert loaded.names == ("second", "Third time lucky")
    assert loaded.seed == 7


def test_files_of_one_name_get_their_folder_into_the_names_of_their_rules(tmp_path: Path) -> None:
    paths = [tmp_path / "a" / "s.yaml", tmp_path / "b" / "s.yaml"]
    for path, service in zip(paths, ("C-ECHO", "C-FIND"), strict=True):
        path.parent.mkdir()
        path.write_text(f"mockpacs: 1\nrules:\n- {{ when: {{ service: {service} }}, then: reset }}\n")
    assert [placed.name for placed in load(paths).rules] == ["a/s.yaml:3", "b/s.yaml:3"]


def test_a_name_of_a_rule_says_nothing_of_where_the_file_lies(flaky: Path) -> None:
    """What is drawn for a rule depends on its name, and is the same on every machine."""
    assert str(flaky.parent) not in load([flaky]).rules[1].name


def test_a_script_can_be_made_of_rules_in_python() -> None:
    rule = Rule.model_validate({"when": {"service": "C-ECHO"}, "then": {"delay": 0.5, "status": 0xA700}})
    made = Script.of([rule, rule.model_copy(update={"name": "mine"})], seed=3)
    assert [placed.name for placed in made.rules] == ["rule 1", "mine"]
    assert made.seed == 3
    assert rule.then is not None
    assert rule.then[0].status == ("A700",)


def test_every_short_form_is_its_long_form() -> None:
    loaded = script(
        """
        state: { busy: false }
        rules:
          - when: { service: C-STORE, at: { received: 256kB }, calling: NO, dataset: { Modality: "" } }
            then: [delay: 2s, close: half]
          - when: { service: C-STORE, state: { busy: false } }
            then: half-close
            set: { busy: true }
          - when: { service: [C-FIND, C-MOVE], query: { PatientID: absent, ReferencedStudySequence: { Modality: MR } } }
            then: { status: ["0110", 0xA700, a701h, success] }
          - when: { event: associate, calling: { not: ["CT*", MR1] } }
            then: { reject: transient }
          - when: { event: [associate] }
            then: accept
        """
    )
    first, second, third, fourth, fifth = (placed.rule for placed in loaded.rules)
    assert (first.when.at.when, first.when.at.mark) == (Moment.RECEIVED, 256_000)
    assert first.when.calling is not None
    assert first.when.calling.in_ == ("NO",)
    assert first.when.dataset[0x00080060].in_ == ("",)
    assert first.then is not None
    assert first.then[0].delay is not None
    assert first.then[0].delay.seconds == 2
    assert first.then[1] == second.then[0]  # type: ignore[index]
    assert second.set["busy"].value == "true"
    assert second.when.state.wanted["busy"].in_ == ("false",)
    assert third.when.query[0x00100020].presence == "absent"
    assert third.when.query[0x00081110].item is not None
    assert third.then[0].status == ("0110", "A700", "A701", "success")  # type: ignore[index]
    assert fourth.then[0].reject.result == 2  # type: ignore[index,union-attr]
    assert fifth.then[0].accept is not None  # type: ignore[index]


def test_what_yaml_would_change_stays_as_it_is_written() -> None:
    loaded = script(
        """
        rules:
          - when:
              service: C-FIND
              called: NO
              query: { StudyTime: 073000, "00100010": 0x10, StudyInstanceUID: 1.20 }
            then: { status: 0110 }
        """
    )
    [rule] = [placed.rule for placed in loaded.rules]
    assert [one.in_ for one in rule.when.query.values()] == [("073000",), ("0x10",), ("1.20",)]
    assert 0x00100010 in rule.when.query
    assert rule.then is not None
    assert rule.then[0].status == ("0110",)


def test_a_reason_by_name_brings_its_source() -> None:
    loaded = script(
        """
        rules:
          - { when: { event: associate }, times: 1, then: { reject: { reason: local-limit-exceeded } } }
          - { when: { service: C-ECHO }, then: { abort: { reason: unexpected-pdu } } }
        """
    )
    reject, abort = (placed.rule.then[0] for placed in loaded.rules if placed.rule.then)
    assert reject.reject is not None
    assert abort.abort is not None
    assert (reject.reject.source, reject.reject.reason) == (3, 2)
    assert (abort.abort.source, abort.abort.reason) == (2, 2)


def test_remarks_are_no_errors() -> None:
    loaded = script(
        """
        rules:
          - { when: { service: C-STORE, at: { pdu: 3 }, dataset: { Modality: CT } }, then: reset }
          - { when: { service: C-STORE, dataset: { Modality: CT } }, then: reset }
        """
    )
    assert loaded.remarks == ("s.yaml:4:49: note: at pdu a condition on the data set can only see what has arrived.",)


def test_an_error_is_a_configuration_error_too() -> None:
    """Whoever reads options reads scenarios, and expects one kind of error."""
    with pytest.raises(ConfigurationError) as caught:
        parse_text("mockpacs: 2", "s.yaml")
    assert isinstance(caught.value, ScenarioError)
