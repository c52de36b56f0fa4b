"""What comes in with a request: so much at most, of the right kind, and not too slowly. It keeps nothing of it."""

from __future__ import annotations

import asyncio
from typing import Final

from starlette.types import Message, Receive, Scope

from mockpacs.web.errors import ApiError
from mockpacs.web.route import ANYTHING, Body
from mockpacs.written.kinds import quoted

PACE_SECONDS: Final = 15.0
PACE_BYTES: Final = 1024
"""So many bytes of a body, or its end, must come in each stretch of time: who sends less holds a place for nothing."""


class Intake:
    """The body of one request on its way to the endpoint; called, it is the ASGI ``receive``."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self._receive = receive
        self._most = 0
        self._came = 0
        headers = scope["headers"]
        lengths = [value for name, value in headers if name == b"content-length"]
        self._length = int(lengths[0]) if lengths else None
        self._type = next((value.decode("latin-1") for name, value in headers if name == b"content-type"), "")
        self._coding = next((value.decode("latin-1") for name, value in headers if name == b"content-encoding"), "")
        self.has_body = bool(self._length) or any(name == b"transfer-encoding" for name, _ in headers)
        self.is_complete = not self.has_body
        """Whether all of the body has been read."""

    def admit(self, body: Body | None) -> None:
        """Raises `ApiError` for a body that the endpoint does not want."""
        if body is None:
            return  # it is not read: the answer comes at once, and ends the connection
        if not self.has_body:
            if body.required:
                raise ApiError(400, "no-body", f"There is no body; it must be: {body.about.rstrip('.')}.")
            return
        self._most = body.most
        if body.most and self._length is not None and self._length > body.most:
            raise self._too_large()
        if self._coding.strip().lower() not in ("", "identity"):
            raise ApiError(
                415, "bad-encoding", f"Content-Encoding {quoted(self._coding)} is not understood: send it plain."
            )
        media, _, parameters = self._type.lower().partition(";")
        if ANYTHING not in body.types and media.strip() not in body.types:
            said = f"not {quoted(media.strip())}" if media.strip() else "and it is missing"
            raise ApiError(415, "bad-type", f"Content-Type must be {' or '.join(body.types)}, {said}.")
        charset = parameters.partition("charset=")[2].strip(' "')
        if charset not in ("", "utf-8", "utf8", "us-ascii"):
            raise ApiError(415, "bad-charset", f"Text is read as UTF-8, not as {quoted(charset)}.")

    async def __call__(self) -> Message:
        """The next piece. Raises `ApiError` when the body is too large, or comes too slowly."""
        if self.is_complete:
            return await self._receive()  # what comes now is that the client has gone
        pieces, more = bytearray(), True
        try:
            async with asyncio.timeout(PACE_SECONDS):
                while more and len(pieces) < PACE_BYTES:
                    message = await self._receive()
                    if message["type"] != "http.request":
                        return message
                    pieces += message.get("body", b"")
                    more = message.get("more_body", False)
        except TimeoutError:
            raise ApiError(
                408, "too-slow", f"Less than {PACE_BYTES} bytes of the body came in {PACE_SECONDS:g} s."
            ) from None
        self._came += len(pieces)
        self.is_complete = not more
        if self._most and self._came > self._most:
            raise self._too_large()
        return {"type": "http.request", "body": bytes(pieces), "more_body": more}

    def _too_large(self) -> ApiError:
        return ApiError(413, "too-large", f"The body is larger than {self._most} bytes, the most that is taken here.")
