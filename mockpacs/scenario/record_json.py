"""Records from the DICOM JSON model (PS3.18 F.2)."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from mockpacs.scenario.record import Field, Nested, Raw, Record, Written, record_of
from mockpacs.scenario.record_written import leaf
from mockpacs.wire.dictionary import vr_of
from mockpacs.written.kinds import Refused, quoted

LARGEST_FILE: Final = 64 << 20
LARGEST_VALUE: Final = 64_000
"""Bytes of a value that is taken from a file; what is larger is left out, as pixels are: answers do not carry it."""
PIXEL_GROUP: Final = 0x7FE0
_TAG: Final = re.compile(r"[0-9A-Fa-f]{8}")
_VR: Final = re.compile(r"[A-Z]{2}")
_GROUPS: Final = ("Alphabetic", "Ideographic", "Phonetic")


def read_json_file(path: Path) -> list[Record]:
    """The records of a file: one object, or a list of them. Raises OSError, and ValueError with a sentence."""
    with path.open("rb") as file:
        data = file.read(LARGEST_FILE + 1)
    if len(data) > LARGEST_FILE:
        raise ValueError(f"larger than {LARGEST_FILE} bytes")
    try:
        model = json.loads(data, parse_int=str, parse_float=str)  # as it was written: DS 1.50 stays 1.50
    except RecursionError:
        raise ValueError("not JSON that can be read: nested too deeply") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON: line {error.lineno}, column {error.colno}: {error.msg}") from None
    except UnicodeDecodeError:
        raise ValueError("not JSON: not text in UTF-8") from None
    return [read_json(one) for one in (model if isinstance(model, list) else [model])]


def read_json(model: Any) -> Record:
    """The record of one object of the model. Raises ValueError with a sentence. Values kept elsewhere are left out."""
    if not isinstance(model, Mapping):
        raise ValueError(f"{quoted(model)} is not an object of the DICOM JSON model (PS3.18 F.2)")  # noqa: TRY004
    fields = []
    for key, attribute in model.items():
        if not _TAG.fullmatch(key):
            raise ValueError(f"{quoted(key)} is not a tag of the DICOM JSON model, such as 00100010")
        field = _field(int(key, 16), attribute)
        if field is not None and _belongs(field):
            fields.append(field)
    return record_of(fields)


def _belongs(field: Field) -> bool:
    """Whether answers carry it."""
    match field:
        case Raw(_, _, value) | Written(_, _, value):
            size = len(value)
        case Nested():
            size = 0
    return size <= LARGEST_VALUE and field.tag >> 16 != PIXEL_GROUP and field.tag & 0xFFFF != 0


def _field(tag: int, attribute: Any) -> Field | None:
    if not isinstance(attribute, Mapping):
        raise ValueError(f"{tag:08X}: {quoted(attribute)} is not an attribute of the DICOM JSON model")  # noqa: TRY004
    vr = attribute.get("vr", vr_of(tag))
    if not isinstance(vr, str) or not _VR.fullmatch(vr):
        raise ValueError(f"{tag:08X}: {quoted(vr)} is not a VR")
    if "BulkDataURI" in attribute:
        return None
    if "InlineBinary" in attribute:
        return Raw(tag, vr, _binary(tag, attribute["InlineBinary"]))
    values = attribute.get("Value", [])
    if not isinstance(values, list):
        raise ValueError(f"{tag:08X}: Value is a list, this is {quoted(values)}")  # noqa: TRY004
    if vr == "SQ":
        return Nested(tag, tuple(read_json(item or {}) for item in values))
    try:
        return leaf(tag, vr, [_text(tag, value) for value in values] or [None])
    except Refused as no:
        raise ValueError(f"{tag:08X}: {no.problems[0][1]}") from None


def _text(tag: int, value: Any) -> str | None:
    """A value as text. A person name comes in component groups (PS3.18 F.2.2)."""
    if isinstance(value, Mapping):
        return "=".join(str(value.get(group, "")) for group in _GROUPS).rstrip("=")
    if value is None or isinstance(value, str | int | float):
        return None if value is None else str(value)
    raise ValueError(f"{tag:08X}: {quoted(value)} is not a value")


def _binary(tag: int, value: Any) -> bytes:
    try:
        return base64.b64decode(str(value), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError(f"{tag:08X}: InlineBinary is not base64") from None
