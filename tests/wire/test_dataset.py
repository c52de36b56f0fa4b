"""The element scanner: agreement with pydicom on real files, bounds and patience on everything else."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.sequence import Sequence

from mockpacs.wire import dataset as ds

ENCODINGS = [ds.IMPLICIT_LITTLE, ds.EXPLICIT_LITTLE, ds.EXPLICIT_BIG]
FILES = sorted((Path(pydicom.__file__).parent / "data" / "test_files").rglob("*.dcm"))
# Without preamble or file meta information: not what is tested here.
UNREADABLE = {"ExplVR_BigEndNoMeta.dcm", "ExplVR_LitEndNoMeta.dcm", "no_meta.dcm", "rtstruct.dcm"}


def nested(undefined: bool) -> Dataset:
    inner = Dataset()
    inner.CodeValue = "T-1"
    outer = Dataset()
    outer.PatientName = "DOE^JANE"
    item = Dataset()
    item.ScheduledProcedureStepID = "7"
    item.ScheduledProtocolCodeSequence = Sequence([inner, Dataset()])
    outer.RequestAttributesSequence = Sequence([item, Dataset()])
    outer.Rows = 3
    if undefined:
        for element in outer.iterall():
            if element.VR == "SQ":
                element.is_undefined_length = True
                for each in element.value:
                    each.is_undefined_length_sequence_item = True
    return outer


def written(dataset: Dataset, encoding: ds.Encoding) -> bytes:
    buffer = DicomBytesIO()
    buffer.is_implicit_VR, buffer.is_little_endian = encoding.implicit, encoding.little_endian
    write_dataset(buffer, dataset)
    return buffer.getvalue()


@pytest.mark.parametrize("undefined", [False, True])
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_nested_sequences_are_skipped_and_then_read_item_by_item(encoding: ds.Encoding, undefined: bool) -> None:
    header = ds.scan(written(nested(undefined), encoding), encoding)
    assert header.complete
    assert list(header.elements) == [0x00100010, 0x00280010, 0x00400275]
    items = ds.items(header.elements[0x00400275], encoding)
    assert [list(item) for item in items] == [[0x00400008, 0x00400009], []]
    codes = ds.items(items[0][0x00400008], encoding)
    assert [bytes(code[0x00080100].value) for code in codes if code] == [b"T-1 "]
    assert len(codes) == 2


@pytest.mark.filterwarnings("ignore:Expected explicit VR:UserWarning")  # SC_rgb_jpeg: says explicit, is implicit
@pytest.mark.parametrize("path", [path for path in FILES if path.name not in UNREADABLE], ids=lambda path: path.stem)
def test_top_level_elements_of_real_files_are_those_pydicom_finds(path: Path) -> None:
    judge = pydicom.dcmread(path, stop_before_pixels=True)
    raw = path.read_bytes()
    file = io.BytesIO(raw)
    pydicom.filereader.read_preamble(file, False)
    pydicom.filereader._read_file_meta_info(file)
    data = raw[file.tell() :]
    header = ds.scan(data, ds.Encoding.of(str(judge.file_meta.get("TransferSyntaxUID", "1.2.840.10008.1.2"))))
    expected = {int(tag) for tag in judge.keys() if int(tag) < ds.PIXEL_GROUP}  # noqa: SIM118 - iterating would decode
    assert set(header.elements) == expected or (not header.complete and set(header.elements) < expected)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_cut_anywhere_it_gives_what_came_before_the_cut(encoding: ds.Encoding) -> None:
    whole = written(nested(True), encoding)
    for end in range(len(whole)):
        header = ds.scan(whole[:end], encoding)
        assert set(header.elements) <= {0x00100010, 0x00280010, 0x00400275}
        assert header.complete == (len(header.elements) in (0, 1, 2, 3) and header.problem == "")


@given(st.binary(max_size=200), st.sampled_from([*ENCODINGS, ds.DEFLATED]))
def test_no_bytes_make_it_raise(data: bytes, encoding: ds.Encoding) -> None:
    for element in ds.scan(data, encoding).elements.values():
        ds.items(element, encoding)


def test_implicit_elements_under_an_explicit_transfer_syntax_are_read() -> None:
    data = written(nested(True), ds.IMPLICIT_LITTLE)
    header = ds.scan(data, ds.EXPLICIT_LITTLE)
    assert header == ds.scan(data, ds.IMPLICIT_LITTLE)
    assert [list(item) for item in ds.items(header.elements[0x00400275], ds.EXPLICIT_LITTLE)] == [
        [0x00400008, 0x00400009],
        [],
    ]


@pytest.mark.parametrize("depth", [64, 300, 3000, 10_000])
@pytest.mark.parametrize("closed", [True, False])
def test_deep_nesting_needs_no_recursion(depth: int, closed: bool) -> None:
    begin = struct.pack("<HH2sHL", 0x40, 0x275, b"SQ", 0, ds.UNDEFINED) + struct.pack(
        "<HHL", 0xFFFE, 0xE000, ds.UNDEFINED
    )
    end = struct.pack("<HHL", 0xFFFE, 0xE00D, 0) + struct.pack("<HHL", 0xFFFE, 0xE0DD, 0)
    header = ds.scan(begin * depth + (end * depth if closed else b""), ds.EXPLICIT_LITTLE)
    assert header.complete is closed
    assert list(header.elements) == ([0x00400275] if closed else [])


def test_a_deflated_bomb_is_read_to_a_limit_only() -> None:
    bomb = ds.deflate(ds.encode_element(0x00100020, "LO", b"P1", ds.EXPLICIT_LITTLE) + bytes(100 << 20))
    header = ds.scan(bomb, ds.DEFLATED)
    assert bytes(header.elements[0x00100020].value) == b"P1"
    assert not header.complete


def test_deflate_gives_what_zlib_inflates_and_even_length() -> None:
    packed = ds.deflate(b"abc" * 99)
    assert len(packed) % 2 == 0
    assert zlib.decompressobj(-15).decompress(packed) == b"abc" * 99


def test_only_wanted_elements_are_kept_and_it_stops_where_told() -> None:
    data = written(nested(False), ds.EXPLICIT_LITTLE)
    assert list(ds.scan(data, ds.EXPLICIT_LITTLE, wanted={0x00280010}).elements) == [0x00280010]
    assert list(ds.scan(data, ds.EXPLICIT_LITTLE, stop=0x00280000).elements) == [0x00100010]


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize(
    ("tag", "vr", "value"),
    [(0x00100010, "PN", b"DOE"), (0x0020000D, "UI", b"1.2.3"), (0x00280010, "US", b"\1\0"), (0x00091001, "UN", b"\1")],
)
def test_an_encoded_element_is_what_pydicom_reads(encoding: ds.Encoding, tag: int, vr: str, value: bytes) -> None:
    encoded = ds.encode_element(tag, vr, value, encoding)
    assert len(encoded) % 2 == 0
    read = pydicom.dcmread(io.BytesIO(encoded), force=True) if encoding.implicit else None
    if read is not None:
        assert tag in read
    assert bytes(ds.scan(encoded, encoding).elements[tag].value).rstrip(b" \0") == value.rstrip(b"\0")


def test_a_value_too_long_for_its_vr_is_our_mistake() -> None:
    with pytest.raises(ValueError, match="70000 bytes do not fit"):
        ds.encode_element(0x00100010, "PN", b"x" * 70000, ds.EXPLICIT_LITTLE)
