"""MockPACS: puts the parts together and owns their life. Started means serving, stopped means gone."""

from __future__ import annotations

import asyncio
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self, TypeVar

from mockpacs.archive import Archive, ArchiveOptions, Durability, OnDuplicate, QueryOptions, Reaction
from mockpacs.config import NamedUser, Options, User
from mockpacs.errors import StartError, StopError
from mockpacs.net.environment import Environment, Limits
from mockpacs.net.lanes import Lanes
from mockpacs.net.listener import Listener
from mockpacs.services.access import Access, Credential
from mockpacs.services.negotiation import House
from mockpacs.services.registry import Registry
from mockpacs.traffic.exchange import Notice, Record

T = TypeVar("T")
Observer = Callable[[Record], None]

_TOKEN_KINDS = {"kerberos": 3, "saml": 4, "jwt": 5}


@dataclass(slots=True)
class Summary:
    """What a server did since it started."""

    associations: int = 0
    exchanges: Counter[tuple[str, str]] = field(default_factory=Counter)
    """How many, by service and status name."""
    instances: int = 0
    """Instances stored."""
    bytes: int = 0
    """Bytes of data sets received in C-STORE requests."""
    seconds: float = 0.0
    """From start to stop; 0 before the stop."""


class MockPACS:
    """A DICOM server. As a context manager, sync or async, it serves inside the block:

    >>> with MockPACS(port=0, memory=True) as pacs:
    ...     print(pacs.host)
    127.0.0.1

    Keywords are those of `Options`. Observers are called in the event loop. In a synchronous program the event loop runs in one thread of its own.
    """

    def __init__(self, options: Options | None = None, *, observe: Observer | None = None, **overrides: Any) -> None:
        """Without ``options``: a free port, in memory unless ``storage`` is given. ``observe`` is told every record.

        Raises `ConfigurationError` on an impossible option.
        """
        if options is None:
            options = Options(port=0, memory="storage" not in overrides)
        self.options = options.but(**overrides)
        self.summary = Summary()
        self._observers = [observe] if observe else []
        self._serving: _Serving | None = None
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
    def aet(self) -> str:
        """Our AE title."""
        return self.options.aet

    @property
    def archive(self) -> Archive:
        """The stored instances."""
        return self._running.archive

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
        asyncio.run(self._run(ready))

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    async def __aenter__(self) -> Self:
        self._serving = await self._open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._close()

    @property
    def _running(self) -> _Serving:
        if self._serving is None:
            raise StartError("this MockPACS does not serve; use it in a with block, or call start()")
        return self._serving

    async def _run(self, ready: Callable[[MockPACS], None] | None) -> None:
        told_to_stop = asyncio.Event()
        _on_signals(told_to_stop.set)
        self._serving = await self._open()
        try:
            if ready:
                ready(self)
            await told_to_stop.wait()
        finally:
            await self._close()

    async def _open(self) -> _Serving:
        if self._serving is not None:
            raise StartError("this MockPACS serves already")
        self.summary = Summary()
        return await _Serving.open(self.options, self._observe)

    async def _close(self) -> None:
        serving, self._serving = self._serving, None
        if serving is not None:
            self.summary.seconds = time.monotonic() - serving.started
            await serving.close(self.options.stop_timeout)

    def _observe(self, record: Record) -> None:
        if isinstance(record, Notice):
            self.summary.associations += record.kind == "opened"
        else:
            self.summary.exchanges[record.service, record.status_name] += 1
            if record.service == "C-STORE":
                self.summary.bytes += record.size
                self.summary.instances += record.category in ("success", "warning")
        for observer in self._observers:
            try:
                observer(record)
            except Exception as error:  # noqa: BLE001 - it must not take an association with it, nor go unheard
                asyncio.get_running_loop().call_exception_handler(
                    {"message": f"an observer of mockpacs failed on {record}", "exception": error}
                )


