"""UIDs replaced in encoded data sets."""

from __future__ import annotations

import struct
from io import BytesIO

import pytest
from pydicom import Dataset, Sequence
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import read_dataset
from pydicom.filewriter import write_dataset

from mockpacs.replay.client.renaming import renamed
from mockpacs.wire.dataset import EXPLICIT_BIG, EXPLICIT_LITTLE, IMPLICIT_LITTLE, Encoding
from mockpacs.wire.part10 import decode_head
from tests.conftest import wheel_files
from tests.net.wire_client import EXPLICIT, ct_image, element

ENCODINGS = [EXPLICIT_LITTLE, IMPLICIT_LITTLE, EXPLICIT_BIG]


def upper(uid: str) -> str:
    return f"2.25.{uid.replace('.', '')}77"


def encoded(dataset: Dataset, encoding: Encoding) -> bytes:
    file = DicomBytesIO()
    file.is_little_endian, file.is_implicit_VR = encoding.little_endian, encoding.implicit
    write_dataset(file, dataset)
    return bytes(file.getvalue())


def decoded(data: bytes, encoding: Encoding) -> Dataset:
    return read_dataset(BytesIO(data), encoding.implicit, encoding.little_endian)


def nested() -> Dataset:
    inner = Dataset()
    inner.ReferencedSOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
    inner.ReferencedSOPInstanceUID = "1.2.3.4"
    middle = Dataset()
    middle.SeriesInstanceUID = "1.2.3"
    middle.ReferencedSOPSequence = Sequence([inner, inner])
    outer = Dataset()
    outer.SOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
    outer.SOPInstanceUID = "1.2.3.4.5"
    outer.PatientID = "1.2.3"
    outer.ReferencedSeriesSequence = Sequence([middle])
    outer.StudyInstanceUID = "1.2"
    outer.FailedSOPInstanceUIDList = ["1.2.3", "1.2.33"]
    return outer


@pytest.mark.parametrize("encoding", ENCODINGS, ids=["explicit", "implicit", "big"])
@pytest.mark.parametrize("is_open", [False, True], ids=["defined", "undefined"])
def test_instances_are_renamed_at_every_depth_and_classes_are_not(encoding: Encoding, is_open: bool) -> None:
    dataset = nested()
    dataset["ReferencedSeriesSequence"].is_undefined_length = is_open
    dataset.ReferencedSeriesSequence[0].is_undefined_length_sequence_item = is_open
    found = decoded(renamed(encoded(dataset, encoding), encoding, upper), encoding)
    assert found.SOPClassUID == "1.2.840.10008.5.1.4.1.1.2"
    assert found.SOPInstanceUID == "2.25.1234577"
    assert found.PatientID == "1.2.3"
    assert found.StudyInstanceUID == "2.25.1277"
    assert list(found.FailedSOPInstanceUIDList) == ["2.25.12377", "2.25.123377"]
    series = found.ReferencedSeriesSequence[0]
    assert series.SeriesInstanceUID == "2.25.12377"
    assert [one.ReferencedSOPInstanceUID for one in series.ReferencedSOPSequence] == ["2.25.123477"] * 2
    assert series.ReferencedSOPSequence[0].ReferencedSOPClassUID == "1.2.840.10008.5.1.4.1.1.2"


@pytest.mark.parametrize("encoding", ENCODINGS, ids=["explicit", "implicit", "big"])
def test_nothing_changes_where_nothing_is_renamed(encoding: Encoding) -> None:
    data = encoded(nested(), encoding)
    assert renamed(data, encoding, lambda uid: uid) == data


def test_pixel_data_and_what_follows_stay() -> None:
    image = ct_image("1.2.3.4.5", pixels=500) + element(0xFFFAFFFA, "SQ", b"")
    found = renamed(image, EXPLICIT_LITTLE, upper)
    at = image.index(struct.pack("<HH", 0x7FE0, 0x0010))
    assert found.endswith(image[at:])
    assert b"1.2.3.4.5\0" not in found


@pytest.mark.parametrize("size", range(1, 200, 3))
def test_what_is_cut_is_renamed_as_far_as_it_can_be_read(size: int) -> None:
    data = encoded(nested(), EXPLICIT_LITTLE)[:size]
    found = renamed(data, EXPLICIT_LITTLE, lambda uid: uid)
    assert found == data


def test_real_files_are_the_same_but_for_their_uids() -> None:
    looked_at = 0
    for path in wheel_files("*.dcm")[:80]:
        raw = path.read_bytes()
        head = decode_head(raw)
        if head is None or head.meta.transfer_syntax != EXPLICIT:
            continue
        data = raw[head.data_offset :]
        there = renamed(data, EXPLICIT_LITTLE, lambda uid: uid + "9")
        back = renamed(there, EXPLICIT_LITTLE, lambda uid: uid[:-1])
        assert back.replace(b"\0", b"") == data.replace(b"\0", b""), path.name
        looked_at += there != data
    assert looked_at > 5
