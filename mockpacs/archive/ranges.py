"""Range keys of DA, TM and DT: where the hyphen is, and which spans lie between the bounds (PS3.4 C.2.2.2.5). Pure."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from mockpacs.archive import dates

_OFFSET: Final = r"(?:[+-](?:0\d|1[0-4])[0-5]\d)?"
_MOMENT: Final = r"\d{4,14}(?:\.\d{1,6})?" + _OFFSET
_MOMENTS: Final = re.compile(rf"({_MOMENT})? *- *({_MOMENT})?", re.ASCII)


class Bounds(NamedTuple):
    """The two ends of a range key as text; "" for an open end."""

    first: str
    last: str


class Range(NamedTuple):
    """A range in microseconds, both ends included; None is open."""

    first: int | None
    last: int | None

    def holds(self, at: int) -> bool:
        """Whether an instant lies in the range."""
        return (self.first is None or at >= self.first) and (self.last is None or at <= self.last)


def bounds(vr: str, text: str) -> Bounds | None:
    """The ends of a range key; None when the key is a single value.

    A hyphen in a DT key may also be the sign of an offset: ``2007-0500``. It is read as a range whenever that makes one
    whose ends are in order, and as an offset otherwise.
    """
    if "-" not in text or text.strip() == "-":
        return None
    if vr != "DT":
        first, _, last = text.partition("-")
        return Bounds(first.strip(), last.strip())
    found = _MOMENTS.fullmatch(text.strip())
    if not found:
        return None
    ends = Bounds(found[1] or "", found[2] or "")
    if all(ends) and dates.moment(text.strip()):
        parsed = _between(ends, dates.moment(ends.first), dates.moment(ends.last))
        if parsed is None or (parsed.first or 0) > (parsed.last or 0):
            return None
    return ends


def between(vr: str, ends: Bounds, default_offset: int = 0) -> Range | None:
    """The range a key means; None when an end is not a date or time at all.

    The last end includes all it can mean: ``09-10`` reaches to 10:59:59, ``2020-2021`` to the end of 2021. A range of
    times does not cross midnight (C.2.2.2.5.2): ends in the wrong order hold nothing.
    """
    if vr == "DT":
        return _between(ends, *(dates.moment(end, default_offset) for end in ends))
    parse = dates.day if vr == "DA" else dates.time
    return _between(ends, *(parse(end) for end in ends))


def combined(date_ends: Bounds, time_ends: Bounds) -> Range | None:
    """A range of dates and a range of times read as one range of date-times (C.2.2.2.5.4).

    None when the two do not have the same form (both closed, both open at the same end), or are unreadable.
    """
    if bool(date_ends.first) != bool(time_ends.first) or bool(date_ends.last) != bool(time_ends.last):
        return None
    return _between(date_ends, *(dates.combined(*pair) for pair in zip(date_ends, time_ends, strict=True)))


def _between(ends: Bounds, first: dates.Span | None, last: dates.Span | None) -> Range | None:
    if (ends.first and first is None) or (ends.last and last is None):
        return None
    return Range(first.first if first else None, last.last if last else None)
