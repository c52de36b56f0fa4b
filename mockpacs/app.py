"""MockPACS: a server as others start and stop it. Started means serving, stopped means gone."""

from __future__ import annotations

import asyncio
import gc
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from mockpacs.archive import Archive
from mockpacs.config import Options, load
from mockpacs.errors import MockpacsError, StartError
from mockpacs.serving import Observer, Serving
from mockpacs.traffic.exchange import Exchange, Notice, Record
from mockpacs.traffic.journal import Journal

if TYPE_CHECKING:
    from mockpacs.scenario.engine import Engine, Tally

T = TypeVar("T")


@dataclass(slots=True)
class Summary:
    """What a server did since it started."""

    associations: int = 0
    exchanges: Counter[tuple[str, str]] = field(default_factory=Counter)
    """How many, by service and status name."""
    instances: int = 0
    """C-STORE requests answered with success or a warning: the instance is there, from now or from before."""
    bytes: int = 0
    """Bytes of data sets received in C-STORE requests."""
    seconds: float = 0.0
    """From start to stop; 0 before the stop."""
    rules: tuple[Tally, ...] = ()
    """How often each rule of the scenarios fired, and what came closest to those that never did; after the stop."""
    unmet: tuple[str, ...] = ()
    """What the scenarios expected and did not happen; after the stop."""


