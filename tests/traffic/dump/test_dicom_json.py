"""The DICOM JSON model (PS3.18 F): what pydicom says of good data sets, and something for bad ones."""

from __future__ import annotations

import base64
import json
import struct
import warnings
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mockpacs.traffic.dump.dicom_json import command_json, convert
from mockpacs.wire import CommandField, Tag, request
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


def model(tag: int, vr: str, value: bytes, encoding: Encoding = EXPLICIT_LITTLE) -> Any:
    return convert(encode_element(tag, vr, value, encoding), encoding).model[f"{tag:08X}"]


@pytest.mark.parametrize(
    ("tag", "vr", "value", "expected"),
    [
        (0x00100010, "PN", b"DOE^JOHN=\xe5=x", {"Alphabetic": "DOE^JOHN", "Ideographic": "å", "Phonetic": "x"}),
        (0x00080008, "CS", b"ORIGINAL", "ORIGINAL"),
        (0x00280010, "US", b"\0\2", 512),
        (0x00200013, "IS", b"12", 12),
        (0x00200032, "DS", b"-1.5", -1.5),
        (0x00200013, "IS", b"1A", "1A"),
        (0x00201041, "DS", b"nan", "nan"),
        (0x00201041, "DS", b"1e999", "1e999"),
        (0x00201041, "DS", b".5E+2", 50.0),
        (0x00200013, "IS", b"1_000", "1_000"),
        (0x00200013, "IS", b"9" * 5000, "9" * 5000),
        (0x00189073, "FD", struct.pack("<d", float("inf")), "inf"),
        (0x00280009, "AT", b"\x18\0\x63\x10", "00181063"),
        (0x00104000, "LT", rb"a\b", r"a\b"),
    ],
)
def test_a_value_has_the_type_of_its_vr(tag: int, vr: str, value: bytes, expected: object) -> None:
    assert model(tag, vr, value) == {"vr": vr, "Value": [expected]}


def test_an_empty_value_among_others_is_null_and_an_empty_element_has_none() -> None:
    assert model(0x00080008, "CS", rb"A\\B") == {"vr": "CS", "Value": ["A", None, "B"]}
    assert model(0x00080008, "CS", b"") == {"vr": "CS"}


def test_bytes_are_inline_up_to_a_limit_and_a_reference_beyond_it() -> None:
    assert model(0x7FE00010, "OW", b"\1\2") == {"vr": "OW", "InlineBinary": "AQI="}
    raw = encode_element(0x7FE00010, "OW", bytes(2000), EXPLICIT_LITTLE)
    assert convert(raw, EXPLICIT_LITTLE).model["7FE00010"] == {"vr": "OW", "BulkDataURI": "#byte=0&size=2000"}
    assert "InlineBinary" in convert(raw, EXPLICIT_LITTLE, bulk=True).model["7FE00010"]


@pytest.mark.parametrize("encoding", [IMPLICIT_LITTLE, EXPLICIT_LITTLE, EXPLICIT_BIG, DEFLATED], ids=str)
def test_every_encoding_gives_the_same_model(encoding: Encoding) -> None:
    inner = EXPLICIT_LITTLE if encoding.deflated else encoding
    rows = encode_element(0x00280010, "US", struct.pack("<H" if inner.little_endian else ">H", 512), inner)
    raw = encode_sequence(0x00081115, [encode_element(0x0020000E, "UI", b"1.2.3", inner), b""], inner) + rows
    found = convert(deflate(raw) if encoding.deflated else raw, encoding)
    assert found.problems == ()
    assert found.model == {
        "00081115": {"vr": "SQ", "Value": [{"0020000E": {"vr": "UI", "Value": ["1.2.3"]}}, {}]},
        "00280010": {"vr": "US", "Value": [512]},
    }


