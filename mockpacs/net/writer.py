"""Where requests that write the archive are answered: by a thread, all who wait at once.

When nobody else waits and there is little to write the event loop does it itself: waking a thread, and being woken by
it, cost a small instance a fifth of its time.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Final

from mockpacs.archive import Spool
from mockpacs.services.request import Outcome, Request, WritingService
from mockpacs.wire.status import PROCESSING_FAILURE

_BATCH_AT_MOST: Final = 64
"""Requests in one transaction: enough to share a commit among all who wait, few enough to answer soon."""
_WRITE_HERE_AT_MOST: Final = 1 << 20
"""Bytes of a data set that may be written in the loop: about a millisecond of it."""
_SLOW_SECONDS: Final = 0.02
_REST: Final = 0.25
_REST_WHEN_SLOW: Final = 100.0
"""How long, in multiples of the last write, the loop writes nothing more: others have their turn."""
_TIDY_EVERY: Final = 600
"""Requests between two tidyings of the archive: before SQLite folds its log by itself, inside somebody's commit."""

_Job = tuple[Request, Callable[[Outcome], None]]


class Writer:
    """The writing lane. Made in the event loop, and used from there; ``finish`` ends its thread."""

    def __init__(
        self,
        storage: WritingService,
        trouble: Callable[[str, BaseException], None],
        in_background: Callable[[Callable[[], None]], object],
        *,
        may_write_here: bool,
    ) -> None:
        """``may_write_here``: False when a write waits for the disk. ``trouble`` is told, in the loop, what failed."""
        self._loop = asyncio.get_running_loop()
        self._storage = storage
        self._trouble = trouble
        self._in_background = in_background
        self._may_write_here = may_write_here
        self._rest_until = 0.0
        self._waiting = 0
        self._untidy = 0
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._write_all, name="mockpacs-writer", daemon=True)
        self._thread.start()

    def write(self, request: Request, done: Callable[[Outcome], None]) -> None:
        """Have a request answered; ``done`` is called in the loop, possibly before this returns."""
        if self._is_for_here(request) and (outcome := self._write_here(request)):
            self._count(1)
            done(outcome)
        else:
            self._waiting += 1
            self._jobs.put((request, done))

    def finish(self, timeout_seconds: float) -> bool:
        """Let the thread answer what waits, then end it; blocks. False when it did not end in time."""
        self._jobs.put(None)
        self._thread.join(timeout_seconds)
        return not self._thread.is_alive()

    def _is_for_here(self, request: Request) -> bool:
        data = request.data
        return (
            self._may_write_here
            and not self._waiting
            and isinstance(data, Spool)
            and data.buffered == data.size <= _WRITE_HERE_AT_MOST
            and time.perf_counter() >= self._rest_until
        )

    def _write_here(self, request: Request) -> Outcome | None:
        began = time.perf_counter()
        try:
            return self._storage.answer_at_once(request)
        except Exception as error:  # noqa: BLE001 - the peer must hear of it, and the association live on
            return self._failure(error)
        finally:
            took = time.perf_counter() - began
            self._rest_until = began + took * (1 + (_REST if took < _SLOW_SECONDS else _REST_WHEN_SLOW))

    def _count(self, written: int) -> None:
        self._untidy += written
        if self._untidy >= _TIDY_EVERY:
            self._untidy = 0
            self._in_background(self._tidy)

    def _tidy(self) -> None:
        try:
            self._storage.tidy()
        except Exception as error:  # noqa: BLE001 - nobody waits for it: it would go unheard
            self._in_loop(partial(self._trouble, "tidying the archive failed", error))

    def _write_all(self) -> None:
        """The thread: takes all that waits, up to a limit, and answers it in one transaction."""
        while (job := self._jobs.get()) is not None:
            jobs, ending = [job], False
            while len(jobs) < _BATCH_AT_MOST and not self._jobs.empty():
                more = self._jobs.get()
                if more is None:
                    ending = True
                    break
                jobs.append(more)
            outcomes = self._answer([request for request, _ in jobs])
            self._in_loop(partial(self._deliver, jobs, outcomes))
            if ending:
                return

    def _answer(self, requests: list[Request]) -> list[Outcome]:
        try:
            return self._storage.answer_all(requests)
        except Exception as error:  # noqa: BLE001 - the thread must live, and the peers must hear of it
            return [self._failure(error)] * len(requests)

    def _failure(self, error: Exception) -> Outcome:
        self._in_loop(partial(self._trouble, "storing failed", error))
        return Outcome(PROCESSING_FAILURE, comment=f"{type(error).__name__} in the archive")

    def _deliver(self, jobs: list[_Job], outcomes: list[Outcome]) -> None:
        self._waiting -= len(jobs)
        self._count(len(jobs))
        for (_, done), outcome in zip(jobs, outcomes, strict=True):
            try:
                done(outcome)
            except Exception as error:  # noqa: BLE001 - the others of the batch are other associations
                self._trouble("answering failed", error)

    def _in_loop(self, call: Callable[[], None]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits for it any more
            self._loop.call_soon_threadsafe(call)
