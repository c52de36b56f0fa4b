"""What keeps an exchange from matching: expected beside received, in words that say what to change."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from mockpacs.traffic.exchange import Answer, Association, Exchange
from mockpacs.traffic.filter import Filter
from mockpacs.traffic.filter.difference import Difference, differences
from mockpacs.wire import AcceptedContext, CommandField, Tag, request

MOVE = Exchange(
    Association(2, "10.0.0.1:50000", "CT 1 ", "MOCKPACS"),
    3,
    "C-MOVE",
    0xA702,
    "",
    "",
    started=1e9,
    seconds=0.25,
    size=5240,
    answers=(Answer(0xA702, 1, 0.25, 0.25),),
    command=request(
        CommandField.C_MOVE_RQ,
        7,
        has_dataset=True,
        elements={Tag.AFFECTED_SOP_CLASS: "1.2.840.10008.5.1.4.1.2.2.2", Tag.MOVE_DESTINATION: "STORESCP"},
    ),
    context=AcceptedContext(1, "1.2.840.10008.5.1.4.1.2.2.2", "1.2.840.10008.1.2"),
)
VALUES = {0x00100020: ("p1",), 0x00080060: (), 0x00080061: ("CT", "MR", "US", "PT", "XA"), 0x00181030: ("a\x1b[31m",)}


def values(_exchange: Exchange, tag: int) -> Sequence[str] | None:
    return VALUES.get(tag)


@pytest.mark.parametrize(
    ("wanted", "key", "expected", "received", "hint"),
    [
        ("status:success", "status", "success", "unable-to-perform-sub-operations (A702)", ""),
        ("service:C-STORE", "service", "C-STORE", "C-MOVE", ""),
        ('calling:"CT 1"', "calling", '"CT 1"', '"CT 1 "', "blanks count"),
        ("called:mockpacs", "called", "mockpacs", '"MOCKPACS"', "upper and lower case count"),
        ("called:MOCK", "called", "MOCK", '"MOCKPACS"', ""),
        ("rule:x", "rule", "x", "no rule", ""),
        ("user:x", "user", "x", "no user identity", ""),
        ("size:<1kB", "size", "<1kB", "5240 (5.2 kB)", ""),
        ("duration:>1s", "duration", ">1s", "250 ms", ""),
        ("responses:2..", "responses", "2..", "1", ""),
        ("message-id:8", "message-id", "8", "7", ""),
        ("secure:yes", "secure", "yes", "no", ""),
        ("syntax:JPEG*", "syntax", "JPEG*", "1.2.840.10008.1.2 (Implicit VR Little Endian)", ""),
        ("3", "association", "3", "2", ""),
        ("association:3", "association", "3", "2", ""),
        ("2.4", "exchange", "2.4", "2.3", ""),
        ("PatientID:P1", "PatientID", "P1", '"p1"', "upper and lower case count"),
        ("(0010,0020):P1,P2", "(0010,0020)", "P1,P2", '"p1"', "upper and lower case count"),
        ("Modality:CT", "Modality", "CT", "an empty attribute", ""),
        ("AccessionNumber:1", "AccessionNumber", "1", "no such attribute", ""),
        ("ModalitiesInStudy:NM", "ModalitiesInStudy", "NM", '"CT", "MR", "US", "PT" and 1 more', ""),
        ("ProtocolName:x", "ProtocolName", "x", '"a\\x1b[31m"', ""),
        ("MoveDestination:storescp", "MoveDestination", "storescp", '"STORESCP"', ""),
        ("-service:C-MOVE", "service", "not C-MOVE", "C-MOVE", ""),
        ("( rule:x or size:1 )", "", "( rule:x or size:1 )", "rule no rule, size 5240 (5.2 kB)", ""),
    ],
)
def test_a_term_that_does_not_hold_is_told(wanted: str, key: str, expected: str, received: str, hint: str) -> None:
    assert differences(Filter.parse(wanted), MOVE, values) == (Difference(key, expected, received, hint),)


def test_moments_are_told_in_full() -> None:
    (found,) = differences(Filter.parse("after:2025-03-31"), MOVE, values)

    assert (found.key, found.expected, found.received[:8]) == ("after", "2025-03-31", "2001-09-")


def test_only_what_does_not_hold_is_told_and_groups_are_taken_apart() -> None:
    found = differences(Filter.parse("service:C-MOVE ( called:x ( status:success 2 ) )"), MOVE, values)

    assert [one.key for one in found] == ["called", "status"]
