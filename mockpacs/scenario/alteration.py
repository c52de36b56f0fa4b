"""Changing encoded identifiers: attributes set, removed, bytes cut off. Everything else stays byte for byte."""

from __future__ import annotations

import zlib
from collections.abc import Collection, Mapping
from typing import Any, Final

from mockpacs.scenario.record import CHARACTER_SET, UTF_8, Raw, character_set_of, encode_fields, texts_of
from mockpacs.scenario.record_written import read_field
from mockpacs.wire import text
from mockpacs.wire.dataset import EXPLICIT_LITTLE, Encoding, deflate, scan

_EVERYTHING: Final = 0x1_0000_0000
_LONG_HEADED: Final = frozenset(("OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"))
_DELIMITER: Final = 8


def altered(
    identifier: bytes,
    encoding: Encoding,
    changes: Mapping[int, Any],
    remove: Collection[int] = (),
    cut: int | None = None,
) -> bytes:
    """The identifier with these top-level attributes changed or added, those removed, and bytes missing at its end.

    An identifier that cannot be taken apart keeps its attributes. New text is written in the Specific Character Set of
    the identifier, which is relabelled as UTF-8 when it cannot say it. A new Specific Character Set is that of the new
    text, and changes not one byte of the text that was there. Raises `Refused` for what is no value of its VR.
    """
    if changes or remove:
        plain = zlib.decompressobj(-zlib.MAX_WBITS).decompress(identifier) if encoding.deflated else identifier
        changed = _changed(plain, EXPLICIT_LITTLE if encoding.deflated else encoding, changes, remove)
        identifier = deflate(changed) if encoding.deflated else changed
    return identifier[: max(0, len(identifier) - cut)] if cut else identifier


def _changed(data: bytes, encoding: Encoding, changes: Mapping[int, Any], remove: Collection[int]) -> bytes:
    pieces = _pieces(data, encoding)
    if pieces is None:
        return data
    fields = [read_field(tag, value) for tag, value in changes.items()]
    character_set = character_set_of(fields)
    if character_set is None:
        character_set = _label(data, encoding)
        if not all(text.encode(said, character_set) is not None for said in texts_of(fields)):
            character_set = UTF_8
            fields.append(Raw(CHARACTER_SET, "CS", UTF_8.encode()))
    for field in fields:
        pieces[field.tag] = encode_fields([field], encoding, character_set)
    return b"".join(pieces[tag] for tag in sorted(pieces) if tag not in remove)


def _pieces(data: bytes, encoding: Encoding) -> dict[int, bytes] | None:
    """The bytes of each element by its tag; None when they do not add up to the whole."""
    pieces: dict[int, bytes] = {}
    start = 0
    for element in scan(data, encoding, stop=_EVERYTHING).elements.values():
        head = 12 if element.vr in _LONG_HEADED else 8
        end = start + head + len(element.value) + (_DELIMITER if element.undefined_length else 0)
        pieces[element.tag] = data[start:end]
        start = end
    return pieces if start == len(data) else None


def _label(data: bytes, encoding: Encoding) -> str:
    element = scan(data, encoding, stop=CHARACTER_SET + 1, wanted=(CHARACTER_SET,)).elements.get(CHARACTER_SET)
    return "\\".join(text.values(element.value, "CS")) if element else ""
