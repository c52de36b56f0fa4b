"""What an observer of a connection sees, as values: PDUs, what they carry, and bytes that are none.

Positions count the bytes of one direction from its beginning, or from where the observer began to listen.
"""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

from mockpacs.wire.command import Command
from mockpacs.wire.machine import Role
from mockpacs.wire.pdu import Malformed, Pdu


class PduSeen(NamedTuple):
    """A whole PDU. The data of its PDVs are views that are valid only until more is fed."""

    sender: Role
    start: int
    end: int
    pdu_type: int
    pdu: Pdu | Malformed


class CommandSeen(NamedTuple):
    """A whole command set; reported after the PDU that completed it."""

    sender: Role
    start: int
    """Where the first PDU of the message begins."""
    end: int
    """Where the PDU that completes the command set ends."""
    context_id: int
    command: Command


class DataSeen(NamedTuple):
    """A fragment of the data set of this sender's last command; ``data`` is valid only until more is fed."""

    sender: Role
    end: int
    """Where the PDU it came in ends."""
    context_id: int
    data: bytes | memoryview
    is_last: bool


class NonsenseSeen(NamedTuple):
    """A PDU was whole, but what it carries makes no message: a lying PDV length, a command set that cannot be read."""

    sender: Role
    start: int
    end: int
    why: str


class JunkSeen(NamedTuple):
    """Bytes that are no PDU, or the beginning of one that never came to its end."""

    sender: Role
    start: int
    end: int
    data: bytes
    """The first of them, at most `JUNK_KEPT`."""
    why: str


class GapSeen(NamedTuple):
    """Bytes that were sent but not captured. What is fed next is looked through for the next PDU."""

    sender: Role
    start: int
    end: int


JUNK_KEPT = 256
"""Bytes of junk that are kept to be looked at."""

Seen: TypeAlias = PduSeen | CommandSeen | DataSeen | NonsenseSeen | JunkSeen | GapSeen
