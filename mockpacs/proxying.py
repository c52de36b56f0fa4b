"""A proxy as others start and stop it: what it forwards where, put together from the options down to the ports."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Literal, Self

from mockpacs.app import Summary
from mockpacs.errors import ConfigurationError, RecordingError, StopError
from mockpacs.looping import LoopThread, new_loop, on_signals
from mockpacs.net.environment import Limits
from mockpacs.net.peer import Peer
from mockpacs.net.proxy.around import Route
from mockpacs.net.proxy.proxy import Proxy
from mockpacs.traffic.exchange import Notice, Record
from mockpacs.traffic.recorder import Recorder
from mockpacs.version import __version__
from mockpacs.written.address import Address, AddressKind, ListenKind, Offer, OfferKind
from mockpacs.written.kinds import Kind, Many, Refused
from mockpacs.written.numbers import Seconds, Size, Whole
from mockpacs.written.words import Choice, FilePath, Flag, OptionalPath, ScenarioPath, Seed

if TYPE_CHECKING:
    import ssl

    from mockpacs.net.theatre import Theatre
    from mockpacs.scenario.script import Script

Observer = Callable[[Record], None]

_HERE: Final = Address("127.0.0.1", 11112)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyOptions:
    """What a proxy does. Durations are in seconds, sizes in bytes. Raises `ConfigurationError` on what cannot be."""

    to: Address
    """The server."""
    listen: Address = _HERE
    offer: tuple[Offer, ...] = ()
    """Move destinations that the proxy stands in for."""
    scenario: tuple[Path, ...] = ()
    seed: int | None = None
    expect: bool = False
    to_tls: bool = False
    """Whether the server speaks TLS, also where its address does not say so."""
    to_tls_ca: Path | None = None
    to_tls_verify: Literal["name", "chain", "none"] = "name"
    tls_cert: Path | None = None
    tls_key: Path | None = None
    tls_client_ca: Path | None = None
    record: bool = True
    recordings: Path = Path("storage/recordings")
    recording_size: int = 2**30
    recordings_total: int = 10 * 2**30
    artim_timeout: float = 30.0
    network_timeout: float = 600.0
    stop_timeout: float = 2.0
    max_associations: int = 5000
    log_format: Literal["text", "json"] = "text"
    verbose: int = 0

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Self:
        """Options as somebody wrote them, None for "not given"."""
        read: dict[str, Any] = {}
        problems: list[str] = []
        for name, value in given.items():
            if value is None:
                continue
            try:
                read[name] = KINDS[name].read(value)
            except Refused as no:
                problems += [f"--{name.replace('_', '-')}: {text}" for _, text in no.problems]
        if "to" not in given or given["to"] is None:
            problems.append("--to is missing: the address of the server to forward to, HOST:PORT")
        if problems:
            raise ConfigurationError("\n".join(problems))
        return cls(**read)

    def __post_init__(self) -> None:
        wrong = []
        if (self.tls_cert is None) != (self.tls_key is None):
            wrong.append("--tls-cert and --tls-key belong together: a certificate and its private key")
        if self.tls_client_ca is not None and self.tls_cert is None:
            wrong.append("--tls-client-ca: client certificates are only asked for with TLS: give --tls-cert too")
        if not self.speaks_tls and (self.to_tls_ca is not None or self.to_tls_verify != "name"):
            wrong.append("--to-tls-ca and --to-tls-verify are for servers that speak TLS: give --to-tls too")
        titles = [offer.aet for offer in self.offer]
        wrong += [f"--offer: {title} is offered twice" for title in dict.fromkeys(titles) if titles.count(title) > 1]
        if wrong:
            raise ConfigurationError("\n".join(wrong))

    @property
    def speaks_tls(self) -> bool:
        """Whether the server is called with TLS."""
        return self.to_tls or self.to.tls


KINDS: Final[dict[str, Kind]] = {
    "to": AddressKind(),
    "listen": ListenKind(),
    "offer": Many(OfferKind()),
    "scenario": Many(ScenarioPath()),
    "seed": Seed(),
    "expect": Flag(),
    "to_tls": Flag(),
    "to_tls_ca": OptionalPath(),
    "to_tls_verify": Choice(("name", "chain", "none")),
    "tls_cert": OptionalPath(),
    "tls_key": OptionalPath(),
    "tls_client_ca": OptionalPath(),
    "record": Flag(),
    "recordings": FilePath(),
    "recording_size": Size(65_536, 2**50),
    "recordings_total": Size(0, 2**60),
    "artim_timeout": Seconds(),
    "network_timeout": Seconds(zero=True),
    "stop_timeout": Seconds(),
    "max_associations": Whole(1, 100_000),
    "log_format": Choice(("text", "json")),
    "verbose": Whole(0, 9),
}
assert set(KINDS) == {field.name for field in fields(ProxyOptions)}


class Proxying:
    """A proxy that serves inside a ``with`` block, from `start` to `stop`, or in `run`."""

    def __init__(self, options: ProxyOptions, *, observe: Observer | None = None) -> None:
        """``observe`` is told every record, in the event loop."""
        self.options = options
        self.summary = Summary()
        self.script: Script | None = None
        self.addresses: list[tuple[str, int]] = []
        """Where the server is to be called instead."""
        self.offered: dict[str, tuple[str, int]] = {}
        """Where the move destinations are to be called instead, by title."""
        self.recording: Path | None = None
        """The file that is being written first; None without a recording."""
        self._observers = [observe] if observe else []
        self._thread: LoopThread | None = None
        self._proxy: Proxy | None = None
        self._recorder: Recorder | None = None
        self._theatre: Theatre | None = None
        self._started = 0.0

    @property
    def host(self) -> str:
        """The address that answers."""
        return self.addresses[0][0]

    @property
    def port(self) -> int:
        """The port that answers."""
        return self.addresses[0][1]

    def start(self) -> Self:
        """Serve in a thread; returns when the port answers. Raises `StartError`, `RecordingError`, `ScenarioError`."""
        thread = LoopThread()
        try:
            thread.run(self._open())
        except BaseException:
            thread.end()
            raise
        self._thread = thread
        return self

    def stop(self) -> None:
        """End all connections, close everything. Harmless when repeated."""
        thread, self._thread = self._thread, None
        if thread is not None:
            try:
                thread.run(self._close())
            finally:
                thread.end()

    def run(self, *, ready: Callable[[Proxying], None] | None = None, observe: Observer | None = None) -> None:
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
        self.stop()

    async def _run(self, ready: Callable[[Proxying], None] | None) -> None:
        told_to_stop = asyncio.Event()
        on_signals(told_to_stop.set)
        await self._open(told_to_stop.set)
        try:
            if ready:
                ready(self)
            await told_to_stop.wait()
        finally:
            await self._close()

    async def _open(self, failed: Callable[[], object] = lambda: None) -> None:
        options = self.options
        facts: list[str] = []
        to, offered = _routes(options)
        if options.scenario:
            self._theatre, facts = self._play()
        limits = Limits(options.artim_timeout, options.network_timeout, options.max_associations)
        with contextlib.ExitStack() as undo:
            if options.record:
                facts.append(f"proxy to {options.to}")
                self._recorder = Recorder(
                    options.recordings,
                    __version__,
                    facts=facts,
                    part_size=options.recording_size,
                    total_size=options.recordings_total,
                )
                undo.callback(self._recorder.close)
                self.recording = self._recorder.path
            proxy = Proxy(limits, self._observe, self._recorder, self._theatre)
            undo.callback(proxy.halt)
            self.addresses = await proxy.open(options.listen.host, options.listen.port, to)
            for offer, route in zip(options.offer, offered, strict=True):
                self.offered[offer.aet] = (await proxy.open(options.listen.host, offer.listen, route, "--offer"))[0]
            undo.pop_all()
        if self._theatre is not None:
            self._theatre.refuse = proxy.refuse
        if self._recorder is not None:
            self._recorder.on_failure = lambda error: self._halt(error, failed)
        self._proxy, self._started = proxy, time.monotonic()

    def _play(self) -> tuple[Theatre, list[str]]:
        """What the scenarios say, as far as a proxy can do it."""
        from mockpacs.net.proxy.possible import refuse_impossible
        from mockpacs.playing import facts_of, theatre_of
        from mockpacs.scenario.load import load
        from mockpacs.scenario.shipped import resolve

        script = load([resolve(path) for path in self.options.scenario], seed=self.options.seed)
        refuse_impossible(script)
        self.script = script
        return theatre_of(script), facts_of(script)

    def _halt(self, error: RecordingError, then: Callable[[], object]) -> None:
        """What cannot be recorded does not happen."""
        loop = asyncio.get_running_loop()
        if self._proxy is not None:
            loop.call_soon(self._proxy.halt)  # not from within what a link is doing
        loop.call_soon(then)
        self._observe(Notice(time.time(), "trouble", f"{error}; traffic is stopped"))

    async def _close(self) -> None:
        proxy, self._proxy = self._proxy, None
        if proxy is None:
            return
        stragglers = await proxy.close(self.options.stop_timeout)
        self.summary.seconds = time.monotonic() - self._started
        if self._theatre is not None:
            self.summary.rules = tuple(self._theatre.engine.tally())
            self.summary.unmet = tuple(self._theatre.engine.unmet())
        if (recorder := self._recorder) is not None:
            recorder.close()
            if recorder.failure:
                raise recorder.failure
        if stragglers:
            raise StopError(f"{stragglers} connections had to be cut after {self.options.stop_timeout:g} s")

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


def _routes(options: ProxyOptions) -> tuple[Route, list[Route]]:
    """Where the doors lead: to the server, and to the move destinations. Raises StartError."""
    accepts = None
    if options.tls_cert is not None:
        from mockpacs.net.tls import server_context

        accepts = server_context(options.tls_cert, options.tls_key, options.tls_client_ca)
    to = Route(Peer("", options.to.host, options.to.port, tls=_tls(options, is_tls=options.speaks_tls)), accepts)
    offered = [
        Route(
            Peer(offer.aet, offer.to.host, offer.to.port, tls=_tls(options, is_tls=offer.to.tls)),
            accepts if offer.to.tls else None,
            offer.aet,
        )
        for offer in options.offer
    ]
    return to, offered


def _tls(options: ProxyOptions, *, is_tls: bool) -> ssl.SSLContext | None:
    if not is_tls:
        return None
    from mockpacs.net.tls import client_context

    return client_context(options.to_tls_ca, options.to_tls_verify, options.tls_cert, options.tls_key)