def test_fragments_are_one_value() -> None:
    items = b"\xfe\xff\x00\xe0\0\0\0\0" + b"\xfe\xff\x00\xe0\2\0\0\0ab"
    raw = b"\xe0\x7f\x10\0OB\0\0\xff\xff\xff\xff" + items + b"\xfe\xff\xdd\xe0\0\0\0\0"
    found = convert(raw, EXPLICIT_LITTLE)
    assert base64.b64decode(found.model["7FE00010"]["InlineBinary"]) == items


def test_what_cannot_be_read_is_told_and_the_rest_is_there() -> None:
    raw = encode_element(0x00100020, "LO", b"P1", EXPLICIT_LITTLE)
    found = convert(raw + raw[:9], EXPLICIT_LITTLE)
    assert found.model == {"00100020": {"vr": "LO", "Value": ["P1"]}}
    assert found.problems == ("byte 10: PatientID says 2 bytes, 1 are left",)


def test_nesting_without_end_is_cut_and_can_be_written() -> None:
    level = b"\x08\0\x15\x11SQ\0\0\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff"
    found = convert(level * 20_000, EXPLICIT_LITTLE)
    json.dumps(found.model)
    assert "nested deeper than 32" in found.problems[0]


def test_a_command_set_is_a_data_set() -> None:
    echo = request(CommandField.C_ECHO_RQ, 7, elements={Tag.AFFECTED_SOP_CLASS: "1.2.840.10008.1.1"})
    found = command_json(echo)
    assert found["00000002"] == {"vr": "UI", "Value": ["1.2.840.10008.1.1"]}
    assert found["00000110"] == {"vr": "US", "Value": [7]}


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200), st.sampled_from([IMPLICIT_LITTLE, EXPLICIT_LITTLE, EXPLICIT_BIG, DEFLATED]))
def test_no_bytes_raise(noise: bytes, encoding: Encoding) -> None:
    start = encode_element(0x00080060, "CS", b"CT", EXPLICIT_LITTLE)
    json.dumps(convert(start + noise, encoding).model, allow_nan=False)


# pydicom finds the VR of pixel data in implicit VR by its depth and of US or SS by the pixel representation, keeps
# padding within values, says nothing of a value that is cut, and does not recognise private sequences.
DIFFERENT = {
    "693_J2KI.dcm",
    "DICOMDIR-nooffset",
    "MR_small_implicit.dcm",
    "MR_truncated.dcm",
    "SC_rgb_gdcm_KY.dcm",
    "SC_rgb_jpeg.dcm",
    "SC_rgb_jpeg_lossy_gdcm.dcm",
    "badVR.dcm",
    "priv_SQ.dcm",
    "rtplan_truncated.dcm",
}


@pytest.mark.parametrize(
    "path",
    [path for path in wheel_files() if path.stat().st_size < 300_000 and path.name not in DIFFERENT],
    ids=lambda path: path.name,
)
def test_pydicom_says_the_same_of_real_files(path: Path) -> None:
    import pydicom

    from mockpacs.wire.part10 import decode_head

    raw = path.read_bytes()
    head = decode_head(raw)
    assert head is not None
    found = convert(raw[head.data_offset :], Encoding.of(head.meta.transfer_syntax), bulk=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = pydicom.dcmread(path).to_json_dict(bulk_data_threshold=1 << 40)
    assert _comparable(found.model) == _comparable({key: value for key, value in theirs.items() if key[:4] != "0002"})


def _comparable(data_set: dict[str, Any]) -> dict[str, Any]:
    """Without what the standard leaves open or pydicom does otherwise: group lengths, empty lists, "" for null."""
    found = {}
    for key, one in data_set.items():
        if key[4:] == "0000":
            continue
        values = [
            _comparable(value) if isinstance(value, dict) and one["vr"] == "SQ" else value
            for value in one.get("Value", [])
        ]
        found[key] = {
            "vr": str(one["vr"]),
            "Value": [value or None for value in values],
            "bytes": one.get("InlineBinary", ""),
        }
    return found
