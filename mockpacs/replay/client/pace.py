"""When something is done: at its recorded time, faster, or at once."""

from __future__ import annotations

import asyncio


class Pace:
    """The clock of one pass over a recording."""

    def __init__(self, begin: float, speed: float) -> None:
        """``begin``: the recorded time that is now; ``speed`` 0 waits for nothing."""
        self._loop = asyncio.get_running_loop()
        self._begin = begin
        self._started = self._loop.time()
        self._speed = speed

    async def reach(self, when: float) -> None:
        """Return at this recorded time."""
        if not self._speed:
            return
        seconds = self._started + (when - self._begin) / self._speed - self._loop.time()
        if seconds > 0:
            await asyncio.sleep(seconds)


class Progress:
    """How far an association has been played, in recorded time; others wait for it."""

    def __init__(self) -> None:
        self._reached = float("-inf")
        self._waiting: list[tuple[float, asyncio.Future[None]]] = []

    def reach(self, when: float) -> None:
        """All before this time is done."""
        if when > self._reached:
            self._reached = when
            if self._waiting:
                self._wake()

    def end(self) -> None:
        """All is done."""
        self.reach(float("inf"))

    async def reached(self, when: float) -> None:
        """Return when all before this time is done."""
        if self._reached >= when:
            return
        waiter = asyncio.get_running_loop().create_future()
        self._waiting.append((when, waiter))
        await waiter

    def _wake(self) -> None:
        still = []
        for when, waiter in self._waiting:
            if when > self._reached:
                still.append((when, waiter))
            elif not waiter.done():
                waiter.set_result(None)
        self._waiting = still
