"""From events to findings: numbers, titles, times; connections that are not ours; however the bytes are cut."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mockpacs.traffic.capture.event import Event
from mockpacs.traffic.findings.finding import Finding
from mockpacs.traffic.findings.inspect import inspect
from mockpacs.traffic.findings.render import as_json
from mockpacs.wire import Role
from tests.traffic.findings.provocations import PROVOCATIONS
from tests.traffic.findings.script import (
    ABORT,
    ACCEPTOR,
    ECHO_RQ,
    FIND_RQ,
    IMAGE,
    KEYS,
    REQUESTOR,
    RQ,
    STORE_RQ,
    Step,
    answers,
    asks,
    associated,
    changed,
    events,
    findings,
    released,
)

ECHOED = answers(5, ECHO_RQ, 0)
BAD_PRIORITY = changed(STORE_RQ, {0x0700: 3})


def only(found: list[Finding]) -> Finding:
    (finding,) = found
    return finding


def test_a_finding_says_where_when_and_between_whom() -> None:
    steps = released(asks(5, ECHO_RQ), ECHOED, asks(1, BAD_PRIORITY, IMAGE), answers(1, STORE_RQ, 0))
    finding = only(findings(steps))

    assert (finding.association.number, finding.exchange) == (1, 2)
    assert (finding.association.calling, finding.association.called) == ("CT1", "PACS")
    assert finding.association.address == "10.0.0.1:50000"
    assert (finding.sender, finding.when) == (Role.REQUESTOR, 7.0)
    assert finding.position == len(steps[0][1]) + len(steps[2][1])
    assert finding.clause == "PS3.7 9.3.1.1"


def test_a_response_belongs_to_the_exchange_of_its_request() -> None:
    finding = only(findings(released(asks(5, ECHO_RQ), ECHOED, asks(3, FIND_RQ, KEYS), answers(3, FIND_RQ, 0xA801))))

    assert (finding.exchange, finding.sender) == (2, Role.ACCEPTOR)


def test_findings_of_the_association_request_itself_know_the_titles() -> None:
    finding = only(findings(released(rq=replace(RQ, protocol_version=2))))

    assert finding.association.calling == "CT1"


@pytest.mark.parametrize(("name", "steps"), PROVOCATIONS, ids=lambda value: value if isinstance(value, str) else "")
def test_how_the_bytes_are_cut_makes_no_difference(name: str, steps: list[Step]) -> None:
    whole = [(one.check, one.text, one.position) for one in inspect(events(steps))]

    assert [(one.check, one.text, one.position) for one in inspect(events(steps, piece=7))] == whole


def test_connections_are_looked_at_apart() -> None:
    steps = [list(events(released(asks(5, ECHO_RQ), ECHOED), comments=())) for _ in range(2)]
    second = [event._replace(flow=event.flow._replace(number=2)) for event in steps[1]]
    mixed: list[Event] = [event for pair in zip(steps[0], second, strict=True) for event in pair]

    assert list(inspect(mixed)) == []


def test_what_is_not_dicom_in_a_capture_of_others_is_left_out() -> None:
    http: list[Step] = [(REQUESTOR, b"GET / HTTP/1.1\r\n\r\n"), (ACCEPTOR, b"HTTP/1.1 200 OK\r\n\r\n")]

    assert list(inspect(events(http, comments=()))) == []
    assert [one.check for one in inspect(events(http))] == ["unknown-pdu", "unknown-pdu"]


def test_what_was_held_back_is_told_once_it_is_dicom() -> None:
    steps: list[Step] = [(ACCEPTOR, b"220 welcome\r\n"), *associated(ABORT)]

    assert "unknown-pdu" in [one.check for one in inspect(events(steps, comments=()))]


def test_a_later_part_of_a_recording_does_not_know_all_requests() -> None:
    steps = released(ECHOED)

    assert list(inspect(events(steps, comments=("continues connection 1 of a.pcapng",)))) == []


def test_only_who_closed_is_told_to_have_closed() -> None:
    assert only(findings(associated(), ACCEPTOR)).sender is Role.ACCEPTOR
    assert only(findings(associated(), ACCEPTOR, "reset")).check == "closed-without-release"
    assert findings(associated(ABORT), ACCEPTOR) == []


def test_half_a_pdu_of_who_was_aborted_is_no_fault() -> None:
    sender, data = asks(1, STORE_RQ, IMAGE)

    assert findings([*associated(), (sender, data[:-9]), answers(5, ECHO_RQ, 0)], ACCEPTOR)[-1].check != "half-pdu"


def test_one_kind_is_told_a_hundred_times_and_then_counted() -> None:
    steps = released(*([asks(1, BAD_PRIORITY, IMAGE), answers(1, STORE_RQ, 0)] * 150))
    found = findings(steps)

    assert [one.check for one in found] == ["priority"] * 101
    assert found[-1].text.startswith("and 50 more ")


def test_a_thousand_requests_without_an_answer_are_remembered_up_to_a_limit() -> None:
    many = [asks(5, changed(ECHO_RQ, {0x0110: number})) for number in range(6000)]
    found = findings([*associated(*many), ABORT])

    assert {one.check for one in found} == {"window-exceeded"}
    assert len(found) == 101


@pytest.mark.parametrize(("comment", "by_us"), [("to 10.0.0.2:104 for 3.1", True), ("from 10.0.0.1:50000", False)])
def test_who_opened_a_connection_is_told_with_each_finding(comment: str, *, by_us: bool) -> None:
    steps = released(asks(5, ECHO_RQ), ECHOED, asks(1, BAD_PRIORITY, IMAGE), answers(1, STORE_RQ, 0))
    (finding,) = inspect(events(steps, comments=(f"connection 1 {comment}",)))

    assert (finding.association.by_us, finding.association.cause) == (by_us, "3.1" if by_us else "")
    assert finding.association.calling == "CT1"
    assert as_json(finding)["peer"] == ("10.0.0.2:104" if by_us else "10.0.0.1:50000")
