"""Keeps passwords out of recordings: what a user identity proves itself with is overwritten, all other bytes stay.

PS3.7 D.3.3.7: the passcode of type 2, and the ticket, assertion or token of types 3 to 5, are secrets; names are not.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

_ASSOCIATE_RQ: Final = 1
_FIRST_ITEM: Final = 74
"""Bytes of an A-ASSOCIATE-RQ before its first item (PS3.8 9.3.2)."""
_USER_INFORMATION: Final = 0x50
_USER_IDENTITY: Final = 0x58
_WITH_PASSCODE: Final = 2
_HIDDEN: Final = b"*"
_LONGEST: Final = 1 << 20


class Secrets:
    """Looks through the first PDU of a connection, however it is cut."""

    __slots__ = ("_is_over", "_seen")

    def __init__(self) -> None:
        self._seen = bytearray()
        self._is_over = False

    def hide(self, data: bytes | memoryview) -> bytes | memoryview:
        """The same bytes; a copy with asterisks where there was a secret. Nothing is held back."""
        if self._is_over:
            return data
        start = len(self._seen)
        self._seen += data
        end = len(self._seen)
        hidden: bytearray | None = None
        for first, last in _secrets(self._seen):
            if last > start and first < end:
                hidden = hidden or bytearray(data)
                first, last = max(first, start), min(last, end)
                hidden[first - start : last - start] = _HIDDEN * (last - first)
        if _is_whole(self._seen):
            self._is_over = True
            self._seen = bytearray()
        return data if hidden is None else bytes(hidden)


def _is_whole(pdu: bytearray) -> bool:
    """Whether there is nothing more to look for: the PDU has ended, or is no A-ASSOCIATE-RQ of a length we accept."""
    if pdu and pdu[0] != _ASSOCIATE_RQ:
        return True
    length = int.from_bytes(pdu[2:6], "big") if len(pdu) >= 6 else 0
    return len(pdu) >= 6 and (len(pdu) >= 6 + length or length > _LONGEST)


def _secrets(pdu: bytearray) -> Iterator[tuple[int, int]]:
    """Where secrets are, from the lengths that stand before them; their ends may not be there yet."""
    for kind, first, last in _items(pdu, _FIRST_ITEM, len(pdu)):
        if kind == _USER_INFORMATION:
            for inner, start, _ in _items(pdu, first, last):
                if inner == _USER_IDENTITY and start + 4 <= len(pdu):
                    yield from _of_identity(pdu, start)


def _of_identity(pdu: bytearray, start: int) -> Iterator[tuple[int, int]]:
    primary = start + 4
    after = primary + int.from_bytes(pdu[start + 2 : primary], "big")
    if pdu[start] > _WITH_PASSCODE:
        yield primary, after
    if after + 2 <= len(pdu):
        yield after + 2, after + 2 + int.from_bytes(pdu[after : after + 2], "big")


def _items(pdu: bytearray, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Items as (type, first byte of the value, byte behind it); the last may be cut."""
    while start + 4 <= min(end, len(pdu)):
        last = start + 4 + int.from_bytes(pdu[start + 2 : start + 4], "big")
        yield pdu[start], start + 4, last
        start = last
