"""Builds captures byte by byte: TCP, IP, link layers, pcap and pcapng in either byte order."""

from __future__ import annotations

import gzip
import ipaddress
import struct
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from mockpacs.traffic.capture.event import Chunk, Closed, Event, Missing, Opened
from mockpacs.traffic.capture.reader import Reader
from mockpacs.wire import Role

FIN, SYN, RST, PSH, ACK = 0x01, 0x02, 0x04, 0x08, 0x10
CLIENT = ("10.0.0.1", 50000)
SERVER = ("10.0.0.2", 11112)
CLIENT_6 = ("2001:db8::1", 50000)
SERVER_6 = ("2001:db8::2", 11112)
REQUESTOR, ACCEPTOR = Role.REQUESTOR, Role.ACCEPTOR
STARTED = 1_700_000_000.0


class Frame(NamedTuple):
    """A packet to be written; ``cut`` is how much of it is captured."""

    data: bytes
    comments: tuple[str, ...] = ()
    cut: int | None = None
    link: int = 101

    @property
    def captured(self) -> bytes:
        return self.data[: self.cut]


def tcp(
    source: tuple[str, int],
    target: tuple[str, int],
    sequence: int,
    acknowledged: int,
    flags: int,
    payload: bytes = b"",
    options: bytes = b"",
) -> bytes:
    head = struct.pack(
        ">HHIIHHHH",
        source[1],
        target[1],
        sequence & 0xFFFFFFFF,
        acknowledged & 0xFFFFFFFF,
        (5 + len(options) // 4) << 12 | flags,
        65535,
        0,
        0,
    )
    return head + options + payload


def ip_4(
    source: str, target: str, payload: bytes, *, protocol: int = 6, options: bytes = b"", fragment: int = 0x4000
) -> bytes:
    words = 5 + len(options) // 4
    addresses = ipaddress.IPv4Address(source).packed + ipaddress.IPv4Address(target).packed
    length = words * 4 + len(payload)
    return (
        struct.pack(">BBHHHBBH", 0x40 | words, 0, length, 1, fragment, 64, protocol, 0) + addresses + options + payload
    )


def ip_6(source: str, target: str, payload: bytes, *, protocol: int = 6, extensions: bytes = b"") -> bytes:
    addresses = ipaddress.IPv6Address(source).packed + ipaddress.IPv6Address(target).packed
    body = extensions + payload
    return struct.pack(">IHBB", 0x60000000, len(body), protocol, 64) + addresses + body


def packet(
    source: tuple[str, int],
    target: tuple[str, int],
    sequence: int,
    acknowledged: int,
    flags: int,
    payload: bytes = b"",
    options: bytes = b"",
) -> bytes:
    ip = ip_6 if ":" in source[0] else ip_4
    return ip(source[0], target[0], tcp(source, target, sequence, acknowledged, flags, payload, options))


@dataclass
class Talk:
    """A connection that makes frames; sequence numbers count on by themselves."""

    client: tuple[str, int] = CLIENT
    server: tuple[str, int] = SERVER
    client_next: int = 1000
    server_next: int = 5000
    frames: list[Frame] = field(default_factory=list)

    def open(self, comment: str = "") -> Talk:
        self.raw(REQUESTOR, self.client_next, SYN, acknowledged=0, comments=(comment,) if comment else ())
        self.client_next += 1
        self.raw(ACCEPTOR, self.server_next, SYN | ACK)
        self.server_next += 1
        return self.say(REQUESTOR, b"")

    def say(self, sender: Role, payload: bytes, *comments: str, flags: int = PSH | ACK, cut: int | None = None) -> Talk:
        """In order."""
        sequence = self.client_next if sender is REQUESTOR else self.server_next
        self.raw(sender, sequence, flags, payload, comments=comments, cut=cut)
        size = len(payload) + bool(flags & FIN)
        if sender is REQUESTOR:
            self.client_next += size
        else:
            self.server_next += size
        return self

    def lose(self, sender: Role, payload: bytes) -> Talk:
        """Sent, but not captured."""
        self.say(sender, payload)
        self.frames.pop()
        return self

    def raw(
        self,
        sender: Role,
        sequence: int,
        flags: int,
        payload: bytes = b"",
        *,
        acknowledged: int | None = None,
        comments: Sequence[str] = (),
        cut: int | None = None,
    ) -> Talk:
        """With any sequence number."""
        ends = (self.client, self.server) if sender is REQUESTOR else (self.server, self.client)
        if acknowledged is None:
            acknowledged = self.server_next if sender is REQUESTOR else self.client_next
        data = packet(*ends, sequence, acknowledged, flags, payload)
        self.frames.append(Frame(data, tuple(comments), cut))
        return self

    def close(self) -> Talk:
        self.say(REQUESTOR, b"", flags=FIN | ACK)
        self.say(ACCEPTOR, b"", flags=FIN | ACK)
        return self.say(REQUESTOR, b"", flags=ACK)


def dialogue(**ends: tuple[str, int]) -> Talk:
    """Opened, three messages, closed."""
    talk = Talk(**ends).open()  # type: ignore[arg-type]
    talk.say(REQUESTOR, b"question").say(ACCEPTOR, b"answer").say(REQUESTOR, b"thanks")
    return talk.close()


# link layers

ETHER = bytes.fromhex("020000000001020000000002")


def ether_type(ip: bytes) -> bytes:
    return b"\x86\xdd" if ip[0] >> 4 == 6 else b"\x08\x00"


def ethernet(ip: bytes) -> bytes:
    """Padded to the shortest frame, with a trailer: neither is payload."""
    return (ETHER + ether_type(ip) + ip).ljust(60, b"\xee") + b"\xff\xff\xff\xff"


def vlan(ip: bytes) -> bytes:
    return ETHER + b"\x81\x00\x00\x07" + ether_type(ip) + ip


def stacked_vlan(ip: bytes) -> bytes:
    return ETHER + b"\x88\xa8\x00\x09\x81\x00\x00\x07" + ether_type(ip) + ip


def cooked(ip: bytes) -> bytes:
    return struct.pack(">HHH8s", 0, 772, 6, bytes(8)) + ether_type(ip) + ip


def cooked_2(ip: bytes) -> bytes:
    return ether_type(ip) + struct.pack(">HiHBB8s", 0, 1, 772, 0, 6, bytes(8)) + ip


def loopback(order: str) -> Callable[[bytes], bytes]:
    return lambda ip: struct.pack(order + "I", 30 if ip[0] >> 4 == 6 else 2) + ip


# files


def pcap(
    frames: Iterable[Frame], *, order: str = "<", nano: bool = False, patched: bool = False, link: int = 101
) -> bytes:
    ticks = 10**9 if nano else 10**6
    magic = 0xA1B2CD34 if patched else 0xA1B23C4D if nano else 0xA1B2C3D4
    parts = [struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, 262144, link)]
    for number, frame in enumerate(frames):
        times = (int(STARTED) + number, ticks // 2)
        parts.append(struct.pack(order + "IIII", *times, len(frame.captured), len(frame.data)))
        parts.append((bytes(8) if patched else b"") + frame.captured)
    return b"".join(parts)


def option(code: int, value: bytes, order: str) -> bytes:
    return struct.pack(order + "HH", code, len(value)) + value + bytes(-len(value) & 3)


def block(kind: int, body: bytes, order: str) -> bytes:
    length = 12 + len(body)
    return struct.pack(order + "II", kind, length) + body + struct.pack(order + "I", length)


def section(order: str, application: str = "") -> bytes:
    options = option(4, application.encode(), order) + bytes(4) if application else b""
    return block(0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1) + options, order)


