"""The records a request wants of the journal. Filters that ask for attributes read the recording, beside the loop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from mockpacs.control.desk import Desk
from mockpacs.traffic.exchange import Exchange, Record
from mockpacs.traffic.filter import Filter
from mockpacs.traffic.selection import values_of
from mockpacs.web.errors import ApiError

Numbered = tuple[int, Record]
"""A record and the mark behind it."""

_FEW: Final = 200
"""Records that are looked at in the loop itself: it takes a millisecond."""


class Chosen:
    """A filter as a request has it; without one, everything.

    A filter chooses among what peers asked; what we asked ourselves is wanted when it has the key ``leg``.
    """

    def __init__(self, desk: Desk, text: str) -> None:
        """Raises `FilterError` for a filter that cannot be understood, `ApiError` for one that cannot be answered."""
        self.filter = Filter.parse(text, day_of=time.time())
        self._is_all = not text.strip()
        self._with_legs = self.filter.asks_for_legs
        if self.reads and desk.recording is None:
            raise ApiError(
                409,
                "not-recorded",
                "This filter asks for attributes of data sets, which are read from the recording, and this server "
                "does not record; with --memory it needs --recordings FOLDER.",
            )

    @property
    def reads(self) -> bool:
        """Whether data sets are looked at."""
        return bool(self.filter.tags)

    def wants(self, record: Record) -> bool:
        """Whether a record is one of them. May read the recording, and raise RecordingError: see `reads`."""
        if self._is_all:
            return True
        if isinstance(record, Exchange):
            return (self._with_legs or not record.asked_by_us) and self.filter.matches(record, _values)
        return self.filter.matches_notice(record)

    def exchanges(self, records: Iterable[Numbered]) -> Iterator[tuple[int, Exchange]]:
        """The wanted exchanges among some records, one after the other; as `wants`."""
        return ((mark, one) for mark, one in records if isinstance(one, Exchange) and self.wants(one))

    async def counted(self, records: Sequence[Numbered]) -> list[tuple[int, Exchange]]:
        """The wanted exchanges among some records; without a filter those that peers asked."""
        found = await self.of(records)
        return [
            (mark, one) for mark, one in found if isinstance(one, Exchange) and (self._with_legs or not one.asked_by_us)
        ]

    async def of(self, records: Sequence[Numbered]) -> list[Numbered]:
        """The wanted ones among some records."""
        if self._is_all:
            return list(records)
        if self.reads or len(records) > _FEW:
            return await asyncio.to_thread(lambda: [one for one in records if self.wants(one[1])])
        return [one for one in records if self.wants(one[1])]


def _values(exchange: Exchange, tag: int) -> Sequence[str] | None:
    return values_of(exchange, tag) if exchange.place else None
