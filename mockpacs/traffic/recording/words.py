"""The sentences of notices that are read from a recording: those of the live server, where it says the same.

In a recording of ours one side is "us"; of a capture of others it is only known who asked for the association.
"""

from __future__ import annotations

from typing import Final

from mockpacs.wire import Abort, AbortReason, AbortSource, AssociateAC, AssociateRJ, AssociateRQ, Command, Role

ENDED: Final = "the association ended before the answer"
ENDED_WITHIN: Final = "the association ended within the data set"
GIVEN_UP: Final = "no answer, and too many requests came after it"
WITHOUT_STATUS: Final = "the response says no status"
CLOSED_SILENTLY: Final = "the transport connection closed without a release"
SILENT: Final = "closed without a word"
MADE_ROOM: Final = "made room for newer connections: it had not asked for an association"
CUT: Final = "the recording ended while the connection was open"
JOINED: Final = "the capture begins in the middle of the association"

# PS3.8 9.3.4, by source and reason
_REASONS: Final = {
    (1, 1): "no reason given",
    (1, 2): "application context not supported",
    (1, 3): "calling AE title not recognized",
    (1, 7): "called AE title not recognized",
    (2, 1): "no reason given by the service provider",
    (2, 2): "protocol version not supported",
    (3, 1): "temporary congestion",
    (3, 2): "local limit exceeded",
}
_RESULTS: Final = {1: "", 2: ", for now"}
_ABORT_REASONS: Final = {int(reason): reason.name.lower().replace("_", " ") for reason in AbortReason}


def is_detail(kind: str, text: str) -> bool:
    """Whether what the live server said is only shown when more is asked for."""
    return kind in ("opened", "released") or text == MADE_ROOM


def side(sender: Role, ours: Role | None) -> str:
    """Who that is; ``ours`` is which of the two we were, None when neither."""
    if ours is None:
        return f"the {sender.value}"
    return "us" if sender is ours else "the peer"


def opened(request: AssociateRQ | None, answer: AssociateAC) -> str:
    """An association that was accepted."""
    accepted = sum(context.result == 0 for context in answer.contexts)
    called = request.called if request else answer.called
    return f"associated with {called}, {accepted} of {len(answer.contexts)} contexts accepted"


def rejected(answer: AssociateRJ, request: AssociateRQ | None, ours: Role | None = None) -> str:
    """An association that was not; with us as the requestor it is said who did not want it."""
    result, source, reason = answer.result, answer.source, answer.reason
    is_outgoing = ours is Role.REQUESTOR
    if (source, reason) == (2, 2) and request is not None and not is_outgoing:
        return f"protocol version {request.protocol_version:#06x} is not supported"
    why = _REASONS.get((source, reason), "a reason the standard does not know") + _RESULTS.get(result, "")
    by = f" by {request.called}" if is_outgoing and request is not None else ""
    return f"association rejected{by}: {why} (result {result}, source {source}, reason {reason})"


def aborted(sender: Role, abort: Abort, ours: Role | None) -> str:
    """An A-ABORT."""
    why = _ABORT_REASONS.get(abort.reason, "unknown reason")
    if abort.source == AbortSource.SERVICE_USER:
        why = "service user"
    return f"aborted by {side(sender, ours)}: {why} (source {abort.source}, reason {abort.reason})"


def vanished(sender: Role | None, how: str, ours: Role | None) -> str:
    """The connection was closed while the association was there; the numbers are those the live server gives it."""
    numbers = f"(source {int(AbortSource.SERVICE_PROVIDER)}, reason {int(AbortReason.NOT_SPECIFIED)})"
    who = side(sender, ours) if sender else "nobody knows whom"
    if ours is None and how == "reset":
        return f"aborted by {who}: the transport connection was reset {numbers}"
    return f"aborted by {who}: {CLOSED_SILENTLY} {numbers}"


def name(command: Command) -> str:
    """``C-STORE-RQ``"""
    return command.field.name.replace("_", "-")


def unasked(command: Command, ours: Role | None, *, before: bool, by_us: bool = False) -> str:
    """A response that answers no request; ``before``: the request may have come before the capture began."""
    if by_us:
        return f"we sent {name(command)}, but nothing was asked"
    if before:
        return f"{name(command)} answers a request from before the capture began"
    return f"{command.field.name} came, but nothing was asked{'' if ours is None else '; ignored'}"
