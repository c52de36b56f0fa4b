"""Orthanc as a peer: it echoes, sends and asks, told so over its REST interface."""

from __future__ import annotations

import json
import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mockpacs import MockPACS
from tests.interop import judge
from tests.interop.inputs import Input, inputs
from tests.interop.programs import running, until

NAMES = ("CT_small.dcm", "MR_small_RLE.dcm", "JPEG2000.dcm", "SC_rgb_jpeg_dcmtk.dcm", "image_dfl.dcm", "rtplan.dcm")


class Orthanc:
    """Its REST interface."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"

    def call(self, path: str, body: bytes | dict[str, Any] | list[str] | None = None) -> Any:
        data = json.dumps(body).encode() if isinstance(body, dict | list) else body
        with urllib.request.urlopen(urllib.request.Request(self.url + path, data), timeout=30) as answer:
            said = answer.read()
        return json.loads(said) if said.strip().startswith((b"{", b"[")) else said

    def answers(self) -> bool:
        try:
            self.call("/system")
        except (urllib.error.URLError, ConnectionError):
            return False
        return True


@pytest.fixture
def orthanc(pacs: MockPACS, tmp_path: Path) -> Iterator[Orthanc]:
    with socket.socket() as first, socket.socket() as second:
        first.bind(("127.0.0.1", 0))
        second.bind(("127.0.0.1", 0))
        http, dicom = first.getsockname()[1], second.getsockname()[1]
    configuration = tmp_path / "orthanc.json"
    settings = {
        "StorageDirectory": str(tmp_path / "orthanc"),
        "IndexDirectory": str(tmp_path / "orthanc"),
        "Plugins": [],
        "HttpPort": http,
        "DicomPort": dicom,
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": False,
        "DicomModalities": {"mockpacs": [pacs.aet, pacs.host, pacs.port]},
    }
    configuration.write_text(json.dumps(settings))
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with running("Orthanc", configuration, **quiet):
        serving = Orthanc(http)
        until(serving.answers, "Orthanc answers")
        yield serving


@pytest.mark.filterwarnings("ignore:Invalid value for VR UI")
def test_orthanc_echoes_sends_and_asks(pacs: MockPACS, orthanc: Orthanc) -> None:
    assert orthanc.call("/modalities/mockpacs/echo", {}) is not None
    files: dict[str, Input] = {each.name: each for each in inputs() if each.name in NAMES}
    ids = [orthanc.call("/instances", each.path.read_bytes())["ID"] for each in files.values()]
    sent = orthanc.call("/modalities/mockpacs/store", ids)
    assert (sent["InstancesCount"], sent["FailedInstancesCount"]) == (len(NAMES), 0)
    kept = judge.stored(pacs.options.storage)
    assert kept.keys() == {each.instance_in_data_set for each in files.values()}
    for each in files.values():
        assert kept[each.instance_in_data_set].transfer_syntax == each.transfer_syntax, each.name

    query = orthanc.call("/modalities/mockpacs/query", {"Level": "Study", "Query": {"PatientName": "*CT*"}})
    contents = orthanc.call(f"{query['Path']}/answers?expand&simplify")
    assert [answer["PatientName"] for answer in contents] == ["CompressedSamples^CT1"]
    everything = orthanc.call("/modalities/mockpacs/query", {"Level": "Study", "Query": {"ModalitiesInStudy": ""}})
    assert len(orthanc.call(f"{everything['Path']}/answers")) == len(_studies(files))


def _studies(files: dict[str, Input]) -> set[str]:
    from pydicom import dcmread

    return {dcmread(each.path, specific_tags=["StudyInstanceUID"]).StudyInstanceUID for each in files.values()}
