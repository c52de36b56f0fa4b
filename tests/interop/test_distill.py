"""Incidents of DCMTK's clients, with our server and with DCMTK's own, become tests; Wireshark reads what is trimmed."""

from __future__ import annotations

from pathlib import Path

import pytest

from mockpacs import MockPACS
from mockpacs.cli.distill_trial import attempt
from mockpacs.replay.distill.distilling import Distilled, distill
from mockpacs.replay.tape import Tape
from mockpacs.traffic.filter import Filter
from tests.conftest import wheel_files
from tests.interop.programs import run
from tests.interop.test_recording_tshark import tshark
from tests.replay.test_distill_test import outcome


def made_of(path: Path, folder: Path, words: str = "", key: bytes | None = None) -> Distilled:
    with Tape.open(path, filter=Filter.parse(words.split()) if words else None) as tape:
        made = distill(tape, folder, key=key, attempt=attempt)
    assert made.trial is not None
    assert made.trial.differences == ()
    return made


@pytest.mark.parametrize("key", [None, b"a key of 16 bytes"])
def test_a_morning_of_dcmtk_happens_again(tmp_path: Path, key: bytes | None) -> None:
    """Stores of which one fails, a query, C-GET and C-MOVE."""
    images = [path for path in wheel_files("*.dcm") if path.name in ("CT_small.dcm", "MR_small.dcm")]
    where: list[object] = ["-k", "QueryRetrieveLevel=STUDY"]
    with MockPACS(aet="STORE") as store, MockPACS(recordings=tmp_path / "recordings") as pacs:
        pacs.peers.add("STORE", store.host, store.port)
        pacs.when("C-STORE", sop_class="MR*").reply("out-of-resources")
        run("storescu", pacs.host, pacs.port, *images)
        run("findscu", "-S", pacs.host, pacs.port, *where, "-k", "StudyInstanceUID", "-k", "PatientName")
        [first] = [one for one in pacs.exchanges if one.service == "C-STORE" and one.status == 0]
        dataset = first.dataset
        assert dataset is not None
        study = [*where, "-k", f"StudyInstanceUID={dataset.StudyInstanceUID}"]
        run("getscu", "-S", "-od", tmp_path, pacs.host, pacs.port, *study)
        run("movescu", "-S", "-aem", "STORE", pacs.host, pacs.port, *study)
        statuses = [(one.service, one.status) for one in pacs.exchanges if not one.asked_by_us]
        path = pacs.recording
    assert path is not None
    assert statuses == [("C-STORE", 0), ("C-STORE", 0xA700), ("C-FIND", 0), ("C-GET", 0), ("C-MOVE", 0)]

    made = made_of(path, tmp_path / "incident", key=key)

    status, output = outcome(made.folder)
    assert status == 0, output
    trimmed = made.folder / made.recording
    assert tshark(trimmed, "-Y", "_ws.malformed or tcp.analysis.flags") == ""
    found = tshark(trimmed, "-Y", "dicom.pdu.type == 1", "-T", "fields", "-e", "frame.number")
    assert len(found.split()) == 5  # four of the clients, one of the server


def test_one_association_of_many_is_readable_by_itself(tmp_path: Path) -> None:
    image = next(path for path in wheel_files("CT_small.dcm"))
    with MockPACS(recordings=tmp_path / "recordings") as pacs:
        pacs.when("C-STORE", calling="BAD").reply("out-of-resources")
        for title in ("GOOD", "BAD", "BETTER"):
            run("storescu", "-aet", title, pacs.host, pacs.port, image)
        path = pacs.recording
    assert path is not None
    made = made_of(path, tmp_path / "incident", "status:failure")
    assert (made.associations, made.exchanges) == (1, 1)
    found = tshark(made.folder / made.recording, "-Y", "dicom.pdu.type == 1", "-V")
    assert "BAD" in found
    assert "GOOD" not in found
    assert tshark(made.folder / made.recording, "-Y", "_ws.malformed or tcp.analysis.flags") == ""
    assert outcome(made.folder)[0] == 0
