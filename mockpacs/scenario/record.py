"""One answer before it is encoded: attributes with values as text, as bytes, or as items, and how they become bytes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from mockpacs.wire import text
from mockpacs.wire.dataset import Encoding, deflate, encode_element, encode_sequence

CHARACTER_SET: Final = 0x00080005
UTF_8: Final = "ISO_IR 192"

_SIZES: Final = {
    "US": 2, "SS": 2, "AT": 2, "UL": 4, "SL": 4, "FL": 4, "UV": 8, "SV": 8, "FD": 8,
    "OW": 2, "OF": 4, "OL": 4, "OD": 8, "OV": 8,
}  # fmt: skip
"""Bytes that belong together in a value, where it is more than one (PS3.5 6.2, 7.3)."""


@dataclass(frozen=True, slots=True)
class Written:
    """An attribute given as text, several values joined by backslashes."""

    tag: int
    vr: str
    text: str


@dataclass(frozen=True, slots=True)
class Raw:
    """An attribute given as bytes, little endian."""

    tag: int
    vr: str
    value: bytes = b""


@dataclass(frozen=True, slots=True)
class Nested:
    """A sequence."""

    tag: int
    items: tuple[Record, ...] = ()


Field = Written | Raw | Nested
Record = tuple[Field, ...]
"""The attributes of a data set or of an item, ascending."""


def record_of(fields: Iterable[Field]) -> Record:
    """The attributes in their order."""
    return tuple(sorted(fields, key=lambda field: field.tag))


def encode(record: Record, encoding: Encoding) -> bytes:
    """The data set, deflated if the encoding says so.

    Text is written in the Specific Character Set of the record. A record that names none is labelled as UTF-8 if it
    needs to be; where one is named that cannot say a text, that text is UTF-8 all the same, and so the label lies.
    """
    if needs_label(record) and character_set_of(record) is None:
        record = record_of([*record, Raw(CHARACTER_SET, "CS", UTF_8.encode())])
    encoded = encode_fields(record, encoding, character_set_of(record) or "")
    return deflate(encoded) if encoding.deflated else encoded


def encode_fields(fields: Iterable[Field], encoding: Encoding, character_set: str) -> bytes:
    """The attributes, never deflated, their text in a character set, and in UTF-8 where that cannot say it."""
    return b"".join(_element(field, encoding, character_set) for field in fields)


def character_set_of(record: Sequence[Field]) -> str | None:
    """The Specific Character Set that a record names, None when it names none."""
    for field in record:
        match field:
            case Written(tag, _, said) if tag == CHARACTER_SET:
                return said
            case Raw(tag, _, value) if tag == CHARACTER_SET:
                return "\\".join(text.values(value, "CS"))
    return None


def needs_label(fields: Iterable[Field]) -> bool:
    """Whether there is text that is not ASCII."""
    return any(not said.isascii() for said in texts_of(fields))


def texts_of(fields: Iterable[Field]) -> Iterator[str]:
    """All text, that of items too."""
    for field in fields:
        if isinstance(field, Written):
            yield field.text
        elif isinstance(field, Nested):
            for item in field.items:
                yield from texts_of(item)


def turned(value: bytes, vr: str) -> bytes:
    """A value in the other byte order; one that is no whole number of its units stays as it is."""
    size = _SIZES.get(vr, 1)
    if size == 1 or len(value) % size:
        return value
    return b"".join(value[at : at + size][::-1] for at in range(0, len(value), size))


def _element(field: Field, encoding: Encoding, character_set: str) -> bytes:
    match field:
        case Nested(tag, items):
            return encode_sequence(tag, [_item(item, encoding, character_set) for item in items], encoding)
        case Written(tag, vr, said):
            value = text.encode(said, character_set)
            return _bounded(tag, vr, said.encode("utf-8") if value is None else value, encoding)
        case Raw(tag, vr, value):
            return _bounded(tag, vr, value if encoding.little_endian else turned(value, vr), encoding)


def _item(item: Record, encoding: Encoding, character_set: str) -> bytes:
    """An item may have a character set of its own (PS3.3 C.12.1.1.2)."""
    own = character_set_of(item)
    return encode_fields(item, encoding, character_set if own is None else own)


def _bounded(tag: int, vr: str, value: bytes, encoding: Encoding) -> bytes:
    """One element; a value too long for the VR's 16-bit length is written as UN (PS3.5 6.2.2)."""
    try:
        return encode_element(tag, vr, value, encoding)
    except ValueError:
        return encode_element(tag, "UN", value, encoding)
