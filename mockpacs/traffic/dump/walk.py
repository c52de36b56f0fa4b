"""A walk over the bytes of a data set: every element in order, sequences entered. It never raises on the bytes.

What cannot be read is a node of its own; the walk goes on behind the sequence or item that holds it, if its end is
known. It does not recurse, so ten thousand levels are no deeper than one.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from struct import Struct
from typing import Final, NamedTuple

from mockpacs.traffic.dump.naming import vr_of_implicit
from mockpacs.traffic.dump.node import Kind, Node
from mockpacs.traffic.render import number_of
from mockpacs.wire.dataset import EXPLICIT_LITTLE, IMPLICIT_LITTLE, UNDEFINED, Encoding
from mockpacs.wire.dictionary import name_of

INFLATED_AT_MOST: Final = 64 << 20
"""Bytes a deflated data set is inflated to; what comes after is told, not shown."""
ELEMENTS_AT_MOST: Final = 500_000
"""Elements, items and fragments of a data set that are walked through: it takes eight bytes to claim one."""

_ITEM: Final = 0xFFFEE000
_ITEM_END: Final = 0xFFFEE00D
_SEQUENCE_END: Final = 0xFFFEE0DD
_PIECE: Final = 1 << 14
# PS3.5 7.1.2: these carry two reserved bytes and a 32-bit length.
_LONG: Final = frozenset(["OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"])
_SHORT_TEXT: Final = frozenset(["AE", "AS", "CS", "DA", "DS", "DT", "IS", "LO", "LT", "PN", "SH", "ST", "TM", "UI"])
_SHORT: Final = _SHORT_TEXT | {"AT", "FD", "FL", "SL", "SS", "UL", "US"}
_PIXELS: Final = frozenset(["OB", "OW"])
_LITTLE: Final = (Struct("<HHL"), Struct("<HH2sH"), Struct("<L"))
_BIG: Final = (Struct(">HHL"), Struct(">HH2sH"), Struct(">L"))


class Opened(NamedTuple):
    """Bytes that can be walked: inflated when they were deflated, with how they really are encoded."""

    view: memoryview
    encoding: Encoding
    remarks: tuple[str, ...]
    """Sentences on what is not as the transfer syntax says."""


class _Frame(NamedTuple):
    """Something that is being walked: a data set, an item, a sequence or encapsulated pixel data."""

    holds: Kind
    """ELEMENT in a data set or an item, ITEM in a sequence, FRAGMENT in encapsulated pixel data."""
    end: int
    """Where it ends, at the latest when its length is undefined."""
    is_open: bool
    """Whether its length is undefined: a delimiter ends it."""
    encoding: Encoding
    creators: dict[int, str]
    counter: list[int]


class _Head(NamedTuple):
    """The tag, VR and length of an element, and where its value begins."""

    tag: int
    vr: str
    start: int
    length: int


def unpacked(data: bytes | memoryview, encoding: Encoding) -> Opened:
    """Inflate what is deflated, and see through data that say explicit VR and mean implicit."""
    remarks: list[str] = []
    view = memoryview(data)
    if encoding.deflated:
        view, remark = _inflated(view)
        encoding = EXPLICIT_LITTLE
        remarks += [remark] if remark else []
    if not encoding.implicit and len(view) >= 8 and not bytes(view[4:6]).isalpha():
        encoding = encoding._replace(implicit=True)
        remarks.append("written in implicit VR, though the transfer syntax says explicit")
    return Opened(view, encoding, tuple(remarks))


def walk(opened: Opened) -> Iterator[Node]:
    """Every element of a data set in its order; the values are views of it."""
    return _Walk(opened).nodes()


def _inflated(view: memoryview) -> tuple[memoryview, str]:
    """In pieces, so that what comes before a defect is kept, and a bomb ends at the limit."""
    engine = zlib.decompressobj(-zlib.MAX_WBITS)  # PS3.5 A.5: a bare deflate stream (RFC 1951)
    whole = bytearray()
    for start in range(0, len(view), _PIECE):
        try:
            whole += engine.decompress(view[start : start + _PIECE], INFLATED_AT_MOST - len(whole))
        except zlib.error as error:
            return memoryview(bytes(whole)), f"deflated, not readable after {len(whole)} inflated bytes: {error}"
        if engine.eof:
            break
        if len(whole) >= INFLATED_AT_MOST:
            return memoryview(bytes(whole)), f"deflated, only the first {INFLATED_AT_MOST} inflated bytes are shown"
    return memoryview(bytes(whole)), "" if engine.eof else "deflated, and cut before its end"


class _Walk:
    """The state of one walk: where it is, and what encloses that place."""

    def __init__(self, opened: Opened) -> None:
        self._view = opened.view
        self._at = 0
        self._frames = [_Frame(Kind.ELEMENT, len(opened.view), False, opened.encoding, {}, [0])]

    def nodes(self) -> Iterator[Node]:
        """Every node, until nothing is left."""
        count = 0
        while self._frames:
            if count >= ELEMENTS_AT_MOST:
                del self._frames[1:]
                yield self._give_up(f"more than {ELEMENTS_AT_MOST} elements; the rest is not looked at")
                return
            frame = self._frames[-1]
            if self._at >= frame.end:
                if frame.is_open:
                    yield self._give_up("it does not end: its delimiter is missing")
                else:
                    self._frames.pop()
                continue
            node = self._next(frame)
            if node is not None:
                count += 1
                yield node

    def _next(self, frame: _Frame) -> Node | None:
        """The next node; None for a delimiter."""
        start = self._at
        left = frame.end - start
        if left < 8:
            return self._give_up(f"{number_of(left, 'byte')} left, too few for an element")
        little = frame.encoding.little_endian
        group, number, length = (_LITTLE if little else _BIG)[0].unpack_from(self._view, start)
        tag = group << 16 | number
        if frame.is_open and tag == (_ITEM_END if frame.holds is Kind.ELEMENT else _SEQUENCE_END):
            self._frames.pop()
            self._at = start + 8
            return None
        if frame.holds is Kind.ELEMENT:
            head = self._head(frame, tag, length)
            return self._give_up(head) if isinstance(head, str) else self._element(frame, head)
        if tag != _ITEM:
            what = "an item" if frame.holds is Kind.ITEM else "a fragment"
            return self._give_up(f"{name_of(tag)} where {what} should begin")
        return self._item(frame, length) if frame.holds is Kind.ITEM else self._fragment(frame, length)

    def _head(self, frame: _Frame, tag: int, length: int) -> _Head | str:
        """The head of an element, or why there is none."""
        start = self._at
        if frame.encoding.implicit:
            return _Head(tag, vr_of_implicit(tag, _creator(frame, tag)), start + 8, length)
        raw = bytes(self._view[start + 4 : start + 6])
        if not (raw.isalpha() and raw.isupper()):
            return f"no VR at byte {start + 4}"
        vr = raw.decode("ascii")
        _, short, long = _LITTLE if frame.encoding.little_endian else _BIG
        length = short.unpack_from(self._view, start)[3]
        # A VR we do not know: PS3.5 6.2 promises the long form, but old private ones use the short.
        if vr in _SHORT or (vr not in _LONG and length):
            return _Head(tag, vr, start + 8, length)
        if start + 12 > frame.end:
            return f"cut inside the head of {name_of(tag)}"
        return _Head(tag, vr, start + 12, long.unpack_from(self._view, start + 8)[0])

    def _element(self, frame: _Frame, head: _Head) -> Node:
        tag, vr, start, length = head
        is_cut = length != UNDEFINED and start + length > frame.end
        why = f"{name_of(tag)} says {length} bytes, {frame.end - start} are left" if is_cut else ""
        if length == UNDEFINED or vr == "SQ" or (vr == "UN" and self._holds_items(head)):
            return self._sequence(frame, head, why)
        if is_cut:
            return self._give_up(why)
        value = self._view[start : start + length]
        if tag >> 16 & 1 and 0x10 <= tag & 0xFFFF <= 0xFF and length <= 64:
            text = bytes(value).decode("ascii", "replace").strip(" \0")
            frame.creators[tag >> 16 << 8 | tag & 0xFF] = text
        node = Node(Kind.ELEMENT, self._depth, tag, vr, value, self._at, length, creator=_creator(frame, tag))
        self._at = start + length
        return node

    def _sequence(self, frame: _Frame, head: _Head, why: str) -> Node:
        """Enter a sequence or encapsulated pixel data, also when it is cut: its first items may be whole."""
        tag, vr, start, length = head
        is_open = length == UNDEFINED
        kind = Kind.FRAGMENTS if is_open and vr in _PIXELS else Kind.SEQUENCE
        creator, said = _creator(frame, tag), None if is_open else length
        node = Node(kind, self._depth, tag, vr, self._view[:0], self._at, said, why=why, creator=creator)
        end = frame.end if is_open else min(start + length, frame.end)
        # PS3.5 6.2.2: what is inside an element of VR UN is implicit VR little endian.
        encoding = IMPLICIT_LITTLE if vr == "UN" and not frame.encoding.implicit else frame.encoding
        holds = Kind.FRAGMENT if kind is Kind.FRAGMENTS else Kind.ITEM
        self._frames.append(_Frame(holds, end, is_open, encoding, {}, [0]))
        self._at = start
        return node

    def _holds_items(self, head: _Head) -> bool:
        """Whether a value of VR UN looks like a sequence: private ones in implicit VR do not say what they are."""
        start = bytes(self._view[head.start : head.start + 4])
        return head.length >= 8 and start in (b"\xfe\xff\x00\xe0", b"\xff\xfe\xe0\x00")

    def _item(self, frame: _Frame, length: int) -> Node:
        frame.counter[0] += 1
        is_open = length == UNDEFINED
        said, left = None if is_open else length, frame.end - self._at - 8
        why = "" if is_open or length <= left else f"it says {length} bytes, {left} are left"
        node = Node(Kind.ITEM, self._depth, _ITEM, "", self._view[:0], self._at, said, frame.counter[0], why)
        self._at += 8
        end = frame.end if is_open else self._at + min(length, left)
        self._frames.append(_Frame(Kind.ELEMENT, end, is_open, frame.encoding, {}, [0]))
        return node

    def _fragment(self, frame: _Frame, length: int) -> Node:
        if length == UNDEFINED:
            return self._give_up("a fragment of undefined length")
        start = self._at + 8
        if start + length > frame.end:
            return self._give_up(f"a fragment of {length} bytes, {frame.end - start} are left")
        value = self._view[start : start + length]
        node = Node(Kind.FRAGMENT, self._depth, _ITEM, "", value, self._at, length, frame.counter[0])
        frame.counter[0] += 1
        self._at = start + length
        return node

    def _give_up(self, why: str) -> Node:
        """Leave the innermost thing whose end is known, as unreadable from here to there."""
        start, depth = self._at, self._depth
        while True:
            frame = self._frames.pop()
            if not frame.is_open:
                break
        self._at = frame.end
        return Node(Kind.UNREADABLE, depth, 0, "", self._view[start : frame.end], start, None, why=why)

    @property
    def _depth(self) -> int:
        return len(self._frames) - 1


def _creator(frame: _Frame, tag: int) -> str:
    if tag >> 16 & 1 and tag & 0xFFFF >= 0x1000:
        return frame.creators.get(tag >> 16 << 8 | tag >> 8 & 0xFF, "")
    return ""
