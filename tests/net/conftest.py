"""Servers for the tests of this folder, and what every test must leave behind: nothing."""

from __future__ import annotations

import contextlib
import gc
import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from mockpacs import MockPACS
from mockpacs.traffic.exchange import Exchange, Notice, Record
from mockpacs.traffic.render import line
from mockpacs.wire import ProposedContext
from tests.net.destination import Destination
from tests.net.retold import differences
from tests.net.wire_client import WireClient

PATIENCE_SECONDS = 20.0


class Served:
    """A running server, what it reported, and the clients that talk to it. Ended by the fixture that made it."""

    def __init__(self, **options: Any) -> None:
        self.records: list[Record] = []
        self._reported = threading.Condition()
        self._clients: list[WireClient] = []
        self._instances = count(1)
        self._descriptors = _descriptors()
        self._threads = set(threading.enumerate())
        self.pacs = MockPACS(observe=self._observe, **options).start()
        self.host, self.port = self.pacs.host, self.pacs.port
        self.storage = None if self.pacs.options.memory else self.pacs.options.storage
        self.recording = self.pacs.recording

    @property
    def lines(self) -> str:
        """What a person would have read."""
        return "\n".join(map(line, self.records))

    @property
    def exchanges(self) -> list[Exchange]:
        return [record for record in self.records if isinstance(record, Exchange)]

    def notices(self, kind: str = "") -> list[Notice]:
        return [record for record in self.records if isinstance(record, Notice) and kind in ("", record.kind)]

    def wait_for(self, what: Callable[[], Any]) -> None:
        """Return as soon as ``what()`` is true of the records; fail when it never is."""
        with self._reported:
            assert self._reported.wait_for(what, PATIENCE_SECONDS), self.lines[-2000:]

    def wait_until(self, what: Callable[[], Any]) -> None:
        """The same for what is not recorded: looks again and again."""
        until = time.monotonic() + PATIENCE_SECONDS
        while not what():
            assert time.monotonic() < until, self.lines[-2000:]
            threading.Event().wait(0.002)

    def wait_until_nobody_is_connected(self) -> None:
        """Return when the sockets of the connections that ended are closed."""
        self.wait_until(lambda: not self.connections())

    def wait_until_nothing_is_incoming(self) -> None:
        """Return when the temporary files are gone; a thread may still be writing to one that nobody wants."""
        self.wait_until(lambda: not incoming(self.storage))

    def connect(self) -> WireClient:
        """A connection; closed in the end at the latest."""
        client = WireClient(self.host, self.port, timeout=PATIENCE_SECONDS)
        self._clients.append(client)
        return client

    def associate(self, *contexts: ProposedContext, **how: Any) -> WireClient:
        client = self.connect()
        client.associate(*contexts, **how)
        return client

    def has_read_all(self) -> None:
        """Return when all that anybody has sent up to now was read and looked at: somebody who came later is answered.

        What is here is read together, or in the order in which it came; but whoever is made to wait is not read.
        """
        with WireClient(self.host, self.port, timeout=PATIENCE_SECONDS) as client:
            client.associate(calling="BYSTANDER")
            assert client.echo() == 0
            client.release()

    def connections(self) -> int:
        """How many sockets of this port this process holds that are not closed, the clients' own not counted."""
        held = Path("/proc/self/net/tcp").read_text().splitlines()[1:]
        ours = f":{self.port:04X}"
        inodes = {row.split()[9] for row in held if row.split()[1].endswith(ours) and row.split()[3] != "0A"}
        return sum(f"socket:[{inode}]" in target for target in _descriptors() for inode in inodes)

    def still_serves(self) -> None:
        """What must be true after anything: a new client is greeted, heard, and can leave something."""
        options = self.pacs.options
        if min(options.artim_timeout, options.network_timeout or 60) > 1:
            self._serve_somebody()
            return
        for chance in range(5):  # these timeouts are for others; on a busy machine we may be too slow for them too
            try:
                self._serve_somebody()
                return
            except (AssertionError, OSError):
                if chance == 4:
                    raise

    def _serve_somebody(self) -> None:
        with WireClient(self.host, self.port, timeout=PATIENCE_SECONDS) as client:
            client.associate(calling="AFTERWARDS")
            assert client.echo() == 0
            assert client.store(instance=f"1.2.999.{next(self._instances)}") == 0
            client.release()

    def end(self) -> None:
        """Stop, and look whether everything is gone: port, threads, descriptors, temporary files."""
        for client in self._clients:
            client.socket.close()
        self.pacs.stop()
        assert set(threading.enumerate()) - self._threads == set()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((self.host, self.port), PATIENCE_SECONDS).close()
        assert _descriptors() - self._descriptors == set()
        assert incoming(self.storage) == []
        if self.recording is not None and not self.cannot_record:
            found = differences(self.records, self.recording)
            assert not found, "\n".join(found[:20])

    @property
    def cannot_record(self) -> bool:
        """Whether traffic was stopped because the disk took no more of the recording."""
        return any("the recording cannot be written" in notice.text for notice in self.notices("trouble"))

    def _observe(self, record: Record) -> None:
        with self._reported:
            self.records.append(record)
            self._reported.notify_all()


