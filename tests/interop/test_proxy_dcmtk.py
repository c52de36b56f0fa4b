"""DCMTK's clients and DCMTK's archive with a proxy between them: they notice nothing, and all of it is recorded."""

from __future__ import annotations

import re
import subprocess
from collections import Counter
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from mockpacs.traffic.exchange import Exchange
from mockpacs.written.address import Address, Offer
from tests.interop import phantom
from tests.interop.collection import COLLECTION
from tests.interop.programs import run, running, until
from tests.interop.test_recording_tshark import COMPLAINTS, tshark
from tests.net.proxied import Between, between, free_port

AET = "ARCHIVE"
QUIET = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}


class Place:
    """Where everything listens: the archive, what it calls STORE, and what STORE really is."""

    def __init__(self, folder: Path) -> None:
        self.archive, self.offered, self.store = free_port(), free_port(), free_port()
        self.folder = folder
        self.kept = folder / "archive"
        self.received = folder / "received"
        for one in (self.kept, self.received):
            one.mkdir()
        self.configuration = folder / "dcmqrscp.cfg"
        self.configuration.write_text(
            f"NetworkTCPPort = {self.archive}\nMaxPDUSize = 16384\nMaxAssociations = 16\n"
            f"HostTable BEGIN\nstore = (STORE, 127.0.0.1, {self.offered})\nHostTable END\n"
            "VendorTable BEGIN\nVendorTable END\n"
            f"AETable BEGIN\n{AET} {self.kept} RW (200, 1024mb) ANY\nAETable END\n"
        )


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path)
    with (
        running("dcmqrscp", "-c", made.configuration, nagle=False, **QUIET),
        running("storescp", "-aet", "STORE", "-od", made.received, "+xa", made.store, nagle=False, **QUIET),
    ):
        until(lambda: run("echoscu", "-aec", AET, "127.0.0.1", made.archive).status == 0, "dcmqrscp answers")
        until(lambda: run("echoscu", "-aec", "STORE", "127.0.0.1", made.store).status == 0, "storescp answers")
        yield made


@pytest.fixture
def proxy(place: Place) -> Iterator[Between]:
    offer = Offer("STORE", place.offered, Address("127.0.0.1", place.store))
    with between(("127.0.0.1", place.archive), place.folder / "recordings", offer=(offer,)) as made:
        yield made


def test_nobody_notices_and_all_is_recorded(place: Place, proxy: Between, tmp_path: Path) -> None:
    paths = phantom.write(tmp_path / "sent", COLLECTION)
    here = ("-aec", AET, "127.0.0.1", proxy.port)
    assert run("echoscu", *here).status == 0
    stored = run("storescu", "-v", *here, *paths)
    assert stored.text.count("Received Store Response (Success)") == len(paths), stored.text
    study = COLLECTION[0].StudyInstanceUID
    level, key = ("-k", "QueryRetrieveLevel=STUDY"), ("-k", f"StudyInstanceUID={study}")
    found = run("findscu", "-v", "-S", *level, "-k", "StudyInstanceUID=", *here)
    assert found.text.count("(Pending)") == len({one.StudyInstanceUID for one in COLLECTION}), found.text
    got = tmp_path / "got"
    got.mkdir()
    assert run("getscu", "-v", "-S", "+B", "-od", got, *level, *key, *here, nagle=False).status == 0
    of_study = [one for one in COLLECTION if one.StudyInstanceUID == study]
    assert len(list(got.iterdir())) == len(of_study)
    moved = run("movescu", "-v", "-S", "-aem", "STORE", *level, *key, *here, nagle=False)
    assert "Received Final Move Response (Success)" in moved.text, moved.text
    assert len(list(place.received.iterdir())) == len(of_study)
    proxy.wait_for(lambda: any(one.service == "C-MOVE" for one in proxy.exchanges))
    until(lambda: proxy.notices.count("released") == 6, "all associations are told")

    told = Counter((one.service, one.association.called) for one in proxy.exchanges)
    assert told == {
        ("C-ECHO", AET): 1,
        ("C-STORE", AET): len(paths) + len(of_study),  # the sub-operations of the C-GET among them
        ("C-FIND", AET): 1,
        ("C-GET", AET): 1,
        ("C-MOVE", AET): 1,
        ("C-STORE", "STORE"): len(of_study),
    }
    move = next(one for one in proxy.exchanges if one.service == "C-MOVE")
    assert {one.cause for one in proxy.exchanges if one.association.called == "STORE"} == {move.id}

    proxy.proxying.stop()
    read = [one for one in proxy.recorded() if isinstance(one, Exchange)]
    facts = Counter((one.service, one.association.called, one.status, one.size) for one in read)
    assert facts == {fact: 2 * count for fact, count in _facts(proxy.exchanges).items()}  # each came, and went on
    path = proxy.proxying.recording
    for complaint in COMPLAINTS:
        assert tshark(path, "-Y", complaint) == ""
    text = tshark(path, "-V", "-Y", "dicom")
    assert len(re.findall(r"PDU Type: ASSOC Request \(0x01\)\n", text)) == 2 * 6


def _facts(exchanges: list[Exchange]) -> Counter[tuple[str, str, int | None, int]]:
    return Counter((one.service, one.association.called, one.status, one.size) for one in exchanges)


def test_what_is_stored_is_stored_bit_by_bit(reference: tuple[int, Path], tmp_path: Path) -> None:
    port, folder = reference
    paths = phantom.write(tmp_path / "sent", COLLECTION)
    direct = run("storescu", "127.0.0.1", port, *paths)
    assert direct.status == 0, direct.text
    expected = _digests(folder)
    for old in folder.iterdir():
        old.unlink()
    rule = tmp_path / "never.yaml"
    rule.write_text("mockpacs: 1\nrules:\n- {when: {service: any, at: response, calling: NOBODY}, then: reset}\n")
    for scenario in ((), (rule,)):
        with between(("127.0.0.1", port), tmp_path / "recordings", scenario=scenario) as proxy:
            ran = run("storescu", "127.0.0.1", proxy.port, *paths)
            assert ran.status == 0, ran.text
        assert _digests(folder) == expected
        for old in folder.iterdir():
            old.unlink()


def _digests(folder: Path) -> list[str]:
    return sorted(sha256(path.read_bytes()).hexdigest() for path in folder.iterdir())


def test_a_fault_of_a_scenario_meets_the_clients_of_dcmtk(reference: tuple[int, Path], tmp_path: Path) -> None:
    port, _ = reference
    paths = phantom.write(tmp_path / "sent", COLLECTION)
    rules = tmp_path / "faults.yaml"
    rules.write_text(
        "mockpacs: 1\nrules:\n"
        "- {name: full, when: {service: C-STORE}, nth: 3, then: {status: A700}}\n"
        "- {name: cut, when: {service: C-STORE, at: {received: 1}}, nth: 5, then: abort}\n"
    )
    with between(("127.0.0.1", port), tmp_path / "recordings", scenario=(rules,)) as proxy:
        ran = run("storescu", "-v", "+sd", "-nh", "127.0.0.1", proxy.port, tmp_path / "sent")
        assert "Received Store Response (Refused: OutOfResources)" in ran.text, ran.text
        assert ran.text.count("Received Store Response (Success)") == 3, ran.text
        assert "Peer Aborted Association" in ran.text or "Peer aborted Association" in ran.text, ran.text
    assert [(one.name, one.fired) for one in proxy.proxying.summary.rules] == [("full", 1), ("cut", 1)]
    assert len(paths) > 5
