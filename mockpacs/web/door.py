"""Where the control API listens. It costs the start a socket: what answers is loaded when somebody connects.

It must never hold up associations for longer than it has to, nor leave anything behind when it is closed.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from socket import socket
from typing import TYPE_CHECKING, Final

from mockpacs.web.binding import bind

if TYPE_CHECKING:
    from mockpacs.control.desk import Desk
    from mockpacs.web.hall import Hall

_BACKLOG: Final = 256


@dataclass(frozen=True, slots=True)
class Settings:
    """Where to listen, and who may come in."""

    host: str = "127.0.0.1"
    port: int = 0
    is_fixed: bool = True
    """Whether only this port will do; otherwise a free one is taken when it is in use."""
    token: str = field(default="", repr=False)


class Door:
    """Made by `open`; serves until `close`."""

    def __init__(self, desk: Desk, settings: Settings, sockets: list[socket], *, moved: bool) -> None:
        self.address: tuple[str, int] = sockets[0].getsockname()[:2]
        self.moved = moved
        """Whether the port that was asked for was in use."""
        self._desk = desk
        self._settings = settings
        self._sockets = sockets
        self._watched = list(sockets)
        self._serving: asyncio.Task[None] | None = None
        self._hall: Hall | None = None
        self._is_closed = False

    @classmethod
    async def open(cls, desk: Desk, settings: Settings) -> Door:
        """Listen. Raises `StartError`."""
        sockets, moved = bind(settings.host, settings.port, is_fixed=settings.is_fixed)
        door = cls(desk, settings, sockets, moved=moved)
        for sock in sockets:
            sock.listen(_BACKLOG)
            asyncio.get_running_loop().add_reader(sock, door._knocked)
        return door

    @property
    def url(self) -> str:
        """``http://127.0.0.1:8112``: an address to ask, from this machine."""
        host, port = self.address
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    async def close(self, timeout_seconds: float) -> None:
        """Listen no more, end what is under way within the limit. Harmless when repeated."""
        if self._is_closed:
            return
        self._is_closed = True
        until = asyncio.get_running_loop().time() + timeout_seconds
        self._unwatch()
        if self._serving is not None:  # what is being loaded cannot be stopped, but it takes no second
            await asyncio.wait({self._serving}, timeout=timeout_seconds)
            if self._serving.cancel():
                await asyncio.wait({self._serving})
        if self._hall is not None:
            await self._hall.close(max(0.0, until - asyncio.get_running_loop().time()))
        for sock in self._sockets:
            sock.close()

    def _unwatch(self) -> None:
        for sock in self._watched:
            asyncio.get_running_loop().remove_reader(sock)
        self._watched.clear()

    def _knocked(self) -> None:
        """Somebody is there for the first time; whoever comes meanwhile waits at the door."""
        self._unwatch()
        self._serving = asyncio.get_running_loop().create_task(self._serve(), name="mockpacs control API")

    async def _serve(self) -> None:
        try:
            hall = await self._load()
            if not self._is_closed:
                self._hall = hall
                await hall.open(self._sockets)
        except Exception as error:  # noqa: BLE001 - the DICOM side goes on, whatever is wrong here
            self._desk.tell("trouble", f"the control API does not answer: {type(error).__name__}: {error}")
            for sock in self._sockets:
                sock.close()

    async def _load(self) -> Hall:
        """In a thread of its own, which is gone afterwards: 80 ms in which associations are served all the same."""
        loop = asyncio.get_running_loop()
        loaded: asyncio.Future[Hall] = loop.create_future()

        def load() -> None:
            done: Callable[[], None]
            try:
                from mockpacs.web.hall import Hall

                hall = Hall(self._desk, self._settings.host, self._settings.token)
                done = partial(loaded.set_result, hall)
            except Exception as error:  # noqa: BLE001 - raised where it is waited for
                done = partial(loaded.set_exception, error)
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(lambda: None if loaded.done() else done())

        thread = threading.Thread(target=load, name="mockpacs control API loading", daemon=True)
        thread.start()
        try:
            return await loaded
        finally:
            if loaded.done() and not loaded.cancelled():
                thread.join()
