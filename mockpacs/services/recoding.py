"""A data set rewritten as it streams: in another encoding, or without some elements, in bounded memory.

Values are not decoded: text, padding and private elements stay as they are. What changes is the head of each element,
the byte order of numbers when it must, and lengths: sequences that are rewritten get an undefined one, as their new
length is not known when they begin. Group lengths (gggg,0000), retired and wrong after any change, are left out.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, NamedTuple

from mockpacs.services.byte_source import ByteSource, UnreadableError, gathered, swapped
from mockpacs.wire.dataset import UNDEFINED, Encoding
from mockpacs.wire.dictionary import USUAL, name_of

_ITEM: Final = 0xFFFEE000
_ITEM_END: Final = 0xFFFEE00D
_SEQUENCE_END: Final = 0xFFFEE0DD
_BITS_ALLOCATED: Final = 0x00280100
_PIXEL_REPRESENTATION: Final = 0x00280103

PIXEL_DATA: Final = 0x7FE00010
EXTENDED_OFFSETS: Final = frozenset((0x7FE00001, 0x7FE00002, 0x7FE00003))
"""They say where the frames are in encapsulated pixel data: wrong once that is changed."""

# PS3.5 7.1.2: these carry two reserved bytes and a 32-bit length.
_LONG: Final = frozenset(("OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"))
_SHORT: Final = frozenset(
    vr for row in ("AE AS AT CS DA DS DT FD FL IS LO LT", "PN SH SL SS ST TM UI UL US") for vr in row.split()
)
_UNIT: Final = {
    **dict.fromkeys(("AT", "OW", "SS", "US"), 2),
    **dict.fromkeys(("FL", "OF", "OL", "SL", "UL"), 4),
    **dict.fromkeys(("FD", "OD", "OV", "SV", "UV"), 8),
}
"""Bytes of one number of the VRs that have a byte order (PS3.5 7.3)."""
_TAG_LENGTH: Final = {True: struct.Struct("<HHL"), False: struct.Struct(">HHL")}
_SHORT_FORM: Final = {True: struct.Struct("<HH2sH"), False: struct.Struct(">HH2sH")}
_LENGTH: Final = {True: struct.Struct("<L"), False: struct.Struct(">L")}
_LONG_FORM: Final = struct.Struct("<HH2sHL")


def nothing(_tag: int) -> bool:
    """Drops no element."""
    return False


@dataclass(frozen=True, slots=True)
class Edits:
    """What becomes of elements at the top level, and of those within the items of some sequences there."""

    drop: Callable[[int], bool] = nothing
    put: Mapping[int, Sequence[bytes]] = field(default_factory=dict)
    """Encoded elements, each in pieces, that take the place of what is there, or are added."""
    drop_within: Mapping[int, int] = field(default_factory=dict)
    """By the tag of a sequence, one element that its items lose."""


NO_EDITS: Final = Edits()


def head(tag: int, vr: str, length: int, *, implicit: bool) -> bytes:
    """The head of a little endian element; a value too long for its VR becomes UN (PS3.5 6.2.2)."""
    group, number = tag >> 16, tag & 0xFFFF
    if implicit:
        return _TAG_LENGTH[True].pack(group, number, length)
    if vr in _SHORT and length <= 0xFFFF:
        return _SHORT_FORM[True].pack(group, number, vr.encode("ascii"), length)
    return _LONG_FORM.pack(group, number, (vr if vr in _LONG else "UN").encode("ascii"), 0, length)


def rewritten(blocks: Iterable[bytes], source: Encoding, *, implicit: bool, edits: Edits = NO_EDITS) -> Iterator[bytes]:
    """A data set in little endian and explicit or implicit VR, in blocks. ``source`` is not deflated.

    Raises UnreadableError with a sentence where the bytes make no sense; all before has been yielded by then.
    """
    return gathered(_Rewriter(ByteSource(blocks), source, implicit, edits).pieces())


class _Frame(NamedTuple):
    """Something that has been entered: the data set, a sequence, or an item of one."""

    end: int | None
    """Where it ends in the source; None: at its delimiter, the data set with the last byte."""
    is_sequence: bool
    implicit: bool
    little_endian: bool
    is_copied: bool = False
    """Its bytes stay as they are; items and values of defined length are not looked into."""
    is_dropped: bool = False
    drops: int = 0
    """The tag its items lose."""
    signed: bool = False
    """Pixel Representation, which decides about a VR where the dictionary has a choice."""
    bits_allocated: int = 0


class _Element(NamedTuple):
    tag: int
    vr: str
    length: int
    raw: bytes
    """Its head as it was read."""


class _Rewriter:
    """One walk over one data set. A stack instead of recursion: nobody knows how deep a peer nests."""

    def __init__(self, source: ByteSource, encoding: Encoding, implicit: bool, edits: Edits) -> None:
        self._source = source
        self._implicit = implicit
        self._edits = edits
        self._puts = sorted(edits.put)
        start = source.peek(6)
        # Some writers say explicit and mean implicit.
        is_implicit = encoding.implicit or (len(start) == 6 and not start[4:6].isalpha())
        self._is_same = is_implicit == implicit and encoding.little_endian
        self._stack = [_Frame(None, False, is_implicit, encoding.little_endian)]

    def pieces(self) -> Iterator[bytes]:
        """The new data set, in pieces of any size."""
        source, stack = self._source, self._stack
        while stack:
            frame = stack[-1]
            if frame.end is not None and source.position >= frame.end:
                if source.position > frame.end:
                    raise UnreadableError(f"something is longer than what it is in, at byte {frame.end}")
                yield from self._leave(b"")
            elif len(stack) == 1 and source.is_at_end():
                stack.pop()
            elif frame.is_sequence:
                yield from self._item(frame)
            else:
                yield from self._element(frame)
        yield from self._put_before(1 << 32)

    def _item(self, frame: _Frame) -> Iterator[bytes]:
        raw = self._source.take(8)
        tag, length = _tag_length(raw, frame)
        if tag == _SEQUENCE_END and frame.end is None:
            yield from self._leave(raw)
            return
        if tag != _ITEM:
            raise UnreadableError(f"{_number(tag)} where an item should begin")
        if frame.is_copied and length != UNDEFINED:
            yield from self._value(length, frame, raw)
            return
        yield from self._enter(frame._replace(end=self._end(length), is_sequence=False), raw, _ITEM)

    def _element(self, frame: _Frame) -> Iterator[bytes]:
        element = self._read_head(frame)
        tag, length = element.tag, element.length
        if tag == _ITEM_END and frame.end is None and len(self._stack) > 1:
            yield from self._leave(element.raw)
            return
        is_dropped = frame.is_dropped
        if not frame.is_copied:
            is_dropped = is_dropped or self._loses(tag, frame)
            if len(self._stack) == 1:
                yield from self._put_before(tag)
                if self._puts and self._puts[0] == tag:
                    is_dropped = True
                    yield from self._edits.put[self._puts.pop(0)]
        if is_dropped:
            frame = frame._replace(is_dropped=True)
        if length == UNDEFINED or (element.vr == "SQ" and length and self._looks_into(tag, frame)):
            yield from self._sequence(element, frame)
        elif frame.is_copied or self._is_same or is_dropped:
            yield from self._value(length, frame, element.raw)
        else:
            yield head(tag, element.vr, length, implicit=self._implicit)
            yield from self._converted(element, frame)

    def _loses(self, tag: int, frame: _Frame) -> bool:
        if tag & 0xFFFF == 0 or (frame.drops and tag == frame.drops):
            return True
        return len(self._stack) == 1 and self._edits.drop(tag)

    def _looks_into(self, tag: int, frame: _Frame) -> bool:
        """Whether the items of a sequence of defined length may change."""
        if frame.is_copied or frame.is_dropped:
            return False
        return not self._is_same or (len(self._stack) == 1 and tag in self._edits.drop_within)

    def _sequence(self, element: _Element, frame: _Frame) -> Iterator[bytes]:
        """What has items: a sequence, what nobody knows to be one (PS3.5 6.2.2), the fragments of pixel data."""
        is_known = element.vr == "SQ"
        new = _Frame(
            self._end(element.length),
            is_sequence=True,
            implicit=frame.implicit or element.vr == "UN",
            little_endian=frame.little_endian or element.vr == "UN",
            is_copied=frame.is_copied or not is_known or not (self._looks_into(element.tag, frame)),
            is_dropped=frame.is_dropped,
            drops=self._edits.drop_within.get(element.tag, 0) if len(self._stack) == 1 else 0,
            signed=frame.signed,
        )
        if not is_known and not self._is_same and not frame.is_copied and element.vr != "UN" and not frame.is_dropped:
            raise UnreadableError(f"{name_of(element.tag)} has VR {element.vr} and no length")
        if frame.is_copied or self._is_same or frame.is_dropped:
            yield from self._enter(new, element.raw, 0)
        else:
            self._stack.append(new)
            yield head(element.tag, element.vr, UNDEFINED, implicit=self._implicit)

    def _enter(self, frame: _Frame, raw: bytes, tag: int) -> Iterator[bytes]:
        """``tag`` 0: the head of a sequence, which says undefined already or is not kept."""
        self._stack.append(frame)
        if frame.is_dropped:
            return
        if frame.is_copied:
            yield raw
        elif tag:
            yield _delimiter(_ITEM, UNDEFINED)
        else:
            yield raw[:-4] + _LENGTH[True].pack(UNDEFINED)

    def _leave(self, raw: bytes) -> Iterator[bytes]:
        """``raw``: the delimiter that was read, b"" when a defined length has ended here."""
        frame = self._stack.pop()
        if frame.is_dropped:
            return
        if frame.is_copied:
            yield raw
        else:
            yield _delimiter(_SEQUENCE_END if frame.is_sequence else _ITEM_END, 0)

    def _value(self, length: int, frame: _Frame, raw: bytes) -> Iterator[bytes]:
        """A value that stays, or goes, as it is."""
        if frame.is_dropped:
            for _ in self._source.pieces(length):
                pass
            return
        yield raw
        yield from self._source.pieces(length)

    def _converted(self, element: _Element, frame: _Frame) -> Iterator[bytes]:
        if element.tag in (_PIXEL_REPRESENTATION, _BITS_ALLOCATED) and element.length == 2:
            value = self._source.take(2)
            number = int.from_bytes(value, "little" if frame.little_endian else "big")
            if element.tag == _BITS_ALLOCATED:
                self._stack[-1] = frame._replace(bits_allocated=number)
            else:
                self._stack[-1] = frame._replace(signed=number == 1)
            yield number.to_bytes(2, "little")
            return
        unit = 0 if frame.little_endian else _UNIT.get(element.vr, 0)
        if unit and element.tag == PIXEL_DATA and frame.bits_allocated > 16:
            # PS3.5 7.3 swaps the bytes of words of 16 bits, GDCM and pydicom those of a whole pixel: nobody can know.
            raise UnreadableError(f"pixels of {frame.bits_allocated} bits in big endian")
        pieces = self._source.pieces(element.length)
        yield from swapped(pieces, unit) if unit else pieces

    def _put_before(self, tag: int) -> Iterator[bytes]:
        while self._puts and self._puts[0] < tag:
            yield from self._edits.put[self._puts.pop(0)]

    def _end(self, length: int) -> int | None:
        return None if length == UNDEFINED else self._source.position + length

    def _read_head(self, frame: _Frame) -> _Element:
        raw = self._source.take(8)
        tag, length = _tag_length(raw, frame)
        if frame.implicit or tag == _ITEM_END:
            return _Element(tag, _vr_of(tag, frame.signed) if tag != _ITEM_END else "", length, raw)
        vr = raw[4:6].decode("latin-1")
        length = _SHORT_FORM[frame.little_endian].unpack(raw)[3]
        if vr in _SHORT:
            return _Element(tag, vr, length, raw)
        if vr not in _LONG and not (vr.isalpha() and vr.isupper()):
            raise UnreadableError(f"no VR at byte {self._source.position - 4}")
        if vr not in _LONG and length:
            # One we do not know: PS3.5 6.2 promises the long form, but old private ones use the short.
            return _Element(tag, vr, length, raw)
        raw += self._source.take(4)
        return _Element(tag, vr, _LENGTH[frame.little_endian].unpack_from(raw, 8)[0], raw)


def _tag_length(raw: bytes, frame: _Frame) -> tuple[int, int]:
    group, number, length = _TAG_LENGTH[frame.little_endian].unpack(raw)
    return group << 16 | number, length


def _delimiter(tag: int, length: int) -> bytes:
    return _TAG_LENGTH[True].pack(tag >> 16, tag & 0xFFFF, length)


def _number(tag: int) -> str:
    return f"({tag >> 16:04X},{tag & 0xFFFF:04X})"


@lru_cache(maxsize=8192)
def _vr_of(tag: int, signed: bool) -> str:
    """The VR of an element that came in implicit VR: UN for what the dictionary does not know, and private ones."""
    if tag >> 16 & 1:
        return "LO" if 0x10 <= tag & 0xFFFF <= 0xFF else "UN"
    if tag in USUAL:
        return USUAL[tag][0]
    from pydicom.datadict import dictionary_VR

    try:
        choice = dictionary_VR(tag).split(" or ")
    except KeyError:
        return "UL" if tag & 0xFFFF == 0 else "UN"
    if "OW" in choice:  # PS3.5 A.1: what has this choice is OW in implicit VR
        return "OW"
    return "SS" if signed and "SS" in choice else choice[0]
