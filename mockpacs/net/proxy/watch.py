"""The silence of a proxied pair: nothing said by either side, and nothing taken, for too long."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Final

from mockpacs.net.link import Link

_LOOKS: Final = 8
"""How often, in the network time, it is looked whether somebody who seems deaf took something."""


class Watch:
    """One timer, which is not touched by what comes."""

    def __init__(self, seconds: float, links: Callable[[], Iterable[Link]], time_out: Callable[[str], None]) -> None:
        """``seconds``: 0 waits for ever. ``time_out`` is told what happened."""
        self._loop = asyncio.get_running_loop()
        self._seconds = seconds
        self._links = links
        self._time_out = time_out
        self._active_at = self._loop.time()
        self._untaken = 0
        self._timer: asyncio.TimerHandle | None = None

    def see_activity(self) -> None:
        """Something came."""
        self._active_at = self._loop.time()

    def start(self) -> None:
        """Look from now on."""
        if self._seconds and self._timer is None:
            self._active_at = self._loop.time()
            self._timer = self._loop.call_later(self._seconds / _LOOKS, self._look)

    def stop(self) -> None:
        """The connections are gone."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        links = list(self._links())
        untaken = sum(link.untaken for link in links)
        if untaken < self._untaken:
            self.see_activity()
        self._untaken = untaken
        rest = self._active_at + self._seconds - self._loop.time()
        self._timer = None
        if rest <= 0:
            is_stalled = any(link.stalled_since is not None for link in links)
            what = "nothing was taken of what was sent" if is_stalled else "nothing was heard"
            self._time_out(f"{what} for {self._seconds:g} s (network_timeout)")
        else:
            self._timer = self._loop.call_later(min(rest, self._seconds / _LOOKS), self._look)
