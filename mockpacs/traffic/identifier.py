"""A query identifier in one line: its level, and the keys that have something to match (PS3.4 C.4.1).

Read from the bytes of a peer: bounded in depth, count and length, and never raises.
"""

from __future__ import annotations

import struct
from typing import Final

from mockpacs.wire.dataset import EXPLICIT_LITTLE, Element, Encoding, inside, items, scan
from mockpacs.wire.dictionary import name_of, vr_of
from mockpacs.wire.text import printable, values

_SPECIFIC_CHARACTER_SET: Final = 0x00080005
_QUERY_RETRIEVE_LEVEL: Final = 0x00080052
_TIMEZONE_OFFSET: Final = 0x00080201
_NESTED_CONTROL: Final = frozenset((_SPECIFIC_CHARACTER_SET, _TIMEZONE_OFFSET))
# level, view, retrieve AE title, availability: they say something about the query, nothing is matched with them
_CONTROL: Final = _NESTED_CONTROL | {_QUERY_RETRIEVE_LEVEL, 0x00080053, 0x00080054, 0x00080056}
_FIRST: Final = 0x00080000
_ITEMS_AND_PADDING: Final = 0xFFFC0000
_EVERYTHING: Final = 0x1_0000_0000
_GIVE_UP_AT: Final = 64
_DEEPEST: Final = 16
_MOST_KEYS: Final = 2000
_LONGEST_VALUE: Final = 64
_BULK: Final = frozenset(("OB", "OD", "OF", "OL", "OV", "OW"))
_NUMBERS: Final = {
    "US": "H", "SS": "h", "UL": "L", "SL": "l", "UV": "Q", "SV": "q", "FL": "f", "FD": "d", "AT": "HH",
}  # fmt: skip


class _TooMuchError(Exception):
    """Inside this module only: an identifier that nobody can want to read."""


def describe_identifier(data: bytes, encoding: Encoding, limit: int = 200) -> str:
    """``STUDY PatientName=DOE* StudyDate=2020-``: at most ``limit`` characters, control characters made visible."""
    header = scan(data, encoding, stop=_EVERYTHING, deepest=_GIVE_UP_AT)
    elements = header.elements
    encoding = EXPLICIT_LITTLE if encoding.deflated else encoding
    level = _control(elements, _QUERY_RETRIEVE_LEVEL) or "(no level)"
    try:
        words = [level, *_keys(elements, encoding, _control(elements, _SPECIFIC_CHARACTER_SET), 0)]
    except _TooMuchError as problem:
        return printable(f"{level} ({problem})", limit)
    if not header.complete:
        words.append(f"({header.problem})")
    return printable(" ".join(words), limit)


def _keys(elements: dict[int, Element], encoding: Encoding, character_set: str, depth: int) -> list[str]:
    """The keys that do not match everything, each as ``Keyword=value``."""
    if len(elements) > _MOST_KEYS:
        raise _TooMuchError(f"{len(elements)} keys, at most {_MOST_KEYS} are read")
    control = _NESTED_CONTROL if depth else _CONTROL
    found = (
        _key(elements[tag], encoding, character_set, depth)
        for tag in sorted(elements)
        if _FIRST <= tag < _ITEMS_AND_PADDING and tag & 0xFFFF and tag not in control and not _is_creator(tag)
    )
    return [key for key in found if key]


def _key(element: Element, encoding: Encoding, character_set: str, depth: int) -> str:
    vr = _vr(element)
    if vr == "SQ":
        return _sequence(element, encoding, character_set, depth + 1)
    given = _values(element, vr, encoding, character_set)
    if not any(given) or given == ("*",):  # universal matching (PS3.4 C.2.2.2.3)
        return ""
    joined = "\\".join(given)
    return f"{name_of(element.tag)}={joined if len(joined) <= _LONGEST_VALUE else joined[: _LONGEST_VALUE - 1] + '…'}"


def _sequence(element: Element, encoding: Encoding, character_set: str, depth: int) -> str:
    if depth > _DEEPEST:
        raise _TooMuchError(f"Sequences nested deeper than {_DEEPEST} are not read")
    found = items(element, encoding)
    if len(found) > 1:  # exactly one (PS3.4 C.2.2.2.6)
        raise _TooMuchError(f"{name_of(element.tag)} has {len(found)} items, a key has one")
    nested = inside(element, encoding)
    keys = [
        key
        for item in found
        for key in _keys(item, nested, _control(item, _SPECIFIC_CHARACTER_SET) or character_set, depth)
    ]
    return f"{name_of(element.tag)}[{' '.join(keys)}]" if keys else ""


def _vr(element: Element) -> str:
    if element.vr and element.vr != "UN":
        return element.vr
    known = vr_of(element.tag)
    return "SQ" if known == "UN" and element.undefined_length else known


def _values(element: Element, vr: str, encoding: Encoding, character_set: str) -> tuple[str, ...]:
    if vr in _BULK:
        return ()
    shape = _NUMBERS.get(vr)
    if shape is None:
        return values(element.value, "LO" if vr == "UN" else vr, character_set)
    number = struct.Struct(("<" if encoding.little_endian else ">") + shape)
    whole = element.value[: len(element.value) // number.size * number.size]
    if vr == "AT":
        return tuple(f"{group:04X}{one:04X}" for group, one in number.iter_unpack(whole))
    return tuple(str(one) for (one,) in number.iter_unpack(whole))


def _control(elements: dict[int, Element], tag: int) -> str:
    element = elements.get(tag)
    return "\\".join(values(element.value, "CS")) if element else ""


def _is_creator(tag: int) -> bool:
    return bool(tag >> 16 & 1) and 0x10 <= tag & 0xFFFF <= 0xFF
