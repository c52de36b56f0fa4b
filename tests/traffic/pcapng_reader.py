"""A second reader of our recordings, strict and slow, that shares no code with what is tested.

Blocks by the draft, then IP, then TCP, then what each side said. What is not as it must be fails the test.
"""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

SECTION, INTERFACE, PACKET = 0x0A0D0D0A, 1, 6
FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
MODULUS = 1 << 32


class Block(NamedTuple):
    offset: int
    kind: int
    body: bytes


class Packet(NamedTuple):
    offset: int
    end: int
    when: int
    is_inbound: bool
    comments: tuple[str, ...]
    source: tuple[str, int]
    target: tuple[str, int]
    sequence: int
    acknowledged: int
    flags: int
    tcp_options: bytes
    payload: bytes


def cut_blocks(data: bytes) -> tuple[list[Block], bytes]:
    """The whole blocks, and the piece of one at the end."""
    blocks, offset = [], 0
    while offset + 12 <= len(data):
        kind, length = struct.unpack_from(">II", data, offset)
        assert length % 4 == 0
        assert length >= 12
        if offset + length > len(data):
            break
        assert struct.unpack_from(">I", data, offset + length - 4) == (length,), "the length is not repeated at the end"
        blocks.append(Block(offset, kind, data[offset + 8 : offset + length - 4]))
        offset += length
    return blocks, data[offset:]


def whole_blocks(data: bytes) -> list[Block]:
    """All blocks of a file that ends with one."""
    blocks, rest = cut_blocks(data)
    assert rest == b""
    assert [block.kind for block in blocks[:2]] == [SECTION, INTERFACE]
    assert {block.kind for block in blocks[2:]} <= {PACKET}
    return blocks


def options(data: bytes) -> list[tuple[int, bytes]]:
    """Code and value, up to the end of options, behind which nothing may be."""
    found: list[tuple[int, bytes]] = []
    at = 0
    while True:
        code, length = struct.unpack_from(">HH", data, at)
        at += 4
        if code == 0:
            assert length == 0
            assert at == len(data)
            return found
        found.append((code, data[at : at + length]))
        assert len(found[-1][1]) == length
        padding = data[at + length : at + length + -length % 4]
        assert padding == bytes(-length % 4)
        at += length + len(padding)


def section_of(block: Block) -> list[tuple[int, bytes]]:
    """The options of a section header."""
    assert struct.unpack_from(">IHHq", block.body) == (0x1A2B3C4D, 1, 0, -1)
    return options(block.body[16:])


def packet_of(block: Block) -> Packet:
    assert block.kind == PACKET
    interface, when, captured, original = struct.unpack_from(">IQII", block.body)
    assert interface == 0
    assert captured == original
    ip = block.body[20 : 20 + captured]
    assert block.body[20 + captured : 20 + captured + -captured % 4] == bytes(-captured % 4)
    said = options(block.body[20 + captured + -captured % 4 :])
    (flags,) = [struct.unpack(">I", value)[0] for code, value in said if code == 2]
    assert flags in (1, 2)
    assert {code for code, _ in said} <= {1, 2}
    comments = tuple(value.decode() for code, value in said if code == 1)
    source, target, tcp = _ip(ip)
    port, other, sequence, acknowledged, offset, tcp_flags, _, checksum, urgent = struct.unpack_from(">HHIIBBHHH", tcp)
    assert (checksum, urgent, offset & 15) == (0, 0, 0)
    head = (offset >> 4) * 4
    end, ends = block.offset + len(block.body) + 12, ((source, port), (target, other))
    numbers = (sequence, acknowledged, tcp_flags)
    return Packet(block.offset, end, when, flags == 1, comments, *ends, *numbers, tcp[20:head], tcp[head:])


def _ip(ip: bytes) -> tuple[str, str, bytes]:
    if ip[0] == 0x45:
        length, _, fragment, _, protocol = struct.unpack_from(">HHHBB", ip, 2)
        assert (length, fragment & 0x3FFF, protocol) == (len(ip), 0, 6)
        return str(ipaddress.IPv4Address(ip[12:16])), str(ipaddress.IPv4Address(ip[16:20])), ip[20:]
    length, following = struct.unpack_from(">HB", ip, 4)
    assert (ip[0], length, following) == (0x60, len(ip) - 40, 6)
    return str(ipaddress.IPv6Address(ip[8:24])), str(ipaddress.IPv6Address(ip[24:40])), ip[40:]


