"""What was done on an association, as frozen records in the order it was seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from mockpacs.replay.blob import Blob
from mockpacs.wire import Abort, AcceptedContext, Command, ReleaseRP, ReleaseRQ, Role


@dataclass(frozen=True, slots=True)
class Said:
    """A DIMSE message. Its place among the steps is where its command set was complete: no answer is before it."""

    when: float
    """Seconds since 1970, when its last byte was seen."""
    sender: Role
    context: AcceptedContext
    """Without syntaxes where it is not known what was negotiated, or where the context was not accepted."""
    command: Command
    data: Blob | None
    """The data set, as much of it as came; None for a message that has none."""
    is_whole: bool
    """Whether the data set came to its end."""
    exchange: int
    """The number of the exchange it belongs to, a C-CANCEL-RQ to the one it cancels; 0 for none."""
    started: float
    """Seconds since 1970, when its command set was complete."""


@dataclass(frozen=True, slots=True)
class Control:
    """The association is released or aborted."""

    when: float
    sender: Role
    pdu: ReleaseRQ | ReleaseRP | Abort


@dataclass(frozen=True, slots=True)
class Noise:
    """What makes no message: bytes that are no PDU, a PDU that is malformed or half, one that is out of turn."""

    when: float
    sender: Role
    raw: bytes
    """The bytes, the first 16 MiB of them; nothing where another step has them, a message that was broken off."""
    why: str


@dataclass(frozen=True, slots=True)
class Gap:
    """Bytes that were sent and not captured."""

    when: float
    sender: Role
    size: int


@dataclass(frozen=True, slots=True)
class Ending:
    """A side closed the connection, or the capture ended while it was open."""

    when: float
    sender: Role | None
    """None for ``cut``."""
    how: Literal["fin", "reset", "cut"]


Step: TypeAlias = Said | Control | Noise | Gap | Ending
