"""What is on its way to the peer: handed to the kernel, kept where it does not take it, recorded before it leaves.

Bytes are handed over in pieces of at most 256 KiB, so that no more than that is in a recording without having left.
"""

from __future__ import annotations

import array
import asyncio
import contextlib
import socket
import sys
from collections import deque
from collections.abc import Callable
from typing import Final

from mockpacs.traffic.track import Track

if sys.platform == "linux":
    import fcntl
    import termios

    _OUTPUT_QUEUE: int | None = termios.TIOCOUTQ
else:
    _OUTPUT_QUEUE = None

_HIGH_WATER: Final = 1 << 20
"""Bytes not yet taken by the peer above which a producer waits."""
_LOW_WATER: Final = 256 * 1024
_PIECE: Final = 256 * 1024


class Outbox:
    """The sending half of a connection."""

    def __init__(
        self,
        sock: socket.socket,
        track: Track | None,
        failed: Callable[[OSError | None], None],
        emptied: Callable[[], None],
    ) -> None:
        """``track``: who records plain bytes, None without a recording or where they are ciphered.

        ``failed`` is called with the error when the kernel takes nothing more, with None when recording failed; both
        from a turn of the loop of its own. ``emptied`` is called when all that waited is gone.
        """
        self._loop = asyncio.get_running_loop()
        self._socket = sock
        self._descriptor = sock.fileno()
        self._track = track
        self._failed = failed
        self._emptied = emptied
        self._waiting: deque[memoryview] = deque()
        self._when_drained: list[Callable[[], None]] = []
        self._is_closed = False
        self.size = 0
        """Bytes that wait."""
        self.ahead = 0
        """How many of them are recorded already."""
        self.stalled_since: float | None = None
        """Loop time since when the kernel has taken nothing of what waits; None when nothing waits."""

    @property
    def untaken(self) -> int:
        """Bytes the peer has not acknowledged, ours and the kernel's; only ours where the kernel does not tell.

        It says that a socket is writable again in steps of a megabyte: too coarse to tell a slow peer from a deaf one.
        """
        if _OUTPUT_QUEUE is None or self._is_closed:
            return self.size
        count = array.array("i", [0])
        fcntl.ioctl(self._descriptor, _OUTPUT_QUEUE, count)
        return self.size + count[0]

    @property
    def unrecorded(self) -> int:
        """Bytes that wait and are to be recorded when they leave."""
        return self.size - self.ahead if self._track is not None else 0

    def send(self, data: bytes) -> None:
        """Send now what the kernel takes, keep the rest."""
        if len(data) <= _PIECE:
            self._send(data)
        else:
            view = memoryview(data)
            for start in range(0, len(data), _PIECE):
                self._send(view[start : start + _PIECE])

    def when_drained(self, then: Callable[[], None]) -> None:
        """Call ``then`` when the peer has taken enough, or when the connection is gone; now when it has."""
        if self.size > _HIGH_WATER:
            self._when_drained.append(then)
        else:
            then()

    def finish(self) -> None:
        """FIN: nothing more is sent. Nothing must wait."""
        self._is_closed = True
        with contextlib.suppress(OSError):  # the peer is gone: whoever reads hears of it
            self._socket.shutdown(socket.SHUT_WR)

    def close(self) -> int:
        """Throw away what waits, let producers go; returns how many bytes are in the recording but did not leave."""
        self._is_closed = True
        if self._waiting:
            self._loop.remove_writer(self._descriptor)
            self._waiting.clear()
        unsent = self.ahead if self._track else self.size
        self.size = self.ahead = 0
        self.stalled_since = None
        return unsent

    def release_producers(self) -> None:
        """Whoever waits need not wait any more."""
        waiting, self._when_drained = self._when_drained, []
        for then in waiting:
            then()

    def _send(self, data: bytes | memoryview) -> None:
        if not data or self._is_closed:
            return
        sent = 0
        if not self._waiting:
            if not self._record(data):
                return
            try:
                sent = self._socket.send(data)
            except (BlockingIOError, InterruptedError):
                pass
            except OSError as error:
                self._loop.call_soon(self._failed, error)  # not from within what the receiver is doing
                self._is_closed = True
                return
            if sent == len(data):
                self.ahead = 0
                return
            self.ahead = max(self.ahead - sent, 0)
            self.stalled_since = self._loop.time()
            self._loop.add_writer(self._descriptor, self._send_more)
        self._waiting.append(memoryview(data)[sent:])
        self.size += len(data) - sent

    def _record(self, data: bytes | memoryview) -> bool:
        """What leaves next goes to the recording first; False when it must not leave."""
        if self._track is None:
            return True
        if not self._track.sending(data):
            self._is_closed = True
            self._loop.call_soon(self._failed, None)
            return False
        self.ahead = len(data)
        return True

    def _send_more(self) -> None:
        """The kernel takes bytes again."""
        piece = self._waiting[0]  # a piece is recorded whole, in its turn
        if not self.ahead and not self._record(piece):
            return
        try:
            sent = self._socket.send(piece)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self._failed(error)
            return
        self.stalled_since = self._loop.time()
        self.size -= sent
        self.ahead = max(self.ahead - sent, 0)
        if sent == len(piece):
            self._waiting.popleft()
        else:
            self._waiting[0] = piece[sent:]
        if self.size <= _LOW_WATER:
            self.release_producers()
        if not self._waiting:
            self.stalled_since = None
            self._loop.remove_writer(self._descriptor)
            self._emptied()
