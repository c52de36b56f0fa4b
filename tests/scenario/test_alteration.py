"""Changed identifiers: what was asked for is different, everything else is the same to the byte."""

from __future__ import annotations

import struct
import zlib
from typing import Any

import pytest
from pydicom import Dataset

from mockpacs.scenario.alteration import altered
from mockpacs.wire.dataset import (
    DEFLATED,
    EXPLICIT_BIG,
    EXPLICIT_LITTLE,
    IMPLICIT_LITTLE,
    UNDEFINED,
    Encoding,
    deflate,
    encode_element,
    encode_sequence,
)
from mockpacs.written.kinds import Refused
from tests.archive.asking import read, written

ENCODINGS = [IMPLICIT_LITTLE, EXPLICIT_LITTLE, EXPLICIT_BIG, DEFLATED]
IDS = ["implicit", "explicit", "big", "deflated"]
CHARACTER_SET, MODALITY, CODES, NAME, PATIENT_ID, STUDY, ROWS = (
    0x00080005, 0x00080060, 0x00081032, 0x00100010, 0x00100020, 0x0020000D, 0x00280010,
)  # fmt: skip


def identifier() -> Dataset:
    dataset = Dataset()
    dataset.SpecificCharacterSet, dataset.QueryRetrieveLevel, dataset.Modality = "ISO_IR 100", "STUDY", "CT"
    dataset.PatientName, dataset.PatientID, dataset.StudyInstanceUID = "Müller", "P1", "1.2"
    item = Dataset()
    item.CodeValue = "C"
    dataset.ProcedureCodeSequence = [item]
    return dataset


@pytest.mark.parametrize("encoding", ENCODINGS, ids=IDS)
@pytest.mark.parametrize(
    ("changes", "remove"),
    [
        ({PATIENT_ID: "P22"}, ()),
        ({PATIENT_ID: None, STUDY: ""}, ()),
        ({ROWS: "512", MODALITY: ["MR", "PT"]}, ()),
        ({0x00080008: "ORIGINAL", 0xFFFA0001: b"xx"}, ()),
        ({CODES: [{"CodeValue": "A"}, {}]}, ()),
        ({CODES: None}, ()),
        ({NAME: "Ü"}, ()),
        ({}, (PATIENT_ID, 0x00400100)),
        ({}, (CODES,)),
        ({STUDY: "1.3"}, (STUDY, NAME)),
    ],
)
def test_an_identifier_is_as_if_it_had_been_written_so(
    encoding: Encoding, changes: dict[int, Any], remove: tuple[int, ...]
) -> None:
    expected = identifier()
    for tag, value in changes.items():
        if tag == CODES:
            expected.ProcedureCodeSequence = []
            for item in value or ():
                expected.ProcedureCodeSequence.append(Dataset())
                for keyword, text in item.items():
                    setattr(expected.ProcedureCodeSequence[-1], keyword, text)
        else:
            expected.add_new(tag, {ROWS: "US", STUDY: "UI"}.get(tag) or _vr(tag), int(value) if tag == ROWS else value)
    for tag in remove:
        expected.pop(tag, None)

    found = altered(written(identifier(), encoding), encoding, changes, remove)

    assert found == written(expected, encoding)


def _vr(tag: int) -> str:
    from pydicom.datadict import dictionary_VR

    return dictionary_VR(tag) if tag != 0xFFFA0001 else "UN"


@pytest.mark.parametrize("encoding", ENCODINGS[:3], ids=IDS[:3])
def test_a_sequence_of_undefined_length_stays_as_it_is(encoding: Encoding) -> None:
    order = "<" if encoding.little_endian else ">"
    head = struct.pack(f"{order}HH", 0x0008, 0x1032) + (b"" if encoding.implicit else b"SQ\0\0")
    inner = encode_element(0x00080100, "SH", b"C", encoding)
    sequence = head + struct.pack(f"{order}LHHL", UNDEFINED, 0xFFFE, 0xE000, UNDEFINED) + inner
    sequence += struct.pack(f"{order}HHLHHL", 0xFFFE, 0xE00D, 0, 0xFFFE, 0xE0DD, 0)
    modality, name = (encode_element(tag, vr, b"AB", encoding) for tag, vr in ((MODALITY, "CS"), (NAME, "PN")))
    other = encode_element(NAME, "PN", b"DOE", encoding)

    assert altered(modality + sequence + name, encoding, {NAME: "DOE"}) == modality + sequence + other
    assert altered(modality + sequence + name, encoding, {}, [MODALITY]) == sequence + name
    assert altered(modality + sequence + name, encoding, {MODALITY: None}, [CODES, NAME]) == encode_element(
        MODALITY, "CS", b"", encoding
    )


