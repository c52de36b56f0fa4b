"""What one endpoint is: where it is found, what it does, what it takes and answers. Documentation is made from it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from mockpacs.control.desk import Desk

    Function: TypeAlias = Callable[[Desk, Request], Awaitable[Response]]

PREFIX: Final = "/api/v1"
JSON: Final = "application/json"
YAML: Final = "application/yaml"
DICOM: Final = "application/dicom"
ANYTHING: Final = "*/*"
DOCUMENT_SIZE: Final = 1 << 20
"""Bytes of a document: a rule, a scenario."""

Schema: TypeAlias = Mapping[str, Any]
TEXT: Final[Schema] = {"type": "string"}


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter: in the query, or one of the path."""

    name: str
    about: str
    schema: Schema = field(default_factory=lambda: TEXT)
    place: Literal["query", "path", "header"] = "query"
    required: bool = False
    """Those of the path always are."""


@dataclass(frozen=True, slots=True)
class Body:
    """What a request carries. A body of another type, or a larger one, is refused before the function is called."""

    about: str
    types: tuple[str, ...] = (JSON,)
    """Media types without parameters, in small letters; `ANYTHING` takes all, and a body that does not say."""
    schema: Schema = field(default_factory=dict)
    most: int = DOCUMENT_SIZE
    """Bytes; 0 sets no limit, for what is not kept in memory."""
    required: bool = True


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer there can be, for the documentation. `media` "" for one without a body."""

    status: int
    about: str
    media: str = JSON
    schema: Schema = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Route:
    """One endpoint. ``path`` is below /api/v1 and begins with a slash: ``/exchanges/{id}``, ``/rules/{name:path}``.

    ``function`` is a coroutine function: it gets the desk and the request, and returns a response. What it raises is
    answered by `mockpacs.web.errors`.
    """

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
    path: str
    function: Function
    about: str
    """First line: a sentence; more may follow."""
    parameters: tuple[Parameter, ...] = ()
    body: Body | None = None
    answers: tuple[Answer, ...] = (Answer(200, "Done."),)
    """Without the errors every endpoint may answer."""
    streams: bool = False
    """Whether the answer may go on for ever: HEAD is then refused."""


def closing(request: Request) -> asyncio.Event:
    """Is set when the door closes: who waits or streams ends then, at once and in good order."""
    event = request.scope["state"]["closing"]
    assert isinstance(event, asyncio.Event)
    return event
