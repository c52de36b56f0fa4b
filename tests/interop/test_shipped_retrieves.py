"""Shipped scenarios of C-MOVE and C-GET as pynetdicom sees them: counters, lists of what failed, and what arrives."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import pytest
from pydicom import Dataset
from pynetdicom.association import Association

from mockpacs import MockPACS
from tests.interop.phantom import CT, ROOT
from tests.interop.provoking import NAMES, STUDY, hold, play
from tests.interop.retrieving import STUDY_ROOT_GET, Ended, Receiver, get, move, receiving
from tests.interop.scu import keys

# pynetdicom loses a socket now and then when it is aborted; what we leave behind is looked for in tests/net
pytestmark = pytest.mark.filterwarnings("ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning")

PAIRS = [(CT, "1.2.840.10008.1.2.1")]
PENDING, SUCCESS, SOME_FAILED, ALL_FAILED, UNKNOWN = 0xFF00, 0x0000, 0xB000, 0xA702, 0xA801
FIRST, SECOND, THIRD = (f"{ROOT}.1.1.{number}" for number in (1, 2, 3))
WHOLE = [FIRST, SECOND, THIRD]


@contextmanager
def played(name: str) -> Iterator[tuple[MockPACS, Receiver]]:
    """A server that plays a scenario and holds a study of three instances, and the destination of a C-MOVE."""
    with receiving(PAIRS) as receiver, play(name, peer=[f"WORKSTATION=127.0.0.1:{receiver.port}"]) as pacs:
        hold(pacs)
        yield pacs, receiver


def retrieved(name: str, **how: object) -> tuple[Ended, list[str]]:
    """How the retrieve of a scenario ends, and the instances that arrive."""
    study = keys("STUDY", StudyInstanceUID=STUDY)
    with played(name) as (pacs, receiver):
        if name.startswith("get-"):
            ended, receiver = get(pacs, study, PAIRS, **how)
        else:
            ended = move(pacs, study, "WORKSTATION", **how)
    return ended, receiver.sop_instances


def remaining(ended: Ended) -> list[int | None]:
    return [response.get("NumberOfRemainingSuboperations") for response in ended.responses]


@pytest.mark.parametrize(
    ("name", "status", "counts", "failed", "arrived"),
    [
        ("move-last-fails", SOME_FAILED, (2, 1, 0), [THIRD], [FIRST, SECOND]),
        ("get-last-fails", SOME_FAILED, (2, 1, 0), [THIRD], [FIRST, SECOND]),
        ("move-some-fail", SOME_FAILED, (2, 1, 0), [THIRD], [FIRST, SECOND]),
        ("move-all-fail", ALL_FAILED, (0, 3, 0), WHOLE, []),
        ("move-no-failed-list", SOME_FAILED, (2, 1, 0), [], [FIRST, SECOND]),
        ("move-says-success", SUCCESS, (3, 0, 0), [], []),
        ("get-success-all-failed", SUCCESS, (0, 3, 0), [], []),
        ("move-destination-refuses", ALL_FAILED, (0, 3, 0), WHOLE, []),
        ("move-destination-dies", SOME_FAILED, (1, 2, 0), [SECOND, THIRD], [FIRST]),
        ("move-slow", SUCCESS, (3, 0, 0), [], WHOLE),
        ("get-slow", SUCCESS, (3, 0, 0), [], WHOLE),
    ],
)
def test_status_counters_list_and_what_arrives(
    name: str, status: int, counts: tuple[int, int, int], failed: list[str], arrived: list[str]
) -> None:
    ended, instances = retrieved(name)

    assert (ended.status, ended.counts, ended.failed_list) == (status, counts, failed)
    assert instances == arrived
    assert remaining(ended) == [2, 1, None]


@pytest.mark.parametrize("name", ["move-wrong-counters", "get-wrong-counters"])
def test_counters_are_wrong_and_everything_arrives(name: str) -> None:
    ended, instances = retrieved(name)

    assert remaining(ended) == [0, 0, 3]
    assert ended.responses[0].NumberOfFailedSuboperations == 7
    assert (ended.status, ended.counts) == (SUCCESS, (1000, 0, 0))
    assert instances == WHOLE


def test_a_move_to_nowhere_is_told_and_nothing_else() -> None:
    ended, instances = retrieved("move-destination-unknown")

    assert [response.Status for response in ended.responses] == [UNKNOWN]
    assert instances == []


def test_pending_responses_come_without_end_until_they_are_cancelled() -> None:
    numbers = count(1)

    def cancel(association: Association, _response: Dataset) -> None:
        if next(numbers) == 10:
            association.send_c_cancel(5, query_model="1.2.840.10008.5.1.4.1.2.2.2")

    ended, instances = retrieved("move-for-ever", msg_id=5, spectator=cancel)

    assert ended.status == 0xFE00
    assert len(ended.responses) > 10
    assert remaining(ended)[:10] == [2, *[1] * 9]
    assert ended.counts == (3, 0, 0)
    assert instances == WHOLE


@pytest.mark.parametrize("name", ["move-cancel-ignored", "get-cancel-ignored"])
def test_a_cancel_changes_nothing(name: str) -> None:
    model = STUDY_ROOT_GET if name.startswith("get-") else "1.2.840.10008.5.1.4.1.2.2.2"
    numbers = count(1)

    def cancel(association: Association, _response: Dataset) -> None:
        if next(numbers) == 1:
            association.send_c_cancel(5, query_model=model)

    ended, instances = retrieved(name, msg_id=5, spectator=cancel)

    assert (ended.status, ended.counts) == (SUCCESS, (3, 0, 0))
    assert instances == WHOLE


@pytest.mark.parametrize("name", ["move-aborted", "get-aborted"])
def test_the_association_is_aborted_after_the_first_instance(name: str) -> None:
    ended, instances = retrieved(name)

    assert ended.responses[0].Status == PENDING
    assert "Status" not in ended.final
    assert instances == [FIRST]


@pytest.mark.parametrize("name", ["move-hangs", "get-nothing-comes"])
def test_nothing_more_comes_after_the_first_instance(name: str) -> None:
    seen: list[int] = []

    def impatient(association: Association, response: Dataset) -> None:
        seen.append(response.get("Status", -1))
        association.dimse_timeout = 1

    ended, instances = retrieved(name, spectator=impatient)

    assert seen[0] == PENDING
    assert "Status" not in ended.final
    assert instances == [FIRST]


def test_no_scenario_is_left_out() -> None:
    known = Path(__file__).read_text(encoding="utf-8")
    assert [name for name in NAMES if name.startswith(("move-", "get-")) and f'"{name}"' not in known] == []
