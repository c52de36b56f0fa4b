"""The journal: what it keeps, and who waits for it or listens. Threads meet by events, never by sleeping."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from mockpacs.errors import FilterError, MockpacsError, WaitError
from mockpacs.traffic.exchange import Association, Exchange, Notice, Record
from mockpacs.traffic.filter import Filter
from mockpacs.traffic.journal import Journal

PEER = Association(1, "127.0.0.1:50000", "CT1", "MOCKPACS")


def exchange(number: int, service: str = "C-ECHO", status: int | None = 0) -> Exchange:
    return Exchange(PEER, number, service, status, "", "", started=1e9 + number, seconds=0.001)


def notice(text: str) -> Notice:
    return Notice(1e9, "trouble", text)


def filled(*records: Record, **options: int) -> Journal:
    journal = Journal(**options)  # type: ignore[arg-type]
    for record in records:
        journal.add(record)
    return journal


class Meeting:
    """A match that tells when it is asked: the waiter has then seen what was there and is about to block."""

    def __init__(self, match: Callable[[Exchange], bool]) -> None:
        self.asked = threading.Event()
        self._match = match

    def __call__(self, one: Exchange) -> bool:
        self.asked.set()
        return self._match(one)


def test_records_are_kept_in_their_order_by_kind() -> None:
    journal = filled(exchange(1), notice("a"), exchange(2), notice("b"))

    assert journal.exchanges == [exchange(1), exchange(2)]
    assert journal.notices == [notice("a"), notice("b")]
    assert journal.dropped == (0, 0)


def test_the_oldest_make_room_and_are_counted() -> None:
    journal = filled(*map(exchange, range(1, 6)), notice("a"), notice("b"), exchanges_kept=2, notices_kept=1)

    assert journal.exchanges == [exchange(4), exchange(5)]
    assert journal.notices == [notice("b")]
    assert journal.dropped == (3, 1)


def test_what_was_added_after_a_mark_is_given_in_the_order_of_adding() -> None:
    journal = filled(exchange(1), notice("a"))
    mark = journal.mark
    later: list[Record] = [exchange(2), notice("b"), notice("c"), exchange(3)]
    for record in later:
        journal.add(record)

    assert journal.since(mark) == later
    assert journal.since(0) == [exchange(1), notice("a"), *later]
    assert journal.since(journal.mark) == []


def test_clearing_forgets_records_but_not_marks() -> None:
    journal = filled(exchange(1), exchange(2), notice("a"), exchanges_kept=1)
    mark = journal.mark
    journal.clear()
    journal.add(exchange(3))

    assert journal.exchanges == [exchange(3)]
    assert journal.notices == []
    assert journal.dropped == (0, 0)
    assert journal.since(mark) == [exchange(3)]


@pytest.mark.parametrize(
    ("match", "count"),
    [
        (Filter.parse("service:C-STORE"), 2),
        (Filter.parse("status:failed"), 1),
        (lambda one: one.number > 1, 2),
        (Filter.parse(""), 3),
    ],
)
def test_exchanges_are_counted_by_filter_or_function(match: Filter | Callable[[Exchange], bool], count: int) -> None:
    assert filled(exchange(1), exchange(2, "C-STORE"), exchange(3, "C-STORE", 0xA700)).count(match) == count


def test_what_has_come_already_is_not_waited_for() -> None:
    journal = filled(exchange(1), exchange(2, "C-STORE"), exchange(3))

    assert journal.wait(Filter.parse("service:C-ECHO"), 2, timeout_seconds=0) == [exchange(1), exchange(3)]
    assert journal.wait(lambda one: True, timeout_seconds=0) == [exchange(1)]


def test_a_thread_waits_until_enough_has_come() -> None:
    journal = filled(exchange(1))
    match = Meeting(lambda one: one.service == "C-STORE")
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(journal.wait, match, 2, 30.0)
        assert match.asked.wait(30)
        for number, service in ((2, "C-STORE"), (3, "C-ECHO"), (4, "C-STORE"), (5, "C-STORE")):
            journal.add(exchange(number, service))

        assert waiting.result(30) == [exchange(2, "C-STORE"), exchange(4, "C-STORE")]


def test_a_waiter_misses_nothing_however_little_is_kept() -> None:
    journal = filled(exchange(1), exchanges_kept=1)
    match = Meeting(lambda one: one.number in (2, 3))
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(journal.wait, match, 2, 30.0)
        assert match.asked.wait(30)
        for number in range(2, 500):
            journal.add(exchange(number))

        assert waiting.result(30) == [exchange(2), exchange(3)]


def test_several_threads_wait_and_add_at_the_same_time() -> None:
    journal = Journal()
    each = 200

    def add(service: str) -> None:
        for number in range(each):
            journal.add(exchange(number, service))

    services = ["C-ECHO", "C-STORE", "C-FIND", "C-MOVE"]
    with ThreadPoolExecutor(2 * len(services)) as pool:
        waiting = [pool.submit(journal.wait, Filter.parse(f"service:{name}"), each, 60.0) for name in services]
        for name in services:
            pool.submit(add, name)
        for name, found in zip(services, waiting, strict=True):
            assert [one.number for one in found.result(60)] == list(range(each))
            assert {one.service for one in found.result()} == {name}
    assert len(journal.exchanges) == each * len(services)


def test_when_nothing_comes_the_error_says_so() -> None:
    with pytest.raises(WaitError, match="There was no exchange at all: nobody connected") as caught:
        Journal().wait(Filter.parse("2"), 2, timeout_seconds=0)

    assert str(caught.value).splitlines()[0] == "Waited 0 s for 2 exchanges that match 2; 0 came."


def test_when_the_wrong_ones_come_the_error_shows_the_nearest_and_what_they_miss() -> None:
    journal = filled(exchange(1), exchange(2, "C-STORE", 0xA700), exchange(3, "C-FIND", None))
    with pytest.raises(TimeoutError) as caught:
        journal.wait(Filter.parse("service:C-STORE status:success calling:CT1"), timeout_seconds=0)

    assert isinstance(caught.value, MockpacsError)
    lines = str(caught.value).splitlines()
    assert [" ".join(line.split()) for line in lines[3:]] == [
        "status expected success got out-of-resources (A700)",
        "Besides: 1 x C-ECHO success, 1 x C-FIND no answer",
    ]
    assert lines[2].split()[1] == "1.2"


def test_a_function_tells_nothing_so_the_error_shows_the_last_exchanges() -> None:
    journal = filled(*map(exchange, range(1, 10)))
    with pytest.raises(WaitError, match="0 came") as caught:
        journal.wait(lambda one: False, timeout_seconds=0)

    lines = str(caught.value).splitlines()
    assert [line.split()[1] for line in lines[2:7]] == ["1.5", "1.6", "1.7", "1.8", "1.9"]
    assert lines[7:] == ["Besides: 4 x C-ECHO success"]


def test_a_waiter_leaves_nothing_behind() -> None:
    journal = Journal()
    calls: list[Exchange] = []

    def broken(one: Exchange) -> bool:
        calls.append(one)
        raise ValueError("a mistake in a test")

    journal.add(exchange(1))
    with pytest.raises(ValueError, match="a mistake"):
        journal.wait(broken, timeout_seconds=0)
    journal.add(exchange(2))

    assert calls == [exchange(1)]
    assert journal._inboxes == []


def test_attributes_are_compared_when_somebody_gives_their_values() -> None:
    def values(one: Exchange, tag: int) -> Sequence[str] | None:
        return ("P1",) if one.number == 2 else None

    journal = Journal(values=values)
    journal.add(exchange(1))
    journal.add(exchange(2))

    assert journal.wait(Filter.parse("PatientID:P1"), timeout_seconds=0) == [exchange(2)]
    with pytest.raises(WaitError):
        journal.wait(Filter.parse("PatientID:P2"), timeout_seconds=0)


def test_attributes_that_nobody_has_are_an_error_at_once() -> None:
    with pytest.raises(FilterError, match="not kept in memory: serve with a recording"):
        Journal().wait(Filter.parse("PatientID:P1"), timeout_seconds=60)


def test_observers_hear_every_record_until_they_leave() -> None:
    journal = Journal()
    one: list[Record] = []
    other: list[Record] = []
    leave = journal.subscribe(one.append)
    journal.subscribe(other.append)
    journal.add(exchange(1))
    journal.add(notice("a"))
    leave()
    leave()
    journal.add(exchange(2))

    assert one == [exchange(1), notice("a")]
    assert other == [exchange(1), notice("a"), exchange(2)]


def test_an_observer_that_raises_is_reported_and_harms_nobody() -> None:
    said: list[Exception] = []
    heard: list[Record] = []
    journal = Journal(report=said.append)

    def broken(record: Record) -> None:
        raise ValueError("a mistake in a view")

    journal.subscribe(broken)
    journal.subscribe(heard.append)
    journal.add(exchange(1))

    assert [str(problem) for problem in said] == ["a mistake in a view"]
    assert heard == journal.exchanges == [exchange(1)]


def test_an_observer_may_read_the_journal_and_leave_while_it_is_called() -> None:
    journal = Journal()
    seen: list[int] = []

    def once(record: Record) -> None:
        seen.append(len(journal.exchanges))
        journal.unsubscribe(once)

    journal.subscribe(once)
    journal.add(exchange(1))
    journal.add(exchange(2))

    assert seen == [1]
