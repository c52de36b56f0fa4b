"""One HTTP connection: uvicorn's, which waits for ever for who says nothing, with limits to its patience.

And with a proper end: what is still coming is read and thrown away for a while, because closing on it would make the
network throw away the answer (RFC 9112 9.6).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, cast

import h11
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol

from mockpacs.web.errors import ApiError
from mockpacs.web.guard import HEADERS

if TYPE_CHECKING:
    from mockpacs.web.hall import Hall

HEADER_SECONDS: Final = 10.0
"""From the first byte of a request, or from connecting, to the end of its header."""
WRITE_SECONDS: Final = 60.0
"""A client that takes nothing for so long has gone."""
LINGER_SECONDS: Final = 5.0
LINGER_BYTES: Final = 256 << 20
"""After the last answer: for how long, and how much, is read for nothing."""

_LONGEST_REASON: Final = 200

# uvicorn logs to loggers of the whole process, which belong to the program we may be part of.
_SILENT: Final = logging.Logger("mockpacs.web", logging.CRITICAL + 1)


class Connection(H11Protocol):
    """An asyncio protocol. The hall knows all of them, and which of them wait for something to come."""

    def __init__(self, hall: Hall, config: Config, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(config, hall.state, {}, loop)
        self.logger = _SILENT
        self.access_log = False
        self._hall = hall
        self._socket: asyncio.Transport
        self._is_leaving = False
        self._discarded = 0
        self._header: asyncio.TimerHandle | None = None
        self._writing: asyncio.TimerHandle | None = None
        self._lingering: asyncio.TimerHandle | None = None

    @property
    def is_busy(self) -> bool:
        """Whether a request is being answered."""
        return self.cycle is not None and not self.cycle.response_complete and not self._is_leaving

    # what asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Somebody connected."""
        self._socket = cast(asyncio.Transport, transport)
        super().connection_made(cast(asyncio.Transport, _Farewell(self._socket, self)))
        self._header = self.loop.call_later(HEADER_SECONDS, self._too_slow)
        self._hall.entered(self)

    def data_received(self, data: bytes) -> None:
        """Bytes of a request, or of what is not wanted any more."""
        if self._is_leaving:
            self._discarded += len(data)
            if self._discarded > LINGER_BYTES:
                self._socket.abort()
            return
        super().data_received(data)
        if not self.is_busy and not self._is_leaving and self._header is None:
            self._header = self.loop.call_later(HEADER_SECONDS, self._too_slow)
        self._look()

    def connection_lost(self, exc: Exception | None) -> None:
        """It is over."""
        self._is_leaving = True
        for timer in (self._header, self._writing, self._lingering):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)
        self._hall.left(self)

    def pause_writing(self) -> None:
        """The client takes less than there is for it."""
        super().pause_writing()
        self._writing = self.loop.call_later(WRITE_SECONDS, self._socket.abort)

    def resume_writing(self) -> None:
        """It has caught up."""
        super().resume_writing()
        if self._writing is not None:
            self._writing.cancel()
            self._writing = None

    # what uvicorn calls

    def on_response_complete(self) -> None:
        """An answer has been written; the next request may have come already."""
        super().on_response_complete()
        self._look()

    def send_400_response(self, msg: str) -> None:
        """What came is no HTTP: called while h11's complaint about it is being handled."""
        error = sys.exception()
        hint = error.error_status_hint if isinstance(error, h11.RemoteProtocolError) else 400
        told = {431: (431, "header-too-large"), 501: (501, "not-implemented")}
        status, code = told.get(hint, (400, "bad-request"))
        why = str(error or msg)[:_LONGEST_REASON]
        self.refuse(ApiError(status, code, f"This is not HTTP as it is understood here: {why}."))

    # ours

    def refuse(self, error: ApiError) -> None:
        """Answer what is no request, or not yet one, and end the connection."""
        if self.cycle is not None:
            self.cycle.disconnected = True  # who answers it must not write any more
            self.cycle.message_event.set()
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(error.body)).encode())]
        headers += [*HEADERS.items(), (b"connection", b"close")]
        try:
            begin = self.conn.send(h11.Response(status_code=error.status, headers=headers))
            self._socket.write(begin + self.conn.send(h11.Data(error.body)) + self.conn.send(h11.EndOfMessage()))
        except h11.LocalProtocolError:  # an answer has begun
            self._socket.abort()
        else:
            self.leave()

    def drop(self) -> None:
        """End it without a word."""
        self._is_leaving = True
        self._socket.abort()

    def leave(self) -> None:
        """Say no more; hear the client out, so that it gets what was said."""
        if self._is_leaving:
            return
        self._is_leaving = True
        self._look()
        if self._hall.is_closing:
            self._socket.close()
            return
        self._lingering = self.loop.call_later(LINGER_SECONDS, self._socket.abort)
        self.flow.resume_reading()
        with contextlib.suppress(OSError):  # it has gone already
            self._socket.write_eof()

    @property
    def is_leaving(self) -> bool:
        """Whether there will be no more answers."""
        return self._is_leaving

    def _look(self) -> None:
        """Tell the hall whether this connection waits, or somebody for it."""
        if (self.is_busy or self._is_leaving) and self._header is not None:
            self._header.cancel()
            self._header = None
        self._hall.noticed(self)

    def _too_slow(self) -> None:
        self._header = None
        if self.conn.trailing_data[0]:
            self.refuse(ApiError(408, "too-slow", f"The header of a request must come within {HEADER_SECONDS:g} s."))
        else:
            self.drop()


class _Farewell:
    """The transport as uvicorn sees it: closing it is the beginning of a proper end."""

    def __init__(self, transport: asyncio.Transport, connection: Connection) -> None:
        self._transport = transport
        self._connection = connection
        self.close: Callable[[], None] = connection.leave

    def is_closing(self) -> bool:
        """Whether there is nobody to write to."""
        return self._connection.is_leaving or self._transport.is_closing()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)
