"""Counting sub-operations: the counters between them, and every final status (PS3.4 Table C.4-2)."""

from __future__ import annotations

import zlib

import pytest

from mockpacs.services.courier import Delivery
from mockpacs.services.request import SubOperations
from mockpacs.services.sub_operations import Tally
from mockpacs.wire.dataset import DEFLATED, EXPLICIT_BIG, EXPLICIT_LITTLE, IMPLICIT_LITTLE, Encoding, scan

OK, WARNED, FAILED, LOST = Delivery(0x0000), Delivery(0xB000), Delivery(0xA700), Delivery(None, "refused")
FAILED_LIST = 0x00080058


def tally(*deliveries: Delivery, of: int | None = None) -> Tally:
    counted = Tally(len(deliveries) if of is None else of)
    for number, delivery in enumerate(deliveries, 1):
        counted.add(f"1.2.{number}", delivery)
    return counted


def failed_list(data: bytes | None, encoding: Encoding = EXPLICIT_LITTLE) -> list[str] | None:
    if data is None:
        return None
    header = scan(data, encoding)
    assert header.complete
    assert list(header.elements) == [FAILED_LIST]
    return bytes(header.elements[FAILED_LIST].value).decode().rstrip("\0").split("\\")


@pytest.mark.parametrize(
    ("deliveries", "status", "counts", "failed"),
    [
        ((), 0x0000, (0, 0, 0), None),
        ((OK,), 0x0000, (1, 0, 0), None),
        ((OK, OK, OK), 0x0000, (3, 0, 0), None),
        ((OK, FAILED, OK), 0xB000, (2, 1, 0), ["1.2.2"]),
        ((OK, OK, LOST), 0xB000, (2, 1, 0), ["1.2.3"]),
        ((OK, WARNED), 0xB000, (1, 0, 1), None),
        ((WARNED, WARNED), 0xB000, (0, 0, 2), None),
        ((WARNED, FAILED), 0xB000, (0, 1, 1), ["1.2.2"]),
        ((OK, WARNED, FAILED, LOST), 0xB000, (1, 2, 1), ["1.2.3", "1.2.4"]),
        ((FAILED,), 0xA702, (0, 1, 0), ["1.2.1"]),
        ((FAILED, LOST), 0xA702, (0, 2, 0), ["1.2.1", "1.2.2"]),
    ],
)
def test_the_final_response_says_how_all_of_it_went(
    deliveries: tuple[Delivery, ...], status: int, counts: tuple[int, int, int], failed: list[str] | None
) -> None:
    outcome = tally(*deliveries).final(EXPLICIT_LITTLE)

    assert outcome.status == status
    assert outcome.counts == SubOperations(*counts, remaining=None), "a final response says nothing of what remains"
    assert failed_list(outcome.data) == failed
    assert bool(outcome.comment) == (status != 0)


@pytest.mark.parametrize("status", [0x0001, 0x0107, 0x0116, 0xB000, 0xB006, 0xB007, 0xBFFF])
def test_warnings_are_no_failures(status: int) -> None:
    assert tally(Delivery(status)).final(EXPLICIT_LITTLE).counts == SubOperations(0, 0, 1)


@pytest.mark.parametrize("status", [None, 0x0110, 0x0122, 0xA700, 0xC000, 0xFE00, 0xFF00, 0x1234])
def test_everything_that_is_neither_success_nor_warning_has_failed(status: int | None) -> None:
    assert tally(Delivery(status)).final(EXPLICIT_LITTLE).counts == SubOperations(0, 1, 0)


def test_a_pending_response_has_all_four_counters_and_no_data() -> None:
    outcome = tally(OK, FAILED, WARNED, OK, of=9).pending()

    assert (outcome.status, outcome.counts, outcome.data) == (0xFF00, SubOperations(2, 1, 1, remaining=5), None)


@pytest.mark.parametrize(("deliveries", "failed"), [((), None), ((OK,), None), ((OK, FAILED), ["1.2.2"])])
def test_a_cancelled_retrieve_says_what_remains_and_what_failed(
    deliveries: tuple[Delivery, ...], failed: list[str] | None
) -> None:
    outcome = tally(*deliveries, of=5).cancelled(EXPLICIT_LITTLE)

    assert outcome.status == 0xFE00
    assert outcome.counts is not None
    assert outcome.counts.remaining == 5 - len(deliveries)
    assert failed_list(outcome.data) == failed


def test_the_comment_says_how_many_and_why_the_first_one() -> None:
    said = tally(OK, LOST, FAILED, FAILED).final(EXPLICIT_LITTLE).comment

    assert said == "3 of 4 failed: refused"


@pytest.mark.parametrize(
    ("delivery", "comment"),
    [
        (Delivery(0xA700), "1 of 1 failed: A700 out-of-resources"),
        (Delivery(0xA700, "the disk is full"), "1 of 1 failed: the disk is full"),
        (Delivery(0xB007), "1 of 1 with a warning: B007 "),
        (Delivery(0x1234), "1 of 1 failed: 1234"),
        (Delivery(None), "1 of 1 failed: no response"),
    ],
)
def test_a_status_is_a_reason_where_there_is_no_better_one(delivery: Delivery, comment: str) -> None:
    assert tally(delivery).final(EXPLICIT_LITTLE).comment.startswith(comment)


@pytest.mark.parametrize("encoding", [EXPLICIT_LITTLE, IMPLICIT_LITTLE, EXPLICIT_BIG])
@pytest.mark.parametrize("count", [1, 10_000])
def test_the_list_is_encoded_as_the_context_says_however_long_it_is(encoding: Encoding, count: int) -> None:
    data = tally(*[FAILED] * count).final(encoding).data

    assert data is not None
    assert len(data) % 2 == 0
    assert failed_list(data, encoding) == [f"1.2.{number}" for number in range(1, count + 1)]
    if not encoding.implicit:
        # PS3.5 6.2.2: 16 bits of length are not enough for the longer one.
        assert scan(data, encoding).elements[FAILED_LIST].vr == ("UI" if count == 1 else "UN")


def test_the_list_can_be_deflated() -> None:
    data = tally(FAILED).final(DEFLATED).data

    assert data is not None
    assert failed_list(zlib.decompress(data, -zlib.MAX_WBITS)) == ["1.2.1"]
