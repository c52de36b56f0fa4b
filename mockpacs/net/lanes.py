"""Where work runs that the event loop must not do: one thread writes the archive, a few others read it."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import islice
from typing import Final

from mockpacs.services.request import PROCESSING_FAILURE, Outcome, Request, WritingService

_BATCH_AT_MOST: Final = 64
"""Requests in one transaction: enough to share a commit among all who wait, few enough to answer soon."""
_FIRST_OUTCOMES: Final = 8
_MORE_OUTCOMES: Final = 256
_OUTCOME_BYTES: Final = 256 * 1024
"""Data sets in one batch of outcomes: a batch is sent whole, so it bounds memory and how late a C-CANCEL is obeyed."""
_READERS: Final = 4

_Job = tuple[Request, Callable[[Outcome], None]]


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
    """The threads of a server. Made in the event loop; ``close`` ends them."""

    def __init__(self, storage: WritingService, trouble: Callable[[str, BaseException], None]) -> None:
        """``trouble`` is told, in the loop, what failed and why."""
        self._loop = asyncio.get_running_loop()
        self._storage = storage
        self._trouble = trouble
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._writer = threading.Thread(target=self._write, name="mockpacs-writer", daemon=True)
        self._writer.start()
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix="mockpacs-reader")

    def write(self, request: Request, done: Callable[[Outcome], None]) -> None:
        """Have the writer answer a request, together with all that wait with it; ``done`` is called in the loop."""
        self._jobs.put((request, done))

    def run(self, work: Callable[[], None]) -> asyncio.Future[None]:
        """Do something that blocks in a reader's thread."""
        return self._loop.run_in_executor(self._readers, work)

    def batches(self, outcomes: Iterable[Outcome]) -> Batches:
        """The outcomes of a service that runs in a reader's thread."""
        return Batches(self._loop, self._readers, outcomes)

    def finish_writing(self, timeout_seconds: float) -> bool:
        """Let the writer answer what waits, then end it; blocks. False when it did not end in time."""
        self._jobs.put(None)
        self._writer.join(timeout_seconds)
        return not self._writer.is_alive()

    def close(self, *, wait: bool) -> None:
        """End the readers. ``wait`` only when nothing of theirs can still run for long."""
        self._readers.shutdown(wait=wait, cancel_futures=True)

    def _write(self) -> None:
        """The writer's thread: takes all that waits, up to a limit, and answers it in one transaction."""
        while (job := self._jobs.get()) is not None:
            jobs, ending = [job], False
            while len(jobs) < _BATCH_AT_MOST and not self._jobs.empty():
                more = self._jobs.get()
                if more is None:
                    ending = True
                    break
                jobs.append(more)
            self._hand_over(jobs, self._answer([request for request, _ in jobs]))
            if ending:
                return

    def _answer(self, requests: list[Request]) -> list[Outcome]:
        try:
            return self._storage.answer_all(requests)
        except Exception as error:  # noqa: BLE001 - the thread must live, and the peers must hear of it
            self._in_loop(partial(self._trouble, "storing failed", error))
            return [Outcome(PROCESSING_FAILURE, comment=f"{type(error).__name__} in the archive")] * len(requests)

    def _hand_over(self, jobs: list[_Job], outcomes: list[Outcome]) -> None:
        def deliver() -> None:
            for (_, done), outcome in zip(jobs, outcomes, strict=True):
                try:
                    done(outcome)
                except Exception as error:  # noqa: BLE001 - the others of the batch are other associations
                    self._trouble("answering failed", error)

        self._in_loop(deliver)

    def _in_loop(self, call: Callable[[], None]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits for it any more
            self._loop.call_soon_threadsafe(call)
