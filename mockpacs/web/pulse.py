"""Wakes a coroutine when the journal has something new. Whoever adds to the journal does nothing but ring."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from types import TracebackType
from typing import Self

from mockpacs.traffic.exchange import Record
from mockpacs.traffic.journal import Journal


class Pulse:
    """A context manager: listens from its begin to its end. To be made in the event loop.

    Look at the journal, then wait for `next`, then look again: nothing is missed.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._rung = asyncio.Event()

    def ring(self) -> None:
        """Wake who waits, without news; in the event loop."""
        self._rung.set()

    async def next(self, seconds: float) -> bool:
        """Wait for news, so long at most; whether there are any since the last time."""
        try:
            async with asyncio.timeout(seconds):
                await self._rung.wait()
        except TimeoutError:
            return False
        self._rung.clear()
        return True

    def __enter__(self) -> Self:
        self._journal.subscribe(self._hear)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._journal.unsubscribe(self._hear)

    def _hear(self, _record: Record) -> None:
        """Most records come in the event loop itself, and of those that follow one another the first one rings."""
        if self._rung.is_set():
            return
        if threading.get_ident() == self._thread:
            self._rung.set()
        else:
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits
                self._loop.call_soon_threadsafe(self._rung.set)
