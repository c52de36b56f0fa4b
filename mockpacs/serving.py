"""The object graph of a server: built from the disk up to the port, taken down from the port to the disk."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from mockpacs.archive import Archive, QueryOptions
from mockpacs.config import NamedUser, Options, User
from mockpacs.config.archive import archive_options
from mockpacs.config.options import HTTP_PORT
from mockpacs.control.desk import Desk, House
from mockpacs.control.peers import Peers
from mockpacs.errors import RecordingError, StartError, StopError
from mockpacs.net.dialer import Dialer
from mockpacs.net.environment import Environment, Limits
from mockpacs.net.lanes import Lanes
from mockpacs.net.listener import Listener
from mockpacs.services.access import Access, Credential
from mockpacs.services.negotiation import House as Rooms
from mockpacs.services.registry import Registry
from mockpacs.services.retrieve import RetrieveOptions
from mockpacs.traffic.exchange import Notice, Record
from mockpacs.traffic.journal import Journal
from mockpacs.traffic.recorder import Recorder
from mockpacs.version import __version__

if TYPE_CHECKING:
    import ssl

    from mockpacs.scenario.script import Script
    from mockpacs.web.door import Door

Observer = Callable[[Record], None]


@dataclass(frozen=True, slots=True)
class Play:
    """What is played beside scenario files, below their rules."""

    script: Script
    fill: Callable[[Archive], Iterable[str]] = lambda _: ()
    """Puts into the archive what must be there; a sentence about each instance that it does not take."""


_TOKEN_KINDS = {"kerberos": 3, "saml": 4, "jwt": 5}


@dataclass(slots=True)
class Serving:
    """The parts of a server while it serves."""

    desk: Desk
    archive: Archive
    lanes: Lanes
    listener: Listener
    environment: Environment
    addresses: list[tuple[str, int]]
    started: float
    door: Door | None = None
    program: Play | None = None

    @classmethod
    async def open(
        cls,
        options: Options,
        journal: Journal,
        observe: Observer,
        failed: Callable[[], object],
        *,
        in_foreground: bool = False,
        play: Play | None = None,
    ) -> Serving:
        """Everything in order, from the disk up to the ports; nothing is left behind when a step fails.

        ``failed`` is called when traffic was stopped because it cannot be recorded; `close` then says why. A server
        in the foreground has the control API unless it is switched off.
        """
        tls = _tls(options)
        with contextlib.ExitStack() as undo:
            archive = Archive.open(None if options.memory else options.storage, options=archive_options(options))
            undo.callback(archive.close)
            _preload(archive, options, observe, play)
            if options.transcode:
                _tell_missing_decoders(observe)
            theatre, facts, script = None, [], None
            if options.scenario or play:
                from mockpacs import playing  # what it loads costs 200 ms, paid by those who play something

                script = playing.script_of(options, play.script if play else None)
                theatre, facts = playing.theatre_of(script), playing.facts_of(script)
            recorder = _recorder(options, facts)
            if recorder is not None:
                undo.callback(recorder.close)
            registry = Registry(archive, _query_options(options), _retrieve_options(options))
            lanes = Lanes(
                registry.storage,
                lambda what, error: observe(_trouble(what, error)),
                may_write_in_loop=options.durability == "normal",
            )
            undo.callback(lanes.close, wait=True)
            undo.callback(lanes.finish_writing, 1.0)
            rooms = Rooms(registry.offer, _access(options), options.max_pdu)
            environment = Environment(
                rooms, registry, archive.spool, lanes, _limits(options), observe, recorder, theatre
            )
            environment.dialer = dialer = Dialer(environment, options.aet)
            undo.callback(dialer.halt)
            peers = Peers(dialer, options.peer, options.tls_cert, options.tls_key)
            listener = Listener(environment, tls)
            if theatre is not None:
                theatre.refuse = listener.refuse
            undo.callback(listener.halt)
            addresses = await listener.open(options.host, options.port)
            refill = partial(_preload, archive, options, observe, play)
            house = House(journal, archive, environment, listener, addresses, peers, refill, options)
            desk = Desk(house, lambda: script or _nothing(options))
            door = await _door(desk, options, in_foreground=in_foreground)
            undo.pop_all()
        serving = cls(desk, archive, lanes, listener, environment, addresses, time.monotonic(), door, play)
        if recorder is not None:
            recorder.on_failure = lambda error: serving.halt(error, failed)
        return serving

    @property
    def recording(self) -> Path | None:
        """The file that is being written, None without a recording."""
        recorder = self.environment.recorder
        return recorder.path if recorder else None

    def play(self, options: Options) -> None:
        """Read the scenarios again and play them from the start.

        Raises `ConfigurationError`; then the old ones go on.
        """
        if options.scenario or self.program:
            from mockpacs import playing

            play = self.program.script if self.program else None
            self.desk.rules.restart(playing.script_of(options, play))

    def halt(self, error: RecordingError, then: Callable[[], object]) -> None:
        """What cannot be recorded does not happen."""
        loop = asyncio.get_running_loop()
        loop.call_soon(self.listener.halt)  # not from within what a link is doing
        if self.environment.dialer is not None:
            loop.call_soon(self.environment.dialer.halt)
        loop.call_soon(then)
        self.environment.observe(Notice(time.time(), "trouble", f"{error}; traffic is stopped"))

    async def close(self, timeout_seconds: float) -> None:
        """From the port down to the disk, within the limit.

        Raises StopError naming what did not end, RecordingError when traffic had been stopped.
        """
        until = time.monotonic() + timeout_seconds
        self.desk.close()
        if self.door is not None:
            await self.door.close(timeout_seconds / 4)
        await self.listener.close(timeout_seconds / 2)
        if self.environment.dialer is not None:
            await self.environment.dialer.close(max(0.1, until - time.monotonic()))
        written = self.lanes.finish_writing(max(0.1, until - time.monotonic()))
        if tasks := list(self.environment.tasks):
            await asyncio.wait(tasks, timeout=max(0.1, until - time.monotonic()))
        unfinished = [task for task in tasks if not task.done()]
        for task in unfinished:
            task.cancel()
        self.lanes.close(wait=not unfinished)
        if recorder := self.environment.recorder:
            recorder.close()
        if not written or unfinished:
            what = ", ".join(sorted(task.get_name() for task in unfinished if task.get_name().startswith("handler")))
            raise StopError(
                f"after {timeout_seconds:g} s {what or 'something'} still works{'' if what else ' on the archive'}: "
                "it is left to end by itself"
            )
        self.archive.close()
        if recorder and recorder.failure:
            raise recorder.failure


def _tls(options: Options) -> ssl.SSLContext | None:
    if options.tls_cert is None:
        return None
    from mockpacs.net.tls import server_context

    return server_context(options.tls_cert, options.tls_key, options.tls_client_ca)


def _nothing(options: Options) -> Script:
    """What a server without a scenario plays."""
    from mockpacs.scenario.script import Script

    return Script(seed=options.seed or 0)


async def _door(desk: Desk, options: Options, *, in_foreground: bool) -> Door | None:
    """The control API; where nobody said so it is only opened in the foreground, and makes way for who was there."""
    if options.http == "off" or (options.http == "auto" and not in_foreground):
        return None
    from mockpacs.web.door import Door, Settings

    is_fixed = options.http != "auto"
    port = int(options.http) if is_fixed else HTTP_PORT if options.port else 0
    return await Door.open(desk, Settings(options.http_host, port, is_fixed, options.http_token))


def _recorder(options: Options, facts: Sequence[str]) -> Recorder | None:
    folder = options.recordings_folder
    if folder is None:
        return None
    return Recorder(
        folder, __version__, facts=facts, part_size=options.recording_size, total_size=options.recordings_total
    )


def _preload(archive: Archive, options: Options, observe: Observer, play: Play | None) -> None:
    """A file that was named must be an instance; what else lies in a folder is told and passed over."""
    for problem in play.fill(archive) if play else ():
        observe(Notice(time.time(), "trouble", problem))
    for path in options.preload:
        if not path.exists():
            raise StartError(f"{path}: there is no such file or folder to begin with (preload)")
        for added in archive.take(path):
            if added.problem and added.path == path:
                raise StartError(f"{path} cannot be taken to begin with: {added.problem} (preload)")
            if added.problem:
                observe(Notice(time.time(), "trouble", f"{added.path} was not preloaded: {added.problem}"))


def _tell_missing_decoders(observe: Observer) -> None:
    from mockpacs.services.decompression import missing_decoders

    if missing := missing_decoders():
        observe(Notice(time.time(), "trouble", missing))


def _trouble(what: str, error: BaseException) -> Notice:
    return Notice(time.time(), "trouble", f"{what}: {type(error).__name__}: {error}")


def _query_options(options: Options) -> QueryOptions:
    return QueryOptions(
        unknown_values=options.unknown_values,
        person_name_case=options.person_name_case,
        retrieve_aet=options.aet,
        max_results=options.max_query_results,
    )


def _retrieve_options(options: Options) -> RetrieveOptions:
    return RetrieveOptions(transcode=options.transcode, pending_interval=options.pending_interval)


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
