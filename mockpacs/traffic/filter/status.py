"""``status:`` in a filter: names, codes, codes with wild cards, categories, and none for no answer."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from mockpacs.traffic.exchange import Exchange
from mockpacs.traffic.filter.syntax import MisreadError, Value, nearest
from mockpacs.traffic.filter.text import exactly, has_wildcard
from mockpacs.wire.status import PENDING, PENDING_WITH_WARNING, category_of, name_of, statuses
from mockpacs.wire.text import printable

_CODE: Final = re.compile(r"(?:0x)?([0-9A-Fa-fXx?]{4})[Hh]?")
_CATEGORIES: Final = {
    "success": "success",
    "warning": "warning",
    "failure": "failure",
    "failed": "failure",
    "cancel": "cancel",
    "pending": "pending",
}
_PENDINGS: Final = (PENDING, PENDING_WITH_WARNING)
_SERVICES: Final = ("", "C-STORE", "C-FIND", "C-MOVE", "C-GET")


class Outcome(NamedTuple):
    """What a status term looks at."""

    service: str
    status: int | None
    pending: bool
    """Whether a response with FF00 came."""
    pending_with_warning: bool
    """Whether a response with FF01 came."""


def outcome_of(exchange: Exchange) -> Outcome:
    """How an exchange ended, and which pending responses came before."""
    seen = {answer.status for answer in exchange.answers}
    return Outcome(exchange.service, exchange.status, PENDING in seen, PENDING_WITH_WARNING in seen)


def accepts(values: Sequence[Value]) -> Callable[[Outcome], bool]:
    """Whether a final status, or a pending one among the responses, is one of those that were written."""
    tests = [_status(value) for value in values]

    def one(service: str, status: int | None) -> bool:
        return any(test(service, status) for test in tests)

    def outcome(outcome: Outcome) -> bool:
        return (
            one(outcome.service, outcome.status)
            or (outcome.pending and one(outcome.service, PENDING))
            or (outcome.pending_with_warning and one(outcome.service, PENDING_WITH_WARNING))
        )

    return outcome


def of_exchange(accepts: Callable[[Outcome], bool]) -> Callable[[Exchange], bool]:
    """The same for an exchange. There are few different outcomes: each is looked at once."""
    known: dict[tuple[str, int | None], bool] = {}
    wants_pending = any(
        accepts(Outcome(service, status, False, False)) for service in _SERVICES for status in _PENDINGS
    )

    def passes(exchange: Exchange) -> bool:
        if wants_pending and exchange.answers:
            return accepts(outcome_of(exchange))
        key = exchange.service, exchange.status
        found = known.get(key)
        if found is None:
            found = known[key] = accepts(Outcome(*key, False, False))
        return found

    return passes


def _status(value: Value) -> Callable[[str, int | None], bool]:
    text = value.text.lower()
    if text == "none":
        return lambda service, status: status is None
    if text in _CATEGORIES:
        category = _CATEGORIES[text]
        return lambda service, status: category == ("failure" if status is None else category_of(status))
    if code := _CODE.fullmatch(text):
        digits = exactly([code[1].upper().replace("X", "?")])
        return lambda service, status: status is not None and digits(f"{status:04X}")
    names = {row.name for service in _SERVICES for row in statuses(service)}
    named = exactly([text])
    if not any(map(named, names)) and not (has_wildcard(text) and not text.strip("*")):
        shown = printable(value.text, 40)
        raise MisreadError(
            f'"{shown}" is no status: a name, a code (A700, A7xx), success, warning, failed, pending, cancel or none'
            + nearest(text, [*sorted(names), *_CATEGORIES, "none"]),
            value.at,
        )
    return lambda service, status: status is not None and named(name_of(status, service))
