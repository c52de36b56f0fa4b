"""A capture as it is, or with the packets of some connections only: blocks are copied, never made anew."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from mockpacs.traffic.capture.connections import Connections
from mockpacs.traffic.capture.event import Event, Opened
from mockpacs.traffic.capture.packet import Packet, Parser, Problems
from mockpacs.traffic.capture.reader import parser_of
from mockpacs.traffic.capture.segment import Segment, reversed_key, segment_of
from mockpacs.traffic.capture.source import Source, open_source


class Piece(NamedTuple):
    """Bytes of a capture. ``number`` is that of the connection; None for what is no packet of one."""

    number: int | None
    data: memoryview
    """Valid until the next piece is asked for, or for good when the file is not compressed."""


class RawReader:
    """Cuts a capture, which may still grow, into its blocks. Several files are parts of one."""

    def __init__(self, path: Path, observe: Callable[[Event], object] | None = None) -> None:
        """``observe`` is told what happens on the connections. Raises RecordingError when it cannot be opened."""
        self._problems = Problems()
        self._observe = observe
        self._connections = Connections()
        self._numbers: dict[bytes, int] = {}
        self._path = path
        self._source: Source = open_source(path, self._problems)
        self._parser: Parser | None = None
        self._written = 0

    @property
    def problems(self) -> list[str]:
        """What could not be read so far, a sentence each."""
        return self._problems.sentences()

    def turn_to(self, path: Path) -> None:
        """Go on in the next part."""
        self.close()
        self._path, self._source, self._parser, self._written = path, open_source(path, self._problems), None, 0

    def more(self) -> Iterator[Piece]:
        """What is whole and new. Raises RecordingError when the file is no capture."""
        while window := self._source.window(self._parser.position if self._parser else 0):
            view, base = window
            if self._parser is None:
                if len(view) < 4:
                    continue
                self._parser = parser_of(view, self._path, self._problems)
            parser = self._parser
            for packet in parser.packets(view, base, final=False):
                yield from self._between(view, base, packet.offset)
                number = self._number(packet)
                self._written = packet.end
                yield Piece(number, view[packet.offset - base : packet.end - base])
            yield from self._between(view, base, parser.position)

    def close(self) -> None:
        """Let go of the file."""
        self._source.close()

    def _between(self, view: memoryview, base: int, end: int) -> Iterator[Piece]:
        """What stands between packets: sections, interfaces, names."""
        if self._written < end:
            start, self._written = self._written, end
            yield Piece(None, view[start - base : end - base])

    def _number(self, packet: Packet) -> int | None:
        segment = segment_of(packet, self._problems)
        if segment is None:
            return None
        for event in self._connections.take(packet, segment):
            if isinstance(event, Opened):
                self._remember(event, segment)
            if self._observe is not None:
                self._observe(event)
        return self._numbers.get(segment.key)

    def _remember(self, opened: Opened, segment: Segment) -> None:
        self._numbers[segment.key] = self._numbers[reversed_key(segment.key)] = opened.flow.number
