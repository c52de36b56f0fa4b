"""What all associations of one server share. Made once, by whoever assembles the server."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any, Protocol

from mockpacs.archive import FileMeta, Spool
from mockpacs.net.lanes import Lanes
from mockpacs.services.negotiation import House
from mockpacs.services.registry import Registry
from mockpacs.traffic.exchange import Notice, Record
from mockpacs.traffic.recorder import Recorder

if TYPE_CHECKING:  # a server without a scenario does not load the language: 140 ms of its start
    from mockpacs.net.dialer import Dialer
    from mockpacs.net.theatre import Theatre


class Finishing(Protocol):
    """An exchange that is about to end."""

    @property
    def is_sent(self) -> bool:
        """Whether the peer can have seen its final response."""

    def report(self) -> None:
        """Tell the exchange, once."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The bounds of one server; past each there is a defined answer, never growth."""

    artim_seconds: float = 30.0
    """From connecting to a complete A-ASSOCIATE-RQ, and from our A-ABORT or A-ASSOCIATE-RJ to the close."""
    network_seconds: float = 60.0
    """Silence, or not taking what we send, after which an association is aborted; 0 waits for ever."""
    max_associations: int = 5000
    """One more is answered with A-ASSOCIATE-RJ 2/3/2 (local limit exceeded)."""
    max_instance_size: int = 0
    """Bytes of one data set to store; a longer one is read to its end and refused with A700. 0 sets no limit."""
    max_identifier_size: int = 8 << 20
    """Bytes of any other data set; a longer one is read to its end and refused with A700."""
    max_waiting_requests: int = 32
    """Requests of one association waiting for their turn before we stop reading."""


@dataclass(slots=True)
class Environment:
    """The surroundings of an association. Only the theatre changes while it serves: see `Listener.play`."""

    house: House
    registry: Registry
    spool: Callable[[FileMeta], Spool]
    lanes: Lanes
    limits: Limits
    observe: Callable[[Record], None]
    recorder: Recorder | None = None
    """Where every byte goes, None without a recording."""
    theatre: Theatre | None = None
    """The scenario that is played, None when the server only behaves by the standard."""
    dialer: Dialer | None = None
    """Who opens associations to others; set when the server is assembled, as it needs these surroundings too."""
    numbers: Iterator[int] = field(default_factory=lambda: count(1))
    """Of connections, whoever opens them."""
    finishing: set[Finishing] = field(default_factory=set)
    """Exchanges whose final response is on its way and that are not reported yet; only scenes need a time for that."""
    tasks: set[asyncio.Task[None]] = field(default_factory=set)
    """What runs now; a stop waits for it. The loop itself keeps only weak references."""

    def settle(self) -> None:
        """Have every exchange reported whose final response a peer can have seen: now, not when its rule is done.

        To wait for that instead took as long as a bandwidth or a second answer did, and never ended in a handler.
        """
        for one in list(self.finishing):
            if one.is_sent:
                one.report()

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run something beside everything else."""
        task = asyncio.get_running_loop().create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[None]) -> None:
        """What nobody waits for must not fail unheard."""
        self.tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            text = f"a part of the server failed: {type(error).__name__}: {error}"
            self.observe(Notice(time.time(), "trouble", text))
