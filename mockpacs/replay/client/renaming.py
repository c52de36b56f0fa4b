"""UIDs replaced in an encoded data set; every other byte stays, but for the lengths of what contains them.

Nothing is decoded. What cannot be read is left as it is, and so is what stands behind the pixel data.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from mockpacs.replay.client.uids import CLASSES
from mockpacs.wire.dataset import PIXEL_GROUP, UNDEFINED, Encoding
from mockpacs.wire.dictionary import vr_of

_ITEM: Final = 0xFFFEE000
_ITEM_END: Final = 0xFFFEE00D
_SEQUENCE_END: Final = 0xFFFEE0DD
_LONG: Final = frozenset(b"OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())
_UIDS: Final = re.compile(rb"[0-9]+(?:\.[0-9]+)+(?:\\[0-9]+(?:\.[0-9]+)+)*\\?\0?")
_LONGEST_LIST: Final = 1 << 20
_DEEPEST: Final = 50

Rename = Callable[[str], str]


class _UnreadableError(Exception):
    """Inside this module only."""


class _Codec(NamedTuple):
    head: struct.Struct
    short: struct.Struct
    length: struct.Struct
    short_length: struct.Struct
    implicit: bool


_CODECS: Final = {
    (implicit, little): _Codec(
        struct.Struct(f"{order}HHL"),
        struct.Struct(f"{order}HH2sH"),
        struct.Struct(f"{order}L"),
        struct.Struct(f"{order}H"),
        implicit,
    )
    for implicit in (False, True)
    for little, order in ((True, "<"), (False, ">"))
}


def renamed(data: bytes, encoding: Encoding, rename: Rename) -> bytes:
    """The data set, which is not deflated, with other UIDs. It may be only the beginning of one."""
    view = memoryview(data)
    implicit = encoding.implicit or (len(data) >= 6 and not data[4:6].isalpha())  # some say explicit and mean implicit
    codec = _CODECS[implicit, encoding.little_endian]
    pieces: list[bytes | memoryview] = []
    at = 0
    try:
        for piece, at in _elements(view, 0, len(view), codec, rename, 0):  # noqa: B007
            pieces.append(piece)
    except (_UnreadableError, struct.error):
        pass
    return b"".join((*pieces, view[at:])) if pieces else data


def _elements(
    view: memoryview, at: int, end: int, codec: _Codec, rename: Rename, depth: int
) -> Iterator[tuple[bytes | memoryview, int]]:
    """Each element as it becomes, and where the next one begins. At the top level the pixel data ends it."""
    while at + 8 <= end:
        group, number = codec.head.unpack_from(view, at)[:2]
        tag = group << 16 | number
        if depth == 0 and tag >= PIXEL_GROUP:
            return
        if tag == _ITEM_END:
            yield view[at : at + 8], at + 8
            return
        piece, at = _element(view, at, end, tag, codec, rename, depth)
        yield piece, at


def _element(
    view: memoryview, at: int, end: int, tag: int, codec: _Codec, rename: Rename, depth: int
) -> tuple[bytes | memoryview, int]:
    vr, start, length = _head(view, at, codec)
    if length == UNDEFINED:
        inner = codec if vr != b"UN" else _CODECS[True, True]
        content, after = _sequence(view, start, end, inner, rename, depth, is_open=True)
        return b"".join((view[at:start], content)), after
    after = start + length
    if after > end:
        raise _UnreadableError
    value = view[start:after]
    if vr == b"SQ" or (not vr and length >= 8 and _is_item(value, codec) and vr_of(tag) in ("SQ", "UN")):
        content, _ = _sequence(view, start, after, codec, rename, depth, is_open=False)
        return (_with_length(view[at:start], len(content), vr, codec) + content, after)
    if (vr in (b"UI", b"UN", b"")) and 3 <= length <= _LONGEST_LIST and tag not in CLASSES:
        raw = bytes(value)
        if _UIDS.fullmatch(raw) and (vr == b"UI" or (not vr and vr_of(tag) in ("UI", "UN"))):
            new = _value(raw, rename)
            if new != raw:
                return _with_length(view[at:start], len(new), vr, codec) + new, after
    return view[at:after], after


def _sequence(
    view: memoryview, at: int, end: int, codec: _Codec, rename: Rename, depth: int, *, is_open: bool
) -> tuple[bytes, int]:
    """The items, with the delimiter when it ``is_open``; and where it ends."""
    if depth > _DEEPEST:
        raise _UnreadableError
    pieces: list[bytes | memoryview] = []
    while at + 8 <= end:
        group, number, length = codec.head.unpack_from(view, at)
        tag = group << 16 | number
        if tag == _SEQUENCE_END:
            pieces.append(view[at : at + 8])
            return b"".join(pieces), at + 8
        if tag != _ITEM:
            raise _UnreadableError
        start = at + 8
        stop = end if length == UNDEFINED else start + length
        if stop > end:
            raise _UnreadableError
        inside: list[bytes | memoryview] = []
        at = start
        for piece, at in _elements(view, start, stop, codec, rename, depth + 1):  # noqa: B007
            inside.append(piece)
        content = b"".join(inside)
        if length == UNDEFINED:
            pieces += (view[start - 8 : start], content)
        else:
            if at != stop:
                raise _UnreadableError
            pieces += (codec.head.pack(group, number, len(content)), content)
    if is_open or at != end:
        raise _UnreadableError
    return b"".join(pieces), at


def _head(view: memoryview, at: int, codec: _Codec) -> tuple[bytes, int, int]:
    """VR, "" where it is not written; where the value begins; its length."""
    if codec.implicit:
        return b"", at + 8, codec.head.unpack_from(view, at)[2]
    vr, length = codec.short.unpack_from(view, at)[2:]
    if vr in _LONG:
        return vr, at + 12, codec.length.unpack_from(view, at + 8)[0]
    if not (vr.isalpha() and vr.isupper()):
        raise _UnreadableError
    return vr, at + 8, length


def _with_length(head: memoryview, length: int, vr: bytes, codec: _Codec) -> bytes:
    """The head of an element with another length of its value."""
    if codec.implicit or vr in _LONG:
        return bytes(head[:-4]) + codec.length.pack(length)
    if length > 0xFFFF:
        raise _UnreadableError
    return bytes(head[:-2]) + codec.short_length.pack(length)


def _is_item(value: memoryview, codec: _Codec) -> bool:
    group, number = codec.head.unpack_from(value, 0)[:2]
    return bool((group << 16 | number) == _ITEM)


def _value(raw: bytes, rename: Rename) -> bytes:
    uids = raw.rstrip(b"\0").decode("ascii").split("\\")
    new = "\\".join(map(rename, uids)).encode("latin-1", "replace")
    return new + b"\0" * (len(new) % 2)
