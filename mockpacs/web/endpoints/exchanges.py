"""Exchanges: those of the journal as a list to page through and to poll, and one in full with its command sets."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from mockpacs.control.desk import Desk
from mockpacs.traffic.dump.detail import Wanted
from mockpacs.traffic.dump.detail_json import exchange_json
from mockpacs.traffic.dump.dicom_json import command_json
from mockpacs.traffic.dump.naming import message_name
from mockpacs.traffic.exchange import Exchange
from mockpacs.traffic.recording.detail import read_exchange
from mockpacs.web.asked import Asked
from mockpacs.web.chosen import Chosen
from mockpacs.web.crowd import READING
from mockpacs.web.json_response import JsonResponse
from mockpacs.web.lookup import MOST, MOST_READ, brief, found, is_large, refuse_future
from mockpacs.web.parameters import FILTER, ID, YES_NO, whole
from mockpacs.web.route import Answer, Parameter, Route

_USUAL: Final = 100


async def list_exchanges(desk: Desk, request: Request) -> Response:
    """The last ones, or with ``after`` those after a mark; the newest last."""
    asked = Asked(request, "filter", "limit", "after")
    chosen = Chosen(desk, asked.text("filter"))
    limit = asked.whole("limit", _USUAL, 1, MOST)
    await desk.settled()
    if not asked.is_given("after"):
        return JsonResponse(await asyncio.to_thread(lambda: _last(desk, chosen, limit)))
    after = asked.whole("after", 0, 0, 2**62)
    refuse_future(desk, after)
    return JsonResponse(await asyncio.to_thread(lambda: _page(desk, chosen, after, limit)))


async def one_exchange(desk: Desk, request: Request) -> Response:
    """One exchange with the command sets of its messages; with their data sets and its PDUs when they are asked for."""
    asked = Asked(request, "datasets", "pdus")
    wanted = Wanted(datasets=asked.flag("datasets"), pdus=asked.flag("pdus"))
    exchange = await found(desk, request.path_params["id"])
    with READING.place(desk):
        return JsonResponse(await asyncio.to_thread(lambda: _in_full(exchange, wanted)))


def _last(desk: Desk, chosen: Chosen, limit: int) -> dict[str, Any]:
    mark = desk.journal.mark
    records = desk.journal.numbered()
    mark = max(mark, records[-1][0] if records else 0)
    last: list[tuple[int, Exchange]] = []
    more = False
    for one in chosen.exchanges(reversed(records)):
        if len(last) == limit:
            more = True
            break
        last.append(one)
    return _listed(desk, last[::-1], mark, more=more)


def _page(desk: Desk, chosen: Chosen, after: int, limit: int) -> dict[str, Any]:
    now = desk.journal.mark
    records = desk.journal.numbered(after)
    mark = last = records[-1][0] if records else now
    page: list[tuple[int, Exchange]] = []
    more = False
    for one in chosen.exchanges(records):
        if len(page) == limit:
            more, mark = True, page[-1][0]
            break
        page.append(one)
    return _listed(desk, page, mark, more=more) | {"missed": last - after - len(records)}


def _listed(desk: Desk, chosen: list[tuple[int, Exchange]], mark: int, *, more: bool) -> dict[str, Any]:
    return {
        "exchanges": [brief(exchange, number) for number, exchange in chosen],
        "mark": mark,
        "more": more,
        "dropped": desk.journal.dropped[0],
    }


def _in_full(exchange: Exchange, wanted: Wanted) -> dict[str, Any]:
    remark = ""
    if exchange.place is None:
        remark = "It was not recorded: of the responses no more than their status is known."
    elif is_large(exchange):
        remark = f"It has more than {MOST_READ} bytes, and is not read: see its dataset, or mockpacs show."
    if not remark:
        _, messages, pdus = read_exchange(exchange)
        return {"id": exchange.id} | exchange_json(exchange, messages, pdus, wanted)
    command = exchange.command
    messages_known = [{"message": message_name(command.field), "command": command_json(command)}] if command else []
    return brief(exchange) | {"messages": messages_known, "remark": remark}


ROUTES: Final = (
    Route(
        "GET",
        "/exchanges",
        list_exchanges,
        "The exchanges that are kept in memory, the newest last; with `after` those after a mark, the oldest first.",
        (
            FILTER,
            Parameter("limit", f"How many at most; {_USUAL} unless said.", whole(1, MOST)),
            Parameter("after", "The `mark` of an earlier answer: only what came since.", whole(0)),
        ),
        answers=(Answer(200, "`exchanges`, the `mark` to go on from, if there are `more`, how many were `dropped`."),),
    ),
    Route(
        "GET",
        "/exchanges/{id}",
        one_exchange,
        "One exchange with the command sets of its messages.",
        (
            ID,
            Parameter("datasets", "With the data sets of the messages, in DICOM JSON.", YES_NO),
            Parameter("pdus", "With its PDUs.", YES_NO),
        ),
        answers=(Answer(200, "The exchange, with `messages` in the order in which they were sent."),),
    ),
)
