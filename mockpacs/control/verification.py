"""Checking and waiting: how many exchanges match, at once or within a time. What a peer has seen answered is counted.

It blocks, so it must never run in the event loop of the server when it has to wait.
"""

from __future__ import annotations

import contextlib
import re
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from mockpacs.errors import ConfigurationError, VerificationError, WaitError
from mockpacs.traffic.exchange import Exchange
from mockpacs.traffic.journal import Journal
from mockpacs.written.kinds import quoted

if TYPE_CHECKING:
    from mockpacs.traffic.journal import Match

Count = int | str | None
_COUNT: Final = re.compile(r"([0-9]{1,9})|([0-9]{1,9})\.\.([0-9]{1,9})?|\.\.([0-9]{1,9})")


class Desk(Protocol):
    """What is needed of `mockpacs.control.desk.Desk`."""

    @property
    def journal(self) -> Journal:
        """What happened."""

    def settle(self) -> None:
        """Return when every exchange that a peer can have seen answered is in the journal."""


class Bounds(NamedTuple):
    """From how many to how many; None is no end."""

    least: int
    most: int | None

    @classmethod
    def of(cls, count: Count) -> Bounds:
        """``None`` is at least one, a number exactly that, ``"2..4"``, ``"3.."`` and ``"..5"`` are ranges."""
        if count is None:
            return cls(1, None)
        found = None if isinstance(count, bool) else _COUNT.fullmatch(str(count))
        if found is None:
            raise ConfigurationError(f'count: {quoted(str(count))} is none: write 3, "2..4", "3.." or "..5"')
        exact, low, high, upto = found.groups()
        if exact:
            return cls(int(exact), int(exact))
        least, end = int(low or 0), high or upto
        most = int(end) if end else None
        if most is not None and most < least:
            raise ConfigurationError(f"count: {quoted(str(count))} ends before it begins")
        return cls(least, most)

    def holds(self, number: int) -> bool:
        """Whether it is within."""
        return self.least <= number and (self.most is None or number <= self.most)


def verify(desk: Desk, match: Match, count: Count = None, timeout: float = 0.0) -> list[Exchange]:
    """The exchanges that match, when there are as many as ``count`` says.

    ``timeout``: seconds to wait until there are enough. That no more come is not waited for: what is there when enough
    came is counted. Raises `VerificationError`, which shows what came nearest.
    """
    __tracebackhide__ = True
    bounds = Bounds.of(count)
    desk.settle()
    found = desk.journal.matching(match)
    if timeout > 0 and len(found) < bounds.least:
        found = _awaited(desk, match, bounds, timeout)
    if bounds.holds(len(found)):
        return found
    raise VerificationError(_told(desk.journal, match, found, bounds, timeout))


def wait_for(desk: Desk, match: Match, count: Count = 1, timeout: float = 10.0) -> list[Exchange]:
    """The first ``count`` exchanges that match, as soon as they are there; earlier ones count. Raises `WaitError`."""
    __tracebackhide__ = True
    least = Bounds.of(count).least
    desk.settle()
    try:
        return desk.journal.wait(match, least, timeout)
    except WaitError:
        desk.settle()
        found = desk.journal.matching(match)  # what was on its way when time was up
        if len(found) < least:
            raise
        return found[:least]


def _awaited(desk: Desk, match: Match, bounds: Bounds, timeout: float) -> list[Exchange]:
    with contextlib.suppress(WaitError):  # what is missing is told by who asked
        desk.journal.wait(match, bounds.least, timeout)
    desk.settle()
    return desk.journal.matching(match)


def _told(journal: Journal, match: Match, found: list[Exchange], bounds: Bounds, timeout: float) -> str:
    from mockpacs.traffic.shortfall import exchanges_that

    number, words = _words(bounds)
    within = f" within {timeout:g} s" if timeout > 0 else ""
    headline = f"Expected {exchanges_that(match, number, words)}{within}; {len(found)} came."
    return f"{headline}\n{journal.what_came(match, found, are_too_many=len(found) > bounds.least)}"


def _words(bounds: Bounds) -> tuple[int, str]:
    """How many were expected: the number that the grammar goes by, and the words."""
    least, most = bounds
    if most is None:
        return least, f"at least {least}"
    if least == most:
        return (most, f"exactly {most}") if most else (1, "no")
    return most, f"{least} to {most}" if least else f"at most {most}"
