"""A recording, ours or anybody's capture, as what people ask of it: its records, once or while it is being written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import count
from pathlib import Path
from types import TracebackType

from mockpacs.traffic.capture.event import Event
from mockpacs.traffic.capture.reader import Reader
from mockpacs.traffic.exchange import Record
from mockpacs.traffic.folder import part_of, recordings, stem_of
from mockpacs.traffic.recording.about import About, about
from mockpacs.traffic.recording.exchanges import OnRequest
from mockpacs.traffic.recording.timeline import Timeline
from mockpacs.wire import Role


class Recording:
    """The files of one recording. Nothing a file contains is an exception; `problems` says what could not be read."""

    def __init__(self, parts: Sequence[Path]) -> None:
        """``parts`` in their order; see `open`."""
        self.parts = tuple(parts)
        self.about: About = about(self.parts[0])
        self.problems: list[str] = []
        """What the last reading had to skip, a sentence each."""

    @classmethod
    def open(cls, path: Path | Sequence[Path]) -> Recording:
        """A file, or the parts of one recording in their order. The first part of a recording of ours stands for all.

        Raises RecordingError when a file cannot be opened.
        """
        if not isinstance(path, Path):
            return cls(path)
        first = cls([path])
        return cls([path, *_followers(path)]) if first.about.is_ours else first

    @property
    def ours(self) -> Role | None:
        """Which side of its connections we were, None when neither."""
        return Role.ACCEPTOR if self.about.is_ours else None

    def records(self, on_request: OnRequest | None = None) -> Iterator[Record]:
        """All records, in the order they completed. Raises RecordingError when a file is no capture.

        ``on_request`` hears of every request before its record comes, with how its data set begins.
        """
        timeline = Timeline(ours=self.ours, on_request=on_request)
        with Reader(*self.parts) as reader:
            yield from _told(reader, timeline, reader.end())
            self.problems = reader.problems
            yield from timeline.finish()

    def follow(self, on_request: OnRequest | None = None) -> Following:
        """Its records while it grows, parts that are still to come included."""
        return Following(self, on_request)


class Following:
    """A recording that is being read while it is being written. It waits for nothing: whoever follows asks again."""

    def __init__(self, recording: Recording, on_request: OnRequest | None = None) -> None:
        self._parts = list(recording.parts)
        self._is_ours = recording.about.is_ours
        self._timeline = Timeline(ours=recording.ours, on_request=on_request)
        self._reader = Reader(*self._parts)

    @property
    def parts(self) -> tuple[Path, ...]:
        """The files read so far."""
        return tuple(self._parts)

    @property
    def problems(self) -> list[str]:
        """What had to be skipped so far."""
        return self._reader.problems

    def more(self) -> list[Record]:
        """What was completed since the last call. Raises RecordingError when the file is no capture."""
        if self._is_ours:
            # looked for before the last part is read: when there is a next one, the last part is complete
            for path in _followers(self._parts[0]):
                if path not in self._parts:
                    self._parts.append(path)
                    self._reader.add(path)
        return list(_told(self._reader, self._timeline, self._reader.more()))

    def end(self) -> list[Record]:
        """The rest, and what was open: nothing is written any more. Nothing can be asked for afterwards."""
        return [*_told(self._reader, self._timeline, self._reader.end()), *self._timeline.finish()]

    def close(self) -> None:
        """Let go of the files."""
        self._reader.close()

    def __enter__(self) -> Following:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.close()


def newest(folder: Path) -> Path | None:
    """The newest recording in a folder: its first part, or the oldest that is left of it; None when there is none."""
    files = recordings(folder)
    return next(path for path in files if stem_of(path) == stem_of(files[-1])) if files else None


def _followers(first: Path) -> list[Path]:
    """The later parts of the recording that begins in this file.

    Where its first part was deleted to make room, the oldest that is left stands for those after it. Any other later
    part is read alone.
    """
    number = part_of(first)
    stem = stem_of(first)
    if number > 1 and any(first.with_name(_name(stem, part, first)).exists() for part in range(1, number)):
        return []
    found = []
    for part in count(number + 1):
        path = first.with_name(_name(stem, part, first))
        if not path.exists():
            break
        found.append(path)
    return found


def _name(stem: str, part: int, like: Path) -> str:
    return f"{stem}{f'-{part}' if part > 1 else ''}{like.suffix}"


def _told(reader: Reader, timeline: Timeline, events: Iterable[Event]) -> Iterator[Record]:
    """What a timeline makes of the events of a reader."""
    feed, path = timeline.feed, timeline.path
    for event in events:
        if reader.path is not path:
            path = reader.path
            timeline.begin_part(path)
        yield from feed(event)
