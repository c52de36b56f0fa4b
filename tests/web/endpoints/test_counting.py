"""Counting and waiting: never stale, never blocking the loop, and bounded."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from mockpacs import MockPACS
from mockpacs.web import crowd
from mockpacs.web.endpoints import counting
from tests.net.wire_client import WireClient
from tests.web.endpoints.asking import StandIn, ask, asked, code, exchange, leg, notice, run


def test_a_count() -> None:
    desk = StandIn()
    for number in range(1, 6):
        desk.journal.add(exchange(number, "C-STORE", 0 if number % 2 else 0xA700))

    assert asked(desk, "count").json() == {"count": 5, "dropped": 0}
    assert asked(desk, "count?filter=status:success").json()["count"] == 3


def test_notices_are_not_counted() -> None:
    desk = StandIn()
    desk.journal.add(notice("C-ECHO"))

    assert asked(desk, "count").json()["count"] == 0


def test_what_is_there_already_counts() -> None:
    desk = StandIn()
    for number in range(1, 4):
        desk.journal.add(exchange(number))
    told = asked(desk, "wait?count=2..&timeout=0").json()

    assert told["count"] == 3
    assert [one["id"] for one in told["exchanges"]] == ["1.1", "1.2", "1.3"]


@pytest.mark.parametrize("thread", [False, True])
def test_it_answers_as_soon_as_there_are_enough(thread: bool) -> None:
    """What comes from another thread wakes it as well."""
    desk = StandIn()

    async def work() -> httpx.Response:
        asking = asyncio.create_task(ask(desk, "wait?count=2&filter=service:C-STORE&timeout=30"))
        while not crowd.WAITING.there(desk.desk):
            await asyncio.sleep(0)
        for number, service in ((1, "C-STORE"), (2, "C-ECHO"), (3, "C-STORE")):
            assert not asking.done()
            if thread:
                await asyncio.to_thread(desk.journal.add, exchange(number, service))
            else:
                desk.journal.add(exchange(number, service))
        return await asking

    told = run(work).json()
    assert [one["id"] for one in told["exchanges"]] == ["1.1", "1.3"]
    assert (told["mark"], crowd.WAITING.there(desk.desk)) == (3, 0)


def test_time_is_up_and_the_text_shows_what_came_nearest() -> None:
    desk = StandIn()
    desk.journal.add(exchange(1, "C-STORE", 0xA700))
    desk.journal.add(exchange(2, "C-ECHO"))
    response = asked(desk, "wait?filter=service:C-STORE status:success calling:CT1&count=2&timeout=1ms")

    assert code(response) == (408, "timeout")
    lines = response.json()["error"]["message"].splitlines()
    assert "2 exchanges" in lines[0]
    assert "service:C-STORE status:success calling:CT1" in lines[0]
    assert any("1.1" in line and "C-STORE" in line for line in lines[1:])
    assert any("status" in line and "expected success" in line for line in lines[1:])
    assert response.json()["error"]["count"] == 0


def test_time_is_up_and_there_was_nothing() -> None:
    text = asked(StandIn(), "wait?timeout=0").json()["error"]["message"]

    assert text.startswith("Waited 0 s for 1 exchange; 0 came.")
    assert "no exchange at all" in text


def test_what_came_at_the_last_moment_counts() -> None:
    desk = StandIn()
    left = iter([lambda: None, lambda: desk.journal.add(exchange(1))])
    desk.on_settled = lambda: next(left, lambda: None)()

    assert asked(desk, "wait?timeout=0").status_code == 200


def test_one_waiter_too_many_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "WAITING", crowd.Crowd(2, "waiting requests"))
    desk = StandIn()

    async def work() -> list[httpx.Response]:
        waiting = [asyncio.create_task(ask(desk, "wait?timeout=30")) for _ in range(2)]
        while counting.WAITING.there(desk.desk) < 2:
            await asyncio.sleep(0)
        refused = await ask(desk, "wait?timeout=30")
        desk.journal.add(exchange(1))
        return [refused, *await asyncio.gather(*waiting), await ask(desk, "wait")]

    refused, *others = run(work)
    assert code(refused) == (503, "too-many")
    assert [one.status_code for one in others] == [200, 200, 200]


@pytest.mark.parametrize(
    "query", ["count=0", "count=..2", "count=x", "count=1.5", "timeout=1h", "timeout=-1", "timeout=x"]
)
def test_a_question_that_makes_no_sense_is_refused(query: str) -> None:
    assert code(asked(StandIn(), f"wait?{query}")) == (400, "bad-parameter")


def test_a_client_that_goes_away_leaves_its_place(pacs: MockPACS, api: httpx.Client, scu: WireClient) -> None:
    with pytest.raises(httpx.ReadTimeout):
        api.get("wait?timeout=500", timeout=0.2)
    while crowd.WAITING.there(pacs.desk):
        assert scu.echo() == 0


def test_a_count_is_never_stale(api: httpx.Client, scu: WireClient) -> None:
    for number in range(1, 101):
        scu.store()
        assert api.get("count?filter=service:C-STORE").json()["count"] == number


def test_waiting_for_an_attribute(api: httpx.Client, scu: WireClient) -> None:
    scu.store()

    assert api.get("wait?filter=PatientID:P1").json()["count"] == 1
    assert code(api.get("wait?filter=PatientID:P2&timeout=0")) == (408, "timeout")


@pytest.mark.parametrize(
    ("filter_", "count"),
    [("", 2), ("service:C-STORE", 1), ("leg:*", 2), ("leg:1.1 status:failed", 1), ("service:C-STORE -leg:9.9", 3)],
)
def test_what_we_asked_ourselves_counts_when_it_is_meant(filter_: str, count: int) -> None:
    desk = StandIn()
    for one in (exchange(1, "C-MOVE"), leg(1), exchange(2, "C-STORE"), leg(2, 0xA700)):
        desk.journal.add(one)

    assert asked(desk, f"count?filter={filter_}").json()["count"] == count
    assert asked(desk, f"wait?filter={filter_}&count={count}&timeout=0").json()["count"] == count


def test_what_we_asked_ourselves_is_not_counted_but_told() -> None:
    desk = StandIn()
    for one in (exchange(1, "C-MOVE"), leg(1), leg(2, 0xA700)):
        desk.journal.add(one)
    remark = "2 sub-operations of mockpacs itself match; leg:* counts them"

    assert asked(desk, "count?filter=service:C-STORE").json() == {"count": 0, "dropped": 0, "remark": remark}
    assert remark in asked(desk, "wait?filter=service:C-STORE&timeout=0").json()["error"]["message"].splitlines()
    assert "remark" not in asked(desk, "count?filter=service:C-FIND").json()
    assert "remark" not in asked(desk, "count?filter=service:C-FIND leg:*").json()
