"""The control API and associations at the same time: neither mixes up, nor slows, the other."""

from __future__ import annotations

import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from time import thread_time
from typing import Any, Final
from urllib.parse import urlsplit

import pytest

from mockpacs import MockPACS
from mockpacs.web import crowd
from mockpacs.wire import Command, Tag
from tests.net.wire_client import WireClient, ct_image
from tests.web.endpoints.asking import client_of

ASSOCIATIONS: Final = 8


def rules(status: str, comment: str) -> list[dict[str, Any]]:
    """Two rules that act at different moments of an exchange, between which others are played, and belong together."""
    return [
        {"name": f"status {comment}", "when": {"service": "C-STORE"}, "then": {"status": status, "delay": "2ms"}},
        {
            "name": f"comment {comment}",
            "when": {"service": "C-STORE", "at": "before-response"},
            "then": {"comment": comment},
        },
    ]


def answer(response: Command) -> tuple[int | None, str]:
    comment = response.elements.get(Tag.ERROR_COMMENT)
    return response.status, str(comment or "").strip()


@contextmanager
def storing(pacs: MockPACS, note: Callable[[Command], object]) -> Iterator[None]:
    """Within the block 8 associations store, one instance after the other; no failure stays unheard."""
    over = threading.Event()

    def store(number: int) -> None:
        with WireClient(pacs.host, pacs.port) as scu:
            scu.associate(calling=f"CT{number}")
            data = ct_image(f"1.2.{number}")
            while not over.is_set():
                scu.send(scu.store_request(data, f"1.2.{number}"))
                note(scu.response()[0])
            scu.release()

    with ThreadPoolExecutor(ASSOCIATIONS) as pool:
        stores = [pool.submit(store, number) for number in range(ASSOCIATIONS)]
        try:
            yield
        finally:
            over.set()
        for one in stores:
            one.result(30)


def test_every_exchange_is_decided_by_the_rules_of_one_moment(pacs: MockPACS) -> None:
    """Four clients play one pair of rules or the other while 8 associations store: no exchange has half of each."""
    pairs = [rules("A700", "first"), rules("C001", "second")]
    pacs.rules.play_text(str({"rules": pairs[0]}), "start")
    answers: Counter[tuple[int | None, str]] = Counter()

    def change(first: int) -> None:
        with client_of(pacs) as api:
            for number in range(first, first + 40):
                api.put("rules", json={"rules": pairs[number % 2]}).raise_for_status()
                api.get("rules").raise_for_status()

    with storing(pacs, lambda response: answers.update([answer(response)])), ThreadPoolExecutor(4) as clients:
        for done in [clients.submit(change, number) for number in range(4)]:
            done.result(60)

    assert set(answers) == {(0xA700, "first"), (0xC001, "second")}


def test_rules_are_added_and_taken_away_without_losing_any(pacs: MockPACS) -> None:
    """Each client finds what it added, whatever the others do, and at the end nothing is left."""

    def change(client: int) -> None:
        with client_of(pacs) as api:
            for number in range(30):
                name = f"{client}-{number}"
                when = {"service": "C-STORE", "calling": f"CT{client}"}
                rule = {"name": name, "when": when, "then": {"comment": name}}
                api.post("rules", json=rule).raise_for_status()
                assert api.get(f"rules/{name}").json()["name"] == name
                api.delete(f"rules/{name}").raise_for_status()

    with storing(pacs, lambda response: None), ThreadPoolExecutor(4) as clients:
        for done in [clients.submit(change, number) for number in range(4)]:
            done.result(60)
    assert len(pacs.rules) == 0


def test_a_count_that_is_asked_for_by_many_is_that_of_the_moment(pacs: MockPACS) -> None:
    """What is acknowledged before the question is in the answer."""
    acknowledged = [0]
    lock = threading.Lock()

    def note(response: Command) -> None:
        with lock:
            acknowledged[0] += 1

    def count() -> None:
        with client_of(pacs) as api:
            for _ in range(60):
                least = acknowledged[0]
                told = api.get("count?filter=service:C-STORE").json()
                assert told["count"] + told["dropped"] >= least

    with storing(pacs, note), ThreadPoolExecutor(4) as clients:
        for done in [clients.submit(count) for _ in range(4)]:
            done.result(60)


def test_who_listens_hears_everything_once_and_in_order(pacs: MockPACS) -> None:
    """Four listeners while 8 associations store; each comes again in the middle and goes on where it was."""

    def listen() -> list[int]:
        marks: list[int] = []
        with client_of(pacs) as api:
            for most in (300, 600):
                headers = {"Last-Event-ID": str(marks[-1] if marks else 0)}
                with api.stream("GET", "events", headers=headers) as response:
                    for line in response.iter_lines():
                        assert line != "event: dropped"
                        marks += [int(line[4:])] if line.startswith("id: ") else []
                        if len(marks) >= most:
                            break
        return marks

    with storing(pacs, lambda response: None), ThreadPoolExecutor(4) as clients:
        heard = [done.result(60) for done in [clients.submit(listen) for _ in range(4)]]
    assert heard == [list(range(1, 601))] * 4


def deaf(pacs: MockPACS) -> socket.socket:
    """A client that asks for events and never reads them."""
    where = urlsplit(str(pacs.url))
    asking = socket.socket()
    asking.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    asking.connect((where.hostname, where.port))
    asking.sendall(f"GET /api/v1/events?after=0 HTTP/1.1\r\nHost: {where.netloc}\r\n\r\n".encode())
    return asking


def cost(pacs: MockPACS, scu: WireClient, count: int = 300) -> float:
    """Seconds of work that so many C-STORE are for the event loop, whatever else this machine does."""
    before = pacs.desk.call(thread_time)
    for _ in range(count):
        assert scu.store() == 0
    return pacs.desk.call(thread_time) - before


def test_who_listens_and_never_reads_costs_next_to_nothing(pacs: MockPACS, scu: WireClient) -> None:
    """Compared within one run: until their sockets are full 20 listeners are sent everything, then nothing."""
    listeners: list[socket.socket] = []
    try:
        cost(pacs, scu)
        alone = min(cost(pacs, scu) for _ in range(3))
        listeners += [deaf(pacs) for _ in range(20)]
        while crowd.LISTENING.there(pacs.desk) < 20:
            scu.echo()
        assert min(cost(pacs, scu) for _ in range(3)) < 3 * alone
    finally:
        for listener in listeners:
            listener.close()
    while crowd.LISTENING.there(pacs.desk):
        scu.echo()


@pytest.mark.parametrize("path", ["recording.pcapng", "exchanges/1.1/dataset.dcm", "archive/1.2.3.4.5"])
def test_a_download_that_is_given_up_leaves_nothing(path: str, pacs: MockPACS) -> None:
    with WireClient(pacs.host, pacs.port) as scu, client_of(pacs) as api:
        scu.associate()
        scu.store(ct_image(pixels=20_000_000))
        for _ in range(3):
            with api.stream("GET", path) as response:
                next(response.iter_raw(1000))
        while crowd.READING.there(pacs.desk):
            scu.echo()
        assert len(api.get(path).content) > 20_000_000
