"""One direction of a connection: segments, in the order of the file, become bytes in their order, each once."""

from __future__ import annotations

from heapq import heappop, heappush
from typing import Final, NamedTuple

from mockpacs.traffic.capture.event import Chunk, Closed, Event, Flow, Missing
from mockpacs.traffic.capture.packet import Packet
from mockpacs.traffic.capture.segment import ACK, FIN, RST, Segment
from mockpacs.wire import Role

MODULUS: Final = 1 << 32
MASK: Final = MODULUS - 1
_HALF: Final = 1 << 31

MOST_HELD_BYTES: Final = 4 << 20
MOST_HELD_SEGMENTS: Final = 1000
"""Held back of one direction, while bytes before them are missing."""
PATIENCE: Final = 16
"""How many more packets of the connection may bring bytes that the other side has already acknowledged.

The acknowledgement of a byte is sometimes captured before the byte; after so many packets the byte was lost.
"""
UNKNOWN: Final = -1


class _Piece(NamedTuple):
    """A segment with its position; those that wait are in order."""

    start: int
    serial: int
    packet: Packet
    data: bytes | memoryview
    size: int
    closing: str
    """fin, reset or nothing"""


class Stream:
    """What one side sends. Positions count on from its first sequence number and do not wrap."""

    __slots__ = (
        "_early",
        "_early_bytes",
        "_is_acknowledged",
        "_patience",
        "_serial",
        "closed",
        "first",
        "flow",
        "peer",
        "position",
        "sender",
    )
    peer: Stream
    """The other direction."""

    def __init__(self, flow: Flow, sender: Role) -> None:
        self.flow = flow
        self.sender = sender
        self.first = UNKNOWN
        """The sequence number of the first byte."""
        self.position = UNKNOWN
        """Of the next byte; its last 32 bits are the sequence number."""
        self.closed = ""
        """fin or reset, once the side said so."""
        self._early: list[_Piece] = []
        self._early_bytes = 0
        self._serial = 0
        self._is_acknowledged = False
        self._patience = PATIENCE

    @property
    def is_waiting(self) -> bool:
        """Whether bytes are missing before those that are there."""
        return bool(self._early)

    def begin(self, sequence: int) -> None:
        """The first byte has this sequence number, unless that is known already."""
        if self.position == UNKNOWN:
            self.position = self.first = sequence & MASK

    def distance(self, sequence: int) -> int:
        """From the next byte to the one with this sequence number; negative when it is behind."""
        return (sequence - self.position + _HALF & MASK) - _HALF

    def take(self, packet: Packet, segment: Segment) -> list[Event]:
        """A segment of this direction that is not a SYN: what it brings, alone or together with those that waited."""
        _, sequence, _, flags, data, size = segment
        closing = "reset" if flags & RST else "fin" if flags & FIN else ""
        if flags & RST:
            data, size = b"", 0  # what some systems put there is text for people
        if not size and not closing:
            return [self._remark(packet, sequence)] if packet.comments else []
        if self.position == UNKNOWN:
            self.begin(sequence + is_probe(segment))
        ahead = self.distance(sequence)
        if flags & RST and not 0 < ahead <= MOST_HELD_BYTES:
            ahead = 0  # its number is not always one of this connection
        self._serial += 1
        piece = _Piece(self.position + ahead, self._serial, packet, data, size, closing)
        if ahead > 0:
            return self._put_aside(piece)
        return [*self._deliver(piece), *self._catch_up()]

    def wait(self, segment: Segment, *, is_from_peer: bool) -> list[Event]:
        """One more packet of the connection came while bytes are missing here: after enough of them no hope is left."""
        if is_from_peer and segment.flags & (ACK | RST) == ACK and self.distance(segment.acknowledged) > 0:
            self._is_acknowledged = True
        if self._is_acknowledged:
            self._patience -= 1
            if self._patience <= 0:
                return self._give_up()
        return []

    def flush(self) -> list[Event]:
        """Nothing more will come: what is there, with gaps."""
        events: list[Event] = []
        while self._early:
            events += self._give_up()
        return events

    def _put_aside(self, piece: _Piece) -> list[Event]:
        packet = piece.packet._replace(data=memoryview(b""))  # a view would keep all that was read with it
        heappush(self._early, piece._replace(packet=packet, data=bytes(piece.data)))
        self._early_bytes += len(piece.data)
        events: list[Event] = []
        while self._early_bytes > MOST_HELD_BYTES or len(self._early) > MOST_HELD_SEGMENTS:
            events += self._give_up()
        return events

    def _give_up(self) -> list[Event]:
        """The bytes before the earliest segment that waits are lost. Those before a RST perhaps never were."""
        piece = self._early[0]
        events: list[Event] = []
        if piece.closing != "reset":
            size = piece.start - self.position
            events.append(Missing(self.flow, self.sender, piece.packet.when, self.position & MASK, size))
        self.position = piece.start
        return events + self._catch_up()

    def _catch_up(self) -> list[Event]:
        """What waited and now has its turn."""
        events: list[Event] = []
        early = self._early
        while early and early[0].start <= self.position:
            piece = heappop(early)
            self._early_bytes -= len(piece.data)
            events += self._deliver(piece)
            self._is_acknowledged = False
            self._patience = PATIENCE
        return events

    def _deliver(self, piece: _Piece) -> list[Event]:
        """The part of a segment that is new, if any. What was not captured of it will not come any more."""
        events: list[Event] = []
        packet, skip = piece.packet, self.position - piece.start
        fresh = piece.size - skip
        comments = packet.comments
        if fresh > 0:
            data, sequence = piece.data[skip:], self.position & MASK
            if data or comments:
                events.append(self._chunk(packet, sequence, data))
                comments = ()
            if len(data) < fresh:
                lost = sequence + len(data) & MASK
                events.append(Missing(self.flow, self.sender, packet.when, lost, fresh - len(data)))
            self.position += fresh
        if piece.closing and self.closed not in (piece.closing, "reset"):
            self.position += piece.closing == "fin"  # FIN takes a sequence number
            self.closed = piece.closing
            events.append(
                Closed(self.flow, packet.when, self.sender, piece.closing, packet.offset, packet.end, comments)
            )
            comments = ()
        if comments:
            events.append(self._remark(packet, self.position & MASK))
        return events

    def _remark(self, packet: Packet, sequence: int) -> Chunk:
        """The comments of a packet that brought no new bytes."""
        return self._chunk(packet, sequence, b"")

    def _chunk(self, packet: Packet, sequence: int, data: bytes | memoryview) -> Chunk:
        return Chunk(*(self.flow, self.sender, packet.when, sequence, data, packet.offset, packet.end, packet.comments))


def is_probe(segment: Segment) -> bool:
    """Whether it may be a keep-alive with one byte before the next: no PDU begins with a zero."""
    return segment.size == 1 and bytes(segment.data) == b"\0"
