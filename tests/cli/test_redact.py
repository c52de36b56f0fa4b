"""``mockpacs redact``: what a user gives, what comes out, and sentences for nonsense."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.cli.recorded import record
from tests.cli.test_program import run


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    return record(tmp_path / "data")


def test_a_recording_is_redacted_and_what_was_changed_is_told(
    recording: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, report = tmp_path / "out.pcapng", tmp_path / "report.json"
    assert run(["redact", str(recording), "-o", str(out), "--seed", "1", "--report", str(report)]) == 0
    told = capsys.readouterr()
    assert told.out.splitlines()[0] == f"{out}: 3 connections, 8 messages, 3 data sets; 13 values changed"
    assert "  replaced         3  PatientName" in told.out.splitlines()
    assert "forgotten" not in told.out
    assert told.err == ""
    assert b"DOE" not in out.read_bytes()
    assert b"CT1" not in out.read_bytes()
    said = json.loads(report.read_text())
    assert {"attribute": "PatientName", "done": "replaced", "times": 3} in said["attributes"]
    assert (said["connections"], said["unreadable"]) == (3, [])
    assert run(["show", str(out)]) == 0
    assert re.search(r"2\.2 +C-FIND +success +STUDY PatientName=[A-Z]{3}\^[A-Z]{4} +1 match", capsys.readouterr().out)


def test_the_newest_recording_of_the_storage_is_taken_without_a_name(
    recording: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    storage = recording.parent.parent
    assert run(["redact", "--storage", str(storage), "-o", str(tmp_path / "out.pcapng")]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == (
        "The key was made for this run and is forgotten; with --key the same becomes the same next time."
    )


def test_a_key_and_a_seed_say_what_becomes_what(recording: Path, tmp_path: Path) -> None:
    key = tmp_path / "site.key"
    key.write_text("0123456789abcdef0123456789abcdef\n")
    ways = {"a": ["--key", str(key)], "b": ["--key", str(key)], "c": ["--seed", "1"], "d": [], "e": []}
    for name, arguments in ways.items():
        assert run(["redact", str(recording), "-o", str(tmp_path / name), *arguments]) == 0
    written = {name: (tmp_path / name).read_bytes() for name in ways}
    assert written["a"] == written["b"]
    assert len({written["a"], written["c"], written["d"], written["e"]}) == 4


def test_attributes_and_pixels_can_be_kept_or_dropped(
    recording: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--keep", "PatientName", "--keep", "0010,0020", "--pixels", "drop"]
    assert run(["redact", str(recording), "-o", str(tmp_path / "out.pcapng"), *arguments]) == 0
    assert run(["show", str(tmp_path / "out.pcapng"), "2.1", "--dataset"]) == 0
    shown = capsys.readouterr().out
    assert "DOE^JANE" in shown
    assert re.search(r"PatientID +P1", shown)
    assert "(7FE0,0010)" not in shown


def test_what_could_not_be_read_is_said_with_status_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from tests.traffic.recording.script import SCU, Script, store
    from tests.traffic.recording.written import write

    script = Script()
    script.open().associate().say(SCU, *(store(number, b"DOE^JOHN" * 9) for number in range(1, 9))).release()
    [path] = write(tmp_path / "in", script).parts
    assert run(["redact", str(path), "-o", str(tmp_path / "out.pcapng")]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 6
    assert lines[0].startswith("mockpacs: connection 1: a data set was overwritten with zeros, or the rest of it: ")
    assert lines[-1] == "mockpacs: 3 more could not be read; --report has them"
    assert b"DOE" not in (tmp_path / "out.pcapng").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "name the file to write with -o"),
        (["-o", "x", "service:C-STORE"], "service:C-STORE: a recording is redacted as a whole, without a filter"),
        (["-o", "x", "--keep", "PatientsName"], "no such attribute; give a keyword of PS3.6, or gggg,eeee"),
        (["-o", "x", "--pixels", "blur"], "--pixels: blur is none of fill, drop, keep"),
        (["-o", "x", "--seed", "1", "--key", "k"], "--key and --seed are two ways to say the same; give one"),
        (["-o", "x", "--seed", "much"], '--seed: "much" is not a whole number'),
        (["-o", "x", "--key", "missing.key"], "missing.key cannot be read: No such file or directory"),
        (["-o", "x", "--key", "short.key"], "short.key has 5 bytes, a key has 16 or more; make one with: openssl"),
        (["-o", "x", "--report", "short.key"], "short.key exists; name a file for --report that does not"),
        (["-o", "short.key"], "short.key exists; name a file that does not, nothing is overwritten"),
        (["-o", "no/such/folder"], "no/such/folder cannot be written: No such file or directory"),
    ],
)
def test_nonsense_is_answered_with_a_sentence_and_status_2(
    recording: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    sentence: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("short.key").write_text("12345")
    assert run(["redact", str(recording), *arguments]) == 2
    assert sentence in capsys.readouterr().err
    assert not Path("x").exists()
    assert Path("short.key").read_text() == "12345"
