"""The attributes of encoded data sets, whatever a peer sends."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockpacs.scenario.facts import ITEM, DataFacts
from mockpacs.wire.dataset import (
    DEFLATED,
    EXPLICIT_BIG,
    EXPLICIT_LITTLE,
    IMPLICIT_LITTLE,
    Encoding,
    deflate,
    encode_element,
    encode_sequence,
)
from tests.scenario.asking import Values, data

PATIENT_ID, PATIENT_NAME, ROWS, SEQUENCE, PIXELS = 0x00100020, 0x00100010, 0x00280010, 0x00081115, 0x7FE00010
PLAIN = (IMPLICIT_LITTLE, EXPLICIT_LITTLE, EXPLICIT_BIG)
SAMPLE: Values = {
    "PatientID": " P1 ",
    "PatientName": "DOE^JOHN",
    "StudyDate": "",
    "ImageType": b"ORIGINAL\\PRIMARY",
    "ReferencedSeriesSequence": [{"SeriesInstanceUID": "1.2"}, {"SeriesInstanceUID": b"1.3\0"}],
}


@pytest.mark.parametrize("encoding", [*PLAIN, DEFLATED], ids=["implicit", "explicit", "big", "deflated"])
def test_values_are_read_in_every_encoding(encoding: Encoding) -> None:
    plain = EXPLICIT_LITTLE if encoding.deflated else encoding
    rows = encode_element(ROWS, "US", struct.pack("<H" if plain.little_endian else ">H", 512), plain)
    written = data(SAMPLE, plain) + rows
    facts = DataFacts(deflate(written) if encoding.deflated else written, encoding)
    assert facts.values(PATIENT_ID) == ("P1",)
    assert facts.values(0x00080020) == ()
    assert facts.values(0x00080030) is None
    assert facts.values(0x00080008) == ("ORIGINAL", "PRIMARY")
    assert facts.values(ROWS) == ("512",)
    assert facts.values(SEQUENCE) == (ITEM, ITEM)
    items = facts.items(SEQUENCE)
    assert items is not None
    assert [item.values(0x0020000E) for item in items] == [("1.2",), ("1.3",)]
    assert facts.items(PATIENT_ID) is None
    assert facts.items(0x00081032) is None


@pytest.mark.parametrize(
    ("tag", "vr", "raw", "expected"),
    [
        (0x00280010, "US", b"\1\0\2\0", ("1", "2")),
        (0x00280106, "SS", b"\xff\xff", ("-1",)),
        (0x00081197, "UL", b"\1\0\0\0", ("1",)),
        (0x00186020, "SL", b"\xff\xff\xff\xff", ("-1",)),
        (0x00089459, "FL", struct.pack("<f", 0.1), ("0.1",)),
        (0x00189073, "FD", struct.pack("<d", 0.1), ("0.1",)),
        (0x00280009, "AT", b"\x18\0\x63\x10", ("00181063",)),
        (0x00420011, "OB", b"\x01\xff", ("01ff",)),
        (0x00420011, "OB", b"", ()),
        (0x00091001, "UN", b"text", ("text",)),
        (0x00091001, "UN", b"\0\1\2\3", ("00010203",)),
        (0x00104000, "LT", b"  a\\b  ", ("  a\\b",)),
    ],
)
def test_values_of_every_kind_are_text(tag: int, vr: str, raw: bytes, expected: tuple[str, ...]) -> None:
    assert DataFacts(encode_element(tag, vr, raw, EXPLICIT_LITTLE), EXPLICIT_LITTLE).values(tag) == expected


def test_of_numbers_that_are_cut_the_whole_ones_count() -> None:
    written = struct.pack("<HH2sH", 0x0028, 0x0010, b"US", 3) + b"\1\0\2"
    assert DataFacts(written, EXPLICIT_LITTLE).values(ROWS) == ("1",)


def test_text_is_read_in_the_character_set_of_its_data_set_and_of_its_item() -> None:
    name = "Čapek^Karel"
    latin = name.encode("iso8859-2") + b" "
    item: Values = {"SpecificCharacterSet": "ISO_IR 192", "PatientName": name.encode()}
    inherits: Values = {"PatientName": latin}
    outer: Values = {"SpecificCharacterSet": "ISO_IR 101", "PatientName": latin}
    facts = DataFacts(data({**outer, "ReferencedSeriesSequence": [item, inherits]}), EXPLICIT_LITTLE)
    items = facts.items(SEQUENCE) or ()
    assert [one.values(PATIENT_NAME) for one in (facts, *items)] == [(name,)] * 3


def test_only_what_is_wanted_is_kept_and_everything_can_be_asked_for() -> None:
    facts = DataFacts(data(SAMPLE), EXPLICIT_LITTLE, frozenset({PATIENT_ID}))
    assert facts.values(PATIENT_ID) == ("P1",)
    assert set(facts._elements or ()) == {PATIENT_ID}
    assert facts.values(PATIENT_NAME) == ("DOE^JOHN",)
    assert facts.values(PATIENT_ID) == ("P1",)


def test_text_is_right_too_when_its_character_set_is_not_among_what_is_wanted() -> None:
    written = data({"SpecificCharacterSet": "ISO_IR 101", "PatientName": "Čapek".encode("iso8859-2") + b" "})
    assert DataFacts(written, EXPLICIT_LITTLE, frozenset({PATIENT_NAME})).values(PATIENT_NAME) == ("Čapek",)


def test_what_stands_before_a_cut_counts() -> None:
    whole = data({"StudyDate": "20240101", "PatientID": "P1", "PatientName": "DOE"})
    facts = DataFacts(whole[:-3], EXPLICIT_LITTLE)
    assert facts.values(0x00080020) == ("20240101",)
    assert facts.values(PATIENT_NAME) == ("DOE",)
    assert facts.values(PATIENT_ID) is None


def test_pixel_data_is_seen_when_somebody_asks() -> None:
    written = data({"PatientID": "P1"}) + encode_element(PIXELS, "OW", bytes(range(64)), EXPLICIT_LITTLE)
    facts = DataFacts(written, EXPLICIT_LITTLE)
    assert facts.values(PIXELS) == (bytes(range(32)).hex(),)
    assert facts.values(PATIENT_ID) == ("P1",)


def test_a_sequence_of_private_tags_and_unknown_vr_is_one_when_its_length_is_undefined() -> None:
    item = struct.pack("<HHL", 0xFFFE, 0xE000, 0xFFFFFFFF) + struct.pack("<HHL", 0xFFFE, 0xE00D, 0)
    written = struct.pack("<HH2sHL", 9, 0x1001, b"UN", 0, 0xFFFFFFFF) + item + struct.pack("<HHL", 0xFFFE, 0xE0DD, 0)
    assert DataFacts(written, EXPLICIT_LITTLE).values(0x00091001) == (ITEM,)


def test_nothing_that_is_huge_is_read_whole() -> None:
    text = encode_element(0x00101000, "UC", b"\\" * 3_000_000, EXPLICIT_LITTLE)
    items = encode_sequence(SEQUENCE, [b""] * 400_000, EXPLICIT_LITTLE)
    assert len(DataFacts(text, EXPLICIT_LITTLE).values(0x00101000) or ()) < 300_000
    assert len(DataFacts(items, EXPLICIT_LITTLE).values(SEQUENCE) or ()) < 200_000


def test_ten_thousand_levels_cost_no_recursion() -> None:
    open_ = struct.pack("<HHL", 8, 0x1115, 0xFFFFFFFF) + struct.pack("<HHL", 0xFFFE, 0xE000, 0xFFFFFFFF)
    written = data({"InstanceCreationDate": "20240101"}, IMPLICIT_LITTLE) + open_ * 10_000
    facts = DataFacts(written, IMPLICIT_LITTLE)
    assert facts.values(0x00080012) == ("20240101",)
    assert facts.values(SEQUENCE) is None


TAGS = (0x00080005, 0x00080008, PATIENT_ID, PATIENT_NAME, ROWS, SEQUENCE, PIXELS, 0x00091001)
ENCODINGS = st.sampled_from([*PLAIN, DEFLATED])
MUTILATED = st.builds(
    lambda whole, at, junk: whole[:at] + junk + whole[at + len(junk) :],
    st.sampled_from([data(SAMPLE, encoding) for encoding in PLAIN]),
    st.integers(0, 120),
    st.binary(max_size=12),
)


@given(st.one_of(st.binary(max_size=200), MUTILATED), ENCODINGS)
def test_no_bytes_make_it_raise(raw: bytes, encoding: Encoding) -> None:
    facts = DataFacts(raw, encoding)
    for tag in TAGS:
        values = facts.values(tag)
        assert values is None or all(isinstance(value, str) for value in values)
        for item in facts.items(tag) or ():
            assert {type(item.values(inner)) for inner in TAGS} <= {tuple, type(None)}
