"""What a filter is made of once it is understood: terms, and how they are joined; and the tree as one function."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

from mockpacs.traffic.exchange import Exchange, Notice

Values: TypeAlias = Callable[[Exchange, int], Sequence[str] | None]
"""Gives the values of a tag in the data set of a request: () for an empty attribute, None where it is absent."""
Test: TypeAlias = Callable[[Exchange, Values], bool]


class Span(NamedTuple):
    """Numbers from ``low`` to ``high``; None is no end."""

    low: float | None
    high: float | None
    with_low: bool = True
    with_high: bool = True

    def holds(self, number: float) -> bool:
        """Whether the number is within."""
        low, high = self.low, self.high
        if low is not None and (number < low or (number == low and not self.with_low)):
            return False
        return high is None or number < high or (number == high and self.with_high)


class IdSpan(NamedTuple):
    """Exchanges from one to another, both included, each as the numbers of its association and of itself."""

    low: tuple[int, int]
    high: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Term:
    """One condition. ``accepts`` takes what the key is compared with; ``test`` and ``notice`` fetch that themselves."""

    key: str
    """The name of the key; "exchange" for 2.1, "attribute" for a tag of the data set."""
    text: str
    """As it was written."""
    accepts: Callable[[Any], bool]
    test: Test
    notice: Callable[[Notice], bool] | None = None
    """None where a notice has nothing to compare."""
    spans: tuple[Span, ...] = ()
    """What ``accepts`` accepts, where those are spans of numbers."""
    ids: tuple[IdSpan, ...] = ()
    """The same of an exchange."""
    literals: tuple[str, ...] = ()
    """The same where those are texts that are compared as they are; () when there are patterns among them."""
    tag: int = 0
    """The attribute to compare; 0 for all other keys."""
    by_clock: bool = False
    """Whether it has a time of day, which needs to know the day."""


class Not(NamedTuple):
    """What it holds must not be."""

    part: Node


class All(NamedTuple):
    """Everything it holds must be; nothing to hold matches all."""

    parts: tuple[Node, ...]


class Either(NamedTuple):
    """At least one of what it holds must be."""

    parts: tuple[Node, ...]


Node: TypeAlias = Term | Not | All | Either


def terms(node: Node) -> Iterator[Term]:
    """All the terms, from left to right."""
    match node:
        case Term():
            yield node
        case Not(part):
            yield from terms(part)
        case All(parts) | Either(parts):
            for part in parts:
                yield from terms(part)


def written(node: Node) -> str:
    """The tree as text again."""
    match node:
        case Term():
            return node.text
        case Not(All() as part):
            return f"-( {written(part)} )"
        case Not(part):
            return f"-{written(part)}"
        case All(parts):
            return " ".join(map(written, parts))
        case Either(parts):
            return f"( {' or '.join(map(written, parts))} )"


def compile_test(node: Node) -> Test:
    """One function for the tree. What needs a data set is asked last, for it may have to be read from a disk."""
    match node:
        case Term():
            return node.test
        case Not(part):
            inner = compile_test(part)
            return lambda exchange, values: not inner(exchange, values)
        case All(parts):
            return _all([compile_test(part) for part in sorted(parts, key=_needs_data)])
        case Either(parts):
            tests = [compile_test(part) for part in sorted(parts, key=_needs_data)]
            return lambda exchange, values: any(test(exchange, values) for test in tests)


def compile_notice(node: Node) -> Callable[[Notice], bool]:
    """The same for notices: a term that says nothing of notices excludes them, also when it is negated."""
    match node:
        case Term():
            return node.notice or _never
        case Not(part):
            if any(term.notice is None for term in terms(part)):
                return _never
            inner = compile_notice(part)
            return lambda notice: not inner(notice)
        case All(parts):
            tests = [compile_notice(part) for part in parts]
            return lambda notice: all(test(notice) for test in tests)
        case Either(parts):
            tests = [compile_notice(part) for part in parts]
            return lambda notice: any(test(notice) for test in tests)


def _all(tests: list[Test]) -> Test:
    """Spelt out for two: half the time of a loop, and most filters have one or two terms."""
    if len(tests) == 1:
        return tests[0]
    if len(tests) == 2:
        first, second = tests
        return lambda exchange, values: first(exchange, values) and second(exchange, values)
    return lambda exchange, values: all(test(exchange, values) for test in tests)


def _needs_data(node: Node) -> bool:
    return any(term.tag for term in terms(node))


def _never(notice: Notice) -> bool:
    return False
