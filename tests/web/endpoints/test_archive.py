"""Instances through HTTP: what is uploaded comes back byte for byte, and what is no instance is told."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from mockpacs import MockPACS
from mockpacs.wire.part10 import FileMeta, encode_head
from tests.archive.instances import CT, EXPLICIT, dataset
from tests.net.wire_client import WireClient, ct_image
from tests.web.endpoints.asking import client_of, code

DICOM = {"Content-Type": "application/dicom"}


def part10(uid: str, *, pixels: bytes = b"", **attributes: str) -> bytes:
    head = encode_head(FileMeta(CT, uid, EXPLICIT, "SENDER"))
    return head + dataset(pixels, **{"SOPInstanceUID": uid, **attributes})


def test_what_is_uploaded_comes_back(api: httpx.Client) -> None:
    content = part10("1.2.3.4.5", pixels=bytes(range(256)) * 5000)
    response = api.post("archive", content=content, headers=DICOM)

    assert response.status_code == 201
    told = response.json()
    assert (told["sop_instance"], told["study"], told["series"], told["patient"]) == (
        "1.2.3.4.5",
        "1.2.3",
        "1.2.3.4",
        "P1",
    )
    assert response.headers["location"] == "/api/v1/archive/1.2.3.4.5"
    got = api.get("archive/1.2.3.4.5")
    assert got.headers["content-type"] == "application/dicom"
    assert int(got.headers["content-length"]) == len(got.content) == told["bytes"]
    assert dataset(bytes(range(256)) * 5000, SOPInstanceUID="1.2.3.4.5") in got.content


def test_what_a_c_store_brought_is_there(api: httpx.Client, scu: WireClient) -> None:
    data = ct_image("1.2.9")
    scu.store(data, "1.2.9")

    assert api.get("archive/1.2.9").content.endswith(data)


def test_instances_are_listed_by_what_they_belong_to(api: httpx.Client) -> None:
    for uid, study, patient in (("1.1", "1", "A"), ("1.2", "1", "A"), ("2.1", "2", "B")):
        content = part10(uid, StudyInstanceUID=study, SeriesInstanceUID=f"{study}.0", PatientID=patient)
        api.post("archive", content=content, headers=DICOM).raise_for_status()

    def uids(query: str) -> list[str]:
        return [one["sop_instance"] for one in api.get(f"archive?{query}").json()["instances"]]

    assert uids("") == ["1.1", "1.2", "2.1"]
    assert uids("study=1") == uids("patient=A") == uids("series=1.0") == ["1.1", "1.2"]
    assert (uids("limit=2"), uids("limit=2&offset=2")) == (["1.1", "1.2"], ["2.1"])
    assert api.get("archive?limit=2").json()["more"]
    assert not api.get("archive?limit=2&offset=2").json()["more"]
    counts = api.get("archive?study=none").json()["counts"]
    assert (counts["patients"], counts["studies"], counts["instances"]) == (2, 2, 3)

    assert api.delete("archive?study=1").json() == {"deleted": 2}
    assert api.delete("archive?series=2.0").json() == {"deleted": 1}
    assert uids("") == []


def test_an_instance_is_deleted(api: httpx.Client) -> None:
    api.post("archive", content=part10("1.2.3"), headers=DICOM)

    assert api.delete("archive/1.2.3").json() == {"deleted": 1}
    assert code(api.delete("archive/1.2.3")) == (404, "no-such-instance")
    assert code(api.get("archive/1.2.3")) == (404, "no-such-instance")


def test_everything_is_not_deleted_by_chance(api: httpx.Client) -> None:
    api.post("archive", content=part10("1.2.3"), headers=DICOM)

    for query in ("", "?study=", "?study=1&series=2"):
        assert code(api.delete(f"archive{query}")) == (400, "bad-parameter")
    assert api.get("archive").json()["counts"]["instances"] == 1


@pytest.mark.parametrize(
    ("content", "media", "expected"),
    [
        (b"hello", "application/dicom", (422, "bad-instance")),
        (b"\0" * 5_000_000, "application/dicom", (422, "bad-instance")),
        (b"", "application/dicom", (400, "no-body")),
        (b"--x\r\n", "multipart/form-data; boundary=x", (415, "bad-type")),
        (part10(""), "application/octet-stream", (422, "bad-instance")),
    ],
)
def test_what_is_no_instance_is_told(content: bytes, media: str, expected: tuple[int, str], api: httpx.Client) -> None:
    assert code(api.post("archive", content=content, headers={"Content-Type": media})) == expected
    assert api.get("archive").json()["counts"]["instances"] == 0


def test_another_instance_of_the_same_uid_is_refused_with_the_remedy(api: httpx.Client) -> None:
    api.post("archive", content=part10("1.2.3"), headers=DICOM)
    assert api.post("archive", content=part10("1.2.3"), headers=DICOM).status_code == 201
    response = api.post("archive", content=part10("1.2.3", PatientID="OTHER"), headers=DICOM)

    assert code(response) == (422, "bad-instance")
    assert "delete it first" in response.json()["error"]["message"]


def test_a_uid_from_the_net_is_no_path(pacs: MockPACS, api: httpx.Client) -> None:
    api.post("archive", content=part10("../../../etc/passwd"), headers=DICOM)

    for path in ("archive/..%2F..%2Fetc%2Fpasswd", "archive/%2e%2e%2fx", "archive/..%5c..%5cx", "archive/a%00b"):
        response = api.get(path)
        assert response.status_code in (400, 404), path
        assert "root:" not in response.text


def test_the_largest_instance_is_that_of_the_option(tmp_path: Path) -> None:
    with MockPACS(http=0, max_instance_size=1000) as pacs, client_of(pacs) as api:
        assert code(api.post("archive", content=bytes(2000), headers=DICOM)) == (413, "too-large")


def test_a_file_that_is_gone_is_told(tmp_path: Path) -> None:
    with MockPACS(http=0, storage=tmp_path) as pacs, client_of(pacs) as api:
        api.post("archive", content=part10("1.2.3"), headers=DICOM).raise_for_status()
        for path in tmp_path.rglob("*.dcm"):
            path.unlink()
        assert code(api.get("archive/1.2.3")) == (507, "storage")


def most_memory() -> int:
    """The most memory this process had since `forget_most_memory`, in bytes."""
    (line,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:")]
    return int(line.split()[1]) << 10


def forget_most_memory() -> None:
    Path("/proc/self/clear_refs").write_text("5")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells the most memory of a process and forgets it")
def test_a_large_file_goes_through_in_bounded_memory(tmp_path: Path) -> None:
    """Up, down, and into another archive."""
    size = 256 << 20
    whole = part10("1.2.3.4", pixels=b"\0\0")[:-6] + size.to_bytes(4, "little")

    def pieces() -> Iterator[bytes]:
        yield whole
        for _ in range(size >> 20):
            yield bytes(1 << 20)

    with MockPACS(http=0, storage=tmp_path) as pacs, client_of(pacs) as api:
        api.get("archive")
        forget_most_memory()
        before = most_memory()
        assert api.post("archive", content=pieces(), headers=DICOM).status_code == 201
        with api.stream("GET", "archive/1.2.3.4") as response:
            got = sum(map(len, response.iter_raw()))
        grown = most_memory() - before
    assert got == len(whole) + size
    assert grown < 64 << 20
