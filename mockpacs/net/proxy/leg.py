"""One of the two connections of a proxied pair: the receiver of its link, and what is written to it."""

from __future__ import annotations

from typing import Protocol

from mockpacs.net.link import Link
from mockpacs.traffic.framing import Framing
from mockpacs.wire import Role


class Host(Protocol):
    """The pair a leg belongs to."""

    def opened(self, leg: Leg) -> None:
        """The connection stands, with its TLS."""

    def received(self, leg: Leg, data: memoryview | bytes) -> None:
        """Bytes came; a view is valid during the call only."""

    def said_end(self, leg: Leg) -> bool:
        """The peer says that it ends; whether the connection stays for what is said to it."""

    def closed(self, leg: Leg, error: Exception | None) -> None:
        """The connection is gone."""


class Leg:
    """Of a pair; ``sender`` is who speaks on it: the requestor on the one, the acceptor on the other."""

    link: Link

    def __init__(self, host: Host, sender: Role, number: int) -> None:
        """``number``: of its connection."""
        self._host = host
        self._framing = Framing()
        self._position = 0
        self.sender = sender
        self.number = number
        self.is_open = False
        """Whether it stands: opened, and not closed yet."""
        self.is_gone = False

    @property
    def is_between_pdus(self) -> bool:
        """Whether all that was written to it are whole PDUs, so that one of ours can follow."""
        return self._framing.start == self._position and not self._framing.is_lost

    def attach(self, link: Link) -> None:
        """Its link; still to be opened."""
        self.link = link
        link.asked_at_end = self._said_end

    def write(self, data: bytes) -> None:
        """Send."""
        self.see_written(data)
        self.link.write([data])

    def see_written(self, data: bytes) -> None:
        """These bytes leave."""
        self._framing.see(data, self._position, 0)
        self._position += len(data)

    def settle(self) -> bool:
        """What came is in the recording when this returns True; when it cannot be written, nothing more happens."""
        track = self.link.track
        return track is None or track.settle()

    # what the link reports

    def opened(self) -> None:
        """The connection stands."""
        self.is_open = True
        self._host.opened(self)

    def received(self, data: memoryview | bytes) -> None:
        """Bytes came."""
        self._host.received(self, data)

    def closed(self, error: Exception | None) -> None:
        """The connection is gone."""
        self.is_open, self.is_gone = False, True
        self._host.closed(self, error)

    def _said_end(self) -> bool:
        return self._host.said_end(self)
