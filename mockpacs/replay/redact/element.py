"""The elements of an encoded data set one by one, nested ones too, for somebody who writes them anew (PS3.5 7)."""

from __future__ import annotations

from struct import Struct
from typing import Final, NamedTuple

from mockpacs.wire.dataset import UNDEFINED, Encoding

ITEM: Final = 0xFFFEE000
ITEM_END: Final = 0xFFFEE00D
SEQUENCE_END: Final = 0xFFFEE0DD

_LONG: Final = frozenset(b"OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())
_SHORT: Final = frozenset(b"AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US".split())
_TAG_LENGTH: Final = {True: Struct("<HHL"), False: Struct(">HHL")}
_TAG_VR_LENGTH: Final = {True: Struct("<HH2sH"), False: Struct(">HH2sH")}
_LENGTH: Final = {True: Struct("<L"), False: Struct(">L")}


class CutError(Exception):
    """The bytes end within an element; ``needed`` is how many there must be at least, 0 when that is not known."""

    def __init__(self, needed: int = 0) -> None:
        super().__init__("cut within an element")
        self.needed = needed


class UnreadableError(Exception):
    """The bytes make no sense from here on."""


class Head(NamedTuple):
    """What stands before a value."""

    tag: int
    vr: str
    """"" where the encoding does not write it, and for items and delimiters."""
    start: int
    """Where the value begins."""
    length: int
    """Bytes, or `UNDEFINED`."""

    @property
    def is_undefined(self) -> bool:
        """Whether the value ends with a delimiter."""
        return self.length == UNDEFINED


def read_head(view: memoryview, pos: int, end: int, encoding: Encoding) -> Head:
    """The head of the element at ``pos``. Raises CutError when it is not whole, UnreadableError when it is none."""
    if pos + 8 > end:
        raise CutError(pos + 8)
    little = encoding.little_endian
    group, number, length = _TAG_LENGTH[little].unpack_from(view, pos)
    tag = group << 16 | number
    if encoding.implicit or group == 0xFFFE:
        return Head(tag, "", pos + 8, length)
    vr, short = _TAG_VR_LENGTH[little].unpack_from(view, pos)[2:]
    if vr in _SHORT:
        return Head(tag, vr.decode(), pos + 8, short)
    if not (vr.isalpha() and vr.isupper()):
        raise UnreadableError(f"no VR in the element at byte {pos}")
    if vr not in _LONG and short:
        return Head(tag, vr.decode("latin-1"), pos + 8, short)
    if pos + 12 > end:
        raise CutError(pos + 12)
    return Head(tag, vr.decode("latin-1"), pos + 12, _LENGTH[little].unpack_from(view, pos + 8)[0])


def write_head(head: Head, length: int, raw: memoryview, encoding: Encoding) -> bytes:
    """The head again, for a value of another length. ``raw``: how it was written.

    A sequence that is longer than before fits always: no other value grows.
    """
    if length == head.length:
        return bytes(raw)
    little = encoding.little_endian
    group, number = head.tag >> 16, head.tag & 0xFFFF
    if encoding.implicit or not head.vr:
        return _TAG_LENGTH[little].pack(group, number, length)
    if len(raw) == 8:
        return _TAG_VR_LENGTH[little].pack(group, number, head.vr.encode("latin-1"), length)
    return bytes(raw[:8]) + _LENGTH[little].pack(length)
