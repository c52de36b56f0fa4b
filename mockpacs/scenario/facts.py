"""The attributes of an encoded data set, read one by one when a rule asks for them. Never raises on what a peer sent.

A data set that is cut shows what stands before the cut. One sequence level is read at a time, as deep as a rule asks.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import Final

from mockpacs.wire.dataset import PIXEL_GROUP, Buffer, Element, Encoding, inside, items, scan
from mockpacs.wire.dictionary import vr_of
from mockpacs.wire.text import decode, values

ITEM: Final = "(item)"
"""What stands for each item of a sequence among the values."""

_CHARACTER_SET: Final = 0x00080005
_EVERYTHING: Final = 0x1_0000_0000
_LONGEST_VALUE: Final = 256 * 1024
_LONGEST_SEQUENCE: Final = 1 << 20
_SHOWN_BYTES: Final = 32
_BYTES: Final = frozenset(("OB", "OD", "OF", "OL", "OV", "OW"))
_NUMBERS: Final = {
    "US": "H", "SS": "h", "UL": "L", "SL": "l", "UV": "Q", "SV": "q", "FL": "f", "FD": "d", "AT": "HH",
}  # fmt: skip


class DataFacts:
    """A data set in bytes. It keeps views of them, so it must not outlive them.

    ``wanted``: the attributes that will be asked for, as `Cast.tags` says. Others can be asked for all the same, but
    a pass over the data set that keeps only these takes a third of the time.
    """

    def __init__(self, data: Buffer, encoding: Encoding, wanted: frozenset[int] | None = None) -> None:
        self._data: Buffer | None = data
        self._wanted = wanted
        self._encoding = encoding
        self._elements: Mapping[int, Element] | None = None
        self._outer_character_set = ""
        self._values: dict[int, tuple[str, ...] | None] = {}
        self._items: dict[int, list[DataFacts] | None] = {}

    def values(self, tag: int) -> tuple[str, ...] | None:
        """The values as text, trimmed; numbers in decimal, tags as GGGGEEEE, each item of a sequence as `ITEM`."""
        try:
            return self._values[tag]
        except KeyError:
            found = self._values[tag] = self._read(tag)
            return found

    def items(self, tag: int) -> Sequence[DataFacts] | None:
        """The items of a sequence."""
        if tag not in self._items:
            self._items[tag] = self._read_items(tag)
        return self._items[tag]

    def _read(self, tag: int) -> tuple[str, ...] | None:
        element = self._element(tag)
        if element is None:
            return None
        vr = _vr(element)
        if vr == "SQ":
            return (ITEM,) * len(self.items(tag) or ())
        raw = element.value[:_LONGEST_VALUE]
        if vr in _NUMBERS:
            return _numbers(raw, vr, self._encoding)
        if vr in _BYTES:
            return _hexadecimal(raw)
        if vr == "UN":
            text = values(raw, "LO", self._character_set)
            return text if all(map(str.isprintable, text)) else _hexadecimal(raw)
        return values(raw, vr, self._character_set)

    def _read_items(self, tag: int) -> list[DataFacts] | None:
        element = self._element(tag)
        if element is None or _vr(element) != "SQ":
            return None
        short = element._replace(value=element.value[:_LONGEST_SEQUENCE])
        encoding = inside(element, self._encoding)
        return [_item(elements, encoding, self._character_set) for elements in items(short, self._encoding)]

    def _element(self, tag: int) -> Element | None:
        if self._data is None:
            return (self._elements or {}).get(tag)
        if tag >= PIXEL_GROUP:
            return scan(self._data, self._encoding, stop=_EVERYTHING, wanted=(tag,)).elements.get(tag)
        wanted = self._wanted
        if wanted is not None and tag not in wanted and tag != _CHARACTER_SET:
            self._wanted = wanted = self._elements = None
        if self._elements is None:
            kept = wanted if wanted is None else wanted | {_CHARACTER_SET}
            self._elements = scan(self._data, self._encoding, wanted=kept).elements
        return self._elements.get(tag)

    @property
    def _character_set(self) -> str:
        element = self._element(_CHARACTER_SET)
        return decode(element.value).strip(" \0") if element else self._outer_character_set


def _item(elements: Mapping[int, Element], encoding: Encoding, character_set: str) -> DataFacts:
    item = DataFacts(b"", encoding)
    item._data = None
    item._elements = elements
    item._outer_character_set = character_set
    return item


def _vr(element: Element) -> str:
    """The VR that is written; that of the dictionary where none is."""
    if element.vr and element.vr != "UN":
        return element.vr
    known = vr_of(element.tag)
    return "SQ" if known == "UN" and element.undefined_length else known


def _numbers(raw: memoryview, vr: str, encoding: Encoding) -> tuple[str, ...]:
    big = not (encoding.little_endian or encoding.deflated)
    shape = struct.Struct((">" if big else "<") + _NUMBERS[vr])
    numbers = shape.iter_unpack(raw[: len(raw) // shape.size * shape.size])
    if vr == "AT":
        return tuple(f"{group:04X}{number:04X}" for group, number in numbers)
    if vr == "FL":
        return tuple(f"{number:.7g}" for (number,) in numbers)  # more digits than that a 32-bit float does not have
    return tuple(str(number) for (number,) in numbers)


def _hexadecimal(raw: memoryview) -> tuple[str, ...]:
    return (bytes(raw[:_SHOWN_BYTES]).hex(),) if raw else ()
