"""Where those come and go who accept associations: what an acceptor needs of a listener."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from mockpacs.net.acceptor import Acceptor


class Hall(Protocol):
    """Where acceptors come and go."""

    def admit(self, acceptor: Acceptor) -> bool:
        """Whether one more association fits; if so it is counted until it left."""

    def entered(self, acceptor: Acceptor) -> None:
        """A connection was opened."""

    def left(self, acceptor: Acceptor) -> None:
        """Its connection is closed."""
