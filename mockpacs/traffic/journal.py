"""What happened lately, in memory: a bounded list of records that tests wait on and views follow.

What peers asked is counted and waited for; what we asked ourselves, the legs of a retrieve, only by who says so.
It never reaches for a disk or a network, and whoever adds to it never waits for whoever reads.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Reversible, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from mockpacs.errors import FilterError, WaitError
from mockpacs.traffic.exchange import Exchange, Notice, Record

if TYPE_CHECKING:  # a server that nobody asks for anything needs no filter: 20 ms of its start
    from mockpacs.traffic.filter import Filter
    from mockpacs.traffic.filter.term import Values

Match: TypeAlias = "Filter | Callable[[Exchange], bool]"
Observer: TypeAlias = Callable[[Record], None]

EXCHANGES_KEPT: Final = 10_000
NOTICES_KEPT: Final = 10_000


class Journal:
    """Records in the order they were added; the oldest make room, and how many did is counted.

    ``values`` gives attributes of requests to filters that ask for them; ``report`` hears what observers raise.
    """

    def __init__(
        self,
        *,
        exchanges_kept: int = EXCHANGES_KEPT,
        notices_kept: int = NOTICES_KEPT,
        values: Values | None = None,
        report: Callable[[Exception], None] | None = None,
    ) -> None:
        self._exchanges: deque[tuple[int, Exchange]] = deque(maxlen=exchanges_kept)
        # apart, so that a retrieve of very many instances does not push out what a test waits for
        self._legs: deque[tuple[int, Exchange]] = deque(maxlen=exchanges_kept)
        self._notices: deque[tuple[int, Notice]] = deque(maxlen=notices_kept)
        self._values = values
        self._report = report
        self._changed = threading.Condition()
        self._inboxes: list[list[Exchange]] = []
        self._observers: tuple[Observer, ...] = ()
        self._added = 0
        self._dropped_exchanges = 0
        self._dropped_notices = 0

    def add(self, record: Record) -> None:
        """Keep a record, wake who waits, tell who observes. From any thread; about a microsecond when nobody does."""
        with self._changed:
            self._added += 1
            if isinstance(record, Exchange):
                kept = self._legs if record.asked_by_us else self._exchanges
                if len(kept) == kept.maxlen and not record.asked_by_us:
                    self._dropped_exchanges += 1
                kept.append((self._added, record))
                if self._inboxes:
                    for inbox in self._inboxes:
                        inbox.append(record)
                    self._changed.notify_all()
            else:
                if len(self._notices) == self._notices.maxlen:
                    self._dropped_notices += 1
                self._notices.append((self._added, record))
            observers = self._observers
        for observer in observers:
            self._tell(observer, record)

    @property
    def exchanges(self) -> list[Exchange]:
        """The exchanges that peers asked for and that are kept, the oldest first."""
        with self._changed:
            return [exchange for _, exchange in self._exchanges]

    @property
    def legs(self) -> list[Exchange]:
        """The exchanges that we asked for ourselves and that are kept, the oldest first."""
        with self._changed:
            return [exchange for _, exchange in self._legs]

    @property
    def notices(self) -> list[Notice]:
        """The notices that are kept, the oldest first."""
        with self._changed:
            return [notice for _, notice in self._notices]

    @property
    def dropped(self) -> tuple[int, int]:
        """How many exchanges of peers and how many notices had to make room since the journal was begun or cleared."""
        with self._changed:
            return self._dropped_exchanges, self._dropped_notices

    @property
    def mark(self) -> int:
        """A point in the journal: now. What is added later comes after it, see `since`."""
        with self._changed:
            return self._added

    def since(self, mark: int) -> list[Record]:
        """What was added after a mark and is still kept, exchanges and notices, in their order."""
        return [record for _, record in self.numbered(mark)]

    def numbered(self, mark: int = 0) -> list[tuple[int, Record]]:
        """The same, each with the mark behind it; of numbers that are missing the records are not kept any more."""
        with self._changed:
            kept: tuple[deque[tuple[int, Any]], ...] = (self._exchanges, self._legs, self._notices)
            found: list[tuple[int, Record]] = [numbered for some in kept for numbered in _after(some, mark)]
        return sorted(found, key=_mark_of)

    def count(self, match: Match) -> int:
        """How many of the exchanges that are kept match, see `matching`."""
        return len(self.matching(match))

    def matching(self, match: Match) -> list[Exchange]:
        """The exchanges that are kept and match, the oldest first. Raises `FilterError` as `wait` does.

        What we asked ourselves is not among them, unless a filter has the key ``leg``.
        """
        return list(filter(self._matcher(match), self._looked_at(match)))

    def what_came(
        self,
        match: Match,
        found: Sequence[Exchange] = (),
        *,
        are_too_many: bool = False,
        legs_by: str = 'leg="*"',
    ) -> str:
        """Lines about what came instead of, or besides, ``found``, which matches: the nearest, and what they miss.

        They can stand below any sentence that says what was wanted; ``are_too_many``: then only ``found`` is shown.
        ``legs_by``: how whoever asked writes that our own requests are meant.
        """
        from mockpacs.traffic.shortfall import what_came

        return what_came(
            match,
            found,
            self._looked_at(match),
            self.notices,
            are_too_many=are_too_many,
            dropped=self.dropped[0],
            values=self._values or _no_values,
            legs=self.legs,
            legs_by=legs_by,
        )

    def legs_that_match(self, match: Match, legs_by: str) -> str:
        """A sentence about what we asked ourselves, matches and is not counted; "" when there is no such."""
        from mockpacs.traffic.shortfall import legs_that_match

        return legs_that_match(match, self.legs, legs_by, self._values or _no_values)

    def wait(self, match: Match, count: int = 1, timeout_seconds: float = 10.0) -> list[Exchange]:
        """Wait until ``count`` exchanges match, and return them; those that are kept already count.

        Blocks the calling thread, so never the one that adds. Raises `WaitError` when they do not come in time; its
        text shows which exchanges came nearest.
        """
        matches, with_legs = self._matcher(match), _asks_for_legs(match)
        deadline = time.monotonic() + timeout_seconds
        inbox: list[Exchange] = []
        with self._changed:
            new = self._looked_at(match)
            self._inboxes.append(inbox)
        try:
            found: list[Exchange] = []
            while True:
                new = new if with_legs else [exchange for exchange in new if not exchange.asked_by_us]
                found += filter(matches, new)  # outside of the lock: a match may take long
                if len(found) >= count:
                    return found[:count]
                with self._changed:
                    if not self._changed.wait_for(lambda: inbox, max(0.0, deadline - time.monotonic())):
                        break
                    new = inbox[:]
                    inbox.clear()
        finally:
            with self._changed:
                self._inboxes = [other for other in self._inboxes if other is not inbox]
        raise WaitError(self._shortfall(match, found, count, timeout_seconds))

    def clear(self) -> None:
        """Forget all records; marks, waiters and observers stay as they are."""
        with self._changed:
            self._exchanges.clear()
            self._legs.clear()
            self._notices.clear()
            self._dropped_exchanges = self._dropped_notices = 0

    def subscribe(self, observer: Observer) -> Callable[[], None]:
        """Call ``observer`` with every record that is added, in the thread that adds it; returns how to stop that.

        What it raises is reported and harms nobody. It must be quick.
        """
        with self._changed:
            self._observers = (*self._observers, observer)
        return lambda: self.unsubscribe(observer)

    def unsubscribe(self, observer: Observer) -> None:
        """Stop calling an observer; harmless when it is not called anyway."""
        with self._changed:
            self._observers = tuple(other for other in self._observers if other != observer)

    def _tell(self, observer: Observer, record: Record) -> None:
        try:
            observer(record)
        except Exception as problem:  # noqa: BLE001 - somebody else's code; the others must still hear
            if self._report is not None:
                self._report(problem)

    def _matcher(self, match: Match) -> Callable[[Exchange], bool]:
        if callable(match):
            return match
        if match.tags and self._values is None:
            raise FilterError(
                f"The filter {match.text} asks for attributes of data sets, which are not kept in memory: "
                "serve with a recording."
            )
        values = self._values or _no_values
        return lambda exchange: match.matches(exchange, values)

    def _looked_at(self, match: Match) -> list[Exchange]:
        """The exchanges among which a match is looked for."""
        if not _asks_for_legs(match):
            return self.exchanges
        with self._changed:
            return [exchange for _, exchange in sorted([*self._exchanges, *self._legs], key=_mark_of)]

    def _shortfall(self, match: Match, found: list[Exchange], count: int, seconds: float) -> str:
        from mockpacs.traffic.shortfall import exchanges_that

        headline = f"Waited {seconds:g} s for {exchanges_that(match, count)}; {len(found)} came."
        return f"{headline}\n{self.what_came(match, found)}"


def _asks_for_legs(match: Match) -> bool:
    return bool(getattr(match, "asks_for_legs", False))


def _mark_of(numbered: tuple[int, Record]) -> int:
    return numbered[0]


def _no_values(_exchange: Exchange, _tag: int) -> None:
    """For filters that ask for no attributes."""


def _after(kept: Reversible[tuple[int, Record]], mark: int) -> list[tuple[int, Record]]:
    """The end of a list that is sorted by its numbers, looked for from the end: little is new."""
    found: list[tuple[int, Record]] = []
    for numbered in reversed(kept):
        if numbered[0] <= mark:
            break
        found.append(numbered)
    return found[::-1]
