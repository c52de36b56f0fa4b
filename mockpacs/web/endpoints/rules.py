"""Rules: what is played, added on top, replaced, taken away. Every change is one step between two exchanges."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from starlette.requests import Request
from starlette.responses import Response

from mockpacs.control.desk import Desk
from mockpacs.web.asked import Asked
from mockpacs.web.errors import ApiError
from mockpacs.web.json_response import JsonResponse
from mockpacs.web.loading import rules_of
from mockpacs.web.route import YAML, Answer, Parameter, Route
from mockpacs.web.rule_text import RULE, RULES, rule_text, told, wants_yaml
from mockpacs.written.kinds import nearest, quoted

if TYPE_CHECKING:
    from mockpacs.control.active import ActiveRule
    from mockpacs.control.rules import Rules

LONGEST_SECONDS: Final = 7 * 24 * 3600.0
"""A rule that lives longer has no time to live."""


async def list_rules(desk: Desk, request: Request) -> Response:
    """All rules, the topmost first, with how often each fired; as YAML a scenario that can be loaded."""
    Asked(request)
    await desk.settled()
    rules = await rules_of(desk)
    if wants_yaml(request):
        return Response(await asyncio.to_thread(str, rules), media_type=YAML)
    return JsonResponse(await asyncio.to_thread(_all, rules))


async def add_rules(desk: Desk, request: Request) -> Response:
    """More rules above all others, the first topmost; all of them or, when one is wrong, none."""
    asked = Asked(request, "ttl", "name")
    seconds = _ttl(asked)
    text = await rule_text(request)
    rules = await rules_of(desk)
    name = asked.text("name") or "request"
    added = await asyncio.to_thread(rules.add_text, text, name, seconds=seconds)
    return JsonResponse({"rules": await asyncio.to_thread(_told, added)}, 201)


async def play_rules(desk: Desk, request: Request) -> Response:
    """Play something else instead of everything there is: rules, states, expectations, counted from the start."""
    asked = Asked(request, "name")
    text = await rule_text(request)
    rules = await rules_of(desk)
    await asyncio.to_thread(rules.play_text, text, asked.text("name") or "request")
    return JsonResponse(await asyncio.to_thread(_all, rules))


async def clear_rules(desk: Desk, request: Request) -> Response:
    """Take all rules away; the server behaves by the standard."""
    Asked(request)
    rules = await rules_of(desk)
    return JsonResponse({"removed": await asyncio.to_thread(rules.clear)})


async def one_rule(desk: Desk, request: Request) -> Response:
    """One rule with how often it fired."""
    Asked(request)
    await desk.settled()
    rules = await rules_of(desk)
    rule = _found(rules, request.path_params["name"])
    if wants_yaml(request):
        return Response(await asyncio.to_thread(str, rule), media_type=YAML)
    return JsonResponse(await asyncio.to_thread(told, rule))


async def replace_rule(desk: Desk, request: Request) -> Response:
    """Another rule in the place and under the name of one, counted from the start."""
    asked = Asked(request, "ttl")
    name, seconds, text = request.path_params["name"], _ttl(asked), await rule_text(request)
    rules = await rules_of(desk)
    try:
        rule = await asyncio.to_thread(rules.replace, name, text, seconds=seconds)
    except KeyError as error:
        raise _unknown(rules, name) from error
    return JsonResponse(await asyncio.to_thread(told, rule))


async def remove_rule(desk: Desk, request: Request) -> Response:
    """Take a rule away."""
    Asked(request)
    name = request.path_params["name"]
    rules = await rules_of(desk)
    if not await asyncio.to_thread(rules.remove, name):
        raise _unknown(rules, name)
    return JsonResponse({"removed": 1})


def _ttl(asked: Asked) -> float | None:
    if not asked.is_given("ttl"):
        return None
    seconds = asked.seconds("ttl", 0.0, LONGEST_SECONDS)
    if not seconds:
        raise ApiError(400, "bad-parameter", "ttl: a time to live is above 0, such as 30s.")
    return seconds


def _found(rules: Rules, name: str) -> ActiveRule:
    rule = rules.find(name)
    if rule is None:
        raise _unknown(rules, name)
    return rule


def _unknown(rules: Rules, name: str) -> ApiError:
    names = [rule.name for rule in rules]
    return ApiError(404, "no-such-rule", f"There is no rule {quoted(name)}{nearest(name, names) or '.'}")


def _told(rules: list[ActiveRule]) -> list[dict[str, Any]]:
    return [told(rule) for rule in rules]


def _all(rules: Rules) -> dict[str, Any]:
    return {"rules": _told(list(rules)), "seed": rules.seed, "scenarios": [name for name in rules.names if name]}


_TTL: Final = Parameter("ttl", "How long it stays: `30s`, `500ms`; for good unless said.")
_NAME: Final = Parameter("name", "What stands for the file name where a place is told: `flaky.yaml`.")
_RULE_NAME: Final = Parameter("name", "The name of the rule; slashes in it may stay as they are.", place="path")
_WRONG: Final = Answer(422, "Code `bad-rule`: what is wrong, a line each with its place; nothing was changed.")
_LISTED: Final = "The `rules`, the topmost first, each with `name`, `place`, how often it `fired` and `seconds_left`."

ROUTES: Final = (
    Route(
        "GET",
        "/rules",
        list_rules,
        "All rules, the topmost first; with Accept: application/yaml as a scenario.",
        answers=(Answer(200, _LISTED),),
    ),
    Route(
        "POST",
        "/rules",
        add_rules,
        "Adds rules above all others, the first topmost: all of them or, when one is wrong, none.",
        (_TTL, _NAME),
        RULES,
        (Answer(201, "The `rules` that were added, each with the name it has now."), _WRONG),
    ),
    Route(
        "PUT",
        "/rules",
        play_rules,
        "Plays something else instead of everything there is: rules, states, expectations, counted from the start.",
        (_NAME,),
        RULES,
        (Answer(200, _LISTED), _WRONG),
    ),
    Route(
        "DELETE",
        "/rules",
        clear_rules,
        "Takes all rules away, those of scenarios too; POST /reset brings those back.",
        answers=(Answer(200, "How many were `removed`."),),
    ),
    Route("GET", "/rules/{name:path}", one_rule, "One rule.", (_RULE_NAME,), answers=(Answer(200, "The rule."),)),
    Route(
        "PUT",
        "/rules/{name:path}",
        replace_rule,
        "Another rule in the place and under the name of one, counted from the start.",
        (_RULE_NAME, _TTL),
        RULE,
        (Answer(200, "The rule as it is now."), Answer(404, "Code `no-such-rule`."), _WRONG),
    ),
    Route(
        "DELETE",
        "/rules/{name:path}",
        remove_rule,
        "Takes a rule away.",
        (_RULE_NAME,),
        answers=(Answer(200, "`removed` is 1."), Answer(404, "Code `no-such-rule`.")),
    ),
)
