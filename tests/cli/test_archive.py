"""``mockpacs archive`` on real files: what it prints, what it changes, how it ends."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from pydicom import dcmread

from tests.cli.test_program import ROOT, run
from tests.conftest import wheel_files

CT = wheel_files("CT_small.dcm")[0]
MR = wheel_files("MR_small.dcm")[0]


@pytest.fixture
def storage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """An archive of two instances."""
    assert run(["archive", "add", str(CT), str(MR), "--storage", str(tmp_path / "data")]) == 0
    capsys.readouterr()
    return tmp_path / "data"


def test_files_and_folders_are_added_and_what_is_not_dicom_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    (folder / "ct.dcm").write_bytes(CT.read_bytes())
    (folder / "notes.txt").write_text("hello")
    arguments = ["archive", "add", str(folder), str(MR), "--storage", str(tmp_path / "data")]
    assert run(arguments) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"{folder / 'notes.txt'}: not a DICOM file")
    assert lines[1] == "2 added, 0 stored before, 1 refused; 2 instances in the archive"
    assert run(["archive", "add", str(MR), "--storage", str(tmp_path / "data")]) == 0
    assert capsys.readouterr().out == "0 added, 1 stored before, 0 refused; 2 instances in the archive\n"


def test_a_path_that_is_not_there_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["archive", "add", str(tmp_path / "nowhere"), "--storage", str(tmp_path / "data")]) == 1
    assert "nowhere: cannot be read: No such file or directory" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("level", "expected"),
    [
        (
            "patient",
            {"PatientID": "1CT1", "PatientName": "CompressedSamples^CT1", "NumberOfPatientRelatedStudies": "1"},
        ),
        ("study", {"PatientID": "1CT1", "StudyDate": "20040119", "ModalitiesInStudy": "CT"}),
        ("series", {"PatientID": "1CT1", "Modality": "CT", "NumberOfSeriesRelatedInstances": "1"}),
        ("instance", {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.2", "AvailableTransferSyntaxUID": "1.2.840.10008.1.2.1"}),
    ],
)
def test_every_level_can_be_listed_as_json_and_as_text(
    storage: Path, capsys: pytest.CaptureFixture[str], level: str, expected: dict[str, str]
) -> None:
    arguments = ["archive", "list", "--level", level, "--storage", str(storage)]
    assert run([*arguments, "--json"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(rows) == 2
    assert expected.items() <= rows[0].items()
    assert run(arguments) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    assert lines[1].split("\t") == list(rows[0].values())


def test_studies_are_listed_unless_something_else_is_asked_for(
    storage: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(["archive", "list", "--storage", str(storage)])
    assert capsys.readouterr().out.splitlines()[0].split("\t")[-1] == "study"


def test_text_of_other_character_sets_is_listed_readable(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    [file] = wheel_files("chrX1.dcm")
    run(["archive", "add", str(file), "--storage", str(tmp_path / "data")])
    capsys.readouterr()
    run(["archive", "list", "--json", "--storage", str(tmp_path / "data")])
    assert json.loads(capsys.readouterr().out)["PatientName"].startswith("Wang^XiaoDong=王^小東")


def test_an_archive_in_order_has_no_findings(storage: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["archive", "verify", "--storage", str(storage)]) == 0
    assert capsys.readouterr().out == "2 instances in the index, 0 findings\n"


def test_a_lost_file_and_an_unknown_one_are_found_and_reindex_settles_both(
    storage: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = sorted((storage / "archive").rglob("*.dcm"))
    first.unlink()
    (second.parent / "stray.dcm").write_text("not DICOM")
    assert run(["archive", "verify", "--storage", str(storage)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("not an instance") and "stray.dcm" in line for line in lines)
    assert any(line.startswith("file missing") and first.name in line for line in lines)
    assert lines[-1] == "2 instances in the index, 2 findings"
    assert run(["archive", "reindex", "--storage", str(storage)]) == 1
    assert capsys.readouterr().out.splitlines()[-1] == "1 instance in the index"
    (second.parent / "stray.dcm").unlink()
    assert run(["archive", "verify", "--storage", str(storage)]) == 0


@pytest.mark.parametrize(
    ("option", "uid"),
    [("--study", "StudyInstanceUID"), ("--series", "SeriesInstanceUID"), ("--instance", "SOPInstanceUID")],
)
def test_an_entity_is_deleted_by_its_uid(
    storage: Path, capsys: pytest.CaptureFixture[str], option: str, uid: str
) -> None:
    command = ["archive", "delete", option, str(dcmread(CT)[uid].value), "--storage", str(storage)]
    assert run(command) == 0
    assert capsys.readouterr().out == "1 instance deleted; 1 instance in the archive\n"
    assert run(command) == 1
    assert capsys.readouterr().out == "0 instances deleted; 1 instance in the archive\n"
    assert run(["archive", "verify", "--storage", str(storage)]) == 0
    assert len(list((storage / "archive").rglob("*.dcm"))) == 1


def test_everything_is_deleted_once_and_again(storage: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["archive", "delete", "--all", "--storage", str(storage)]
    assert run(command) == 0
    assert run(command) == 0
    assert capsys.readouterr().out.splitlines() == [
        "2 instances deleted; 0 instances in the archive",
        "0 instances deleted; 0 instances in the archive",
    ]
    assert list((storage / "archive").iterdir()) == []


@pytest.mark.parametrize(
    "arguments", [[], ["--all", "--study", "1.2"], ["--study", "1", "--series", "2"], ["--study", ""]]
)
def test_what_to_delete_is_said_once(storage: Path, capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    assert run(["archive", "delete", *arguments, "--storage", str(storage)]) == 2
    assert "one of --study, --series, --instance, --all" in " ".join(capsys.readouterr().err.split())
    assert len(list((storage / "archive").rglob("*.dcm"))) == 2


@pytest.mark.parametrize("command", [["list"], ["verify"], ["delete", "--all"]])
def test_a_folder_that_is_not_there_is_not_made_by_looking(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: list[str]
) -> None:
    assert run(["archive", *command, "--storage", str(tmp_path / "nowhere")]) == 2
    assert capsys.readouterr().err.startswith("mockpacs: ")
    assert list(tmp_path.iterdir()) == []


def test_the_archive_is_found_as_serve_finds_it(storage: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = storage.parent / "c.yaml"
    file.write_text("storage: data\n")
    assert run(["archive", "verify", "--config", str(file)]) == 0
    file.write_text("memory: true\n")
    assert run(["archive", "verify", "--config", str(file)]) == 2
    assert "there is no archive on disk" in capsys.readouterr().err


def test_the_choices_of_the_configuration_count_for_what_is_added(
    storage: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    other = storage.parent / "other.dcm"
    other.write_bytes(CT.read_bytes().replace(b"CompressedSamples^CT1", b"CompressedSamples^CT2"))
    monkeypatch.setenv("MOCKPACS_ON_DUPLICATE", "refuse")
    assert run(["archive", "add", str(other), "--storage", str(storage)]) == 1
    monkeypatch.setenv("MOCKPACS_ON_DUPLICATE", "replace")
    assert run(["archive", "add", str(other), "--storage", str(storage)]) == 0
    capsys.readouterr()
    run(["archive", "list", "--level", "patient", "--storage", str(storage)])
    assert "CompressedSamples^CT2" in capsys.readouterr().out


def test_an_archive_in_use_is_not_written_to_but_can_be_looked_at(
    storage: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from mockpacs import MockPACS

    with MockPACS(storage=storage, port=0):
        assert run(["archive", "list", "--storage", str(storage)]) == 0
        for command in (["add", str(CT)], ["delete", "--all"], ["reindex"]):
            assert run(["archive", *command, "--storage", str(storage)]) == 2
            assert "in use by another process" in capsys.readouterr().err


@pytest.mark.skipif(os.name == "nt", reason="no pseudo-terminals on Windows")
def test_a_terminal_sees_progress_and_a_pipe_gets_only_results(storage: Path) -> None:
    import pty

    master, terminal = pty.openpty()
    command = [sys.executable, "-m", "mockpacs", "archive", "verify", "--storage", str(storage)]
    environ = {**os.environ, "TERM": "xterm", "COLUMNS": "80"}
    with subprocess.Popen(command, cwd=ROOT, env=environ, stdout=subprocess.PIPE, stderr=terminal) as process:
        os.close(terminal)
        results, _ = process.communicate(timeout=60)
    with os.fdopen(master, "rb") as shown:
        assert b"comparing" in shown.read1()
    assert results == b"2 instances in the index, 0 findings\n"


@pytest.mark.skipif(os.name == "nt", reason="no pseudo-terminals on Windows")
def test_a_terminal_gets_a_table(storage: Path) -> None:
    import pty

    master, terminal = pty.openpty()
    command = [sys.executable, "-m", "mockpacs", "archive", "list", "--level", "patient", "--storage", str(storage)]
    environ = {**os.environ, "TERM": "xterm", "COLUMNS": "120"}
    with subprocess.Popen(command, cwd=ROOT, env=environ, stdout=terminal) as process:
        os.close(terminal)
        assert process.wait(60) == 0
    with os.fdopen(master, "rb") as shown:
        text = shown.read1().decode()
    assert "CompressedSamples^MR1" in text
    assert "\t" not in text
