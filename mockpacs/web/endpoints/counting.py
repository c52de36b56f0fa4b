"""Counting exchanges, and waiting until enough of them came: without a thread, and never on a stale count."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from mockpacs.control.desk import Desk
from mockpacs.traffic.exchange import Exchange
from mockpacs.web.asked import Asked
from mockpacs.web.chosen import Chosen
from mockpacs.web.crowd import WAITING
from mockpacs.web.errors import ApiError
from mockpacs.web.gone import gone
from mockpacs.web.json_response import JsonResponse
from mockpacs.web.lookup import MOST, brief
from mockpacs.web.parameters import COUNT, FILTER
from mockpacs.web.pulse import Pulse
from mockpacs.web.route import Answer, Parameter, Route

LONGEST_SECONDS: Final = 600.0
_USUAL_SECONDS: Final = 10.0


async def count_exchanges(desk: Desk, request: Request) -> Response:
    """How many exchanges that are kept match: all whose final response was sent when the request came are counted."""
    chosen = Chosen(desk, Asked(request, "filter").text("filter"))
    await desk.settled()
    records = desk.journal.numbered()
    count = len(await chosen.counted(records))
    answer: dict[str, Any] = {"count": count, "dropped": desk.journal.dropped[0]}
    if not count and (remark := await asyncio.to_thread(desk.journal.legs_that_match, chosen.filter, "leg:*")):
        answer["remark"] = remark
    return JsonResponse(answer)


async def wait_for_exchanges(desk: Desk, request: Request) -> Response:
    """Answer when so many exchanges match; those that are kept already count."""
    asked = Asked(request, "filter", "count", "timeout")
    chosen = Chosen(desk, asked.text("filter"))
    count = asked.least("count", 1, MOST)
    seconds = asked.seconds("timeout", _USUAL_SECONDS, LONGEST_SECONDS)
    with WAITING.place(desk), Pulse(desk.journal) as pulse:
        async with gone(request, pulse.ring) as is_gone:
            waiting = _Waiting(desk, chosen, count)
            until = asyncio.get_running_loop().time() + seconds
            while not await waiting.look() and not is_gone():
                left = until - asyncio.get_running_loop().time()
                if left <= 0 or not await pulse.next(left):
                    break
            if is_gone():
                raise ApiError(503, "stopping", "The server stops.")
            await waiting.look()  # what a peer can have seen by now counts too
    if len(waiting.found) < count:
        text = await asyncio.to_thread(_what_came, desk, chosen, waiting, seconds)
        raise ApiError(408, "timeout", text, count=len(waiting.found))
    return JsonResponse(waiting.answer())


class _Waiting:
    """What was found so far."""

    def __init__(self, desk: Desk, chosen: Chosen, count: int) -> None:
        self._desk = desk
        self._chosen = chosen
        self.count = count
        self.mark = 0
        self.found: list[tuple[int, Exchange]] = []

    async def look(self) -> bool:
        """Look at what is new; whether there are enough."""
        await self._desk.settled()
        new = self._desk.journal.numbered(self.mark)
        if new:
            self.mark = new[-1][0]
        self.found += await self._chosen.counted(new)
        return len(self.found) >= self.count

    def answer(self) -> dict[str, Any]:
        """All that match, and from where on others are looked for."""
        return {
            "count": len(self.found),
            "exchanges": [brief(exchange, mark) for mark, exchange in self.found[:MOST]],
            "mark": self.mark,
        }


def _what_came(desk: Desk, chosen: Chosen, waiting: _Waiting, seconds: float) -> str:
    """What to say when time is up, as `mockpacs.control.verification` says it."""
    from mockpacs.traffic.shortfall import exchanges_that

    found = [exchange for _, exchange in waiting.found]
    headline = f"Waited {seconds:g} s for {exchanges_that(chosen.filter, waiting.count)}; {len(found)} came."
    return f"{headline}\n{desk.journal.what_came(chosen.filter, found, legs_by='leg:*')}"


ROUTES: Final = (
    Route(
        "GET",
        "/count",
        count_exchanges,
        "How many of the exchanges that are kept match.",
        (FILTER,),
        answers=(
            Answer(
                200,
                "`count`, and how many older ones were `dropped` and not counted; where it is 0 although "
                "sub-operations of mockpacs itself match, a `remark` that says so.",
            ),
        ),
    ),
    Route(
        "GET",
        "/wait",
        wait_for_exchanges,
        "Answers when enough exchanges match; those that were there before count too.",
        (
            FILTER,
            COUNT,
            Parameter("timeout", f"How long at most: `5`, `500ms`; {_USUAL_SECONDS:g} seconds unless said."),
        ),
        answers=(
            Answer(200, "The `exchanges` that match."),
            Answer(408, "Code `timeout`: what came instead, the nearest first."),
        ),
    ),
)
