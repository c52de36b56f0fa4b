"""From positions in the byte stream of one direction to TCP sequence numbers and to blocks of the file.

Only the blocks that a message still to come may begin in are kept.
"""

from __future__ import annotations

from collections import deque
from typing import Final

_KEPT_AT_MOST: Final = 4096
"""Blocks; a message whose command set is cut into more has its place a little late."""
_MASK: Final = 0xFFFFFFFF


class Blocks:
    """The last blocks of one direction, and the PDU that was seen last."""

    __slots__ = ("_first", "_history", "end", "end_of_block", "needed", "pdu_end", "pdu_start")

    def __init__(self) -> None:
        self.end = 0
        """Bytes there were so far: the position of the next one."""
        self.end_of_block = 0
        """Where the last block ends in the file."""
        self.pdu_start = 0
        self.pdu_end = 0
        self.needed = 0
        """No message that is still to come begins before this position."""
        self._first = 0
        self._history: deque[tuple[int, int]] = deque()

    def add(self, sequence: int, size: int, offset: int, end_of_block: int) -> None:
        """The next ``size`` bytes are in the block at ``offset``; their first has this TCP sequence number."""
        self._first = sequence - self.end
        history, needed = self._history, self.needed
        history.append((self.end, offset))
        while len(history) > 1 and (history[1][0] <= needed or len(history) > _KEPT_AT_MOST):
            history.popleft()
        self.end += size
        self.end_of_block = end_of_block

    def skip(self, sequence: int, size: int) -> None:
        """The next ``size`` bytes are not in the file."""
        self._first = sequence - self.end
        self.end += size

    def sequence(self, position: int) -> int:
        """The TCP sequence number of a byte, 32 bits."""
        return (self._first + position) & _MASK

    def offset(self, position: int) -> int:
        """The offset of the block that holds a byte; of the oldest known when it was forgotten."""
        found = 0
        for start, offset in reversed(self._history):
            found = offset
            if start <= position:
                break
        return found
