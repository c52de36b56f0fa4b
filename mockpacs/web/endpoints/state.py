"""The named states of the scenarios: looked at, set, put back."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any, Final

from starlette.requests import Request
from starlette.responses import Response

from mockpacs.control.desk import Desk
from mockpacs.web.asked import Asked, body_text
from mockpacs.web.errors import ApiError
from mockpacs.web.json_response import JsonResponse
from mockpacs.web.loading import rules_of
from mockpacs.web.route import Answer, Body, Parameter, Route
from mockpacs.written.kinds import nearest, quoted

if TYPE_CHECKING:
    from mockpacs.control.rules import Rules


async def all_states(desk: Desk, request: Request) -> Response:
    """All states: the value of each key that has one of its own, under "" that of all others."""
    Asked(request)
    await desk.settled()
    rules = await rules_of(desk)
    return JsonResponse({"states": await asyncio.to_thread(rules.states)})


async def one_state(desk: Desk, request: Request) -> Response:
    """The value of one state, for a key or for all that have none of their own."""
    asked = Asked(request, "key")
    await desk.settled()
    return JsonResponse(_told(await _having(desk, request), request, asked))


async def set_state(desk: Desk, request: Request) -> Response:
    """Give a state another value, for a key or for all keys."""
    asked = Asked(request, "key")
    value = _value(await body_text(request))
    rules = await _having(desk, request)
    await asyncio.to_thread(rules.set_state, request.path_params["name"], value, _key(asked))
    return JsonResponse(_told(rules, request, asked))


async def reset_states(desk: Desk, request: Request) -> Response:
    """All states as at the start; what rules have counted stays."""
    Asked(request)
    rules = await rules_of(desk)
    await asyncio.to_thread(rules.reset_state)
    return JsonResponse({"states": await asyncio.to_thread(rules.states)})


async def _having(desk: Desk, request: Request) -> Rules:
    """The rules, when they have the state of the path. Raises `ApiError`."""
    rules, name = await rules_of(desk), request.path_params["name"]
    known = await asyncio.to_thread(rules.states)
    if name not in known:
        raise ApiError(404, "no-such-state", f"There is no state {quoted(name)}{nearest(name, known) or '.'}")
    return rules


def _key(asked: Asked) -> str | None:
    return asked.text("key") or None


def _told(rules: Rules, request: Request, asked: Asked) -> dict[str, Any]:
    name, key = request.path_params["name"], _key(asked)
    return {"name": name, "key": key, "value": rules.state(name, key)}


def _value(text: str) -> str:
    try:
        body = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ApiError(400, "bad-json", 'The body is not JSON; a value is written {"value": "down"}.') from error
    if not isinstance(body, dict) or set(body) != {"value"} or not isinstance(body["value"], str):
        raise ApiError(400, "bad-body", 'A value is a text, and written {"value": "down"}.')
    value: str = body["value"]
    return value


_NAME: Final = Parameter("name", "The name of the state.", place="path")
_KEY: Final = Parameter("key", "For which patient, AE title, ...: whatever the state is kept per; all unless said.")
_ONE: Final = Answer(200, "`name`, `key` and `value`.")
_NONE: Final = Answer(404, "Code `no-such-state`.")
_ALL: Final = Answer(200, '`states`: by name and key the values, under "" that of all other keys.')
_BODY: Final = Body(
    'The new value: {"value": "down"}.',
    schema={"type": "object", "required": ["value"], "properties": {"value": {"type": "string"}}},
)

ROUTES: Final = (
    Route("GET", "/state", all_states, "All states.", answers=(_ALL,)),
    Route("DELETE", "/state", reset_states, "Puts all states back to how they were at the start.", answers=(_ALL,)),
    Route("GET", "/state/{name:path}", one_state, "One state.", (_NAME, _KEY), answers=(_ONE, _NONE)),
    Route("PUT", "/state/{name:path}", set_state, "Gives a state another value.", (_NAME, _KEY), _BODY, (_ONE, _NONE)),
)
