"""Blocks of a pcapng file as we write them: section, interface, packets of synthetic TCP. Pure: no file, no clock.

Format: draft-ietf-opsawg-pcapng. The section is big endian, as IP and TCP are: then the heads of block, IP and TCP are
one struct, which is what makes a packet cost two microseconds. Checksums are 0: nobody sent these packets.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from functools import lru_cache
from struct import Struct
from typing import Final, NamedTuple

SECTION_HEADER: Final = 0x0A0D0D0A
INTERFACE_DESCRIPTION: Final = 1
ENHANCED_PACKET: Final = 6
BYTE_ORDER_MAGIC: Final = 0x1A2B3C4D
LINK_TYPE_RAW: Final = 101
"""Packets begin with the IP header, version 4 or 6."""
USER_APPLICATION: Final = "mockpacs"
"""How shb_userappl of our recordings begins."""
INBOUND: Final = 1
OUTBOUND: Final = 2
LONGEST_PAYLOAD: Final = 65_480
"""Bytes of TCP payload in one packet: an IP packet ends at 65 535, and a multiple of four needs no padding."""

FIN: Final = 0x01
SYN: Final = 0x02
RST: Final = 0x04
PSH: Final = 0x08
ACK: Final = 0x10

_COMMENT, _HARDWARE, _SYSTEM, _APPLICATION = 1, 2, 3, 4
_INTERFACE_NAME, _INTERFACE_TEXT, _RESOLUTION = 2, 3, 9
_NANOSECONDS: Final = b"\x09"
_LONGEST_COMMENT: Final = 60_000
"""Bytes; an option has a length of 16 bits."""
_OPTION: Final = Struct(">HH")
_SECTION: Final = Struct(">IIIHHq")
_INTERFACE: Final = Struct(">IIHHI")
_LENGTH: Final = Struct(">I")
_FLAGS: Final = {flag: Struct(">HHI").pack(2, 4, flag) for flag in (INBOUND, OUTBOUND)}
_END_OF_OPTIONS: Final = bytes(4)
_PLAIN_TAIL: Final = Struct(">8s4xI")  # flags, end of options, block length
_PLAIN_TAIL_LENGTH: Final = 16
# type, block length, interface, time, captured and original length; IP; ports, sequence, acknowledgement, rest of TCP
_HEAD_4: Final = Struct(">IIIQII HHHHHH8s IIIHHHH")
_HEAD_6: Final = Struct(">IIIQII IHH32s IIIHHHH")
_BLOCK_HEAD_LENGTH: Final = 28
_TCP_LENGTH: Final = 20
_WINDOW: Final = 0xFFFF
# maximum segment size, window scale 14 (a window of 1 GiB: nothing we write ever fills it), no operation
_SYN_OPTIONS: Final = b"\x02\x04\xff\xc8\x03\x03\x0e\x01"


class Endpoints(NamedTuple):
    """The constant parts of the packets of one connection and direction."""

    is_ip6: bool
    addresses: bytes
    """Source and destination, 8 or 32 bytes."""
    ports: int
    """Source port in the upper half."""
    flag: int
    """`INBOUND` or `OUTBOUND`."""

    @classmethod
    def between(cls, source: tuple[str, int], target: tuple[str, int], flag: int) -> Endpoints:
        """From addresses as the socket module gives them; an IPv6 zone is left out, other families become 0.0.0.0."""
        ends = [_packed(source[0]), _packed(target[0])]
        is_ip6 = any(len(end) == 16 for end in ends)
        if is_ip6:
            ends = [end if len(end) == 16 else bytes(10) + b"\xff\xff" + end for end in ends]
        return cls(is_ip6, b"".join(ends), source[1] << 16 | target[1], flag)


def section(application: str, system: str, comments: Sequence[str]) -> bytes:
    """The section header block and the only interface."""
    options = b"".join(
        (
            *(_option(_COMMENT, comment_bytes(comment)) for comment in comments),
            _option(_SYSTEM, system.encode()),
            _option(_APPLICATION, application.encode()),
            _END_OF_OPTIONS,
        )
    )
    length = _SECTION.size + len(options) + 4
    head = _SECTION.pack(SECTION_HEADER, length, BYTE_ORDER_MAGIC, 1, 0, -1)
    return b"".join((head, options, _LENGTH.pack(length), _interface()))


def _interface() -> bytes:
    options = b"".join(
        (
            _option(_INTERFACE_NAME, b"mockpacs"),
            _option(_INTERFACE_TEXT, b"what the server received and sent; TCP and IP are synthetic, TLS is in clear"),
            _option(_RESOLUTION, _NANOSECONDS),
            _END_OF_OPTIONS,
        )
    )
    length = _INTERFACE.size + len(options) + 4
    return b"".join(
        (_INTERFACE.pack(INTERFACE_DESCRIPTION, length, LINK_TYPE_RAW, 0, 0), options, _LENGTH.pack(length))
    )


def head(ends: Endpoints, when: int, sequence: int, acknowledged: int, flags: int, size: int, tail: int) -> bytes:
    """All of a packet block that stands before the payload.

    ``when``: nanoseconds since 1970; ``size``: bytes of payload; ``tail``: bytes that follow the payload, see `tail`.
    """
    tcp = (ends.ports, sequence & 0xFFFFFFFF, acknowledged & 0xFFFFFFFF, 0x5000 | flags, _WINDOW, 0, 0)
    if ends.is_ip6:
        length = 60 + size
        return _HEAD_6.pack(
            *(ENHANCED_PACKET, _BLOCK_HEAD_LENGTH + length + tail, 0, when, length, length),
            *(0x60000000, _TCP_LENGTH + size, 0x0640, ends.addresses),
            *tcp,
        )
    length = 40 + size
    return _HEAD_4.pack(
        *(ENHANCED_PACKET, _BLOCK_HEAD_LENGTH + length + tail, 0, when, length, length),
        *(0x4500, length, 0, 0x4000, 0x4006, 0, ends.addresses),
        *tcp,
    )


def tail_length(size: int, comments: Sequence[bytes]) -> int:
    """How many bytes follow a payload of ``size`` bytes."""
    length = (-size & 3) + _PLAIN_TAIL_LENGTH
    for comment in comments:
        length += 4 + len(comment) + (-len(comment) & 3)
    return length


def tail(ends: Endpoints, size: int, comments: Sequence[bytes], length: int) -> bytes:
    """What follows the payload: padding, options, the length of the whole block as ``length`` bytes."""
    if not comments:
        return bytes(-size & 3) + _PLAIN_TAIL.pack(_FLAGS[ends.flag], length)
    options = b"".join(_option(_COMMENT, comment) for comment in comments)
    return b"".join((bytes(-size & 3), _FLAGS[ends.flag], options, _END_OF_OPTIONS, _LENGTH.pack(length)))


def packet(
    ends: Endpoints,
    when: int,
    sequence: int,
    acknowledged: int,
    flags: int,
    payload: bytes | memoryview = b"",
    comments: Sequence[bytes] = (),
) -> list[bytes | memoryview]:
    """One packet block, as pieces to write: the payload is not copied. Comments are UTF-8, see `comment_bytes`."""
    size = len(payload)
    behind = tail_length(size, comments)
    first = head(ends, when, sequence, acknowledged, flags, size, behind)
    last = tail(ends, size, comments, len(first) + size + behind)
    return [first, payload, last] if size else [first + last]


def syn(ends: Endpoints, when: int, sequence: int, acknowledged: int, flags: int, comments: Sequence[bytes]) -> bytes:
    """The first packet of a direction, with the options that explain the window."""
    size = len(_SYN_OPTIONS)
    behind = tail_length(size, comments)
    first = bytearray(head(ends, when, sequence, acknowledged, flags, size, behind))
    at = len(first) - 8  # the header length, in words of four bytes, now includes the options
    first[at] = (_TCP_LENGTH + size) // 4 << 4
    return bytes(first) + _SYN_OPTIONS + tail(ends, size, comments, len(first) + size + behind)


def comment_bytes(text: str) -> bytes:
    """A comment as it is stored; one that is too long is cut between two characters."""
    encoded = text.encode("utf-8", "backslashreplace")
    if len(encoded) <= _LONGEST_COMMENT:
        return encoded
    return encoded[:_LONGEST_COMMENT].decode("utf-8", "ignore").encode()


def _option(code: int, value: bytes) -> bytes:
    return _OPTION.pack(code, len(value)) + value + bytes(-len(value) & 3)


@lru_cache(maxsize=1024)
def _packed(host: str) -> bytes:
    try:
        return ipaddress.ip_address(host.partition("%")[0]).packed
    except ValueError:
        return bytes(4)
