"""The description of the control API for programs (OpenAPI 3.1), made from the routes that are served."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

from mockpacs.version import __version__
from mockpacs.web.route import ANYTHING, PREFIX, TEXT, Answer, Body, Route, Schema

_SCENARIO: Final = Path(__file__).parent.parent / "scenario" / "schema.json"
_DEFINED: Final = "#/$defs/"
_COMPONENT: Final = "#/components/schemas/"
_PARAMETER: Final = re.compile(r"\{(\w+)(?::\w+)?\}")
_ABOUT: Final = (
    "Steers a running mockpacs: rules, state, archive, and what happened. Rules are those of scenario files, as JSON. "
    "An error has a code for programs and a sentence for people. NOT FOR CLINICAL USE."
)
_PROBLEM: Final = {"type": "object", "properties": {"place": TEXT, "message": TEXT}, "required": ["place", "message"]}
ERROR: Final[Schema] = {
    "type": "object",
    "description": "What went wrong.",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "message"],
            "properties": {
                "code": {"type": "string", "description": "A word that stays the same."},
                "message": {"type": "string", "description": "A sentence for people."},
                "column": {"type": "integer", "description": "Where a filter is wrong, from 1."},
                "problems": {"type": "array", "items": _PROBLEM, "description": "All that is wrong with rules."},
            },
        }
    },
}


def document(routes: Sequence[Route], schemas: Mapping[str, Schema]) -> dict[str, Any]:
    """The OpenAPI document of these routes. ``schemas`` are those they refer to, beside `Error` and the scenario's."""
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        path = PREFIX + _PARAMETER.sub(r"{\1}", route.path)
        paths.setdefault(path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {"title": "mockpacs control API", "version": __version__, "description": _ABOUT},
        "servers": [{"url": "/"}],
        "security": [{}, {"token": []}],
        "paths": paths,
        "components": {
            "schemas": {"Error": ERROR, **scenario_schemas(), **schemas},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer", "description": "The http_token option."}},
        },
    }


@cache
def scenario_schemas() -> dict[str, Any]:
    """The language of scenarios, from the schema that editors use."""
    defined = json.loads(_SCENARIO.read_text(encoding="utf-8"))["$defs"]
    moved: dict[str, Any] = _moved(defined)
    return moved


def _moved(value: Any) -> Any:
    """The same with its references pointing to where OpenAPI keeps schemas."""
    if isinstance(value, dict):
        return {key: _moved(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_moved(part) for part in value]
    if isinstance(value, str) and value.startswith(_DEFINED):
        return _COMPONENT + value.removeprefix(_DEFINED)
    return value


def _operation(route: Route) -> dict[str, Any]:
    summary, _, rest = route.about.partition("\n")
    operation: dict[str, Any] = {"operationId": _operation_id(route), "summary": summary.strip()}
    if rest.strip():
        operation["description"] = rest.strip()
    if parameters := _parameters(route):
        operation["parameters"] = parameters
    if route.body is not None:
        operation["requestBody"] = _body(route.body)
    operation["responses"] = _responses(route.answers)
    return operation


def _operation_id(route: Route) -> str:
    """``get_exchanges_id_dataset``: a name that generated clients can use."""
    words = re.findall(r"\w+", _PARAMETER.sub(r"\1", route.path))
    return "_".join([route.method.lower(), *words])


def _parameters(route: Route) -> list[dict[str, Any]]:
    """Those of the path are there even when nothing is said about them."""
    described = {parameter.name: parameter for parameter in route.parameters}
    found = [
        {"name": name, "in": "path", "required": True, "schema": TEXT}
        for name in _PARAMETER.findall(route.path)
        if name not in described
    ]
    for parameter in route.parameters:
        is_in_path = parameter.name in _PARAMETER.findall(route.path)
        found.append(
            {
                "name": parameter.name,
                "in": "path" if is_in_path else parameter.place,
                "required": is_in_path or parameter.required,
                "description": parameter.about,
                "schema": dict(parameter.schema),
            }
        )
    return found


def _body(body: Body) -> dict[str, Any]:
    limit = f" At most {body.most} bytes." if body.most else ""
    return {
        "description": f"{body.about}{limit}",
        "required": body.required,
        "content": {
            media: {"schema": dict(body.schema) if _is_json(media) else {}} for media in body.types or (ANYTHING,)
        },
    }


def _responses(answers: Sequence[Answer]) -> dict[str, Any]:
    """What is described, and the error that any request may get."""
    error = {"application/json": {"schema": {"$ref": f"{_COMPONENT}Error"}}}
    found: dict[str, Any] = {}
    for answer in answers:
        told: dict[str, Any] = {"description": answer.about}
        if answer.status >= 400 and not answer.schema:
            told["content"] = error
        elif answer.media:
            schema = {"schema": dict(answer.schema)} if answer.schema else {}
            told["content"] = {answer.media: schema}
        found[str(answer.status)] = told
    found["default"] = {"description": "An error.", "content": error}
    return found


def _is_json(media: str) -> bool:
    return media == "application/json" or media.endswith("+json")
