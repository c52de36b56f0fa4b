"""One TCP connection: bytes in, bytes out, TLS, socket options. It interprets nothing and decides nothing.

It works on the socket itself and not on an asyncio transport: what has really left must be known byte by byte, and an
association costs three turns of the event loop less.
"""

from __future__ import annotations

import array
import asyncio
import contextlib
import socket
import ssl
import struct
import sys
from collections import deque
from collections.abc import Callable
from typing import Final, Protocol

from mockpacs.net.tls import TlsLayer

if sys.platform == "linux":
    import fcntl
    import termios

    _OUTPUT_QUEUE: int | None = termios.TIOCOUTQ
else:
    _OUTPUT_QUEUE = None

RECEIVE_BUFFER_SIZE: Final = 256 * 1024
_HIGH_WATER: Final = 1 << 20
"""Bytes not yet taken by the peer above which a producer waits."""
_LOW_WATER: Final = 256 * 1024
_READS_AT_THE_END: Final = 16
_NO_LINGER: Final = struct.pack("ii", 1, 0)
_QUICKACK: Final = getattr(socket, "TCP_QUICKACK", None)
_INHERITS_NODELAY: Final = sys.platform == "linux"


class Receiver(Protocol):
    """Who is told what happens on a link; all calls come from the event loop."""

    def opened(self) -> None:
        """The connection stands; bytes may be written from here on."""

    def received(self, data: memoryview | bytes) -> None:
        """Bytes came. A view is valid during the call only: the buffer is shared by all links."""

    def closed(self, error: Exception | None) -> None:
        """The connection is gone, whoever ended it. Called once, and only after ``opened``."""


