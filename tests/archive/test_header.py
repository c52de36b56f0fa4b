"""Reading a header: the same answer as pydicom's, and no exception whatever the bytes are."""

from __future__ import annotations

import random
import struct
import tracemalloc
import zlib

import pydicom
import pytest

from mockpacs.archive import FileMeta
from mockpacs.archive.header import Reading, read_data, read_spool
from mockpacs.archive.index import INDEXED, Level
from mockpacs.archive.spool import Spool
from mockpacs.wire.dataset import EXPLICIT_LITTLE, encode_element
from mockpacs.wire.part10 import decode_head
from tests.archive.instances import CT, EXPLICIT, dataset
from tests.archive.test_store import part10_files

IMPLICIT = "1.2.840.10008.1.2"
DEFLATED = "1.2.840.10008.1.2.1.99"


_DAMAGED = {"MR_truncated.dcm", "rtplan_truncated.dcm"}


def read(data: bytes, transfer_syntax: str = EXPLICIT, fragment: int = 0, incoming: str | None = None) -> Reading:
    spool = Spool(FileMeta(CT, "1.2.3", transfer_syntax), incoming)
    for start in range(0, len(data), fragment or len(data) or 1):
        spool.append(data[start : start + (fragment or len(data))])
    if incoming:
        spool.spill()
    reading = read_spool(spool)
    spool.discard()
    return reading


def rows(reading: Reading) -> list[list[str | None]]:
    return [reading.row(level) for level in Level]


def expected(found: pydicom.Dataset, tag: int) -> str | None:
    if tag not in found:
        return None
    value = found[tag].value
    values = value if isinstance(value, pydicom.multival.MultiValue) else [value]
    return "\\".join(_text(each) for each in values)


def _text(value: object) -> str:
    original = getattr(value, "original_string", None)  # of numbers and dates; of names it is bytes
    return original if isinstance(original, str) else "" if value is None else str(value)


@pytest.mark.filterwarnings("ignore:Expected explicit VR:UserWarning")  # SC_rgb_jpeg: says explicit, is implicit
@pytest.mark.parametrize("path", part10_files(), ids=lambda path: path.name)
def test_the_values_are_those_pydicom_reads(path):
    contents = path.read_bytes()
    head = decode_head(contents)
    assert head is not None
    reading = read(contents[head.data_offset :], head.meta.transfer_syntax)
    assert (reading.problem != "") is (path.name in _DAMAGED)
    if reading.problem:
        return
    found = pydicom.dcmread(path)
    for at in INDEXED:
        if path.name == "badVR.dcm" and at.vr == "IS":
            continue  # pydicom warns about the value
        if at.tag in found and found[at.tag].VR in ("UN", "SQ"):
            continue
        value, wanted = reading.value(at.tag), expected(found, at.tag)
        assert (value or "").replace(" ", "") == (wanted or "").replace(" ", ""), at
        assert (value is None) == (wanted is None), at


@pytest.mark.parametrize("path", part10_files(), ids=lambda path: path.name)
def test_it_does_not_matter_where_the_bytes_are_and_how_they_were_cut(path, tmp_path):
    contents = path.read_bytes()
    head = decode_head(contents)
    assert head is not None
    data = contents[head.data_offset :]
    whole = read_data(data, head.meta)
    for other in (
        read(data, head.meta.transfer_syntax),
        read(data, head.meta.transfer_syntax, fragment=997),
        read(data, head.meta.transfer_syntax, incoming=str(tmp_path)),
    ):
        assert rows(other) == rows(whole)
        assert other.problem == whole.problem


def test_absent_is_none_and_zero_length_is_the_empty_string():
    reading = read(dataset(PatientID="", AccessionNumber=None))
    assert reading.value(0x00100020) == ""
    assert reading.value(0x00080050) is None


@pytest.mark.parametrize(
    ("keyword", "raw", "tag", "text"),
    [
        ("PatientID", b" P1 ", 0x00100020, "P1"),
        ("StudyInstanceUID", b"1.2.3\0", 0x0020000D, "1.2.3"),
        ("PatientComments", b" indented  ", 0x00104000, " indented"),
        ("ImageType", b"ORIGINAL \\ PRIMARY", 0x00080008, "ORIGINAL\\PRIMARY"),
        ("PatientComments", b"a\\b", 0x00104000, "a\\b"),
        ("Rows", struct.pack("<H", 512), 0x00280010, "512"),
        ("Rows", struct.pack("<HH", 512, 7), 0x00280010, "512\\7"),
        ("Rows", b"", 0x00280010, ""),
        ("InstanceNumber", b" 12 ", 0x00200013, "12"),
    ],
)
def test_padding_goes_by_the_rules_of_the_vr(keyword, raw, tag, text):
    assert read(dataset(**{keyword: raw})).value(tag) == text


@pytest.mark.parametrize(
    ("character_set", "raw", "text"),
    [
        ("ISO_IR 100", "Müller^Jörg".encode("latin_1"), "Müller^Jörg"),
        ("ISO_IR 192", "山田^太郎".encode(), "山田^太郎"),
        ("\\ISO 2022 IR 87", b"Yamada=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B", "Yamada=山田^太郎"),
        ("ISO_IR 999", b"\xff\xfe", "ÿþ"),
    ],
)
def test_text_is_decoded_by_the_character_set_of_the_data_set(character_set, raw, text):
    reading = read(dataset(SpecificCharacterSet=character_set, PatientName=raw))
    assert reading.value(0x00100010) == text
    assert reading.character_set == character_set


