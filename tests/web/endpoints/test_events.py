"""Events as they happen: in order, nothing twice, what is lost is counted, and who reads slowly harms nobody."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple
from urllib.parse import quote

import httpx
import pytest

from mockpacs import MockPACS
from mockpacs.traffic.journal import Journal
from mockpacs.web import crowd
from mockpacs.web.api import application
from mockpacs.web.endpoints import events
from mockpacs.web.route import PREFIX
from tests.net.wire_client import WireClient
from tests.web.endpoints.asking import HOST, StandIn, ask, asked, client_of, code, exchange, notice, run


class Event(NamedTuple):
    mark: int
    name: str
    data: dict[str, Any]


def parsed(text: str) -> list[Event]:
    found = []
    for block in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if "data" in fields:
            found.append(Event(int(fields["id"]), fields["event"], json.loads(fields["data"])))
    return found


def read(response: httpx.Response, count: int) -> Iterator[Event]:
    """So many events of a stream."""
    text = ""
    for piece in response.iter_text():
        text += piece
        whole, _, _ = text.rpartition("\n\n")
        if len(found := parsed(whole)) >= count:
            yield from found[:count]
            return


class Reader:
    """A client in the loop that reads no more than it is told to."""

    def __init__(self) -> None:
        self.pieces: list[str] = []
        self.has_gone = asyncio.Event()
        self._may_read = asyncio.Semaphore(0)
        self._came = asyncio.Condition()
        self._has_asked = False

    async def receive(self) -> dict[str, Any]:
        if not self._has_asked:
            self._has_asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self.has_gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            assert message["status"] == 200
            return
        await self._may_read.acquire()
        async with self._came:
            self.pieces.append(message["body"].decode())
            self._came.notify_all()

    async def read(self, pieces: int = 1) -> list[Event]:
        """Read so many pieces more, and return the events of all so far."""
        wanted = len(self.pieces) + pieces
        for _ in range(pieces):
            self._may_read.release()
        async with self._came:
            await self._came.wait_for(lambda: len(self.pieces) >= wanted)
        return parsed("".join(self.pieces))


@asynccontextmanager
async def listening(desk: StandIn, query: str = "", **headers: str) -> AsyncIterator[Reader]:
    """A stream of events that has been opened; what comes now is in it."""
    reader = Reader()
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "GET",
        "path": f"{PREFIX}/events",
        "raw_path": f"{PREFIX}/events".encode(),
        "root_path": "",
        "scheme": "http",
        "query_string": quote(query, safe="=&").encode(),
        "headers": [(b"host", HOST.encode()), *((name.encode(), value.encode()) for name, value in headers.items())],
    }
    serving = asyncio.create_task(application(desk.desk, HOST)(scope, reader.receive, reader.send))  # type: ignore[arg-type]
    await reader.read()
    yield reader
    reader.has_gone.set()
    for _ in range(10):
        reader._may_read.release()
    await serving


def test_exchanges_and_notices_as_they_come() -> None:
    desk = StandIn()
    desk.journal.add(exchange(1))

    async def work() -> list[Event]:
        async with listening(desk) as reader:
            desk.journal.add(exchange(2))
            desk.journal.add(notice("a"))
            return await reader.read()

    first, second = run(work)
    assert (first.mark, first.name, first.data["id"], first.data["mark"]) == (2, "exchange", "1.2", 2)
    assert (second.mark, second.name, second.data["event"], second.data["text"]) == (3, "notice", "trouble", "a")


def test_only_what_the_filter_wants() -> None:
    desk = StandIn()

    async def work() -> list[Event]:
        async with listening(desk, "filter=service:C-STORE") as reader:
            for number, service in ((1, "C-ECHO"), (2, "C-STORE"), (3, "C-ECHO")):
                desk.journal.add(exchange(number, service))
            desk.journal.add(notice("a"))
            return await reader.read()

    assert [event.data["id"] for event in run(work)] == ["1.2"]


def test_a_client_that_comes_again_goes_on_where_it_was() -> None:
    desk = StandIn()

    async def work() -> tuple[list[Event], list[Event], list[Event]]:
        async with listening(desk) as reader:
            desk.journal.add(exchange(1))
            desk.journal.add(exchange(2))
            first = await reader.read()
        desk.journal.add(exchange(3))
        async with listening(desk, **{"last-event-id": str(first[0].mark)}) as reader:
            second = await reader.read()
        async with listening(desk, "after=0") as reader:
            return first, second, await reader.read()

    first, second, third = run(work)
    assert [event.data["id"] for event in first] == ["1.1", "1.2"]
    assert [event.data["id"] for event in second] == ["1.2", "1.3"]
    assert [event.data["id"] for event in third] == ["1.1", "1.2", "1.3"]


def test_after_a_restart_everything_is_new() -> None:
    """The id of the run before is not reached yet: nothing may be left out."""
    desk = StandIn()
    desk.journal.add(exchange(1))

    async def work() -> list[Event]:
        async with listening(desk, **{"last-event-id": "5000"}) as reader:
            return await reader.read()

    assert [event.data["id"] for event in run(work)] == ["1.1"]


def test_a_slow_reader_is_told_how_much_it_lost() -> None:
    desk = StandIn(Journal(exchanges_kept=10, notices_kept=10))

    async def work() -> list[Event]:
        async with listening(desk) as reader:
            for number in range(1, 101):
                desk.journal.add(exchange(number))
            return await reader.read()

    dropped, *others = run(work)
    assert (dropped.name, dropped.data, dropped.mark) == ("dropped", {"count": 90}, 100)
    assert [event.data["exchange"] for event in others] == list(range(91, 101))


def test_who_does_not_read_holds_one_piece_whatever_comes() -> None:
    desk = StandIn(Journal(exchanges_kept=1000, notices_kept=10))

    async def work() -> tuple[int, list[Event]]:
        async with listening(desk) as reader:
            desk.journal.add(exchange(1))
            while len(reader._may_read._waiters or ()) < 1:  # it is being sent the first one
                await asyncio.sleep(0)
            for number in range(2, 20_002):
                desk.journal.add(exchange(number))
            await asyncio.sleep(0)
            held = len(reader.pieces)
            return held, await reader.read(3)

    held, found = run(work)
    assert held == 1  # the head
    assert found[0].data["id"] == "1.1"
    assert (found[1].name, found[1].data["count"]) == ("dropped", 19_000)
    assert [event.data["exchange"] for event in found[2:]] == list(range(19_002, 20_002))


def test_a_sign_of_life_when_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "HEARTBEAT_SECONDS", 0.01)

    async def work() -> list[str]:
        async with listening(StandIn()) as reader:
            await reader.read(2)
            return reader.pieces[:]

    head, *beats = run(work)
    assert head.startswith("retry:")
    assert beats == [": here\n\n"] * 2


def test_what_comes_from_another_thread_is_told_as_well() -> None:
    desk = StandIn()

    async def work() -> list[Event]:
        async with listening(desk) as reader:
            await asyncio.to_thread(desk.journal.add, exchange(1))
            return await reader.read()

    assert [event.data["id"] for event in run(work)] == ["1.1"]


def test_who_goes_leaves_nothing_behind() -> None:
    desk = StandIn()

    async def work() -> None:
        async with listening(desk):
            assert crowd.LISTENING.there(desk.desk) == 1
            assert len(desk.journal._observers) == 1
        assert crowd.LISTENING.there(desk.desk) == 0
        assert desk.journal._observers == ()
        assert len(asyncio.all_tasks()) == 1

    run(work)


def test_one_client_too_many_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "LISTENING", crowd.Crowd(1, "streams of events"))
    desk = StandIn()

    async def work() -> None:
        async with listening(desk):
            assert code(await ask(desk, "events")) == (503, "too-many")

    run(work)


@pytest.mark.parametrize("mark", ["x", "-1", "1.5", "9" * 30])
def test_an_id_that_is_none_is_refused(mark: str) -> None:
    assert code(asked(StandIn(), "events", headers={"Last-Event-ID": mark})) == (400, "bad-parameter")
    assert code(asked(StandIn(), f"events?after={mark}")) == (400, "bad-parameter")


def test_a_real_stream(pacs: MockPACS, api: httpx.Client, scu: WireClient) -> None:
    with api.stream("GET", "events?filter=service:C-STORE,C-ECHO") as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        scu.store()
        scu.echo()
        found = list(read(response, 2))
    assert [(event.data["service"], event.data["status"]) for event in found] == [
        ("C-STORE", "0000"),
        ("C-ECHO", "0000"),
    ]

    with api.stream("GET", "events", headers={"Last-Event-ID": str(found[0].mark)}) as response:
        assert next(read(response, 1)) == found[1]


def test_the_stop_of_the_server_ends_the_streams() -> None:
    ended = threading.Event()
    with MockPACS(http=0) as pacs, client_of(pacs) as api:

        def listen() -> None:
            with api.stream("GET", "events") as response:
                for _ in response.iter_raw():
                    begun.set()
            ended.set()

        begun = threading.Event()
        listener = threading.Thread(target=listen)
        listener.start()
        assert begun.wait(20)
        pacs.stop()
        assert ended.wait(20)
        listener.join()


def test_the_stop_of_the_server_ends_who_waits() -> None:
    with MockPACS(http=0) as pacs, client_of(pacs) as api:
        found: list[httpx.Response] = []
        waiter = threading.Thread(target=lambda: found.append(api.get("wait?timeout=500")))
        waiter.start()
        with client_of(pacs) as other:
            while not crowd.WAITING.there(pacs.desk):
                other.get("health")
        pacs.stop()
        waiter.join(20)
    assert code(found[0]) == (503, "stopping")
