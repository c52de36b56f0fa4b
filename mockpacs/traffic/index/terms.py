"""From a filter to SQL: a condition that no wanted exchange fails, and whether it is passed by no other either.

The tests of the filter's own terms are asked, of every different text or outcome once, so the index cannot understand
a term otherwise than the filter does. Values are always parameters, never part of the SQL text.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from mockpacs.traffic.filter.status import Outcome
from mockpacs.traffic.filter.term import All, Either, IdSpan, Node, Not, Span, Term, terms
from mockpacs.traffic.index.runs import INDEXED

_MOST_TERMS: Final = 200
"""Terms of a filter that SQL is made of: SQLite's expressions are 1000 deep at most."""
_NUMBERS: Final = {
    "association": "e.association",
    "number": "e.number",
    "after": "e.started",
    "before": "e.started",
    "duration": "e.seconds",
    "size": "e.size",
    "responses": "e.responses",
    "message-id": "e.message_id",
}
_TEXTS: Final = {
    "sop-class": "e.sop_class",
    "comment": "e.comment",
    "rule": "e.rule",
    "fault": "e.fault",
    "leg": "e.leg",
}
_TEXTS_OF_PEER: Final = {"calling": "calling", "called": "called", "user": "user"}
_OF_PEER: Final = {"address": "address", "server": "server", "secure": "secure"}
_OF_DETAIL: Final = {"subject": "subject", "sop-instance": "sop_instance"}


class Condition(NamedTuple):
    """An SQL condition on the exchange ``e``, never NULL. ``is_exact``: it says all that the filter says."""

    sql: str
    parameters: tuple[Any, ...]
    is_exact: bool


EVERYTHING: Final = Condition("1", (), is_exact=True)


