"""Comparing texts with what a scenario says: exact texts, ``*`` and ``?``, regular expressions. Case counts."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Final, TypeAlias

Test: TypeAlias = Callable[[str], bool]

LONGEST_MATCHED: Final = 4096
"""Characters of a text that a regular expression looks at: the peer chooses the text, and some expressions are slow."""


def has_glob(text: str) -> bool:
    """Whether a text is a pattern."""
    return "*" in text or "?" in text


def any_of(texts: Iterable[str]) -> Test:
    """Whether a text is one of these, or looks like one of them."""
    known = frozenset(texts)
    exact = frozenset(text for text in known if not has_glob(text))
    globs = [glob(text) for text in sorted(known - exact)]
    if not globs:
        if len(exact) == 1:
            return next(iter(exact)).__eq__
        return exact.__contains__
    if not exact and len(globs) == 1:
        return globs[0]
    return lambda text: text in exact or any(test(text) for test in globs)


def glob(pattern: str) -> Test:
    """Whether a text looks so: ``*`` stands for any characters, also none, ``?`` for one.

    Each piece between two asterisks is taken at its leftmost place and never tried again (an atomic group), so that the
    time is linear in the text, whatever a peer sends.
    """
    head, *rest = pattern.split("*")
    if rest == [""] and "?" not in head:
        return lambda text: text.startswith(head)
    written = _piece(head)
    if rest:
        tail = rest.pop()
        written += "".join(f"(?>.*?{_piece(piece)})" for piece in rest if piece) + f".*{_piece(tail)}"
    fullmatch = re.compile(written, re.DOTALL).fullmatch
    return lambda text: fullmatch(text) is not None


def _piece(text: str) -> str:
    return "".join("." if mark == "?" else re.escape(mark) for mark in text)


def matches(expression: re.Pattern[str]) -> Test:
    """Whether the expression matches a whole text, or the whole of its beginning if it is very long."""
    fullmatch = expression.fullmatch
    return lambda text: fullmatch(text[:LONGEST_MATCHED]) is not None
