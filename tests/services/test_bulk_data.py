"""Instances without their bulk data (PS3.4 Table Z.1-1): what goes, and that nothing else does."""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread
from pydicom.filereader import read_dataset

from mockpacs.archive import Archive, FileMeta
from mockpacs.services.bulk_data import forms, is_bulk_data, prepared
from mockpacs.services.courier import Undeliverable
from tests.archive.instances import dataset
from tests.services.samples import CT
from tests.services.stored import instances, kept

EXPLICIT, IMPLICIT = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2"
DEFLATED, BIG = "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.2"
JPEG, GE = "1.2.840.10008.1.2.4.50", "1.2.840.113619.5.2"
FILES = {path.name: path for path in instances()}


@pytest.fixture
def archive() -> Iterator[Archive]:
    with Archive.open(None) as archive:
        yield archive


def read(data: bytes, *, implicit: bool = False) -> Dataset:
    return read_dataset(io.BytesIO(data), implicit, True)


@pytest.mark.parametrize(
    "tag",
    [
        *(0x7FE00008, 0x7FE00009, 0x7FE00010, 0x00287FE0, 0x56000020),
        *(0x60003000, 0x601E3000, 0x50003000, 0x501E3000, 0x5000200C, 0x501E200C),
        *(0x7FE00001, 0x7FE00002),
    ],
)
def test_bulk_data_is_left_out(tag: int) -> None:
    assert is_bulk_data(tag)


@pytest.mark.parametrize(
    "tag",
    [
        *(0x00080018, 0x00280010, 0x00880200, 0x00420011, 0x54000100, 0x54001010),
        *(0x60000010, 0x60000102, 0x60013000, 0x50000010, 0x5000200A, 0x50013000, 0x61003000, 0x70003000, 0xFFFCFFFC),
    ],
)
def test_nothing_else_is(tag: int) -> None:
    assert not is_bulk_data(tag)


@pytest.mark.filterwarnings("ignore")  # pydicom has opinions about these files
@pytest.mark.parametrize("target", [EXPLICIT, IMPLICIT, DEFLATED])
@pytest.mark.parametrize("name", sorted(FILES.keys() - {"MR_truncated.dcm", "rtplan_truncated.dcm"}))
def test_real_files_lose_their_bulk_data_and_nothing_else(archive: Archive, name: str, target: str) -> None:
    instance = kept(archive, *instances()[FILES[name]])

    sent = prepared(instance, [target])

    data = b"".join(sent.blocks)
    assert (len(data), sent.transfer_syntax) == (sent.size, target)
    found = read(zlib.decompress(data, -zlib.MAX_WBITS) if target == DEFLATED else data, implicit=target == IMPLICIT)
    original = dcmread(FILES[name], force=True)
    lost = {element.tag for element in original if element.tag not in found and element.tag.element}
    assert lost == {element.tag for element in original if is_bulk_data(element.tag)}
    assert found.get("SOPInstanceUID") == original.get("SOPInstanceUID")


def test_there_are_files_with_pixels_overlays_and_waveforms(archive: Archive) -> None:
    for name, keyword in (("CT_small.dcm", "PixelData"), ("JPEG2000.dcm", "PixelData")):
        assert keyword in dcmread(FILES[name])
        assert keyword not in read(b"".join(prepared(kept(archive, *instances()[FILES[name]]), [EXPLICIT]).blocks))
    assert 0x60003000 in dcmread(FILES["examples_overlay.dcm"])


def test_waveforms_lose_their_data_and_keep_their_description(archive: Archive) -> None:
    original = dcmread(FILES["waveform_ecg.dcm"])

    found = read(b"".join(prepared(kept(archive, *instances()[FILES["waveform_ecg.dcm"]]), [EXPLICIT]).blocks))

    assert all("WaveformData" in item for item in original.WaveformSequence)
    for item, before in zip(found.WaveformSequence, original.WaveformSequence, strict=True):
        del before.WaveformData
        assert item == before


def test_an_icon_keeps_its_pixels(archive: Archive) -> None:
    icon = Dataset()
    icon.Rows, icon.PixelData = 1, b"\1\2"
    icon["PixelData"].VR = "OW"
    whole = Dataset()
    whole.SOPInstanceUID, whole.IconImageSequence, whole.PixelData = "1.2.3", [icon], b"\3\4"
    whole["PixelData"].VR = "OW"
    stream = io.BytesIO()
    whole.save_as(stream, implicit_vr=True, little_endian=True, enforce_file_format=False)
    instance = kept(archive, FileMeta(CT, "1.2.3", IMPLICIT, ""), stream.getvalue())

    found = read(b"".join(prepared(instance, [IMPLICIT]).blocks), implicit=True)

    assert found.IconImageSequence[0].PixelData == b"\1\2"
    assert "PixelData" not in found


def test_what_is_left_is_left_byte_by_byte(archive: Archive) -> None:
    instance = kept(archive, FileMeta(CT, "1.2.3", EXPLICIT, ""), dataset(pixels=bytes(100), SOPInstanceUID="1.2.3"))

    sent = prepared(instance, [IMPLICIT, EXPLICIT])

    assert (sent.transfer_syntax, b"".join(sent.blocks)) == (EXPLICIT, dataset(SOPInstanceUID="1.2.3"))


@pytest.mark.parametrize(
    ("stored", "expected"),
    [
        (EXPLICIT, (EXPLICIT, IMPLICIT, DEFLATED)),
        (IMPLICIT, (IMPLICIT, EXPLICIT, DEFLATED)),
        (DEFLATED, (DEFLATED, EXPLICIT, IMPLICIT)),
        (BIG, (EXPLICIT, IMPLICIT, DEFLATED)),
        (JPEG, (EXPLICIT, IMPLICIT, DEFLATED, JPEG)),
        (GE, (EXPLICIT, IMPLICIT, DEFLATED)),
    ],
)
def test_compressed_instances_are_sent_as_what_they_are_without_pixels(stored: str, expected: tuple[str, ...]) -> None:
    assert forms(stored) == expected


def test_a_peer_that_takes_only_the_compressed_transfer_syntax_gets_it(archive: Archive) -> None:
    about, data = instances()[FILES["JPEG2000.dcm"]]

    sent = prepared(kept(archive, about, data), [about.transfer_syntax])

    assert sent.transfer_syntax == about.transfer_syntax
    assert "PixelData" not in read(b"".join(sent.blocks))


def test_what_is_not_accepted_says_so(archive: Archive) -> None:
    instance = kept(archive, FileMeta(CT, "1.2.3", EXPLICIT, ""), dataset(SOPInstanceUID="1.2.3"))

    with pytest.raises(Undeliverable, match="not accepted without bulk data: Explicit VR Little Endian"):
        prepared(instance, [BIG, JPEG])


@pytest.mark.parametrize("name", ["MR_truncated.dcm", "rtplan_truncated.dcm"])
def test_a_data_set_that_ends_too_early_cannot_be_cut(archive: Archive, name: str) -> None:
    with pytest.raises(Undeliverable, match="too early"):
        prepared(kept(archive, *instances()[Path(FILES[name])]), [EXPLICIT])
