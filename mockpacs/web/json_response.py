"""JSON as an answer. Whatever a peer sent stays data: nothing in the body can be taken for HTML by anybody."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from starlette.responses import Response

JSON: Final = "application/json"
_HARMLESS: Final = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"})
"""These stand in strings only, where JSON lets them be written like this."""


def json_text(value: Any) -> str:
    """A value on one line of ASCII, lone surrogates included; what JSON has no word for is written as text."""
    return json.dumps(value, allow_nan=False, default=str).translate(_HARMLESS)


class JsonResponse(Response):
    """A value as JSON, with a line break at its end for those who read it in a terminal."""

    def __init__(
        self, value: Any, status: int = 200, *, media_type: str = JSON, headers: Mapping[str, str] | None = None
    ) -> None:
        content = (json_text(value) + "\n").encode("ascii")
        super().__init__(content, status, {"X-Content-Type-Options": "nosniff", **(headers or {})}, media_type)
