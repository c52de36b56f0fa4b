"""From where a running server is steered: by a test in Python, by the control API. It knows no HTTP and no pytest.

Everything that changes what associations meet runs in the event loop, between two things that happen.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from mockpacs.archive import Archive
from mockpacs.errors import ConfigurationError, StartError
from mockpacs.net.environment import Environment
from mockpacs.net.listener import Listener
from mockpacs.traffic.exchange import Notice
from mockpacs.traffic.journal import Journal
from mockpacs.written.kinds import nearest, quoted

if TYPE_CHECKING:  # a server that nobody steers loads no scenario language
    from mockpacs.control.handler import Handlers
    from mockpacs.control.peers import Peers
    from mockpacs.control.rules import Rules
    from mockpacs.scenario.script import Script

T = TypeVar("T")

RESETS: Final = ("rules", "state", "journal", "archive", "peers")
"""What can be put back to how it was at the start."""
_LOOK_AGAIN_SECONDS: Final = 0.2


@dataclass(frozen=True, slots=True)
class House:
    """The parts of a server that is being steered."""

    journal: Journal
    archive: Archive
    environment: Environment
    listener: Listener
    addresses: Sequence[tuple[str, int]]
    peers: Peers
    """Whom the server may call."""
    refill: Callable[[], None]
    """Loads again what was loaded into the archive before the start; blocks."""
    options: Any = None
    """The options of the server, to be shown."""


class Desk:
    """Made in the event loop of the server, and good for any thread. After the stop it can still be read."""

    def __init__(self, house: House, script: Callable[[], Script]) -> None:
        """``script``: what is played from the start, asked for when a rule is first touched."""
        self.journal = house.journal
        self.archive = house.archive
        self.options = house.options
        self.peers = house.peers
        """Whom the server may call; they can be changed."""
        self.peers.tell = lambda text: self.tell("peers", text, detail=True)
        self.addresses = list(house.addresses)
        self.started = self.began = time.time()
        """Wall clock, seconds since 1970: of the start; and of the last reset of the journal."""
        self._house = house
        self._script = script
        self._loop = asyncio.get_running_loop()
        self._is_over = False
        self._lock = threading.RLock()
        self._rules: Rules | None = None
        self._handlers: Handlers | None = None

    @property
    def rules(self) -> Rules:
        """The rules that are played."""
        with self._lock:
            if self._rules is None:
                from mockpacs.control.rules import Rules

                self._rules = Rules(self._house.environment, self._house.listener, self, self._script())
            return self._rules

    @property
    def handlers(self) -> Handlers:
        """The Python functions that answer."""
        with self._lock:
            if self._handlers is None:
                from mockpacs.control.handler import Handlers

                self._handlers = Handlers()
                if theatre := self._house.environment.theatre:
                    theatre.handlers = self._handlers
            return self._handlers

    @property
    def recording(self) -> Path | None:
        """The file that is being written, None without a recording."""
        recorder = self._house.environment.recorder
        return recorder.path if recorder else None

    @property
    def failure(self) -> Exception | None:
        """Why all traffic was stopped: the recording cannot be written. None when it can."""
        recorder = self._house.environment.recorder
        return recorder.failure if recorder else None

    @property
    def is_over(self) -> bool:
        """Whether the server has stopped."""
        return self._is_over

    def close(self) -> None:
        """The server stops: nothing can be changed any more."""
        self._is_over = True

    async def settled(self) -> None:
        """Return when every exchange whose final response a peer can have seen is in the journal. In the event loop."""
        self._house.environment.settle()

    def settle(self) -> None:
        """The same from any thread."""
        with contextlib.suppress(StartError):  # it stopped: all is in the journal
            self.call(self._house.environment.settle)

    def call(self, work: Callable[[], T]) -> T:
        """Do something in the event loop, between two things that happen, and wait for it; what it raises is raised.

        Raises `StartError` when the server has stopped.
        """
        if _is_in(self._loop):
            return work()
        if self._is_over:
            raise StartError("this MockPACS does not serve any more: nothing can be changed after the stop")
        done: Future[T] = Future()

        def run() -> None:
            try:
                done.set_result(work())
            except BaseException as error:  # noqa: BLE001 - it is raised where it was asked for
                done.set_exception(error)

        try:
            self._loop.call_soon_threadsafe(run)
        except RuntimeError as error:  # the loop is closed
            raise StartError("this MockPACS does not serve any more") from error
        return _wait(done, self._loop)

    def wait(self, work: Coroutine[Any, Any, T]) -> T:
        """Have the event loop do something that takes time, and wait for it, from any other thread.

        Raises `StartError` when the server has stopped.
        """
        if not self._is_over:
            with contextlib.suppress(RuntimeError):  # the loop is closed
                return _wait(asyncio.run_coroutine_threadsafe(work, self._loop), self._loop)
        work.close()
        raise StartError("this MockPACS does not serve any more")

    def tell(self, kind: str, text: str, *, detail: bool = False) -> None:
        """Tell whoever observes; from any thread."""
        notice = Notice(time.time(), kind, text, detail=detail)
        with contextlib.suppress(StartError):
            self.call(lambda: self._house.environment.observe(notice))

    def reset(self, *what: str) -> tuple[str, ...]:
        """Put back to how it was at the start: "rules", "state", "journal", "archive", "peers". Returns what was.

        None named: all of them, but an archive on disk only when it is named. The archive has then what was loaded
        before the start. It blocks: not to be called in the event loop when the archive is among them. Raises
        `ConfigurationError` for another word.
        """
        unknown = [word for word in what if word not in RESETS]
        if unknown:
            hint = nearest(unknown[0], RESETS) or f"; there are {', '.join(RESETS)}"
            raise ConfigurationError(f"{quoted(unknown[0])} is nothing that can be reset{hint}")
        wanted = what or tuple(word for word in RESETS if word != "archive" or self.archive.index.path is None)
        if "archive" in wanted:
            self.archive.clear()
            self._house.refill()
        self.call(lambda: self._reset(wanted))
        return tuple(word for word in RESETS if word in wanted)

    def _reset(self, what: Sequence[str]) -> None:
        self._house.environment.settle()  # what a peer has seen goes with the journal, and counts for no new rule
        if "rules" in what:
            if self._house.environment.theatre is not None:
                self.rules.reset()
            if self._handlers is not None:
                self._handlers.clear()
                self._handlers.forget()
        if "state" in what and self._house.environment.theatre is not None:
            self.rules.reset_state()
        if "peers" in what:
            self.peers.reset()
        if "journal" in what:
            self.journal.clear()
            self.began = time.time()


def _is_in(loop: asyncio.AbstractEventLoop) -> bool:
    """Whether this runs in the loop. The number of its thread does not tell: after the stop another may get it."""
    try:
        return asyncio.get_running_loop() is loop
    except RuntimeError:
        return False


def _wait(done: Future[T], loop: asyncio.AbstractEventLoop) -> T:
    """The result, unless the loop ends before it has one."""
    while True:
        try:
            return done.result(_LOOK_AGAIN_SECONDS)
        except TimeoutError:
            if done.done():
                return done.result()  # it came just now; or the error is the result
            if not loop.is_running() and not done.done():
                raise StartError("this MockPACS does not serve any more") from None
