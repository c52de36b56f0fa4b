"""One direction of a proxied pair under a scenario: PDU by PDU, each when all that came before it is done with."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from typing import Final, NamedTuple

from mockpacs.net.link import Link
from mockpacs.wire.framer import HEADER_LENGTH, MAX_ASSOCIATE_LENGTH, MAX_UNLIMITED_LENGTH
from mockpacs.wire.pdu import FIXED_BODY_LENGTH

_HIGH_WATER: Final = 1 << 20
"""Bytes that wait for their turn, above which the sender is made to wait."""
_LOW_WATER: Final = 256 * 1024
_SHORT: Final = FIXED_BODY_LENGTH
_LONGEST: Final = (
    -1, MAX_ASSOCIATE_LENGTH, MAX_ASSOCIATE_LENGTH, _SHORT, MAX_UNLIMITED_LENGTH, _SHORT, _SHORT, _SHORT,
)  # fmt: skip
"""The longest body by PDU type; what claims more is no PDU."""


class Unit(NamedTuple):
    """A whole PDU, or with type 0 bytes that are none, or with type -1 the end of what this side says."""

    pdu_type: int
    raw: bytes


END: Final = Unit(-1, b"")


class Cutter:
    """Cuts bytes into units. From what is no PDU on all is passed on as it comes."""

    def __init__(self) -> None:
        self._held = bytearray()
        self._needed = 0
        self._is_lost = False

    def feed(self, data: memoryview | bytes) -> list[Unit]:
        """What is whole now."""
        if self._is_lost:
            return [Unit(0, bytes(data))]
        if self._held:
            self._held += data
            if len(self._held) < self._needed:
                return []
            data, self._held = bytes(self._held), bytearray()
        return self._cut(memoryview(data))

    def rest(self) -> list[Unit]:
        """What is not whole and never will be."""
        rest, self._held = bytes(self._held), bytearray()
        return [Unit(0, rest)] if rest else []

    def _cut(self, view: memoryview) -> list[Unit]:
        units: list[Unit] = []
        start, end = 0, len(view)
        while start < end:
            pdu_type, head = view[start], view[start : start + HEADER_LENGTH]
            length = int.from_bytes(head[2:], "big") if len(head) == HEADER_LENGTH else 0
            if not 0 < pdu_type < len(_LONGEST) or length > _LONGEST[pdu_type]:
                self._is_lost = True
                units.append(Unit(0, bytes(view[start:])))
                break
            needed = HEADER_LENGTH + length
            if start + needed > end:
                self._held, self._needed = bytearray(view[start:]), needed
                break
            units.append(Unit(pdu_type, bytes(view[start : start + needed])))
            start += needed
        return units


class Stream:
    """The units of one direction, in order; whoever sends too much ahead is not read."""

    def __init__(self, link: Link) -> None:
        """``link``: where they come from."""
        self._link = link
        self._cutter = Cutter()
        self._waiting: deque[Unit] = deque()
        self._size = 0
        self._woken = asyncio.Event()
        self._is_paused = False

    @property
    def has_more(self) -> bool:
        """Whether more waits."""
        return bool(self._waiting)

    def add(self, data: memoryview | bytes) -> None:
        """Bytes came."""
        self._put(self._cutter.feed(data))

    def end(self) -> None:
        """Nothing more comes."""
        self._put([*self._cutter.rest(), END])

    async def units(self) -> AsyncIterator[Unit]:
        """One after the other, the end among them; the next is given when the last is done with."""
        while True:
            while not self._waiting:
                self._woken.clear()
                await self._woken.wait()
            unit = self._waiting.popleft()
            yield unit
            if unit is END:
                return
            self._size -= len(unit.raw)
            if self._is_paused and self._size < _LOW_WATER:
                self._is_paused = False
                self._link.resume()

    def _put(self, units: list[Unit]) -> None:
        self._waiting += units
        self._size += sum(len(unit.raw) for unit in units)
        self._woken.set()
        if self._size > _HIGH_WATER and not self._is_paused:
            self._is_paused = True
            self._link.pause()
