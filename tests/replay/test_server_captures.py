"""Captures of others, cut ones and garbage: what is there is played, what is not is said."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from mockpacs import MockPACS
from mockpacs.replay.server import Choices, compiled, text_of
from mockpacs.replay.tape import Tape
from mockpacs.scenario.engine import Engine
from mockpacs.scenario.load import parse_text
from mockpacs.wire import CommandField as F
from mockpacs.wire import Tag, Value
from tests.net.wire_client import ct_image, element
from tests.replay.served import asking, record, replayed, studies
from tests.replay.test_server import TWO_PATIENTS, ask_for_two
from tests.traffic.recording.script import (
    CT,
    INSTANCE,
    MOVE,
    SCP,
    SCU,
    Script,
    answer,
    ask,
    command,
    echo,
    echoed,
    message,
    store,
    stored,
)
from tests.traffic.recording.written import write

IMAGE = ct_image(INSTANCE)
STUDY = element(0x00080052, "CS", b"STUDY") + element(0x0020000D, "UI", b"1.2.3")


def written(folder: Path, script: Script) -> Path:
    return write(folder, script).parts[0]


def test_a_recording_that_was_cut_is_played_up_to_the_cut(tmp_path: Path) -> None:
    path = record(tmp_path, ask_for_two, scenario=TWO_PATIENTS)
    data = path.read_bytes()
    for share in (0.4, 0.6, 0.8, 0.95):
        cut = tmp_path / "cut.pcapng"
        cut.write_bytes(data[: int(len(data) * share)])
        with replayed(cut) as again:
            recorded = sum(one.times for one in again.compiled.recorded.values())
            if not again.compiled.associations:
                continue
            with asking(again.pacs) as client:
                found = [client.find(studies(patient))[-1][0] for patient in ("P1", "P2")]
        assert found == [0x0000, 0xA700][:recorded] + [0x0110] * (2 - recorded)


def test_a_request_whose_answer_was_cut_off_is_named(tmp_path: Path) -> None:
    script = Script()
    script.open().associate().say(SCU, echo()).say(SCP, echoed()).say(SCU, store(2, IMAGE)).close(None, "cut")
    with Tape.open(written(tmp_path, script)) as tape:
        made = compiled(tape)

    assert [one.subject for one in made.recorded.values()] == ["C-ECHO"]
    assert "1.2 C-STORE: the recording ends before its answer; it is left out" in made.notes


@pytest.mark.parametrize("data", [b"", b"no capture", bytes(5000)])
def test_garbage_crashes_nothing(tmp_path: Path, data: bytes) -> None:
    script = Script()
    script.open().say(SCU, data or b"\1").say(SCP, b"\2" * 99).close()
    with Tape.open(written(tmp_path, script)) as tape:
        made = compiled(tape)
    assert not made.recorded


def test_a_garbled_recording_is_compiled_or_refused(tmp_path: Path) -> None:
    data = record(tmp_path, ask_for_two, scenario=TWO_PATIENTS).read_bytes()
    garbled = tmp_path / "garbled.pcapng"
    for seed in range(60):
        chance = random.Random(seed)
        damaged = bytearray(data)
        for _ in range(chance.choice((1, 5, 20))):
            damaged[chance.randrange(200, len(damaged))] = chance.randrange(256)
        garbled.write_bytes(damaged)
        with Tape.open(garbled) as tape:
            made = compiled(tape, Choices(order=chance.choice(("loose", "strict"))))
        Engine(made.script)
        assert len(parse_text(text_of(made)).rules) == len(made.script.rules)


def test_a_request_that_got_no_answer_gets_none(tmp_path: Path) -> None:
    script = Script()
    script.open().associate().say(SCU, echo()).close()
    path = written(tmp_path, script)
    with replayed(path) as again, Tape.open(path) as tape:
        rules = {placed.name: placed.rule for placed in compiled(tape).script.rules}
        assert again.pacs.engine
    (step,) = rules["1.1 C-ECHO"].then or ()
    assert step.nothing


def moved(script: Script, *, cause: str = "") -> None:
    """A C-MOVE, and the association that it brought an instance on."""
    line = script.open().associate()
    line.say(SCU, ask(F.C_MOVE_RQ, 7, MOVE, STUDY, {Tag.MOVE_DESTINATION: "THERE"}))
    leg = script.open().associate()
    elements: dict[int, Value] = {
        Tag.AFFECTED_SOP_INSTANCE: INSTANCE,
        Tag.MOVE_ORIGINATOR_AET: "CT1",
        Tag.MOVE_ORIGINATOR_MESSAGE_ID: 7,
    }
    leg.say(SCU, message(CT, command(F.C_STORE_RQ, 1, CT, IMAGE, elements), IMAGE)).say(SCP, stored(1)).release()
    counts: dict[int, Value] = {
        Tag.COMPLETED_SUB_OPERATIONS: 1,
        Tag.FAILED_SUB_OPERATIONS: 0,
        Tag.WARNING_SUB_OPERATIONS: 0,
    }
    line.say(SCP, answer(F.C_MOVE_RQ, 7, MOVE, 0, elements=counts)).release()


def test_a_leg_is_no_association_that_the_server_was_asked_for(tmp_path: Path) -> None:
    script = Script()
    moved(script)
    with Tape.open(written(tmp_path, script)) as tape:
        made = compiled(tape)

    assert list(made.recorded) == ["1.1 C-MOVE"]
    assert [instance.meta.sop_instance for instance in made.instances] == [INSTANCE]
    assert b"".join(made.instances[0].data.blocks()) == IMAGE
    assert made.destinations == ("THERE",)


def test_time_is_as_recorded_or_faster(tmp_path: Path) -> None:
    scenario = """
data: { two: [{ PatientID: P1 }, { PatientID: P1 }] }
rules: [{ when: { service: C-FIND }, then: { delay: 40ms, pending: { from: two, every: 20ms } } }]
"""

    def talk(pacs: MockPACS) -> None:
        with asking(pacs) as client:
            client.find(studies("P1"))

    path = record(tmp_path, talk, scenario=scenario)

    def delays(choices: Choices) -> tuple[float, float]:
        with Tape.open(path) as tape:
            rules = {placed.name: placed.rule for placed in compiled(tape, choices).script.rules}
        (step,) = rules["1.1 C-FIND"].then or ()
        first = step.delay.seconds if step.delay is not None else 0.0
        every = step.pending.every if step.pending is not None else 0.0
        return first or 0.0, every or 0.0

    assert delays(Choices()) == (0.0, 0.0)
    first, every = delays(Choices(pace=1.0))
    assert first >= 0.04
    assert every >= 0.02
    assert list(delays(Choices(pace=2.0))) == pytest.approx([first / 2, every / 2], abs=0.001)


def test_requests_of_the_server_are_named(tmp_path: Path) -> None:
    script = Script()
    line = script.open().associate().say(SCU, echo()).say(SCP, echoed())
    line.say(SCP, ask(F.N_EVENT_REPORT_RQ, 9, "1.2.840.10008.1.20.1", elements={Tag.AFFECTED_SOP_INSTANCE: "1.2"}))
    line.release()
    with Tape.open(written(tmp_path, script)) as tape:
        made = compiled(tape)
    assert "the server asked for it; a replayed one asks nothing" in "".join(made.notes)
