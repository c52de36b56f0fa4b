"""Reading the indexed attributes out of a data set, as the index wants them. Never raises on the bytes of a peer.

A usual instance is read without looking at, or copying, its pixels: the beginning says what there is, the end whether
it is complete. Only what does not add up is scanned from one end to the other.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from mockpacs.archive.index import INDEXED, Level
from mockpacs.archive.spool import Spool
from mockpacs.wire.dataset import INFLATED_AT_MOST, PIXEL_GROUP, UNDEFINED, Element, Encoding, Header, scan
from mockpacs.wire.part10 import FileMeta
from mockpacs.wire.text import values

SPECIFIC_CHARACTER_SET: Final = 0x00080005
SOP_CLASS_UID: Final = 0x00080016
SOP_INSTANCE_UID: Final = 0x00080018

_PREFIX: Final = 1 << 16
_EVERYTHING: Final = 1 << 32
_LONGEST_VALUE: Final = 1 << 16
"""Bytes of one value that go into the index: the longest legal one (LT) has 10 240 characters."""

_BY_LEVEL: Final[dict[Level, tuple[tuple[int, str], ...]]] = {
    level: tuple((at.tag, at.vr) for at in INDEXED if at.level is level) for level in Level
}
_WANTED: Final = frozenset(at.tag for at in INDEXED) | {SPECIFIC_CHARACTER_SET}
_VR: Final = {at.tag: at.vr for at in INDEXED} | {SPECIFIC_CHARACTER_SET: "CS"}
_SEQUENCE_END: Final = {True: b"\xfe\xff\xdd\xe0" + bytes(4), False: b"\xff\xfe\xe0\xdd" + bytes(4)}
_PIXEL_DATA: Final = {True: b"\xe0\x7f\x10\x00", False: b"\x7f\xe0\x00\x10"}
_LENGTH: Final = {True: struct.Struct("<L"), False: struct.Struct(">L")}
_PLAIN: Final = frozenset(("AE", "AS", "CS", "DA", "DS", "IS", "LO", "PN", "SH", "TM", "UI"))
_ESCAPE: Final = "\x1b"
_US: Final = {True: "<%dH", False: ">%dH"}


@dataclass(frozen=True, slots=True)
class Reading:
    """What a data set says about itself. ``problem`` is "" when every byte of it made sense.

    Values are decoded when asked for: of most instances only those of its own level are, as its series is known.
    """

    elements: Mapping[int, Element]
    little_endian: bool
    problem: str
    character_set: str | None

    def value(self, tag: int) -> str | None:
        """The indexed text of an attribute: None when absent, "" when it has zero length."""
        element = self.elements.get(tag)
        return None if element is None else self._text(element, _VR[tag])

    def row(self, level: Level) -> list[str | None]:
        """The values of the columns of a level, in the order of ``INDEXED``."""
        get, text = self.elements.get, self._text
        return [None if (element := get(tag)) is None else text(element, vr) for tag, vr in _BY_LEVEL[level]]

    def _text(self, element: Element, vr: str) -> str | None:
        if vr in _PLAIN and len(element.value) <= _LONGEST_VALUE and element.vr != "SQ":
            # One short ASCII value, as nearly all are: 9 us per instance for what takes `_unusual_text` 22.
            try:
                text = str(element.value, "ascii")
            except UnicodeDecodeError:
                text = _ESCAPE
            if "\\" not in text and _ESCAPE not in text:
                return text.strip(" \0")
        return self._unusual_text(element, vr)

    def _unusual_text(self, element: Element, vr: str) -> str | None:
        if element.vr == "SQ" or element.undefined_length:
            return None  # a sequence where a text belongs: nothing that could be compared
        raw = bytes(element.value[:_LONGEST_VALUE])
        if vr == "US" and element.vr not in ("IS", "DS"):
            count = len(raw) // 2
            return "\\".join(map(str, struct.unpack_from(_US[self.little_endian] % count, raw)))
        return "\\".join(values(raw, vr, self.character_set or ""))


def read_spool(spool: Spool) -> Reading:
    """Read what was received, without copying it where that can be avoided."""
    encoding = Encoding.of(spool.meta.transfer_syntax)
    start = spool.prefix(_PREFIX)
    if encoding.deflated:
        with spool.whole() as data:
            return _deflated(data, encoding)
    if len(start) == spool.size:
        return _reading(scan(start, encoding, stop=_EVERYTHING, wanted=_WANTED), encoding)
    header = scan(start, encoding, stop=PIXEL_GROUP, wanted=_WANTED)
    if header.complete and _ends_well(start, spool.tail(8), spool.size, encoding):
        return _reading(header, encoding)
    with spool.whole() as data:
        return _detached(scan(data, encoding, stop=_EVERYTHING, wanted=_WANTED), encoding)


def read_data(data: bytes | memoryview, meta: FileMeta) -> Reading:
    """Read a data set that is there in one piece; the reading keeps no view of it."""
    encoding = Encoding.of(meta.transfer_syntax)
    if encoding.deflated:
        return _deflated(memoryview(data), encoding)
    return _detached(scan(data, encoding, stop=_EVERYTHING, wanted=_WANTED), encoding)


def _deflated(data: memoryview, encoding: Encoding) -> Reading:
    # Nothing is said about the end of a data set too large to inflate: the header is what is looked for.
    with data[: 2 * INFLATED_AT_MOST] as start:
        return _detached(scan(start, encoding, stop=PIXEL_GROUP, wanted=_WANTED), encoding)


def _reading(header: Header, encoding: Encoding) -> Reading:
    problem = "" if header.complete else header.problem
    reading = Reading(header.elements, encoding.little_endian, problem, None)
    if SPECIFIC_CHARACTER_SET not in header.elements:
        return reading
    return Reading(header.elements, encoding.little_endian, problem, reading.value(SPECIFIC_CHARACTER_SET))


def _detached(header: Header, encoding: Encoding) -> Reading:
    """A reading that survives the bytes it was read from (a mapped file)."""
    elements = {
        tag: element._replace(value=memoryview(bytes(element.value[:_LONGEST_VALUE])))
        for tag, element in header.elements.items()
    }
    for element in header.elements.values():
        element.value.release()
    return _reading(header._replace(elements=elements), encoding)


def _ends_well(start: bytes, tail: bytes, total: int, encoding: Encoding) -> bool:
    """Whether the pixel data that begins in ``start`` ends where the data set does (PS3.5 A.4: with a delimiter)."""
    little = encoding.little_endian
    marker = _PIXEL_DATA[little]
    length_at = 4 if encoding.implicit else 8
    at = start.find(marker)
    while at >= 0 and at + length_at + 4 <= len(start):
        length = _LENGTH[little].unpack_from(start, at + length_at)[0]
        if length == UNDEFINED:
            return tail == _SEQUENCE_END[little]
        if at + length_at + 4 + length == total:
            return True
        at = start.find(marker, at + 1)  # that one was an icon's
    return False
