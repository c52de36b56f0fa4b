"""Where PDUs begin in one direction of a connection, from their headers alone; for a recorder that goes to a new file.

It looks at six bytes of each PDU and keeps none of the others. From what is no PDU on it is lost.
"""

from __future__ import annotations

from struct import Struct
from typing import Final, NamedTuple

_HEADER: Final = Struct(">BxI")
_LAST_TYPE: Final = 7


class Stretch(NamedTuple):
    """Bytes of a direction: positions in the stream, and the offset in the file of the block with the first of them."""

    start: int
    end: int
    block: int


class Framing:
    """The first PDU of a direction and the one that is being sent."""

    __slots__ = ("_header", "_is_in_body", "_next", "block", "first", "is_lost", "start")

    def __init__(self) -> None:
        self.start = 0
        """Where the PDU begins that was begun last and is not whole; the end of the stream when all are whole."""
        self.block = 0
        """The offset in the file of the block with its first byte."""
        self.first: Stretch | None = None
        """The first PDU, once it is whole."""
        self.is_lost = False
        self._next = _HEADER.size  # where the next thing to look at ends: a header, or a PDU
        self._is_in_body = False
        self._header = b""

    def see(self, data: bytes | memoryview, position: int, block: int) -> None:
        """Bytes that begin at ``position`` are recorded from the block at offset ``block`` on."""
        if self.is_lost:
            return
        if self.start == position:
            self.block = block
        end = position + len(data)
        while self._next <= end and not self.is_lost:
            if not self._is_in_body:
                self._see_header(data, position)
            if self._next <= end and not self.is_lost:
                self._see_end(block)
        if not self._is_in_body and self.start < end and not self.is_lost:
            self._header += bytes(data[max(self.start - position, 0) :])

    def _see_header(self, data: bytes | memoryview, position: int) -> None:
        at = self._next - position
        header = self._header + bytes(data[at - _HEADER.size + len(self._header) : at])
        pdu_type, length = _HEADER.unpack(header)
        self.is_lost = not 0 < pdu_type <= _LAST_TYPE
        self._header = b""
        self._is_in_body = True
        self._next += length

    def _see_end(self, block: int) -> None:
        if self.first is None:
            self.first = Stretch(self.start, self._next, self.block)
        self.start, self.block = self._next, block
        self._next += _HEADER.size
        self._is_in_body = False
