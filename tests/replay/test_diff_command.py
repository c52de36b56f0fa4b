"""``mockpacs diff``: what it prints, how it ends, what it says about nonsense."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from mockpacs.traffic import comment
from mockpacs.wire import ProposedContext
from tests.cli.recorded import script
from tests.cli.test_program import run
from tests.net.wire_client import ct_image
from tests.traffic.recording.script import CT, EXPLICIT, REQUEST, SCP, SCU, Script, echo, echoed, store, stored
from tests.traffic.recording.written import write


def other_script() -> Script:
    """An echo that fails; a store of another patient, and another one."""
    made = Script()
    line = made.open(comment.connection(1, "10.0.0.1:50001")).associate()
    line.say(SCU, echo()).say(SCP, echoed(1, 0x0122)).release()
    line = made.open(comment.connection(2, "10.0.0.1:50002")).associate()
    line.say(SCU, store(1, ct_image(patient="P2"), "1.2.3")).say(SCP, stored(1, 0xA700, "disk full"))
    line.say(SCU, store(2, ct_image("1.9"), "1.9")).say(SCP, stored(2)).release()
    return made


@pytest.fixture
def recordings(tmp_path: Path) -> tuple[str, str, str]:
    """Two that are the same, and another one."""
    made = [(script, "monday"), (script, "tuesday"), (other_script, "friday")]
    found = []
    for make, name in made:
        first = write(tmp_path / name, make()).parts[0]
        found.append(str(first.rename(tmp_path / f"{name}.pcapng")))
    return found[0], found[1], found[2]


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str]) -> Callable[..., list[str]]:
    """Runs ``diff`` and gives the lines it printed."""

    def diff(*arguments: str, status: int) -> list[str]:
        assert run(["diff", *arguments]) == status, capsys.readouterr().err
        return capsys.readouterr().out.splitlines()

    return diff


def test_the_same_twice_is_no_difference(recordings: tuple[str, str, str], told: Callable[..., list[str]]) -> None:
    monday, tuesday, _ = recordings
    assert told(monday, tuesday, status=0) == ["no difference in 4 exchanges"]
    assert told(monday, tuesday, "--no-default-ignore", "--times", status=0) == ["no difference in 4 exchanges"]


def test_differences_are_grouped_by_exchange(recordings: tuple[str, str, str], told: Callable[..., list[str]]) -> None:
    monday, _, friday = recordings
    lines = told(monday, friday, status=1)
    assert lines[:3] == [
        "association 1 | 1  CT1 > MOCKPACS",
        "  1.1 | 1.1  C-ECHO",
        "    response: Status  0000 success -> 0122 sop-class-not-supported",
    ]
    assert "    request: PatientID  P1 -> P2" in lines
    assert any(line.startswith("  2.2 | -  C-FIND") and line.endswith("only in monday.pcapng") for line in lines)
    assert any(line.startswith("association 3 | -") and line.endswith("only in monday.pcapng") for line in lines)
    assert lines[-1] == (
        "2 of 2 exchanges differ, 1 association and 2 exchanges only in the first, 1 exchange only in the second"
    )


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (["service:C-STORE", "2"], 1),
        (["service:C-STORE", "2", "--ignore", "PatientID", "-SOPInstanceUID:1.9"], 0),
        (["service:C-STORE", "2", "--no-data", "-SOPInstanceUID:1.9"], 0),
        (["service:C-STORE", "2", "--data", "-SOPInstanceUID:1.9"], 1),
        (["service:C-ECHO", "--ignore", "Status"], 0),
        (["service:C-ECHO", "--ignore", "0000,0900", "--ignore", "ErrorComment"], 0),
        (["service:C-ECHO", "--ignore", "ErrorComment"], 1),
    ],
)
def test_a_filter_chooses_and_what_is_ignored_is_no_difference(
    recordings: tuple[str, str, str], told: Callable[..., list[str]], words: list[str], status: int
) -> None:
    monday, _, friday = recordings
    told(monday, friday, *words, status=status)


def test_json_is_one_object_per_line(recordings: tuple[str, str, str], told: Callable[..., list[str]]) -> None:
    monday, tuesday, friday = recordings
    found = [json.loads(line) for line in told(monday, friday, "--json", status=1)]
    assert [(one["event"], one.get("a"), one.get("b")) for one in found] == [
        ("exchange", "1.1", "1.1"),
        ("exchange", "2.1", "2.1"),
        ("exchange", "2.2", None),
        ("exchange", None, "2.2"),
        ("association", 3, None),
        ("exchange", "3.1", None),
        ("summary", None, None),
    ]
    [summary] = [json.loads(line) for line in told(monday, tuesday, "--json", status=0)]
    assert summary["same"] is True


def test_folders_stand_for_the_newest_in_them(
    recordings: tuple[str, str, str], tmp_path: Path, told: Callable[..., list[str]]
) -> None:
    for name, recording in zip(("one", "two"), recordings, strict=False):
        (tmp_path / name).mkdir()
        Path(recording).rename(tmp_path / name / "20260112-140200.pcapng")
    told(str(tmp_path / "one"), str(tmp_path / "two"), status=0)


def test_a_filter_that_nothing_matches_is_told(
    recordings: tuple[str, str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    monday, _, friday = recordings
    assert run(["diff", monday, friday, "service:N-GET"]) == 0
    shown = capsys.readouterr()
    assert shown.out == "no difference in 0 exchanges\n"
    assert shown.err.count('matches "service:N-GET"') == 2


def test_colours_are_for_who_wants_them(recordings: tuple[str, str, str], told: Callable[..., list[str]]) -> None:
    monday, _, friday = recordings
    assert any("\x1b[" in line for line in told(monday, friday, "--color", "always", status=1))


NONSENSE = {
    "name two recordings": [],
    "name two recordings: ": ["A"],
    "no such file; name two recordings": ["A", "nowhere"],
    "no such file": ["A", "nowhere.pcapng"],
    "third recording": ["A", "A", "A"],
    "each must be a file": ["A", "-"],
    "--ignore": ["A", "A", "--ignore", "Nonsense"],
    'did you mean "PatientName"': ["A", "A", "--ignore", "PatientNmae"],
    "unknown key": ["A", "A", "servise:C-ECHO"],
    "not a capture|no capture|is no|cannot be read": ["A", "TEXT"],
}


@pytest.mark.parametrize("expected", NONSENSE)
def test_nonsense_is_answered_with_a_sentence(
    recordings: tuple[str, str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str], expected: str
) -> None:
    text = tmp_path / "text.pcapng"
    text.write_text("this is a text")
    named = {"A": recordings[0], "TEXT": str(text)}
    assert run(["diff", *(named.get(word, word) for word in NONSENSE[expected])]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("mockpacs: ")
    assert "Traceback" not in shown.err
    assert "defect" not in shown.err
    if "|" not in expected:
        assert expected in shown.err


def test_the_help_has_an_example_and_says_how_it_ends(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["diff", "--help"]) == 0
    shown = capsys.readouterr().out
    assert "mockpacs diff monday.pcapng tuesday.pcapng" in shown
    assert "Exit status: 0 no difference, 1 some, 2 trouble." in shown


def test_sop_classes_with_the_same_difference_are_one_line(tmp_path: Path, told: Callable[..., list[str]]) -> None:
    paths = []
    for number, syntaxes in enumerate([(EXPLICIT,), (EXPLICIT, "1.2.840.10008.1.2")]):
        made = Script()
        contexts = tuple(ProposedContext(1 + 2 * at, f"{CT}.{at}", syntaxes) for at in range(5))
        rq = replace(REQUEST, contexts=contexts)
        made.open(comment.connection(1, "10.0.0.1:50001")).associate(rq).release()
        paths.append(str(write(tmp_path / str(number), made).parts[0]))
    lines = told(*paths, "--ignore", "addresses", status=1)
    assert any("and 4 more" in line for line in lines)
    assert len(lines) < 6
    assert any(f"{CT}.4" in line for line in told(*paths, "-v", status=1))
