"""Numbers as users write them: counts, sizes in bytes with their suffixes, durations with their units."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import ClassVar

from mockpacs.written.kinds import refused


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole number between two bounds, and ``zero`` when 0 has a meaning of its own outside of them."""

    low: int
    high: int
    zero: bool = False

    @property
    def allowed(self) -> str:
        """What a user may write."""
        bounds = f"a whole number from {self.low} to {self.high}"
        return f"0 or {bounds}" if self.zero else bounds

    def read(self, value: object) -> int:
        """The number."""
        number = value
        if isinstance(value, str) and re.fullmatch(r"[+-]?[0-9]{1,20}", value.strip()):
            number = int(value)
        if isinstance(number, int) and not isinstance(number, bool):
            number = int(number)
            if self.low <= number <= self.high or (self.zero and number == 0):
                return number
        raise refused(value, self.allowed)

    def write(self, value: object) -> str:
        """The number in digits."""
        return str(value)


@dataclass(frozen=True, slots=True)
class Size:
    """A number of bytes, with or without a suffix."""

    low: int
    high: int
    SUFFIXES: ClassVar[dict[str, int]] = {
        "": 1, "b": 1,
        "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12,
        "kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40,
    }  # fmt: skip

    @property
    def allowed(self) -> str:
        """What a user may write."""
        bounds = f"from {self.low} " if self.low else ""
        return f"0 or a number of bytes {bounds}to {self.high}, with or without kB, MB, GB, KiB, MiB, GiB"

    def read(self, value: object) -> int:
        """The size in bytes."""
        size = value
        if isinstance(value, str):
            found = re.fullmatch(r"([0-9]{1,20}(?:\.[0-9]{1,9})?) ?([A-Za-z]*)", value.strip())
            if found and found[2].lower() in self.SUFFIXES:
                size = round(float(found[1]) * self.SUFFIXES[found[2].lower()])
        if isinstance(size, int) and not isinstance(size, bool) and (size == 0 or self.low <= size <= self.high):
            return int(size)
        raise refused(value, self.allowed)

    def write(self, value: object) -> str:
        """The size in bytes."""
        return str(value)


@dataclass(frozen=True, slots=True)
class Seconds:
    """A duration, read as seconds; ``zero`` when "none" makes sense."""

    zero: bool = False
    UNITS: ClassVar[dict[str, float]] = {"": 1.0, "s": 1.0, "ms": 0.001, "m": 60.0, "min": 60.0, "h": 3600.0}
    LONGEST: ClassVar[float] = 7 * 24 * 3600.0

    @property
    def allowed(self) -> str:
        """What a user may write."""
        least = "of 0 or more" if self.zero else "above 0"
        return f"a duration {least}, at most a week: seconds, or a number with ms, s, m or h"

    def read(self, value: object) -> float:
        """The duration in seconds."""
        seconds: object = value
        if isinstance(value, str):
            found = re.fullmatch(r"([0-9]{1,12}(?:\.[0-9]{1,40})?) ?(ms|s|m|min|h)?", value.strip())
            seconds = float(found[1]) * self.UNITS[found[2] or ""] if found else None
        if isinstance(seconds, int | float) and not isinstance(seconds, bool) and math.isfinite(seconds):
            least = 0 if self.zero else 1e-9
            if least <= seconds <= self.LONGEST:
                return float(seconds)
        raise refused(value, self.allowed)

    def write(self, value: object) -> str:
        """The duration in seconds."""
        return f"{value:g}"
