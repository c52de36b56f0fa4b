"""Does on a connection what it is told, in order: writes, waits, endings. It never blocks and decides nothing.

What it waits for, a time or a peer that takes nothing, is over at once when the connection is, or when told to stop.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from mockpacs.net.link import Link
from mockpacs.wire.fault import Fault, paced
from mockpacs.wire.operation import Deafen, Finish, HalfClose, Mute, Operation, Reset, Wait, Write

_STEPS_AT_ONCE: Final = 256
_BYTES_AT_ONCE: Final = 1 << 20
"""What is done in one turn of the event loop; then others have theirs."""


class Performer:
    """The operations of one link. Whoever receives of the link calls ``stop`` when it is closed."""

    def __init__(self, link: Link) -> None:
        self._loop = asyncio.get_running_loop()
        self._link = link
        self._queue: deque[Iterator[Operation]] = deque()
        self._pieces: Iterator[Operation] | None = None  # of the write that is being slowed down
        self._rest_until = 0.0
        self._held: object | None = None  # stands for what is waited for
        self._timer: asyncio.Handle | None = None
        self._is_performing = False
        self._is_resting = False  # all is sent, the time that it takes is not over
        self._when_idle: list[Callable[[], None]] = []
        self.pace: Fault | None = None
        """Drip and bandwidth of all that is written from now on, over all answers; the rest of the fault is ignored."""
        self.is_mute = False
        """Whether what is written is dropped."""

    @property
    def is_idle(self) -> bool:
        """Whether all that was queued is done."""
        return not (self._queue or self._pieces or self._held or self._is_performing)

    @property
    def has_sent(self) -> bool:
        """Whether all bytes that were queued have left, whatever is still waited for; the peer may have them."""
        is_done = self.is_idle or (self._is_resting and len(self._queue) <= 1)  # the one whose last bytes these were
        return is_done and self._link.stalled_since is None

    def write(self, pieces: list[bytes]) -> None:
        """Send, behind what is queued; what the peer does not take yet is kept, as by `Link.write`."""
        if self.pace is None and self.is_idle:
            if not self.is_mute:
                self._link.write(pieces)
        else:
            self.perform((Write(b"".join(pieces)),))

    def perform(self, operations: Iterable[Operation]) -> None:
        """Do this behind what is queued, now as far as it can be done now; each is taken when its turn comes."""
        self._queue.append(iter(operations))
        self._proceed()

    def close(self) -> None:
        """FIN, behind what is queued; what is queued later is not done."""
        self.perform((Finish(),))

    def reset(self) -> None:
        """RST, at once; what is queued is dropped."""
        self._link.reset()
        self.stop()

    def when_idle(self, then: Callable[[], None]) -> None:
        """Call ``then`` when all that was queued is done, or the connection is gone; now when it is."""
        if self.is_idle:
            then()
        else:
            self._when_idle.append(then)

    async def idle(self) -> None:
        """Return when all that was queued is done, or the connection is gone; at once when it is."""
        waiter = self._loop.create_future()
        self.when_idle(lambda: None if waiter.done() else waiter.set_result(None))
        await waiter

    def stop(self) -> None:
        """Drop what is queued, forget the pace, let go whoever waits: the connection is gone, or about to be ended."""
        self.pace = None
        self._drop()
        self._release()

    def _drop(self) -> None:
        self._queue = deque()  # a new one: one of its iterators may be running
        self._pieces = self._held = None
        self._is_resting = False
        if self._timer is not None:
            self._timer.cancel()

    def _release(self) -> None:
        waiting, self._when_idle = self._when_idle, []
        for then in waiting:
            then()

    def _proceed(self) -> None:
        """Do what is queued until something has to be waited for."""
        if self._is_performing or self._held:
            return
        if self._link.is_gone:
            self.stop()
            return
        self._is_performing = True
        try:
            self._perform_some()
        finally:
            self._is_performing = False
            if self.is_idle:
                self._release()
            elif not self._held:  # it was a lot, or what makes operations failed: the rest has a turn of its own
                self._timer = self._loop.call_soon(self._hold())

    def _perform_some(self) -> None:
        steps, size = 0, 0
        while not self._held and steps < _STEPS_AT_ONCE and size < _BYTES_AT_ONCE:
            operation = self._next()
            if operation is None:
                return
            steps += 1
            size += len(operation.data) if isinstance(operation, Write) else 0
            self._do(operation)

    def _next(self) -> Operation | None:
        """Take the next operation; a write, when there is a pace, piece by piece."""
        if self._pieces is not None:
            if (piece := next(self._pieces, None)) is not None:
                return piece
            self._pieces = None
        queue = self._queue
        while queue:
            operations = queue.popleft()
            operation = next(operations, None)
            if operation is None:
                continue
            queue.appendleft(operations)
            if isinstance(operation, Write) and operation.data and self.pace is not None and not self.is_mute:
                self._pieces = self._slowed(operation.data, self.pace)
                return self._next()
            return operation
        return None

    def _slowed(self, data: bytes, pace: Fault) -> Iterator[Operation]:
        """Yield what to do to send at this pace: a drip goes on from one write to the next."""
        if (rest := self._rest_until - self._loop.time()) > 0:
            yield Wait(rest)
        for operation in paced((data,), pace):
            yield operation
            if pace.drip_bytes and isinstance(operation, Write):
                self._rest_until = self._loop.time() + pace.drip_every_seconds

    def _do(self, operation: Operation) -> None:
        match operation:
            case Write(data):
                if data and not self.is_mute:
                    self._link.write([data])
                    self._link.when_drained(self._hold())
            case Wait(seconds, is_rest):
                self._is_resting = is_rest
                self._timer = self._loop.call_later(seconds, self._hold())
            case Finish():
                self._drop()
                self._link.close()
            case HalfClose():
                self._link.half_close()
            case Reset():
                self.reset()
            case Mute():
                self.is_mute = True
            case Deafen():
                self._link.deafen()

    def _hold(self) -> Callable[[], None]:
        """Do nothing more until what is returned is called, unless all was dropped meanwhile."""
        held = self._held = object()

        def go_on() -> None:
            if self._held is held:
                self._held = None
                self._is_resting = False
                self._proceed()

        return go_on
