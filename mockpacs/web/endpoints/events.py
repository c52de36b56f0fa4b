"""Server-sent events: exchanges and notices as they happen. The journal is the queue of every client.

Who reads slowly holds no more than one piece of it; what had to leave the journal meanwhile is counted and told.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final
from weakref import WeakKeyDictionary

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from mockpacs.control.desk import Desk
from mockpacs.traffic.exchange import Exchange
from mockpacs.traffic.render import as_json
from mockpacs.web.asked import Asked
from mockpacs.web.chosen import Chosen, Numbered
from mockpacs.web.crowd import LISTENING
from mockpacs.web.errors import ApiError
from mockpacs.web.gone import gone
from mockpacs.web.json_response import json_text
from mockpacs.web.lookup import brief
from mockpacs.web.parameters import FILTER, whole
from mockpacs.web.pulse import Pulse
from mockpacs.web.route import Answer, Parameter, Route
from mockpacs.web.streaming import patient

EVENTS: Final = "text/event-stream"
HEARTBEAT_SECONDS: Final = 15.0
AT_ONCE: Final = 500
"""Records that a client is sent in one piece."""
PAUSE_SECONDS: Final = 0.05
"""Between two pieces: what comes meanwhile is sent together, so that a busy server is not slowed by who listens."""
TEXTS_KEPT: Final = 2000
"""Texts of events, so that each is made once however many listen: making one takes as long as a tenth of a C-STORE."""
_HEAD: Final = "retry: 1000\n: mockpacs, after mark {mark}\n\n"


async def events(desk: Desk, request: Request) -> Response:
    """What comes from now on; with ``after``, or Last-Event-ID, from there on."""
    asked = Asked(request, "filter", "after")
    chosen = Chosen(desk, asked.text("filter"))
    LISTENING.refuse_more(desk)
    return _Stream(desk, request, chosen, _begin(desk, request, asked))


def _begin(desk: Desk, request: Request, asked: Asked) -> int:
    """The mark to go on from. One that this server has not reached is from before it was started: all is new."""
    written = request.headers.get("last-event-id", "").strip()
    if not written:
        if not asked.is_given("after"):
            return desk.journal.mark
        mark = asked.whole("after", 0, 0, 2**62)
    elif written.isascii() and written.isdigit() and len(written) < 20:
        mark = int(written)
    else:
        raise ApiError(400, "bad-parameter", "Last-Event-ID is the id of an event of this stream, a number.")
    return mark if mark <= desk.journal.mark else 0


class _Stream(Response):
    """One client that listens."""

    media_type = EVENTS

    def __init__(self, desk: Desk, request: Request, chosen: Chosen, mark: int) -> None:
        super().__init__(headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._desk = desk
        self._request = request
        self._chosen = chosen
        self._mark = mark
        self._texts = _TEXTS.setdefault(desk, _Texts())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send until the client goes, does not read any more, or the door closes."""
        send = patient(send)
        with LISTENING.place(self._desk), Pulse(self._desk.journal) as pulse:
            async with gone(self._request, pulse.ring) as is_gone:
                await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
                text = _HEAD.format(mark=self._mark)
                while not is_gone():
                    if text:
                        body = text.encode("ascii")
                        await send({"type": "http.response.body", "body": body, "more_body": True})
                    text = await self._next(pulse)
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _next(self, pulse: Pulse) -> str:
        """What is new, or a sign of life after a while without."""
        await asyncio.sleep(PAUSE_SECONDS)
        new = self._desk.journal.numbered(self._mark)[:AT_ONCE]
        if not new:
            return "" if await pulse.next(HEARTBEAT_SECONDS) else ": here\n\n"
        last = new[-1][0]
        lost = last - self._mark - len(new)
        self._mark = last
        parts = [_event(last, "dropped", {"count": lost})] if lost else []
        parts += [self._texts.of(one) for one in await self._chosen.of(new)]
        return "".join(parts)


class _Texts:
    """The events of the last records of one server."""

    def __init__(self) -> None:
        self._made: dict[int, str] = {}

    def of(self, numbered: Numbered) -> str:
        """The event of a record; those that were made long ago are forgotten."""
        made = self._made
        text = made.get(numbered[0])
        if text is None:
            if len(made) >= TEXTS_KEPT:
                for mark in list(made)[: TEXTS_KEPT // 2]:
                    del made[mark]
            text = made[numbered[0]] = _told(numbered)
        return text


_TEXTS: Final[WeakKeyDictionary[Desk, _Texts]] = WeakKeyDictionary()


def _told(numbered: Numbered) -> str:
    mark, record = numbered
    if isinstance(record, Exchange):
        return _event(mark, "exchange", brief(record, mark))
    return _event(mark, "notice", {"mark": mark, **as_json(record)})


def _event(mark: int, name: str, value: Any) -> str:
    return f"id: {mark}\nevent: {name}\ndata: {json_text(value)}\n\n"


ROUTES: Final = (
    Route(
        "GET",
        "/events",
        events,
        "Server-sent events: exchanges and notices as they happen.\n"
        "Events are called exchange, notice and dropped: that one says how many records were lost to a slow reader.",
        (
            FILTER,
            Parameter("after", "The mark to begin behind; now unless said.", whole(0)),
            Parameter("Last-Event-ID", "The id of the last event that was read: to go on there.", place="header"),
        ),
        answers=(Answer(200, "A stream without end.", EVENTS),),
        streams=True,
    ),
)
