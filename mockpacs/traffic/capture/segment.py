"""From a packet to a TCP segment: what our recordings contain is read here, all else by `foreign`."""

from __future__ import annotations

from struct import Struct
from typing import Final, NamedTuple

from mockpacs.traffic.capture.packet import Packet, Problems

FIN: Final = 0x01
SYN: Final = 0x02
RST: Final = 0x04
ACK: Final = 0x10

RAW_LINKS: Final = frozenset((12, 14, 101, 228, 229))
"""Link types whose packets begin with IP."""
ETHERNET: Final = 1

_TCP: Final = 6
_FRAGMENT: Final = 0x3FFF  # more fragments, or not the first
# version 4 and header of 20 bytes, length, fragment, protocol, addresses and ports, TCP from the sequence number on
_IP_4: Final = Struct(">B x H 2x H x B 2x 12s I I H").unpack_from
_IP_4_LENGTH: Final = 34
_IP_6: Final = Struct(">I H B x 36s I I H").unpack_from
_IP_6_LENGTH: Final = 54
_ETHER_HEAD: Final = 14
_ETHER_TYPE: Final = 12


class Segment(NamedTuple):
    """What a TCP header and the packet around it say."""

    key: bytes
    """Source and destination address, source and destination port."""
    sequence: int
    acknowledged: int
    flags: int
    data: bytes | memoryview
    """What was captured of the payload."""
    size: int
    """How long the payload was."""


def segment_of(packet: Packet, problems: Problems) -> Segment | None:
    """The segment in a packet; None, and a note in ``problems``, when there is none."""
    data, link = packet.data, packet.link
    start = 0
    if link == ETHERNET:  # untagged: reading it here too makes captures of networks four times as fast
        start = _ETHER_HEAD
    if start or link in RAW_LINKS:
        found = _plain(data, start)
        if found is not None:
            return found
    from mockpacs.traffic.capture import foreign

    return foreign.segment_of(packet, problems)


def _plain(data: memoryview, start: int) -> Segment | None:
    """IP without options or extension headers, and TCP."""
    room = len(data) - start
    if room < _IP_4_LENGTH or (start and data[_ETHER_TYPE] not in (0x08, 0x86)):
        return None
    first = data[start]
    if first == 0x45:
        _, length, fragment, protocol, key, sequence, acknowledged, flags = _IP_4(data, start)
        payload = 20 + (flags >> 12) * 4
        if protocol != _TCP or fragment & _FRAGMENT or length < payload or flags < 0x5000:
            return None
    elif first >> 4 == 6 and room >= _IP_6_LENGTH:
        _, length, protocol, key, sequence, acknowledged, flags = _IP_6(data, start)
        payload = 40 + (flags >> 12) * 4
        length += 40
        if protocol != _TCP or length < payload or flags < 0x5000:
            return None
    else:
        return None
    return Segment(key, sequence, acknowledged, flags & 0x1FF, data[start + payload : start + length], length - payload)


def reversed_key(key: bytes) -> bytes:
    """The key of the other direction."""
    middle = (len(key) - 4) // 2
    return key[middle:-4] + key[:middle] + key[-2:] + key[-4:-2]