@dataclass(slots=True)
class _Serving:
    """The parts of a server while it serves."""

    archive: Archive
    lanes: Lanes
    listener: Listener
    environment: Environment
    addresses: list[tuple[str, int]]
    started: float

    @classmethod
    async def open(cls, options: Options, observe: Observer) -> _Serving:
        """Everything in order, from the disk up to the port; nothing is left behind when a step fails."""
        tls = None
        if options.tls_cert is not None:
            from mockpacs.net.tls import server_context

            tls = server_context(options.tls_cert, options.tls_key, options.tls_client_ca)
        archive = Archive.open(None if options.memory else options.storage, options=_archive_options(options))
        try:
            _preload(archive, options, observe)
            registry = Registry(archive, _query_options(options))
            lanes = Lanes(registry.storage, lambda what, error: observe(_trouble(what, error)))
            environment = Environment(
                house=House(registry.offer, _access(options), options.max_pdu),
                registry=registry,
                spool=archive.spool,
                lanes=lanes,
                limits=_limits(options),
                observe=observe,
            )
            listener = Listener(environment, tls)
            try:
                addresses = await listener.open(options.host, options.port)
            except BaseException:
                await listener.close(0)
                lanes.finish_writing(1.0)
                lanes.close(wait=True)
                raise
        except BaseException:
            archive.close()
            raise
        return cls(archive, lanes, listener, environment, addresses, time.monotonic())

    async def close(self, timeout_seconds: float) -> None:
        """From the port down to the disk, within the limit. Raises StopError naming what did not end."""
        until = time.monotonic() + timeout_seconds
        await self.listener.close(timeout_seconds / 2)
        written = self.lanes.finish_writing(max(0.1, until - time.monotonic()))
        if tasks := list(self.environment.tasks):
            await asyncio.wait(tasks, timeout=max(0.1, until - time.monotonic()))
        unfinished = [task for task in tasks if not task.done()]
        for task in unfinished:
            task.cancel()
        self.lanes.close(wait=not unfinished)
        if not written or unfinished:
            raise StopError(
                f"after {timeout_seconds:g} s something still works on the archive: it is left to end by itself"
            )
        self.archive.close()


class _LoopThread:
    """An event loop in a thread of its own, for synchronous programs."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
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


def _on_signals(stop: Callable[[], None]) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        try:
            loop.add_signal_handler(number, stop)
        except NotImplementedError:  # Windows
            signal.signal(number, lambda *_: loop.call_soon_threadsafe(stop))


def _preload(archive: Archive, options: Options, observe: Observer) -> None:
    for path in options.preload:
        for added in archive.add(path):
            if added.problem:
                observe(Notice(time.time(), "trouble", f"{added.path} was not preloaded: {added.problem}"))


def _trouble(what: str, error: BaseException) -> Notice:
    return Notice(time.time(), "trouble", f"{what}: {type(error).__name__}: {error}")


def _archive_options(options: Options) -> ArchiveOptions:
    return ArchiveOptions(
        durability=Durability(options.durability),
        on_duplicate=OnDuplicate(options.on_duplicate),
        duplicate_status=0xB000 if options.duplicate_status == "warning" else 0x0000,
        unreadable=Reaction(options.unreadable),
        mismatch=Reaction(options.mismatch),
    )


def _query_options(options: Options) -> QueryOptions:
    return QueryOptions(
        unknown_values=options.unknown_values,
        person_name_case=options.person_name_case,
        retrieve_aet=options.aet,
        max_results=options.max_query_results,
    )


def _limits(options: Options) -> Limits:
    return Limits(
        artim_seconds=options.artim_timeout,
        network_seconds=options.network_timeout,
        max_associations=options.max_associations,
        max_instance_size=options.max_instance_size,
    )


def _access(options: Options) -> Access:
    return Access(
        called=options.called_aets,
        calling=options.calling_aets,
        identity=options.identity_rule,
        credentials=tuple(_credential(user) for user in options.users),
    )


def _credential(user: User) -> Credential:
    if isinstance(user, NamedUser):
        if user.password is None:
            return Credential((1, 2), user.name.encode())
        return Credential((2,), user.name.encode(), user.password.encode())
    return Credential((_TOKEN_KINDS[user.type],), user.token)
