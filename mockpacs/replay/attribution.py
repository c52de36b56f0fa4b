"""Which exchange each message of an association belongs to, by the rules of `mockpacs.traffic.recording.exchanges`.

What a server of ours did not listen to any more belongs to none; see `mockpacs.traffic.recording.session`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from mockpacs.traffic.exchange import Exchange
from mockpacs.traffic.recording.hearing import Hearing
from mockpacs.traffic.recording.pairing import OTHER, Asked, Pairing
from mockpacs.wire import Abort, AcceptedContext, AssociateRJ, Pdu, ReleaseRP, ReleaseRQ, Role
from mockpacs.wire.conversation import Conversation
from mockpacs.wire.seen import CommandSeen
from mockpacs.wire.status import PENDING, PENDING_WITH_WARNING

_PENDING: Final = frozenset((PENDING, PENDING_WITH_WARNING))


class Attribution:
    """Takes PDUs and messages as they come, gives the request that a message belongs to: itself, when it is one."""

    def __init__(self, conversation: Conversation, ours: Role | None, *, from_start: bool) -> None:
        self._conversation = conversation
        self._peer = OTHER[ours] if ours is not None else None
        self._hearing = Hearing(ours if from_start else None)
        self._pairing = Pairing()
        self._latest: dict[tuple[Role, int | None], Asked] = {}
        self._is_over = False
        self._releasing: Role | None = None
        self.requests: list[Asked] = []
        """All that may have an exchange, in their order."""

    def see_control(self, sender: Role, pdu: Pdu) -> None:
        """A PDU that carries no message."""
        if not self._hearing.takes(sender, pdu):
            return
        if isinstance(pdu, ReleaseRP | Abort | AssociateRJ):
            self._is_over = True
        elif isinstance(pdu, ReleaseRQ):
            self._releasing = self._releasing or sender

    def see_nonsense(self, sender: Role) -> None:
        """Bytes that make no message: a server of ours listens no more."""
        self._hearing.end(sender)

    def see_command(self, seen: CommandSeen, context: AcceptedContext, when: float, asked_at: int) -> Asked | None:
        """A message; ``asked_at`` is the TCP sequence number of its first PDU. None when it belongs to nothing."""
        sender, command = seen.sender, seen.command
        if self._is_out_of_turn(seen):
            return None
        if not command.is_request:
            return self._answered(seen) if self._hearing.hears(sender) else None
        if command.service == "C-CANCEL":
            return self._latest.get((sender, command.message_id_responded_to))
        asked = self._pairing.ask(sender, context, command, when)
        asked.asked_at = asked_at
        self._latest[sender, command.message_id] = asked
        self.requests.append(asked)
        if too_many := self._pairing.oldest_too_many():
            self._pairing.drop(too_many)
        return asked

    def settle(self, exchanges: Sequence[Exchange], *, sides_swapped: bool) -> dict[int, Exchange]:
        """The exchange of each request, by the number that the request has here. To be asked once, at the end.

        A request is known by where its bytes are: one that was not told of as an exchange is not in it.
        """
        places: dict[tuple[Role, int], list[Exchange]] = {}
        for exchange in exchanges:
            if (place := exchange.place) is not None:
                places.setdefault((Role.REQUESTOR, place.requestor), []).append(exchange)
                places.setdefault((Role.ACCEPTOR, place.acceptor), []).append(exchange)
        found: dict[int, Exchange] = {}
        taken: set[int] = set()
        for asked in self.requests:
            sender = OTHER[asked.sender] if sides_swapped else asked.sender
            one = _first(places.get((sender, asked.asked_at), ()), asked, taken)
            if one is not None:
                found[asked.number] = one
                taken.add(one.number)
        self.requests.clear()
        return found

    def _is_out_of_turn(self, seen: CommandSeen) -> bool:
        """Whether nobody looks at a message; of what others did nothing is known but what is seen."""
        sender, is_request, is_by_peer = seen.sender, seen.command.is_request, seen.sender is self._peer
        if self._is_over and (is_request or is_by_peer):
            return True
        if is_request and self._releasing is sender:
            return True
        if not is_by_peer or not self._hearing.hears(sender) or seen.context_id in self._conversation.accepted:
            return False
        self._hearing.end(sender)
        return True

    def _answered(self, seen: CommandSeen) -> Asked | None:
        asked = self._pairing.answered_by(seen.sender, seen.context_id, seen.command)
        if asked is not None and seen.command.status not in _PENDING:
            asked.final = seen.command
            self._pairing.drop(asked)
        return asked


def _first(exchanges: Iterable[Exchange], asked: Asked, taken: set[int]) -> Exchange | None:
    """Two share a place when either side asked: the other bytes of theirs begin at the same PDU."""
    return next((one for one in exchanges if one.number not in taken and one.command == asked.command), None)