class MockPACS:
    """A DICOM server. As a context manager, sync or async, it serves inside the block:

    >>> with MockPACS(port=0, memory=True) as pacs:
    ...     print(pacs.host)
    127.0.0.1

    Keywords are those of `Options`. Observers are called in the event loop. In a synchronous program the event loop
    runs in one thread of its own.
    """

    def __init__(self, options: Options | None = None, *, observe: Observer | None = None, **overrides: Any) -> None:
        """Without ``options``: a free port, in memory unless ``storage`` is given. ``observe`` is told every record.

        Raises `ConfigurationError` on an impossible option.
        """
        if options is None:
            options = _as_in_a_test(overrides)
        self.options = options.but(**overrides)
        self.summary = Summary()
        self.journal = Journal()
        """What happened lately, since the start; see `Journal`."""
        self._observers = [observe] if observe else []
        self._serving: Serving | None = None
        self._thread: _LoopThread | None = None

    @property
    def host(self) -> str:
        """The address that answers."""
        return self._running.addresses[0][0]

    @property
    def port(self) -> int:
        """The port that answers."""
        return self._running.addresses[0][1]

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """All addresses that answer; several when the host name has several."""
        return list(self._running.addresses)

    @property
    def recording(self) -> Path | None:
        """The pcapng file that is being written, None without a recording."""
        return self._running.recording

    @property
    def aet(self) -> str:
        """Our AE title."""
        return self.options.aet

    @property
    def archive(self) -> Archive:
        """The stored instances."""
        return self._running.archive

    @property
    def engine(self) -> Engine | None:
        """What decides by the scenarios; None without one."""
        theatre = self._running.environment.theatre
        return theatre.engine if theatre else None

    def reload(self) -> None:
        """Read the scenarios again and play them from the start: counters, states, expectations.

        Raises `ConfigurationError` when they cannot be read; then the old ones go on.
        """
        serving = self._running
        if self._thread is not None:
            self._thread.run(self._play(serving))
        else:
            serving.play(self.options)

    async def _play(self, serving: Serving) -> None:
        """In the event loop, between two things that happen."""
        serving.play(self.options)

    def start(self) -> Self:
        """Serve in a thread; returns when the port answers. Raises `StartError`, `ArchiveError`."""
        thread = _LoopThread()
        try:
            self._serving = thread.run(self._open())
        except BaseException:
            thread.end()
            raise
        self._thread = thread
        return self

    def stop(self) -> None:
        """Abort all associations, close everything. Harmless when repeated. Raises `StopError` on stragglers."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        try:
            thread.run(self._close())
        finally:
            thread.end()

    def run(self, *, ready: Callable[[MockPACS], None] | None = None, observe: Observer | None = None) -> None:
        """Serve in the foreground until SIGINT or SIGTERM; ``ready`` is called when the port answers."""
        if observe:
            self._observers.append(observe)
        with asyncio.Runner(loop_factory=_new_loop) as runner:
            runner.run(self._run(ready))

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    async def __aenter__(self) -> Self:
        if not _watches_sockets(asyncio.get_running_loop()):
            return await asyncio.to_thread(self.start)
        self._serving = await self._open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._thread is not None:
            await asyncio.to_thread(self.stop)
        else:
            await self._close()

    @property
    def _running(self) -> Serving:
        if self._serving is None:
            raise StartError("this MockPACS does not serve; use it in a with block, or call start()")
        return self._serving

    async def _run(self, ready: Callable[[MockPACS], None] | None) -> None:
        told_to_stop = asyncio.Event()
        _on_signals(told_to_stop.set)
        self._serving = await self._open(told_to_stop.set)
        _on_hangup(self._reload)
        # This process is ours: what was made to start it is not looked at again, and what an association leaves behind
        # is collected less often. Connecting, echo and release take a seventh less time.
        gc.freeze()
        gc.set_threshold(20_000, 20, 50)
        try:
            if ready:
                ready(self)
            await told_to_stop.wait()
        finally:
            await self._close()

    async def _open(self, failed: Callable[[], object] = lambda: None) -> Serving:
        if self._serving is not None:
            raise StartError("this MockPACS serves already")
        self.summary = Summary()
        self.journal = Journal(values=_values if self.options.recordings_folder else None)
        return await Serving.open(self.options, self._observe, failed)

    async def _close(self) -> None:
        serving, self._serving = self._serving, None
        if serving is not None:
            self.summary.seconds = time.monotonic() - serving.started
            try:
                await serving.close(self.options.stop_timeout)
            finally:
                if theatre := serving.environment.theatre:
                    self.summary.rules = tuple(theatre.engine.tally())
                    self.summary.unmet = tuple(theatre.engine.unmet())

    def _reload(self) -> None:
        """As `reload`, for a signal: what goes wrong is told, and changes nothing."""
        try:
            self.reload()
        except MockpacsError as error:
            text = f"the scenarios were not read again, the old ones go on: {error}"
        else:
            engine = self.engine
            if engine is None:
                return  # there is none to read
            names = ", ".join(name for name in engine.script.names if name) or "without a name"
            text = f"the scenarios were read again and begin anew: {names}, {len(engine.script.rules)} rules"
        self._observe(Notice(time.time(), "scenario", text))

    def _observe(self, record: Record) -> None:
        if isinstance(record, Notice):
            self.summary.associations += record.kind == "opened"
        else:
            self.summary.exchanges[record.service, record.status_name] += 1
            if record.service == "C-STORE":
                self.summary.bytes += record.size
                self.summary.instances += record.category in ("success", "warning")
        self.journal.add(record)
        for observer in self._observers:
            try:
                observer(record)
            except Exception as error:  # noqa: BLE001 - it must not take an association with it, nor go unheard
                asyncio.get_running_loop().call_exception_handler(
                    {"message": f"an observer of mockpacs failed on {record}", "exception": error}
                )


def _as_in_a_test(overrides: Mapping[str, Any]) -> Options:
    """A free port, in memory unless there is a place for it; what scenarios say about the server holds too."""
    options = Options(port=0, memory="storage" not in overrides)
    scenarios = overrides.get("scenario")
    if not scenarios:
        return options
    return load(None, {}, {"port": 0, "memory": options.memory, "scenario": scenarios})


def _values(exchange: Exchange, tag: int) -> Sequence[str] | None:
    """The values of an attribute of a request, out of the recording."""
    from mockpacs.traffic.selection import values_of

    return values_of(exchange, tag) if exchange.place else None


class _LoopThread:
    """An event loop in a thread of its own, for synchronous programs."""

    def __init__(self) -> None:
        self._loop = _new_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="mockpacs", daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine there and wait for it; what it raises is raised here."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def end(self) -> None:
        """Stop the loop, join the thread."""
        self.run(self._loop.shutdown_default_executor())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


def _new_loop() -> asyncio.AbstractEventLoop:
    """A loop that watches sockets: the usual one of Windows does not."""
    return asyncio.SelectorEventLoop() if sys.platform == "win32" else asyncio.new_event_loop()


def _watches_sockets(loop: asyncio.AbstractEventLoop) -> bool:
    return sys.platform != "win32" or isinstance(loop, asyncio.SelectorEventLoop)


def _on_signals(stop: Callable[[], None]) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        try:
            loop.add_signal_handler(number, stop)
        except NotImplementedError:  # Windows
            signal.signal(number, lambda *_: loop.call_soon_threadsafe(stop))


def _on_hangup(reload: Callable[[], None]) -> None:
    """SIGHUP, where there is one, asks a server to read its scenarios again."""
    if hasattr(signal, "SIGHUP"):
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, reload)
