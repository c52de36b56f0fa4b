"""A compiled recording written as a scenario with its data: the same answers, from files that people can read."""

from __future__ import annotations

from pathlib import Path

import pytest

from mockpacs import MockPACS
from mockpacs.config import load as load_options
from mockpacs.errors import RecordingError
from mockpacs.replay.server import Choices, compiled, text_of, written
from mockpacs.replay.tape import Tape
from mockpacs.scenario.load import load
from tests.replay.served import asking, record, replayed, studies
from tests.replay.test_server import TWO_PATIENTS, ask_for_two
from tests.replay.test_server_retrieve import fill, get


def write(path: Path, folder: Path, choices: Choices | None = None) -> Path:
    with Tape.open(path) as tape:
        return written(compiled(tape, choices or Choices()), folder)


def test_the_written_scenario_gives_the_same_answers(tmp_path: Path) -> None:
    def talk(pacs: MockPACS) -> object:
        with asking(pacs) as client:
            return client.echo(), client.store(), client.find(studies("P1")), client.find(studies("P2"))

    heard = []
    path = record(tmp_path, lambda pacs: heard.append(talk(pacs)), scenario=TWO_PATIENTS)
    scenario = write(path, tmp_path / "written")
    with MockPACS(scenario, strict=True) as pacs:
        heard.append(talk(pacs))

    assert heard[0] == heard[1]
    assert sorted(file.name for file in (tmp_path / "written" / "answers" / "1.3").iterdir()) == ["1.dcm", "2.dcm"]


def test_what_it_expects_is_what_was_recorded(tmp_path: Path) -> None:
    scenario = write(record(tmp_path, ask_for_two, scenario=TWO_PATIENTS), tmp_path / "written")
    with MockPACS(scenario) as pacs, asking(pacs) as client:
        client.find(studies("P1"))
    assert len(pacs.summary.unmet) == 1
    assert "1.2 C-FIND" in pacs.summary.unmet[0]


def test_instances_are_preloaded_from_beside_the_scenario(tmp_path: Path) -> None:
    heard = []
    path = record(tmp_path, lambda pacs: heard.append(get(pacs)), before=fill)
    scenario = write(path, tmp_path / "written")
    options = load_options(None, {}, {"scenario": (scenario,), "memory": True, "port": 0})
    with MockPACS(options) as pacs:
        heard.append(get(pacs))

    assert heard[0] == heard[1]


@pytest.mark.parametrize("choices", [Choices(), Choices("last"), Choices("honest"), Choices(order="strict")])
def test_what_is_written_is_read_as_the_same_rules(tmp_path: Path, choices: Choices) -> None:
    path = record(tmp_path, ask_for_two, scenario=TWO_PATIENTS)
    scenario = write(path, tmp_path / "written", choices)
    with Tape.open(path) as tape:
        made = compiled(tape, choices)

    read = load([scenario])
    assert [placed.rule.model_dump() for placed in read.rules] == [
        {**placed.rule.model_dump(), "name": placed.name} for placed in made.script.rules
    ]
    assert len(made.script.expect) > 1
    assert len(read.expect) == len(made.script.expect)


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    path = record(tmp_path, ask_for_two, scenario=TWO_PATIENTS)
    write(path, tmp_path / "written")
    with pytest.raises(RecordingError, match="is there already"):
        write(path, tmp_path / "written")


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    path = record(tmp_path, ask_for_two, scenario=TWO_PATIENTS)
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(RecordingError, match="cannot be written"):
        write(path, tmp_path / "file" / "written")


def test_a_server_that_plays_a_recording_can_be_looked_at_and_put_back(tmp_path: Path) -> None:
    path = record(tmp_path, ask_for_two, scenario=TWO_PATIENTS)
    with replayed(path) as again:
        assert ask_for_two(again.pacs) == [[0xFF00, 0xFF00, 0], [0xA700]]
        assert ask_for_two(again.pacs) == [[0x0110], [0x0110]]
        assert 'data: { "1.1": answers/1.1/*.dcm }' in str(again.pacs.rules)
        again.pacs.reset()
        assert ask_for_two(again.pacs) == [[0xFF00, 0xFF00, 0], [0xA700]]
        again.pacs.reload()
        assert ask_for_two(again.pacs) == [[0xFF00, 0xFF00, 0], [0xA700]]


def test_what_was_retrieved_is_there_again_after_a_reset(tmp_path: Path) -> None:
    path = record(tmp_path, get, before=fill)
    with replayed(path) as again:
        again.pacs.archive.clear()
        again.pacs.reset()
        assert len(again.pacs.archive.instances()) == 3


def test_it_reads_like_what_happened(tmp_path: Path) -> None:
    path = record(tmp_path, ask_for_two, scenario=TWO_PATIENTS)
    with Tape.open(path) as tape:
        text = text_of(compiled(tape, name="incident.pcapng"))

    assert text == GOLDEN


GOLDEN = """\
mockpacs: 1
name: replay of incident.pcapng
about: What a server answered when it was recorded.
data: { "1.1": answers/1.1/*.dcm }
rules:
  - name: association 1
    when: { event: associate }
    then:
      accept:
        max_pdu: 131072
        contexts:
          - { transfer_syntax: [implicit, explicit, "*"] }
  - name: 1.1 C-FIND
    when:
      service: C-FIND
      model: Study Root Query/Retrieve Information Model - FIND
      level: STUDY
      query: { PatientID: P1 }
    times: 1
    then: { answer: "1.1" }
  - name: 1.2 C-FIND
    when:
      service: C-FIND
      model: Study Root Query/Retrieve Information Model - FIND
      level: STUDY
      query: { PatientID: P2 }
    times: 1
    then: { status: A700, comment: Come back }
  - name: not in the recording
    when: { service: any }
    then: { status: "0110", comment: Not in the recording }
expect:
  - { rule: 1.1 C-FIND, count: 1 }
  - { rule: 1.2 C-FIND, count: 1 }
  - { rule: not in the recording, count: 0 }
"""
