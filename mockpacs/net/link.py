"""One TCP connection: bytes in, bytes out, socket options. It interprets nothing and decides nothing."""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from typing import Any, Final, Protocol, cast

RECEIVE_BUFFER_SIZE: Final = 256 * 1024
_WRITE_BUFFER_HIGH: Final = 1 << 20
_NO_LINGER: Final = struct.pack("ii", 1, 0)


class Receiver(Protocol):
    """Who is told what happens on a link; all calls come from the event loop."""

    def opened(self) -> None:
        """The connection stands; bytes may be written from here on."""

    def received(self, data: memoryview) -> None:
        """Bytes came. The view is valid during the call only: the buffer is shared by all links."""

    def closed(self, error: Exception | None) -> None:
        """The connection is gone, whoever ended it. Called once, and only after ``opened``."""


class Link(asyncio.BufferedProtocol):
    """A connection. Receiving goes into one buffer shared by all links of a loop.

    Sharing is safe because ``buffer_updated`` follows ``get_buffer`` without a turn of the loop in between, for TLS
    too; it is what keeps 1000 idle associations from costing 256 MB.
    """

    def __init__(self, receiver: Receiver, buffer: bytearray) -> None:
        self._receiver = receiver
        self._buffer = memoryview(buffer)
        self._transport: asyncio.Transport | None = None
        self._socket: Any = None
        self._writable: asyncio.Future[None] | None = None
        self._reading = True
        self.blocked_since: float | None = None
        """Monotonic time since when the peer has not taken what we write; None while it does."""

    @property
    def is_open(self) -> bool:
        """Whether bytes can still be written."""
        return self._transport is not None and not self._transport.is_closing()

    @property
    def peer_address(self) -> str:
        """host:port of the other end."""
        name = self._transport.get_extra_info("peername") if self._transport else None
        if not name:
            return "?"
        return f"[{name[0]}]:{name[1]}" if ":" in name[0] else f"{name[0]}:{name[1]}"

    @property
    def is_secure(self) -> bool:
        """Whether TLS is spoken."""
        return self._transport is not None and self._transport.get_extra_info("ssl_object") is not None

    def write(self, pieces: list[bytes]) -> None:
        """Send; what the peer does not take yet is buffered: whoever produces much awaits ``drained``."""
        if pieces and self._transport is not None and not self._transport.is_closing():
            self._transport.write(pieces[0] if len(pieces) == 1 else b"".join(pieces))

    async def drained(self) -> None:
        """Return when the peer has taken enough; at once when it has, or when the connection is gone."""
        if self.blocked_since is not None:
            if self._writable is None:
                self._writable = asyncio.get_running_loop().create_future()
            await asyncio.shield(self._writable)

    def pause(self) -> None:
        """Read no more: TCP makes the peer wait."""
        if self._reading and self._transport is not None and not self._transport.is_closing():
            self._reading = False
            self._transport.pause_reading()

    def resume(self) -> None:
        """Read again."""
        if not self._reading and self._transport is not None and not self._transport.is_closing():
            self._reading = True
            self._transport.resume_reading()

    def close(self) -> None:
        """Send what is buffered, then FIN."""
        if self._transport is not None:
            self._transport.close()

    def reset(self) -> None:
        """Throw away what is buffered and send RST."""
        if self._transport is not None:
            if self._socket is not None and self._socket.fileno() >= 0:
                self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
            self._transport.abort()

    # asyncio.BufferedProtocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The socket options that make small messages fast, then tell the receiver."""
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=_WRITE_BUFFER_HIGH)
        self._socket = transport.get_extra_info("socket")
        if self._socket is not None:
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._acknowledge_at_once()
        self._receiver.opened()

    def get_buffer(self, sizehint: int) -> memoryview:
        """The shared buffer."""
        del sizehint
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Bytes are in the buffer."""
        self._acknowledge_at_once()
        self._receiver.received(self._buffer[:nbytes])

    def pause_writing(self) -> None:
        """The peer does not take what we write."""
        self.blocked_since = time.monotonic()

    def resume_writing(self) -> None:
        """It does again."""
        self.blocked_since = None
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)
        self._writable = None

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone: whoever waited to write need not wait."""
        self.resume_writing()
        self._receiver.closed(exc)

    if hasattr(socket, "TCP_QUICKACK"):

        def _acknowledge_at_once(self) -> None:
            # A client that leaves Nagle's algorithm on waits for our ACK before it sends the rest of a message, and
            # Linux holds that ACK back for 40 ms unless asked anew after every receive: 1000 small images take 90 s
            # without this line, 1 s with it.
            if self._socket is not None:
                self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)

    else:

        def _acknowledge_at_once(self) -> None:
            """Linux alone has TCP_QUICKACK."""
