"""In what form instances are sent, judged by pydicom on real files of every uncompressed transfer syntax."""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydicom import Dataset, dcmread
from pydicom.filereader import read_dataset
from pydicom.sequence import Sequence

from mockpacs.archive import Archive, FileMeta
from mockpacs.errors import StorageError
from mockpacs.services import conversion
from mockpacs.services.byte_source import UnreadableError
from mockpacs.services.conversion import Prepared, deflated, forms, inflated, prepared
from mockpacs.services.courier import Undeliverable
from tests.archive.instances import dataset
from tests.services.samples import CT
from tests.services.stored import instances, kept

EXPLICIT, IMPLICIT = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2"
DEFLATED, BIG = "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.2"
JPEG, JPIP_DEFLATED = "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.95"
PRIVATE, GE = "1.2.826.0.1.3680043.9.4", "1.2.840.113619.5.2"
UNREADABLE = {"MR_truncated.dcm", "rtplan_truncated.dcm"}
TWO_READINGS = {"rtdose_expb.dcm", "rtdose_expb_1frame.dcm"}
UNCOMPRESSED = {
    path: found
    for path, found in instances().items()
    if found[0].transfer_syntax in (EXPLICIT, IMPLICIT, BIG, DEFLATED)
}


@pytest.fixture
def archive() -> Iterator[Archive]:
    with Archive.open(None) as archive:
        yield archive


def meta(syntax: str = EXPLICIT, uid: str = "1.2.3") -> FileMeta:
    return FileMeta(CT, uid, syntax, "SCU")


def read(sent: Prepared) -> Dataset:
    """What arrives, as pydicom reads it; nothing may be left over, and the size must be what was said."""
    data = b"".join(sent.blocks)
    assert len(data) == sent.size
    if sent.transfer_syntax == DEFLATED:
        data = zlib.decompress(data, -zlib.MAX_WBITS)
    stream = io.BytesIO(data)
    found = read_dataset(stream, sent.transfer_syntax == IMPLICIT, True)
    assert not stream.read()
    return found


def values(dataset: Dataset, *, pixels: bool = True) -> dict[Any, Any]:
    """Everything that must not change: not group lengths, nor private elements, whose VR implicit VR does not tell."""
    return {
        element.tag: [values(item) for item in element.value] if isinstance(element.value, Sequence) else element.value
        for element in dataset
        if element.tag.element and not element.tag.is_private and (pixels or element.tag != 0x7FE00010)
    }


@pytest.mark.filterwarnings("ignore")  # pydicom has opinions about these files
@pytest.mark.parametrize("target", [EXPLICIT, IMPLICIT, DEFLATED])
@pytest.mark.parametrize("path", UNCOMPRESSED, ids=lambda path: path.name)
def test_real_files_are_converted_and_keep_every_value(archive: Archive, path: Path, target: str) -> None:
    about, data = UNCOMPRESSED[path]
    instance = kept(archive, about, data)
    if about.transfer_syntax != target and path.name in UNREADABLE | TWO_READINGS:
        with pytest.raises(Undeliverable, match=r"cannot be converted: .*(too early|32 bits in big endian)"):
            prepared(instance, [target], transcode=False)
        return

    sent = prepared(instance, [target], transcode=False)

    assert sent.transfer_syntax == target
    if target == about.transfer_syntax:
        padding = b"\0" * (len(data) % 2 if target == DEFLATED else 0)  # PS3.5 A.5
        assert b"".join(sent.blocks) == data + padding
        return
    is_swapped = about.transfer_syntax == BIG
    original = dcmread(path, force=True)
    assert values(read(sent), pixels=not is_swapped) == values(original, pixels=not is_swapped)


