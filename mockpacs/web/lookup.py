"""Exchanges of the journal by their name, and what is said of one in lists."""

from __future__ import annotations

import re
from itertools import chain
from typing import Any, Final

from mockpacs.control.desk import Desk
from mockpacs.traffic.exchange import Exchange
from mockpacs.traffic.render import as_json
from mockpacs.web.errors import ApiError
from mockpacs.wire.text import printable

MOST: Final = 10_000
"""Exchanges in one answer."""
MOST_READ: Final = 64 << 20
"""Bytes of a recording within which an exchange is read into memory as a whole."""
_ID: Final = re.compile(r"([0-9]{1,9})\.([0-9]{1,9})")


async def found(desk: Desk, written: str) -> Exchange:
    """The exchange called ``2.1`` in the journal. Raises `ApiError` when there is none."""
    named = _ID.fullmatch(written)
    await desk.settled()
    if named:
        number, exchange_number = int(named[1]), int(named[2])
        for exchange in chain(reversed(desk.journal.exchanges), reversed(desk.journal.legs)):
            if exchange.number == exchange_number and exchange.association.number == number:
                return exchange
    dropped = desk.journal.dropped[0]
    gone = f"; {dropped} older ones are not kept in memory any more" if dropped else ""
    form = "" if named else ": the first exchange of the second association is 2.1"
    raise ApiError(404, "no-such-exchange", f"There is no exchange {printable(written, 40)}{form}{gone}.")


def brief(exchange: Exchange, mark: int | None = None) -> dict[str, Any]:
    """What is said of an exchange in lists."""
    marked = {} if mark is None else {"mark": mark}
    return {"id": exchange.id, **marked, **as_json(exchange)}


def refuse_future(desk: Desk, mark: int) -> None:
    """Raises `ApiError` for a mark that another run of the server gave."""
    if mark > desk.journal.mark:
        raise ApiError(
            409,
            "unknown-mark",
            f"The mark {mark} was not reached yet: this server was started after it was given; begin with after=0.",
        )


def is_large(exchange: Exchange) -> bool:
    """Whether it has too many bytes to be read into memory as a whole."""
    place = exchange.place
    if place is None or place.last is None:
        return place is not None and place.end - place.offset > MOST_READ
    return exchange.size > MOST_READ or place.end > MOST_READ
