"""Dates and the times that belong to them: combined ranges and timezones (PS3.4 C.2.2.2.5.4 and C.5.1.1.1). Pure."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from mockpacs.archive import dates, matching, ranges
from mockpacs.archive.identifier import Key
from mockpacs.archive.matching import Rules

TIME_OF: Final = {
    0x00080020: 0x00080030,
    0x00080021: 0x00080031,
    0x00080022: 0x00080032,
    0x00080023: 0x00080033,
    0x00400244: 0x00400245,
}
"""The time attribute of a date attribute, for those of the index that a timezone applies to."""

PairTest = Callable[[str, str, int], bool]
"""Whether a stored date and time match, when they are to be moved by so many microseconds first."""


def pair_test(date: Key | None, time: Key | None, rules: Rules, *, combine: bool) -> PairTest | None:
    """The predicate of a date key and a time key over a stored pair; None when both are universal.

    ``combine``: two ranges of the same form are one range of date-times.
    """
    joined = _combined(date, time) if combine and date and time else None
    if joined is not None:
        return _in_combined(joined, rules)
    date_test = matching.predicate("DA", date.values, rules) if date else None
    time_test = matching.predicate("TM", time.values, rules) if time else None
    if date_test is None and time_test is None:
        return None

    def matches(stored_date: str, stored_time: str, shift: int) -> bool:
        if shift:
            stored_date, stored_time = moved(stored_date, stored_time, shift)
        return (date_test is None or date_test(_values(stored_date))) and (
            time_test is None or time_test(_values(stored_time))
        )

    return matches


def moved(date: str, time: str, shift: int) -> tuple[str, str]:
    """A date and a time of day in another timezone. What is unreadable stays, a date without a time does too."""
    clock = dates.time(time)
    if clock is None:
        return date, time
    whole = dates.day(date)
    if whole is None:
        at = (clock.first + shift) % dates.DAY
        return date, _clock(at)
    days, at = divmod(whole.first + clock.first + shift, dates.DAY)
    try:
        return (datetime.min + timedelta(days=days - 1)).strftime("%Y%m%d").rjust(8, "0"), _clock(at)
    except OverflowError:
        return date, time


def _combined(date: Key, time: Key) -> ranges.Range | None:
    if len(date.values) != 1 or len(time.values) != 1:
        return None
    date_ends, time_ends = ranges.bounds("DA", date.values[0]), ranges.bounds("TM", time.values[0])
    return ranges.combined(date_ends, time_ends) if date_ends and time_ends else None


def _in_combined(wanted: ranges.Range, rules: Rules) -> PairTest:
    def matches(date: str, time: str, shift: int) -> bool:
        if not date or not time:
            return rules.unknown_matches
        found = dates.combined(date, time) if dates.whole_day(date) else None
        return found is not None and wanted.holds(found.first + shift)

    return matches


def _values(text: str) -> matching.Values:
    return tuple(text.split("\\")) if text else ()


def _clock(at: int) -> str:
    seconds, fraction = divmod(at, dates.SECOND)
    return f"{seconds // 3600:02}{seconds // 60 % 60:02}{seconds % 60:02}.{fraction:06}"
