"""Whom this server calls, and the associations it has opened: only configured peers are ever dialled."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import threading
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import Future
from typing import Any, Final

from mockpacs.net.environment import Environment
from mockpacs.net.link import RECEIVE_BUFFER_SIZE
from mockpacs.net.peer import Peer
from mockpacs.net.requestor import NotAssociated, Requestor
from mockpacs.traffic.exchange import Notice
from mockpacs.wire import AssociateRQ, ProposedContext, RoleSelection, UserInformation
from mockpacs.wire.implementation import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME

MOST_CONTEXTS: Final = 128
"""Presentation contexts of one association: their identifiers are odd and fit a byte (PS3.8 9.3.2.2)."""


class Dialer:
    """Opens associations. Made in the event loop, used from there; peers are looked up from any thread."""

    def __init__(self, environment: Environment, aet: str, peers: Iterable[Peer] = ()) -> None:
        """``aet``: our title as the calling application entity."""
        self._environment = environment
        self.aet = aet
        self.peers = {peer.aet: peer for peer in peers}
        """By AE title; may change while the server runs."""
        self._buffer = memoryview(bytearray(RECEIVE_BUFFER_SIZE))
        self._open: set[Requestor] = set()
        self._connecting: set[asyncio.Task[socket.socket]] = set()
        self._gone = asyncio.Event()
        self._gone.set()
        self._is_over = False

    async def associate(
        self,
        peer: Peer,
        contexts: Sequence[tuple[str, Sequence[str]]],
        *,
        cause: str = "",
        calling: str = "",
        roles: Iterable[RoleSelection] = (),
        timeout_seconds: float | None = None,
    ) -> Requestor:
        """An association with a peer. ``contexts``: abstract and transfer syntaxes, at most `MOST_CONTEXTS`.

        ``cause``: the exchange it is for. ``timeout_seconds``: for all of it; None is the limit of the environment,
        for connecting and for the answer. Raises `NotAssociated` with a sentence, also when the server stops.
        """
        request = AssociateRQ(
            called=peer.aet,
            calling=calling or self.aet,
            contexts=tuple(
                ProposedContext(2 * at + 1, abstract, tuple(syntaxes))
                for at, (abstract, syntaxes) in enumerate(contexts)
            ),
            user=UserInformation(
                max_pdu_length=self._environment.house.max_pdu_length,
                implementation_class_uid=IMPLEMENTATION_CLASS_UID,
                implementation_version_name=IMPLEMENTATION_VERSION_NAME,
                roles=tuple(roles),
            ),
        )
        patience = _Patience(self._environment.limits.artim_seconds, timeout_seconds)
        try:
            async with patience.next():
                requestor = await self._connect(peer, request, cause)
        except TimeoutError:
            raise self._told(peer, cause, f"no connection within {patience}") from None
        except OSError as error:
            raise self._told(peer, cause, why_not(error)) from error
        except UnicodeError as error:
            raise self._told(peer, cause, "that is no name of a host") from error
        try:
            async with patience.next():
                await requestor.associated()
        except TimeoutError:
            why = f"no answer to the association request within {patience}"
            requestor.break_off(why)
            raise NotAssociated(why) from None
        return requestor

    async def close(self, timeout_seconds: float) -> None:
        """Abort what is open, wait for its end; what does not end is cut."""
        self._end_connecting()
        for requestor in list(self._open):
            requestor.stop()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_seconds):
                await self._gone.wait()
        for requestor in list(self._open):
            requestor.link.reset()

    def halt(self) -> None:
        """End all at once, without a word."""
        self._end_connecting()
        for requestor in list(self._open):
            requestor.link.reset()

    def left(self, requestor: Requestor) -> None:
        """A connection less."""
        self._open.discard(requestor)
        if not self._open:
            self._gone.set()

    async def _connect(self, peer: Peer, request: AssociateRQ, cause: str) -> Requestor:
        if self._is_over:
            raise NotAssociated("the server stops")
        sock = await self._socket(peer)
        number = next(self._environment.numbers)
        try:
            requestor = Requestor(number, peer, sock, request, self._environment, self, self._buffer, cause)
        except BaseException:  # the peer is gone again, or the request cannot be written
            sock.close()
            raise
        self._open.add(requestor)
        self._gone.clear()
        requestor.link.open()
        self._see_over(requestor)
        return requestor

    async def _socket(self, peer: Peer) -> socket.socket:
        connecting = asyncio.get_running_loop().create_task(socket_of(peer))
        self._connecting.add(connecting)
        try:
            return await connecting
        except asyncio.CancelledError:
            connecting.cancel()
            if not self._is_over:
                raise  # it takes too long
            raise NotAssociated("the server stops") from None
        finally:
            self._connecting.discard(connecting)

    def _end_connecting(self) -> None:
        self._is_over = True
        for connecting in self._connecting:
            connecting.cancel()

    def _see_over(self, requestor: Requestor) -> None:
        if self._is_over:  # since we began to connect
            requestor.stop()

    def _told(self, peer: Peer, cause: str, why: str) -> NotAssociated:
        """There is no connection to tell it of: it is told without one."""
        text = f"{peer.aet} at {peer.address} cannot be reached: {why}"
        if cause:
            text += f" (for {cause})"
        self._environment.observe(Notice(time.time(), "trouble", text))
        return NotAssociated(f"{peer.aet} cannot be reached: {why}")


class _Patience:
    """How long each step may take: the usual time each, or what is left of a time for all of them."""

    def __init__(self, usual_seconds: float, whole_seconds: float | None) -> None:
        self._usual = usual_seconds
        self._whole = whole_seconds
        self._began = asyncio.get_running_loop().time()

    def next(self) -> asyncio.Timeout:
        """The limit of the step that begins now."""
        if self._whole is None:
            return asyncio.timeout(self._usual)
        return asyncio.timeout_at(self._began + self._whole)

    def __str__(self) -> str:
        return f"{self._usual:g} s (artim_timeout)" if self._whole is None else f"{self._whole:g} s (timeout)"


def why_not(error: OSError) -> str:
    """What the system says; asyncio puts sentences of its own in its place."""
    is_name = isinstance(error, socket.gaierror)
    return os.strerror(error.errno) if error.errno and not is_name else error.strerror or str(error)


def _looked_up(host: str, port: int) -> Future[list[tuple[Any, ...]]]:
    """The addresses of a name. It may take minutes: in a thread of its own, as a stop waits for those of the loop."""
    found: Future[list[tuple[Any, ...]]] = Future()
    found.set_running_or_notify_cancel()

    def look_up() -> None:
        try:
            found.set_result(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError) as error:
            found.set_exception(error)

    threading.Thread(target=look_up, name=f"mockpacs-resolver {host}", daemon=True).start()
    return found


async def socket_of(peer: Peer) -> socket.socket:
    """A socket that is connected and does not block. Raises OSError: that of the last address tried."""
    loop = asyncio.get_running_loop()
    try:  # a number is no name: no thread has to be started to ask for it
        flags = socket.AI_NUMERICHOST
        found = socket.getaddrinfo(peer.host, peer.port, type=socket.SOCK_STREAM, flags=flags)
    except socket.gaierror:
        found = await asyncio.wrap_future(_looked_up(peer.host, peer.port))
    error = OSError(f"{peer.host} has no address")
    for family, kind, protocol, _, address in found:
        sock = socket.socket(family, kind, protocol)
        try:
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await loop.sock_connect(sock, address)
        except OSError as refused:
            sock.close()
            error = refused
        except BaseException:
            sock.close()
            raise
        else:
            return sock
    raise error


async def socket_to(peer: Peer, timeout_seconds: float) -> socket.socket:
    """A socket that is connected to a peer, for who speaks on it without a server. Raises `NotAssociated`."""
    try:
        async with asyncio.timeout(timeout_seconds):
            return await socket_of(peer)
    except TimeoutError:
        why = f"no connection within {timeout_seconds:g} s"
    except OSError as error:
        why = why_not(error)
    except UnicodeError:
        why = "that is no name of a host"
    raise NotAssociated(f"{peer.address} cannot be reached: {why}")
