"""Who came in through a door: limits on the way in, a bounded stop at the end."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from typing import TYPE_CHECKING, Final

from mockpacs.net.acceptor import Acceptor
from mockpacs.net.door import Door
from mockpacs.net.environment import Environment
from mockpacs.net.link import RECEIVE_BUFFER_SIZE
from mockpacs.traffic.recording.words import MADE_ROOM

if TYPE_CHECKING:
    from mockpacs.net.theatre import Theatre

_ACCEPT_AT_ONCE: Final = 64
_A_CROWD: Final = 8
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
        self._door = Door(self._come, environment.observe, at_once=self._at_once, make_room=self._make_room)
        self._connections: set[Acceptor] = set()
        self._associations: set[Acceptor] = set()
        self._waiting: dict[Acceptor, None] = {}  # connected, not associated, in order of age
        self._gone = asyncio.Event()
        self._gone.set()
        self._most = min(environment.limits.max_associations + _SPARE_CONNECTIONS, descriptor_limit())

    async def open(self, host: str, port: int) -> list[tuple[str, int]]:
        """Listen on every address of ``host``, IPv4 and IPv6, with one port (0: a free one). The addresses that answer.

        Raises StartError when an address cannot be had.
        """
        await self._door.open(host, port)
        return self._door.addresses

    def play(self, theatre: Theatre) -> None:
        """A scenario where there was none: all connections follow it from their next exchange or event on."""
        theatre.refuse = self.refuse
        self._environment.theatre = theatre
        for acceptor in self._connections:
            acceptor.join(theatre)

    def refuse(self, seconds: float) -> None:
        """Listen to nobody for a while: who connects is refused. Associations go on."""
        self._door.refuse(seconds)

    async def close(self, timeout_seconds: float) -> int:
        """Stop listening, abort all associations, wait; returns how many connections had to be cut at the end."""
        self._door.close()
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
        self._door.close()
        for acceptor in list(self._connections):
            acceptor.link.reset()

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

    def _come(self, sock: socket.socket, address: tuple[str, int]) -> None:
        number = next(self._environment.numbers)
        Acceptor(number, address, sock, self._environment, self, self._buffer, self._tls).link.open()

    def _at_once(self) -> int:
        """Some at a time where many wait at the door, so that those inside are served as well."""
        return _ACCEPT_AT_ONCE if len(self._waiting) > _A_CROWD else 1


def descriptor_limit() -> int:
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
