"""The value of an element as short text for a person. Long values are cut and their length is told."""

from __future__ import annotations

import struct
from typing import Final

from mockpacs.traffic.dump.naming import named, tag_name
from mockpacs.wire.text import LOCALISED, decode, printable, values

SHOWN_CHARACTERS: Final = 100
SHOWN_BYTES: Final = 16
SHOWN_NUMBERS: Final = 16
_DECODED_AT_MOST: Final = 4096

TEXT_VRS: Final = LOCALISED | {"AE", "AS", "CS", "DA", "DS", "DT", "IS", "TM", "UI", "UR"}
NUMBER_FORMATS: Final = {
    "FD": "d",
    "FL": "f",
    "SL": "l",
    "SS": "h",
    "SV": "q",
    "UL": "L",
    "US": "H",
    "UV": "Q",
}


def shown(vr: str, value: bytes | memoryview, character_set: str = "", *, little_endian: bool = True) -> str:
    """The text of a raw value; never raises on the bytes, never has a line break."""
    if not len(value):
        return "(empty)"
    if vr == "UI":
        return _cut("\\".join(named(uid) for uid in values(value[:_DECODED_AT_MOST], vr)), value)
    if vr in TEXT_VRS:
        return _text(vr, value, character_set)
    if vr == "AT" and len(value) % 4 == 0:
        return _tags(value, little_endian)
    if vr in NUMBER_FORMATS and len(value) % struct.calcsize("<" + NUMBER_FORMATS[vr]) == 0:
        return _numbers(vr, value, little_endian)
    return binary(value, with_text=vr == "UN")


def numbers(vr: str, value: bytes | memoryview, *, little_endian: bool) -> list[int | float]:
    """The numbers of a binary value, as many as are whole."""
    form = struct.Struct(("<" if little_endian else ">") + NUMBER_FORMATS[vr])
    whole = len(value) // form.size * form.size
    return [number for (number,) in form.iter_unpack(value[:whole])]


def tags(value: bytes | memoryview, *, little_endian: bool) -> list[int]:
    """The tags of an AT value, as many as are whole."""
    form = struct.Struct("<HH" if little_endian else ">HH")
    return [group << 16 | element for group, element in form.iter_unpack(value[: len(value) // 4 * 4])]


def binary(value: bytes | memoryview, *, with_text: bool = False) -> str:
    """The first bytes in hexadecimal, and how many there are; ``with_text`` shows them as text too when they are."""
    start = bytes(value[:SHOWN_BYTES])
    text = start.rstrip(b"\0 ")
    more = "…" if len(value) > SHOWN_BYTES else ""
    quoted = f'  "{text.decode("ascii")}{more}"' if with_text and text and _is_plain(text) else ""
    return f"{start.hex(' ')}{' …' if more else ''}{quoted}  ({len(value)} {'byte' if len(value) == 1 else 'bytes'})"


def _text(vr: str, value: bytes | memoryview, character_set: str) -> str:
    found = values(value[:_DECODED_AT_MOST], vr, character_set)
    return _cut("\\".join(found), value) if found else "(only padding)"


def _cut(text: str, value: bytes | memoryview) -> str:
    """The text, or its beginning with the number of bytes that the whole of it has."""
    if len(text) <= SHOWN_CHARACTERS and len(value) <= _DECODED_AT_MOST:
        return printable(text)
    return f"{printable(text[:SHOWN_CHARACTERS])}…  ({len(value)} bytes)"


def _numbers(vr: str, value: bytes | memoryview, little_endian: bool) -> str:
    size = struct.calcsize("<" + NUMBER_FORMATS[vr])
    found = numbers(vr, value[: SHOWN_NUMBERS * size], little_endian=little_endian)
    text = "\\".join(f"{number:.9g}" if vr == "FL" else str(number) for number in found)
    total = len(value) // size
    return f"{text}\\…  ({total} values)" if total > len(found) else text


def _tags(value: bytes | memoryview, little_endian: bool) -> str:
    found = tags(value[: 4 * SHOWN_NUMBERS], little_endian=little_endian)
    text = "\\".join(tag_name(tag) for tag in found)
    return f"{text}\\…  ({len(value) // 4} values)" if len(value) // 4 > len(found) else text


def _is_plain(text: bytes) -> bool:
    return all(0x20 <= byte < 0x7F for byte in text)


def character_set_of(value: bytes | memoryview) -> str:
    """The text of (0008,0005), its values joined by backslashes, as `mockpacs.wire.text.decode` takes it."""
    return decode(value[:_DECODED_AT_MOST]).strip(" \0")
