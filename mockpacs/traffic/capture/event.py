"""What happened on the TCP connections of a capture, in the order of the file, as values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

from mockpacs.wire import Role


class Flow(NamedTuple):
    """One connection. Two that use the same ports one after the other have different numbers."""

    number: int
    """Counted from 1 in the order they appear; in a recording of ours the number its SYN carries as a comment."""
    requestor: str
    """host:port of who opened it, IPv6 addresses in brackets."""
    acceptor: str
    """host:port of who accepted it."""


class Opened(NamedTuple):
    """The connection was opened, or its first packet was captured."""

    flow: Flow
    when: float
    offset: int
    """Bytes from the begin of the file to the block of the packet."""
    comments: Sequence[str]
    """The packet comments, as they are in the file."""
    from_start: bool
    """Whether the SYN is there; otherwise the capture begins in the middle of the connection."""


class Chunk(NamedTuple):
    """Bytes one side sent, in order, each once. ``data`` is valid only until the next event is asked for."""

    flow: Flow
    sender: Role
    when: float
    """Seconds since 1970."""
    sequence: int
    """TCP sequence number of the first byte (32 bits)."""
    data: bytes | memoryview
    offset: int
    end: int
    """Bytes from the begin of the file to the end of the block of the packet."""
    comments: Sequence[str]


class Missing(NamedTuple):
    """Bytes that one side sent and that were not captured: lost, or cut off by the capture."""

    flow: Flow
    sender: Role
    when: float
    sequence: int
    size: int


class Closed(NamedTuple):
    """A side sent FIN or RST; with ``how`` "cut", the file ended while the connection was open."""

    flow: Flow
    when: float
    sender: Role | None
    how: str
    """fin, reset or cut"""
    offset: int
    end: int
    comments: Sequence[str]


Event: TypeAlias = Opened | Chunk | Missing | Closed
