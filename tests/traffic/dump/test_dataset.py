"""Data sets as lines: every encoding, every kind of value, and every kind of nonsense."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mockpacs.traffic.dump import dataset, walk
from mockpacs.traffic.dump.line import Tone
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
from tests.conftest import wheel_files

SEQUENCE = 0x00081115
ITEM = b"\xfe\xff\x00\xe0"
OPEN = b"\xff\xff\xff\xff"
ITEM_END = b"\xfe\xff\x0d\xe0\0\0\0\0"
SEQUENCE_END = b"\xfe\xff\xdd\xe0\0\0\0\0"


def shown(data: bytes, encoding: Encoding = EXPLICIT_LITTLE) -> list[str]:
    return [line.text for line in dataset.lines(data, encoding)]


def element(tag: int, vr: str, value: bytes, encoding: Encoding = EXPLICIT_LITTLE) -> bytes:
    return encode_element(tag, vr, value, encoding)


@pytest.mark.parametrize(
    ("tag", "vr", "value", "expected"),
    [
        (0x00100010, "PN", b"DOE^JOHN", "(0010,0010) PN PatientName                        DOE^JOHN"),
        (0x00100010, "PN", b"", "(0010,0010) PN PatientName                        (empty)"),
        (0x00100020, "LO", b"  ", "(only padding)"),
        (0x00080008, "CS", b"ORIGINAL\\PRIMARY", r"ORIGINAL\PRIMARY"),
        (0x00080016, "UI", b"1.2.840.10008.1.1", "1.2.840.10008.1.1 (Verification SOP Class)"),
        (0x00080018, "UI", b"1.2.3", "1.2.3"),
        (0x00104000, "LT", b"a" * 300, "a" * 100 + "…  (300 bytes)"),
        (0x00104000, "LT", b"\x1b[2J\r\n", r"\x1b[2J\r\n"),
        (0x00280010, "US", struct.pack("<H", 512), "512"),
        (0x00280010, "US", b"\1\2\3\4", r"513\1027"),
        (0x00080000, "UL", b"\1\2", "01 02  (2 bytes)"),
        (0x00280120, "SS", struct.pack("<h", -2000), "-2000"),
        (0x00189073, "FD", struct.pack("<d", 0.1), "0.1"),
        (0x00189087, "FL", struct.pack("<f", 0.1), "0.100000001"),
        (0x00189087, "FL", struct.pack("<20f", *range(20)), r"14\15\…  (20 values)"),
        (0x00280009, "AT", b"\x18\0\x63\x10", "(0018,1063) FrameTime"),
        (0x7FE00010, "OW", bytes(range(20)), "00 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f …  (20 bytes)"),
        (0x00091001, "UN", b"text", '74 65 78 74  "text"  (4 bytes)'),
        (0x00100020, "UN", b"P1", "PatientID                          P1"),
        (0x00080000, "UL", struct.pack("<L", 64), "group length"),
        (0x00090010, "LO", b"GEMS_IDEN_01", "private creator"),
        (0x00081234, "LO", b"x", "unknown"),
        (0x00080060, "ZZ", b"CT", "ZZ Modality"),
    ],
)
def test_values_are_shown_by_their_vr(tag: int, vr: str, value: bytes, expected: str) -> None:
    assert expected in "\n".join(shown(element(tag, vr, value)))


def test_the_name_of_a_private_element_comes_from_its_creator() -> None:
    raw = element(0x00090010, "LO", b"GEMS_IDEN_01", IMPLICIT_LITTLE)
    raw += element(0x00091004, "SH", b"HiSpeed", IMPLICIT_LITTLE)
    assert shown(raw, IMPLICIT_LITTLE)[1].split() == ["(0009,1004)", "SH", "Product", "id", "[GEMS_IDEN_01]", "HiSpeed"]


def nested(encoding: Encoding) -> bytes:
    inner = element(0x0020000E, "UI", b"1.2.3", encoding)
    return encode_sequence(SEQUENCE, [inner, b""], encoding) + element(0x00100020, "LO", b"P1", encoding)


@pytest.mark.parametrize("encoding", [IMPLICIT_LITTLE, EXPLICIT_LITTLE, EXPLICIT_BIG], ids=str)
def test_sequences_are_entered_in_every_encoding(encoding: Encoding) -> None:
    assert [line.split()[:3] for line in shown(nested(encoding), encoding)] == [
        ["(0008,1115)", "SQ", "ReferencedSeriesSequence"],
        ["item", "1"],
        ["(0020,000E)", "UI", "SeriesInstanceUID"],
        ["item", "2", "(empty)"],
        ["(0010,0020)", "LO", "PatientID"],
    ]


def test_what_is_nested_is_indented() -> None:
    assert [len(line) - len(line.lstrip()) for line in shown(nested(EXPLICIT_LITTLE))] == [0, 2, 4, 2, 0]


def test_sequences_of_undefined_length_are_entered() -> None:
    inner = element(0x0020000E, "UI", b"1.2.3")
    raw = (
        b"\x08\0\x15\x11SQ\0\0"
        + OPEN
        + ITEM
        + OPEN
        + inner
        + ITEM_END
        + SEQUENCE_END
        + element(0x00100020, "LO", b"P1")
    )
    assert [line.split()[0] for line in shown(raw)] == ["(0008,1115)", "item", "(0020,000E)", "(0010,0020)"]


def test_what_is_inside_a_un_of_undefined_length_is_implicit() -> None:
    inner = element(0x0020000E, "UI", b"1.2.3", IMPLICIT_LITTLE)
    raw = b"\x08\0\x15\x11UN\0\0" + OPEN + ITEM + OPEN + inner + ITEM_END + SEQUENCE_END
    assert shown(raw)[2].split() == ["(0020,000E)", "UI", "SeriesInstanceUID", "1.2.3"]


def test_a_private_sequence_in_implicit_vr_is_recognised() -> None:
    raw = encode_sequence(0x00091001, [element(0x00100020, "LO", b"P1", IMPLICIT_LITTLE)], IMPLICIT_LITTLE)
    assert [line.split()[0] for line in shown(raw, IMPLICIT_LITTLE)] == ["(0009,1001)", "item", "(0010,0020)"]


def test_fragments_of_encapsulated_pixel_data_are_counted() -> None:
    fragment = ITEM + struct.pack("<L", 4) + b"\xff\xd8\xff\xe0"
    raw = b"\xe0\x7f\x10\0OB\0\0" + OPEN + ITEM + bytes(4) + fragment + fragment + SEQUENCE_END
    lines = shown(raw)
    assert [" ".join(line.split()[:2]) for line in lines[1:]] == ["offset table", "fragment 1", "fragment 2"]
    assert lines[-1].endswith("ff d8 ff e0  (4 bytes)")


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("chrX1.dcm", "Wang^XiaoDong=王^小東"),
        ("chrX2.dcm", "Wang^XiaoDong=王^小东"),
        ("chrGerm.dcm", "Äneas^Rüdiger"),
        ("chrH31.dcm", "Yamada^Tarou=山田^太郎=やまだ^たろう"),
    ],
)
def test_text_is_decoded_by_its_character_set(file: str, expected: str) -> None:
    raw = wheel_files(file)[0].read_bytes()
    assert expected in "\n".join(shown(raw[132:]))


def test_an_item_has_the_character_set_of_what_encloses_it_unless_it_has_its_own() -> None:
    name = element(0x00100010, "PN", b"\xc4neas")
    own = element(0x00080005, "CS", b"ISO_IR 192") + element(0x00100010, "PN", "Ärzte".encode())
    raw = element(0x00080005, "CS", b"ISO_IR 100") + encode_sequence(SEQUENCE, [name, own, name], EXPLICIT_LITTLE)
    raw += name
    assert [line.split()[-1] for line in shown(raw) if "PatientName" in line] == ["Äneas", "Ärzte", "Äneas", "Äneas"]


def test_a_deflated_data_set_is_inflated() -> None:
    assert shown(deflate(nested(EXPLICIT_LITTLE)), DEFLATED) == shown(nested(EXPLICIT_LITTLE))


def test_a_deflated_data_set_that_breaks_off_is_shown_up_to_there() -> None:
    whole = b"".join(element(0x00104000, "LT", bytes([65 + i % 26, 48 + i % 10]) * 30) for i in range(2000))
    packed = deflate(whole)
    lines = list(dataset.lines(packed[: len(packed) // 2], DEFLATED))
    assert lines[0].text == "(deflated, and cut before its end)"
    assert lines[0].tone is Tone.WARNING
    assert len(lines) > 10


def test_what_is_not_deflated_is_said_to_be_none() -> None:
    [remark] = dataset.lines(b"\xff" * 40, DEFLATED)
    assert remark.text.startswith("(deflated, not readable after 0 inflated bytes")


def test_a_writer_that_says_explicit_and_means_implicit_is_seen_through() -> None:
    raw = element(0x00080060, "CS", b"CT", IMPLICIT_LITTLE) + element(0x00100020, "LO", b"P1", IMPLICIT_LITTLE)
    lines = shown(raw, EXPLICIT_LITTLE)
    assert "implicit VR" in lines[0]
    assert lines[2].endswith("P1")


GOOD = element(0x00080060, "CS", b"CT")


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"\x10\0\x20\0LO\xff\0AB", "unreadable from byte 10: PatientID says 255 bytes, 2 are left"),
        (b"\x10\0\x20\0\x01\x02\x04\0ABCD", "unreadable from byte 10: no VR at byte 14"),
        (b"\x10\0\x20", "unreadable from byte 10: 3 bytes left, too few for an element"),
        (b"\x10\0\x20\0OB\0\0\0", "unreadable from byte 10: cut inside the head of PatientID"),
        (b"\x08\0\x15\x11SQ\0\0\x0a\0\0\0" + b"junkjunkju", "where an item should begin"),
        (
            b"\x08\0\x15\x11SQ\0\0" + OPEN + ITEM + OPEN,
            "ends too early at byte 30: it does not end: its delimiter is missing",
        ),
        (b"\xe0\x7f\x10\0OB\0\0" + OPEN + ITEM + OPEN, "a fragment of undefined length"),
        (b"\xe0\x7f\x10\0OB\0\0" + OPEN + ITEM + b"\x09\0\0\0AB", "a fragment of 9 bytes, 2 are left"),
        (
            b"\xe0\x7f\x10\0OB\0\0" + OPEN + b"\x08\0\x15\x11SQ\0\0",
            "ReferencedSeriesSequence where a fragment should begin",
        ),
    ],
)
def test_what_cannot_be_read_is_said_and_shown_in_hex(raw: bytes, why: str) -> None:
    lines = list(dataset.lines(GOOD + raw, EXPLICIT_LITTLE))
    assert lines[0].text.endswith("CT")
    [bad] = [line for line in lines if line.tone is Tone.BAD]
    assert why in bad.text
    if "unreadable" in bad.text:
        assert lines[-1].text.endswith("|")


def test_reading_goes_on_behind_an_item_that_is_nonsense() -> None:
    items = [b"\x10\0\x20\0LO\xff\0AB", element(0x00100020, "LO", b"P2")]
    lines = shown(encode_sequence(SEQUENCE, items, EXPLICIT_LITTLE) + element(0x0020000D, "UI", b"1.2"))
    assert "unreadable from byte 20" in lines[2]
    assert lines[-2].endswith("P2")
    assert lines[-1].endswith("1.2")


def test_a_cut_sequence_shows_what_is_there_of_it() -> None:
    lines = list(dataset.lines(nested(EXPLICIT_LITTLE)[:30], EXPLICIT_LITTLE))
    assert [line.tone for line in lines] == [Tone.BAD] * 3 + [Tone.PLAIN]
    assert "ReferencedSeriesSequence says 30 bytes, 18 are left" in lines[0].text


def test_elements_without_end_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walk, "ELEMENTS_AT_MOST", 10)
    empty = encode_element(0x00080008, "CS", b"", EXPLICIT_LITTLE)
    shown = [line.text for line in dataset.lines(empty * 20, EXPLICIT_LITTLE)]
    assert sum("ImageType" in text for text in shown) == 10
    assert shown[10] == "unreadable from byte 80: more than 10 elements; the rest is not looked at"


def test_ten_thousand_levels_are_no_deeper_than_thirty_two() -> None:
    lines = list(dataset.lines((b"\x08\0\x15\x11SQ\0\0" + OPEN + ITEM + OPEN) * 10_000, EXPLICIT_LITTLE))
    assert len(lines) < 80
    assert "nested deeper than 32" in lines[-1].text


@settings(max_examples=200, deadline=None)
@given(
    st.binary(max_size=400),
    st.integers(0, 400),
    st.sampled_from([IMPLICIT_LITTLE, EXPLICIT_LITTLE, EXPLICIT_BIG, DEFLATED]),
)
def test_no_bytes_raise_and_no_line_moves_the_cursor(noise: bytes, place: int, encoding: Encoding) -> None:
    raw = nested(EXPLICIT_LITTLE)
    for line in dataset.lines(raw[:place] + noise + raw[place:], encoding):
        assert line.text.isprintable()


@pytest.mark.parametrize("path", wheel_files(), ids=lambda path: path.name)
def test_real_files_are_readable(path: object) -> None:
    from mockpacs.wire.part10 import decode_head

    raw = path.read_bytes()  # type: ignore[attr-defined]
    head = decode_head(raw)
    if head is None:
        pytest.skip("no file meta information")
    lines = list(dataset.lines(raw[head.data_offset :], Encoding.of(head.meta.transfer_syntax)))
    assert all(line.text.isprintable() for line in lines)
    is_cut = any(word in path.name for word in ("truncated", "nooffset"))  # type: ignore[attr-defined]
    assert any(line.tone is Tone.BAD for line in lines) is is_cut
