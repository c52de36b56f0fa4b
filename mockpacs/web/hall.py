"""Serves the control API on sockets that listen already, in the running event loop, with uvicorn's HTTP and our limits.

uvicorn's own server is not used: it takes the signals and the loggers of the process, wakes up ten times a second, and
stops in steps of a tenth of a second. Nothing of this module is loaded before somebody connects.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from starlette.types import ASGIApp
from uvicorn.config import Config
from uvicorn.server import ServerState

from mockpacs.web.api import application
from mockpacs.web.connection import Connection
from mockpacs.web.errors import ApiError
from mockpacs.web.guard import MOST_HEADERS, MOST_PATH

if TYPE_CHECKING:
    from mockpacs.control.desk import Desk

MOST_CONNECTIONS: Final = 128
KEEP_ALIVE_SECONDS: Final = 15
BACKLOG: Final = 256
_CUT_SECONDS: Final = 0.25
"""What is cancelled or cut off has so long to end."""


class _Config(Config):
    """uvicorn's configuration of the protocol alone."""

    def configure_logging(self) -> None:
        """Nothing: the loggers belong to the program we may be part of."""


class Hall:
    """Everybody who is connected. Made in any thread, used in the event loop."""

    def __init__(self, desk: Desk, host: str, token: str) -> None:
        self.state = ServerState()
        self._closing = asyncio.Event()
        self._config = _configured(application(desk, host, token, self._closing))
        self._waiting: dict[Connection, None] = {}  # in order of age
        self._gone = asyncio.Event()
        self._gone.set()
        self._servers: list[asyncio.Server] = []

    @property
    def is_closing(self) -> bool:
        """Whether it ends."""
        return self._closing.is_set()

    async def open(self, sockets: Sequence[socket.socket]) -> None:
        """Accept on these sockets, which are ours from now on."""
        loop = asyncio.get_running_loop()
        for sock in sockets:
            server = await loop.create_server(lambda: Connection(self, self._config, loop), sock=sock, backlog=BACKLOG)
            self._servers.append(server)

    async def close(self, timeout_seconds: float) -> None:
        """Let requests end that can within the limit, cancel the others, cut what is left."""
        for server in self._servers:
            server.close()
        self._closing.set()
        connections = self._connections()
        for connection in connections:
            if connection.is_busy:
                connection.shutdown()  # after its answer
            else:
                connection.drop()
        if not await self._all_gone(max(0.0, timeout_seconds - _CUT_SECONDS)):
            for task in list(self.state.tasks):
                task.cancel()
            if self.state.tasks:
                await asyncio.wait(list(self.state.tasks), timeout=_CUT_SECONDS / 2)
            for connection in self._connections():
                connection.drop()
            await self._all_gone(_CUT_SECONDS / 2)
        if self.state.tasks:  # of clients that had gone
            await asyncio.wait(list(self.state.tasks), timeout=_CUT_SECONDS)

    # what connections tell

    def entered(self, connection: Connection) -> None:
        """One more. When there are too many, the one that has waited for longest makes room."""
        self._gone.clear()
        if self.is_closing:
            connection.drop()
        elif len(self.state.connections) <= MOST_CONNECTIONS:
            self._waiting[connection] = None
        elif self._waiting:
            oldest = next(iter(self._waiting))
            del self._waiting[oldest]
            oldest.drop()
            self._waiting[connection] = None
        else:
            text = f"{MOST_CONNECTIONS} requests are being answered; ask again when one has ended."
            connection.refuse(ApiError(503, "too-many", text))

    def noticed(self, connection: Connection) -> None:
        """It began, or ended, to wait for its client."""
        if connection.is_busy:
            self._waiting.pop(connection, None)
        elif connection in self.state.connections:
            self._waiting.setdefault(connection)

    def left(self, connection: Connection) -> None:
        """One less."""
        self._waiting.pop(connection, None)
        if not self.state.connections:
            self._gone.set()

    def _connections(self) -> list[Connection]:
        return [one for one in self.state.connections if isinstance(one, Connection)]

    async def _all_gone(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                await self._gone.wait()
        except TimeoutError:
            return False
        return True


def _configured(app: ASGIApp) -> Config:
    config = _Config(
        app,
        http=Connection,
        ws="none",
        lifespan="off",
        interface="asgi3",
        workers=1,
        proxy_headers=False,  # nobody in between is trusted to say who asks
        server_header=False,
        date_header=False,  # the guard has it
        h11_max_incomplete_event_size=MOST_PATH + MOST_HEADERS,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
    )
    config.load()
    return config