def incoming(storage: Path | None) -> list[str]:
    """The temporary files of an archive."""
    return [] if storage is None else sorted(path.name for path in (storage / "incoming").iterdir())


def stored(storage: Path | None) -> dict[str, bytes]:
    """The files of an archive by their path below it."""
    assert storage is not None
    folder = storage / "archive"
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def serve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Served]]:
    """``serve(max_associations=3)``: a server in memory, or on disk with ``storage=``; ends it, looks at the rest.

    It records, unless it is told not to, and what it reported must be what its recording says.
    """
    running: list[Served] = []

    def start(rules: str = "", **options: Any) -> Served:
        if rules:  # a scenario, written where it is read
            scenario = tmp_path_factory.mktemp("scenario") / "test.yaml"
            scenario.write_text(f"mockpacs: 1\n{dedent(rules)}", encoding="utf-8")
            options["scenario"] = (scenario,)
        if options.keys().isdisjoint(("storage", "memory")):
            options.setdefault("recordings", tmp_path_factory.mktemp("recordings"))
        running.append(Served(**options))
        return running[-1]

    yield start
    for served in reversed(running):
        served.end()


@pytest.fixture
def destination(serve: Callable[..., Served]) -> Iterator[Callable[..., Destination]]:
    """``destination("ARCHIVE2")``: somebody whom a server may call, played by the test. Gone before any server ends."""
    made: list[Destination] = []

    def start(aet: str = "DESTINATION", **how: Any) -> Destination:
        made.append(Destination(aet, **how))
        return made[-1]

    yield start
    for each in made:
        each.close()


@pytest.fixture
def server(serve: Callable[..., Served]) -> Iterator[Served]:
    """A server in memory that must still serve when the test is over."""
    served = serve()
    yield served
    served.still_serves()


@pytest.fixture
def archive(serve: Callable[..., Served], tmp_path: Path) -> Iterator[Served]:
    """The same with its archive on disk."""
    served = serve(storage=tmp_path / "storage")
    yield served
    served.still_serves()


@pytest.fixture
def durable(serve: Callable[..., Served], tmp_path: Path) -> Iterator[Served]:
    """The same with every write forced to the disk: never by the event loop itself."""
    served = serve(storage=tmp_path / "storage", durability="full")
    yield served
    served.still_serves()


@pytest.fixture(autouse=True, scope="module")
def _no_thread_is_left() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    assert set(threading.enumerate()) - before == set()


@pytest.fixture(autouse=True, scope="module")
def _the_event_loop_has_nothing_to_complain_about() -> Iterator[None]:
    """Tasks destroyed while pending, exceptions never retrieved, callbacks that raised: asyncio only logs them."""
    complaints: list[str] = []

    class Listening(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            complaints.append(self.format(record))

    listening = Listening(logging.WARNING)
    logging.getLogger("asyncio").addHandler(listening)
    yield
    gc.collect()  # an exception is "never retrieved" when its task is collected
    logging.getLogger("asyncio").removeHandler(listening)
    assert complaints == []


def _descriptors() -> set[str]:
    """The open descriptors of this process and what they are, where the system tells."""
    found = set()
    with contextlib.suppress(OSError):
        for number in os.listdir("/proc/self/fd"):  # noqa: PTH208
            with contextlib.suppress(OSError):
                found.add(f"{number} {os.readlink(f'/proc/self/fd/{number}')}")  # noqa: PTH115
    return found
