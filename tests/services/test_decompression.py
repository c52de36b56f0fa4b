"""Compressed instances for peers that take none: the pixels are those pydicom sees, everything else stays."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread
from pydicom.dataset import FileMetaDataset
from pydicom.filereader import read_dataset
from pydicom.uid import UID

from mockpacs.archive import Archive
from mockpacs.services import decompression
from mockpacs.services.conversion import Prepared, prepared
from mockpacs.services.courier import Undeliverable
from mockpacs.wire.dataset import EXPLICIT_LITTLE, scan
from tests.services.stored import instances, kept, need_decoders

EXPLICIT, IMPLICIT = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2"
COMPRESSED = {path: found for path, found in instances().items() if UID(found[0].transfer_syntax).is_encapsulated}
# 12 bits in JPEG Extended: only a decoder under the GPL can. Damaged pixels; pixels pydicom trips over.
HOPELESS = {
    "JPEG-lossy.dcm",
    "JPGExtended.dcm",
    "JPEG2000-embedded-sequence-delimiter.dcm",
    "J2K_pixelrep_mismatch.dcm",
}
DESCRIPTION = {"PhotometricInterpretation", "PlanarConfiguration", "PixelData"}

pytestmark = pytest.mark.filterwarnings("ignore")  # pydicom has opinions about these files


@pytest.fixture
def archive() -> Iterator[Archive]:
    need_decoders()
    with Archive.open(None) as archive:
        yield archive


def read(sent: Prepared) -> Dataset:
    data = b"".join(sent.blocks)
    assert len(data) == sent.size
    found = read_dataset(io.BytesIO(data), sent.transfer_syntax == IMPLICIT, True)
    found.file_meta = FileMetaDataset()
    found.file_meta.TransferSyntaxUID = UID(sent.transfer_syntax)
    return found


@pytest.mark.parametrize("target", [EXPLICIT, IMPLICIT])
@pytest.mark.parametrize("path", COMPRESSED, ids=lambda path: path.name)
def test_real_files_are_decompressed_as_pydicom_would(archive: Archive, path: Path, target: str) -> None:
    instance = kept(archive, *COMPRESSED[path])
    if path.name in HOPELESS:
        with pytest.raises(Undeliverable, match=r"^cannot decompress JPEG"):
            prepared(instance, [target], transcode=True)
        return

    found, original = read(prepared(instance, [target], transcode=True)), dcmread(path)

    assert found.get("SOPInstanceUID") == original.get("SOPInstanceUID")
    if "PixelData" in original:
        assert (found.pixel_array == original.pixel_array).all()
        assert found["PixelData"].is_undefined_length is False
    for element in original:
        if element.tag.element and not element.tag.is_private and element.keyword not in DESCRIPTION:
            assert found[element.tag].value == element.value


def test_there_are_files_of_every_kind_of_compression() -> None:
    names = {UID(found[0].transfer_syntax).name.split(" (")[0].split(",")[0] for found in COMPRESSED.values()}

    assert names >= {"RLE Lossless", "JPEG Baseline", "JPEG Lossless", "JPEG-LS Lossless Image Compression"}
    assert names >= {"JPEG 2000 Image Compression", "JPEG Extended"}
    assert {path.name for path in COMPRESSED} >= HOPELESS


def test_every_byte_but_those_of_the_pixels_stays(archive: Archive) -> None:
    (path,) = (path for path in COMPRESSED if path.name == "MR_small_RLE.dcm")
    about, data = COMPRESSED[path]

    sent = b"".join(prepared(kept(archive, about, data), [EXPLICIT], transcode=True).blocks)

    before, after = (scan(found, EXPLICIT_LITTLE).elements for found in (data, sent))
    assert {tag: bytes(element.value) for tag, element in before.items()} == {
        tag: bytes(element.value) for tag, element in after.items()
    }
    pixels = dcmread(path.with_name("MR_small.dcm")).PixelData
    assert sent[sent.index(b"\xe0\x7f\x10\x00") + 12 :][: len(pixels)] == pixels


def test_colours_are_described_as_they_are_after_decoding(archive: Archive) -> None:
    (path,) = (path for path in COMPRESSED if path.name == "SC_rgb_dcmtk_+eb+cy+s4.dcm")

    found = read(prepared(kept(archive, *COMPRESSED[path]), [EXPLICIT], transcode=True))

    assert dcmread(path).PhotometricInterpretation == "YBR_FULL"
    assert found.PhotometricInterpretation == "RGB"
    assert [element.tag for element in found] == sorted(element.tag for element in found)


EXTRA = ': pip install "mockpacs[transcode]"'


@pytest.mark.parametrize(
    ("installed", "told"),
    [
        ("numpy gdcm openjpeg", ""),
        ("numpy libjpeg openjpeg", ""),
        ("numpy gdcm", f"transcode: no decoder is installed for High-Throughput JPEG 2000{EXTRA}"),
        (
            "numpy PIL",
            f"transcode: no decoder is installed for JPEG-LS and High-Throughput JPEG 2000{EXTRA}",
        ),
        (
            "numpy",
            "transcode: no decoder is installed for JPEG, JPEG-LS, JPEG 2000 and High-Throughput JPEG 2000" + EXTRA,
        ),
        ("gdcm openjpeg", f"transcode: nothing can be decompressed, numpy is not installed{EXTRA}"),
    ],
)
def test_what_cannot_be_decoded_is_told_before_anything_is(
    monkeypatch: pytest.MonkeyPatch, installed: str, told: str
) -> None:
    monkeypatch.setattr(decompression, "find_spec", lambda name: name if name in installed.split() else None)
    assert decompression.missing_decoders() == told


def test_the_decoders_of_the_extra_are_enough_and_are_not_loaded_to_know_it() -> None:
    need_decoders()
    code = (
        "import sys; from mockpacs.services.decompression import missing_decoders\n"
        "assert missing_decoders() == '' and not {'numpy', 'gdcm', 'openjpeg', 'pydicom'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (RuntimeError("plugins are all missing dependencies:\n x"), "no decoder is installed, see the extra transcode"),
        (ImportError("numpy is required"), "no decoder is installed, see the extra transcode"),
        (RuntimeError("exceptions were raised by all available plugins:\n  gdcm: not 12 bits"), "gdcm: not 12 bits"),
        (ValueError("odd pixels"), "odd pixels"),
        (KeyError(), "KeyError"),
    ],
)
def test_what_pydicom_raises_becomes_a_reason(
    archive: Archive, monkeypatch: pytest.MonkeyPatch, error: Exception, why: str
) -> None:
    (path,) = (path for path in COMPRESSED if path.name == "MR_small_RLE.dcm")

    def fail(*_: object) -> Dataset:
        raise error

    monkeypatch.setattr(decompression, "decode", fail)

    with pytest.raises(Undeliverable) as told:
        prepared(kept(archive, *COMPRESSED[path]), [EXPLICIT], transcode=True)
    assert str(told.value) == f"cannot decompress RLE Lossless: {why}"
