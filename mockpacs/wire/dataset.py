"""Reading and writing encoded data sets, element by element, without building objects for what nobody asks for.

``scan`` makes one bounded, non-recursive pass over peer bytes and never raises. Nothing here decodes text.
"""

from __future__ import annotations

import mmap
import struct
import zlib
from collections.abc import Container, Iterable
from typing import Final, NamedTuple

Buffer = bytes | bytearray | memoryview | mmap.mmap

UNDEFINED: Final = 0xFFFFFFFF
PIXEL_GROUP: Final = 0x7FE00000
INFLATED_AT_MOST: Final = 16 << 20
"""Bytes a deflated data set is inflated to while looking for its header; a bomb ends here."""

_ITEM: Final = 0xFFFEE000
_ITEM_END: Final = 0xFFFEE00D
_SEQUENCE_END: Final = 0xFFFEE0DD

# PS3.5 7.1.2: these carry two reserved bytes and a 32-bit length.
_LONG: Final = frozenset(b"OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())
_SHORT: Final = frozenset(b"AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US".split())
_NAME: Final = {vr: vr.decode() for vr in _LONG | _SHORT}
_PADDED_WITH_NUL: Final = frozenset(["OB", "UI", "UN"])


class Encoding(NamedTuple):
    """How a data set is encoded: VR written or not, byte order, deflated or not (PS3.5 A)."""

    implicit: bool
    little_endian: bool
    deflated: bool

    @classmethod
    def of(cls, transfer_syntax: str) -> Encoding:
        """The encoding of a transfer syntax; compressed, private and unknown ones are explicit little endian."""
        return _ENCODINGS.get(transfer_syntax, EXPLICIT_LITTLE)


IMPLICIT_LITTLE: Final = Encoding(True, True, False)
EXPLICIT_LITTLE: Final = Encoding(False, True, False)
EXPLICIT_BIG: Final = Encoding(False, False, False)
DEFLATED: Final = Encoding(False, True, True)

_ENCODINGS: Final = {
    "1.2.840.10008.1.2": IMPLICIT_LITTLE,
    "1.2.840.10008.1.2.2": EXPLICIT_BIG,
    "1.2.840.10008.1.2.1.99": DEFLATED,
    "1.2.840.10008.1.2.4.95": DEFLATED,  # JPIP Referenced Deflate
    "1.2.840.10008.1.2.4.205": DEFLATED,  # JPIP HTJ2K Referenced Deflate
    "1.2.840.113619.5.2": IMPLICIT_LITTLE,  # GE private: only its pixels are big endian
}


class Element(NamedTuple):
    """One element as it stands in the bytes.

    ``vr`` is "" where the encoding does not write it. ``value`` is a view of the raw value, padding included; for a
    sequence it is the encoded items, without the sequence's own delimiter.
    """

    tag: int
    vr: str
    value: memoryview
    undefined_length: bool


class Header(NamedTuple):
    """What ``scan`` read. ``complete`` is False when the bytes became unreadable somewhere: ``problem`` says where."""

    elements: dict[int, Element]
    complete: bool
    problem: str


class _Codec(NamedTuple):
    tag_length: struct.Struct  # implicit: group, element, length
    tag_vr_length: struct.Struct  # explicit: group, element, VR, 16-bit length
    length: struct.Struct


_LITTLE: Final = _Codec(struct.Struct("<HHL"), struct.Struct("<HH2sH"), struct.Struct("<L"))
_BIG: Final = _Codec(struct.Struct(">HHL"), struct.Struct(">HH2sH"), struct.Struct(">L"))


class _UnreadableError(Exception):
    """Inside this module only: the bytes from here on make no sense."""


def scan(
    data: Buffer,
    encoding: Encoding,
    *,
    stop: int = PIXEL_GROUP,
    wanted: Container[int] | None = None,
    limit: int | None = None,
    deepest: int = 1 << 30,
) -> Header:
    """Read the top-level elements with a tag below ``stop``, in one pass; nested sequences are skipped, not entered.

    ``wanted`` keeps only those tags (None: all); ``limit`` looks at no more than that many bytes; ``deepest`` bounds
    how sequences of undefined length are nested. Never raises on the bytes: what was readable before the trouble is
    returned, with ``complete=False`` and the problem.
    """
    if encoding.deflated:
        data, problem = _inflate(data)
        encoding = EXPLICIT_LITTLE
    else:
        problem = ""
    view = memoryview(data)
    end = len(view) if limit is None else min(limit, len(view))
    if not encoding.implicit and end >= 8 and not bytes(view[4:6]).isalpha():
        encoding = encoding._replace(implicit=True)  # some writers say explicit and mean implicit
    elements: dict[int, Element] = {}
    try:
        _scan_into(elements, view, end, encoding, stop, wanted, deepest)
    except _UnreadableError as trouble:
        problem = problem or str(trouble)
    return Header(elements, not problem, problem)


def items(element: Element, encoding: Encoding) -> list[dict[int, Element]]:
    """The items of a sequence, each with its top-level elements; what cannot be read ends the list. One level only."""
    found, view, pos = [], element.value, 0
    encoding = inside(element, encoding)
    codec = _LITTLE if encoding.little_endian else _BIG
    while pos + 8 <= len(view):
        group, number, length = codec.tag_length.unpack_from(view, pos)
        if (group << 16 | number) != _ITEM:
            break
        start = pos + 8
        try:
            end, pos = (
                _skip_nested(view, start, len(view), encoding, sequence=False)
                if length == UNDEFINED
                else (start + length, start + length)
            )
        except _UnreadableError:
            end = pos = len(view)
        found.append(scan(view[start : min(end, len(view))], encoding, stop=0x1_0000_0000).elements)
    return found


def inside(element: Element, encoding: Encoding) -> Encoding:
    """The encoding of what an element contains: UN of undefined length is implicit little endian (PS3.5 6.2.2)."""
    if encoding.deflated:
        return EXPLICIT_LITTLE
    if not element.vr:
        return encoding._replace(implicit=True)
    return IMPLICIT_LITTLE if element.vr == "UN" and element.undefined_length else encoding


def _scan_into(
    elements: dict[int, Element],
    view: memoryview,
    end: int,
    encoding: Encoding,
    stop: int,
    wanted: Container[int] | None,
    deepest: int,
) -> None:
    """The hot loop: one unpack, one dictionary look-up and no object for an element nobody wants."""
    codec = _LITTLE if encoding.little_endian else _BIG
    implicit = encoding.implicit
    head = (codec.tag_length if implicit else codec.tag_vr_length).unpack_from
    pos, raw_vr = 0, b""
    while pos + 8 <= end:
        if implicit:
            group, number, length = head(view, pos)
        else:
            group, number, raw_vr, length = head(view, pos)
        tag = group << 16 | number
        if tag >= stop:
            return
        start = pos + 8
        if not implicit and raw_vr not in _SHORT:
            start, length = _long_form(view, pos, end, raw_vr, length, codec)
        if length == UNDEFINED:
            nested = IMPLICIT_LITTLE if raw_vr == b"UN" else encoding
            stop_at, pos = _skip_nested(view, start, end, nested, sequence=True, deepest=deepest)
        else:
            stop_at = pos = start + length
            if pos > end:
                raise _UnreadableError(f"{_name(tag)} says {length} bytes, {end - start} are left")
        if wanted is None or tag in wanted:
            vr = _NAME.get(raw_vr) or raw_vr.decode("ascii")
            elements[tag] = Element(tag, vr, view[start:stop_at], length == UNDEFINED)
    if pos != end:
        raise _UnreadableError(f"{end - pos} bytes after the last element")


def _long_form(view: memoryview, pos: int, end: int, raw_vr: bytes, short: int, codec: _Codec) -> tuple[int, int]:
    """Start and length of a value whose VR is not one of the short ones."""
    if raw_vr not in _LONG:
        if not (raw_vr.isalpha() and raw_vr.isupper()):
            raise _UnreadableError(f"no VR at byte {pos + 4}")
        if short:  # a VR we do not know: PS3.5 6.2 promises the long form, but old private ones use the short
            return pos + 8, short
    if pos + 12 > end:
        raise _UnreadableError(f"cut inside the element at byte {pos}")
    return pos + 12, codec.length.unpack_from(view, pos + 8)[0]


def _skip_nested(
    view: memoryview, pos: int, end: int, encoding: Encoding, *, sequence: bool, deepest: int = 1 << 30
) -> tuple[int, int]:
    """Walk over a sequence (or one item) of undefined length: (end of its content, start of what follows).

    A stack of flags instead of recursion, so that ten thousand levels cost memory for ten thousand flags and no more.
    """
    little, implicit = encoding.little_endian, encoding.implicit
    stack: list[tuple[bool, bool, bool]] = [(sequence, implicit, little)]
    while stack:
        in_sequence, implicit, little = stack[-1]
        codec = _LITTLE if little else _BIG
        if pos + 8 > end:
            raise _UnreadableError("a sequence of undefined length does not end")
        group, number, length = codec.tag_length.unpack_from(view, pos)
        tag, start = group << 16 | number, pos + 8
        if tag in (_SEQUENCE_END, _ITEM_END):
            stack.pop()
            if not stack:
                return pos, start
            pos = start
            continue
        vr = b"SQ"
        if in_sequence:
            if tag != _ITEM:
                raise _UnreadableError(f"{_name(tag)} where an item should begin")
        elif not implicit:
            vr, length = codec.tag_vr_length.unpack_from(view, pos)[2:]
            if vr not in _SHORT:
                start, length = _long_form(view, pos, end, vr, length, codec)
        if length == UNDEFINED:
            if len(stack) > 2 * deepest:
                raise _UnreadableError(f"sequences are nested deeper than {deepest}")
            stack.append((not in_sequence, True, True) if vr == b"UN" else (not in_sequence, implicit, little))
            pos = start
        else:
            pos = start + length
            if pos > end:
                raise _UnreadableError(f"{_name(tag)} says {length} bytes, {end - start} are left")
    raise AssertionError("the stack empties only at a delimiter")  # pragma: no cover


def _inflate(data: Buffer) -> tuple[bytes, str]:
    engine = zlib.decompressobj(-zlib.MAX_WBITS)  # PS3.5 A.5: a bare deflate stream (RFC 1951)
    try:
        inflated = engine.decompress(bytes(data), INFLATED_AT_MOST)
    except zlib.error as error:
        return b"", f"not a deflated data set: {error}"
    # Beyond the limit nothing is known of the end: the header is what is looked for.
    whole = engine.eof or len(inflated) >= INFLATED_AT_MOST
    return inflated, "" if whole else "the deflated data set is cut"


def deflate(data: bytes) -> bytes:
    """A bare deflate stream of even length (PS3.5 A.5)."""
    engine = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    packed = engine.compress(data) + engine.flush()
    return packed + b"\0" * (len(packed) % 2)


def encode_element(tag: int, vr: str, value: bytes, encoding: Encoding) -> bytes:
    """One element, padded to even length as its VR asks (PS3.5 6.2). Raises ValueError for a value too long."""
    if len(value) % 2:
        value += b"\0" if vr in _PADDED_WITH_NUL else b" "
    codec = _LITTLE if encoding.little_endian else _BIG
    if encoding.implicit:
        return codec.tag_length.pack(tag >> 16, tag & 0xFFFF, len(value)) + value
    raw_vr = vr.encode("ascii")
    if raw_vr in _SHORT:
        if len(value) > 0xFFFF:
            raise ValueError(f"{_name(tag)}: {len(value)} bytes do not fit into an element of VR {vr}")
        return codec.tag_vr_length.pack(tag >> 16, tag & 0xFFFF, raw_vr, len(value)) + value
    return codec.tag_vr_length.pack(tag >> 16, tag & 0xFFFF, raw_vr, 0) + codec.length.pack(len(value)) + value


def encode_sequence(tag: int, contents: Iterable[bytes], encoding: Encoding) -> bytes:
    """A sequence of already encoded items, all lengths defined."""
    codec = _LITTLE if encoding.little_endian else _BIG
    body = b"".join(codec.tag_length.pack(0xFFFE, 0xE000, len(content)) + content for content in contents)
    return encode_element(tag, "SQ", body, encoding)


def _name(tag: int) -> str:
    return f"({tag >> 16:04X},{tag & 0xFFFF:04X})"
