"""The index of a recording: an SQLite file beside it that answers a filter without reading the recording.

It is disposable: built from the records, thrown away as soon as it does not fit the recording, never the only place of
anything. It is never written to after it has got its name, so any number of processes may read it.
"""

from __future__ import annotations

import heapq
import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from mockpacs.errors import RecordingError
from mockpacs.traffic.exchange import Exchange, Record
from mockpacs.traffic.filter import Filter, no_values
from mockpacs.traffic.filter.term import Values
from mockpacs.traffic.index.file import connect, fits, sync, temporary
from mockpacs.traffic.index.identity import identity_of, index_path
from mockpacs.traffic.index.reader import Reader
from mockpacs.traffic.index.runs import INDEXED
from mockpacs.traffic.index.terms import Tests, Translation

if TYPE_CHECKING:
    from mockpacs.traffic.index.build import Attributes, Progress


class Counts(NamedTuple):
    """What is in a recording."""

    associations: int
    exchanges: int
    notices: int
    by_service: dict[str, int]
    by_category: dict[str, int]
    """Exchanges by how they ended: success, warning, failure, cancel, pending."""
    bytes: int
    """Of data sets in requests."""
    first: float | None
    """When the first record was made, seconds since 1970."""


class Index:
    """An open index; made by `open`, `build` or `of`."""

    def __init__(self, connection: sqlite3.Connection, recording: Path, parts: Sequence[Path]) -> None:
        self.recording = recording
        self._connection = connection
        self._reader = Reader(connection, parts)
        self._tests = Tests(connection)
        self._first, counts = connection.execute("SELECT first, counts FROM recording").fetchone()
        self._counts = Counts(first=self._first, **json.loads(counts))

    @classmethod
    def of(
        cls,
        recording: Path,
        read: Callable[[], Iterable[tuple[Record, Attributes]]],
        progress: Progress | None = None,
        *,
        parts: Sequence[Path] = (),
    ) -> Index:
        """The index of a recording: the one beside it when that fits, else a new one; ``read`` reads the recording.

        Raises OSError when the recording cannot be read; an index that cannot be written is kept in memory.
        """
        found = cls.open(recording, parts=parts)
        if found is not None:
            return found
        try:
            return cls.build(recording, read(), progress, parts=parts)
        except sqlite3.OperationalError:  # no room on the disk, as a rule
            return cls.build(recording, read(), progress, parts=parts, in_memory=True)

    @classmethod
    def open(cls, recording: Path, *, parts: Sequence[Path] = ()) -> Index | None:
        """The index beside a recording; None when it is missing, damaged, of another version or another recording.

        ``parts``: all files of the recording, by default the one.
        """
        parts = parts or (recording,)
        path = index_path(recording)
        try:
            connection = connect(path)
        except (sqlite3.Error, OSError):
            return None
        try:
            if fits(connection, path, identity_of(parts)):
                return cls(connection, recording, parts)
        except (sqlite3.Error, ValueError, TypeError):  # a damaged file may say anything
            pass
        except BaseException:
            connection.close()
            raise
        connection.close()
        return None

    @classmethod
    def build(
        cls,
        recording: Path,
        records: Iterable[tuple[Record, Attributes]],
        progress: Progress | None = None,
        *,
        parts: Sequence[Path] = (),
        in_memory: bool = False,
    ) -> Index:
        """Make the index of a recording from its records, each with the attributes of its request's data set.

        It gets its name when it is complete, so a build that dies leaves nothing that is taken for an index. In a
        folder that cannot be written it is kept in memory. Raises sqlite3.OperationalError when the disk is full.
        """
        from mockpacs.traffic.index.build import fill  # loads peewee, which only building needs

        parts = parts or (recording,)
        identity = identity_of(parts)  # before reading: what is appended meanwhile makes it another recording
        path = index_path(recording)
        unnamed = None if in_memory else temporary(path)
        connection = sqlite3.connect(unnamed or ":memory:", isolation_level=None, check_same_thread=False)
        try:
            fill(connection, records, parts, identity, progress)
            if unnamed is None:
                return cls(connection, recording, parts)
            connection.close()
            sync(unnamed)
            connection = connect(unnamed)  # under either name: somebody else's may replace ours at any time
            found = cls(connection, recording, parts)
            with suppress(OSError):
                unnamed.replace(path)
            return found
        except BaseException:
            connection.close()
            raise
        finally:
            if unnamed is not None:
                unnamed.unlink(missing_ok=True)

    def select(self, wanted: Filter, values: Values = no_values) -> Iterator[Record]:
        """The records that a filter wants, by association and number; notices follow the exchange they came after.

        Notices without an association come first. ``values`` reads the data set of a request: it is asked only for
        attributes that are not in the index, and only where all other terms are met.
        Raises RecordingError when the index turns out to be damaged; it is removed then.
        """
        wanted = wanted if self._first is None else wanted.on_day_of(self._first)
        try:
            exchanges = self._exchanges(wanted, values)
            notices = ((place, notice) for place, notice in self._reader.notices() if wanted.matches_notice(notice))
            merged: Iterator[tuple[tuple[int, float], Record]] = heapq.merge(exchanges, notices, key=_place_of)
            for _, record in merged:
                yield record
        except sqlite3.DatabaseError as problem:
            path = index_path(self.recording)
            with suppress(OSError):
                path.unlink(missing_ok=True)
            raise RecordingError(f"The index {path} was damaged ({problem}) and is removed: ask again.") from problem

    def counts(self) -> Counts:
        """What is in the recording."""
        return self._counts

    def close(self) -> None:
        """Let go of the file. Harmless when said twice."""
        self._connection.close()

    def _exchanges(self, wanted: Filter, values: Values) -> Iterator[tuple[tuple[int, float], Exchange]]:
        translation = Translation(self._tests)
        try:
            condition = translation.condition(wanted.node)
            for sequence, exchange in self._reader.exchanges(condition):
                if condition.is_exact or wanted.matches(exchange, self._values(sequence, values)):
                    yield (exchange.association.number, exchange.number), exchange
        finally:
            self._tests.take_back(translation.lent)

    def _values(self, sequence: int, values: Values) -> Values:
        """Values from the index where it has them."""

        def known(exchange: Exchange, tag: int) -> Sequence[str] | None:
            if tag not in INDEXED:
                return values(exchange, tag)
            is_whole, found = self._reader.values(tag, exchange.association.number, sequence)
            return found if is_whole else values(exchange, tag)

        return known


def _place_of(placed: tuple[tuple[int, float], Record]) -> tuple[int, float]:
    return placed[0]
