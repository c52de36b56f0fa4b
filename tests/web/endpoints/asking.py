"""Asking the endpoints: of a stand-in without a server, in this thread, or of a real one through its socket."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar, cast

import httpx

from mockpacs import MockPACS
from mockpacs.control.desk import Desk
from mockpacs.traffic.exchange import Association, Exchange, Notice
from mockpacs.traffic.journal import Journal
from mockpacs.web.api import application
from mockpacs.web.route import PREFIX

T = TypeVar("T")
HOST = "127.0.0.1"


class StandIn:
    """As much of a desk as what reads the journal needs."""

    def __init__(self, journal: Journal | None = None) -> None:
        self.journal = journal or Journal()
        self.options = None
        self.recording = None
        self.failure = None
        self.started = 0.0
        self.troubles: list[str] = []
        self.on_settled: Callable[[], object] = lambda: None

    async def settled(self) -> None:
        """What comes to pass just before the answer is made up."""
        self.on_settled()

    def tell(self, _kind: str, text: str, *, detail: bool = False) -> None:
        """Trouble of the control API itself."""
        self.troubles.append(text)

    @property
    def desk(self) -> Desk:
        """For who is strict about types."""
        return cast(Desk, self)


def exchange(number: int, service: str = "C-ECHO", status: int | None = 0, *, association: int = 1) -> Exchange:
    peer = Association(association, "127.0.0.1:50000", "CT1", "MOCKPACS")
    return Exchange(peer, number, service, status, "", "", started=1e9 + number, seconds=0.001)


def leg(number: int, status: int = 0, *, cause: str = "1.1") -> Exchange:
    """A sub-operation of ours."""
    there = Association(9, "127.0.0.1:40000", "MOCKPACS", "STORE", server="127.0.0.1:104", cause=cause, by_us=True)
    return Exchange(there, number, "C-STORE", status, "", "", 1e9 + number, 0.001, asked_by_us=True, cause=cause)


def notice(text: str) -> Notice:
    return Notice(1e9, "trouble", text)


def run(work: Callable[[], Awaitable[T]]) -> T:
    """In an event loop of its own."""

    async def awaited() -> T:
        async with asyncio.timeout(60):
            return await work()

    return asyncio.run(awaited())


async def ask(desk: StandIn, path: str, method: str = "GET", **how: Any) -> httpx.Response:
    """Ask in the running loop."""
    transport = httpx.ASGITransport(application(desk.desk, HOST))
    async with httpx.AsyncClient(transport=transport, base_url=f"http://{HOST}{PREFIX}/", timeout=30) as client:
        return await client.request(method, path, **how)


def asked(desk: StandIn, path: str, method: str = "GET", **how: Any) -> httpx.Response:
    """Ask once."""
    return run(lambda: ask(desk, path, method, **how))


def code(response: httpx.Response) -> tuple[int, str]:
    """Status and code of an error."""
    return response.status_code, response.json()["error"]["code"]


@contextmanager
def client_of(pacs: MockPACS) -> Iterator[httpx.Client]:
    """A client of the control API of a running server."""
    with httpx.Client(base_url=f"{pacs.url}{PREFIX}/", timeout=60, trust_env=False) as client:
        yield client