def interface(order: str, link: int = 101, *, resolution: int | None = 9, shift: int = 0, longest: int = 0) -> bytes:
    options = b"" if resolution is None else option(9, bytes([resolution]), order)
    if shift:
        options += option(14, struct.pack(order + "q", shift), order)
    return block(1, struct.pack(order + "HHI", link, 0, longest) + options + bytes(4), order)


def enhanced(frame: Frame, ticks: int, order: str, number: int = 0, *, flags: bool = True) -> bytes:
    data = frame.captured
    options = option(2, struct.pack(order + "I", 1), order) if flags else b""
    options += b"".join(option(1, comment.encode(), order) for comment in frame.comments)
    head = struct.pack(order + "IIIII", number, ticks >> 32, ticks & 0xFFFFFFFF, len(data), len(frame.data))
    return block(6, head + data + bytes(-len(data) & 3) + (options + bytes(4) if options else b""), order)


def pcapng(frames: Iterable[Frame], *, order: str = ">", link: int = 101, application: str = "") -> bytes:
    parts = [section(order, application), interface(order, link)]
    for number, frame in enumerate(frames):
        parts.append(enhanced(frame, (int(STARTED) + number) * 10**9 + 10**9 // 2, order))
    return b"".join(parts)


def zipped(data: bytes) -> bytes:
    return gzip.compress(data)


# what comes out


class Seen(NamedTuple):
    """The events of a file, with the data kept, and the problems."""

    events: list[Event]
    problems: list[str]

    def bytes_of(self, sender: Role, number: int = 1) -> bytes:
        return b"".join(
            bytes(event.data)
            for event in self.events
            if isinstance(event, Chunk) and event.sender is sender and event.flow.number == number
        )

    @property
    def story(self) -> list[str]:
        """A word for each event, equal ones that follow one another together."""
        words = [self._word(event) for event in self.events]
        return [word for word, _ in groupby(word for word in words if word)]

    @staticmethod
    def _word(event: Event) -> str:
        match event:
            case Opened():
                return f"open {event.flow.number}" + ("" if event.from_start else " late")
            case Chunk():
                side = "<" if event.sender is ACCEPTOR else ">"
                return f"{side} {bytes(event.data).decode('latin-1')}" + "".join(f" #{text}" for text in event.comments)
            case Missing():
                return f"{'<' if event.sender is ACCEPTOR else '>'} -{event.size}"
            case Closed():
                side = {REQUESTOR: " >", ACCEPTOR: " <", None: ""}[event.sender]
                return f"{event.how}{side}" + "".join(f" #{text}" for text in event.comments)


def kept(event: Event) -> Event:
    return event._replace(data=bytes(event.data)) if isinstance(event, Chunk) else event


def read(*paths: Path) -> Seen:
    reader = Reader(*paths)
    found = [kept(event) for event in reader.end()]
    return Seen(found, reader.problems)


def read_bytes(folder: Path, data: bytes, name: str = "capture") -> Seen:
    path = folder / name
    path.write_bytes(data)
    return read(path)


def read_frames(folder: Path, frames: Iterable[Frame]) -> Seen:
    return read_bytes(folder, pcapng(frames))
