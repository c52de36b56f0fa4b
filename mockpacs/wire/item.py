"""The items and sub-items of association PDUs: type, reserved byte, big endian length, value (PS3.8 9.3.1).

Lengths that lie raise `ItemError`, which must not leave this package: `pdu.decode` turns it into a `Malformed`.
"""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct

from mockpacs.errors import LocalProtocolError

_HEADER = Struct(">BxH")
_LENGTH = Struct(">H")
AE_TITLE_LENGTH = 16


class ItemError(ValueError):
    """An item that does not fit into what holds it; the text says where."""


def walk(data: bytes, where: str) -> Iterator[tuple[int, bytes]]:
    """Yield (type, value) of each item in ``data``; raises `ItemError` at the first that does not fit."""
    unpack, offset, end = _HEADER.unpack_from, 0, len(data)
    while offset < end:
        start = offset + 4
        if start > end:
            raise ItemError(f"{where}: {end - offset} bytes are left over after the last item")
        kind, length = unpack(data, offset)
        offset = start + length
        if offset > end:
            raise ItemError(f"{where}: item {kind:02X}H claims {length} bytes, {end - start} are there")
        yield kind, data[start:offset]


def item(kind: int, value: bytes) -> bytes:
    """Encode one item. Raises `LocalProtocolError` when the value is longer than 65535 bytes."""
    if len(value) > 0xFFFF:
        raise LocalProtocolError(f"item {kind:02X}H cannot hold {len(value)} bytes: 65535 is the most")
    return _HEADER.pack(kind, len(value)) + value


def counted(value: bytes) -> bytes:
    """Encode a field that is preceded by its own 16 bit length (PS3.7 D.3.3)."""
    if len(value) > 0xFFFF:
        raise LocalProtocolError(f"a field cannot hold {len(value)} bytes: 65535 is the most")
    return _LENGTH.pack(len(value)) + value


def take_counted(data: bytes, offset: int, where: str) -> tuple[bytes, int]:
    """Return a field preceded by its 16 bit length and the offset behind it; raises `ItemError`."""
    start = offset + 2
    if start > len(data):
        raise ItemError(f"{where}: ends where a length is expected")
    end = start + _LENGTH.unpack_from(data, offset)[0]
    if end > len(data):
        raise ItemError(f"{where}: a field claims {end - start} bytes, {len(data) - start} are there")
    return data[start:end], end


def decode_text(raw: bytes) -> str:
    """Decode a UID or a name: paddings (NUL, space) off; any byte is taken, what it means is not judged here."""
    return raw.decode("latin-1").strip(" \0")


def encode_text(text: str) -> bytes:
    """Encode a UID or a name; what ISO 646 cannot say and Latin 1 neither becomes ``?``."""
    return text.encode("latin-1", "replace")


def decode_title(raw: bytes) -> str:
    """Decode a 16 byte AE title field: spaces around are not significant (PS3.8 9.3.2).

    Some senders pad with NUL, some leave the rest of a C buffer behind the NUL: the title ends at the first one.
    """
    return raw.partition(b"\0")[0].decode("latin-1").strip(" ")


def encode_title(title: str) -> bytes:
    """Encode an AE title, padded with spaces to 16 bytes. Raises `LocalProtocolError` when it is longer."""
    raw = encode_text(title)
    if len(raw) > AE_TITLE_LENGTH:
        raise LocalProtocolError(f"AE title {title!r} has {len(raw)} characters: 16 is the most (PS3.5 6.2)")
    return raw.ljust(AE_TITLE_LENGTH)
