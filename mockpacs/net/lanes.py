"""Where work runs that the event loop must not do: one thread writes the archive, a few others read it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Final

from mockpacs.net.writer import Writer
from mockpacs.services.request import Outcome, Request, WritingService

_FIRST_OUTCOMES: Final = 8
_MORE_OUTCOMES: Final = 256
_OUTCOME_BYTES: Final = 256 * 1024
"""Data sets in one batch of outcomes: a batch is sent whole, so it bounds memory and how late a C-CANCEL is obeyed."""
_READERS: Final = 4
_SPILLERS: Final = 2


class Batches:
    """Outcomes made in a thread, taken in batches: few at first so that the first is soon out, then many.

    The next batch is made while the last one is sent. ``close`` must follow: no thread is left inside a generator.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, threads: ThreadPoolExecutor, outcomes: Iterable[Outcome]
    ) -> None:
        self._loop = loop
        self._threads = threads
        self._source = iter(outcomes)
        self._pending = self._make(_FIRST_OUTCOMES)

    async def take(self) -> list[Outcome]:
        """The next outcomes; an empty list when there are no more. Raises what the service raised."""
        batch = await self._pending
        if batch:
            self._pending = self._make(_MORE_OUTCOMES)
        return batch

    async def close(self) -> None:
        """Return when no thread works for this any more."""
        await asyncio.wait([self._pending])
        if not self._pending.cancelled():
            self._pending.exception()  # seen: nobody waits for what was not taken

    def _make(self, count: int) -> asyncio.Future[list[Outcome]]:
        return self._loop.run_in_executor(self._threads, self._take, count)

    def _take(self, count: int) -> list[Outcome]:
        taken: list[Outcome] = []
        size = 0
        for outcome in islice(self._source, count):
            taken.append(outcome)
            size += len(outcome.data or b"")
            if size >= _OUTCOME_BYTES:
                break
        return taken


class Lanes:
    """The threads of a server. Made in the event loop; ``finish_writing`` and ``close`` end them."""

    def __init__(
        self,
        storage: WritingService,
        trouble: Callable[[str, BaseException], None],
        *,
        may_write_in_loop: bool = True,
    ) -> None:
        """``trouble`` is told, in the loop, what failed and why."""
        self._loop = asyncio.get_running_loop()
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix="mockpacs-reader")
        self._spillers = ThreadPoolExecutor(_SPILLERS, thread_name_prefix="mockpacs-spill")
        self._writer = Writer(storage, trouble, self.run, may_write_here=may_write_in_loop)

    def write(self, request: Request, done: Callable[[Outcome], None]) -> None:
        """Have the writer answer a request; ``done`` is called in the loop, possibly before this returns."""
        self._writer.write(request, done)

    def run(self, work: Callable[[], None]) -> asyncio.Future[None]:
        """Do something that waits for the disk, in a thread that no query can hold up."""
        return self._loop.run_in_executor(self._spillers, work)

    def batches(self, outcomes: Iterable[Outcome]) -> Batches:
        """The outcomes of a service that runs in a reader's thread."""
        return Batches(self._loop, self._readers, outcomes)

    def finish_writing(self, timeout_seconds: float) -> bool:
        """Let the writer answer what waits, then end it; blocks. False when it did not end in time."""
        return self._writer.finish(timeout_seconds)

    def close(self, *, wait: bool) -> None:
        """End the threads. ``wait`` only when nothing of theirs can still run for long."""
        self._spillers.shutdown(wait=wait, cancel_futures=True)
        self._readers.shutdown(wait=wait, cancel_futures=True)
