"""Statuses by name, and what to say when a service has none of that name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from mockpacs.scenario.values import STATUS_SERVICES, meant, status_names
from mockpacs.wire.status import Status, statuses
from mockpacs.written.kinds import quoted

_SHOWN: Final = 8


def no_status(word: str, services: Sequence[str]) -> str:
    """The sentence about a word that is no status of one of these services; without services, of none at all."""
    if not services:
        near = meant(word, status_names())
        return f"{quoted(word)} is not a status" + (f'. Did you mean "{near}"?' if near else "")
    near = meant(word, status_names(services[0]))
    known = sorted(statuses(services[0]), key=lambda status: (status.name != near, _rank(status, services[0])))
    shown = ", ".join(f"{status.name} ({status.first:04X})" for status in known[:_SHOWN])
    return f"{quoted(word)} is not a status of {' or '.join(services)}. Known: {shown}, ..."


def _rank(status: Status, service: str) -> int:
    """Its own statuses first, then the general ones that are meant most often."""
    if service in STATUS_SERVICES and status not in tuple(statuses()):
        return 0
    return 1 if status.name in ("success", "processing-failure", "not-authorized") else 2
