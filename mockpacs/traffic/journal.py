"""What happened lately, in memory: a bounded list of records that tests wait on and views follow.

It never reaches for a disk or a network, and whoever adds to it never waits for whoever reads.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Reversible
from typing import TYPE_CHECKING, Final, TypeAlias

from mockpacs.errors import FilterError, WaitError
from mockpacs.traffic.exchange import Exchange, Notice, Record
from mockpacs.traffic.render import line, number_of

if TYPE_CHECKING:  # a server that nobody asks for anything needs no filter: 20 ms of its start
    from mockpacs.traffic.filter import Filter
    from mockpacs.traffic.filter.term import Values

Match: TypeAlias = "Filter | Callable[[Exchange], bool]"
Observer: TypeAlias = Callable[[Record], None]

EXCHANGES_KEPT: Final = 10_000
NOTICES_KEPT: Final = 10_000
_SHOWN: Final = 5
"""Exchanges in the text of a `WaitError`."""


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
                kept = self._exchanges
                if len(kept) == kept.maxlen:
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
        """The exchanges that are kept, the oldest first."""
        with self._changed:
            return [exchange for _, exchange in self._exchanges]

    @property
    def notices(self) -> list[Notice]:
        """The notices that are kept, the oldest first."""
        with self._changed:
            return [notice for _, notice in self._notices]

    @property
    def dropped(self) -> tuple[int, int]:
        """How many exchanges and how many notices had to make room since the journal was begun or cleared."""
        with self._changed:
            return self._dropped_exchanges, self._dropped_notices

    @property
    def mark(self) -> int:
        """A point in the journal: now. What is added later comes after it, see `since`."""
        with self._changed:
            return self._added

    def since(self, mark: int) -> list[Record]:
        """What was added after a mark and is still kept, exchanges and notices, in their order."""
        with self._changed:
            found: list[tuple[int, Record]] = [*_after(self._exchanges, mark), *_after(self._notices, mark)]
        return [record for _, record in sorted(found, key=lambda numbered: numbered[0])]

    def count(self, match: Match) -> int:
        """How many of the exchanges that are kept match."""
        matches = self._matcher(match)
        return sum(map(matches, self.exchanges))

    def wait(self, match: Match, count: int = 1, timeout_seconds: float = 10.0) -> list[Exchange]:
        """Wait until ``count`` exchanges match, and return them; those that are kept already count.

        Blocks the calling thread, so never the one that adds. Raises `WaitError` when they do not come in time; its
        text shows which exchanges came nearest.
        """
        matches = self._matcher(match)
        deadline = time.monotonic() + timeout_seconds
        inbox: list[Exchange] = []
        with self._changed:
            new = [exchange for _, exchange in self._exchanges]
            self._inboxes.append(inbox)
        try:
            found: list[Exchange] = []
            while True:
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
        raise WaitError(self._what_came(match, len(found), count, timeout_seconds))

    def clear(self) -> None:
        """Forget all records; marks, waiters and observers stay as they are."""
        with self._changed:
            self._exchanges.clear()
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
                "search the recording instead."
            )
        values = self._values or _no_values
        return lambda exchange: match.matches(exchange, values)

    def _what_came(self, match: Match, found: int, count: int, seconds: float) -> str:
        """What to say when time is up: the exchanges that missed fewest terms, else the last ones."""
        kept = self.exchanges
        what = "" if callable(match) else f" that match {match.text}"
        said = [f"Waited {seconds:g} s for {number_of(count, 'exchange')}{what}; {found} came."]
        if not kept:
            return f"{said[0]} There was no exchange at all."
        if not callable(match):
            values = self._values or _no_values
            near = [(match.unmet(exchange, values), exchange) for exchange in kept[-1000:]]
            near = sorted((pair for pair in reversed(near) if pair[0]), key=lambda pair: len(pair[0]))[:_SHOWN]
            if near:
                said.append("The nearest:")
                said += [f"  {line(exchange)}   not {' '.join(unmet)}" for unmet, exchange in near]
                return "\n".join(said)
        return "\n".join([*said, "The last:", *(f"  {line(exchange)}" for exchange in kept[-_SHOWN:])])


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
