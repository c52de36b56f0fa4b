"""The connections of a capture: which segment belongs to which, and who opened it. No bytes are held but early ones."""

from __future__ import annotations

import ipaddress
from collections import deque
from collections.abc import Sequence
from struct import Struct
from typing import Final

from mockpacs.traffic.capture.event import Chunk, Closed, Event, Flow, Opened
from mockpacs.traffic.capture.packet import Packet
from mockpacs.traffic.capture.requestor import sender_of
from mockpacs.traffic.capture.segment import ACK, FIN, RST, SYN, Segment, reversed_key
from mockpacs.traffic.capture.stream import MASK, Stream, is_probe
from mockpacs.traffic.comment import connection_of
from mockpacs.wire import Role

_UNUSUAL: Final = SYN | FIN | RST
_FAR_BEHIND: Final = -(1 << 28)
"""No retransmission: no window is that large. The ports are used again, and the SYN was not captured."""
_MOST_CLOSED: Final = 1000
"""Closed connections that are remembered, so that what is retransmitted after the end does not open a new one."""
_PORT: Final = Struct(">H")


class Connections:
    """Takes the segments of a capture, or of several that follow one another, and tells what happened."""

    def __init__(self) -> None:
        self._streams: dict[bytes, Stream] = {}
        self._closed: deque[bytes] = deque()
        self._last_number = 0

    def take(self, packet: Packet, segment: Segment) -> Sequence[Event]:
        """What a segment brings. The data of its chunk are those of the packet, not a copy."""
        stream = self._streams.get(segment.key)
        if stream is None:
            return self._unknown(packet, segment)
        _, sequence, _, flags, data, size = segment
        if flags & _UNUSUAL or stream.is_waiting or stream.peer.is_waiting:
            return self._unusual(stream, packet, segment)
        if not size:
            return stream.take(packet, segment) if packet.comments else ()
        position = stream.position
        if sequence == position & MASK and len(data) == size:
            stream.position = position + size
            offset, end, when, _, _, _, comments = packet
            return (Chunk(stream.flow, stream.sender, when, sequence, data, offset, end, comments),)
        return self._unusual(stream, packet, segment)

    def finish(self, when: float, end: int) -> list[Event]:
        """The capture ends, at this time and byte."""
        events: list[Event] = []
        requestors = (stream for stream in self._streams.values() if stream.sender is Role.REQUESTOR)
        for stream in sorted(requestors, key=lambda stream: stream.flow.number):
            events += self._leave(stream, when, end)
        self._streams.clear()
        return events

    def expect(self, flow: Flow, key: bytes, requestor: int, acceptor: int) -> None:
        """Begin in the middle of a connection: the next sequence numbers; ``key`` is the requestor's."""
        stream = self._add(flow, key)
        stream.begin(requestor)
        stream.peer.begin(acceptor)

    def _unusual(self, stream: Stream, packet: Packet, segment: Segment) -> Sequence[Event]:
        if segment.flags & SYN and not segment.flags & RST:
            return self._open(stream, packet, segment)
        if segment.size and stream.position >= 0 and stream.distance(segment.sequence) < _FAR_BEHIND:
            return [*self._leave(stream, packet.when, packet.offset), *self._unknown(packet, segment)]
        was_closed = bool(stream.closed or stream.peer.closed)
        events = stream.take(packet, segment)
        if stream.is_waiting:
            events += stream.wait(segment, is_from_peer=False)
        if stream.peer.is_waiting:
            events += stream.peer.wait(segment, is_from_peer=True)
        if not was_closed and (stream.closed or stream.peer.closed):
            self._remember_closed(segment.key)
        return events

    def _unknown(self, packet: Packet, segment: Segment) -> list[Event]:
        """The first segment of a connection. One that has no SYN begins with its first bytes."""
        if segment.flags & SYN and not segment.flags & RST:
            return self._open(None, packet, segment)
        if not segment.size or segment.flags & RST or is_probe(segment):
            return []
        requestor = segment.key
        if sender_of(segment.data, requestor) is Role.ACCEPTOR:
            requestor = reversed_key(requestor)
        self._add(flow_of(self._number(None), requestor), requestor)
        stream = self._streams[segment.key]
        opened = Opened(stream.flow, packet.when, packet.offset, (), from_start=False)
        return [opened, *self._unusual(stream, packet, segment)]

    def _open(self, known: Stream | None, packet: Packet, segment: Segment) -> list[Event]:
        """A SYN, or its answer."""
        events: list[Event] = []
        is_answer = bool(segment.flags & ACK)
        told = connection_of(packet.comments)
        if known is None or not _is_repeated(known, segment, told, is_answer=is_answer):
            if known is not None:
                events += self._leave(known, packet.when, packet.offset)
            requestor = reversed_key(segment.key) if is_answer else segment.key
            self._add(flow_of(self._number(told), requestor), requestor)
            flow = self._streams[segment.key].flow
            events.append(Opened(flow, packet.when, packet.offset, packet.comments, from_start=True))
            told = told or (flow.number, False)
        stream = self._streams[segment.key]
        stream.begin(segment.sequence + 1)
        if is_answer:
            stream.peer.begin(segment.acknowledged)
        rest = segment._replace(sequence=segment.sequence + 1 & MASK, flags=segment.flags & ~SYN)
        if told:  # a connection was opened or goes on: this was said, and is not about bytes
            packet = packet._replace(comments=())
        return [*events, *(self._unusual(stream, packet, rest) if rest.size or packet.comments else ())]

    def _number(self, told: tuple[int, bool] | None) -> int:
        number = told[0] if told else self._last_number + 1
        self._last_number = max(self._last_number, number)
        return number

    def _add(self, flow: Flow, key: bytes) -> Stream:
        requestor, acceptor = Stream(flow, Role.REQUESTOR), Stream(flow, Role.ACCEPTOR)
        requestor.peer, acceptor.peer = acceptor, requestor
        self._streams[key], self._streams[reversed_key(key)] = requestor, acceptor
        return requestor

    def _leave(self, stream: Stream, when: float, end: int) -> list[Event]:
        """Nothing more comes of a connection."""
        both = (stream, stream.peer) if stream.sender is Role.REQUESTOR else (stream.peer, stream)
        events = [event for each in both for event in each.flush()]
        if not (stream.closed or stream.peer.closed):
            events.append(Closed(stream.flow, when, None, "cut", end, end, ()))
        return events

    def _remember_closed(self, key: bytes) -> None:
        """Forget the connections that were closed long ago."""
        self._closed.append(key)
        if len(self._closed) > _MOST_CLOSED:
            oldest = self._closed.popleft()
            stream = self._streams.get(oldest)
            if stream is not None and (stream.closed or stream.peer.closed) and oldest not in self._closed:
                del self._streams[oldest], self._streams[reversed_key(oldest)]


def _is_repeated(known: Stream, segment: Segment, told: tuple[int, bool] | None, *, is_answer: bool) -> bool:
    """Whether a SYN belongs to the connection that is known for its ports."""
    if is_answer:
        return known.sender is Role.ACCEPTOR and (
            known.first in (-1, segment.sequence + 1 & MASK) or not (known.closed or known.peer.closed)
        )
    if known.sender is not Role.REQUESTOR:
        return False
    if told is not None and told[0] != known.flow.number:
        return False
    if told is not None and told[1]:
        return True
    return segment.sequence + 1 & MASK == known.first and not (known.closed or known.peer.closed)


def flow_of(number: int, key: bytes) -> Flow:
    """``key``: that of the requestor's segments."""
    middle = (len(key) - 4) // 2
    return Flow(number, _address(key[:middle], key[-4:-2]), _address(key[middle:-4], key[-2:]))


def _address(host: bytes, port: bytes) -> str:
    address = ipaddress.ip_address(host)
    if isinstance(address, ipaddress.IPv6Address):
        mapped = address.ipv4_mapped
        return f"[{f'::ffff:{mapped}' if mapped else address}]:{_PORT.unpack(port)[0]}"
    return f"{address}:{_PORT.unpack(port)[0]}"
