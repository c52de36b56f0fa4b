"""What is remembered by key: a bounded table, and what a rule counts in it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, ItemsView
from itertools import islice
from typing import Final, Generic, TypeAlias, TypeVar

Key: TypeAlias = int | str | tuple[int, int]
"""An association, a text, or an exchange as (association, number)."""

MOST: Final = 1_000_000
"""Keys of one table. A client that makes up instances for ever must not fill the memory."""

Value = TypeVar("Value")


class Keyed(Generic[Value]):
    """Values by key. Beyond `MOST` keys the oldest tenth is forgotten at once, which costs each of them the same."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._values: dict[Key, Value] = {}
        self._exchanges: dict[int, list[Key]] = {}
        self.get: Callable[[Key], Value | None] = self._values.get
        """The value of a key, None when there is none."""

    def __len__(self) -> int:
        return len(self._values)

    def items(self) -> ItemsView[Key, Value]:
        """All keys with their values, the oldest first."""
        return self._values.items()

    def put(self, key: Key, value: Value) -> None:
        """Keep a value."""
        if key not in self._values:
            if len(self._values) >= self._most:
                self._forget_oldest()
            if isinstance(key, tuple):
                self._exchanges.setdefault(key[0], []).append(key)
        self._values[key] = value

    def forget(self, association: int) -> None:
        """The association ended: its own key and those of its exchanges mean nothing any more."""
        self._values.pop(association, None)
        for key in self._exchanges.pop(association, ()):
            self._values.pop(key, None)

    def clear(self) -> None:
        """Forget everything."""
        self._values.clear()
        self._exchanges.clear()

    def _forget_oldest(self) -> None:
        for key in list(islice(self._values, max(1, self._most // 10))):
            del self._values[key]
        self._exchanges.clear()
        for key in self._values:
            if isinstance(key, tuple):
                self._exchanges.setdefault(key[0], []).append(key)


class Count:
    """How often the conditions of a rule held, and how often it fired, for one key."""

    __slots__ = ("fired", "seen")

    def __init__(self) -> None:
        self.seen = 0
        self.fired = 0


class Window:
    """The times at which something passed, as far as they lie within the last seconds."""

    __slots__ = ("_passed", "_seconds")

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._passed: deque[float] = deque()

    def count(self, now: float) -> int:
        """How many passed within the last seconds."""
        passed = self._passed
        while passed and passed[0] <= now - self._seconds:
            passed.popleft()
        return len(passed)

    def let_pass(self, now: float) -> None:
        """One more."""
        self._passed.append(now)
