"""What the pairs of one proxy share, and where the connections of a door go."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from mockpacs.net.environment import Limits
from mockpacs.net.peer import Peer
from mockpacs.net.proxy.ear import Ear
from mockpacs.traffic.exchange import Record
from mockpacs.traffic.recorder import Recorder

if TYPE_CHECKING:
    from mockpacs.net.proxy.pair import Pair
    from mockpacs.net.theatre import Theatre


@dataclass(frozen=True, slots=True)
class Route:
    """Where connections go that come through one door."""

    peer: Peer
    """Who is called."""
    tls: ssl.SSLContext | None = None
    """What TLS is spoken with who calls, None for none."""
    offered: str = ""
    """The title of the move destination that stands behind the door; "" for the server itself."""


@dataclass(slots=True)
class Surroundings:
    """What all pairs of one proxy share."""

    limits: Limits
    observe: Callable[[Record], None]
    ear: Ear
    next_number: Callable[[], int]
    """Of connections, whoever opens them."""
    buffers: tuple[memoryview, memoryview]
    """What links receive into: those of clients, and those of servers."""
    recorder: Recorder | None = None
    theatre: Theatre | None = None


class Hall(Protocol):
    """Where pairs come and go."""

    def left(self, pair: Pair) -> None:
        """Both of its connections are gone."""
