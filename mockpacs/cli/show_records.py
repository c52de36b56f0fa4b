"""The records of a recording on the standard output: a list, one after the other in full, or as JSON."""

from __future__ import annotations

import contextlib
import json
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Final

import typer

from mockpacs.cli.progress import Working
from mockpacs.cli.show_output import Output
from mockpacs.cli.show_source import Opened, opened
from mockpacs.cli.show_words import Asked
from mockpacs.traffic.dump import detail, detail_json, pdu
from mockpacs.traffic.dump.detail import Wanted
from mockpacs.traffic.dump.line import Line
from mockpacs.traffic.dump.listing import Listing, exchange_line, notice_line
from mockpacs.traffic.exchange import Exchange, Record
from mockpacs.traffic.filter import Filter, select
from mockpacs.traffic.recording.detail import read_association, read_exchange
from mockpacs.traffic.recording.recording import Recording
from mockpacs.traffic.render import as_json, line
from mockpacs.traffic.selection import Heads, chosen, chosen_by_index, is_large
from mockpacs.wire.text import printable

POLL_SECONDS: Final = 0.1


class View:
    """How records are shown."""

    def __init__(
        self,
        output: Output,
        wanted: Wanted,
        *,
        as_json: bool,
        is_live: bool,
        is_full: bool,
        details: bool,
        every: bool = False,
    ) -> None:
        """``is_live``: as it happens, without groups; ``is_full``: each exchange with its messages.

        ``every``: associations on which nothing was asked as well, though without what is of interest rarely.
        """
        self.output = output
        self.wanted = wanted
        self._as_json = as_json
        self._is_live = is_live
        self._is_full = is_full
        self._details = details
        self._listing = Listing(details=details, every=every)

    def show(self, record: Record) -> None:
        """One more."""
        if self._as_json:
            if isinstance(record, Exchange) or self._details or not record.detail:
                self.output.text(json.dumps(self._mapping(record)))
        elif self._is_full:
            self._lines(self._in_full(record))
        elif self._is_live:
            self._lines(self._live(record))
        else:
            self._lines(self._listing.add(record))

    def show_association(self, parts: Sequence[Path], number: int) -> None:
        """All the PDUs of a connection, those that no exchange has included."""
        begin: float | None = None
        for read in read_association(parts, number):
            begin = read.when if begin is None else begin
            if self._as_json:
                self.output.text(json.dumps(detail_json.pdu_json(read, begin, with_bytes=self.wanted.bytes)))
            else:
                self._lines(pdu.lines(read, begin, with_bytes=self.wanted.bytes))

    def finish(self) -> None:
        """There are no more."""
        self._lines(self._listing.finish())

    def _lines(self, lines: Iterable[Line]) -> None:
        for one in lines:
            self.output.line(one)

    def _mapping(self, record: Record) -> dict[str, object]:
        if not isinstance(record, Exchange) or not self._is_full:
            return as_json(record)
        _, messages, pdus = read_exchange(record)
        return detail_json.exchange_json(record, messages, pdus, self.wanted)

    def _in_full(self, record: Record) -> Iterator[Line]:
        if not isinstance(record, Exchange):
            return self._live(record)
        _, messages, pdus = read_exchange(record)
        return detail.lines(record, messages, pdus, self.wanted)

    def _live(self, record: Record) -> Iterator[Line]:
        if isinstance(record, Exchange):
            yield exchange_line(record, indent="")._replace(text=line(record))
        elif self._details or not record.detail:
            yield notice_line(record)._replace(text=line(record))


def show(where: Asked, wanted: Filter, view: View, *, follow: bool, limit: int | None) -> None:
    """Show what the filter wants of a recording."""
    with opened(where, follow=follow) as source:
        recording = source.recording
        if where.association is not None and (view.wanted.pdus or view.wanted.bytes) and not follow:
            view.show_association(recording.parts, where.association)
            return
        # Ctrl-C is how one leaves off following
        with contextlib.suppress(KeyboardInterrupt) if follow else contextlib.nullcontext():
            records = _live(source, wanted, view.output) if follow else there(source, wanted)
            count = _show_all(records, view, limit)
            view.finish()
            if not count and wanted.text and not follow:
                complain(f'nothing in {where.name} matches "{wanted.text}"')
        for problem in recording.problems:
            complain(problem)


def complain(text: str) -> None:
    """A remark that is no part of the result."""
    typer.echo(f"mockpacs: {printable(text)}", err=True)


def _show_all(records: Iterator[Record], view: View, limit: int | None) -> int:
    """How many there were."""
    count = exchanges = 0
    for record in records:
        exchanges += isinstance(record, Exchange)
        if limit is not None and exchanges > limit:
            break
        count += 1
        view.show(record)
    return count


def there(source: Opened, wanted: Filter) -> Iterator[Record]:
    """What is in the recording, through its index where that is worth it."""
    recording = source.recording
    if not (wanted.text and source.is_file and is_large(recording)):
        yield from chosen(recording, wanted)
        return
    with Working("indexing") as working:
        records = chosen_by_index(recording, wanted, lambda done: working.progress(done, 0))
        first = next(records, None)
    if first is not None:
        yield from chain([first], records)


def _live(source: Opened, wanted: Filter, output: Output) -> Iterator[Record]:
    """What is there and what comes."""
    heads = Heads(wanted.tags)
    yield from select(_coming(source, source.recording, heads, output), wanted, heads.values)


def _coming(source: Opened, recording: Recording, heads: Heads, output: Output) -> Iterator[Record]:
    with recording.follow(heads.on_request) as following:
        while True:
            is_last = source.has_ended
            records = following.end() if is_last else following.more()
            for record in records:
                yield record
                heads.forget(record)
            if is_last:
                recording.problems = following.problems
                return
            if not records:
                output.flush()
                sys.stderr.flush()
                time.sleep(POLL_SECONDS)
