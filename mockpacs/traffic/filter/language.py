"""The filter: one language for the command line, the HTTP API and the web page. Its reference is docs/filter.md.

A filter is read once and asked often: it compiles to closures, and it never changes what it looks at.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from mockpacs.traffic.exchange import Exchange, Notice, Record
from mockpacs.traffic.filter.meaning import Meaning
from mockpacs.traffic.filter.syntax import MisreadError, parse
from mockpacs.traffic.filter.term import All, Node, Test, Values, compile_notice, compile_test, terms, written


def no_values(exchange: Exchange, tag: int) -> Sequence[str] | None:
    """For whoever has no data sets: every attribute is absent."""
    return None


@dataclass(frozen=True, slots=True)
class Filter:
    """What somebody wants to see. ``text`` is how they said it, ``tags`` which attributes of a data set are needed."""

    text: str
    now: float
    day_of: float | None
    node: Node = field(repr=False, compare=False)
    tags: frozenset[int]
    _test: Test = field(repr=False, compare=False)
    _notice: Callable[[Notice], bool] = field(repr=False, compare=False)

    @classmethod
    def parse(cls, text: str | Sequence[str], *, now: float | None = None, day_of: float | None = None) -> Filter:
        """Read a filter, or the words of a command line, which are joined by blanks.

        ``now``: what ``after:5m`` counts from, by default the present. ``day_of``: any moment (seconds since 1970) of
        the local day that ``after:14:02`` means; without it, the day of every exchange itself: see `on_day_of`.
        Raises `FilterError`.
        """
        if not isinstance(text, str):
            text = " ".join(text)
        now = time.time() if now is None else now
        try:
            node = parse(text, Meaning(now, day_of).term)
        except MisreadError as problem:
            raise problem.shown(text) from None
        tags = frozenset(term.tag for term in terms(node) if term.tag)
        return cls(text, now, day_of, node, tags, compile_test(node), compile_notice(node))

    @property
    def asks_for_legs(self) -> bool:
        """Whether it says something of what we asked ourselves: else whoever counts what peers did leaves that out."""
        return any(term.key == "leg" for term in terms(self.node))

    def on_day_of(self, first: float) -> Filter:
        """The same filter with its times of day on the local day of ``first``: when the first record was made.

        Whoever reads a recording says this once, so that ``after:23:00`` also finds what came after midnight.
        """
        if self.day_of is not None or not any(term.by_clock for term in terms(self.node)):
            return self
        return Filter.parse(self.text, now=self.now, day_of=first)

    def matches(self, exchange: Exchange, values: Values = no_values) -> bool:
        """Whether the exchange is wanted; ``values`` is only called for attributes, and after all other terms."""
        return self._test(exchange, values)

    def matches_notice(self, notice: Notice) -> bool:
        """Whether the notice is wanted. A term that says nothing of notices (all but who and when) excludes them."""
        return self._notice(notice)

    def unmet(self, exchange: Exchange, values: Values = no_values) -> tuple[str, ...]:
        """The terms that keep the exchange from matching, as they were written: how near it came."""
        parts = self.node.parts if isinstance(self.node, All) else (self.node,)
        return tuple(written(part) for part in parts if not compile_test(part)(exchange, values))


def select(records: Iterable[Record], wanted: Filter, values: Values = no_values) -> Iterator[Record]:
    """The records that a filter wants, in their order; the first of all says which day a time of day means."""
    first = True
    for record in records:
        if first:
            wanted = wanted.on_day_of(moment_of(record))
            first = False
        if isinstance(record, Exchange):
            if wanted.matches(record, values):
                yield record
        elif wanted.matches_notice(record):
            yield record


def moment_of(record: Record) -> float:
    """When something happened, seconds since 1970."""
    return record.started if isinstance(record, Exchange) else record.when
