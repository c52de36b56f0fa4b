"""The values of an element as text, whatever its VR, and back to bytes. Never raises on peer bytes."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Final

from mockpacs.wire import text
from mockpacs.wire.dataset import Encoding

_NUMBERS: Final = {
    "US": "H", "SS": "h", "UL": "L", "SL": "l", "UV": "Q", "SV": "q", "FL": "f", "FD": "d", "AT": "HH",
}  # fmt: skip
_WORDS: Final = {"OW": 2, "OF": 4, "OL": 4, "OD": 8, "OV": 8}

BULK: Final = frozenset(("OB", "OD", "OF", "OL", "OV", "OW"))
"""VRs of bulk data: neither keys nor in an answer."""

LOCALISED: Final = text.LOCALISED
"""VRs whose text is written in the Specific Character Set; the text of all others is plain ASCII (PS3.5 6.1.2.3)."""


def is_numeric(vr: str) -> bool:
    """Whether the VR is a binary number or tag."""
    return vr in _NUMBERS


def read(raw: bytes | memoryview, vr: str, encoding: Encoding, character_set: str = "") -> tuple[str, ...]:
    """The values as text: numbers in decimal, tags as GGGGEEEE, UN like LO. ``()`` when there is none.

    Bytes that do not make a whole number at the end are dropped.
    """
    if vr in _NUMBERS:
        return _read_numbers(raw, vr, encoding)
    return text.values(raw, "LO" if vr == "UN" else vr, character_set)


def write_numbers(values: Sequence[str], vr: str, encoding: Encoding) -> bytes:
    """The bytes of numbers given as text; b"" when one of them is no number of that VR."""
    shape = struct.Struct(_order(encoding) + _NUMBERS[vr])
    try:
        if vr == "AT":
            return b"".join(shape.pack(int(value[:4], 16), int(value[4:], 16)) for value in values)
        parse = float if vr in ("FL", "FD") else int
        return b"".join(shape.pack(parse(value)) for value in values)
    except (ValueError, struct.error, OverflowError):
        return b""


def reorder(raw: bytes | memoryview, vr: str, source: Encoding, target: Encoding) -> bytes:
    """The bytes of a value, turned around when the VR is binary and the two encodings differ in byte order."""
    size = struct.calcsize("=" + _NUMBERS[vr][0]) if vr in _NUMBERS else _WORDS.get(vr, 1)
    data = bytes(raw)
    if size == 1 or source.little_endian == target.little_endian:
        return data
    data = data[: len(data) // size * size]
    return b"".join(data[at : at + size][::-1] for at in range(0, len(data), size))


def _read_numbers(raw: bytes | memoryview, vr: str, encoding: Encoding) -> tuple[str, ...]:
    shape = struct.Struct(_order(encoding) + _NUMBERS[vr])
    numbers = shape.iter_unpack(raw[: len(raw) // shape.size * shape.size])
    if vr == "AT":
        return tuple(f"{group:04X}{element:04X}" for group, element in numbers)
    return tuple(str(number) for (number,) in numbers)


def _order(encoding: Encoding) -> str:
    return "<" if encoding.little_endian else ">"
