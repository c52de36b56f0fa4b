"""Reads captures from their first byte to their last, also while they grow and when they have several parts."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final

from mockpacs.errors import RecordingError
from mockpacs.traffic.capture import pcap, pcapng
from mockpacs.traffic.capture.connections import Connections
from mockpacs.traffic.capture.event import Event
from mockpacs.traffic.capture.packet import Parser, Problems
from mockpacs.traffic.capture.segment import segment_of
from mockpacs.traffic.capture.source import Source, Streamed, open_source

_MAGIC_LENGTH: Final = 4


class Reader:
    """Tells what happened on the connections of a capture, or of one that goes on over several files.

    Nothing a file contains is an exception: `problems` says afterwards what was skipped and why. `more` gives what is
    new since it was called last and does not wait for a growing file; the caller does, and calls again. A pipe it does
    wait for.
    """

    def __init__(self, *paths: Path) -> None:
        """Raises RecordingError when a file cannot be opened."""
        self._noted = Problems()
        self._connections = Connections()
        self._parts: deque[tuple[Path, Source]] = deque()
        self._parser: Parser | None = None
        self._when = 0.0
        self._path = paths[0] if paths else Path()
        for path in paths:
            self.add(path)

    def add(self, path: Path) -> None:
        """A file that goes on where those before end. Raises RecordingError when it cannot be opened."""
        try:
            self._parts.append((path, open_source(path, self._noted)))
        except RecordingError:
            self.close()
            raise

    def add_stream(self, file: BinaryIO, name: Path) -> None:
        """The same for an open file that cannot be read twice, a pipe; it is closed with the reader."""
        self._parts.append((name, Streamed(file, self._noted)))

    @property
    def path(self) -> Path:
        """The file that the events come from now; their offsets count its bytes, as they are when unpacked."""
        return self._parts[0][0] if self._parts else self._path

    @property
    def position(self) -> int:
        """How many bytes of this file have been read."""
        return self._parser.position if self._parser else 0

    @property
    def problems(self) -> list[str]:
        """What could not be read so far, a sentence each."""
        return self._noted.sentences()

    def more(self) -> Iterator[Event]:
        """What happened since. Take all of it. Raises RecordingError when a file is no capture."""
        while self._parts:
            yield from self._read()
            if len(self._parts) == 1:
                return
            yield from self._leave()

    def end(self) -> Iterator[Event]:
        """The files do not grow any more: the rest, and the connections that are open still. Closes the files."""
        try:
            while self._parts:
                yield from self._read()
                position = self.position
                yield from self._leave()
            yield from self._connections.finish(self._when, position)
        finally:
            self.close()

    def close(self) -> None:
        """Let go of the files, whatever was read."""
        for _, source in self._parts:
            source.close()
        self._parts.clear()

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.close()

    def _read(self) -> Iterator[Event]:
        """What is new in the current file."""
        path, source = self._parts[0]
        self._noted.file_name = path.name if self._path != path or len(self._parts) > 1 else ""
        while window := source.window(self.position):
            view, base = window
            if self._parser is None:
                if len(view) < _MAGIC_LENGTH:
                    continue
                self._parser = parser_of(view, path, self._noted)
            yield from self._take(self._parser, view, base, final=False)

    def _leave(self) -> Iterator[Event]:
        """The current file does not grow any more."""
        path, source = self._parts[0]
        view, base = source.last(self.position)
        try:
            parser = self._parser or parser_of(view, path, self._noted)
            yield from self._take(parser, view, base, final=True)
        finally:
            source.close()
        self._parts.popleft()
        self._path = path
        self._parser = None

    def _take(self, parser: Parser, view: memoryview, base: int, *, final: bool) -> Iterator[Event]:
        take, problems = self._connections.take, self._noted
        for packet in parser.packets(view, base, final=final):
            segment = segment_of(packet, problems)
            if segment is not None:
                self._when = packet.when
                yield from take(packet, segment)


def events(*paths: Path) -> Iterator[Event]:
    """All that happened on the connections of a capture; several files are parts of one. Raises RecordingError."""
    with Reader(*paths) as reader:
        yield from reader.end()


def parser_of(view: memoryview, path: Path, problems: Problems) -> Parser:
    """The parser for a file that begins like this. Raises RecordingError when it is no capture."""
    magic = bytes(view[:_MAGIC_LENGTH])
    if magic == pcapng.MAGIC:
        return pcapng.Pcapng(problems)
    if magic in pcap.MAGICS:
        return pcap.Pcap(magic, problems)
    if magic:
        raise RecordingError(f"{path} is not a capture file: it begins neither like pcapng nor like pcap")
    raise RecordingError(f"{path} is empty{''.join(f'; {sentence}' for sentence in problems.sentences())}")
