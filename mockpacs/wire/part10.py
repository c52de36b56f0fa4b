"""File meta information (PS3.10 7.1): writing the head of a file, and finding the data set in files of any origin.

The data set behind the head is never looked into here, and never changed.
"""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

from mockpacs.wire.implementation import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME

PREFIX: Final = bytes(128) + b"DICM"
_LONG_VRS: Final = frozenset(b"OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())
_SHORT_HEAD: Final = struct.Struct("<HH2sH")
_IMPLICIT_HEAD: Final = struct.Struct("<HHL")


class FileMeta(NamedTuple):
    """What a file says about its data set: both SOP UIDs, the transfer syntax, and the AE title of who sent it."""

    sop_class: str
    sop_instance: str
    transfer_syntax: str
    source_aet: str = ""


class Head(NamedTuple):
    """The head of a file: the meta information, and where in the file the data set begins."""

    meta: FileMeta
    data_offset: int


def _element(number: int, vr: bytes, value: str, padding: bytes) -> bytes:
    raw = value.encode("ascii", "replace")
    raw += padding * (len(raw) % 2)
    return _SHORT_HEAD.pack(2, number, vr, len(raw)) + raw


_VERSION: Final = struct.pack("<HH2sHL2s", 2, 1, b"OB", 0, 2, b"\0\1")
_IMPLEMENTATION: Final = _element(0x12, b"UI", IMPLEMENTATION_CLASS_UID, b"\0") + _element(
    0x13, b"SH", IMPLEMENTATION_VERSION_NAME, b" "
)


def encode_head(meta: FileMeta) -> bytes:
    """Preamble, prefix and group 0002, ready for the data set to follow."""
    group = b"".join(
        (
            _VERSION,
            _element(0x02, b"UI", meta.sop_class, b"\0"),
            _element(0x03, b"UI", meta.sop_instance, b"\0"),
            _element(0x10, b"UI", meta.transfer_syntax, b"\0"),
            _IMPLEMENTATION,
            _element(0x16, b"AE", meta.source_aet[:16], b" ") if meta.source_aet else b"",
        )
    )
    return PREFIX + struct.pack("<HH2sHL", 2, 0, b"UL", 4, len(group)) + group


def decode_head(start: bytes) -> Head | None:
    """The head of a file from its first bytes, None when there is no group 0002. Never raises on the bytes.

    A missing preamble and group 0002 in implicit VR are read too: such files exist. The group length is not believed,
    the group ends where another one begins.
    """
    pos = len(PREFIX) if start[128:132] == b"DICM" else 0
    if start[pos : pos + 2] != b"\2\0":
        return None
    values: dict[int, str] = {}
    while pos + 8 <= len(start) and start[pos : pos + 2] == b"\2\0":
        _, number, vr, length = _SHORT_HEAD.unpack_from(start, pos)
        value_at = pos + 8
        if not vr.isalpha():
            length = _IMPLICIT_HEAD.unpack_from(start, pos)[2]
        elif vr in _LONG_VRS:
            if pos + 12 > len(start):
                return None
            length = struct.unpack_from("<L", start, pos + 8)[0]
            value_at = pos + 12
        pos = value_at + length
        if pos > len(start):
            return None
        values[number] = start[value_at:pos].decode("ascii", "replace").strip(" \0")
    return Head(
        FileMeta(values.get(0x02, ""), values.get(0x03, ""), values.get(0x10, ""), values.get(0x16, "")),
        pos,
    )


def guess_transfer_syntax(data: bytes) -> str:
    """The uncompressed transfer syntax a data set without file meta information looks like, "" when it is not DICOM.

    A data set begins with a small even group; explicit VR shows two capital letters where implicit VR has a length.
    """
    if len(data) < 8:
        return ""
    group, _, _, _ = _SHORT_HEAD.unpack_from(data)
    if data[4:6].isalpha() and data[4:6].isupper():
        if group <= 0x20:
            return "1.2.840.10008.1.2.1"
        return "1.2.840.10008.1.2.2" if group & 0xFF == 0 and group >> 8 <= 0x20 else ""
    length = _IMPLICIT_HEAD.unpack_from(data)[2]
    return "1.2.840.10008.1.2" if group in (0x0008, 0x0010) and length <= 0xFFFF else ""
