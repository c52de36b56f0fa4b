"""MockPACS: a server as others start and stop it. Started means serving, stopped means gone."""

from __future__ import annotations

import asyncio
import gc
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

from mockpacs.archive import Archive
from mockpacs.config import Options, load
from mockpacs.control.aside import aside
from mockpacs.control.desk import Desk
from mockpacs.control.steering import Steering
from mockpacs.errors import MockpacsError, StartError, StopError
from mockpacs.looping import LoopThread, new_loop, on_hangup, on_signals
from mockpacs.serving import Observer, Play, Serving
from mockpacs.traffic.exchange import Exchange, Notice, Record
from mockpacs.traffic.journal import Journal

if TYPE_CHECKING:
    from mockpacs.scenario.engine import Engine, Tally


_IDLE: Final = "this MockPACS does not serve; use it in a with block, or call start()"


@dataclass(slots=True)
class Summary:
    """What a server did since it started."""

    associations: int = 0
    """Those that peers opened."""
    exchanges: Counter[tuple[str, str]] = field(default_factory=Counter)
    """How many that peers asked for, by service and status name."""
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


class MockPACS(Steering):
    """A DICOM server. As a context manager, sync or async, it serves inside the block:

    >>> with MockPACS() as pacs:
    ...     print(pacs.host)
    127.0.0.1

    What a test does with it is in `Steering`. Observers are called in the event loop, which has a thread of its own.
    """

    def __init__(
        self,
        *scenarios: str | Path | Options,
        options: Options | None = None,
        strict: bool = False,
        observe: Observer | None = None,
        play: Play | None = None,
        **overrides: Any,
    ) -> None:
        """``scenarios``: files, or names of shipped ones. Keywords are those of `Options`.

        Without ``options``: a free port, in memory unless ``storage`` is given, and recorded into a folder that is gone
        after the stop unless ``recordings`` names one. ``strict``: leaving the block fails as `check` does.
        ``observe`` is told every record. ``play``: what is played below the scenarios.
        Raises `ConfigurationError` on an impossible option.
        """
        super().__init__()
        paths, options = _sorted(scenarios, options)
        if paths:
            overrides["scenario"] = (*paths, *overrides.get("scenario", ()))
        self._is_scratch = options is None and "recordings" not in overrides and "storage" not in overrides
        if options is None:
            options = _as_in_a_test(overrides)
        self.options = options.but(**overrides)
        self.strict = strict
        self.summary = Summary()
        self.journal = Journal()
        """What happened lately, since the start; see `Journal`."""
        self._observers = [observe] if observe else []
        self._play = play
        self._serving: Serving | None = None
        self._thread: LoopThread | None = None
        self._desk: Desk | None = None
        self._scratch: tempfile.TemporaryDirectory[str] | None = None

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
        """The pcapng file that is written, after the stop as well; None without a recording."""
        return self.desk.recording

    @property
    def desk(self) -> Desk:
        """From where the server is steered; after the stop it can still be read."""
        if self._desk is None:
            raise StartError(_IDLE)
        return self._desk

    @property
    def url(self) -> str | None:
        """Where the control API answers, None when it is off."""
        door = self._running.door
        return door.url if door else None

    @property
    def aet(self) -> str:
        """Our AE title."""
        return self.options.aet

    @property
    def archive(self) -> Archive:
        """The stored instances."""
        return self._running.desk.archive

    @property
    def engine(self) -> Engine | None:
        """What decides by the scenarios; None without one."""
        theatre = self._running.environment.theatre
        return theatre.engine if theatre else None

    def reload(self) -> None:
        """Read the scenarios again and play them from the start: counters, states, expectations.

        Raises `ConfigurationError` when they cannot be read; then the old ones go on.
        """
        self._running.play(self.options)

    def start(self) -> Self:
        """Serve in a thread; returns when the port answers. Raises `StartError`, `ArchiveError`."""
        thread = LoopThread()
        try:
            self._serving = thread.run(self._open())
        except BaseException:
            thread.end()
            raise
        self._thread = thread
        return self

    def stop(self) -> None:
        """Abort all associations, close everything. Harmless when repeated. Raises `StopError` on stragglers."""
        thread = self._thread
        if thread is None:
            return
        if thread.is_mine:
            raise StopError(
                "stop() was called by an observer, in the event loop of the server: it would wait for itself"
            )
        self._thread = None
        try:
            thread.run(self._close())
        finally:
            thread.end()

    def run(self, *, ready: Callable[[MockPACS], None] | None = None, observe: Observer | None = None) -> None:
        """Serve in the foreground until SIGINT or SIGTERM; ``ready`` is called when the port answers."""
        if observe:
            self._observers.append(observe)
        with asyncio.Runner(loop_factory=new_loop) as runner:
            runner.run(self._run(ready))

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leave(is_checked=self.strict and kind is None)

    async def __aenter__(self) -> Self:
        starting = asyncio.ensure_future(aside(self.start))
        try:
            return await asyncio.shield(starting)
        except asyncio.CancelledError:  # nobody will leave a block that was not entered
            await asyncio.wait([starting])
            if starting.exception() is None:
                await aside(self.stop)
            raise

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await aside(lambda: self._leave(is_checked=self.strict and kind is None))

    def _leave(self, *, is_checked: bool) -> None:
        try:
            if is_checked:
                self.check()
        finally:
            self.stop()

    @property
    def _running(self) -> Serving:
        if self._serving is None:
            raise StartError(_IDLE)
        return self._serving

    async def _run(self, ready: Callable[[MockPACS], None] | None) -> None:
        told_to_stop = asyncio.Event()
        on_signals(told_to_stop.set)
        self._serving = await self._open(told_to_stop.set, in_foreground=True)
        on_hangup(self._reload)
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

    async def _open(self, failed: Callable[[], object] = lambda: None, *, in_foreground: bool = False) -> Serving:
        if self._serving is not None:
            raise StartError("this MockPACS serves already")
        self.summary = Summary()
        options = self.options
        if self._is_scratch and options.record and options.recordings_folder is None:
            self._scratch = tempfile.TemporaryDirectory(prefix="mockpacs-", ignore_cleanup_errors=True)
            options = options.but(recordings=self._scratch.name)
        self.journal = Journal(values=_values if options.recordings_folder else None)
        try:
            serving = await Serving.open(
                options, self.journal, self._observe, failed, in_foreground=in_foreground, play=self._play
            )
        except BaseException:
            self._sweep()
            raise
        self._desk = serving.desk
        return serving

    def _sweep(self) -> None:
        scratch, self._scratch = self._scratch, None
        if scratch is not None:
            scratch.cleanup()

    async def _close(self) -> None:
        serving, self._serving = self._serving, None
        if serving is not None:
            self.summary.seconds = time.monotonic() - serving.started
            try:
                await serving.close(self.options.stop_timeout)
            finally:
                if serving.environment.theatre:
                    self.summary.rules = tuple(serving.desk.rules.tally())
                    self.summary.unmet = tuple(serving.desk.rules.unmet())
                self._sweep()

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
            is_ours = record.association is not None and record.association.by_us
            self.summary.associations += record.kind == "opened" and not is_ours
        elif not record.asked_by_us:
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


def _sorted(given: Sequence[str | Path | Options], options: Options | None) -> tuple[list[str | Path], Options | None]:
    """Scenarios, and options that were given first, as they are where nobody plays anything."""
    paths = [one for one in given if not isinstance(one, Options)]
    return paths, next((one for one in given if isinstance(one, Options)), options)


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
