"""Checks of the numbers of sub-operations, from one response of a retrieve to the next (PS3.4 C.4.2.1.6 to 9)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from mockpacs.traffic.dump.naming import message_name
from mockpacs.wire import Command
from mockpacs.wire.status import CANCEL, PENDING, PENDING_WITH_WARNING, SUCCESS, Category, category_of

RETRIEVES: Final = {
    # service: (clause of the remaining, clause of the completed ones)
    "C-MOVE": ("PS3.4 C.4.2.1.6", "PS3.4 C.4.2.1.7"),
    "C-GET": ("PS3.4 C.4.3.1.5", "PS3.4 C.4.3.1.6"),
}


def sums(before: Command | None, now: Command) -> Iterator[tuple[str, str]]:
    """What does not go together in two responses to one request, each with its clause.

    ``before``: the one that came before this, None for the first. What a response does not count is not judged.
    """
    if before is None:
        return
    remaining, completed = RETRIEVES[now.service]
    status = now.status or 0
    name = f"{message_name(now.field)} {status:04X}H"
    for what, earlier, later in _counters(before, now):
        if earlier is not None and later is not None and later < earlier:
            yield f"{name} with {later} {what} sub-operations, {earlier} were before", completed
    goes_on = status in (PENDING, PENDING_WITH_WARNING, CANCEL)
    expected, counted = _total(before, with_remaining=True), _total(now, with_remaining=goes_on)
    if expected is None or counted is None or expected == counted:
        return
    if goes_on:
        yield f"{name} with {counted} sub-operations in all, {expected} were before", remaining
    elif status == SUCCESS or category_of(status) is Category.WARNING:
        yield f"{name} with {counted} sub-operations in all, {expected} were to be done", completed


def _counters(before: Command, now: Command) -> Iterator[tuple[str, int | None, int | None]]:
    yield "completed", before.completed_sub_operations, now.completed_sub_operations
    yield "failed", before.failed_sub_operations, now.failed_sub_operations
    yield "warning", before.warning_sub_operations, now.warning_sub_operations


def _total(response: Command, *, with_remaining: bool) -> int | None:
    """All sub-operations there are, done or not; None when not all are counted. A final response has none remaining."""
    counters = (
        response.completed_sub_operations,
        response.failed_sub_operations,
        response.warning_sub_operations,
        response.remaining_sub_operations if with_remaining else 0,
    )
    known = [counter for counter in counters if counter is not None]
    return sum(known) if len(known) == len(counters) else None
