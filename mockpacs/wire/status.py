"""Status codes: their category, and names that a person can write in a scenario and read in a log.

One table per service with the clause it comes from; a name means one code of a service, a range its first code.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple


class Category(StrEnum):
    """The status types of PS3.7 Annex C."""

    SUCCESS = "success"
    WARNING = "warning"
    PENDING = "pending"
    CANCEL = "cancel"
    FAILURE = "failure"


class Status(NamedTuple):
    """One code, or one range of codes, of one service."""

    first: int
    last: int
    name: str
    meaning: str
    clause: str


# The codes that the services here say themselves; PS3.7 Annex C, PS3.4 Tables B.2-1 and C.4-1.
SUCCESS = 0x0000
CANCEL = 0xFE00
PENDING = 0xFF00
PENDING_WITH_WARNING = 0xFF01
PROCESSING_FAILURE = 0x0110
DUPLICATE_SOP_INSTANCE = 0x0111
INVALID_SOP_INSTANCE = 0x0117
SOP_CLASS_NOT_SUPPORTED = 0x0122
UNRECOGNIZED_OPERATION = 0x0211
OUT_OF_RESOURCES = 0xA700
DOES_NOT_MATCH = 0xA900
DOES_NOT_MATCH_WARNING = 0xB007
CANNOT_UNDERSTAND = 0xC000


def _read(clause: str, table: str) -> tuple[Status, ...]:
    """Read lines of ``code[-last] name: meaning``; a line may name its own clause in brackets at the end."""
    return tuple(_read_line(clause, line) for line in table.strip().splitlines())


def _read_line(clause: str, line: str) -> Status:
    head, _, meaning = line.partition(": ")
    codes, name = head.split()
    first, _, last = codes.partition("-")
    meaning, _, own_clause = meaning.removesuffix("]").partition(" [")
    return Status(int(first, 16), int(last or first, 16), name, meaning, own_clause or clause)


_GENERAL = _read(
    "PS3.7 Annex C",
    """
    0000 success: the operation was done
    0001 optional-attributes-not-supported: requested optional attributes are not supported [PS3.4 F.7.2.1.3]
    0105 no-such-attribute: an attribute is not known
    0106 invalid-attribute-value: the value of an attribute is out of range or not allowed
    0107 attribute-list-error: one or more attributes were not recognized
    0110 processing-failure: a general failure in processing
    0111 duplicate-sop-instance: the SOP instance exists already
    0112 no-such-sop-instance: the SOP instance does not exist
    0113 no-such-event-type: the event type is not known
    0114 no-such-argument: the event or action information is not supported
    0115 invalid-argument-value: the event or action information is out of range or not allowed
    0116 attribute-value-out-of-range: the value of an attribute is out of range
    0117 invalid-sop-instance: the SOP Instance UID breaks the rules of its construction
    0118 no-such-sop-class: the SOP class is not known
    0119 class-instance-conflict: the SOP instance is not of the SOP class
    0120 missing-attribute: a required attribute is missing
    0121 missing-attribute-value: a required value is missing
    0122 sop-class-not-supported: refused, the SOP class is not supported
    0123 no-such-action-type: the action type is not known
    0124 not-authorized: refused, the peer is not authorized
    0210 duplicate-invocation: the message ID is in use
    0211 unrecognized-operation: the operation is not known
    0212 mistyped-argument: a parameter is not one of those agreed for use
    0213 resource-limitation: not done for want of resources
    FE00 cancel: ended because of a cancel request
    FF00 pending: more is to come
    """,
)
_STORE = _read(
    "PS3.4 Table B.2-1",
    """
    A700-A7FF out-of-resources: refused, out of resources
    A900-A9FF data-set-mismatch: the data set does not match the SOP class
    B000 coercion-of-data-elements: stored, with data elements changed
    B006 elements-discarded: stored, without some data elements
    B007 data-set-mismatch-warning: stored, but the data set does not match the SOP class
    C000-CFFF cannot-understand: the data set cannot be understood
    """,
)
_FIND = _read(
    "PS3.4 Table C.4-1",
    """
    A700 out-of-resources: refused, out of resources
    A710 invalid-prior-record-key: the prior record key is not valid
    A900 identifier-mismatch: the identifier does not match the SOP class
    B001 response-limit-reached: no more matches are sent, another request may return more
    C000-CFFF unable-to-process: the query cannot be processed
    FF00 pending: a match, all optional keys were supported as required keys are
    FF01 pending-with-warning: a match, one or more optional keys were not supported
    """,
)
_RETRIEVE = """
    A701 unable-to-calculate-matches: refused, out of resources, the number of matches cannot be calculated
    A702 unable-to-perform-sub-operations: refused, out of resources, sub-operations cannot be performed
    A900 identifier-mismatch: the identifier does not match the SOP class
    AA00 frames-not-found: none of the requested frames were found in the SOP instance [PS3.4 Y.4]
    AA01 unable-to-create-object: no new object can be created for this SOP class [PS3.4 Y.4]
    AA02 unable-to-extract-frames: the frames cannot be extracted [PS3.4 Y.4]
    AA03 not-time-based: a time-based request for a SOP instance that is not [PS3.4 Y.4]
    AA04 invalid-request: the request is not valid [PS3.4 Y.4]
    B000 sub-operations-failed: complete, one or more sub-operations failed or warned
    C000-CFFF unable-to-process: the request cannot be processed
    FF00 pending: sub-operations are continuing
    """
_MOVE = _read(
    "PS3.4 Table C.4-2", f"{_RETRIEVE.rstrip()}\n    A801 move-destination-unknown: refused, unknown destination"
)
_GET = _read("PS3.4 Table C.4-3", _RETRIEVE)

_BY_SERVICE = {"C-STORE": _STORE, "C-FIND": _FIND, "C-MOVE": _MOVE, "C-GET": _GET}

_WARNINGS = frozenset({0x0001, 0x0107, 0x0116})


def category_of(status: int) -> Category:
    """Return the category of a status code (PS3.7 Annex C); a code the standard does not know counts as failure."""
    if status == SUCCESS:
        return Category.SUCCESS
    if status in (PENDING, PENDING_WITH_WARNING):
        return Category.PENDING
    if status == CANCEL:
        return Category.CANCEL
    if status in _WARNINGS or status >> 12 == 0xB:
        return Category.WARNING
    return Category.FAILURE


def statuses(service: str = "") -> Iterator[Status]:
    """Yield what a service ("C-STORE") can answer, its own codes first; without service the general codes."""
    own = _BY_SERVICE.get(service, ())
    yield from own
    taken = {status.first for status in own}
    yield from (status for status in _GENERAL if status.first not in taken)


def find(status: int, service: str = "") -> Status | None:
    """Return the row of the table that a code of a service falls into; None when the standard does not know it."""
    return next((row for row in statuses(service) if row.first <= status <= row.last), None)


@lru_cache(maxsize=1024)
def name_of(status: int, service: str = "") -> str:
    """Return the name of a code, its four hexadecimal digits when it has none."""
    row = find(status, service)
    return row.name if row else f"{status:04X}"


def code_of(name: str, service: str = "") -> int | None:
    """Return the code of a name, for a range its first; None when the service has no such name."""
    return next((row.first for row in statuses(service) if row.name == name), None)
