"""One TCP connection: bytes in, bytes out, TLS, socket options. It interprets nothing and decides nothing.

It works on the socket itself and not on an asyncio transport: what has really left must be known byte by byte, and an
association costs three turns of the event loop less.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import struct
import sys
from collections.abc import Callable
from typing import Final, Protocol

from mockpacs.net.outbox import Outbox
from mockpacs.net.tls import TlsLayer
from mockpacs.traffic.track import Track

RECEIVE_BUFFER_SIZE: Final = 256 * 1024
_READS_AT_THE_END: Final = 16
_NO_LINGER: Final = struct.pack("ii", 1, 0)
_QUICKACK: Final = getattr(socket, "TCP_QUICKACK", None)
_INHERITS_NODELAY: Final = sys.platform == "linux"


class Receiver(Protocol):
    """Who is told what happens on a link; all calls come from the event loop."""

    def opened(self) -> None:
        """The connection stands, TLS included where we are its client; bytes may be written from here on."""

    def received(self, data: memoryview | bytes) -> None:
        """Bytes came. A view is valid during the call only: the buffer is shared by all links."""

    def closed(self, error: Exception | None) -> None:
        """The connection is gone, whoever ended it. Called once; without ``opened`` when our TLS handshake failed."""


class Link:
    """A connection. Receiving goes into one buffer shared by all links of a loop.

    Sharing is safe because the receiver is done with the bytes before the next link is read; it is what keeps 1000 idle
    associations from costing 256 MB.
    """

    def __init__(
        self,
        sock: socket.socket,
        receiver: Receiver,
        buffer: memoryview,
        context: ssl.SSLContext | None = None,
        track: Track | None = None,
        server: str | None = None,
    ) -> None:
        """``sock`` is connected and does not block; ``context`` makes it a TLS server; ``track`` records it.

        ``server``: it was us who connected, to this name or address: with ``context`` as a TLS client.
        """
        self._loop = asyncio.get_running_loop()
        self._socket = sock
        self._descriptor = sock.fileno()  # a number: asyncio looks up a socket by its repr
        self._receiver = receiver
        self._buffer = buffer
        self._tls = TlsLayer(context, server) if context else None
        self._is_greeting = self._tls is not None and server is not None
        self.track = track
        """Told of all that came before anybody looks at it, of all that leaves before it does; None: no recording."""
        self._outbox = Outbox(sock, None if context else track, self._cannot_send, self._sent_all)
        self.keep_open = False
        """Whether the connection stays after the peer's FIN; somebody else ends it then."""
        self.asked_at_end: Callable[[], bool] | None = None
        """Asked the same, once, when the peer has said that it ends."""
        self._is_reading = False
        self._is_deaf = False
        self._is_heard = True  # until the peer's FIN, or until we do not care
        self._is_shut = False  # nothing more is written
        self._is_closing = False
        self._is_closed = False
        self._is_reset = False
        self._fins: tuple[bool, ...] = ()  # seen and recorded, once each: ours is True

    @property
    def is_open(self) -> bool:
        """Whether bytes can still be written."""
        return not self._is_shut

    @property
    def is_gone(self) -> bool:
        """Whether the connection is no more."""
        return self._is_closed

    @property
    def is_secure(self) -> bool:
        """Whether TLS is spoken."""
        return self._tls is not None

    @property
    def is_greeting(self) -> bool:
        """Whether we are a TLS client whose handshake is not done."""
        return self._is_greeting

    @property
    def is_reading(self) -> bool:
        """Whether what the peer sends is taken."""
        return self._is_reading

    @property
    def stalled_since(self) -> float | None:
        """Loop time since when the peer has taken nothing of what waits to be sent; None when nothing waits."""
        return self._outbox.stalled_since

    @property
    def unrecorded(self) -> int:
        """Bytes that wait to be sent and are not in the recording yet."""
        return self._outbox.unrecorded

    @property
    def untaken(self) -> int:
        """Bytes the peer has not acknowledged, as far as the kernel tells."""
        return self._outbox.untaken

    def open(self) -> None:
        """Tell the receiver, start reading."""
        if not _INHERITS_NODELAY:  # Linux passes it on from the listening socket
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._is_greeting and self._tls is not None:
            self._outbox.send(self._tls.begin())
            self.resume()
            return
        self._receiver.opened()
        self.resume()
        if self._is_reading:
            self._read()  # the first message is mostly here by now: a turn of the loop less
        elif self.track is not None:
            self.track.settle()

    def write(self, pieces: list[bytes]) -> None:
        """Send; what the peer does not take yet is kept: whoever produces much awaits ``drained``."""
        if not pieces or self._is_shut:
            return
        data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        if self._tls is None:
            self._outbox.send(data)
        elif self.track is None or self.track.sending(data):
            self._outbox.send(self._tls.wrap(data))
        else:
            self.reset()

    async def drained(self) -> None:
        """Return when the peer has taken enough; at once when it has, or when the connection is gone."""
        waiter = self._loop.create_future()
        self.when_drained(lambda: None if waiter.done() else waiter.set_result(None))
        await waiter

    def when_drained(self, then: Callable[[], None]) -> None:
        """Call ``then`` when the peer has taken enough, or when the connection is gone; now when it has."""
        self._outbox.when_drained(then)

    def pause(self) -> None:
        """Read no more: TCP makes the peer wait."""
        if self._is_reading:
            self._is_reading = False
            self._loop.remove_reader(self._descriptor)

    def resume(self) -> None:
        """Read again, unless deaf."""
        if not self._is_reading and not self._is_deaf and not self._is_closing:
            self._is_reading = True
            self._loop.add_reader(self._descriptor, self._read)

    def deafen(self) -> None:
        """Read no more, for good."""
        self._is_deaf = True
        self.pause()

    def close(self) -> None:
        """Send what waits, then FIN."""
        if self._is_closing:
            return
        self._say_last()
        self.pause()
        self._is_closing = True
        if not self._outbox.size:
            self._loop.call_soon(self._end, None)

    def half_close(self) -> None:
        """Send what waits, then FIN, and go on reading."""
        if self._is_shut:
            return
        self._say_last()
        if not self._outbox.size:
            self._finish()

    def reset(self) -> None:
        """Throw away what waits and send RST."""
        if not self._is_closed:
            self._is_shut = self._is_closing = self._is_reset = True
            self._is_heard = False  # no goodbye: a FIN before the RST would look like an orderly end
            with contextlib.suppress(OSError):
                self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
            self._loop.call_soon(self._end, None)

    def _read(self) -> None:
        try:
            count = self._socket.recv_into(self._buffer)
        except (BlockingIOError, InterruptedError):
            if self.track is not None:
                self.track.settle()  # nothing came with the connection
            return
        except OSError as error:
            self._end(error)
            return
        if not count:
            self._hear_end()
            return
        if _QUICKACK is not None:
            # A client that leaves Nagle's algorithm on waits for our ACK before it sends the rest of a message, and
            # Linux holds that ACK back for 40 ms unless asked anew after every receive: 1000 small images take 90 s
            # without this line, 1 s with it.
            self._socket.setsockopt(socket.IPPROTO_TCP, _QUICKACK, 1)
        data = self._buffer[:count]
        if self._tls is None:
            self._hand_over(data)
        else:
            self._read_tls(self._tls, data)

    def _hand_over(self, data: memoryview | bytes) -> None:
        """First to the recording, then to the receiver, who has it before its buffer is used again."""
        track = self.track
        if track is None:
            self._receiver.received(data)
        elif track.received(data):
            try:
                self._receiver.received(data)
            finally:
                track.settle()
        else:
            self.reset()

    def _read_tls(self, tls: TlsLayer, data: memoryview) -> None:
        try:
            plain = tls.receive(data)
        except ssl.SSLError as error:
            if self.track is not None:
                self.track.received(data)  # not in clear, but it is what came
            self._outbox.send(tls.output())  # the alert that tells the peer
            self._end(error)
            return
        self._outbox.send(tls.output())
        if self._is_greeting and tls.is_ready:
            self._is_greeting = False
            self._receiver.opened()
        if plain:
            self._hand_over(plain)
        if tls.is_ended and not self._is_closing and not self._stays():
            self._outbox.send(tls.close())  # who says goodbye waits for ours (RFC 8446 6.1)
            self._end(None)

    def _stays(self) -> bool:
        if self.asked_at_end is not None:
            ask, self.asked_at_end = self.asked_at_end, None  # once: TLS ends, then TCP
            self.keep_open = ask() or self.keep_open
        return self.keep_open

    def _hear_end(self) -> None:
        """The peer's FIN."""
        self._is_heard = False
        if True in self._fins or not self._stays():
            self._end(None)
            return
        self.deafen()  # a socket at its end is readable for ever
        self._note_fin(by_us=False)
        if self.track is not None:
            self.track.settle()

    def _say_last(self) -> None:
        """Nothing is written after this."""
        if self._tls and not self._is_shut:
            self._outbox.send(self._tls.close())
        self._is_shut = True

    def _finish(self) -> None:
        """FIN, when all has left and we go on reading."""
        self._note_fin(by_us=True)
        if self.track is not None and not self.track.settle():
            self.reset()
            return
        self._outbox.finish()
        if not self._is_heard:  # neither side has anything to say
            self._loop.call_soon(self._end, None)

    def _cannot_send(self, error: OSError | None) -> None:
        """The peer is gone; or, without an error, what leaves can no longer be recorded."""
        if error is None:
            self.reset()
        else:
            self._end(error)

    def _sent_all(self) -> None:
        if self._is_closing:
            self._end(None)
        elif self._is_shut:
            self._finish()

    def _end(self, error: Exception | None) -> None:
        """The end, once: nothing is read or written any more, whoever waits need not wait."""
        if self._is_closed:
            return
        self.pause()
        unsent = self._outbox.close()
        self._is_shut = self._is_closing = self._is_closed = True
        self._outbox.release_producers()
        try:
            self._receiver.closed(error)  # first: what is said about the end is recorded with it
        finally:
            if self.track is not None:
                self._record_end(self.track, error, unsent)
            if self._is_heard and error is None:
                self._say_goodbye()
            self._socket.close()
            if self.track is not None:
                self.track.end()

    def _record_end(self, track: Track, error: Exception | None, unsent: int) -> None:
        if self._is_reset:
            track.closed(by_us=True, reset=True, unsent=unsent)
        elif error is not None and not isinstance(error, ssl.SSLError):
            track.closed(by_us=False, reset=True, unsent=unsent)
        else:
            if not self._is_heard:
                self._note_fin(by_us=False)
            self._note_fin(by_us=True, unsent=unsent)

    def _note_fin(self, *, by_us: bool, unsent: int = 0) -> None:
        if by_us not in self._fins:
            self._fins += (by_us,)
            if self.track is not None:
                self.track.closed(by_us=by_us, reset=False, unsent=unsent)

    def _say_goodbye(self) -> None:
        """FIN first, then take what is there: closing with unread bytes sends RST, which can overtake our A-ABORT."""
        track = self.track
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)
            for _ in range(_READS_AT_THE_END):
                count = self._socket.recv_into(self._buffer)
                if track is not None and count:
                    self._record_leftover(track, self._buffer[:count])
                elif not count:
                    self._note_fin(by_us=False)
                    return

    def _record_leftover(self, track: Track, data: memoryview) -> None:
        """What came after our goodbye means nothing any more, but it came."""
        plain: memoryview | bytes = data
        if self._tls is not None:
            try:
                plain = self._tls.receive(data)
            except ssl.SSLError:
                return
        if plain:
            track.received(plain)
            track.settle()
