"""The bytes of an exchange in all the forms they are asked for, and nothing in them that a browser would run."""

from __future__ import annotations

import io
import random
import zlib

import httpx
import pydicom
import pytest
from pydicom.dataset import Dataset

from mockpacs import MockPACS
from mockpacs.wire import ProposedContext
from tests.net.wire_client import CT, WireClient, ct_image, element
from tests.web.endpoints.asking import client_of, code

SCRIPT = "</script><script>alert(1)</script>&<b>"


def test_the_data_set_is_dicom_json_that_pydicom_reads(api: httpx.Client, scu: WireClient) -> None:
    scu.store()
    response = api.get("exchanges/1.1/dataset")

    assert response.headers["content-type"] == "application/dicom+json"
    dataset = Dataset.from_json(response.text)
    assert (dataset.PatientID, str(dataset.PatientName), dataset.InstanceNumber) == ("P1", "DOE^JANE", 1)


def test_long_values_are_left_out_and_lead_to_their_bytes(api: httpx.Client, scu: WireClient) -> None:
    pixels = random.Random(1).randbytes(100_000)
    scu.store(ct_image(pixels=0)[:-12] + element(0x7FE00010, "OW", pixels))
    model = api.get("exchanges/1.1/dataset").json()

    assert "Value" not in model["7FE00010"]
    where = model["7FE00010"]["BulkDataURI"]
    assert where.startswith("/api/v1/exchanges/1.1/dataset/bytes?at=")
    assert api.get(where.removeprefix("/api/v1/")).content == pixels


def test_the_file_has_the_bytes_that_came_behind_a_head(api: httpx.Client, scu: WireClient) -> None:
    data = ct_image("1.2.3.9", pixels=3_000_000)
    scu.store(data, "1.2.3.9")
    response = api.get("exchanges/1.1/dataset.dcm")

    assert response.headers["content-type"] == "application/dicom"
    assert response.headers["content-disposition"] == 'attachment; filename="1.2.3.9.dcm"'
    assert int(response.headers["content-length"]) == len(response.content)
    assert response.content.endswith(data)
    read = pydicom.dcmread(io.BytesIO(response.content))
    assert read.file_meta.MediaStorageSOPInstanceUID == "1.2.3.9"
    assert read.file_meta.SourceApplicationEntityTitle == "CT1"


def test_a_part_of_the_data_set(api: httpx.Client, scu: WireClient) -> None:
    data = ct_image()
    scu.store(data)

    assert api.get("exchanges/1.1/dataset/bytes").content == data
    assert api.get("exchanges/1.1/dataset/bytes?at=8&size=10").content == data[8:18]
    assert api.get("exchanges/1.1/dataset/bytes?at=8&size=0").content == b""
    assert api.get("exchanges/1.1/dataset/bytes?at=8&size=999999").content == data[8:]
    assert code(api.get("exchanges/1.1/dataset/bytes?at=999999")) == (416, "out-of-range")


def test_what_is_deflated_is_led_to_after_inflating(pacs: MockPACS, api: httpx.Client) -> None:
    data = ct_image(pixels=50_000)
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    with WireClient(pacs.host, pacs.port) as scu:
        scu.associate(ProposedContext(3, CT, ("1.2.840.10008.1.2.1.99",)))
        assert scu.store(packer.compress(data) + packer.flush()) == 0
    model = api.get("exchanges/1.1/dataset").json()

    where = model["7FE00010"]["BulkDataURI"].removeprefix("/api/v1/")
    assert api.get(where).content == bytes(50_000)


def test_the_bytes_of_each_side(api: httpx.Client, scu: WireClient) -> None:
    data = ct_image()
    scu.store(data)

    asked = api.get("exchanges/1.1/bytes?side=requestor").content
    assert asked[:1] == b"\x04"
    assert data in asked
    assert api.get("exchanges/1.1/bytes").content == asked
    answered = api.get("exchanges/1.1/bytes?side=acceptor").content
    assert answered[:1] == b"\x04"
    assert data not in answered
    assert code(api.get("exchanges/1.1/bytes?side=both")) == (400, "bad-parameter")


def test_an_exchange_without_a_data_set(api: httpx.Client, scu: WireClient) -> None:
    scu.echo()

    for path in ("dataset", "dataset.dcm", "dataset/bytes"):
        assert code(api.get(f"exchanges/1.1/{path}")) == (404, "no-dataset")


def test_a_recording_that_was_deleted_is_told(pacs: MockPACS, api: httpx.Client, scu: WireClient) -> None:
    scu.store()
    api.get("exchanges/1.1/dataset").raise_for_status()
    assert pacs.recording is not None
    pacs.recording.unlink()

    for path in ("dataset", "dataset.dcm", "dataset/bytes", "bytes"):
        assert code(api.get(f"exchanges/1.1/{path}")) == (410, "not-readable")
    assert code(api.get("recording.pcapng")) == (410, "not-readable")


@pytest.mark.parametrize(
    "path",
    ["exchanges", "exchanges/1.1?datasets=yes&pdus=yes", "exchanges/1.1/dataset", "wait", "near-misses?exchange=1.1"],
)
def test_html_in_what_a_peer_says_is_data(path: str, api: httpx.Client, pacs: MockPACS) -> None:
    name = element(0x00100010, "PN", SCRIPT.encode())
    pacs.rules.add({"name": "other", "when": {"service": "C-STORE", "dataset": {"PatientName": "OTHER"}}, "then": {}})
    with WireClient(pacs.host, pacs.port) as scu:
        scu.associate(calling="<b>&CT1</b>")
        scu.store(ct_image().replace(element(0x00100010, "PN", b"DOE^JANE"), name))
    response = api.get(path)

    assert response.headers["content-type"] in ("application/json", "application/dicom+json")
    assert response.headers["x-content-type-options"] == "nosniff"
    assert not set("<>&") & set(response.text)
    assert "<b>&CT1</b>" in str(response.json()) or SCRIPT in str(response.json())


def test_a_large_data_set_is_cut_in_json_and_whole_in_the_file() -> None:
    """JSON is made of so many bytes at most; the rest is said to be missing."""
    data = ct_image(pixels=70_000_000)
    with MockPACS(http=0) as pacs, client_of(pacs) as api, WireClient(pacs.host, pacs.port) as scu:
        scu.associate()
        scu.store(data)
        response = api.get("exchanges/1.1/dataset")
        assert response.json()["00100020"] == {"vr": "LO", "Value": ["P1"]}
        assert "only the first" in response.headers["x-mockpacs-problems"]
        assert "not read" in api.get("exchanges/1.1").json()["remark"]
        assert code(api.get("exchanges/1.1/bytes")) == (413, "too-large")
        assert len(api.get("exchanges/1.1/dataset.dcm").content) > len(data)
