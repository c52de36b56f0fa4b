"""How many clients may do something at the same time: one too many is told so, instead of making all of them slow."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Final
from weakref import WeakKeyDictionary

from mockpacs.control.desk import Desk
from mockpacs.web.errors import ApiError


class Crowd:
    """Counts for each server by itself; in its event loop."""

    def __init__(self, most: int, what: str) -> None:
        """``what``: what they do, in the plural: "waiting requests"."""
        self.most = most
        self._what = what
        self._there: WeakKeyDictionary[Desk, int] = WeakKeyDictionary()

    def there(self, desk: Desk) -> int:
        """How many there are."""
        return self._there.get(desk, 0)

    def refuse_more(self, desk: Desk) -> None:
        """Raises `ApiError` when there is no place left."""
        if self.there(desk) >= self.most:
            raise ApiError(
                503, "too-many", f"There are {self.most} {self._what} already; try again when one of them has ended."
            )

    @contextlib.contextmanager
    def place(self, desk: Desk) -> Iterator[None]:
        """Take a place for the time of the block. Raises `ApiError` when there is none left."""
        self.refuse_more(desk)
        self._there[desk] = self.there(desk) + 1
        try:
            yield
        finally:
            self._there[desk] -= 1


WAITING: Final = Crowd(64, "waiting requests")
LISTENING: Final = Crowd(32, "streams of events")
READING: Final = Crowd(16, "downloads and uploads")
