"""Whether a server of ours still listens: what the peer says after something that ends the association means nothing.

An observer who reads on behind garbage would otherwise tell of requests that the server never saw.
"""

from __future__ import annotations

from mockpacs.wire import Abort, AssociateAC, AssociateRQ, Pdu, ReleaseRQ, Role


class Hearing:
    """Of one connection; in a capture of others, who may listen to anything, everything is heard."""

    __slots__ = ("_accepts", "_is_asked", "_is_associated", "_is_deaf", "_is_releasing")

    def __init__(self, ours: Role | None) -> None:
        self._accepts = ours is Role.ACCEPTOR
        self._is_deaf = False
        self._is_asked = False
        self._is_associated = False
        self._is_releasing = False

    def hears(self, sender: Role) -> bool:
        """Whether what this side says next is listened to."""
        return not (self._is_deaf and sender is Role.REQUESTOR)

    def end(self, sender: Role) -> None:
        """This side said what ends the association."""
        self._is_deaf = self._is_deaf or (self._accepts and sender is Role.REQUESTOR)

    def takes(self, sender: Role, pdu: Pdu) -> bool:
        """Whether a PDU that carries no message means something; what comes out of turn is aborted (PS3.8 9.2)."""
        if sender is Role.ACCEPTOR or not self._accepts:
            self._is_associated = self._is_associated or isinstance(pdu, AssociateAC)
            return True
        if self._is_deaf:
            return False
        match pdu:
            case AssociateRQ():
                is_taken, self._is_asked = not self._is_asked, True
            case ReleaseRQ():
                is_taken, self._is_releasing = self._is_associated and not self._is_releasing, True
            case _:
                is_taken = isinstance(pdu, Abort)
        self._is_deaf = not is_taken
        return is_taken
