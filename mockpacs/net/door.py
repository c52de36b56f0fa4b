"""A door: listening sockets on all addresses of a host, with one port. Who comes in is not its business."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import time
from collections.abc import Callable
from typing import Final

from mockpacs.errors import StartError
from mockpacs.traffic.exchange import Notice, Record

_BACKLOG: Final = 1024
_ACCEPT_AT_ONCE: Final = 64
_ACCEPT_AGAIN_SECONDS: Final = 0.1
_REOPEN_AGAIN_SECONDS: Final = 1.0

Came = Callable[[socket.socket, tuple[str, int]], None]
"""Takes a connection, which does not block, and the address of who opened it."""


class Door:
    """Listens from `open` to `close`."""

    def __init__(
        self,
        came: Came,
        observe: Callable[[Record], None],
        *,
        option: str = "--port",
        at_once: Callable[[], int] = lambda: _ACCEPT_AT_ONCE,
        make_room: Callable[[], None] = lambda: None,
    ) -> None:
        """``option``: with which one another port is chosen.

        ``at_once``: how many are let in before those inside are served; ``make_room``: called when the system has no
        descriptor or memory for one more.
        """
        self._came = came
        self._at_once = at_once
        self._make_room = make_room
        self._observe = observe
        self._option = option
        self._listening: list[socket.socket] = []
        self._doors: list[tuple[int, tuple[str, int]]] = []
        self._reopening: asyncio.TimerHandle | None = None

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """Those that answer."""
        return [address for _, address in self._doors]

    async def open(self, host: str, port: int) -> None:
        """Listen on every address of ``host``, IPv4 and IPv6, with one port (0: a free one).

        Raises StartError when an address cannot be had.
        """
        for family, address in await _resolve(host, port):
            chosen = self._doors[0][1][1] if self._doors else port
            sock = self._bound(family, (address, chosen))
            self._doors.append((family, sock.getsockname()[:2]))
            self._listen(sock)

    def close(self) -> None:
        """Nobody comes in any more."""
        if self._reopening is not None:
            self._reopening.cancel()
            self._reopening = None
        for sock in self._listening:
            asyncio.get_running_loop().remove_reader(sock)
            sock.close()
        self._listening.clear()

    def refuse(self, seconds: float) -> None:
        """Listen to nobody for a while: who connects is refused. Who is inside stays."""
        if self._listening and seconds > 0:
            self.close()
            self._reopening = asyncio.get_running_loop().call_later(seconds, self._reopen)

    def _reopen(self) -> None:
        self._reopening = None
        open_already = {sock.getsockname()[:2] for sock in self._listening}
        for family, address in self._doors:
            try:
                if address not in open_already:
                    self._listen(self._bound(family, address))
            except StartError as error:
                self._tell(f"the port stays closed for another second: {error}")
                self._reopening = asyncio.get_running_loop().call_later(_REOPEN_AGAIN_SECONDS, self._reopen)
                return

    def _bound(self, family: int, address: tuple[str, int]) -> socket.socket:
        try:
            return _bind(family, address)
        except StartError as error:
            raise StartError(str(error).replace("--port", self._option)) from error

    def _listen(self, sock: socket.socket) -> None:
        sock.listen(_BACKLOG)
        self._listening.append(sock)
        asyncio.get_running_loop().add_reader(sock, self._accept, sock)

    def _accept(self, listening: socket.socket) -> None:
        for _ in range(self._at_once()):
            try:
                sock, address = listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:  # out of descriptors or memory: the door is closed for a moment
                self._make_room()
                self._tell(f"cannot accept a connection: {error.strerror}; trying again")
                loop = asyncio.get_running_loop()
                loop.remove_reader(listening)
                loop.call_later(_ACCEPT_AGAIN_SECONDS, self._accept_again, listening)
                return
            sock.setblocking(False)
            self._came(sock, address)

    def _accept_again(self, listening: socket.socket) -> None:
        if listening in self._listening:
            asyncio.get_running_loop().add_reader(listening, self._accept, listening)

    def _tell(self, text: str) -> None:
        self._observe(Notice(time.time(), "trouble", text))


async def _resolve(host: str, port: int) -> list[tuple[int, str]]:
    """The addresses to listen on, each once."""
    try:
        try:  # a number is no name: no thread of the loop's has to be started, and left, to ask for it
            flags = socket.AI_PASSIVE | socket.AI_NUMERICHOST
            found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=flags)
        except socket.gaierror:
            loop = asyncio.get_running_loop()
            found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise StartError(f"cannot listen on {host!r}: {error.strerror or error} (host)") from error
    return list(dict.fromkeys((family, str(address[0])) for family, _, _, _, address in found))


def _bind(family: int, address: tuple[str, int]) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        if os.name == "posix":
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # inherited by what it accepts, on Linux
        sock.bind(address)
    except OSError as error:
        sock.close()
        raise StartError(_why_not(address, error)) from error
    return sock


def _why_not(address: tuple[str, int], error: OSError) -> str:
    where = f"{address[0]}:{address[1]}"
    if error.errno == errno.EADDRINUSE:
        return f"port {address[1]} of {address[0]} is in use; stop what listens there, or choose another with --port"
    if error.errno == errno.EACCES:
        return f"no right to listen on {where}: ports below 1024 need privileges; choose another with --port"
    if error.errno == errno.EADDRNOTAVAIL:
        return f"{address[0]} is not an address of this machine (host)"
    return f"cannot listen on {where}: {error.strerror}"
