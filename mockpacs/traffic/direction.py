"""One direction of a connection that is being recorded: how far it is, and what of it another file has to repeat."""

from __future__ import annotations

import mmap
from struct import Struct
from typing import Final

from mockpacs.traffic.framing import Framing, Stretch
from mockpacs.traffic.pcapng import Endpoints

_MOST_REPEATED: Final = 32 << 20
"""Bytes of a begun PDU that are repeated in a new file. The header of a PDU may claim 4 GiB, and nobody believed it."""
_BLOCK: Final = Struct(">4xI12xI4xB")  # length, captured length, first byte of the IP header
_HEAD_LENGTH: Final = 28


class Direction:
    """What one side sends."""

    __slots__ = ("ends", "framing", "position", "unacknowledged")

    def __init__(self, ends: Endpoints) -> None:
        self.ends = ends
        self.position = 0
        """Bytes recorded; the sequence number of the next one is one more: SYN takes 0."""
        self.unacknowledged = 0
        self.framing = Framing()

    def begun(self, file: mmap.mmap) -> tuple[bytes, bytes]:
        """The first PDU, and as much as there is of the one that is being sent, read back from the file they are in."""
        framing = self.framing
        first = _read_back(file, self.ends, framing.first) if framing.first else b""
        if framing.is_lost or self.position - framing.start > _MOST_REPEATED:
            return first, b""
        return first, _read_back(file, self.ends, Stretch(framing.start, self.position, framing.block))

    def beginning(self, first: bytes, rest: bytes) -> int:
        """The position at which the direction begins in a file that repeats these."""
        return self.position - len(first) - len(rest)


def _read_back(file: mmap.mmap, ends: Endpoints, stretch: Stretch) -> bytes:
    """Bytes of one direction out of our own blocks."""
    found, offset, position = bytearray(), stretch.block, stretch.start
    address, ports = (8 if ends.is_ip6 else 12), ends.ports.to_bytes(4, "big")
    ip_length = 40 if ends.is_ip6 else 20
    wanted = ends.addresses + ports
    while position < stretch.end and offset + 48 <= len(file):
        length, captured, _ = _BLOCK.unpack_from(file, offset)
        ip = offset + _HEAD_LENGTH
        if file[ip + address : ip + address + len(wanted)] == wanted:
            tcp = ip + ip_length
            payload = tcp + (file[tcp + 12] >> 4) * 4
            sequence = int.from_bytes(file[tcp + 4 : tcp + 8], "big")
            skip = position + 1 - sequence & 0xFFFFFFFF
            data = file[payload : ip + captured]
            if skip < len(data):
                found += data[skip : skip + stretch.end - position]
                position = stretch.start + len(found)
        offset += length
    return bytes(found)
