"""A handler or a retrieve at work, in a thread of its own: it may block, a handler for ever; only a stop waits then.

Not a thread of the readers: four that block would keep everybody from their queries, and Python does not end before
such a pool does.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Final

from mockpacs.net.incoming import Incoming
from mockpacs.services.request import Outcome
from mockpacs.traffic.exchange import Association

AHEAD_AT_MOST: Final = 63
"""Outcomes of a handler that wait to be sent."""


Hear = Callable[[Outcome, Callable[[], None]], None]
"""Sends an outcome, and has the function called when the peer has taken enough."""


class Call:
    """What is said is taken as soon as it is said. Made in the event loop, and used from there."""

    def __init__(
        self,
        outcomes: Iterator[Outcome],
        name: str,
        *,
        ahead_at_most: int = AHEAD_AT_MOST,
        hear: Hear | None = None,
    ) -> None:
        """``outcomes`` is read, and closed, in the thread, which is called ``mockpacs-{name}``.

        ``ahead_at_most``: outcomes that may have been said while what was taken is being sent; beyond it the thread
        waits. 0: each is sent, and all that a scenario does then is done, before the next is made. ``hear``: told each
        in the loop, before anything that the thread has the loop do later; then nothing is taken, and what was heard
        counts as ahead until the peer has taken enough.
        """
        self.ended = asyncio.Event()
        """Whether the thread is done with the request and all that belongs to it."""
        self._loop = asyncio.get_running_loop()
        self._outcomes = outcomes
        self._said: list[Outcome] = []  # in the loop: in the order of all else that the thread has it do
        self._ahead = 0
        self._taken = 0  # of these, taken, and being sent until more is asked for
        self._ahead_at_most = ahead_at_most
        self._hears = hear
        self._error: BaseException | None = None
        self._is_wanted = True
        self._changed = threading.Condition()
        self._woken = asyncio.Event()
        self.thread = threading.Thread(target=self._run, name=f"mockpacs-{name}", daemon=True)
        self.thread.start()

    async def take(self) -> list[Outcome]:
        """The next outcomes; an empty list when there are no more, or none is wanted. Raises a defect of ours."""
        if self._taken:
            with self._changed:
                self._ahead -= self._taken
                self._changed.notify()
            self._taken = 0
        while self._is_wanted:
            self._woken.clear()
            if self._said:
                said, self._said = self._said, []
                self._taken = len(said)
                return said
            if self.ended.is_set():
                break
            await self._woken.wait()
        if self._error is not None:
            raise self._error
        return []

    async def over(self) -> None:
        """Return when the thread is done. Raises a defect of ours."""
        await self.ended.wait()
        self.thread.join()  # it is at its very end
        if self._error is not None:
            raise self._error

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
            self._changed.wait_for(lambda: self._ahead <= self._ahead_at_most or not self._is_wanted)
            return self._is_wanted

    def _hear(self, outcome: Outcome) -> None:
        if self._hears is not None:
            self._hears(outcome, self._make_room)
            return
        self._said.append(outcome)
        self._woken.set()

    def _make_room(self) -> None:
        with self._changed:
            self._ahead -= 1
            self._changed.notify()

    def _end(self) -> None:
        self.ended.set()
        self._woken.set()

    def _in_loop(self, what: Callable[[], None]) -> None:
        with contextlib.suppress(RuntimeError):  # the server did not wait for us, and is gone
            self._loop.call_soon_threadsafe(what)


def retrieve_call(
    outcomes: Iterable[Outcome],
    association: Association,
    incoming: Incoming,
    hear: Hear | None = None,
) -> Call:
    """A retrieve at work. ``hear``: sends a response at once; without it each is taken, and the next waits for that."""
    ahead = 0 if hear is None else AHEAD_AT_MOST
    return Call(iter(outcomes), f"retrieve {association.number}.{incoming.number}", ahead_at_most=ahead, hear=hear)
