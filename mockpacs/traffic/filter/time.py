"""Moments in a filter: a time of day, a date with or without a time (ISO 8601), or how long ago."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from datetime import datetime
from typing import Final, NamedTuple

from mockpacs.traffic.filter.number import duration
from mockpacs.traffic.filter.syntax import MisreadError, Value
from mockpacs.wire.text import printable

_CLOCK: Final = re.compile(r"([01]?[0-9]|2[0-3]):([0-5][0-9])(?::([0-5][0-9](?:\.[0-9]{1,9})?))?")


class Moment(NamedTuple):
    """A point in time, or, where only ``seconds_of_day`` is known, one in every day."""

    when: float | None
    """Seconds since 1970."""
    seconds_of_day: float = 0.0

    def at(self, other: float) -> float:
        """The moment, in seconds since 1970; a time of day is taken on the local day of ``other``."""
        return self.when if self.when is not None else on_day_of(other, self.seconds_of_day)


def moment(value: Value, now: float, day_of: float | None) -> Moment:
    """Read a moment. ``now``: what "ago" counts from; ``day_of``: a moment of the day that a time of day means."""
    text = value.text
    if found := _CLOCK.fullmatch(text):
        seconds = int(found[1]) * 3600 + int(found[2]) * 60 + float(found[3] or 0)
        return Moment(None if day_of is None else on_day_of(day_of, seconds), seconds)
    try:
        return Moment(datetime.fromisoformat(text.replace("/", " ")).timestamp())  # without an offset: local time
    except (ValueError, OverflowError, OSError):
        pass
    try:
        return Moment(now - _ago(text))
    except ValueError:
        raise MisreadError(
            f'"{printable(text, 40)}" is not a time of day (14:02 or 14:02:30), a date or a date and time '
            "(2025-03-31 or 2025-03-31T14:02), nor how long ago (90s, 5m, 2h, 1d)",
            value.at,
        ) from None


def on_day_of(when: float, seconds_of_day: float) -> float:
    """A time of day on the local day of a moment, in seconds since 1970; no day at all counts as 1970-01-01."""
    try:
        day = time.localtime(when)
    except (ValueError, OverflowError, OSError):  # a recording may claim any time
        day = time.localtime(0)
    whole = int(seconds_of_day)
    clock = (whole // 3600, whole // 60 % 60, whole % 60)
    return time.mktime((day.tm_year, day.tm_mon, day.tm_mday, *clock, 0, 0, -1)) + seconds_of_day - whole


def after(moments: list[Moment]) -> Callable[[float], bool]:
    """Whether something happened at one of the moments or later."""
    return lambda when: any(when >= moment.at(when) for moment in moments)


def before(moments: list[Moment]) -> Callable[[float], bool]:
    """Whether something happened before one of the moments."""
    return lambda when: any(when < moment.at(when) for moment in moments)


def _ago(text: str) -> float:
    """A bare number is no duration here: a year or a forgotten colon would be taken for one."""
    if text[-1:].isdigit():
        raise ValueError("a duration with its unit")
    return duration(text)
