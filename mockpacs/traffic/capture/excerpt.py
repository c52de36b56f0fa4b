"""One stretch of one connection out of a large file, without reading the rest: what an exchange consists of."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Final

from mockpacs.traffic.capture.connections import Connections, flow_of
from mockpacs.traffic.capture.event import Closed, Event, Flow, Opened
from mockpacs.traffic.capture.packet import Packet, Parser, Problems
from mockpacs.traffic.capture.reader import parser_of
from mockpacs.traffic.capture.requestor import sender_of
from mockpacs.traffic.capture.segment import ACK, SYN, Segment, reversed_key, segment_of
from mockpacs.traffic.capture.source import Mapped, Source, open_source
from mockpacs.traffic.exchange import Place
from mockpacs.traffic.folder import part_of, recordings, stem_of
from mockpacs.wire import Role

_HALF: Final = 1 << 31
_MASK: Final = (1 << 32) - 1
_SEEKING: Final = threading.Lock()


def excerpt(place: Place, flow: Flow | None = None) -> Iterator[Event]:
    """What was sent between the begin and the end of a place, from the sequence numbers on that it names.

    ``flow`` says which connection, without an acceptor the one of that requestor; without it, it is the one of the
    first packet there, and its number is 0. Raises RecordingError when a file cannot be opened or is no capture.
    """
    problems, connections = Problems(), Connections()
    keys: tuple[bytes, ...] = ()
    for path, start, end in _stretches(place):
        for packet in _packets(path, start, end, problems):
            segment = segment_of(packet, problems)
            if segment is None:
                continue
            if not keys and (requestor := _requestor(segment, place, flow)):
                keys = (requestor, reversed_key(requestor))
                flow = flow_of(flow.number if flow else 0, requestor)
                connections.expect(flow, requestor, place.requestor, place.acceptor)
                yield Opened(flow, packet.when, packet.offset, (), from_start=False)
            if segment.key in keys and not segment.flags & SYN:  # a SYN is the head a later part repeats
                yield from connections.take(packet, segment)
    for event in connections.finish(0.0, 0):
        if not (isinstance(event, Closed) and event.how == "cut"):  # it goes on behind the end of the place
            yield event


def _stretches(place: Place) -> Iterator[tuple[Path, int, int | None]]:
    """The files of a place, with the bytes that count; None: to the end."""
    last = place.last
    if last is None or last == place.path:
        yield place.path, place.offset, place.end
        return
    yield place.path, place.offset, None
    first_part, last_part = part_of(place.path), part_of(last)
    for path in recordings(last.parent):
        if stem_of(path) == stem_of(last) and first_part < part_of(path) < last_part:
            yield path, 0, None
    yield last, 0, place.end


def _packets(path: Path, start: int, end: int | None, problems: Problems) -> Iterator[Packet]:
    source = open_source(path, problems)
    try:
        yield from (
            _mapped(path, source, start, end)
            if isinstance(source, Mapped)
            else _streamed(path, source, start, end, problems)
        )
    finally:
        source.close()


def _mapped(path: Path, source: Mapped, start: int, end: int | None) -> Iterator[Packet]:
    view, _ = source.window(0) or source.last(0)
    status = path.stat()
    with _SEEKING:
        parser = _seeker(path, status.st_size, status.st_mtime_ns).seek(view, start)
    return parser.packets(view[:end], 0, final=False)


@lru_cache(maxsize=16)
def _seeker(path: Path, size: int, changed: int) -> Parser:
    """Remembers the sections of a file, for as long as it stays as it is."""
    with path.open("rb") as file:
        return parser_of(memoryview(file.read(4)), path, Problems())


def _streamed(path: Path, source: Source, start: int, end: int | None, problems: Problems) -> Iterator[Packet]:
    """What cannot be read from the middle on is read from its begin."""
    parser: Parser | None = None
    while window := source.window(parser.position if parser else 0):
        view, base = window
        if parser is None and len(view) < 4:
            continue
        parser = parser or parser_of(view, path, problems)
        for packet in parser.packets(view, base, final=False):
            if end is not None and packet.end > end:
                return
            if packet.offset >= start:
                yield packet


def _requestor(segment: Segment, place: Place, flow: Flow | None) -> bytes | None:
    """The key of the requestor's segments; None when this is a segment of another connection."""
    there, back = segment.key, reversed_key(segment.key)
    if flow is not None:
        return next((key for key in (there, back) if _is_meant(flow, flow_of(flow.number, key))), None)
    requestor, acceptor = (_holds(segment, sequence) for sequence in (place.requestor, place.acceptor))
    if segment.flags & SYN:
        is_requestor = not segment.flags & ACK
    elif requestor != acceptor:
        is_requestor = requestor
    elif requestor and segment.flags & ACK and place.requestor != place.acceptor:
        # it has the first byte of either side: what its sender expects next is the other side's
        next_byte = segment.acknowledged
        is_requestor = _distance(next_byte, place.acceptor) <= _distance(next_byte, place.requestor)
    else:
        is_requestor = sender_of(segment.data, there) is Role.REQUESTOR
    return there if is_requestor else back


def _is_meant(flow: Flow, found: Flow) -> bool:
    return found == flow or (not flow.acceptor and found.requestor == flow.requestor)


def _holds(segment: Segment, sequence: int) -> bool:
    return sequence - segment.sequence & _MASK < segment.size


def _distance(one: int, other: int) -> int:
    return abs((one - other + _HALF & _MASK) - _HALF)
