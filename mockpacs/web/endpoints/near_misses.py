"""Why did it not match? Rules that never fired with what came closest, and all rules beside one exchange."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from mockpacs.control.desk import Desk
from mockpacs.web.asked import Asked
from mockpacs.web.json_response import JsonResponse
from mockpacs.web.loading import rules_of
from mockpacs.web.lookup import found
from mockpacs.web.route import Answer, Parameter, Route

if TYPE_CHECKING:
    from mockpacs.control.rules import Rules
    from mockpacs.scenario.verdict import Verdict
    from mockpacs.traffic.exchange import Exchange


async def near_misses(desk: Desk, request: Request) -> Response:
    """Of each rule that never fired, what came nearest; with ``exchange``, what kept each rule from that one."""
    asked = Asked(request, "exchange")
    exchange = await found(desk, asked.text("exchange")) if asked.is_given("exchange") else None
    await desk.settled()
    rules = await rules_of(desk)
    if exchange is not None:
        answer = await asyncio.to_thread(_beside, rules, exchange)
    else:
        answer = await asyncio.to_thread(_never_fired, rules)
    if "text/plain" in request.headers.get("accept", ""):
        return PlainTextResponse(answer["text"] + "\n")
    return JsonResponse(answer)


def _never_fired(rules: Rules) -> dict[str, Any]:
    from mockpacs.scenario.near import closest

    tallies = [tally for tally in rules.tally() if not tally.fired]
    texts = [f'"{tally.name}" ({tally.place}) never fired\n{closest(tally)}' for tally in tallies]
    return {
        "rules": [
            {
                "name": tally.name,
                "place": tally.place,
                "held": tally.held,
                "closest": tally.closest and _verdict(tally.closest),
                "text": closest(tally),
            }
            for tally in tallies
        ],
        "text": "\n\n".join(texts) or ("every rule fired" if len(rules) else "there are no rules"),
    }


def _beside(rules: Rules, exchange: Exchange) -> dict[str, Any]:
    from mockpacs.scenario.near import render

    if exchange.asked_by_us:
        text = f"mockpacs asked {exchange.id} itself: no rule is asked what to answer"
        return {"exchange": exchange.id, "rules": [], "text": text}
    verdicts = rules.explain(exchange)
    return {"exchange": exchange.id, "rules": [_verdict(verdict) for verdict in verdicts], "text": render(verdicts)}


def _verdict(verdict: Verdict) -> dict[str, Any]:
    subject = verdict.subject
    return {
        "name": verdict.name,
        "place": verdict.place,
        "fires": verdict.fires,
        "met": verdict.met,
        "conditions": [
            {
                "condition": list(line.path),
                "expected": line.expected,
                "received": line.received,
                "holds": line.holds,
                **({"hint": line.hint} if line.hint else {}),
            }
            for line in verdict.lines
        ],
        **({"reason": verdict.reason} if verdict.reason else {}),
        "about": {
            "kind": subject.kind,
            "association": subject.association,
            "exchange": subject.exchange,
            "calling": subject.calling,
            "peer": subject.peer,
        },
    }


ROUTES: Final = (
    Route(
        "GET",
        "/near-misses",
        near_misses,
        "Rules that never fired, each with what came closest; or all rules beside one exchange.\n"
        "With Accept: text/plain only the text for people.",
        (Parameter("exchange", "What would fire for this exchange now, and why the other rules would not: `2.1`."),),
        answers=(Answer(200, "`rules`, the conditions of each beside what came, and all of it as `text`."),),
    ),
)
