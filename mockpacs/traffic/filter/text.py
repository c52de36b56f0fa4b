"""Comparing text: the wild cards of DICOM, ``*`` for any characters and ``?`` for one (PS3.4 C.2.2.2.4).

Linear in the text, whatever the pattern: a filter cannot be made to hang.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TypeAlias

Accepts: TypeAlias = Callable[[str], bool]


def has_wildcard(text: str) -> bool:
    """Whether the text is a pattern."""
    return "*" in text or "?" in text


def exactly(texts: Sequence[str]) -> Accepts:
    """Any of the patterns, case and all. ``*`` alone asks for any text but none, "" for none."""
    if not any(map(has_wildcard, texts)):
        return frozenset(texts).__contains__
    return _any([_pattern(text) for text in texts])


def folded(texts: Sequence[str]) -> Accepts:
    """The same without regard to case."""
    inner = exactly([text.casefold() for text in texts])
    return lambda text: inner(text.casefold())


def listed(texts: Sequence[str]) -> Accepts:
    """For names that may stand together in one text, ``a, b``: any of them, or the whole; without regard to case."""
    inner = folded(texts)
    plain = [f", {text.casefold()}, " for text in texts if text and not has_wildcard(text)]

    def accepts(text: str) -> bool:
        if ", " not in text:
            return inner(text)
        framed = f", {text.casefold()}, "  # a name may have a comma of its own
        return inner(text) or any(map(inner, text.split(", "))) or any(name in framed for name in plain)

    return accepts


def within(texts: Sequence[str]) -> Accepts:
    """For sentences, without regard to case: plain words are looked for anywhere, a pattern is the whole sentence."""

    def sought(text: str) -> Accepts:
        if has_wildcard(text) or not text:
            return _pattern(text)
        return lambda sentence: text in sentence

    inner = _any([sought(text.casefold()) for text in texts])
    return lambda text: inner(text.casefold())


def address(texts: Sequence[str]) -> Accepts:
    """host:port, or the host alone."""
    inner = folded(texts)

    def accepts(text: str) -> bool:
        host = text.rpartition(":")[0]
        return inner(text) or inner(host) or inner(host.strip("[]"))

    return accepts


def _any(tests: list[Accepts]) -> Accepts:
    return tests[0] if len(tests) == 1 else lambda text: any(test(text) for test in tests)


def _pattern(pattern: str) -> Accepts:
    if not has_wildcard(pattern):
        return pattern.__eq__
    if not pattern.strip("*"):
        return bool
    head, *rest = pattern.split("*")
    first = _expression(head)
    if not rest:
        return lambda text: first.fullmatch(text) is not None
    tail = rest.pop()
    last, middle = _expression(tail), [_expression(piece) for piece in rest if piece]
    shortest = len(pattern) - pattern.count("*")

    def matches(text: str) -> bool:
        end = len(text) - len(tail)
        if len(text) < shortest or not first.match(text) or not last.match(text, end):
            return False
        at = len(head)
        for expression in middle:  # each at its leftmost place: nothing is ever tried twice
            found = expression.search(text, at, end)
            if not found:
                return False
            at = found.end()
        return True

    return matches


def _expression(piece: str) -> re.Pattern[str]:
    """The characters between two asterisks; a question mark is any one of them."""
    return re.compile("".join("." if mark == "?" else re.escape(mark) for mark in piece), re.DOTALL)
