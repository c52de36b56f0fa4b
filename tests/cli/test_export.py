"""``mockpacs export``: instances as files, exchanges as JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pydicom
import pytest

from mockpacs.wire.part10 import decode_head
from tests.cli.recorded import IMAGE, record
from tests.cli.test_program import run
from tests.net.wire_client import ct_image
from tests.traffic.recording.script import SCP, SCU, Script, store, stored
from tests.traffic.recording.written import write


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """A recording of three associations, with one whole instance and one that breaks off."""
    return record(tmp_path / "data")


def test_instances_become_files_and_what_is_not_whole_is_named(
    recording: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "images"
    assert run(["export", str(recording), "--objects", str(folder)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines == [
        "1.4: skipped, the connection ended within the data set (0 bytes of it are there)",
        f"1 instance written to {folder}, 1 skipped",
    ]
    [file] = folder.iterdir()
    raw = file.read_bytes()
    head = decode_head(raw)
    assert head is not None
    assert raw[head.data_offset :] == IMAGE
    assert pydicom.dcmread(file).PatientID == "P1"


def test_a_filter_chooses_instances(recording: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["export", str(recording), "2.1", "--objects", str(tmp_path / "images")]) == 0
    assert capsys.readouterr().out == f"1 instance written to {tmp_path / 'images'}, 0 skipped\n"
    assert run(["export", str(recording), "service:C-ECHO", "--objects", str(tmp_path / "none")]) == 0
    assert capsys.readouterr().out == f"0 instances written to {tmp_path / 'none'}, 0 skipped\n"


def test_exchanges_become_dicom_json(recording: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["export", str(recording), "2", "--json"]) == 0
    stored, found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert stored["messages"][0]["dataset"]["00100020"] == {"vr": "LO", "Value": ["P1"]}
    assert stored["messages"][1]["command"]["00000900"] == {"vr": "US", "Value": [0xA700]}
    assert [message["message"] for message in found["messages"]] == ["C-FIND-RQ", "C-FIND-RSP", "C-FIND-RSP"]


def test_bulk_data_is_left_out_unless_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    script = Script()
    script.open().associate().say(SCU, store(1, ct_image(pixels=5000))).say(SCP, stored(1)).release()
    [recording] = write(tmp_path, script).parts
    for arguments, key in (([], "BulkDataURI"), (["--bulk"], "InlineBinary")):
        assert run(["export", str(recording), "--json", *arguments]) == 0
        [found] = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        pixels = found["messages"][0]["dataset"]["7FE00010"]
        assert list(pixels) == ["vr", key]
        if key == "BulkDataURI":
            assert pixels[key].endswith("&size=5000")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "nothing to do; give --objects DIR or --json"),
        (["--objects", "x", "--bulk"], "--bulk goes with --json"),
        (["--json", "nonsense"], '"nonsense" is no term'),
        (["--objects", __file__], "test_export.py is no folder; instances are written into a folder"),
    ],
)
def test_nonsense_is_answered_with_a_sentence_and_status_2(
    recording: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], sentence: str
) -> None:
    assert run(["export", str(recording), *arguments]) == 2
    assert sentence in capsys.readouterr().err
