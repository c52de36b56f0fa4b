"""``mockpacs show --raw``: the packets of a recording on the standard output, for Wireshark's own tools."""

from __future__ import annotations

import contextlib
import sys
import time
from pathlib import Path
from typing import BinaryIO

from mockpacs.cli.show_records import POLL_SECONDS, complain, there
from mockpacs.cli.show_source import Opened, opened
from mockpacs.cli.show_words import Asked
from mockpacs.errors import ConfigurationError, RecordingError
from mockpacs.traffic.capture.event import Event
from mockpacs.traffic.exchange import Exchange
from mockpacs.traffic.filter import Filter
from mockpacs.traffic.raw import Piece, RawReader
from mockpacs.traffic.recording.recording import Recording
from mockpacs.traffic.recording.timeline import Timeline
from mockpacs.traffic.selection import Heads


def copy(where: Asked, wanted: Filter, *, follow: bool) -> None:
    """Write the packets, with a filter those of the associations that have something it wants."""
    if sys.stdout.isatty():
        raise ConfigurationError("--raw writes binary data; send it into a file or a program: | tshark -r -")
    out = sys.stdout.buffer
    with opened(where, follow=follow) as source:
        with contextlib.suppress(KeyboardInterrupt) if follow else contextlib.nullcontext():
            if follow:
                _follow(source, wanted, out)
            else:
                _copy(where, source, wanted, out)
        out.flush()


def _copy(where: Asked, source: Opened, wanted: Filter, out: BinaryIO) -> None:
    recording = source.recording
    numbers: set[int | None] | None = None
    if wanted.text:
        numbers = {None} | {record.association.number for record in there(source, wanted) if record.association}
    is_empty = True
    with contextlib.closing(RawReader(recording.parts[0])) as reader:
        for path in recording.parts:
            if path != recording.parts[0]:
                reader.turn_to(path)
            for number, data in reader.more():
                is_empty = False
                if numbers is None or number in numbers:
                    out.write(data)
    if is_empty:
        raise RecordingError("; ".join([f"{where.name} is empty", *reader.problems]))
    for problem in reader.problems:
        complain(problem)


def _follow(source: Opened, wanted: Filter, out: BinaryIO) -> None:
    """What is there and what comes. Packets of an association wait until something of it is wanted."""
    recording = source.recording
    judge = _Judge(recording, wanted)
    reader = RawReader(recording.parts[0], judge.see if wanted.text else None)
    parts = [recording.parts[0]]
    judge.turn_to(parts[0])
    while True:
        is_last = source.has_ended
        following = next((path for path in Recording.open(parts[0]).parts if path not in parts), None)
        for piece in reader.more():
            for data in judge.released(piece):
                out.write(data)
        if following is not None:
            parts.append(following)
            reader.turn_to(following)
            judge.turn_to(following)
        elif is_last:
            break
        else:
            out.flush()
            time.sleep(POLL_SECONDS)
    reader.close()


class _Judge:
    """Knows of which associations something is wanted, as soon as that has happened."""

    def __init__(self, recording: Recording, wanted: Filter) -> None:
        self._wanted = wanted
        self._heads = Heads(wanted.tags)
        self._timeline = Timeline(ours=recording.ours, on_request=self._heads.on_request)
        self._numbers: set[int] = set()
        self._waiting: dict[int, list[memoryview]] = {}

    def turn_to(self, path: Path) -> None:
        """The events that follow come from this file."""
        self._timeline.begin_part(path)

    def see(self, event: Event) -> None:
        """What happened on a connection."""
        for record in self._timeline.feed(event):
            one = record.association
            if one is not None and one.number not in self._numbers:
                is_wanted = (
                    self._wanted.matches(record, self._heads.values)
                    if isinstance(record, Exchange)
                    else self._wanted.matches_notice(record)
                )
                if is_wanted:
                    self._numbers.add(one.number)
            self._heads.forget(record)

    def released(self, piece: Piece) -> list[memoryview]:
        """What can be written now that this piece is there."""
        number, data = piece
        if number is None or not self._wanted.text:
            return [data]
        if number in self._numbers:
            return [*self._waiting.pop(number, ()), data]
        self._waiting.setdefault(number, []).append(data)
        return []