def packets(path: Path) -> list[Packet]:
    """The packets of a file that ends with a whole block; time never runs backwards."""
    found = [packet_of(block) for block in whole_blocks(path.read_bytes())[2:]]
    assert [packet.when for packet in found] == sorted(packet.when for packet in found)
    return found


@dataclass(slots=True)
class Side:
    """What one end of a connection said."""

    start: int = -1
    """Sequence number of its SYN: the position of the first byte here."""
    data: bytearray = field(default_factory=bytearray)
    closed: str = ""

    @property
    def next(self) -> int:
        """The sequence number of what comes next."""
        return (self.start + 1 + len(self.data) + (self.closed == "fin")) % MODULUS


@dataclass(slots=True)
class Connection:
    """One connection in one file."""

    first: Packet
    requestor: Side = field(default_factory=Side)
    acceptor: Side = field(default_factory=Side)
    packets: list[Packet] = field(default_factory=list)

    @property
    def number(self) -> int:
        words = self.first.comments[0].split()
        return int(words[words.index("connection") + 1])

    @property
    def is_continued(self) -> bool:
        return self.first.comments[0].startswith("continues ")

    @property
    def comments(self) -> list[str]:
        return [comment for packet in self.packets for comment in packet.comments]

    @property
    def chunks(self) -> list[tuple[bool, bytes]]:
        """The payloads in the order of the file: whether inbound, bytes."""
        return [(packet.is_inbound, packet.payload) for packet in self.packets if packet.payload]

    @property
    def unsent(self) -> int:
        return sum(int(text.split()[1]) for text in self.comments if text.startswith("unsent "))

    def take(self, packet: Packet) -> None:
        """Every packet must have the sequence numbers it would have had."""
        self.packets.append(packet)
        is_requestor = packet.is_inbound is self.first.is_inbound
        mine, other = (self.requestor, self.acceptor) if is_requestor else (self.acceptor, self.requestor)
        if packet.flags & SYN:
            assert mine.start == -1
            assert packet.tcp_options
            assert packet.payload == b""
            mine.start = packet.sequence
            return
        assert packet.flags & ACK
        assert packet.tcp_options == b""
        assert packet.sequence == mine.next
        assert packet.acknowledged == other.next
        mine.data += packet.payload
        if packet.flags & (FIN | RST):
            assert mine.closed == ""
            mine.closed = "fin" if packet.flags & FIN else "reset"


def connections(found: Iterable[Packet]) -> list[Connection]:
    """The connections of one file in the order of their begin."""
    made: list[Connection] = []
    open_now: dict[tuple[tuple[str, int], tuple[str, int]], Connection] = {}
    for packet in found:
        key = (packet.source, packet.target) if packet.is_inbound else (packet.target, packet.source)
        if packet.flags & (SYN | ACK) == SYN:
            assert packet.is_inbound is not (" to " in packet.comments[0]), "only what we opened begins outbound"
            made.append(Connection(packet))
            open_now[key] = made[-1]
        open_now[key].take(packet)
    for connection in made:
        flags = [packet.flags for packet in connection.packets[:3]]
        assert flags == [SYN, SYN | ACK, ACK]
    return made


def in_file(path: Path) -> list[Connection]:
    return connections(packets(path))


def joined(paths: Iterable[Path]) -> dict[int, tuple[bytes, bytes]]:
    """By number, what both sides of each connection said in all parts of a recording: repeated bytes count once."""
    whole: dict[int, tuple[bytearray, bytearray]] = {}
    for path in paths:
        for connection in in_file(path):
            assert connection.is_continued == (connection.number in whole)
            both = whole.setdefault(connection.number, (bytearray(), bytearray()))
            for known, side in zip(both, (connection.requestor, connection.acceptor), strict=True):
                assert side.start <= len(known) <= side.start + len(side.data)
                known += side.data[len(known) - side.start :]
    return {number: (bytes(requestor), bytes(acceptor)) for number, (requestor, acceptor) in whole.items()}


def pdus(data: bytes) -> tuple[list[tuple[int, bytes]], bytes]:
    """Type and body of each whole PDU, and what is left."""
    found, at = [], 0
    while at + 6 <= len(data):
        kind, length = struct.unpack_from(">BxI", data, at)
        if not 0 < kind <= 7 or at + 6 + length > len(data):
            break
        found.append((kind, data[at + 6 : at + 6 + length]))
        at += 6 + length
    return found, data[at:]
