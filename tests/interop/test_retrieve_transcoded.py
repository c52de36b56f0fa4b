"""DCMTK's decompressors as the judges of ours: what a destination without compression gets has the pixels they find."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom import Dataset
from pynetdicom import _config

from mockpacs import MockPACS
from tests.interop import judge
from tests.interop.inputs import Input, inputs, named
from tests.interop.programs import movescu, run, storescp
from tests.interop.retrieving import COMPOSITE_MOVE, Arrival, Receiver, move, receiving
from tests.interop.scu import keys
from tests.interop.test_retrieve_files import EXPLICIT, NATIVE, data_set, elements, store
from tests.services.stored import need_decoders

pytestmark = pytest.mark.filterwarnings("ignore:Invalid value for VR UI")

BASELINE = "1.2.840.10008.1.2.4.50"
JUDGES = {
    BASELINE: "dcmdjpeg",
    "1.2.840.10008.1.2.4.70": "dcmdjpeg",
    "1.2.840.10008.1.2.4.80": "dcmdjpls",
    "1.2.840.10008.1.2.4.81": "dcmdjpls",
    "1.2.840.10008.1.2.5": "dcmdrle",
}
NOT_JUDGED = {"SC_rgb_jpeg_dcmd.dcm": "DCMTK finds nothing in it to decompress"}
NOT_DECOMPRESSED = {
    "JPGExtended.dcm": "12 bits a sample, which GDCM does not decode",
    "J2K_pixelrep_mismatch.dcm": "data set and JPEG 2000 stream disagree about the sign",
    "SC_rgb_jpeg.dcm": "implicit VR under the name of an explicit transfer syntax",
}
"""What fails, and why."""


def chosen() -> dict[str, Input]:
    """One file for each instance."""
    return {str(each.sop_instance): each for each in inputs() if each.transfer_syntax not in NATIVE}


@pytest.fixture(scope="module")
def moved(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Receiver, dict[str, judge.OnDisk], list[str]]]:
    """All that is compressed, moved to a destination that takes explicit VR only; what failed of it, by file name."""
    need_decoders()
    storage = tmp_path_factory.mktemp("compressed")
    with (
        pytest.MonkeyPatch.context() as patch,
        MockPACS(storage=storage, on_duplicate="replace", transcode=True) as serving,
        receiving([(sop_class, EXPLICIT) for sop_class in {each.sop_class for each in inputs()}]) as receiver,
    ):
        patch.setattr(_config, "STORE_SEND_CHUNKED_DATASET", True)
        files = chosen()
        store(serving, files.values())
        serving.peers.add("PLAIN", "127.0.0.1", receiver.port)
        ended = move(serving, keys("IMAGE", SOPInstanceUID=list(files)), "PLAIN", COMPOSITE_MOVE)
        yield receiver, judge.stored(storage), [files[name].name for name in ended.failed_list]


def test_what_can_be_decompressed_arrives(moved: tuple[Receiver, dict[str, judge.OnDisk], list[str]]) -> None:
    receiver, held, failed = moved
    assert set(failed) == set(NOT_DECOMPRESSED)
    assert len(receiver.arrivals) == len(held) - len(failed)
    assert {arrival.transfer_syntax for arrival in receiver.arrivals} == {EXPLICIT}


def test_the_pixels_are_those_that_dcmtk_finds(
    moved: tuple[Receiver, dict[str, judge.OnDisk], list[str]], tmp_path: Path
) -> None:
    receiver, held, _ = moved
    judged = 0
    for arrival in receiver.arrivals:
        stored, name = held[arrival.sop_instance], chosen()[arrival.sop_instance].name
        if stored.transfer_syntax not in JUDGES or name in NOT_JUDGED:
            continue
        judged += 1
        ours, theirs = data_set(arrival.data, EXPLICIT), decompressed(stored, tmp_path / name)
        assert ours.get("PhotometricInterpretation") == theirs.get("PhotometricInterpretation"), name
        assert ours.get("PlanarConfiguration") == theirs.get("PlanarConfiguration"), name
        if "PixelData" in ours:
            assert apart(ours.PixelData, theirs.PixelData) <= (2 if stored.transfer_syntax == BASELINE else 0), name
    assert judged >= 15


def decompressed(stored: judge.OnDisk, path: Path) -> Dataset:
    """By DCMTK, colours as RGB and by pixel as ours."""
    colours = ["+px"] if stored.transfer_syntax == BASELINE else []
    ran = run(JUDGES[stored.transfer_syntax], *colours, stored.path, path)
    assert ran.status == 0, ran.text
    theirs = judge.read(path)
    return data_set(theirs.data, theirs.transfer_syntax)


def apart(one: bytes, other: bytes) -> int:
    """The greatest difference of two samples."""
    assert len(one) == len(other)
    return max((abs(a - b) for a, b in zip(one, other, strict=True)), default=0)


def test_what_does_not_describe_pixels_stays_as_it_is(
    moved: tuple[Receiver, dict[str, judge.OnDisk], list[str]],
) -> None:
    receiver, held, _ = moved
    for arrival in receiver.arrivals:
        name = chosen()[arrival.sop_instance].name
        assert rest(arrival) == rest(held[arrival.sop_instance]), name


def rest(of: Arrival | judge.OnDisk) -> list[tuple[int, object]]:
    """Everything but the group of images and the pixels."""
    flat = elements(data_set(of.data, of.transfer_syntax), big=False)
    return [(tag, value) for tag, value in flat if tag >> 16 not in (0x0028, 0x7FE0)]


@pytest.mark.usefixtures("bytes_as_they_are")
def test_a_storescp_that_takes_no_compression_gets_rle_in_explicit(storage: Path, tmp_path: Path) -> None:
    need_decoders()
    each = named("MR_small_RLE.dcm")
    with MockPACS(storage=storage, transcode=True) as pacs, storescp(tmp_path / "received") as port:
        store(pacs, [each])
        pacs.peers.add("STORESCP", "127.0.0.1", port)
        study = data_set(each.data, each.transfer_syntax).StudyInstanceUID
        ran = movescu(pacs, "STORESCP", "-S", ["QueryRetrieveLevel=STUDY", f"StudyInstanceUID={study}"])
        (stored,) = judge.stored(storage).values()
    assert (ran.status, ran.counts) == (0x0000, (1, 0, 0)), ran.text
    (path,) = (tmp_path / "received").iterdir()
    arrived = judge.read(path)
    assert arrived.transfer_syntax == EXPLICIT
    expected = decompressed(stored, tmp_path / "expected.dcm")
    assert data_set(arrived.data, EXPLICIT).PixelData == expected.PixelData
