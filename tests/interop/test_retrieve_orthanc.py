"""Orthanc fetches from us by C-MOVE to itself, as its users do; what it then has is what we hold."""

from __future__ import annotations

from pathlib import Path

import pytest

from mockpacs import MockPACS
from tests.interop import judge, scu
from tests.interop.inputs import Input, inputs
from tests.interop.retrieving import move
from tests.interop.test_orthanc import Orthanc, orthanc  # noqa: F401  a fixture
from tests.interop.test_retrieve_files import data_set, elements, even, store, studies

pytestmark = [
    pytest.mark.filterwarnings("ignore:Invalid value for VR UI"),
    pytest.mark.usefixtures("bytes_as_they_are"),
]

NAMES = (
    "CT_small.dcm",
    "MR_small_RLE.dcm",
    "JPEG2000.dcm",
    "SC_rgb_jpeg_dcmtk.dcm",
    "SC_rgb_jpeg_dcmd.dcm",
    "waveform_ecg.dcm",
)


def filled(pacs: MockPACS) -> dict[str, list[judge.OnDisk]]:
    """By Study Instance UID."""
    files: list[Input] = [each for each in inputs() if each.name in NAMES]
    store(pacs, files)
    return even(studies(judge.stored(pacs.options.storage)))


def assert_has(orthanc: Orthanc, folder: Path, files: list[judge.OnDisk]) -> None:  # noqa: F811
    """The same instances in the same transfer syntaxes; their elements too, as Orthanc writes lengths anew."""
    folder.mkdir()
    for name in orthanc.call("/instances"):
        (folder / name).write_bytes(orthanc.call(f"/instances/{name}/file"))
    received = judge.by_instance(folder.iterdir())
    assert received.keys() == {str(file.sop_instance) for file in files}
    for file in files:
        theirs = received[str(file.sop_instance)]
        assert (theirs.sop_class, theirs.transfer_syntax) == (file.sop_class, file.transfer_syntax)
        stored, arrived = (elements(data_set(each.data, each.transfer_syntax), big=False) for each in (file, theirs))
        assert arrived == stored, file.path


def test_orthanc_retrieves_what_it_found(pacs: MockPACS, orthanc: Orthanc, tmp_path: Path) -> None:  # noqa: F811
    held = filled(pacs)
    assert len(held) > 3
    system = orthanc.call("/system")
    pacs.peers.add(system["DicomAet"], "127.0.0.1", system["DicomPort"])
    query = orthanc.call(
        "/modalities/mockpacs/query", {"Level": "Study", "Query": {"StudyInstanceUID": "\\".join(held)}}
    )
    assert len(orthanc.call(f"{query['Path']}/answers")) == len(held)
    orthanc.call(f"{query['Path']}/retrieve", {"TargetAet": system["DicomAet"], "Synchronous": True})
    moves = [exchange for exchange in pacs.exchanges if exchange.service == "C-MOVE"]
    assert {exchange.status for exchange in moves} == {0x0000}
    assert_has(orthanc, tmp_path / "got", [file for files in held.values() for file in files])


def test_orthanc_moves_a_study_by_its_uid(pacs: MockPACS, orthanc: Orthanc, tmp_path: Path) -> None:  # noqa: F811
    held = filled(pacs)
    system = orthanc.call("/system")
    pacs.peers.add(system["DicomAet"], "127.0.0.1", system["DicomPort"])
    study, files = next(iter(held.items()))
    wanted = {"Level": "Study", "Resources": [{"StudyInstanceUID": study}], "TargetAet": system["DicomAet"]}
    orthanc.call("/modalities/mockpacs/move", wanted)
    assert_has(orthanc, tmp_path / "got", files)


def test_orthanc_is_the_destination_of_somebody_elses_move(
    pacs: MockPACS,
    orthanc: Orthanc,  # noqa: F811
    tmp_path: Path,
) -> None:
    held = filled(pacs)
    system = orthanc.call("/system")
    pacs.peers.add("ARCHIVE", "127.0.0.1", system["DicomPort"])
    ended = move(pacs, scu.keys("STUDY", StudyInstanceUID=list(held)), "ARCHIVE")
    files = [file for files in held.values() for file in files]
    assert (ended.status, ended.counts) == (0x0000, (len(files), 0, 0)), (ended.final.ErrorComment, ended.failed_list)
    assert_has(orthanc, tmp_path / "got", files)
