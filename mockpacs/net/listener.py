"""The listening sockets and the connections that came through them: limits on the way in, a bounded stop at the end."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
import ssl
import time
from typing import TYPE_CHECKING, Final

from mockpacs.errors import StartError
from mockpacs.net.acceptor import Acceptor
from mockpacs.net.environment import Environment
from mockpacs.net.link import RECEIVE_BUFFER_SIZE
from mockpacs.traffic.exchange import Notice
from mockpacs.traffic.recording.words import MADE_ROOM

if TYPE_CHECKING:
    from mockpacs.net.theatre import Theatre

_BACKLOG: Final = 1024
_ACCEPT_AT_ONCE: Final = 64
_A_CROWD: Final = 8
_ACCEPT_AGAIN_SECONDS: Final = 0.1
_REOPEN_AGAIN_SECONDS: Final = 1.0
_CUT_SECONDS: Final = 0.5
_SPARE_CONNECTIONS: Final = 256
"""Connections beyond max_associations that may be waiting to be told no."""
_SPARE_DESCRIPTORS: Final = 64
"""Descriptors kept for files, the database and the listening sockets."""


class Listener:
    """Accepts connections. ``open`` means serving, ``close`` means gone."""

    def __init__(self, environment: Environment, tls: ssl.SSLContext | None = None) -> None:
        self._environment = environment
        self._tls = tls
        self._buffer = memoryview(bytearray(RECEIVE_BUFFER_SIZE))
        self._listening: list[socket.socket] = []
        self._doors: list[tuple[int, tuple[str, int]]] = []
        self._reopening: asyncio.TimerHandle | None = None
        self._connections: set[Acceptor] = set()
        self._associations: set[Acceptor] = set()
        self._waiting: dict[Acceptor, None] = {}  # connected, not associated, in order of age
        self._gone = asyncio.Event()
        self._gone.set()
        self._most = min(environment.limits.max_associations + _SPARE_CONNECTIONS, _descriptor_limit())

    async def open(self, host: str, port: int) -> list[tuple[str, int]]:
        """Listen on every address of ``host``, IPv4 and IPv6, with one port (0: a free one). The addresses that answer.

        Raises StartError when an address cannot be had.
        """
        bound: list[tuple[str, int]] = []
        for family, address in await _resolve(host, port):
            sock = _bind(family, (address, bound[0][1] if bound else port))
            bound.append(sock.getsockname()[:2])
            self._doors.append((family, bound[-1]))
            self._listen(sock)
        return bound

    def play(self, theatre: Theatre) -> None:
        """A scenario where there was none: all connections follow it from their next exchange or event on."""
        theatre.refuse = self.refuse
        self._environment.theatre = theatre
        for acceptor in self._connections:
            acceptor.join(theatre)

    def refuse(self, seconds: float) -> None:
        """Listen to nobody for a while: who connects is refused. Associations go on."""
        if self._listening and seconds > 0:
            self._close_door()
            self._reopening = asyncio.get_running_loop().call_later(seconds, self._reopen)

    def _reopen(self) -> None:
        self._reopening = None
        open_already = {sock.getsockname()[:2] for sock in self._listening}
        for family, address in self._doors:
            try:
                if address not in open_already:
                    self._listen(_bind(family, address))
            except StartError as error:
                text = f"the port stays closed for another second: {error}"
                self._environment.observe(Notice(time.time(), "trouble", text))
                self._reopening = asyncio.get_running_loop().call_later(_REOPEN_AGAIN_SECONDS, self._reopen)
                return

    def _listen(self, sock: socket.socket) -> None:
        sock.listen(_BACKLOG)
        self._listening.append(sock)
        asyncio.get_running_loop().add_reader(sock, self._accept, sock)

    async def close(self, timeout_seconds: float) -> int:
        """Stop listening, abort all associations, wait; returns how many connections had to be cut at the end."""
        self._close_door()
        for acceptor in list(self._connections):
            acceptor.stop()
        if await self._all_gone(timeout_seconds):
            return 0
        stragglers = list(self._connections)
        for acceptor in stragglers:
            acceptor.link.reset()
        await self._all_gone(_CUT_SECONDS)
        return len(stragglers)

    def halt(self) -> None:
        """End all traffic at once, without a word more to anybody."""
        self._close_door()
        for acceptor in list(self._connections):
            acceptor.link.reset()

    def _close_door(self) -> None:
        if self._reopening is not None:
            self._reopening.cancel()
            self._reopening = None
        for sock in self._listening:
            asyncio.get_running_loop().remove_reader(sock)
            sock.close()
        self._listening.clear()

    # Hall

    def entered(self, acceptor: Acceptor) -> None:
        """A connection more. When there are too many, the one that has been silent for longest makes room."""
        self._connections.add(acceptor)
        self._waiting[acceptor] = None
        self._gone.clear()
        if len(self._connections) > self._most:
            self._make_room()

    def admit(self, acceptor: Acceptor) -> bool:
        """Count an association, unless there are too many."""
        if len(self._associations) >= self._environment.limits.max_associations:
            return False
        self._waiting.pop(acceptor, None)
        self._associations.add(acceptor)
        return True

    def left(self, acceptor: Acceptor) -> None:
        """A connection less."""
        self._connections.discard(acceptor)
        self._waiting.pop(acceptor, None)
        self._associations.discard(acceptor)
        if not self._connections:
            self._gone.set()

    def _make_room(self) -> None:
        """Drop the connection that has been silent for longest and never became an association."""
        if self._waiting:
            oldest = next(iter(self._waiting))
            del self._waiting[oldest]
            oldest.drop(MADE_ROOM)

    async def _all_gone(self, seconds: float) -> bool:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._gone.wait()
        return self._gone.is_set()

    # connections

    def _accept(self, listening: socket.socket) -> None:
        """Take what waits at the door, some at a time so that those inside are served as well."""
        for _ in range(_ACCEPT_AT_ONCE if len(self._waiting) > _A_CROWD else 1):
            try:
                sock, address = listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                self._cannot_accept(listening, error)
                return
            sock.setblocking(False)
            Acceptor(
                next(self._environment.numbers), address, sock, self._environment, self, self._buffer, self._tls
            ).link.open()

    def _cannot_accept(self, listening: socket.socket, error: OSError) -> None:
        """Out of descriptors or memory: close the door for a moment, let go of somebody who says nothing."""
        self._make_room()
        text = f"cannot accept a connection: {error.strerror}; trying again"
        self._environment.observe(Notice(time.time(), "trouble", text))
        loop = asyncio.get_running_loop()
        loop.remove_reader(listening)
        loop.call_later(_ACCEPT_AGAIN_SECONDS, self._accept_again, listening)

    def _accept_again(self, listening: socket.socket) -> None:
        if listening in self._listening:
            asyncio.get_running_loop().add_reader(listening, self._accept, listening)


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


def _descriptor_limit() -> int:
    """How many connections the process can hold; the soft limit is raised to the hard one first."""
    try:
        import resource
    except ImportError:  # Windows has no such limit on sockets
        return 100_000
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
            soft = hard
    return max(16, (100_000 if soft == resource.RLIM_INFINITY else soft) - _SPARE_DESCRIPTORS)
