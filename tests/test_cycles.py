"""A server that comes and goes: after 200 starts and stops in one process nothing of them is left."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import os
import socket
import tempfile
import threading
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from mockpacs import MockPACS
from tests.net.wire_client import CONTEXTS, WireClient, ct_image

CYCLES = 200
WARM_UP = 3  # what is imported, read and remembered once per process

Work = Callable[[MockPACS], object]


class Left(NamedTuple):
    """What a server could leave behind."""

    threads: frozenset[str]
    tasks: frozenset[str]
    loops: int
    ports: frozenset[str]
    descriptors: frozenset[str]
    files: frozenset[str]


def left(folder: Path) -> Left:
    """All that is there now. What is only waiting for the collector is not left: it is collected first."""
    gc.collect()
    watched = (asyncio.Task, asyncio.AbstractEventLoop, socket.socket)
    alive = [one for one in gc.get_objects() if issubclass(type(one), watched)]
    return Left(
        frozenset(f"{thread.name} {thread.ident}" for thread in threading.enumerate()),
        frozenset(one.get_name() for one in alive if isinstance(one, asyncio.Task) and not one.done()),
        sum(isinstance(one, asyncio.AbstractEventLoop) and not one.is_closed() for one in alive),
        frozenset(str(one.getsockname()) for one in alive if isinstance(one, socket.socket) and is_listening(one)),
        frozenset(descriptors()),
        frozenset(str(path) for path in folder.rglob("*")),
    )


def is_listening(one: socket.socket) -> bool:
    return one.fileno() >= 0 and bool(one.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))


def descriptors() -> Iterator[str]:
    """The open descriptors of this process and what they are, where the system tells."""
    with contextlib.suppress(OSError):
        for number in os.listdir("/proc/self/fd"):  # noqa: PTH208
            with contextlib.suppress(OSError):
                yield f"{number} {os.readlink(f'/proc/self/fd/{number}')}"  # noqa: PTH115


def nothing(_: MockPACS) -> None:
    """Start and stop, no more."""


def echo_and_store(pacs: MockPACS) -> None:
    """One association, as a test has it."""
    with WireClient(pacs.host, pacs.port) as client:
        client.associate(*CONTEXTS)
        assert client.echo() == 0
        assert client.store(ct_image()) == 0
        client.release()
    assert pacs.archive.counts().instances == 1


def store_and_stay(pacs: MockPACS) -> None:
    """An association that is open when the server stops."""
    client = WireClient(pacs.host, pacs.port)
    client.associate(*CONTEXTS)
    assert client.store(ct_image()) == 0
    stayed.append(client)


def store_and_ask(pacs: MockPACS) -> None:
    """The control API, used."""
    echo_and_store(pacs)
    assert pacs.url is not None
    with urllib.request.urlopen(f"{pacs.url}/api/v1/count", timeout=20) as answer:
        assert json.load(answer)["count"] == 2


stayed: list[WireClient] = []


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary files go, and everything that would go to the working folder."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def hang_up() -> None:
    """The server has ended it, our side of the connection is still open."""
    while stayed:
        with stayed.pop() as client:
            assert client.read() is not None  # A-ABORT


@pytest.mark.parametrize("work", [nothing, echo_and_store, store_and_stay, store_and_ask])
def test_a_server_in_a_with_block_leaves_nothing(temporary: Path, work: Work) -> None:
    http = 0 if work is store_and_ask else "off"

    def cycle() -> None:
        with MockPACS(http=http) as pacs:
            work(pacs)
        hang_up()

    for _ in range(WARM_UP):
        cycle()
    before = left(temporary)
    for _ in range(CYCLES):
        cycle()
    assert left(temporary) == before
    assert before.files == frozenset()


@pytest.mark.parametrize("work", [nothing, echo_and_store, store_and_stay, store_and_ask])
def test_a_server_in_an_async_with_block_leaves_nothing(temporary: Path, work: Work) -> None:
    http = 0 if work is store_and_ask else "off"

    async def cycle() -> None:
        async with MockPACS(http=http) as pacs:
            work(pacs)  # blocks, which does not matter: the server has a thread of its own
        hang_up()

    async def all_cycles() -> None:
        for _ in range(WARM_UP):
            await cycle()
        before = left(temporary)
        for _ in range(CYCLES):
            await cycle()
        assert left(temporary) == before
        assert before.files == frozenset()
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(all_cycles())


def test_what_a_server_has_while_it_serves_is_seen(temporary: Path) -> None:
    """Otherwise the tests above would pass whatever is left."""
    before = left(temporary)
    with MockPACS(http=0) as pacs:
        with urllib.request.urlopen(f"{pacs.url}/api/v1/events", timeout=20):
            during = left(temporary)
        assert len(during.threads) > len(before.threads)
        assert len(during.tasks) > len(before.tasks)
        assert during.loops == before.loops + 1
        assert str((pacs.host, pacs.port)) in during.ports
        assert len(during.ports) == len(before.ports) + 2
        assert len(during.files) > len(before.files)
        if before.descriptors:
            assert len(during.descriptors) > len(before.descriptors)
    assert left(temporary) == before
