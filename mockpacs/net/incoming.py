"""One request while it arrives: its command, and its data set going to a spool or, when small by nature, to memory."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Protocol

from mockpacs.archive import FileMeta, Spool
from mockpacs.net.environment import Environment
from mockpacs.services.courier import Couriers, no_courier
from mockpacs.services.request import Outcome, Request
from mockpacs.traffic.answers import Answers
from mockpacs.traffic.exchange import Place
from mockpacs.traffic.subject import head_size, subject_of
from mockpacs.wire import AcceptedContext, Command
from mockpacs.wire.status import OUT_OF_RESOURCES

if TYPE_CHECKING:
    from mockpacs.scenario.cast import Cast
    from mockpacs.scenario.decision import Act
    from mockpacs.scenario.stimulus import Facts

_SPILL_FROM: Final = 1 << 20
"""Bytes of one data set held in memory before they go to its temporary file."""
_HOLD_AT_MOST: Final = 4 << 20
"""Bytes held while the disk is behind; beyond that the peer is made to wait."""

_FAR_HEAD: Final = 4 << 20
"""Bytes of a data set in which a scenario looks for attributes."""
_TOO_LONG_FOR_A_UID: Final = 65
"""Characters kept of a SOP Instance UID: enough to see that it is none, not the megabyte a command set may have."""


class Decided:
    """What a scenario decided about an exchange so far: names of rules, what they did to it."""

    __slots__ = ("fault", "rule")

    def __init__(self) -> None:
        self.rule = ""
        self.fault = ""

    def add(self, rule: str, fault: str) -> None:
        """A rule fired; what is told already is not told again."""
        for name in rule.split(", "):
            if name not in self.rule.split(", "):
                self.rule = f"{self.rule}, {name}" if self.rule else name
        if fault and f", {fault}, " not in f", {self.fault}, ":
            self.fault = f"{self.fault}, {fault}" if self.fault else fault


class _Undecided(Decided):
    """What is decided about nothing."""

    __slots__ = ()

    def add(self, rule: str, fault: str) -> None:
        """Never: it is shared by all exchanges that no scenario is about."""
        raise AssertionError(f"{rule} was to be told of an exchange without a scene")


UNDECIDED: Final = _Undecided()


class Played(Protocol):
    """The exchange of a request as a scenario plays it."""

    @property
    def cast(self) -> Cast:
        """The rules that decide about it, from its begin to its end."""

    @property
    def final(self) -> Outcome | None:
        """The final response that was sent, None when there was none."""

    def see_fragment(self) -> None:
        """A fragment of the data set came."""

    async def wait(self, act: Act) -> bool:
        """The delay of an act, and what it waits for. Whether the association goes on."""

    def stir(self) -> None:
        """A cancel came, or the association ended."""

    async def play(self, finish: Callable[[], None]) -> None:
        """All of it; ``finish`` is called when the next exchange may begin."""

    def note_rules(self) -> None:
        """Tell the recording what was decided and is not in it yet."""


class Incoming:
    """A request and what has arrived of its data set. Lives in the event loop; spilling runs in a reader's thread."""

    __slots__ = (
        "_environment",
        "_head",
        "_head_size",
        "_held",
        "_is_unwanted",
        "_limit",
        "_spilling",
        "_spool",
        "answers",
        "command",
        "context",
        "decided",
        "facts",
        "is_cancelled",
        "number",
        "place",
        "scene",
        "size",
        "started",
        "started_clock",
    )

    def __init__(
        self, number: int, context: AcceptedContext, command: Command, source_aet: str, environment: Environment
    ) -> None:
        """``number``: which exchange of its association it begins, counted from 1."""
        self.context = context
        self.command = command
        self.number = number
        self.answers = Answers()
        self.decided: Decided = UNDECIDED
        self.facts: Facts | None = None  # of the whole data set, once a scenario looked at it
        self.place: Place | None = None
        self.scene: Played | None = None  # what a scenario makes of it, None for nearly all
        self.size = 0
        self.is_cancelled = False
        self.started = time.time()
        self.started_clock = time.perf_counter()
        self._environment = environment
        self._head = bytearray()
        self._held: list[bytes] = []
        self._spool: Spool | None = None
        self._spilling: asyncio.Task[None] | None = None
        self._is_unwanted = False
        self._head_size = head_size(command)
        self._limit = environment.limits.max_identifier_size
        if command.service == "C-STORE":
            self._limit = environment.limits.max_instance_size
            meta = FileMeta(
                context.abstract_syntax,  # a command of another class is refused
                (command.affected_sop_instance or "")[:_TOO_LONG_FOR_A_UID],
                context.transfer_syntax,
                source_aet,
            )
            self._spool = environment.spool(meta) if command.has_dataset else None

    def append(self, fragment: memoryview | bytes) -> None:
        """Take the next bytes of the data set; they are copied. Beyond the limit they are counted and dropped."""
        if (wanted := self._head_size - len(self._head)) > 0:
            self._head += fragment[:wanted]
        self.size += len(fragment)
        if self._is_unwanted:
            return
        if 0 < self._limit < self.size:
            self._is_unwanted = True
            self._drop()
        elif self._spool is None:
            self._held.append(bytes(fragment))
        else:
            self._spool.append(fragment)
            if self._spool.buffered >= _SPILL_FROM and self._spilling is None:
                self._spilling = self._environment.spawn(self._spill(self._spool))

    def cancel(self) -> None:
        """Nobody wants the answer any more."""
        self.is_cancelled = True
        if self.scene is not None:
            self.scene.stir()

    def note_response(self, status: int) -> None:
        """A response was sent."""
        self.answers.add(status, time.perf_counter() - self.started_clock)

    @property
    def is_behind(self) -> bool:
        """Whether the disk has so much to catch up with that the peer should wait."""
        return self._spilling is not None and self._spool is not None and self._spool.buffered >= _HOLD_AT_MOST

    def when_written(self, then: Callable[[], None]) -> None:
        """Call ``then`` when no thread is writing to the spool, and little is left to write."""
        if self._spilling is None:
            then()
        else:
            self._spilling.add_done_callback(lambda _: then())

    def refusal(self) -> Outcome | None:
        """The answer when the data set was too large to be taken."""
        if not 0 < self._limit < self.size:
            return None
        comment = f"Data set of {self.size} bytes, {self._limit} are allowed"
        return Outcome(OUT_OF_RESOURCES, comment=comment)

    @property
    def head(self) -> bytes:
        """How the data set begins, as far as it has come."""
        return bytes(self._head)

    def far_head(self) -> bytes:
        """The same, far enough for any attribute before the pixels. No thread may be writing, see `when_written`."""
        if self.size > len(self._head) and self._spool is not None and self._spool.problem is None:
            with contextlib.suppress(OSError):
                return self._spool.prefix(_FAR_HEAD)[:_FAR_HEAD]
        return self.head

    @property
    def subject(self) -> str:
        """What it is about, as far as it says so itself."""
        return subject_of(self.command, self.context, bytes(self._head), self.size)

    def request(self, agreed: dict[str, bytes], couriers: Couriers = no_courier) -> Request:
        """The complete request for a service."""
        data: Spool | bytes | None = self._spool
        if data is None and self.command.has_dataset:
            data = self._held[0] if len(self._held) == 1 else b"".join(self._held)
        return Request(self.command, self.context, data, agreed, lambda: self.is_cancelled, couriers)

    def discard(self) -> None:
        """Forget what arrived: the association ended, or nobody wants it."""
        self.is_cancelled = self._is_unwanted = True
        self._drop()

    def _drop(self) -> None:
        """Free memory and temporary file; a thread that is writing to it is let finish first, see `_spill`."""
        self._held.clear()
        if self._spool is not None and self._spilling is None:
            self._spool.discard()
            self._spool = None

    async def _spill(self, spool: Spool) -> None:
        """Have a thread write what is in memory, again while much has come meanwhile."""
        while spool.buffered >= _SPILL_FROM and spool.problem is None and not self._is_unwanted:
            await self._environment.lanes.run(spool.spill)
        self._spilling = None  # not when cancelled: the thread is still at it
        if self._is_unwanted:
            self._drop()
