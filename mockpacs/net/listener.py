"""The listening sockets and the connections that came through them: limits on the way in, a bounded stop at the end."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
import ssl
import time
from itertools import count
from typing import Final

from mockpacs.errors import StartError
from mockpacs.net.acceptor import Acceptor
from mockpacs.net.environment import Environment
from mockpacs.net.link import RECEIVE_BUFFER_SIZE
from mockpacs.traffic.exchange import Notice, Peer

_BACKLOG: Final = 1024
_SPARE_CONNECTIONS: Final = 256
"""Connections beyond max_associations that may be waiting to be told no."""
_SPARE_DESCRIPTORS: Final = 64
"""Descriptors kept for files, the database and the listening sockets."""


class Listener:
    """Accepts connections. ``open`` means serving, ``close`` means gone."""

    def __init__(self, environment: Environment, tls: ssl.SSLContext | None = None) -> None:
        self._environment = environment
        self._tls = tls
        self._buffer = bytearray(RECEIVE_BUFFER_SIZE)
        self._numbers = count(1)
        self._connections: dict[Acceptor, None] = {}  # in order of age
        self._associations: set[Acceptor] = set()
        self._waiting: dict[Acceptor, None] = {}  # connected, not associated, in order of age
        self._servers: list[asyncio.Server] = []
        self._accepting: list[asyncio.Task[None]] = []
        self._gone = asyncio.Event()
        self._gone.set()
        self._most = min(environment.limits.max_associations + _SPARE_CONNECTIONS, _descriptor_limit())
        self.association_count = 0
        """Associations accepted since the start."""

    async def open(self, host: str, port: int) -> list[tuple[str, int]]:
        """Listen on every address of ``host``, IPv4 and IPv6, with one port (0: a free one). The addresses that answer.

        Raises StartError when an address cannot be had.
        """
        bound: list[tuple[str, int]] = []
        for family, address in await _resolve(host, port):
            sock = _bind(family, (address, bound[0][1] if bound else port))
            bound.append(sock.getsockname()[:2])
            if self._tls is None:
                server = await asyncio.get_running_loop().create_server(
                    self._acceptor_link, sock=sock, backlog=_BACKLOG
                )
                self._servers.append(server)
            else:
                sock.listen(_BACKLOG)
                self._accepting.append(self._environment.spawn(self._accept_tls(sock, self._tls)))
        return bound

    async def close(self, timeout_seconds: float) -> int:
        """Stop listening, abort all associations, wait; returns how many connections had to be cut at the end."""
        for server in self._servers:
            server.close()
        for task in self._accepting:
            task.cancel()
        for acceptor in list(self._connections):
            acceptor.stop()
        stragglers = 0
        try:
            async with asyncio.timeout(timeout_seconds):
                await self._gone.wait()
        except TimeoutError:
            stragglers = len(self._connections)
            for acceptor in list(self._connections):
                acceptor.link.reset()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.5):
                    await self._gone.wait()
        return stragglers

    # Hall

    def entered(self, acceptor: Acceptor) -> None:
        """A connection more. When there are too many, the one that has been silent for longest makes room."""
        self._connections[acceptor] = self._waiting[acceptor] = None
        self._gone.clear()
        if len(self._connections) > self._most and self._waiting:
            oldest = next(iter(self._waiting))
            del self._waiting[oldest]
            oldest.drop("made room for newer connections: it had not asked for an association")

    def admit(self, acceptor: Acceptor) -> bool:
        """Count an association, unless there are too many."""
        if len(self._associations) >= self._environment.limits.max_associations:
            return False
        self._waiting.pop(acceptor, None)
        self._associations.add(acceptor)
        self.association_count += 1
        return True

    def left(self, acceptor: Acceptor) -> None:
        """A connection less."""
        self._connections.pop(acceptor, None)
        self._waiting.pop(acceptor, None)
        self._associations.discard(acceptor)
        if not self._connections:
            self._gone.set()

    # connections

    def _acceptor_link(self) -> asyncio.BaseProtocol:
        return Acceptor(next(self._numbers), self._environment, self, self._buffer).link

    async def _accept_tls(self, listening: socket.socket, tls: ssl.SSLContext) -> None:
        """Accept here instead of in `create_server`, which keeps a failed handshake to itself."""
        loop = asyncio.get_running_loop()
        with listening:
            while True:
                try:
                    sock, address = await loop.sock_accept(listening)
                except OSError as error:
                    if error.errno not in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
                        raise
                    await asyncio.sleep(0.1)  # nothing to accept with: let some connection end
                    continue
                self._environment.spawn(self._shake_hands(sock, address, tls))

    async def _shake_hands(self, sock: socket.socket, address: tuple[str, int], tls: ssl.SSLContext) -> None:
        """One TLS handshake in a task of its own: a client that stalls in it delays nobody."""
        acceptor = Acceptor(next(self._numbers), self._environment, self, self._buffer)
        seconds = self._environment.limits.artim_seconds
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: acceptor.link, sock, ssl=tls, ssl_handshake_timeout=seconds
            )
        except (OSError, ssl.SSLError) as error:
            why = f"TLS handshake failed: {_tls_reason(error)}"
            peer = Peer(acceptor.number, f"{address[0]}:{address[1]}", secure=True)
            self._environment.observe(Notice(time.time(), "closed", why, peer))
            sock.close()


async def _resolve(host: str, port: int) -> list[tuple[int, str]]:
    """The addresses to listen on, each once."""
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
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


def _tls_reason(error: OSError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"client certificate: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return (error.reason or str(error)).replace("_", " ").lower()
    return str(error) or type(error).__name__


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
