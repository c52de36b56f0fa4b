"""Errors as answers: ``{"error": {"code": ..., "message": ...}}``, a word for programs and a sentence for people.

What is wrong with a request is told to who made it; what is wrong with us is told to who runs the server as well.
"""

from __future__ import annotations

import json
import re
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from mockpacs.errors import (
    ArchiveBusyError,
    ArchiveError,
    AssociationError,
    ConfigurationError,
    FilterError,
    IdentifierError,
    MockpacsError,
    RecordingError,
    ScenarioError,
    StartError,
    StorageError,
    VerificationError,
    WaitError,
)

_KINDS: Final[tuple[tuple[type[MockpacsError], int, str], ...]] = (
    (ScenarioError, 422, "bad-rule"),
    (ConfigurationError, 400, "bad-request"),
    (FilterError, 400, "bad-filter"),
    (IdentifierError, 400, "bad-query"),
    (WaitError, 409, "not-in-time"),
    (VerificationError, 409, "not-verified"),
    (ArchiveBusyError, 503, "archive-busy"),
    (StorageError, 507, "storage"),
    (ArchiveError, 409, "archive"),
    (AssociationError, 502, "no-association"),
    (RecordingError, 410, "not-readable"),
    (StartError, 503, "stopping"),
)
"""Status and code of what mockpacs raises on purpose. The first that fits: special kinds stand above general ones."""

_PLACED: Final = re.compile(r"(?P<place>\S.*?:[0-9]+(?::[0-9]+)?): (?P<message>.*)")
_OURS: Final = str(Path(__file__).parent.parent)


class ApiError(Exception):
    """An error with its answer. ``more`` are further members of the error: a column, a list of problems."""

    def __init__(
        self, status: int, code: str, message: str, *, headers: Mapping[str, str] | None = None, **more: Any
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.headers = dict(headers or {})
        self.more = more

    @property
    def body(self) -> bytes:
        """The JSON, in ASCII and without anything HTML could be made of."""
        told = {"error": {"code": self.code, "message": str(self), **self.more}}
        text = json.dumps(told, default=str)
        return (text.translate(_HARMLESS) + "\n").encode("ascii")


_HARMLESS: Final = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"})


def answer_of(error: BaseException) -> ApiError:
    """What a client is told when this was raised while its request was served."""
    if isinstance(error, ApiError):
        return error
    if isinstance(error, MockpacsError):
        for kind, status, code in _KINDS:
            if isinstance(error, kind):
                return ApiError(status, code, str(error), **_more(error))
    return ApiError(
        500, "internal", f"This is a defect of mockpacs, not of the request: {defect(error)}. Please report it."
    )


def defect(error: BaseException) -> str:
    """An exception in a line: its kind, its text, and which of our lines raised it."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if frame.filename.startswith(_OURS)] or frames
    where = f" at {Path(ours[-1].filename).name}:{ours[-1].lineno}" if ours else ""
    text = str(error)
    return f"{type(error).__name__}{': ' if text else ''}{text[:500]}{where}"


def _more(error: MockpacsError) -> dict[str, Any]:
    """Where in what was sent the mistake is, for programs."""
    if isinstance(error, FilterError):
        return {"column": error.column}
    if isinstance(error, ScenarioError):
        return {"problems": problems(str(error))}
    if isinstance(error, IdentifierError):
        return {"dimse_status": f"{error.status:04X}"}
    return {}


def problems(text: str) -> list[dict[str, str]]:
    """The lines ``place: sentence`` of a scenario's errors; a line without a place goes on with the one before."""
    found: list[dict[str, str]] = []
    for line in text.splitlines():
        if placed := _PLACED.fullmatch(line):
            found.append(placed.groupdict())
        elif found and line[:1].isspace():
            found[-1]["message"] += f"\n{line}"
        else:
            found.append({"place": "", "message": line})
    return found
