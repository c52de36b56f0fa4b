"""A proxy: who connects is joined with the server that stands behind it. Limits on the way in, a bounded stop."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Final

from mockpacs.net.door import Door
from mockpacs.net.environment import Limits
from mockpacs.net.link import RECEIVE_BUFFER_SIZE
from mockpacs.net.listener import descriptor_limit
from mockpacs.net.proxy.around import Route, Surroundings
from mockpacs.net.proxy.ear import Ear
from mockpacs.net.proxy.pair import Pair
from mockpacs.traffic.exchange import Record
from mockpacs.traffic.recorder import Recorder
from mockpacs.traffic.recording.words import MADE_ROOM

if TYPE_CHECKING:
    from mockpacs.net.theatre import Theatre

_CUT_SECONDS: Final = 0.5
_SPARE_CONNECTIONS: Final = 256
"""Connections beyond max_associations that may be waiting to be told no."""


class Proxy:
    """Accepts and forwards. ``open`` means serving, ``close`` means gone."""

    def __init__(
        self,
        limits: Limits,
        observe: Callable[[Record], None],
        recorder: Recorder | None = None,
        theatre: Theatre | None = None,
    ) -> None:
        self._limits = limits
        self._observe = observe
        numbers = count(1)
        buffers = (memoryview(bytearray(RECEIVE_BUFFER_SIZE)), memoryview(bytearray(RECEIVE_BUFFER_SIZE)))
        self._around = Surroundings(limits, observe, Ear(observe), lambda: next(numbers), buffers, recorder, theatre)
        self._doors: list[Door] = []
        self._pairs: dict[Pair, None] = {}  # in order of age
        self._gone = asyncio.Event()
        self._gone.set()
        self._most = min(limits.max_associations + _SPARE_CONNECTIONS, descriptor_limit() // 2)

    async def open(self, host: str, port: int, route: Route, option: str = "--listen") -> list[tuple[str, int]]:
        """Listen, and forward what comes to ``route``. The addresses that answer. Raises StartError."""
        door = Door(partial(self._came, route), self._observe, option=option)
        self._doors.append(door)
        await door.open(host, port)
        return door.addresses

    def refuse(self, seconds: float) -> None:
        """Listen to nobody for a while; what is joined goes on."""
        for door in self._doors:
            door.refuse(seconds)

    async def close(self, timeout_seconds: float) -> int:
        """Stop listening, end all pairs, wait; returns how many had to be cut at the end."""
        self._close_doors()
        for pair in list(self._pairs):
            pair.stop()
        if await self._all_gone(timeout_seconds):
            return 0
        stragglers = list(self._pairs)
        for pair in stragglers:
            pair.reset()
        await self._all_gone(_CUT_SECONDS)
        return len(stragglers)

    def halt(self) -> None:
        """End all traffic at once, without a word more to anybody."""
        self._close_doors()
        for pair in list(self._pairs):
            pair.reset()

    def left(self, pair: Pair) -> None:
        """A pair less."""
        self._pairs.pop(pair, None)
        if not self._pairs:
            self._gone.set()

    def _came(self, route: Route, sock: socket.socket, address: tuple[str, int]) -> None:
        pair = Pair(self._around.next_number(), address, sock, route, self._around, self)
        self._pairs[pair] = None
        self._gone.clear()
        if len(self._pairs) > self._most:
            self._make_room()
        if len(self._pairs) > self._limits.max_associations:
            pair.too_many()
        else:
            pair.begin()

    def _make_room(self) -> None:
        """Drop the connection that is the oldest of those that are no association."""
        if waiting := next((pair for pair in self._pairs if not pair.notes.is_associated), None):
            waiting.drop(MADE_ROOM)

    def _close_doors(self) -> None:
        for door in self._doors:
            door.close()

    async def _all_gone(self, seconds: float) -> bool:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._gone.wait()
        return self._gone.is_set()
