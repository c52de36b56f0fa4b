"""What a request asks for: its parameters, read strictly, for a misspelt one is not none; and its body as text."""

from __future__ import annotations

import re
from typing import Final

from starlette.requests import Request

from mockpacs.web.errors import ApiError
from mockpacs.written.kinds import Refused, nearest, quoted
from mockpacs.written.numbers import Seconds, Whole

_SECONDS: Final = Seconds(zero=True)
_COUNT: Final = re.compile(r"([0-9]{1,9})(?:\.\.)?")


class Asked:
    """The parameters in the query of a request."""

    def __init__(self, request: Request, *names: str) -> None:
        """``names``: those there are. Raises `ApiError` for another one, and for one that is said twice."""
        self._values: dict[str, str] = {}
        for name, value in request.query_params.multi_items():
            if name not in names:
                there = f"; there are {', '.join(names)}." if names else "; this takes none."
                hint = nearest(name, names) or there
                raise ApiError(400, "unknown-parameter", f"There is no parameter {quoted(name)}{hint}")
            if name in self._values:
                raise ApiError(400, "bad-parameter", f"The parameter {name} is given twice.")
            self._values[name] = value

    def text(self, name: str) -> str:
        """As it is written, "" when it is not."""
        return self._values.get(name, "")

    def is_given(self, name: str) -> bool:
        """Whether it is there, be it empty."""
        return name in self._values

    def whole(self, name: str, otherwise: int, low: int, high: int) -> int:
        """A whole number."""
        if not self._values.get(name):
            return otherwise
        try:
            return Whole(low, high).read(self._values[name])
        except Refused as refused:
            raise self._refused(name, refused) from refused

    def seconds(self, name: str, otherwise: float, most: float) -> float:
        """A duration, so long at most."""
        if not self._values.get(name):
            return otherwise
        try:
            seconds = _SECONDS.read(self._values[name])
        except Refused as refused:
            raise self._refused(name, refused) from refused
        if seconds > most:
            raise ApiError(400, "bad-parameter", f"{name}: at most {most:g} s, not {seconds:g} s.")
        return seconds

    def flag(self, name: str) -> bool:
        """yes or no, by default no."""
        value = self._values.get(name, "no").lower()
        if value not in ("yes", "no", "true", "false", "1", "0"):
            raise ApiError(400, "bad-parameter", f"{name}: {quoted(value)} is neither yes nor no.")
        return value in ("yes", "true", "1")

    def least(self, name: str, otherwise: int, most: int) -> int:
        """A number of things that is reached: ``2`` or ``2..``, at most ``most``."""
        written = self._values.get(name, "")
        if not written:
            return otherwise
        found = _COUNT.fullmatch(written)
        if found is None or not 1 <= int(found[1]) <= most:
            text = f"{name}: write 2 or 2.., a number from 1 to {most}, not {quoted(written)}."
            raise ApiError(400, "bad-parameter", text)
        return int(found[1])

    def _refused(self, name: str, refused: Refused) -> ApiError:
        return ApiError(400, "bad-parameter", f"{name}: {refused}.")


def media_type(request: Request) -> str:
    """What the body is said to be, without parameters."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def body_text(request: Request) -> str:
    """The body, whose size the route limits, as text. Raises `ApiError` when it is not UTF-8."""
    try:
        return (await request.body()).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ApiError(400, "bad-text", f"The body is not UTF-8: byte {error.start} makes no sense.") from error
