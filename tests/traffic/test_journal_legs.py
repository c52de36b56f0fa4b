"""What we asked ourselves in the journal: kept and told, but counted only when somebody means it."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from mockpacs.errors import WaitError
from mockpacs.traffic.exchange import Association, Exchange
from mockpacs.traffic.filter import Filter
from mockpacs.traffic.journal import Journal

PEER = Association(3, "127.0.0.1:50000", "CT1", "MOCKPACS")
DESTINATION = Association(4, "127.0.0.1:40000", "MOCKPACS", "STORE", server="127.0.0.1:104", cause="3.1", by_us=True)


def exchange(number: int, service: str = "C-STORE") -> Exchange:
    return Exchange(PEER, number, service, 0, "", "", started=1e9 + number, seconds=0.001)


def leg(number: int, status: int = 0) -> Exchange:
    started = 1e9 + number
    return Exchange(DESTINATION, number, "C-STORE", status, "", "", started, 0.001, asked_by_us=True, cause="3.1")


MOVE = exchange(1, "C-MOVE")
STORES = Filter.parse("service:C-STORE")


def filled(*, exchanges_kept: int = 100) -> Journal:
    journal = Journal(exchanges_kept=exchanges_kept)
    for record in (MOVE, leg(1), exchange(2), leg(2, 0xA700)):
        journal.add(record)
    return journal


def test_what_peers_asked_and_what_we_asked_are_two_lists_and_one_sequence() -> None:
    journal = filled()

    assert journal.exchanges == [MOVE, exchange(2)]
    assert journal.legs == [leg(1), leg(2, 0xA700)]
    assert journal.since(0) == [MOVE, leg(1), exchange(2), leg(2, 0xA700)]
    assert [mark for mark, _ in journal.numbered(1)] == [2, 3, 4]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", [MOVE, exchange(2)]),
        ("service:C-STORE", [exchange(2)]),
        ("service:C-STORE leg:*", [leg(1), leg(2, 0xA700)]),
        ("leg:3.1 status:failed", [leg(2, 0xA700)]),
        ("leg:3", [leg(1), leg(2, 0xA700)]),
        ("leg:3.2", []),
        ("service:C-STORE -leg:3.2", [leg(1), exchange(2), leg(2, 0xA700)]),
        ('leg:""', [MOVE, exchange(2)]),
    ],
)
def test_a_filter_counts_legs_when_it_says_so(text: str, found: list[Exchange]) -> None:
    assert filled().matching(Filter.parse(text)) == found
    assert filled().count(Filter.parse(text)) == len(found)


def test_a_function_is_asked_of_what_peers_asked_only() -> None:
    assert filled().matching(lambda one: one.service == "C-STORE") == [exchange(2)]


def test_a_leg_that_comes_ends_no_waiting_for_peers() -> None:
    journal = Journal()
    begun = threading.Event()

    def match(one: Exchange) -> bool:
        begun.set()
        return one.service == "C-STORE"

    with ThreadPoolExecutor() as pool:
        journal.add(MOVE)
        waiting = pool.submit(journal.wait, match, 1, 30.0)
        assert begun.wait(30)
        journal.add(leg(1))
        journal.add(exchange(2))

        assert waiting.result(30) == [exchange(2)]


def test_legs_can_be_waited_for() -> None:
    assert filled().wait(Filter.parse("leg:3.1"), 2, 0.0) == [leg(1), leg(2, 0xA700)]
    with pytest.raises(WaitError, match="1 came"):
        filled().wait(STORES, 2, 0.0)


def test_what_came_instead_are_no_legs_unless_they_were_meant() -> None:
    journal = filled()

    assert "4.1" not in journal.what_came(Filter.parse("service:C-ECHO"))
    assert "4.1" in journal.what_came(Filter.parse("leg:3.2"))


def test_a_retrieve_of_very_many_instances_pushes_nothing_out_that_is_counted() -> None:
    journal = filled(exchanges_kept=2)
    for number in range(3, 100):
        journal.add(leg(number))

    assert journal.exchanges == [MOVE, exchange(2)]
    assert journal.legs == [leg(98), leg(99)]
    assert journal.dropped == (0, 0)


def test_clear_forgets_legs_as_well() -> None:
    journal = filled()
    journal.clear()

    assert (journal.legs, journal.since(0)) == ([], [])


def legs_told(match: Filter, *records: Exchange) -> list[str]:
    journal = Journal()
    for record in records:
        journal.add(record)
    return [text for text in journal.what_came(match).splitlines() if "of mockpacs itself" in text]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("service:C-STORE", ['2 sub-operations of mockpacs itself match; leg="*" counts them']),
        ("service:C-STORE status:failed", ['1 sub-operation of mockpacs itself matches; leg="*" counts it']),
        ("service:C-FIND", []),
        ("service:C-STORE leg:8.1", []),
        ("", []),
    ],
)
def test_legs_that_would_match_are_told(text: str, told: list[str]) -> None:
    assert legs_told(Filter.parse(text), MOVE, leg(1), leg(2, 0xA700)) == told


def test_what_was_asked_for_no_retrieve_is_no_sub_operation() -> None:
    asked = replace(leg(1), cause="")

    assert legs_told(STORES, asked) == ['1 request of mockpacs itself matches; leg="*" counts it']


def test_it_is_told_in_the_words_of_who_asks_and_only_when_too_few_came() -> None:
    journal = filled()

    assert "match; leg:* counts them" in journal.what_came(STORES, legs_by="leg:*")
    assert "itself" not in journal.what_came(STORES, [exchange(2)], are_too_many=True)
    assert "itself" in journal.what_came(STORES, [exchange(2)])
    assert journal.legs_that_match(STORES, "x") == "2 sub-operations of mockpacs itself match; x counts them"


def test_a_filter_with_a_function_may_stumble_over_legs() -> None:
    class Both:
        asks_for_legs = False

        def __call__(self, one: Exchange) -> bool:
            return one.comment[0] == "x" if one.status else one.service == "C-STORE"

    assert filled().legs_that_match(Both(), "x") == "1 sub-operation of mockpacs itself matches; x counts it"
    assert filled().legs_that_match(lambda one: True, "x") == ""


def test_of_very_many_legs_it_is_told_how_many_at_least() -> None:
    (told,) = legs_told(STORES, *(leg(number) for number in range(1, 1502)))

    assert told.startswith("at least 1000 sub-operations")
