"""Messages of a recorded exchange in full, as they are read back from the file."""

from __future__ import annotations

from typing import NamedTuple

from mockpacs.wire import AcceptedContext, Command, Role
from mockpacs.wire.seen import JunkSeen, NonsenseSeen, PduSeen


class PduRead(NamedTuple):
    """One PDU of a recording, with its bytes, or bytes that are no PDU."""

    when: float
    """Seconds since 1970, when its last byte was seen."""
    seen: PduSeen | JunkSeen | NonsenseSeen
    raw: bytes
    """All its bytes, header included."""


class Message(NamedTuple):
    """One DIMSE message."""

    when: float
    """Seconds since 1970, when its last byte was seen."""
    sender: Role
    context: AcceptedContext
    command: Command
    data: bytes | None
    """The data set as it was encoded; None when there is none."""
    is_whole: bool
    """Whether the data set came to its end."""