@pytest.mark.parametrize(
    ("big", "little"),
    [
        ("MR_small_bigendian.dcm", "MR_small.dcm"),
        ("SC_rgb_small_odd_big_endian.dcm", "SC_rgb_small_odd.dcm"),
        ("liver_expb_1frame.dcm", "liver_1frame.dcm"),
    ],
)
def test_big_endian_pixels_become_those_of_the_little_endian_file(archive: Archive, big: str, little: str) -> None:
    (path,) = (path for path in UNCOMPRESSED if path.name == big)

    sent = prepared(kept(archive, *UNCOMPRESSED[path]), [EXPLICIT], transcode=False)

    assert read(sent).PixelData == dcmread(path.with_name(little)).PixelData


def test_there_are_files_of_every_uncompressed_transfer_syntax() -> None:
    assert {found[0].transfer_syntax for found in UNCOMPRESSED.values()} == {EXPLICIT, IMPLICIT, BIG, DEFLATED}
    assert {path.name for path in UNCOMPRESSED} >= UNREADABLE | TWO_READINGS


# stored bytes


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT, BIG, DEFLATED, JPEG, PRIVATE, GE, JPIP_DEFLATED])
@pytest.mark.parametrize("transcode", [True, False])
def test_stored_bytes_are_sent_untouched_when_they_are_accepted_even_nonsense(
    archive: Archive, syntax: str, transcode: bool
) -> None:
    data = b"bytes that make no sense at all" * 40_000

    sent = prepared(kept(archive, meta(syntax), data), [EXPLICIT, IMPLICIT, syntax], transcode=transcode)

    assert (sent.transfer_syntax, sent.size) == (syntax, len(data))
    blocks = list(sent.blocks)
    assert b"".join(blocks) == data
    assert len(blocks) > 1, "it streams"


def test_a_file_that_is_gone_is_told_by_the_first_block_and_not_before(tmp_path: Path) -> None:
    with Archive.open(tmp_path) as archive:
        instance = kept(archive, meta(), dataset(SOPInstanceUID="1.2.3"))
        (tmp_path / instance.path).unlink()

        sent = prepared(instance, [EXPLICIT], transcode=False)
        with pytest.raises(StorageError):
            next(iter(sent.blocks))
        with pytest.raises(StorageError):
            prepared(instance, [IMPLICIT], transcode=False)


def test_explicit_vr_is_preferred_as_it_keeps_private_ones(archive: Archive) -> None:
    data = zlib.compress(dataset(SOPInstanceUID="1.2.3"), wbits=-zlib.MAX_WBITS)

    sent = prepared(kept(archive, meta(DEFLATED), data), [IMPLICIT, EXPLICIT], transcode=False)

    assert sent.transfer_syntax == EXPLICIT
    assert b"".join(sent.blocks) == dataset(SOPInstanceUID="1.2.3")


def test_a_long_data_set_is_not_kept_but_converted_as_it_is_sent(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conversion, "_HELD_AT_MOST", 1000)
    data = dataset(pixels=bytes(range(256)) * 8192, SOPInstanceUID="1.2.3")
    instance = kept(archive, meta(), data)

    sent = prepared(instance, [IMPLICIT], transcode=False)
    short = prepared(kept(archive, meta(uid="1.2.4"), dataset(SOPInstanceUID="1.2.4")), [IMPLICIT], transcode=False)

    assert not isinstance(sent.blocks, list)
    assert isinstance(short.blocks, list)
    assert max(map(len, blocks := list(sent.blocks))) <= 1 << 20
    assert sum(map(len, blocks)) == sent.size
    assert b"".join(blocks).endswith(bytes(range(256)) * 8192)


# what cannot be


