"""Whether we still listened: what the peer says after something that ends the association means nothing.

An observer who reads on behind garbage would otherwise tell of requests and answers that the server never saw.
"""

from __future__ import annotations

from mockpacs.traffic.recording.pairing import OTHER
from mockpacs.wire import Abort, AssociateAC, AssociateRJ, AssociateRQ, Pdu, ReleaseRP, ReleaseRQ, Role


class Hearing:
    """Of one connection; in a capture of others, who may listen to anything, everything is heard."""

    __slots__ = ("_is_answered", "_is_asked", "_is_associated", "_is_deaf", "_peer", "_releasing")

    def __init__(self, ours: Role | None) -> None:
        self._peer = OTHER[ours] if ours is not None else None
        self._is_deaf = False
        self._is_asked = False
        self._is_answered = False
        self._is_associated = False
        self._releasing: set[Role] = set()

    def hears(self, sender: Role) -> bool:
        """Whether what this side says next is listened to."""
        return not (self._is_deaf and sender is self._peer)

    def end(self, sender: Role) -> None:
        """This side said what ends the association."""
        self._is_deaf = self._is_deaf or sender is self._peer

    def takes(self, sender: Role, pdu: Pdu) -> bool:
        """Whether a PDU that carries no message means something; what comes out of turn is aborted (PS3.8 9.2)."""
        if self._is_deaf and sender is self._peer:
            return False
        is_in_turn = self._is_in_turn(sender, pdu)
        if sender is self._peer:
            self._is_deaf = not is_in_turn
            return is_in_turn
        return True

    def _is_in_turn(self, sender: Role, pdu: Pdu) -> bool:
        by_requestor = sender is Role.REQUESTOR
        match pdu:
            case AssociateRQ():
                is_first, self._is_asked = not self._is_asked, True
                return is_first and by_requestor
            case AssociateAC() | AssociateRJ():
                is_first, self._is_answered = not self._is_answered, True
                self._is_associated = self._is_associated or isinstance(pdu, AssociateAC)
                return is_first and not by_requestor
            case ReleaseRQ():
                is_first = sender not in self._releasing
                self._releasing.add(sender)
                return is_first and self._is_associated
            case ReleaseRP():
                return OTHER[sender] in self._releasing
        return isinstance(pdu, Abort)
