"""The timers of one association: ARTIM (PS3.8 9.1.5), silence, a peer that takes nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, Protocol

from mockpacs.net.environment import Limits
from mockpacs.net.link import Link
from mockpacs.wire import UpperLayer

_WHILE_BUSY_SECONDS: Final = 1.0
_NEVER_SECONDS: Final = 3600.0
_LOOKS: Final = 8
"""How often, in the network time, it is looked whether a peer that seems deaf took something."""


class Host(Protocol):
    """The association that is watched."""

    def artim_ran_out(self) -> None:
        """The peer did not ask for an association, or did not close, in time."""

    def time_out(self, why: str) -> None:
        """Abort: nothing was heard for the network time, or nothing taken."""


class Watch:
    """One timer. A timer that comes too early is left alone: it looks, and is set again; so receiving costs nothing."""

    def __init__(self, limits: Limits, link: Link, upper: UpperLayer, is_busy: Callable[[], bool], host: Host) -> None:
        """``is_busy`` says whether the peer waits for us, so that its silence means nothing."""
        self._loop = asyncio.get_running_loop()
        self._limits = limits
        self._link = link
        self._upper = upper
        self._is_busy = is_busy
        self._host = host
        self._active_at = self._artim_started_at = self._loop.time()
        self._artim_starts = 0
        self._untaken = 0
        self._taken_at = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._is_suspended = False

    def see_activity(self) -> None:
        """Something was heard or said."""
        self._active_at = self._loop.time()

    def see_artim(self) -> None:
        """The upper layer may have started ARTIM."""
        if self._upper.artim_starts != self._artim_starts:
            self._artim_starts = self._upper.artim_starts
            self._artim_started_at = self._loop.time()
            self.start()

    def start(self) -> None:
        """Look when something may have run out, no later."""
        if self._is_suspended:
            return
        deadline = self._deadline()
        if self._limits.network_seconds and (self._link.stalled_since is not None or self._untaken):
            deadline = min(deadline, self._loop.time() + self._limits.network_seconds / _LOOKS)
        if self._timer is not None:
            if self._timer.when() <= deadline:
                return
            self._timer.cancel()
        self._timer = self._loop.call_at(deadline, self._look)

    def suspend(self) -> None:
        """Nothing runs out until `resume`: a scenario wants to see who loses patience first."""
        self._is_suspended = True
        self.stop()

    def resume(self) -> None:
        """Time counts again, from now."""
        self._is_suspended = False
        self._active_at = self._artim_started_at = self._loop.time()
        self.start()

    def stop(self) -> None:
        """The connection is gone."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _deadline(self) -> float:
        seconds = self._limits.network_seconds
        if self._upper.artim_running:
            return self._artim_started_at + self._limits.artim_seconds
        if not seconds:
            return self._loop.time() + _NEVER_SECONDS
        if self._link.stalled_since is not None:
            return max(self._link.stalled_since, self._taken_at) + seconds
        if self._is_busy() or not self._link.is_reading:  # it is we who are silent, or deaf
            return self._loop.time() + _WHILE_BUSY_SECONDS
        return max(self._active_at, self._taken_at) + seconds

    def _look(self) -> None:
        self._timer = None
        self._see_what_is_taken()
        if self._deadline() > self._loop.time():
            self.start()
        elif not self._link.is_open:
            self._link.reset()  # it is being closed, and the peer does not take the rest
        elif self._upper.artim_running:
            self._host.artim_ran_out()
        elif self._link.stalled_since is not None:
            self._host.time_out(f"the peer takes nothing of what we send {self._for_how_long}")
            self._link.reset()  # an A-ABORT would wait behind all that the peer does not take
        else:
            self._host.time_out(f"nothing was heard {self._for_how_long}")

    @property
    def _for_how_long(self) -> str:
        return f"for {self._limits.network_seconds:g} s (network_timeout)"

    def _see_what_is_taken(self) -> None:
        """A slow peer is not a deaf one, nor a silent one: whatever it took since the last look counts."""
        untaken = self._link.untaken
        if untaken < self._untaken:
            self._taken_at = self._loop.time()
        self._untaken = untaken
