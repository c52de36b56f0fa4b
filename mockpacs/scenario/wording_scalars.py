"""Single values as people write them: the mirror of the readers in `values`, `pace`, `ending` and `lie`.

Every text is read as exactly the value it was made of.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any, Final

from mockpacs.scenario.ending import ABORT_REASONS, ABORT_SOURCES, REASONS, RESULTS, SOURCES, Abort, Reject
from mockpacs.scenario.lie import ELEMENTS
from mockpacs.scenario.step import RESULTS as CONTEXT_RESULTS
from mockpacs.scenario.values import Limit, Nth, tag_key
from mockpacs.wire.command import CommandField
from mockpacs.written.numbers import Seconds

_SIZES: Final = (("GB", 10**9), ("MB", 10**6), ("kB", 10**3), ("MiB", 2**20), ("KiB", 2**10))


def duration(seconds: float) -> str:
    """``200ms``, ``2s``, ``5min``, ``1h``."""
    for unit, factor, least in (("h", 3600, 1), ("min", 60, 2)):
        if seconds % factor == 0 and seconds >= factor * least:
            return f"{int(seconds // factor)}{unit}"
    short = f"{_digits(Decimal(repr(seconds)) * 1000)}ms"
    if 0 < seconds < 1 and Seconds(zero=True).read(short) == seconds:
        return short
    return f"{_digits(Decimal(repr(seconds)))}s"


def percent(share: float) -> str:
    """``20%``."""
    return f"{_digits(Decimal(repr(share)) * 100)}%"


def _digits(number: Decimal) -> str:
    """Without an exponent, and without zeros that say nothing."""
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def size(count: int) -> str | int:
    """``256kB``; a number where no unit makes it shorter."""
    return next((f"{count // factor}{unit}" for unit, factor in _SIZES if count and count % factor == 0), count)


def rate(bytes_per_second: int) -> str:
    """``64kB/s``."""
    text = size(bytes_per_second)
    return f"{text}/s" if isinstance(text, str) else f"{text}B/s"


def nth(counted: Nth) -> str | int:
    """``3``, ``2..4``, ``5..``, ``every 10``."""
    if counted.step > 1:
        return f"every {counted.step}"
    if counted.last is None:
        return f"{counted.first}.."
    return counted.first if counted.first == counted.last else f"{counted.first}..{counted.last}"


def limit(most: Limit) -> str:
    """``20/minute``, ``100/10s``."""
    named = {1.0: "second", 60.0: "minute", 3600.0: "hour"}
    if most.seconds in named:
        return f"{most.most}/{named[most.seconds]}"
    unit, factor = next((one for one in (("h", 3600), ("min", 60)) if most.seconds % one[1] == 0), ("s", 1))
    return f"{most.most}/{int(most.seconds // factor)}{unit}"


def tags(numbers: Sequence[int]) -> Any:
    """One attribute, or the list of several."""
    return _one_or_all([tag_key(number) for number in numbers])


def elements(numbers: Sequence[int]) -> Any:
    """Elements of a command set."""
    names = {int(member): name for name, member in ELEMENTS.items()}
    return _one_or_all([names.get(number, number) for number in numbers])


def _one_or_all(items: list[Any]) -> Any:
    return items[0] if len(items) == 1 else items


def command_field(number: int) -> str:
    """``C-STORE-RSP``, or four hexadecimal digits."""
    known = {int(member): member.name.replace("_", "-") for member in CommandField}
    return known.get(number, f"{number:04X}")


def result(number: int) -> str | int:
    """What becomes of a presentation context."""
    return CONTEXT_RESULTS[number] if number < len(CONTEXT_RESULTS) else number


def regex(pattern: re.Pattern[str]) -> str:
    """A regular expression; flags that were given in Python stand at its beginning."""
    missing = pattern.flags & ~re.compile(pattern.pattern).flags
    letters = "".join(letter for letter, flag in _FLAGS.items() if missing & flag)
    return f"(?{letters}){pattern.pattern}" if letters else pattern.pattern


_FLAGS: Final = {"a": re.ASCII, "i": re.IGNORECASE, "m": re.MULTILINE, "s": re.DOTALL, "x": re.VERBOSE}


def count(text: str) -> str | int:
    """``2..4``, or a number."""
    return int(text) if text.isdecimal() and text == str(int(text)) else text


def reject(part: Reject) -> dict[str, Any]:
    """A reason by name says its source, if no earlier source has one of that name."""
    said: dict[str, Any] = {}
    if part.result != 1:
        said["result"] = _named(part.result, enumerate(RESULTS, 1))
    reason = _named(part.reason, ((code, name) for name, code in REASONS.get(part.source, {}).items()))
    home = next((source for source, known in REASONS.items() if reason in known), 1)
    if part.source != home:
        said["source"] = _named(part.source, enumerate(SOURCES, 1))
    if part.reason != 1 or home != 1:
        said["reason"] = reason
    return said


def abort(part: Abort) -> dict[str, Any]:
    """A reason says that the source is the provider."""
    said: dict[str, Any] = {}
    if part.source != (ABORT_SOURCES["provider"] if part.reason else ABORT_SOURCES["user"]):
        said["source"] = _named(part.source, ((code, name) for name, code in ABORT_SOURCES.items()))
    if part.reason:
        said["reason"] = _named(part.reason, ((code, name) for name, code in ABORT_REASONS.items()))
    return said


def _named(number: int, names: Iterable[tuple[int, str]]) -> str | int:
    return dict(names).get(number, number)
