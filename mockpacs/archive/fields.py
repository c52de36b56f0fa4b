"""Encoding an answer from fields: text in the first character set that can say it, sequences with defined lengths.

This is the way of answers that hold more than ASCII text from the index; ``answer`` has a shorter one for those.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from mockpacs.archive import values
from mockpacs.archive.attributes import SPECIFIC_CHARACTER_SET
from mockpacs.wire import text
from mockpacs.wire.dataset import Encoding, encode_element, encode_sequence

UTF_8: Final = "ISO_IR 192"


@dataclass(frozen=True, slots=True)
class Text:
    """An element given as text, several values joined by backslashes; numbers of a binary VR in decimal."""

    tag: int
    vr: str
    text: str


@dataclass(frozen=True, slots=True)
class Raw:
    """An element whose bytes are already in the byte order of the answer and need no character set."""

    tag: int
    vr: str
    value: bytes


@dataclass(frozen=True, slots=True)
class Nested:
    """A sequence."""

    tag: int
    items: tuple[tuple[Field, ...], ...]


Field = Text | Raw | Nested


def encode(fields: Sequence[Field], encoding: Encoding, character_sets: Sequence[str]) -> bytes:
    """The data set of the fields, ascending; not deflated. ``character_sets`` are tried in order, and UTF-8 after them.

    Specific Character Set is part of it only when it is needed (PS3.4 C.4.1.1.3.2).
    """
    character_set = _character_set(fields, character_sets)
    if character_set:
        fields = [*fields, Text(SPECIFIC_CHARACTER_SET, "CS", character_set)]
    return _encode(fields, encoding, character_set)


def _character_set(fields: Sequence[Field], offered: Sequence[str]) -> str:
    """The first that can say every text; "" when ASCII can."""
    texts = [found for found in _texts(fields) if not found.isascii()]
    if not texts:
        return ""
    for character_set in offered:
        if (
            character_set
            and text.is_known(character_set)
            and all(text.encode(found, character_set) is not None for found in texts)
        ):
            return character_set
    return UTF_8


def _texts(fields: Sequence[Field]) -> Iterator[str]:
    for field in fields:
        if isinstance(field, Text):
            yield field.text
        elif isinstance(field, Nested):
            for item in field.items:
                yield from _texts(item)


def _encode(fields: Sequence[Field], encoding: Encoding, character_set: str) -> bytes:
    return b"".join(_element(field, encoding, character_set) for field in sorted(fields, key=lambda field: field.tag))


def _element(field: Field, encoding: Encoding, character_set: str) -> bytes:
    match field:
        case Nested(tag, items):
            return encode_sequence(tag, [_encode(item, encoding, character_set) for item in items], encoding)
        case Raw(tag, vr, value):
            return bounded_element(tag, vr, value, encoding)
        case Text(tag, vr, content):
            if values.is_numeric(vr):
                value = values.write_numbers(content.split("\\"), vr, encoding) if content else b""
            else:
                value = text.encode(content, character_set) or b""
            return bounded_element(tag, vr, value, encoding)


def bounded_element(tag: int, vr: str, value: bytes, encoding: Encoding) -> bytes:
    """One element; a value too long for the VR's 16-bit length is written as UN (PS3.5 6.2.2)."""
    try:
        return encode_element(tag, vr, value, encoding)
    except ValueError:
        return encode_element(tag, "UN", value, encoding)
