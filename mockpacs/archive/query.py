"""Answering a query: an identifier and a model give matches, one per entity, as they are asked for (PS3.4 C.4.1)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, Protocol

from mockpacs.archive import attributes, dates, header_keys, matching, moments, selection, values
from mockpacs.archive.answer import Answer
from mockpacs.archive.attributes import Source
from mockpacs.archive.columns import COLUMNS, TABLE, Column
from mockpacs.archive.fields import Field, Text
from mockpacs.archive.header_keys import Header
from mockpacs.archive.identifier import Identifier, parse
from mockpacs.archive.index import Level
from mockpacs.archive.matching import Rules
from mockpacs.archive.model import DEPTH, UNIQUE_KEY, Model
from mockpacs.archive.prefilter import Condition, condition
from mockpacs.archive.selection import Row
from mockpacs.errors import IdentifierError
from mockpacs.wire.dataset import Encoding
from mockpacs.wire.status import OUT_OF_RESOURCES


class Files(Protocol):
    """What is needed of the stored files."""

    def read_header(self, path: str, limit: int) -> tuple[bytes, Encoding]:
        """The first bytes of a stored data set and its encoding; raises OSError when the file is gone."""
        ...


@dataclass(frozen=True, slots=True)
class QueryOptions:
    """How a query is answered: the first five are what extended negotiation agreed on (PS3.4 C.5.1.1.1).

    ``unknown_values``: "no-match", or "match" for the letter of C.2.2.1.2. ``person_name_case``: "insensitive" or
    "sensitive". ``retrieve_aet`` is returned as Retrieve AE Title. After ``max_results`` matches (0: no limit) the
    answer ends with A700.
    """

    relational: bool = False
    combined_datetime: bool = False
    timezone_adjustment: bool = False
    empty_value: bool = False
    multiple_value: bool = False
    unknown_values: str = "no-match"
    person_name_case: str = "insensitive"
    retrieve_aet: str = ""
    max_results: int = 0


class Match(NamedTuple):
    """One answer. ``complete`` False: a key was not supported, the status is FF01 instead of FF00 (PS3.4 C.2.2.1.3)."""

    dataset: bytes
    complete: bool


def find(
    index: selection.Rows,
    files: Files,
    identifier: bytes,
    encoding: Encoding,
    model: Model,
    options: QueryOptions,
    cancelled: Callable[[], bool] = lambda: False,
) -> Iterator[Match]:
    """The matches of an identifier, encoded like it, in the order their entities were stored.

    The identifier is read at once: IdentifierError when it cannot be answered. The index is read while matches are
    asked for, each step possibly in another thread; after ``max_results`` of them IdentifierError with A700. There are
    no more once ``cancelled`` says so: it is asked for every entity looked at, as the next match can be minutes away.
    """
    asked = parse(identifier, encoding, model, relational=options.relational)
    return _Query(index, files, asked, encoding, model, options).matches(cancelled)


_TRIES: Final = 5

RowTest = Callable[[Row, Header | None], bool]


class _Query:
    """One query: which tables it reads, what it tests and what it returns."""

    def __init__(
        self,
        index: selection.Rows,
        files: Files,
        asked: Identifier,
        encoding: Encoding,
        model: Model,
        options: QueryOptions,
    ) -> None:
        self._index = index
        self._files = files
        self._asked = asked
        self._options = options
        self._timezone = dates.offset(asked.timezone) if options.timezone_adjustment else None
        self._rules = Rules(
            empty_value=options.empty_value,
            multiple_value=options.multiple_value,
            unknown_matches=options.unknown_values == "match",
            name_case_sensitive=options.person_name_case == "sensitive",
            default_offset=self._timezone or 0,
        )
        self._level = _deepest(asked) if options.relational else asked.level
        sources = [(key, attributes.source_of(key.tag, self._level)) for key in asked.keys]
        self._indexed = [key for key, source in sources if source is Source.COLUMN]
        self._stored = [key for key, source in sources if source is Source.HEADER and key.vr not in values.BULK]
        self._complete = len(self._indexed) + len(self._stored) == len(asked.keys)
        self._gives_zone = self._timezone is not None or (
            attributes.TIMEZONE_OFFSET in asked.asked and not asked.timezone
        )
        self._needs_header = bool(self._stored) or self._gives_zone
        self._select(model)
        self._tests = [*self._column_tests(), *self._header_tests()]
        self._answer = self._shape(encoding)

    def matches(self, cancelled: Callable[[], bool]) -> Iterator[Match]:
        """The matches, until there are no more or nobody wants them."""
        wanted = selection.ids(self._index, self._level, self._conditions())
        given: set[int] = set()
        once = self._level is self._asked.level
        limit = self._options.max_results
        count = 0
        for block in selection.blocks(self._index, self._level, self._columns, wanted):
            for row in block:
                if cancelled():
                    return
                if not once and row[0] in given:
                    continue
                header = None
                if self._needs_header:
                    current = self._with_header(row)
                    if current is None:
                        continue
                    row, header = current
                if not all(test(row, header) for test in self._tests):
                    continue
                if limit and count == limit:
                    raise IdentifierError(f"More than {limit} matches", status=OUT_OF_RESOURCES)
                count += 1
                if not once:
                    given.add(row[0])
                yield Match(self._answer(row, header, self._zone(header)), self._complete)

    def _select(self, model: Model) -> None:
        """Decide what is read: the entity's id, a character set, the file that speaks for it, the row's id, columns."""
        level = self._asked.level
        above = [UNIQUE_KEY[upper] for upper in model.above(level)]
        self._returned = sorted({key.tag for key in self._indexed} | set(above))
        read = self._returned
        if self._timezone is not None:  # moving a date takes its time, and the other way round
            pairs = [pair for pair in moments.TIME_OF.items() if not set(pair).isdisjoint(read)]
            read = sorted({*read, *(tag for pair in pairs for tag in pair)})
        entity, table = TABLE[level], TABLE[self._level]
        path = selection.sample_path(self._level) if self._needs_header else "NULL"
        self._columns = [f'"{entity}"."id"', f'"{table}"."character_set"', path, f'"{table}"."id"']
        self._place = {tag: len(self._columns) + at for at, tag in enumerate(read)}
        self._columns += [COLUMNS[tag].sql for tag in read]

    def _conditions(self) -> list[tuple[Level, Condition]]:
        # A range of times combined with one of dates bounds only the first and the last day; moving moves both.
        combined = frozenset(("TM",) if self._options.combined_datetime else ())
        not_as_stored = combined if self._timezone is None else frozenset(("DA", "TM"))
        return [
            (COLUMNS[key.tag].level, found)
            for key in self._indexed
            if (found := condition(key, self._rules, not_as_stored=not_as_stored)) is not None
        ]

    def _column_tests(self) -> Iterator[RowTest]:
        by_tag = {key.tag: key for key in self._indexed}
        paired: set[int] = set()
        if self._options.combined_datetime or self._timezone is not None:
            for date, time in moments.TIME_OF.items():
                test = moments.pair_test(
                    by_tag.get(date), by_tag.get(time), self._rules, combine=self._options.combined_datetime
                )
                if test is not None:
                    paired.update((date, time))
                    yield self._pair_test(test, self._place.get(date), self._place.get(time))
        for key in self._indexed:
            predicate = matching.predicate(key.vr, key.values, self._rules)
            if predicate is not None and key.tag not in paired:
                yield _column_test(predicate, self._place[key.tag], COLUMNS[key.tag])

    def _pair_test(self, test: moments.PairTest, date: int | None, time: int | None) -> RowTest:
        def matches(row: Row, header: Header | None) -> bool:
            stored_date = row[date] or "" if date is not None else ""
            stored_time = row[time] or "" if time is not None else ""
            return test(stored_date, stored_time, self._shift(header))

        return matches

    def _header_tests(self) -> Iterator[RowTest]:
        for key in self._stored:
            test = header_keys.matcher(key, self._rules)
            if test is not None:
                yield _header_test(test)

    def _shape(self, encoding: Encoding) -> Answer:
        asked = self._asked
        fixed = [
            Text(attributes.QUERY_RETRIEVE_LEVEL, "CS", asked.level),
            Text(attributes.RETRIEVE_AE_TITLE, "AE", self._options.retrieve_aet),
        ]
        if attributes.INSTANCE_AVAILABILITY in asked.asked:
            fixed.append(Text(attributes.INSTANCE_AVAILABILITY, "CS", "ONLINE"))
        return Answer(
            {tag: self._place[tag] for tag in self._returned},
            fixed,
            self._stored,
            encoding=encoding,
            character_sets=lambda row: (asked.character_set, row[1] or ""),
            rules=self._rules,
        )

    def _with_header(self, row: Row) -> tuple[Row, Header] | None:
        """A row and the header of its file; None when the entity was deleted since the row was read."""
        for _ in range(_TRIES):
            with suppress(OSError):
                return row, Header.read(self._files.read_header, row[2] or "")
            # Deleted or replaced meanwhile: another file may speak for the entity now.
            again = next(selection.blocks(self._index, self._level, self._columns, [row[3]]))
            if not again:
                return None
            row = again[0]  # of the same path as well: it was deleted and stored again
        # The file is gone: the index still knows the entity, its other attributes are unknown.
        return row, Header({}, Encoding.of(""), "")

    def _shift(self, header: Header | None) -> int:
        """Microseconds from the timezone of the stored times to that of the query; 0 when either is unknown."""
        own = dates.offset(_zone_text(header)) if header and self._timezone is not None else None
        return 0 if own is None or self._timezone is None else self._timezone - own

    def _zone(self, header: Header | None) -> Sequence[Field]:
        """Timezone Offset From UTC of the returned times, when it was asked for or agreed that timezones matter."""
        zone = _zone_text(header) if header and self._gives_zone else ""
        return [Text(attributes.TIMEZONE_OFFSET, "SH", zone)] if zone else []


def _deepest(asked: Identifier) -> Level:
    """The level whose rows a relational query reads: a key below the level asked for matches when any child does."""
    levels: list[Level] = [asked.level]
    for key in asked.keys:
        level = COLUMNS[key.tag].level if key.tag in COLUMNS else attributes.level_of(key.tag)
        if level is not None and not key.is_universal:
            levels.append(level)
    return max(levels, key=lambda level: DEPTH[level])


def _column_test(predicate: matching.Predicate, place: int, column: Column) -> RowTest:
    if column.single:
        return lambda row, _: predicate((row[place],) if row[place] else ())
    return lambda row, _: predicate(tuple(row[place].split("\\")) if row[place] else ())


def _header_test(test: Callable[[Header], bool]) -> RowTest:
    return lambda _, header: header is not None and test(header)


def _zone_text(header: Header | None) -> str:
    element = header.elements.get(attributes.TIMEZONE_OFFSET) if header else None
    found: Any = header.values(element, "SH") if header and element else ()
    return found[0] if found else ""
