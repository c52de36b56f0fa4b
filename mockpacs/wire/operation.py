"""What can be done to a connection, one after the other. Said here, done by whoever has the socket."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Write:
    """Send these bytes."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Wait:
    """Do nothing for this time."""

    seconds: float
    is_rest: bool = field(default=False, compare=False)
    """Whether it only keeps a pace: all that it is about has been sent."""


@dataclass(frozen=True, slots=True)
class Finish:
    """FIN, after what waits to be sent; nothing more is read."""


@dataclass(frozen=True, slots=True)
class HalfClose:
    """FIN, after what waits to be sent; what the peer says is read on."""


@dataclass(frozen=True, slots=True)
class Reset:
    """RST, at once; what waits to be sent is lost."""


@dataclass(frozen=True, slots=True)
class Mute:
    """Send no more bytes, ever; the connection stays."""


@dataclass(frozen=True, slots=True)
class Deafen:
    """Take nothing more from the peer, ever; the connection stays."""


Operation: TypeAlias = Write | Wait | Finish | HalfClose | Reset | Mute | Deafen
