"""What the server is and how it is: alive, ready, which version; and what this API consists of."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from starlette.requests import Request
from starlette.responses import Response

from mockpacs.version import __version__
from mockpacs.web.errors import ApiError
from mockpacs.web.json_response import JsonResponse
from mockpacs.web.route import Answer, Route, Schema, closing

if TYPE_CHECKING:
    from mockpacs.control.desk import Desk

WARNING: Final = "NOT FOR CLINICAL USE"


async def index(_desk: Desk, request: Request) -> Response:
    """Every endpoint with a line about it."""
    paths: dict[str, dict[str, Any]] = request.scope["state"]["document"]()["paths"]
    lines = [
        {"method": method.upper(), "path": path, "about": operation["summary"]}
        for path, operations in paths.items()
        for method, operation in operations.items()
    ]
    return JsonResponse({"mockpacs": __version__, "endpoints": lines})


async def health(_desk: Desk, _request: Request) -> Response:
    """The event loop runs: this is the answer."""
    return JsonResponse({"status": "alive"})


async def ready(desk: Desk, request: Request) -> Response:
    """Whether associations are served."""
    if desk.failure is not None:
        raise ApiError(503, "not-recording", f"Traffic is stopped: {desk.failure}")
    if closing(request).is_set():
        raise ApiError(503, "stopping", "The server stops.")
    addresses = [{"host": host, "port": port} for host, port in desk.addresses]
    return JsonResponse({"status": "ready", "dicom": addresses})


async def version(desk: Desk, _request: Request) -> Response:
    """Which mockpacs this is."""
    return JsonResponse(
        {
            "mockpacs": __version__,
            "api": "v1",
            "started": round(desk.started, 3),
            "aet": getattr(desk.options, "aet", None),
            "warning": WARNING,
        }
    )


async def openapi(_desk: Desk, request: Request) -> Response:
    """The description of this API for programs."""
    text = json.dumps(request.scope["state"]["document"](), indent=1)
    return Response(text + "\n", media_type="application/json")


def _object(**properties: Schema) -> Schema:
    return {"type": "object", "properties": properties, "required": list(properties)}


_TEXT: Final[Schema] = {"type": "string"}
_ADDRESS: Final = _object(host=_TEXT, port={"type": "integer"})
_ENDPOINT: Final = _object(method=_TEXT, path=_TEXT, about=_TEXT)
_INDEX: Final = _object(mockpacs=_TEXT, endpoints={"type": "array", "items": _ENDPOINT})
_VERSION: Final = _object(
    mockpacs=_TEXT, api=_TEXT, started={"type": "number"}, aet={"type": ["string", "null"]}, warning=_TEXT
)

ROUTES: Final = (
    Route(
        "GET",
        "/",
        index,
        "What there is: every endpoint with a line about it.",
        answers=(Answer(200, "The endpoints.", schema=_INDEX),),
    ),
    Route(
        "GET",
        "/health",
        health,
        "Whether the process is alive.",
        answers=(Answer(200, "It is.", schema=_object(status={"const": "alive"})),),
    ),
    Route(
        "GET",
        "/ready",
        ready,
        "Whether associations are served.",
        answers=(
            Answer(
                200, "They are.", schema=_object(status={"const": "ready"}, dicom={"type": "array", "items": _ADDRESS})
            ),
            Answer(503, "They are not: the recording cannot be written, or the server stops."),
        ),
    ),
    Route(
        "GET",
        "/version",
        version,
        "Which mockpacs this is, and since when it serves.",
        answers=(Answer(200, "The version.", schema=_VERSION),),
    ),
    Route(
        "GET",
        "/openapi.json",
        openapi,
        "The description of this API for programs (OpenAPI 3.1).",
        answers=(Answer(200, "The document.", schema={"type": "object"}),),
    ),
)
