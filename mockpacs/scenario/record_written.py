"""Records as people write them: ``{keyword: value}`` in YAML or Python, every value read by the VR of the dictionary.

What cannot be read is told all at once, each with the part that is wrong: `Refused`.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import Any, Final

from mockpacs.scenario.record import Field, Nested, Raw, Record, Written, record_of
from mockpacs.scenario.values import Unknown, _bytes, _tag, tag_text
from mockpacs.wire.dictionary import vr_of
from mockpacs.written.kinds import Refused, quoted

_NUMBERS: Final = {"US": "<H", "SS": "<h", "UL": "<L", "SL": "<l", "UV": "<Q", "SV": "<q", "FL": "<f", "FD": "<d"}
_BULK: Final = frozenset(("OB", "OD", "OF", "OL", "OV", "OW"))


def read_record(attributes: Mapping[Any, Any]) -> Record:
    """The record of a mapping from keywords or tags to values. Raises `Refused`."""
    fields: dict[int, Field] = {}
    problems: list[tuple[object, str]] = []
    for key, value in attributes.items():
        try:
            tag = _tag_of(key)
            if tag in fields:
                problems.append((key, f"{tag_text(tag)} is given twice"))
            fields[tag] = read_field(tag, value, key)
        except Refused as no:
            problems.extend(no.problems)
    if problems:
        raise Refused(*problems)
    return record_of(fields.values())


def read_field(tag: int, value: Any, key: object = "") -> Field:
    """One attribute; ``key`` is what is wrong when the value has no place of its own. Raises `Refused`.

    Nothing is zero length, a list is several values, mappings are items, ``!bytes`` and bytes are written as they are.
    """
    vr = vr_of(tag)
    values = value if _is_list(value) else () if value is None else (value,)
    if any(isinstance(one, Mapping) for one in values) or vr == "SQ":
        if vr not in ("SQ", "UN"):
            raise Refused((key, f"{tag_text(tag)} has VR {vr}: a value is expected here, not a mapping"))
        if not all(isinstance(one, Mapping) for one in values if one != ""):
            raise Refused((key, f"{tag_text(tag)} is a sequence: a mapping is expected here, or a list of mappings"))
        return Nested(tag, _items([one for one in values if one != ""]))
    if isinstance(value, bytes):
        return Raw(tag, vr, value)
    if getattr(value, "tag", "") == "!bytes":
        return Raw(tag, vr, _read(_bytes, value, key))
    if any(_is_list(one) for one in values):
        raise Refused((key, f"{tag_text(tag)}: a value cannot be a list"))
    return leaf(tag, vr, values, key)


def leaf(tag: int, vr: str, values: Sequence[Any], key: object = "") -> Field:
    """An attribute that is no sequence. Numbers are read as what their VR can hold. Raises `Refused`."""
    texts = ["" if value is None else str(value) for value in values]
    if not any(texts):
        return Raw(tag, vr, b"\\" * (len(texts) - 1) if vr not in _NUMBERS else b"")
    if vr in _BULK:
        return Raw(tag, vr, _read(_bytes, "".join(texts), key))
    if vr != "AT" and vr not in _NUMBERS:
        return Written(tag, vr, "\\".join(texts))
    packed = [
        _pack(vr, text, _place(value, key), tag)
        for value, whole in zip(values, texts, strict=True)
        for text in whole.split("\\")
    ]
    return Raw(tag, vr, b"".join(packed))


def _pack(vr: str, text: str, part: object, tag: int) -> bytes:
    if vr == "AT":
        number = _tag_of(text, part)
        return struct.pack("<HH", number >> 16, number & 0xFFFF)
    try:
        return struct.pack(_NUMBERS[vr], float(text) if vr in ("FL", "FD") else int(text))
    except (ValueError, struct.error, OverflowError):
        raise Refused((part, f"{quoted(text)} is no number of VR {vr}, which {tag_text(tag)} has")) from None


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)


def _items(mappings: Sequence[Mapping[Any, Any]]) -> tuple[Record, ...]:
    items: list[Record] = []
    problems: list[tuple[object, str]] = []
    for item in mappings:
        try:
            items.append(read_record(item))
        except Refused as no:
            problems.extend(no.problems)
    if problems:
        raise Refused(*problems)
    return tuple(items)


def _tag_of(key: Any, part: object = None) -> int:
    try:
        return int(_tag(key))
    except Unknown as no:
        raise Refused((key if part is None else part, no.told())) from None


def _read(read: Any, value: Any, key: object) -> bytes:
    try:
        return bytes(read(value))
    except ValueError as no:
        raise Refused((_place(value, key), str(no))) from None


def _place(value: object, key: object) -> object:
    """Whichever says where it stands in its file."""
    return value if hasattr(value, "place") else key