@pytest.mark.parametrize(
    ("stored", "accepted", "transcode", "why"),
    [
        (JPEG, [EXPLICIT], False, "needs --transcode: JPEG Baseline (Process 1)"),
        (JPEG, [BIG], False, "not accepted: JPEG Baseline (Process 1)"),
        (JPEG, [], True, "not accepted: JPEG Baseline (Process 1)"),
        (EXPLICIT, [JPEG, BIG], True, "not accepted: Explicit VR Little Endian"),
        (PRIVATE, [EXPLICIT, IMPLICIT], True, f"not accepted: {PRIVATE}"),
        (GE, [EXPLICIT, IMPLICIT], True, f"not accepted: {GE}"),
        (JPIP_DEFLATED, [EXPLICIT, IMPLICIT, DEFLATED], True, "not accepted: JPIP Referenced Deflate"),
        (JPIP_DEFLATED, [EXPLICIT, IMPLICIT, DEFLATED], False, "not accepted: JPIP Referenced Deflate"),
    ],
)
def test_what_cannot_be_delivered_says_why(
    archive: Archive, stored: str, accepted: list[str], transcode: bool, why: str
) -> None:
    instance = kept(archive, meta(stored), dataset(SOPInstanceUID="1.2.3"))

    with pytest.raises(Undeliverable) as told:
        prepared(instance, accepted, transcode=transcode)
    assert str(told.value) == why


def test_bytes_that_make_no_sense_cannot_be_converted(archive: Archive) -> None:
    instance = kept(archive, meta(), b"bytes that make no sense at all")

    with pytest.raises(Undeliverable, match=r"^the data set cannot be converted: "):
        prepared(instance, [IMPLICIT], transcode=False)


@pytest.mark.parametrize(
    ("stored", "transcode", "expected"),
    [
        (EXPLICIT, False, (EXPLICIT, IMPLICIT, DEFLATED)),
        (IMPLICIT, False, (IMPLICIT, EXPLICIT, DEFLATED)),
        (DEFLATED, False, (DEFLATED, EXPLICIT, IMPLICIT)),
        (BIG, False, (BIG, EXPLICIT, IMPLICIT, DEFLATED)),
        (JPEG, False, (JPEG,)),
        (JPEG, True, (JPEG, EXPLICIT, IMPLICIT, DEFLATED)),
        (PRIVATE, True, (PRIVATE,)),
        (JPIP_DEFLATED, True, (JPIP_DEFLATED,)),
    ],
)
def test_the_forms_of_an_instance_begin_with_its_own(stored: str, transcode: bool, expected: tuple[str, ...]) -> None:
    assert forms(stored, transcode=transcode) == expected


# deflated


def test_a_bomb_ends_where_it_was_decided(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversion, "_INFLATED_AT_MOST", 1 << 20)
    bomb = zlib.compress(bytes(8 << 20), wbits=-zlib.MAX_WBITS)
    sizes: list[int] = []

    with pytest.raises(UnreadableError, match="inflates to more than 1048576 bytes"):
        sizes.extend(len(piece) for piece in inflated([bomb]))
    assert sum(sizes) <= 1 << 20
    assert max(sizes) <= 1 << 18


@pytest.mark.parametrize("damage", [lambda data: data[:-6], lambda data: b"\xff" + data, lambda _data: b""])
def test_a_damaged_deflated_data_set_is_told(damage: Any) -> None:
    data = damage(zlib.compress(bytes(range(256)) * 4, wbits=-zlib.MAX_WBITS))

    with pytest.raises(UnreadableError):
        list(inflated([data]))


@pytest.mark.parametrize("step", [1, 100, 1 << 20])
def test_padding_behind_the_end_is_no_data(step: int) -> None:
    whole = bytes(range(256)) * 1500  # more than is inflated at once
    data = zlib.compress(whole, wbits=-zlib.MAX_WBITS) + b"\0\0\0"

    found = b"".join(inflated(data[at : at + step] for at in range(0, len(data), step)))

    assert found == whole


@pytest.mark.parametrize("size", [0, 1, 1000, 1001, 300_000])
def test_deflated_is_even_and_inflates_to_the_same(size: int) -> None:
    data = bytes(number * number % 251 for number in range(size))

    packed = b"".join(deflated(data[at : at + 999] for at in range(0, size, 999)))

    assert len(packed) % 2 == 0
    assert b"".join(inflated([packed])) == data
