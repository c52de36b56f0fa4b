"""``mockpacs show`` and ``export`` of a retrieve: the legs are there, and are known for what they are."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from mockpacs.traffic import comment
from mockpacs.wire import CommandField as F
from mockpacs.wire import Tag
from tests.cli.test_program import run
from tests.net.wire_client import ct_image, element
from tests.traffic.recording.script import MOVE, SCP, SCU, Script, answer, ask, store, stored
from tests.traffic.recording.test_legs import a_get
from tests.traffic.recording.written import write

STUDY = element(0x00080052, "CS", b"STUDY")
IMAGE = ct_image()
COUNTS = {Tag.COMPLETED_SUB_OPERATIONS: 1, Tag.FAILED_SUB_OPERATIONS: 1, Tag.WARNING_SUB_OPERATIONS: 0}
FAILED = element(0x00080058, "UI", b"2.2\0")


def script() -> Script:
    """A C-GET; a C-MOVE with two legs, one of which fails."""
    made = Script()
    a_get(made)
    asked = made.open(comment.connection(2, "10.0.0.1:50002")).associate()
    asked.say(SCU, ask(F.C_MOVE_RQ, 1, MOVE, STUDY, {Tag.MOVE_DESTINATION: "STORE", Tag.PRIORITY: 0}))
    there = made.open(comment.connection(3, "10.0.0.2:11112", by_us=True, cause="2.1")).associate()
    there.say(SCU, store(1, IMAGE, "2.1")).say(SCP, stored(1))
    there.say(SCU, store(2, IMAGE, "2.2")).say(SCP, stored(2, 0xA700, "disk full")).release()
    asked.say(SCP, answer(F.C_MOVE_RQ, 1, MOVE, 0xB000, FAILED, {**COUNTS})).release()
    return made


@pytest.fixture
def storage(tmp_path: Path) -> Path:
    write(tmp_path / "data" / "recordings", script())
    return tmp_path / "data"


@pytest.fixture
def shown(storage: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., list[str]]:
    """Runs ``show`` and gives the lines it printed."""

    def show(*arguments: str, status: int = 0) -> list[str]:
        assert run(["show", *arguments, "--storage", str(storage)]) == status
        return capsys.readouterr().out.splitlines()

    return show


def test_legs_are_listed_with_what_they_are_legs_of(shown: Callable[..., list[str]]) -> None:
    lines = [" ".join(line.split()[1:]) for line in shown()]
    legs = {line.split()[0]: line for line in lines if "<- " in line}

    assert {number: line.rpartition("<- ")[2].split()[0] for number, line in legs.items()} == {
        **dict.fromkeys(("1.3", "1.4", "1.5"), "1.2"),
        **dict.fromkeys(("3.1", "3.2"), "2.1"),
        "3": "2.1",
    }
    assert "CT1 > MOCKPACS at 10.0.0.2:11112" in legs["3"]
    assert "C-STORE out-of-resources" in legs["3.2"]
    (move,) = [line for line in lines if "C-MOVE" in line]
    assert "> STORE 1 completed, 1 failed" in move


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["leg:2.1"], ["3.1", "3.2"]),
        (["leg:*", "status:failed"], ["1.4", "3.2"]),
        (["service:C-STORE"], ["1.3", "1.4", "1.5", "1.6", "3.1", "3.2"]),
        (["service:C-STORE", 'leg:""'], ["1.6"]),
        (["3"], ["3.1", "3.2"]),
    ],
)
def test_a_filter_of_a_recording_leaves_no_leg_out(
    words: list[str], expected: list[str], shown: Callable[..., list[str]]
) -> None:
    assert [f"{one['association']}.{one['exchange']}" for one in map(json.loads, shown("--json", *words))] == expected


def test_as_json_a_leg_has_its_cause_and_a_retrieve_its_sub_operations(shown: Callable[..., list[str]]) -> None:
    (leg,), (move,) = (list(map(json.loads, shown("--json", word))) for word in ("3.2", "2.1"))

    assert (leg["asked_by_us"], leg["cause"], leg["peer"], leg["called"]) == (True, "2.1", "10.0.0.2:11112", "MOCKPACS")
    assert move["sub_operations"] == {"completed": 1, "failed": 1, "warning": 0}
    assert "asked_by_us" not in move


def test_a_leg_is_shown_in_full(shown: Callable[..., list[str]]) -> None:
    text = "\n".join(shown("3.1", "--dataset"))

    assert "exchange 3.1" in text
    assert "10.0.0.1:50003 to 10.0.0.2:11112" in text
    assert "> C-STORE-RQ" in text
    assert "< C-STORE-RSP" in text
    assert "DOE^JANE" in text


def test_what_went_out_can_be_exported(storage: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    into = tmp_path / "images"
    assert run(["export", "leg:2.1", "--objects", str(into), "--storage", str(storage)]) == 0

    assert sorted(path.name for path in into.iterdir()) == ["2.1.dcm", "2.2.dcm"]
    capsys.readouterr()


@pytest.fixture
def in_vain(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., list[str]]:
    """Runs ``show`` on a C-MOVE whose only leg found no context, beside an association on which nothing was asked."""
    made = Script()
    asked = made.open(comment.connection(1, "10.0.0.1:50002")).associate()
    asked.say(SCU, ask(F.C_MOVE_RQ, 1, MOVE, STUDY, {Tag.MOVE_DESTINATION: "STORE", Tag.PRIORITY: 0}))
    made.open(comment.connection(2, "10.0.0.2:11112", by_us=True, cause="1.1")).associate().release()
    asked.say(SCP, answer(F.C_MOVE_RQ, 1, MOVE, 0xA702, None, {Tag.FAILED_SUB_OPERATIONS: 1})).release()
    made.open(comment.connection(3, "10.0.0.1:50004")).associate().release()
    write(tmp_path / "data" / "recordings", made)

    def show(*arguments: str) -> list[str]:
        assert run(["show", *arguments, "--storage", str(tmp_path / "data")]) == 0
        return capsys.readouterr().out.splitlines()

    return show


def test_a_leg_that_came_to_nothing_is_listed_and_found(in_vain: Callable[..., list[str]]) -> None:
    heads = [line for line in in_vain() if line.startswith("association")]
    found = in_vain("leg:1.1")

    assert [head.split()[1] for head in heads] == ["1", "2"]
    assert heads[1].endswith("7 of 7 contexts accepted  <- 1.1")
    assert found[0] == heads[1]
    assert len(found) == 2


def test_an_association_that_is_named_is_shown_though_nothing_was_asked(in_vain: Callable[..., list[str]]) -> None:
    assert [line.split()[0] for line in in_vain("3")] == ["association", in_vain("3")[1].split()[0]]
    assert in_vain("3", "--json") == []


def test_as_json_an_exchange_has_its_id(in_vain: Callable[..., list[str]]) -> None:
    assert [json.loads(line)["id"] for line in in_vain("--json")] == ["1.1"]
