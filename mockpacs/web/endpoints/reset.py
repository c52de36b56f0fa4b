"""Everything, or a part of it, as it was at the start: one test must not meet what another one left behind."""

from __future__ import annotations

import asyncio
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from mockpacs.control.desk import Desk
from mockpacs.web.asked import Asked
from mockpacs.web.json_response import JsonResponse
from mockpacs.web.route import Answer, Parameter, Route


async def reset(desk: Desk, request: Request) -> Response:
    """Put back what is named: rules, state, journal, archive, peers; an archive on disk only when it is named."""
    asked = Asked(request, "what")
    what = [word.strip() for word in asked.text("what").split(",") if word.strip()]
    await desk.settled()  # what a peer has seen goes with the journal, it does not turn up in the next one
    return JsonResponse({"reset": await asyncio.to_thread(desk.reset, *what)})


ROUTES: Final = (
    Route(
        "POST",
        "/reset",
        reset,
        "Puts back how it was at the start: rules, state, journal, archive, peers.\n"
        "Without `what` all of them, but an archive on disk only when it is named.",
        (Parameter("what", "One or several of rules, state, journal, archive, peers: `rules,state`."),),
        answers=(Answer(200, "What was `reset`."),),
    ),
)
