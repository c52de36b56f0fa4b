"""A conversation together with the bytes it consists of, for as long as somebody may ask for them.

Other than in `mockpacs.traffic.recording.scene` only the bytes of what is not complete are copied.
"""

from __future__ import annotations

from typing import Final

from mockpacs.traffic.capture.event import Chunk, Missing
from mockpacs.wire import PDataTF, Role
from mockpacs.wire.conversation import Conversation
from mockpacs.wire.seen import CommandSeen, DataSeen, PduSeen, Seen
from mockpacs.wire.walker import MAX_HELD

_MASK: Final = 0xFFFFFFFF


class Watch:
    """Of one connection. After each `take` and `miss`: look at what they gave, ask for bytes, then `settle`."""

    def __init__(self, *, from_start: bool) -> None:
        """``from_start``: nothing was said before; whoever is not sure of it says False."""
        self.conversation = Conversation(from_start=from_start)
        self._sides = {Role.REQUESTOR: _Side(), Role.ACCEPTOR: _Side()}

    def take(self, chunk: Chunk) -> list[Seen]:
        """What the bytes of a chunk complete; its views and the bytes behind it are valid until the next event."""
        sender, data = chunk.sender, chunk.data
        self._sides[sender].add(chunk.sequence, data)
        return self.conversation.feed(sender, data)

    def miss(self, missing: Missing) -> list[Seen]:
        """The same of bytes that are not there."""
        seen = self.conversation.gap(missing.sender, missing.size)
        self._sides[missing.sender].skip(missing.sequence, missing.size)
        return seen

    def sequence(self, sender: Role, position: int) -> int:
        """The TCP sequence number of a byte, 32 bits."""
        return self._sides[sender].first + position & _MASK

    def open_at(self, sender: Role) -> int | None:
        """Where what is not complete begins, None when all that a side said is; to be asked after `settle`."""
        side = self._sides[sender]
        return side.needed if side.needed < side.end else None

    def end(self, sender: Role) -> int:
        """How many bytes a side said, or was not heard to say."""
        return self._sides[sender].end

    def raw(self, sender: Role, start: int, end: int) -> bytes:
        """The bytes between two positions, as far as they are there."""
        return self._sides[sender].between(start, end)

    def settle(self, sender: Role, seen: list[Seen]) -> None:
        """What a side said was looked at: only the bytes of what is not complete are still needed."""
        side = self._sides[sender]
        for one in reversed(seen):
            if isinstance(one, CommandSeen | DataSeen) or one.sender is not sender:
                continue
            if isinstance(one, PduSeen) and _is_open(one):
                continue  # of a command set in pieces the first may be asked for: perhaps it makes no message
            side.needed = max(side.needed, one.end)
            break
        side.settle()


def _is_open(seen: PduSeen) -> bool:
    """Whether a PDU ends within a command set."""
    pdu = seen.pdu
    if not isinstance(pdu, PDataTF) or not pdu.pdvs:
        return False
    last = pdu.pdvs[-1]
    return last.is_command and not last.is_last


class _Side:
    """The last bytes of one direction, by position."""

    __slots__ = ("_base", "_held", "_is_full", "_new", "_new_at", "end", "first", "needed")

    def __init__(self) -> None:
        self.first = 0
        """The TCP sequence number of the byte at position 0."""
        self.needed = 0
        """Where what is not complete begins."""
        self.end = 0
        """Bytes there were so far."""
        self._held = bytearray()
        self._base = 0
        self._is_full = False
        self._new: bytes | memoryview = b""
        self._new_at = 0

    def add(self, sequence: int, data: bytes | memoryview) -> None:
        self.first = sequence - self.end
        self._new, self._new_at = data, self.end
        self.end += len(data)

    def skip(self, sequence: int, size: int) -> None:
        self.first = sequence - self.end
        self.end += size
        self._new, self._new_at = b"", self.end

    def between(self, start: int, end: int) -> bytes:
        early = bytes(self._held[max(start - self._base, 0) : max(end - self._base, 0)])
        if start < self._new_at and self._is_full:
            return early
        return early + bytes(self._new[max(start - self._new_at, 0) : max(end - self._new_at, 0)])

    def settle(self) -> None:
        new, needed = self._new, self.needed
        if needed >= self._new_at or (self._is_full and needed > self._base):
            start = max(needed, self._new_at)
            self._held, self._base, self._is_full = bytearray(new[start - self._new_at :]), start, False
        else:
            if needed > self._base:
                del self._held[: needed - self._base]
                self._base = needed
            self._is_full = self._is_full or len(self._held) + len(new) > MAX_HELD
            if not self._is_full:
                self._held += new
        self._new, self._new_at = b"", self.end
