"""Numbers, sizes and durations in a filter, with comparisons and ranges: ``>1MB``, ``50ms..2s``, ``7``."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

from mockpacs.traffic.filter.syntax import MisreadError, Value
from mockpacs.traffic.filter.term import Span
from mockpacs.wire.text import printable

Read: TypeAlias = Callable[[str], float]
"""Reads one number; raises ValueError, whose text says what would be one."""

_COMPARED: Final = re.compile(r"(>=|<=|>|<|=)\s*(.*)", re.DOTALL)
_SIZE: Final = re.compile(r"([0-9]{1,18}(?:\.[0-9]{1,9})?) ?([A-Za-z]*)")
_SUFFIXES: Final = {
    "": 1, "b": 1,
    "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12,
    "kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40,
}  # fmt: skip
_DURATION: Final = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,9})?) ?(us|ms|s|min|m|h|d)?")
_UNITS: Final = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_WHOLE: Final = re.compile(r"[0-9]{1,15}")
_DECIMAL: Final = re.compile(r"[+-]?[0-9]{1,30}(\.[0-9]{0,30})?([eE][+-]?[0-9]{1,2})?")


def whole(text: str) -> float:
    """A whole number, 0 or more."""
    if not _WHOLE.fullmatch(text):
        raise ValueError("a whole number")
    return int(text)


def decimal(text: str) -> float:
    """A number as IS and DS write it."""
    if not _DECIMAL.fullmatch(text):
        raise ValueError("a number")
    return float(text)


def size(text: str) -> float:
    """Bytes, with kB, MB, GB or KiB, MiB, GiB."""
    found = _SIZE.fullmatch(text)
    suffix = found[2].lower() if found else ""
    if not found or suffix not in _SUFFIXES:
        raise ValueError("a number of bytes with or without kB, MB, GB, KiB, MiB, GiB")
    return round(float(found[1]) * _SUFFIXES[suffix])


def duration(text: str) -> float:
    """Seconds, or a number with us, ms, s, m, h or d."""
    found = _DURATION.fullmatch(text)
    if not found:
        raise ValueError("a number of seconds, or a number with us, ms, s, m, h or d")
    return float(found[1]) * _UNITS[found[2]] if found[2] else float(found[1])


def span(value: Value, read: Read) -> Span:
    """``7``, ``>7``, ``>=7``, ``<7``, ``<=7``, ``=7``, ``5..7``, ``5..``, ``..7``; raises `MisreadError`."""
    try:
        return _span(value.text, read)
    except ValueError as problem:
        shown = printable(value.text, 40)
        raise MisreadError(
            f'"{shown}" is not {problem}, nor a comparison (>, >=, <, <=) or a range (a..b) of such', value.at
        ) from None


def spans(values: Sequence[Value], read: Read) -> tuple[Span, ...]:
    """All the alternatives."""
    return tuple(span(value, read) for value in values)


def accepts(spans: tuple[Span, ...]) -> Callable[[float | None], bool]:
    """Whether a number is in one of the spans; None never is."""
    if len(spans) == 1:
        holds = spans[0].holds
        return lambda number: number is not None and holds(number)
    return lambda number: number is not None and any(span.holds(number) for span in spans)


def _span(text: str, read: Read) -> Span:
    if compared := _COMPARED.fullmatch(text):
        number = read(compared[2])
        return {
            ">": Span(number, None, with_low=False),
            ">=": Span(number, None),
            "<": Span(None, number, with_high=False),
            "<=": Span(None, number),
            "=": Span(number, number),
        }[compared[1]]
    low, dots, high = text.partition("..")
    if not dots:
        return Span(read(text), read(text))
    if not low and not high:
        raise ValueError("a range with a begin or an end")
    return Span(read(low) if low else None, read(high) if high else None)