class Link:
    """A connection. Receiving goes into one buffer shared by all links of a loop.

    Sharing is safe because the receiver is done with the bytes before the next link is read; it is what keeps 1000 idle
    associations from costing 256 MB.
    """

    def __init__(
        self, sock: socket.socket, receiver: Receiver, buffer: memoryview, context: ssl.SSLContext | None = None
    ) -> None:
        """``sock`` is connected and does not block; ``context`` makes it a TLS server."""
        self._loop = asyncio.get_running_loop()
        self._socket = sock
        self._descriptor = sock.fileno()  # a number: asyncio looks up a socket by its repr
        self._receiver = receiver
        self._buffer = buffer
        self._tls = TlsLayer(context) if context else None
        self._unsent: deque[memoryview] = deque()
        self._unsent_size = 0
        self._when_drained: list[Callable[[], None]] = []
        self._is_reading = False
        self._is_heard = True  # until the peer's FIN, or until we do not care
        self._is_closing = False
        self._is_closed = False
        self.stalled_since: float | None = None
        """Loop time since when the peer has taken nothing of what waits to be sent; None when nothing waits."""

    @property
    def is_open(self) -> bool:
        """Whether bytes can still be written."""
        return not self._is_closing

    @property
    def is_secure(self) -> bool:
        """Whether TLS is spoken."""
        return self._tls is not None

    @property
    def is_reading(self) -> bool:
        """Whether what the peer sends is taken."""
        return self._is_reading

    @property
    def untaken(self) -> int:
        """Bytes the peer has not acknowledged, ours and the kernel's; only ours where the kernel does not tell.

        It says that a socket is writable again in steps of a megabyte: too coarse to tell a slow peer from a deaf one.
        """
        if _OUTPUT_QUEUE is None or self._is_closed:
            return self._unsent_size
        count = array.array("i", [0])
        fcntl.ioctl(self._descriptor, _OUTPUT_QUEUE, count)
        return self._unsent_size + count[0]

    def open(self) -> None:
        """Tell the receiver, start reading."""
        if not _INHERITS_NODELAY:  # Linux passes it on from the listening socket
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._receiver.opened()
        self.resume()
        if self._is_reading:
            self._read()  # the first message is mostly here by now: a turn of the loop less

    def write(self, pieces: list[bytes]) -> None:
        """Send; what the peer does not take yet is kept: whoever produces much awaits ``drained``."""
        if not pieces or self._is_closing:
            return
        data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        self._send(self._tls.wrap(data) if self._tls else data)

    async def drained(self) -> None:
        """Return when the peer has taken enough; at once when it has, or when the connection is gone."""
        if self._unsent_size > _HIGH_WATER:
            waiter = self._loop.create_future()
            self.when_drained(lambda: None if waiter.done() else waiter.set_result(None))
            await waiter

    def when_drained(self, then: Callable[[], None]) -> None:
        """Call ``then`` when the peer has taken enough, or when the connection is gone; now when it has."""
        if self._unsent_size > _HIGH_WATER:
            self._when_drained.append(then)
        else:
            then()

    def pause(self) -> None:
        """Read no more: TCP makes the peer wait."""
        if self._is_reading:
            self._is_reading = False
            self._loop.remove_reader(self._descriptor)

    def resume(self) -> None:
        """Read again."""
        if not self._is_reading and not self._is_closing:
            self._is_reading = True
            self._loop.add_reader(self._descriptor, self._read)

    def close(self) -> None:
        """Send what waits, then FIN."""
        if self._is_closing:
            return
        if self._tls:
            self._send(self._tls.close())
        self.pause()
        self._is_closing = True
        if not self._unsent:
            self._loop.call_soon(self._end, None)

    def reset(self) -> None:
        """Throw away what waits and send RST."""
        if not self._is_closed:
            self._is_closing = True
            self._is_heard = False  # no goodbye: a FIN before the RST would look like an orderly end
            with contextlib.suppress(OSError):
                self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
            self._loop.call_soon(self._end, None)

    def _read(self) -> None:
        try:
            count = self._socket.recv_into(self._buffer)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self._end(error)
            return
        if not count:
            self._is_heard = False
            self._end(None)
            return
        if _QUICKACK is not None:
            # A client that leaves Nagle's algorithm on waits for our ACK before it sends the rest of a message, and
            # Linux holds that ACK back for 40 ms unless asked anew after every receive: 1000 small images take 90 s
            # without this line, 1 s with it.
            self._socket.setsockopt(socket.IPPROTO_TCP, _QUICKACK, 1)
        data = self._buffer[:count]
        if self._tls is None:
            self._receiver.received(data)
        else:
            self._read_tls(self._tls, data)

    def _read_tls(self, tls: TlsLayer, data: memoryview) -> None:
        try:
            plain = tls.receive(data)
        except ssl.SSLError as error:
            self._send(tls.output())  # the alert that tells the peer
            self._end(error)
            return
        self._send(tls.output())
        if plain:
            self._receiver.received(plain)
        if tls.is_ended and not self._is_closing:
            self._send(tls.close())  # who says goodbye waits for ours (RFC 8446 6.1)
            self._end(None)

    def _send(self, data: bytes) -> None:
        """Hand bytes to the kernel, keep what it does not take."""
        if not data or self._is_closed:
            return
        sent = 0
        if not self._unsent:
            try:
                sent = self._socket.send(data)
            except (BlockingIOError, InterruptedError):
                pass
            except OSError as error:
                self._is_closing = True
                self._loop.call_soon(self._end, error)  # not from within what the receiver is doing
                return
        if sent < len(data):
            if not self._unsent:
                self.stalled_since = self._loop.time()
                self._loop.add_writer(self._descriptor, self._send_more)
            self._unsent.append(memoryview(data)[sent:])
            self._unsent_size += len(data) - sent

    def _send_more(self) -> None:
        """The kernel takes bytes again."""
        try:
            sent = self._socket.send(self._unsent[0])
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self._end(error)
            return
        self.stalled_since = self._loop.time()
        self._unsent_size -= sent
        if sent == len(self._unsent[0]):
            self._unsent.popleft()
        else:
            self._unsent[0] = self._unsent[0][sent:]
        if self._unsent_size <= _LOW_WATER:
            self._release_producers()
        if not self._unsent:
            self.stalled_since = None
            self._loop.remove_writer(self._descriptor)
            if self._is_closing:
                self._end(None)

    def _release_producers(self) -> None:
        waiting, self._when_drained = self._when_drained, []
        for then in waiting:
            then()

    def _end(self, error: Exception | None) -> None:
        """The end, once: nothing is read or written any more, whoever waits need not wait."""
        if self._is_closed:
            return
        self.pause()
        if self._unsent:
            self._loop.remove_writer(self._descriptor)
            self._unsent.clear()
            self._unsent_size = 0
        self._is_closing = self._is_closed = True
        self.stalled_since = None
        if self._is_heard and error is None:
            self._say_goodbye()
        self._socket.close()
        self._release_producers()
        self._receiver.closed(error)

    def _say_goodbye(self) -> None:
        """FIN first, then take what is there: closing with unread bytes sends RST, which can overtake our A-ABORT."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)
            for _ in range(_READS_AT_THE_END):
                if not self._socket.recv_into(self._buffer):
                    return
