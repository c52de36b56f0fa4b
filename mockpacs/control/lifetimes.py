"""How long rules stay: what was given a time is ended when that is over. Lives in the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from mockpacs.errors import ConfigurationError
from mockpacs.written.kinds import quoted


class Lifetimes:
    """The times of the rules that do not stay for good, by name."""

    def __init__(self, end: Callable[[str], object]) -> None:
        """``end`` is called with the name of a rule whose time is over."""
        self._end = end
        self._timers: dict[str, asyncio.TimerHandle] = {}

    def begin(self, name: str, seconds: float | None) -> None:
        """From now on; None for good. The time it had before does not count any more."""
        self.forget(name)
        if seconds is not None:
            self._timers[name] = asyncio.get_running_loop().call_later(seconds, self._over, name)

    def left(self, name: str) -> float | None:
        """Seconds, None for a rule that stays."""
        timer = self._timers.get(name)
        return None if timer is None else max(0.0, timer.when() - asyncio.get_running_loop().time())

    def forget(self, name: str) -> None:
        """It is gone, or stays."""
        if (timer := self._timers.pop(name, None)) is not None:
            timer.cancel()

    def clear(self) -> None:
        """All are gone."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()

    def _over(self, name: str) -> None:
        del self._timers[name]
        self._end(name)


def check_lifetime(seconds: object) -> None:
    """Before anything is changed. Raises `ConfigurationError`."""
    is_number = isinstance(seconds, int | float) and not isinstance(seconds, bool)
    if seconds is not None and not (is_number and seconds >= 0):  # type: ignore[operator]  # which NaN is not
        raise ConfigurationError(f"seconds: {quoted(seconds)} is no time that a rule can stay")
