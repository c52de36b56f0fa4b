"""What is possible when: the steps and conditions of each event and each moment, as data. The reference prints it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from mockpacs.scenario.condition import Moment, When
from mockpacs.scenario.values import SERVICES

QUERIES: Final = ("C-FIND", "C-GET", "C-MOVE")
"""Services with an identifier, pending responses and a cancel."""
RETRIEVES: Final = ("C-GET", "C-MOVE")
"""Services with sub-operations."""
WITH_DATA_SET: Final = tuple(one for one in SERVICES if one not in (*QUERIES, "C-ECHO", "N-GET", "N-DELETE"))

_WORDS: Final = ("status", "comment", "offending", "error_id")
_PACE: Final = ("drip", "bandwidth")
_BYTES: Final = ("send", "truncate", "corrupt")
_ENDINGS: Final = ("abort", "close", "reset", "silence", "stop-reading", "refuse")
_ANSWERS: Final = (*_WORDS, "pending", "answer", "store", "call", "nothing")

EVENT_STEPS: Final[Mapping[str, tuple[str, ...]]] = {
    "connect": ("delay", *_ENDINGS, "tls", *_PACE, "send"),
    "associate": ("delay", "accept", "reject", *_ENDINGS, *_PACE, *_BYTES),
    "release": ("delay", "nothing", "abort", "close", "reset", "silence", "refuse", "drip", *_BYTES),
    "abort": ("delay", "silence"),
    "cancel": ("delay", "nothing", *_ENDINGS),
    "close": ("delay", "silence"),
}
"""Steps by event. At associate the pace is that of the whole association, bytes are those of its answer."""

MOMENT_STEPS: Final[Mapping[Moment, tuple[str, ...]]] = {
    Moment.REQUEST: ("delay", "wait", *_ANSWERS, *_ENDINGS, *_PACE, *_BYTES, "lie"),
    Moment.RECEIVED: ("delay", *_WORDS, "nothing", *_ENDINGS, "send"),
    Moment.PDU: ("delay", *_WORDS, "nothing", *_ENDINGS, "send"),
    Moment.SUB_OPERATION: ("delay", "wait", "status", "comment", "destination", *_ENDINGS, "send"),
    Moment.BEFORE_RESPONSE: ("delay", "wait", *_WORDS, "nothing", *_ENDINGS, *_PACE, *_BYTES, "lie"),
    Moment.RESPONSE: ("delay", *_WORDS, "nothing", *_ENDINGS, *_PACE, *_BYTES, "lie"),
    Moment.BETWEEN_RESPONSES: ("delay", "wait", *_ENDINGS, "send"),
    Moment.AFTER_RESPONSE: ("delay", *_ENDINGS, "send"),
}
"""Steps by moment of an exchange. At sub-operation the status is what that is counted by; nothing is sent then."""

LATER_STEPS: Final = ("delay", *_ENDINGS, "send")
"""Steps of ``later``, whatever the moment."""
NO_LATER: Final = ("abort", "close")
"""Events after which nothing comes later."""

STEP_SERVICES: Final[Mapping[str, tuple[str, ...]]] = {
    "pending": QUERIES,
    "answer": (*QUERIES, "N-EVENT-REPORT", "N-GET", "N-SET", "N-ACTION", "N-CREATE"),
    "store": ("C-STORE",),
    "destination": ("C-MOVE",),
}
"""Steps that only some services have."""
CANCELLED: Final = QUERIES
"""Services that ``wait: cancel`` makes sense for."""

MOMENT_SERVICES: Final[Mapping[Moment, tuple[str, ...]]] = {
    Moment.RECEIVED: ("C-STORE",),
    Moment.PDU: ("C-STORE",),
    Moment.SUB_OPERATION: RETRIEVES,
    Moment.BETWEEN_RESPONSES: QUERIES,
}
"""Moments that only some services have."""

CONDITION_SERVICES: Final[Mapping[str, tuple[str, ...]]] = {
    "model": QUERIES,
    "level": QUERIES,
    "query": QUERIES,
    "dataset": WITH_DATA_SET,
    "destination": ("C-MOVE",),
}
"""Conditions on what only some services have."""

_PARTIES: Final = ("calling", "called", "peer", "state")
EVENT_CONDITIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "connect": ("peer", "state"),
    "associate": (*_PARTIES, "sop_class", "transfer_syntax"),
    "release": _PARTIES,
    "abort": _PARTIES,
    "cancel": (*_PARTIES, "sop_class", "model"),
    "close": _PARTIES,
}
"""Conditions on what is known at an event. In an exchange all are known, with the exceptions above and below."""

STATUS_MOMENTS: Final = (
    Moment.BEFORE_RESPONSE,
    Moment.RESPONSE,
    Moment.BETWEEN_RESPONSES,
    Moment.AFTER_RESPONSE,
)
"""Moments at which there is a status."""


def services_of(when: When) -> tuple[str, ...]:
    """The services that a rule can be about: ``any`` are those that have its moment."""
    if "any" not in when.service:
        return when.service
    return tuple(one for one in SERVICES if one in MOMENT_SERVICES.get(when.at.when, SERVICES))


def steps_of(when: When) -> frozenset[str]:
    """The steps that are possible wherever a rule fires."""
    tables = [EVENT_STEPS[event] for event in when.event] if when.event else [MOMENT_STEPS[when.at.when]]
    return frozenset.intersection(*map(frozenset, tables))


def homes_of(step: str) -> str:
    """Where a step is possible: "at event connect", "at the moments request and response"."""
    events = [event for event, steps in EVENT_STEPS.items() if step in steps]
    moments = [str(moment) for moment, steps in MOMENT_STEPS.items() if step in steps]
    return ", and ".join(named for named in (at_the("event", events), at_the("moment", moments)) if named)


def at_the(what: str, words: Sequence[str]) -> str:
    """``at event connect``, ``at the events connect and close``."""
    if len(words) < 2:
        return f"at {what} {words[0]}" if words else ""
    return f"at the {what}s {listed(words)}"


def listed(words: Iterable[str], last: str = "and") -> str:
    """``a, b and c``."""
    *others, end = words
    return f"{', '.join(others)} {last} {end}" if others else end