@pytest.mark.parametrize("encoding", ENCODINGS, ids=IDS)
def test_another_character_set_is_a_label_and_nothing_else(encoding: Encoding) -> None:
    data = altered(written(identifier(), encoding), encoding, {CHARACTER_SET: "ISO_IR 144"})

    dataset = read(data, encoding)
    assert dataset.SpecificCharacterSet == "ISO_IR 144"
    assert dataset.PatientName.original_string.rstrip() == "Müller".encode("latin-1")


def test_new_text_is_written_as_the_new_label_says() -> None:
    data = altered(
        written(identifier(), EXPLICIT_LITTLE), EXPLICIT_LITTLE, {CHARACTER_SET: "ISO_IR 144", PATIENT_ID: "Ж"}
    )

    assert read(data).PatientID == "Ж"


def test_text_that_the_character_set_cannot_say_makes_it_utf_8() -> None:
    plain = encode_element(PATIENT_ID, "LO", b"P1", EXPLICIT_LITTLE)

    dataset = read(altered(plain, EXPLICIT_LITTLE, {NAME: "山田"}))

    assert (dataset.SpecificCharacterSet, str(dataset.PatientName), dataset.PatientID) == ("ISO_IR 192", "山田", "P1")
    assert "SpecificCharacterSet" not in read(altered(plain, EXPLICIT_LITTLE, {NAME: "山田"}, [CHARACTER_SET]))


@pytest.mark.parametrize(("cut", "rest"), [(None, 10), (0, 10), (1, 9), (10, 0), (99, 0)])
def test_bytes_are_cut_off_the_end(cut: int | None, rest: int) -> None:
    data = encode_element(PATIENT_ID, "LO", b"P1", EXPLICIT_LITTLE)

    assert altered(data, EXPLICIT_LITTLE, {}, (), cut) == data[:rest]


def test_what_is_cut_is_cut_last_also_of_deflated_bytes() -> None:
    plain = encode_element(PATIENT_ID, "LO", b"P1", EXPLICIT_LITTLE)
    new = encode_element(PATIENT_ID, "LO", b"other", EXPLICIT_LITTLE)

    assert altered(plain, EXPLICIT_LITTLE, {PATIENT_ID: "other"}, (), 3) == new[:-3]
    assert altered(deflate(plain), DEFLATED, {PATIENT_ID: "other"}, (), 3) == deflate(new)[:-3]
    assert zlib.decompress(altered(deflate(plain), DEFLATED, {PATIENT_ID: "other"}), -15) == new


@pytest.mark.parametrize(
    "data",
    [
        b"no identifier at all",
        encode_element(PATIENT_ID, "LO", b"P1", EXPLICIT_LITTLE) * 2,
        encode_element(PATIENT_ID, "LO", b"P1", EXPLICIT_LITTLE)[:-1],
    ],
)
def test_what_cannot_be_taken_apart_is_left_alone(data: bytes) -> None:
    assert altered(data, EXPLICIT_LITTLE, {NAME: "DOE"}, [PATIENT_ID]) == data


def test_a_long_header_is_no_trouble() -> None:
    text = encode_element(0x00081198, "UT", b"long", EXPLICIT_LITTLE)
    items = encode_sequence(CODES, [b""], EXPLICIT_LITTLE)

    assert altered(items + text, EXPLICIT_LITTLE, {}, [CODES]) == text


def test_a_value_that_its_vr_cannot_hold_is_refused() -> None:
    with pytest.raises(Refused, match="no number of VR US"):
        altered(b"", EXPLICIT_LITTLE, {ROWS: "many"})
