"""Redacted recordings of DCMTK's clients: they replay, Wireshark has no complaints, and no name is in their bytes."""

from __future__ import annotations

from pathlib import Path

import pytest

from mockpacs import MockPACS
from mockpacs.replay.redact.disguise import Disguise
from mockpacs.replay.redact.redaction import redact
from mockpacs.traffic.recording.recording import Recording
from tests.interop import phantom
from tests.interop.programs import run
from tests.interop.test_recording_tcpdump import capturing
from tests.interop.test_recording_tshark import assert_same_as_reported
from tests.interop.test_replay_client import free_port, is_same, play, workstation

KEY = b"a key of the tests"
DISGUISE = Disguise(KEY)
ORDERED = [
    phantom.instance(
        study,
        number=number,
        PatientName=f"Quastenflosser^Berta{study}",
        PatientID=f"QF-4711-{study}",
        PatientBirthDate=f"195{study}0708",
        AccessionNumber=f"ACC0815{study}",
        ReferringPhysicianName="Zipfelhuber^Dr",
    )
    for study in (1, 2)
    for number in (1, 2)
]
KEYS = ("PatientName=QUASTEN*", "PatientID=QF-4711-2", "StudyDate=19000101-20991231", "AccessionNumber=ACC08151")
SECRETS = (
    *(b"Quastenflosser", b"Berta1", b"Berta2", b"QF-4711", b"19510708", b"19520708", b"ACC0815", b"Zipfelhuber"),
    *(b"CTROOM77", b"BIGPACS9", b"WORKSTN5", phantom.ROOT.encode()),
)


def session(port: int, folder: Path) -> None:
    """Stores, queries by name, number and date, a retrieve."""
    target = ("-aet", "CTROOM77", "-aec", "BIGPACS9", "127.0.0.1", port)
    files = phantom.write(folder / "files", ORDERED)
    assert run("storescu", *target, *files, nagle=False).status == 0
    for key in (
        "PatientName=QUASTEN*",
        "PatientID=QF-4711-2",
        "StudyDate=19000101-20991231",
        "AccessionNumber=ACC08151",
    ):
        keys = ("-k", "QueryRetrieveLevel=STUDY", "-k", key, "-k", "StudyInstanceUID", "-k", "StudyDescription")
        assert run("findscu", "-S", *target[:4], *keys, *target[4:]).status == 0
    study = ("-k", "QueryRetrieveLevel=STUDY", "-k", f"StudyInstanceUID={ORDERED[0].StudyInstanceUID}")
    assert run("movescu", "-S", "-aem", "WORKSTN5", *target[:4], *study, *target[4:]).status == 0


def redacted(path: Path, folder: Path) -> Path:
    raw = path.read_bytes()
    assert [secret for secret in SECRETS if secret not in raw] == []
    out = folder / "redacted.pcapng"
    assert redact(Recording.open(path), out, key=KEY).troubles == []
    written = out.read_bytes()
    assert [secret for secret in SECRETS if secret in written] == []
    return out


@pytest.fixture
def recorded(tmp_path: Path) -> tuple[Path, int]:
    """The redacted recording of a session, and the port of its move destination."""
    destination = free_port()
    with (
        workstation(destination),
        MockPACS(recordings=tmp_path / "recorded", peer=[f"WORKSTN5=127.0.0.1:{destination}"]) as pacs,
    ):
        session(pacs.port, tmp_path)
        assert pacs.recording is not None
        path = pacs.recording
    return redacted(path, tmp_path), destination


@pytest.mark.parametrize("fidelity", ["dimse", "pdu", "bytes"])
def test_it_replays_as_it_was(recorded: tuple[Path, int], fidelity: str) -> None:
    path, destination = recorded
    peer = f"{DISGUISE.title('WORKSTN5')}=127.0.0.1:{destination}"
    with workstation(destination) as station, MockPACS(peer=[peer]) as pacs:
        assert is_same(play(path, pacs.port, fidelity=fidelity))
        assert station.summary.instances == 2
        assert [len(one.matches) for one in pacs.exchanges if one.service == "C-FIND"] == [2, 1, 2, 1]


def test_wireshark_sees_the_same_dialogue(recorded: tuple[Path, int]) -> None:
    path, _ = recorded
    assert_same_as_reported(path, list(Recording.open(path).records()))


def test_a_capture_of_tcpdump_is_redacted_as_our_recording_is(tmp_path: Path) -> None:
    capture, destination = tmp_path / "capture.pcap", free_port()
    with (
        workstation(destination),
        MockPACS(peer=[f"WORKSTN5=127.0.0.1:{destination}"]) as pacs,
        capturing(pacs.port, capture),
    ):
        session(pacs.port, tmp_path)
    path = redacted(capture, tmp_path)
    peer = f"{DISGUISE.title('WORKSTN5')}=127.0.0.1:{destination}"
    with workstation(destination), MockPACS(peer=[peer]) as pacs:
        report = play(path, pacs.port)
    assert [one for one in report.differences if one.what.startswith("C-")] == [], report.lines()
    assert report.unplayed == []