def test_numbers_are_read_in_the_byte_order_of_the_data_set():
    data = struct.pack(">HH2sHH", 0x0028, 0x0010, b"US", 2, 512)
    assert read(data, "1.2.840.10008.1.2.2").value(0x00280010) == "512"


def test_a_sequence_where_text_belongs_is_no_text():
    data = struct.pack("<HH2sHL", 0x0010, 0x0020, b"SQ", 0, 0xFFFFFFFF) + b"\xfe\xff\xdd\xe0\0\0\0\0"
    reading = read(data)
    assert reading.value(0x00100020) is None
    assert reading.problem == ""


@pytest.mark.parametrize("size", [0, 100, 100_000])
@pytest.mark.parametrize("fragment", [0, 16_000])
def test_pixel_data_that_is_all_there_is_no_problem(size, fragment):
    assert read(dataset(bytes(size)), fragment=fragment).problem == ""


@pytest.mark.parametrize("missing", [1, 2, 1000, 99_999])
@pytest.mark.parametrize("fragment", [0, 16_000])
def test_pixel_data_that_was_cut_is_a_problem(missing, fragment):
    reading = read(dataset(bytes(100_000))[:-missing], fragment=fragment)
    assert "says 100000 bytes" in reading.problem
    assert reading.value(0x0020000D) == "1.2.3"


def encapsulated(*fragments: bytes) -> bytes:
    items = b"".join(struct.pack("<HHL", 0xFFFE, 0xE000, len(part)) + part for part in (b"", *fragments))
    return struct.pack("<HH2sHL", 0x7FE0, 0x0010, b"OB", 0, 0xFFFFFFFF) + items + b"\xfe\xff\xdd\xe0\0\0\0\0"


@pytest.mark.parametrize("fragment", [0, 16_000])
def test_encapsulated_pixel_data_ends_with_its_delimiter(fragment):
    whole = dataset() + encapsulated(bytes(70_000), bytes(70_000))
    assert read(whole, "1.2.840.10008.1.2.4.70", fragment).problem == ""
    assert read(whole[:-8], "1.2.840.10008.1.2.4.70", fragment).problem != ""
    assert read(whole[:-50_000], "1.2.840.10008.1.2.4.70", fragment).problem != ""


def test_elements_after_the_pixel_data_are_no_problem():
    padding = encode_element(0xFFFCFFFC, "OB", bytes(10), EXPLICIT_LITTLE)
    assert read(dataset(bytes(100_000)) + padding, fragment=16_000).problem == ""


def test_attributes_behind_a_huge_private_one_are_found():
    huge = encode_element(0x00091001, "OB", bytes(300_000), EXPLICIT_LITTLE)
    data = dataset(SOPInstanceUID="1.2.3")
    at = data.index(struct.pack("<HH", 0x0010, 0x0010))
    reading = read(data[:at] + huge + data[at:], fragment=16_000)
    assert reading.problem == ""
    assert reading.value(0x00100020) == "P1"


@pytest.mark.parametrize("encoding", [EXPLICIT, IMPLICIT, "1.2.840.10008.1.2.2", DEFLATED])
def test_any_prefix_and_any_garbage_is_read_without_an_exception(encoding):
    data = dataset(bytes(64))
    dice = random.Random(7)
    for length in range(len(data)):
        rows(read(data[:length], encoding))
    for _ in range(300):
        damaged = bytearray(data)
        for _ in range(dice.randint(1, 8)):
            damaged[dice.randrange(len(damaged))] = dice.randrange(256)
        rows(read(bytes(damaged), encoding))
        rows(read(dice.randbytes(dice.randint(0, 400)), encoding))


@pytest.mark.parametrize("depth", [64, 300, 10_000])
@pytest.mark.parametrize("closed", [True, False])
def test_deep_nesting_is_stepped_over(depth, closed):
    opened = struct.pack("<HH2sHL", 0x0008, 0x1115, b"SQ", 0, 0xFFFFFFFF) + struct.pack(
        "<HHL", 0xFFFE, 0xE000, 0xFFFFFFFF
    )
    end = b"\xfe\xff\x0d\xe0\0\0\0\0\xfe\xff\xdd\xe0\0\0\0\0"
    reading = read(encode_element(0x00080060, "CS", b"CT", EXPLICIT_LITTLE) + opened * depth + end * depth * closed)
    assert (reading.problem == "") is closed
    assert reading.value(0x00080060) == "CT"


def test_a_deflated_data_set_is_inflated_for_its_header():
    packer = zlib.compressobj(wbits=-15)
    packed = packer.compress(dataset(bytes(1000))) + packer.flush()
    assert read(packed, DEFLATED).value(0x00100020) == "P1"
    assert read(packed, DEFLATED).problem == ""


def test_a_deflated_bomb_costs_a_bounded_amount_of_memory():
    packer = zlib.compressobj(9, wbits=-15)
    packed = packer.compress(dataset()) + b"".join(packer.compress(bytes(1 << 20)) for _ in range(100)) + packer.flush()
    assert len(packed) < 1 << 20
    tracemalloc.start()
    reading = read(packed, DEFLATED)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 64 << 20
    assert reading.value(0x00100020) == "P1"


def test_a_value_of_megabytes_does_not_go_into_the_index():
    reading = read(dataset(PatientComments=b"x" * 60_000), IMPLICIT)
    data = struct.pack("<HHL", 0x0010, 0x4000, 5 << 20) + b"x" * (5 << 20)
    reading = read(data, IMPLICIT)
    assert reading.value(0x00104000) == "x" * (1 << 16)
