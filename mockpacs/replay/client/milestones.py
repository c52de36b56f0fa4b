"""What a peer says, as the few things that tell how far a dialogue is: answers, requests, the ends of associations.

Pending responses do not count: another archive has other matches.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from mockpacs.replay.client.recorded import PENDING_STATUSES
from mockpacs.replay.client.report import status_text
from mockpacs.wire import Abort, AssociateAC, AssociateRJ, Command, Malformed, Pdu, ReleaseRP, ReleaseRQ, Role
from mockpacs.wire.seen import CommandSeen, DataSeen, PduSeen, Seen


class Milestone(NamedTuple):
    """One of these things."""

    text: str
    """For a person, and to be compared."""
    answers: int | None = None
    """The message id it answers."""
    ends: bool = False
    """Whether nothing can follow."""


class Milestones:
    """Looks at what one side of a conversation says."""

    def __init__(self, side: Role = Role.ACCEPTOR) -> None:
        self._side = side
        self._begun: Command | None = None

    def of(self, seen: Iterable[Seen]) -> Iterator[Milestone]:
        """What is reached."""
        for one in seen:
            if isinstance(one, PduSeen) and one.sender is self._side:
                if (found := _of_pdu(one.pdu)) is not None:
                    yield found
            elif isinstance(one, CommandSeen) and one.sender is self._side:
                self._begun = one.command
                if not one.command.has_dataset:
                    yield from self._whole()
            elif isinstance(one, DataSeen) and one.sender is self._side and one.is_last:
                yield from self._whole()

    def _whole(self) -> Iterator[Milestone]:
        command, self._begun = self._begun, None
        if command is None or command.status in PENDING_STATUSES:
            return
        if command.is_request:
            yield Milestone(f"{command.service} request")
        else:
            text = f"{command.service} {status_text(command.status, command.service)}"
            yield Milestone(text, command.message_id_responded_to)


_TEXTS: Final = {AssociateAC: "accepted", ReleaseRQ: "release request", ReleaseRP: "release response"}


def _of_pdu(pdu: Pdu | Malformed) -> Milestone | None:
    if isinstance(pdu, AssociateRJ):
        return Milestone(f"rejected (result {pdu.result}, source {pdu.source}, reason {pdu.reason})", ends=True)
    if isinstance(pdu, Abort):
        return Milestone(f"aborted (source {pdu.source}, reason {pdu.reason})", ends=True)
    text = _TEXTS.get(type(pdu))
    return Milestone(text, ends=isinstance(pdu, ReleaseRP)) if text else None
