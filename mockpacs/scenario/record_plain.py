"""Answers as plain values again: what was read from a file without its places, a data set as ``{keyword: value}``."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from mockpacs.scenario.values import tag_key
from mockpacs.written.yaml_file import Text


def plain(value: Any) -> Any:
    """Texts, numbers, bytes, lists and mappings. Only a text with a tag (``!bytes``) stays what it is."""
    match value:
        case Text():
            return value if value.tag else str(value)
        case str():
            return str.__str__(value)
        case PurePath():
            return str(value)
        case Mapping():
            return {_key(key): plain(one) for key, one in value.items()}
        case list() | tuple():
            return [plain(one) for one in value]
    if hasattr(value, "to_json_dict"):  # a data set of pydicom
        return _attributes(value.to_json_dict())
    if hasattr(value, "to_plain"):  # a set of answers that was not written
        return value.to_plain()
    return value


def _key(key: Any) -> Any:
    return tag_key(key) if isinstance(key, int) else plain(key)


def _attributes(model: Mapping[str, Any]) -> dict[str, Any]:
    """An object of the DICOM JSON model (PS3.18 F.2); values that are kept elsewhere are left out."""
    return {
        tag_key(int(key, 16)): _values(attribute) for key, attribute in model.items() if "BulkDataURI" not in attribute
    }


def _values(attribute: Mapping[str, Any]) -> Any:
    if "InlineBinary" in attribute:
        return Text(base64.b64decode(attribute["InlineBinary"]).hex(" "), "", "!bytes")  # a text, so that JSON has it
    values = [_one(value) for value in attribute.get("Value", ())]
    if attribute.get("vr") == "SQ":
        return values
    return values[0] if len(values) == 1 else values or None


def _one(value: Any) -> Any:
    """An item, a person name, or a value; nothing among several is an empty text."""
    if not isinstance(value, Mapping):
        return "" if value is None else value
    groups = [value.get(group, "") for group in ("Alphabetic", "Ideographic", "Phonetic")]
    if value.keys() <= {"Alphabetic", "Ideographic", "Phonetic"} and value:
        return "=".join(groups).rstrip("=")
    return _attributes(value)
