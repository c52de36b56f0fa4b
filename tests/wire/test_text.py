"""Character sets both ways, against pydicom as the independent judge."""

from __future__ import annotations

from pathlib import Path

import pydicom
import pytest
from pydicom.data import get_charset_files

from mockpacs.wire import text
from mockpacs.wire.dataset import Encoding, scan

CHARSET_FILES = sorted(
    Path(name) for name in get_charset_files("*.dcm") if "PatientName" in pydicom.dcmread(name, force=True)
)


@pytest.mark.parametrize("path", CHARSET_FILES, ids=lambda path: path.stem)
def test_names_of_the_character_set_files_read_as_pydicom_reads_them(path: Path) -> None:
    dataset = pydicom.dcmread(path, force=True)
    with path.open("rb") as file:
        raw = file.read()
    offset = 132 + 12 + int.from_bytes(raw[140:144], "little") if raw[128:132] == b"DICM" else 0
    syntax = dataset.file_meta.get("TransferSyntaxUID", "1.2.840.10008.1.2") if offset else "1.2.840.10008.1.2"
    elements = scan(raw[offset:], Encoding.of(str(syntax))).elements
    label = text.decode(elements[0x00080005].value).strip() if 0x00080005 in elements else ""
    names = text.values(elements[0x00100010].value, "PN", label)
    assert [name.rstrip("=") for name in names] == [str(dataset.PatientName)]  # pydicom drops an empty third group


ROUND_TRIPS = [
    ("", "DOE^JANE"),
    ("ISO_IR 100", "Müller^Jürgen"),
    ("ISO_IR 101", "Wałęsa^Łukasz"),
    ("ISO_IR 126", "Διονυσιος"),
    ("ISO_IR 144", "Люкceмбypг"),
    ("ISO_IR 192", "Wang^XiaoDong=王^小東="),
    ("GB18030", "Wang^XiaoDong=王^小东="),
    ("ISO_IR 13", "ﾔﾏﾀﾞ^ﾀﾛｳ"),
    ("\\ISO 2022 IR 87", "Yamada^Tarou=山田^太郎=やまだ^たろう"),
    ("\\ISO 2022 IR 149", "Hong^Gildong=洪^吉洞=홍^길동"),
    ("\\ISO 2022 IR 58", "Zhang^XiaoDong=张^小东="),
    ("ISO 2022 IR 6\\ISO 2022 IR 100", "Äneas"),
]


@pytest.mark.parametrize(("character_set", "name"), ROUND_TRIPS)
def test_what_is_encoded_decodes_to_the_same_text(character_set: str, name: str) -> None:
    encoded = text.encode(name, character_set)
    assert encoded is not None
    assert text.decode(encoded, character_set) == name


@pytest.mark.parametrize(
    ("character_set", "name"), [("", "Müller"), ("ISO_IR 6", "Müller"), ("ISO_IR 100", "山田"), ("ISO_IR 13", "山田")]
)
def test_a_character_set_that_cannot_say_it_says_so(character_set: str, name: str) -> None:
    assert text.encode(name, character_set) is None


@pytest.mark.parametrize("raw", [b"M\xfcller", "Müller".encode()])
def test_unlabelled_text_is_read_as_what_it_most_likely_is(raw: bytes) -> None:
    assert text.decode(raw) == "Müller"


@pytest.mark.parametrize(
    "label", ["", "nonsense", "ISO IR 100", "\\\\", "ISO 2022 IR 87\\GBK", "ISO_IR 192\\ISO 2022 IR 87"]
)
@pytest.mark.parametrize("raw", [b"\xff\xfe", b"\x1b", b"\x1b$", b"\x1b$B\x30", b"\x1b$)C\xfb", bytes(range(256))])
def test_no_bytes_and_no_label_make_decoding_fail(raw: bytes, label: str) -> None:
    assert isinstance(text.decode(raw, label), str)


VALUES = [
    (b"A\\ B \\", "LO", ("A", "B", "")),
    (b"  two  ", "LO", ("two",)),
    (b"  two  ", "LT", ("  two",)),
    (b"a\\b ", "LT", ("a\\b",)),
    (b"a\\b ", "UC", ("a", "b")),
    (b"1.2\0", "UI", ("1.2",)),
    (b"", "LO", ()),
    (b"    ", "LO", ()),
    (b"\\", "CS", ("", "")),
]


@pytest.mark.parametrize(("raw", "vr", "expected"), VALUES)
def test_values_are_split_and_trimmed_by_vr(raw: bytes, vr: str, expected: tuple[str, ...]) -> None:
    assert text.values(raw, vr) == expected


def test_printable_shows_what_a_terminal_would_obey() -> None:
    assert text.printable("A\x1b[31mB\r\n\u202eC") == "A\\x1b[31mB\\r\\n\\u202eC"
    assert text.printable("Müller") == "Müller"
    assert text.printable("x" * 10, limit=4) == "xxx…"


def test_known_terms_are_told_from_invented_ones() -> None:
    assert text.is_known("ISO_IR 100")
    assert text.is_known("\\ISO 2022 IR 87")
    assert not text.is_known("LATIN-1")
