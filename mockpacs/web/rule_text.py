"""Rules in bodies and answers: YAML, or the same grammar in JSON, which is told apart by its content type."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

from starlette.requests import Request

from mockpacs.web.asked import body_text, media_type
from mockpacs.web.errors import ApiError
from mockpacs.web.route import JSON, YAML, Body

if TYPE_CHECKING:
    from mockpacs.control.active import ActiveRule

YAML_TYPES: Final = (YAML, "application/x-yaml", "text/yaml", "text/x-yaml")
_RULE: Final = {"$ref": "#/components/schemas/Rule"}
RULE: Final = Body("A rule in JSON or YAML: {when: ..., then: ...}.", (JSON, *YAML_TYPES), _RULE)
RULES: Final = Body(
    "Rules in JSON or YAML: one rule, a list of them, or a mapping with rules.",
    (JSON, *YAML_TYPES),
    {"anyOf": [_RULE, {"type": "array", "items": _RULE}, {"type": "object", "required": ["rules"]}]},
)
_SURROGATE: Final = re.compile(r"\\u[dD][89abAB]")


async def rule_text(request: Request) -> str:
    """The body as YAML. Raises `ApiError` for JSON that is none."""
    text = await body_text(request)
    return _as_yaml(text) if media_type(request) == JSON else text


def told(rule: ActiveRule) -> dict[str, Any]:
    """A rule with what became of it. In a thread: the loop is asked how long it lives."""
    from mockpacs.scenario.wording import as_written

    lives = rule.lives
    return {
        "name": rule.name,
        "place": rule.place,
        "fired": rule.fired,
        "seconds_left": None if lives is None else round(lives, 3),
        "rule": as_written(rule.rule),
    }


def wants_yaml(request: Request) -> bool:
    """Whether the answer is to be YAML."""
    return "yaml" in request.headers.get("accept", "")


def _as_yaml(text: str) -> str:
    """JSON is YAML but for tabs between values, and for what stands for one character outside of the first 65536.

    Other text stays as it is, so that a mistake is told with the line and the column it has for who wrote it.
    """
    try:
        value = json.loads(text, parse_constant=_refuse)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise ApiError(
            400, "bad-json", f"The body is not JSON: {error.msg} at {where}. YAML is sent as {YAML}."
        ) from error
    except RecursionError:
        raise ApiError(400, "bad-json", "The body is nested too deeply.") from None
    if _SURROGATE.search(text):
        return json.dumps(value, ensure_ascii=False)
    return text.replace("\t", " ")


def _refuse(word: str) -> None:
    raise ApiError(400, "bad-json", f"The body is not JSON: {word} is no number there.")
