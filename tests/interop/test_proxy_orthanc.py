"""Orthanc behind a proxy: DCMTK's clients store, ask, and have instances brought, the other leg through the proxy."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from mockpacs.traffic.exchange import Exchange
from mockpacs.written.address import Address, Offer
from tests.interop import phantom
from tests.interop.collection import COLLECTION
from tests.interop.programs import run, running, until
from tests.net.proxied import between, free_port

QUIET = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}


class Ports:
    def __init__(self) -> None:
        self.orthanc, self.http, self.offered, self.store = (free_port() for _ in range(4))


@pytest.fixture
def ports(tmp_path: Path) -> Iterator[Ports]:
    made = Ports()
    configuration, received = tmp_path / "orthanc.json", tmp_path / "received"
    received.mkdir()
    settings = {
        "StorageDirectory": str(tmp_path / "orthanc"),
        "IndexDirectory": str(tmp_path / "orthanc"),
        "Plugins": [],
        "HttpPort": made.http,
        "DicomPort": made.orthanc,
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": False,
        "DicomAlwaysAllowFind": True,
        "DicomAlwaysAllowMove": True,
        "DicomModalities": {"store": ["STORE", "127.0.0.1", made.offered]},
    }
    configuration.write_text(json.dumps(settings))
    with (
        running("Orthanc", configuration, **QUIET),
        running("storescp", "-aet", "STORE", "-od", received, "+xa", made.store, nagle=False, **QUIET),
    ):
        until(lambda: run("echoscu", "-aec", "ORTHANC", "127.0.0.1", made.orthanc).status == 0, "Orthanc answers")
        until(lambda: run("echoscu", "-aec", "STORE", "127.0.0.1", made.store).status == 0, "storescp answers")
        yield made


@pytest.mark.parametrize("with_rule", [False, True])
def test_orthanc_and_its_clients_notice_nothing(ports: Ports, tmp_path: Path, with_rule: bool) -> None:
    rules = tmp_path / "never.yaml"
    rules.write_text("mockpacs: 1\nrules:\n- {when: {service: any, at: response, calling: NOBODY}, then: reset}\n")
    offer = Offer("STORE", ports.offered, Address("127.0.0.1", ports.store))
    paths = phantom.write(tmp_path / "sent", COLLECTION)
    study = COLLECTION[0].StudyInstanceUID
    of_study = sum(one.StudyInstanceUID == study for one in COLLECTION)
    key = ("-k", "QueryRetrieveLevel=STUDY", "-k", f"StudyInstanceUID={study}")
    with between(
        ("127.0.0.1", ports.orthanc), tmp_path / "r", offer=(offer,), scenario=(rules,) if with_rule else ()
    ) as proxy:
        here = ("-aec", "ORTHANC", "127.0.0.1", proxy.port)
        stored = run("storescu", "-v", *here, *paths)
        assert stored.text.count("Received Store Response (Success)") == len(paths), stored.text
        found = run("findscu", "-v", "-S", *key, *here)
        assert found.text.count("(Pending)") == 1, found.text
        moved = run("movescu", "-v", "-S", "-aem", "STORE", *key, *here, nagle=False)
        assert "Received Final Move Response (Success)" in moved.text, moved.text
        assert len(list((tmp_path / "received").iterdir())) == of_study
        until(lambda: proxy.notices.count("released") >= 4, "all associations are told")
    move = next(one for one in proxy.exchanges if one.service == "C-MOVE")
    legs = [one for one in proxy.exchanges if one.association.called == "STORE"]
    assert [(one.service, one.status, one.cause) for one in legs] == [("C-STORE", 0, move.id)] * of_study
    assert {one.rule for one in proxy.exchanges} == {""}
    read = [one for one in proxy.recorded() if isinstance(one, Exchange)]
    assert len(read) == 2 * len(proxy.exchanges) == 2 * (len(paths) + 2 + of_study)
