"""Dates, times and date-times by their meaning: what a DA, TM or DT value stands for. Never raises on peer text.

Everything is counted in microseconds, so that ``2230`` and ``223000`` are the same time (PS3.4 C.2.2.2.1) and a value
of partial precision is a span: ``09`` begins at 9:00:00 and ends at 9:59:59.999999 (PS3.5 6.2, TM and DT).
"""

from __future__ import annotations

import calendar
import re
from datetime import date
from typing import Final, NamedTuple

MICROSECOND: Final = 1
SECOND: Final = 1_000_000
MINUTE: Final = 60 * SECOND
DAY: Final = 24 * 60 * MINUTE

_DATE: Final = re.compile(r"(\d{4})(?:(\d\d)(?:(\d\d))?)?|(\d{4})\.(\d\d)\.(\d\d)", re.ASCII)
_TIME: Final = re.compile(r"(\d\d)(?::?([0-5]\d)(?::?([0-5]\d|60)(?:\.(\d{1,6}))?)?)?", re.ASCII)
_OFFSET: Final = re.compile(r"([+-])(0\d|1[0-4])([0-5]\d)", re.ASCII)
_MOMENT: Final = re.compile(r"(\d{4,8})(\d{2,6}(?:\.\d{1,6})?)?([+-]\d{4})?", re.ASCII)


class Span(NamedTuple):
    """The first and the last microsecond a value can mean; equal to one another when the value is precise."""

    first: int
    last: int


def day(text: str) -> Span | None:
    """The span of a DA value in microseconds since 1 January of year 1; None when it is no date.

    ``YYYY`` and ``YYYYMM`` are not legal in DA but common as bounds of a range; ``YYYY.MM.DD`` is the form of ACR-NEMA
    (PS3.5 6.2, DA, note 1).
    """
    found = _DATE.fullmatch(text)
    if not found:
        return None
    parts = found.groups()[:3] if found[1] else found.groups()[3:]
    year, month, number = (int(part or 0) for part in parts)
    try:
        first = date(year, month or 1, number or 1).toordinal()
        last = date(year, month or 12, number or calendar.monthrange(year, month or 12)[1]).toordinal()
    except ValueError:
        return None
    return Span(first * DAY, (last + 1) * DAY - 1)


def whole_day(text: str) -> Span | None:
    """The span of a DA value that names its day, as every stored one should; None for any other text."""
    found = day(text)
    return found if found and found.last - found.first < DAY else None


def time(text: str) -> Span | None:
    """The span of a TM value in microseconds since midnight; None when it is no time. ACR-NEMA wrote ``HH:MM:SS``."""
    found = _TIME.fullmatch(text)
    if not found or int(found[1]) > 23:
        return None
    hour, minute, second, fraction = found.groups()
    first = int(hour) * 60 * MINUTE + int(minute or 0) * MINUTE + int(second or 0) * SECOND
    if fraction:
        first += int(fraction.ljust(6, "0"))
        precision = 10 ** (6 - len(fraction))
    else:
        precision = SECOND if second else MINUTE if minute else 60 * MINUTE
    return Span(first, first + precision - 1)


def offset(text: str) -> int | None:
    """The microseconds of an offset from UTC, ``+0100`` or ``-0500``; None when it is no offset (PS3.3 C.12.1.1.8)."""
    found = _OFFSET.fullmatch(text)
    if not found:
        return None
    size = (int(found[2]) * 60 + int(found[3])) * MINUTE
    return -size if found[1] == "-" else size


def moment(text: str, default_offset: int = 0) -> Span | None:
    """The span of a DT value, in UTC; None when it is no date-time.

    A value without an offset of its own is taken to be ``default_offset`` microseconds ahead of UTC.
    """
    found = _MOMENT.fullmatch(text)
    if not found or (found[2] and len(found[1]) != 8):
        return None
    ahead = offset(found[3]) if found[3] else default_offset
    whole = day(found[1])
    if whole is None or ahead is None:
        return None
    if not found[2]:
        return Span(whole.first - ahead, whole.last - ahead)
    clock = time(found[2])
    return Span(whole.first + clock.first - ahead, whole.first + clock.last - ahead) if clock else None


def combined(date_text: str, time_text: str) -> Span | None:
    """The span of a date and the time that belongs to it; None when one of them is not readable."""
    whole, clock = day(date_text), time(time_text)
    if whole is None or clock is None:
        return None
    return Span(whole.first + clock.first, whole.last + 1 - DAY + clock.last)