class Tests:
    """Lets SQL call the tests of a filter's terms: ``passes(number, text)``."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self._tests: dict[int, Callable[[Any], bool]] = {}
        self._last = 0
        connection.create_function("passes", 2, self._passes, deterministic=True)

    def lend(self, test: Callable[[Any], bool]) -> int:
        """A number under which SQL can ask a test, until it is `taken_back`."""
        self._last += 1
        self._tests[self._last] = test
        return self._last

    def take_back(self, numbers: list[int]) -> None:
        """SQL will not ask these any more."""
        for number in numbers:
            self._tests.pop(number, None)

    def _passes(self, number: int, value: Any) -> bool:
        return self._tests[number](value)


class Translation:
    """One filter on its way to SQL. ``lent``: the numbers of the tests that the condition calls."""

    def __init__(self, tests: Tests) -> None:
        self.lent: list[int] = []
        self._tests = tests

    def condition(self, node: Node) -> Condition:
        """The condition of a whole filter."""
        if sum(1 for _ in terms(node)) > _MOST_TERMS:
            return EVERYTHING._replace(is_exact=False)
        return self._node(node) or EVERYTHING._replace(is_exact=False)

    def _node(self, node: Node) -> Condition | None:
        """None when SQL can say nothing."""
        match node:
            case Term():
                return self._term(node)
            case Not(part):
                inner = self._node(part)
                return Condition(f"NOT {inner.sql}", inner.parameters, True) if inner and inner.is_exact else None
            case All(parts):
                return _joined(" AND ", [self._node(part) for part in parts], EVERYTHING)
            case Either(parts):
                found = [self._node(part) for part in parts]
                return None if None in found else _joined(" OR ", found, EVERYTHING)

    def _term(self, term: Term) -> Condition | None:
        key = term.key
        if column := _NUMBERS.get(key):
            return _spans(column, term.spans) if term.spans else None
        if column := _TEXTS.get(key):
            return _one_of(column, self._texts(term))
        if column := _TEXTS_OF_PEER.get(key):
            ids = _one_of(column, self._texts(term))
            return Condition(f"e.peer IN (SELECT id FROM peer WHERE {ids.sql})", ids.parameters, True)
        if column := _OF_PEER.get(key):
            return Condition(f"e.peer IN (SELECT id FROM peer WHERE passes(?, {column}))", (self._lend(term),), True)
        if column := _OF_DETAIL.get(key):
            return self._detail(column, term)
        if key in ("service", "status"):
            return self._outcome(term)
        if key == "syntax":
            return self._syntax(term)
        if key == "exchange":
            return _ids(term.ids)
        return self._attribute(term) if term.tag in INDEXED else None

    def _detail(self, column: str, term: Term) -> Condition:
        """Text that nearly every exchange has of its own; equality finds it by an index."""
        if 0 < len(term.literals) <= _MOST_TERMS and all(map(str.isascii, term.literals)):
            marks = ", ".join("?" * len(term.literals))
            sql = f"e.id IN (SELECT id FROM detail WHERE {column} IN ({marks}))"
            return Condition(sql, term.literals, True)
        sql = f"passes(?, (SELECT d.{column} FROM detail AS d WHERE d.id = e.id))"
        return Condition(sql, (self._lend(term),), True)

    def _texts(self, term: Term) -> list[int]:
        rows = self._tests.connection.execute("SELECT id, text FROM text")
        return [row for row, text in rows if term.accepts(text)]

    def _outcome(self, term: Term) -> Condition:
        rows = self._tests.connection.execute("SELECT id, service, status, pending, pending_with_warning FROM outcome")
        of_service = term.key == "service"
        found = [
            row
            for row, service, status, pending, warning in rows
            if term.accepts(service if of_service else Outcome(service, status, bool(pending), bool(warning)))
        ]
        return _one_of("e.outcome", found)

    def _syntax(self, term: Term) -> Condition:
        rows = self._tests.connection.execute("SELECT id, transfer_syntax FROM context")
        found = [row for row, syntax in rows if term.accepts(syntax)]
        return _one_of("coalesce(e.context, 0)", [*found, 0] if term.accepts("") else found)

    def _attribute(self, term: Term) -> Condition:
        """The runs whose values pass; those that were cut pass as well, and then the data set decides."""
        accepts = term.accepts
        test = self._lend(term, lambda text: accepts(values_of(text)))
        runs = (
            "SELECT x.id FROM attribute AS a JOIN exchange AS x "
            "ON x.association = a.association AND x.sequence BETWEEN a.first AND a.last WHERE a.tag = ?"
        )
        sql = f"e.id IN ({runs} AND (NOT a.whole OR passes(?, a.text)))"
        parameters: tuple[int, ...] = (term.tag, test)
        if accepts(None):
            sql, parameters = f"({sql} OR e.id NOT IN ({runs}))", (*parameters, term.tag)
        cut = self._tests.connection.execute(
            "SELECT 1 FROM attribute WHERE tag = ? AND NOT whole LIMIT 1", (term.tag,)
        ).fetchone()
        return Condition(sql, parameters, cut is None)

    def _lend(self, term: Term, test: Callable[[Any], bool] | None = None) -> int:
        number = self._tests.lend(test or term.accepts)
        self.lent.append(number)
        return number


def values_of(text: str) -> tuple[str, ...]:
    """The values of an attribute from the text of its run."""
    return tuple(text.split("\\")) if text else ()


def _joined(word: str, found: list[Condition | None], empty: Condition) -> Condition | None:
    known = [one for one in found if one is not None]
    if not known:
        return None if found else empty
    return Condition(
        "(" + word.join(one.sql for one in known) + ")",
        tuple(parameter for one in known for parameter in one.parameters),
        len(known) == len(found) and all(one.is_exact for one in known),
    )


def _spans(column: str, spans: tuple[Span, ...]) -> Condition:
    parts: list[str] = []
    parameters: list[float] = []
    for span in spans:
        part = [f"{column} IS NOT NULL"] if column == "e.message_id" else []
        if span.low is not None:
            part.append(f"{column} {'>=' if span.with_low else '>'} ?")
            parameters.append(_bindable(span.low))
        if span.high is not None:
            part.append(f"{column} {'<=' if span.with_high else '<'} ?")
            parameters.append(_bindable(span.high))
        parts.append(" AND ".join(part) or "1")
    return Condition("(" + " OR ".join(parts) + ")", tuple(parameters), True)


def _bindable(number: float) -> float:
    """SQLite's integers have 64 bits, a filter's may have more."""
    return number if abs(number) < 1 << 62 else float(number)


def _ids(spans: tuple[IdSpan, ...]) -> Condition:
    each = "(e.association, e.number) BETWEEN (?, ?) AND (?, ?)"
    parameters = tuple(number for low, high in spans for number in (*low, *high))
    return Condition("(" + " OR ".join([each] * len(spans)) + ")", parameters, True)


def _one_of(column: str, ids: list[int]) -> Condition:
    """However many, they are one parameter."""
    return Condition(f"{column} IN (SELECT value FROM json_each(?))", (json.dumps(ids),), True)
