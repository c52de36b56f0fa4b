"""A data set as a mapping that people read: ``{keyword: value}``, nested as it is."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qs

from mockpacs.traffic.dump.dicom_json import convert
from mockpacs.wire.dataset import Encoding
from mockpacs.wire.dictionary import keyword_of

_GROUPS: Final = ("Alphabetic", "Ideographic", "Phonetic")
_UNREADABLE: Final = "unreadable"
"""The key under which it is said what could not be read; no keyword begins with a small letter."""


def readable(data: bytes, transfer_syntax: str) -> dict[str, Any]:
    """The attributes by keyword, private ones by tag; of long values the size only. Never raises on the bytes."""
    converted = convert(data, Encoding.of(transfer_syntax))
    found = _attributes(converted.model)
    return {**found, _UNREADABLE: list(converted.problems)} if converted.problems else found


def _attributes(model: Mapping[str, Any]) -> dict[str, Any]:
    return {_name(key): _values(attribute) for key, attribute in model.items()}


def _name(key: str) -> str:
    return keyword_of(int(key, 16)) or f"{key[:4]},{key[4:]}"


def _values(attribute: Mapping[str, Any]) -> Any:
    if "BulkDataURI" in attribute:
        size = parse_qs(attribute["BulkDataURI"].lstrip("#")).get("size", ["?"])[0]
        return f"({size} bytes)"
    if "InlineBinary" in attribute:
        return base64.b64decode(attribute["InlineBinary"])
    values = [_one(value) for value in attribute.get("Value", ())]
    if attribute.get("vr") == "SQ":
        return values
    return values[0] if len(values) == 1 else values or ""


def _one(value: Any) -> Any:
    """An item, a person name, or a value."""
    if not isinstance(value, Mapping):
        return "" if value is None else value
    if value and value.keys() <= set(_GROUPS):
        return "=".join(value.get(group, "") for group in _GROUPS).rstrip("=")
    return _attributes(value)
