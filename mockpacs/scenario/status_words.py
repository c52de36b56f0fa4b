"""Statuses by name, and what to say when a service has none of that name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from mockpacs.scenario.moments import listed
from mockpacs.scenario.values import STATUS_SERVICES, meant, status_code, status_names
from mockpacs.wire.status import Category, Status, category_of, find, statuses
from mockpacs.written.kinds import quoted

_SHOWN: Final = 8


def no_status(word: str, services: Sequence[str]) -> str:
    """The sentence about a word that is no status of one of these services; without services, of none at all."""
    if not services:
        near = meant(word, status_names())
        return f"{quoted(word)} is not a status" + (f'. Did you mean "{near}"?' if near else "")
    told = f"{quoted(word)} is not a status of {' or '.join(services)}"
    if near := meant(word, status_names(services[0])):
        return f'{told}. Did you mean "{near}"?'
    known = sorted(statuses(services[0]), key=lambda status: _rank(status, services[0]))
    shown = ", ".join(f"{status.name} ({status.first:04X})" for status in known[:_SHOWN])
    return f"{told}. Known: {shown}, ..."


def no_status_of_an_instance(status: str, services: Sequence[str]) -> str:
    """The sentence about a status that no C-STORE ends with, where one of its retrieve is written for a sub-operation.

    ``services``: those of the rule. "" when a C-STORE can end with it; a code that nobody knows is not doubted.
    """
    if status in status_names():
        is_strange = status not in status_names("C-STORE")
        code = status_code(status, services[0] if services else "")
    else:
        code = status_code(status, "")
        is_strange = code is not None and find(code, "C-STORE") is None
    if code is None or not (is_strange or category_of(code) in (Category.PENDING, Category.CANCEL)):
        return ""
    having = [one for one in services if find(code, one)] or [one for one in STATUS_SERVICES if find(code, one)]
    if not having:
        return ""
    told = f"{quoted(status)} is a status of {listed(having)}"
    return f"{told}; at a sub-operation the status is that of a C-STORE, such as out-of-resources"


def _rank(status: Status, service: str) -> int:
    """Its own statuses first, then the general ones that are meant most often."""
    if service in STATUS_SERVICES and status not in tuple(statuses()):
        return 0
    return 1 if status.name in ("success", "processing-failure", "not-authorized") else 2
