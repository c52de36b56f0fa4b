"""Verifying and waiting against a running server; what they say when it is not so is in golden files."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from mockpacs import MockPACS
from mockpacs.control.verification import Bounds, verify, wait_for
from mockpacs.control.wanted import wanted
from mockpacs.errors import ConfigurationError, FilterError, MockpacsError, VerificationError, WaitError
from mockpacs.traffic.exchange import Association, Exchange, Notice
from mockpacs.traffic.journal import Journal
from tests.control.said import check_golden
from tests.net.wire_client import WireClient, ct_image, element

IDENTIFIER = element(0x00080052, "CS", b"STUDY") + element(0x00100010, "PN", b"DOE*")


class Counter:
    """A desk that is nothing but a journal."""

    def __init__(self, *statuses: int, kept: int = 10_000) -> None:
        self.journal = Journal(exchanges_kept=kept)
        self.settled = 0
        for number, status in enumerate(statuses, 1):
            self.add(number, status)

    def add(self, number: int, status: int = 0) -> None:
        peer = Association(1, "127.0.0.1:50000", "CT1", "MOCKPACS")
        self.journal.add(Exchange(peer, number, "C-ECHO", status, "", "", 1e9, 0.001))

    def settle(self) -> None:
        self.settled += 1


@pytest.fixture(scope="module")
def pacs() -> Iterator[MockPACS]:
    """Three instances from two clients, one of them refused; an echo and a query. Tests only ask it."""
    with MockPACS() as serving:
        serving.when("C-STORE", calling="CT1").reply("out-of-resources", name="full")
        with WireClient(serving.host, serving.port) as client:
            client.associate(calling="ct1")
            client.store(ct_image("1.2.3", patient="P1"), "1.2.3")
            client.store(ct_image("1.2.4", patient="p2"), "1.2.4")
            client.echo()
            client.find(IDENTIFIER)
            client.release()
        with WireClient(serving.host, serving.port) as client:
            client.associate(calling="CT1")
            client.store(ct_image("1.2.5", patient="P3"), "1.2.5")
            client.release()
        yield serving


@pytest.mark.parametrize(
    ("count", "bounds"),
    [
        (None, (1, None)),
        (0, (0, 0)),
        (3, (3, 3)),
        ("3", (3, 3)),
        ("2..4", (2, 4)),
        ("3..", (3, None)),
        ("..5", (0, 5)),
    ],
)
def test_a_count_is_a_number_or_a_range(count: Any, bounds: tuple[int, int | None]) -> None:
    assert Bounds.of(count) == bounds


@pytest.mark.parametrize("count", ["", "..", "x", "4..2", -1, True, "1,2", 1.5])
def test_what_is_no_count_is_refused(count: Any) -> None:
    with pytest.raises(ConfigurationError, match="count: "):
        Bounds.of(count)


def test_what_matches_is_returned(pacs: MockPACS) -> None:
    found = verify(pacs.desk, wanted("C-STORE", status="success"), 2)

    assert [exchange.sop_instance for exchange in found] == ["1.2.3", "1.2.4"]
    assert verify(pacs.desk, wanted("C-STORE", dataset={"PatientID": "P3"}), 1)[0].rule == "full"
    assert verify(pacs.desk, wanted("C-FIND", query={"PatientName": "DOE*"}), "1..1")
    assert verify(pacs.desk, wanted("C-MOVE"), 0) == []
    assert len(verify(pacs.desk, lambda exchange: exchange.size > 0)) == 4


def test_a_rule_is_found_among_several(pacs: MockPACS) -> None:
    exchange = Exchange(Association(1, ""), 1, "C-ECHO", 0, "", "", 1e9, 0.0, rule="Slow, a, b, full")

    for rule in ("slow", "full", "a, b", "Slow, a, b, full", "fu*", "a"):
        assert wanted(rule=rule).matches(exchange), rule
    for other in ("", "slo", "b, a", "low", None):
        assert not wanted(rule=other).matches(exchange), other


@pytest.mark.parametrize(
    ("name", "service", "terms", "count"),
    [
        ("too-few", "C-STORE", {}, 5),
        ("too-many", "C-STORE", {}, 1),
        ("never", "C-STORE", {"status": "failed"}, 0),
        ("wrong-calling-title", "C-STORE", {"calling": "Ct1"}, None),
        ("wrong-status", "C-STORE", {"calling": "CT1", "status": "success"}, None),
        ("wrong-attribute", "C-STORE", {"dataset": {"PatientID": ["P2", "P9"], "AccessionNumber": "4711"}}, "2.."),
        ("another-service", "C-MOVE", {"calling": "CT1"}, None),
        ("several-terms", "C-FIND", {"rule": "full", "size": ">1MB", "sop_class": "CTImageStorage"}, "2..4"),
        ("a-group", "C-STORE", {"filter": "( size:>1MB or rule:slow ) -status:success"}, "1..2"),
    ],
)
def test_the_text_alone_says_what_to_change(
    pacs: MockPACS, name: str, service: str, terms: dict[str, Any], count: int | str | None
) -> None:
    with pytest.raises(AssertionError) as caught:
        verify(pacs.desk, wanted(service, **terms), count)

    assert isinstance(caught.value, VerificationError)
    check_golden(name, str(caught.value))


def test_a_function_says_nothing_so_the_last_are_shown(pacs: MockPACS) -> None:
    with pytest.raises(VerificationError) as caught:
        verify(pacs.desk, lambda exchange: exchange.status == 0xC000)

    check_golden("a-function", str(caught.value))


def test_waiting_says_the_same_when_time_is_up(pacs: MockPACS) -> None:
    with pytest.raises(WaitError) as caught:
        wait_for(pacs.desk, wanted("C-STORE", status="success"), 3, 0.01)

    check_golden("wait-timeout", str(caught.value))


def test_when_nobody_connected_that_is_said() -> None:
    with MockPACS() as pacs, pytest.raises(VerificationError) as caught:
        pacs.verify("C-STORE")

    check_golden("nobody-connected", str(caught.value))


def test_when_associations_came_to_nothing_they_are_shown() -> None:
    with MockPACS(called_aets=["MOCKPACS"]) as pacs:
        with WireClient(pacs.host, pacs.port) as client:
            client.associate(called="OTHER", calling="CT1")
        with pytest.raises(VerificationError) as caught:
            pacs.verify("C-STORE", calling="CT1", timeout=0.01)

    check_golden("rejected", str(caught.value))


def test_what_the_journal_does_not_keep_is_said_to_be_missing() -> None:
    desk = Counter(0, 0, 0, 0xA700, kept=2)
    desk.journal.add(Notice(1e9, "trouble", "the disk is full"))
    with pytest.raises(VerificationError) as caught:
        verify(desk, wanted("C-ECHO", status="success"), 3)

    check_golden("dropped", str(caught.value))


def test_a_recording_that_is_gone_does_not_hide_what_there_is_to_say() -> None:
    journal = Journal(values=_gone)
    desk = Counter()
    desk.journal = journal
    desk.add(1, 0xA700)
    with pytest.raises(VerificationError, match="got A700"):
        verify(desk, wanted("C-ECHO", status="success", dataset={"PatientID": "P1"}))


def _gone(exchange: Exchange, tag: int) -> None:
    raise MockpacsError("gone")


def test_attributes_need_a_recording() -> None:
    with pytest.raises(FilterError, match="serve with a recording"):
        verify(Counter(0), wanted(dataset={"PatientID": "P1"}))


def test_it_is_settled_before_anything_is_counted() -> None:
    desk = Counter()
    desk.settle = lambda: desk.add(1)  # type: ignore[method-assign]

    assert len(verify(desk, wanted("C-ECHO"), 1)) == 1


def test_what_is_missing_is_waited_for_as_long_as_is_said() -> None:
    desk, asked = Counter(0), threading.Event()

    def match(exchange: Exchange) -> bool:
        if exchange.number == 1 and desk.settled:
            asked.set()
        return True

    with ThreadPoolExecutor(1) as pool:
        verifying = pool.submit(verify, desk, match, 2, 30.0)
        assert asked.wait(30)
        desk.add(2)

        assert [exchange.number for exchange in verifying.result(30)] == [1, 2]


def test_too_many_are_not_waited_for() -> None:
    with pytest.raises(
        VerificationError, match="Expected at most 1 exchange that matches status:success within 60 s; 2"
    ):
        verify(Counter(0, 0), wanted(status="success"), "..1", timeout=60)


def test_what_comes_as_time_is_up_is_not_told_to_be_missing() -> None:
    desk = Counter(0)
    settled = []

    def settle() -> None:
        settled.append(1)
        if len(settled) == 2:
            desk.add(2)

    desk.settle = settle  # type: ignore[method-assign]

    assert len(wait_for(desk, wanted("C-ECHO"), 2, 0.0)) == 2


def test_legs_that_match_are_told_with_what_counts_them() -> None:
    desk = Counter(0)
    there = Association(2, "127.0.0.1:40000", "MOCKPACS", "STORE", server="127.0.0.1:104", cause="1.1", by_us=True)
    for number in range(1, 5):
        desk.journal.add(Exchange(there, number, "C-STORE", 0, "", "", 1e9, 0.0, asked_by_us=True, cause="1.1"))
    line = '4 sub-operations of mockpacs itself match; leg="*" counts them'

    with pytest.raises(VerificationError) as caught:
        verify(desk, wanted("C-STORE"), 4)
    assert str(caught.value).splitlines()[1] == line
    with pytest.raises(WaitError) as waited:
        wait_for(desk, wanted("C-STORE"), 4, 0.01)
    assert str(waited.value).splitlines()[1] == line
    assert len(verify(desk, wanted("C-STORE", leg="*"), 4)) == 4
