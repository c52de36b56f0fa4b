"""Sessions of DCMTK's clients, recorded and played against mockpacs and dcmqrscp; the speed of it next to storescu."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from mockpacs import MockPACS
from mockpacs.net.peer import Peer
from mockpacs.replay.client.report import Report
from mockpacs.replay.client.run import replay
from mockpacs.replay.client.settings import Settings
from mockpacs.replay.tape import Tape
from tests.interop import phantom
from tests.interop.programs import run, running, until
from tests.interop.test_recording_tcpdump import capturing

STUDY = f"StudyInstanceUID={phantom.ROOT}.1"
INSTANCES = [phantom.instance(1, 1, number) for number in range(1, 4)]
ATTEMPTS = 5


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    return port


@contextmanager
def dcmqrscp(folder: Path, destination: int) -> Iterator[int]:
    """The port of a dcmqrscp with an empty archive that knows WORKSTATION."""
    area = folder / "area"
    area.mkdir(parents=True)
    port, configuration = free_port(), folder / "dcmqrscp.cfg"
    configuration.write_text(
        f"NetworkTCPPort = {port}\nMaxPDUSize = 16384\nMaxAssociations = 16\n"
        f"HostTable BEGIN\nstation = (WORKSTATION, 127.0.0.1, {destination})\nHostTable END\n"
        "VendorTable BEGIN\nVendorTable END\n"
        f"AETable BEGIN\nMOCKPACS {area} RW (100, 1024mb) ANY\nAETable END\n"
    )
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with running("dcmqrscp", "-c", configuration, nagle=False, **quiet):
        until(lambda: run("echoscu", "-aec", "MOCKPACS", "127.0.0.1", port).status == 0, "dcmqrscp answers")
        yield port


def session(port: int, folder: Path) -> None:
    """What DCMTK's clients do in a day."""
    target = ("-aec", "MOCKPACS", "127.0.0.1", port)
    files = phantom.write(folder / "files", INSTANCES)
    level = ("-k", "QueryRetrieveLevel=STUDY", "-k", STUDY)
    assert run("echoscu", *target).status == 0
    assert run("storescu", *target, *files, nagle=False).status == 0
    assert run("findscu", "-S", *target[:2], *level, "-k", "PatientName", *target[2:]).status == 0
    assert run("getscu", "-S", *target[:2], *level, "-od", folder, *target[2:]).status == 0
    assert run("movescu", "-S", *target[:2], "-aem", "WORKSTATION", *level, *target[2:]).status == 0


@contextmanager
def workstation(port: int) -> Iterator[MockPACS]:
    with MockPACS(record=False, port=port) as destination:
        yield destination


@pytest.fixture
def recorded(tmp_path: Path) -> tuple[Path, int]:
    """The recording of a session with a mockpacs, and the port of its move destination."""
    destination = free_port()
    with (
        workstation(destination),
        MockPACS(recordings=tmp_path / "recorded", peer=[f"WORKSTATION=127.0.0.1:{destination}"]) as pacs,
    ):
        session(pacs.port, tmp_path)
        assert pacs.recording is not None
        return pacs.recording, destination


def play(path: Path, port: int, **settings: Any) -> Report:
    with Tape.open(path) as tape:
        return asyncio.run(replay(tape, Peer("PACS", "127.0.0.1", port), Settings(**settings)))


def is_same(report: Report) -> bool:
    assert report.exit_status == 0, report.lines()
    return True


@pytest.mark.parametrize("fidelity", ["dimse", "pdu", "bytes"])
def test_the_clients_of_dcmtk_against_mockpacs(recorded: tuple[Path, int], fidelity: str) -> None:
    path, destination = recorded
    with workstation(destination) as station, MockPACS(peer=[f"WORKSTATION=127.0.0.1:{destination}"]) as pacs:
        assert is_same(play(path, pacs.port, fidelity=fidelity))
        assert station.summary.instances == len(INSTANCES)
        services = [exchange.service for exchange in pacs.exchanges if not exchange.asked_by_us]
    assert services == ["C-ECHO", *["C-STORE"] * 3, "C-FIND", "C-GET", "C-MOVE"]


def test_the_clients_of_dcmtk_against_dcmqrscp(recorded: tuple[Path, int], tmp_path: Path) -> None:
    path, destination = recorded
    with workstation(destination) as station, dcmqrscp(tmp_path / "dcmqrscp", destination) as port:
        assert is_same(play(path, port))
        assert station.summary.instances == len(INSTANCES)


def test_fresh_uids_are_found_again_by_the_queries_that_follow(recorded: tuple[Path, int], tmp_path: Path) -> None:
    path, destination = recorded
    with workstation(destination) as station, dcmqrscp(tmp_path / "dcmqrscp", destination) as port:
        assert is_same(play(path, port, fresh_uids="7"))
        assert station.summary.instances == len(INSTANCES)
        assert {image.sop_instance[:5] for image in station.exchanges} == {"2.25."}


def test_a_capture_of_tcpdump_is_played_as_our_recording_is(tmp_path: Path) -> None:
    capture, destination = tmp_path / "capture.pcap", free_port()
    with workstation(destination), dcmqrscp(tmp_path / "dcmqrscp", destination) as port, capturing(port, capture):
        session(port, tmp_path)
    with workstation(destination), MockPACS(peer=[f"WORKSTATION=127.0.0.1:{destination}"]) as pacs:
        report = play(capture, pacs.port)
    assert [one for one in report.differences if one.what.startswith("C-")] == [], report.lines()
    assert report.unplayed == []
    assert report.instances == len(INSTANCES)


@pytest.mark.timeout(120)
def test_it_stores_no_slower_than_half_as_fast_as_storescu(tmp_path: Path) -> None:
    """The best of a few attempts each; reading the recording counts, and so does reading the files."""
    files = phantom.write(tmp_path / "files", [phantom.instance(1, 1, number) for number in range(1, 601)])
    with MockPACS(recordings=tmp_path / "recorded") as pacs:
        assert run("storescu", "+sd", "127.0.0.1", pacs.port, files[0].parent, nagle=False).status == 0
        path = pacs.recording
        assert path is not None
    ratios = []
    for _ in range(ATTEMPTS):
        with MockPACS() as pacs:
            began = time.perf_counter()
            assert run("storescu", "+sd", "127.0.0.1", pacs.port, files[0].parent, nagle=False).status == 0
            fed = time.perf_counter() - began
        with MockPACS() as pacs:
            began = time.perf_counter()
            assert is_same(play(path, pacs.port))
            ratios.append(fed / (time.perf_counter() - began))
        if max(ratios) >= 0.5:
            return
    pytest.fail(f"it stores {max(ratios):.2f} times as fast as storescu, 0.5 is the least")
