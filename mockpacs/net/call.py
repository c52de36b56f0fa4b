"""A handler at work, in a thread of its own: it may block, and for ever; then nobody waits for it but a stop.

Not a thread of the readers: four handlers that block would keep everybody from their queries, and Python does not end
before such a pool does.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterator
from functools import partial
from typing import Final

from mockpacs.services.request import Outcome

_AHEAD_AT_MOST: Final = 64
"""Outcomes that wait to be sent; a handler that says more waits as well."""


class Call:
    """What a handler says is taken as soon as it is said. Made in the event loop, and used from there."""

    def __init__(self, outcomes: Iterator[Outcome], name: str) -> None:
        """``outcomes`` is read, and closed, in the thread."""
        self.ended = asyncio.Event()
        """Whether the thread is done with the request and all that belongs to it."""
        self._loop = asyncio.get_running_loop()
        self._outcomes = outcomes
        self._said: list[Outcome] = []  # in the loop: in the order of all else that the thread has it do
        self._ahead = 0
        self._error: BaseException | None = None
        self._is_wanted = True
        self._changed = threading.Condition()
        self._woken = asyncio.Event()
        self.thread = threading.Thread(target=self._run, name=f"mockpacs-handler {name}", daemon=True)
        self.thread.start()

    async def take(self) -> list[Outcome]:
        """The next outcomes; an empty list when there are no more, or none is wanted. Raises a defect of ours."""
        while self._is_wanted:
            self._woken.clear()
            if self._said:
                said, self._said = self._said, []
                with self._changed:
                    self._ahead -= len(said)
                    self._changed.notify()
                return said
            if self.ended.is_set():
                break
            await self._woken.wait()
        if self._error is not None:
            raise self._error
        return []

    def close(self) -> None:
        """Nothing more is wanted. The handler is left alone: what it still says goes nowhere."""
        with self._changed:
            self._is_wanted = False
            self._changed.notify()
        self._woken.set()

    def _run(self) -> None:
        """The thread."""
        try:
            with contextlib.closing(self._outcomes):  # type: ignore[type-var]
                for outcome in self._outcomes:
                    if not self._say(outcome):
                        break
        except BaseException as error:  # noqa: BLE001 - raised where it is taken
            self._error = error
        finally:
            self._in_loop(self._end)

    def _say(self, outcome: Outcome) -> bool:
        """Whether more is wanted."""
        with self._changed:
            self._ahead += 1
            self._in_loop(partial(self._hear, outcome))
            self._changed.wait_for(lambda: self._ahead < _AHEAD_AT_MOST or not self._is_wanted)
            return self._is_wanted

    def _hear(self, outcome: Outcome) -> None:
        self._said.append(outcome)
        self._woken.set()

    def _end(self) -> None:
        self.ended.set()
        self._woken.set()

    def _in_loop(self, what: Callable[[], None]) -> None:
        with contextlib.suppress(RuntimeError):  # the server did not wait for us, and is gone
            self._loop.call_soon_threadsafe(what)
