"""Every shipped scenario is provoked as the comment at its top says, and DCMTK's clients see what it promises."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

from mockpacs import MockPACS
from tests.interop.programs import run, until
from tests.interop.provoking import NAMES, RETRIEVERS, answers, hold, play, provocations, provoke, samples

OK, PENDING, FULL = "Success", "Pending", "Refused: OutOfResources"
ABORTED, GAVE_UP = "Peer aborted Association (or never connected)", "Aborting Association"
CUT_OFF = f"{ABORTED} / TCP I/O Error"  # what comes first: the end when reading, or the error when writing
TIMED_OUT, NEVER_CAME = "No data available (timeout in non-blocking mode)", "DUL network read timeout"


class Seen(NamedTuple):
    """What a client says: words that must be there, some with an alternative, and all its answers; None: any number."""

    words: tuple[str, ...]
    answers: list[str] | None


def seen(*words: str, told: Sequence[str] | None = ()) -> Seen:
    return Seen(words, None if told is None else list(told))


def rejected(result: str, source: str, reason: str) -> Seen:
    return seen("Association Rejected", f"Result: Rejected {result}, Source: Service {source}", f"Reason: {reason}")


SOME_FAILED = "Warning: SubOperationsCompleteOneOrMoreFailures"
ALL_FAILED = "Refused: OutOfResourcesSubOperations"
PRESENTATION = "Provider (Presentation Related)"
FINE = seen(told=[OK])
EXPECTED: dict[str, list[Seen]] = {
    "abort-instead-of-release": [seen("Association Release Failed", ABORTED, told=[OK])],
    "abort-mid-store": [seen(CUT_OFF)],
    "aborts": [seen("Echo Failed", ABORTED)] * 9,
    "accepted-but-lost": [FINE, FINE],
    "broken-pdus": [
        seen("Unrecognized PDU type: 2a", GAVE_UP),
        seen("Illegal PDU Length 1000000", GAVE_UP),
        seen("PDV lengths don't add up correctly", GAVE_UP),
        seen("DUL network closed", GAVE_UP),
        seen("Missing CommandField", GAVE_UP),
        seen("Command PDV Expected", GAVE_UP),
        seen("Missing CommandField", GAVE_UP),
    ],
    "busy": [FINE, FINE, FINE, rejected("Transient", PRESENTATION, "Temporary Congestion")],
    "chaos-monday": [seen(told=None)],
    "contexts-missing": [seen("No Acceptable Presentation Contexts")],
    "disk-full": [seen(told=[FULL])],
    "doorman": [
        rejected("Permanent", "User", "Calling AE Title Not Recognized"),
        *[rejected("Transient", PRESENTATION, "Local Limit Exceeded")] * 2,
        seen("Max Send PDV: 4084", told=[OK]),
    ],
    "early-answer": [seen(told=[FULL])],
    "every-rejection": [
        rejected("Permanent", "User", "No Reason"),
        rejected("Permanent", "User", "App Context Name Not Supported"),
        rejected("Permanent", "User", "Calling AE Title Not Recognized"),
        rejected("Permanent", "User", "Called AE Title Not Recognized"),
        seen("invalid A-ASSOCIATE-RJ reject reason 0x010a"),
        rejected("Permanent", "Provider (ACSE Related)", "No Reason"),
        rejected("Permanent", "Provider (ACSE Related)", "Protocol Version Not Supported"),
        seen("invalid A-ASSOCIATE-RJ reject reason 0x0300"),
        rejected("Transient", "User", "No Reason"),
        rejected("Transient", PRESENTATION, "Temporary Congestion"),
        rejected("Transient", PRESENTATION, "Local Limit Exceeded"),
        seen("invalid A-ASSOCIATE-RJ reject reason 0x0307"),
        seen("invalid A-ASSOCIATE-RJ reject result 0x0000"),
        seen("invalid A-ASSOCIATE-RJ reject result 0x0003"),
        seen("invalid A-ASSOCIATE-RJ reject source 0x00ff"),
    ],
    "fills-up": [seen(told=[OK] * 200 + [FULL]), FINE, FINE],
    "find-aborted": [seen("Find Failed", ABORTED, told=[PENDING])],
    "find-cancel-ignored": [seen("Sending Cancel Request", told=None)],
    "find-cancel-late": [seen("Sending Cancel Request", "(Cancel: MatchingTerminated", told=None)],
    "find-cut-identifier": [seen("Find Failed", GAVE_UP)],
    "find-empty-values": [seen("(0020,000d) UI (no value available)", told=[PENDING, OK])],
    "find-for-ever": [seen("Sending Cancel Request", "(Cancel: MatchingTerminated", told=None)],
    "find-goes-on": [seen("DUL P-Data PDU arrived", told=[PENDING, OK])],
    "find-huge": [seen(told=[PENDING] * 1000 + [OK])],
    "find-keys-unsupported": [seen(told=["Pending: WarningUnsupportedOptionalKeys", OK])],
    "find-no-final": [seen("Find Failed", TIMED_OUT, GAVE_UP, told=[PENDING])],
    "find-no-reason": [seen(told=["Failed: UnableToProcess"])],
    "find-nothing": [FINE],
    "find-out-of-resources": [seen(told=[PENDING, PENDING, FULL])],
    "find-slow": [seen(told=[PENDING] * 3 + [OK])],
    "find-something-else": [seen("PN [Doe^Jane]", told=[PENDING, OK])],
    "find-success-with-match": [seen("Status Success, but DataSetType!=NULL", "P-Data PDU arrived", told=[OK])],
    "find-wrong-character-set": [seen(told=[PENDING, OK])],
    "garbage": [
        seen("Unrecognized PDU type: de", told=[OK]),
        seen("Echo Failed", GAVE_UP),
        seen("Unrecognized PDU type: 48", GAVE_UP),
    ],
    "get-aborted": [seen(ABORTED, told=[PENDING])],
    "get-cancel-ignored": [seen(told=[PENDING, PENDING, OK])],
    "get-last-fails": [
        seen("Completed Suboperations : 2", "Failed Suboperations    : 1", told=[PENDING, PENDING, SOME_FAILED])
    ],
    "get-nothing-comes": [seen(TIMED_OUT, told=[PENDING])],
    "get-slow": [seen(told=[PENDING, PENDING, OK])],
    "get-success-all-failed": [
        seen("Completed Suboperations : 0", "Failed Suboperations    : 3", told=[PENDING, PENDING, OK])
    ],
    "get-wrong-counters": [
        seen("Completed Suboperations : 1000", "Remaining Suboperations : 3", told=[PENDING, PENDING, OK])
    ],
    "late-answer": [seen(TIMED_OUT, GAVE_UP)],
    "move-aborted": [seen("Move Request Failed", ABORTED, told=[PENDING])],
    "move-all-fail": [seen(told=[PENDING, PENDING, ALL_FAILED])],
    "move-cancel-ignored": [seen("Sending Cancel Request", told=[PENDING, PENDING, OK])],
    "move-destination-dies": [seen("Sub-Association Received", told=[PENDING, PENDING, SOME_FAILED])],
    "move-destination-refuses": [seen(told=[PENDING, PENDING, ALL_FAILED])],
    "move-destination-unknown": [seen(told=["Refused: MoveDestinationUnknown"])],
    "move-for-ever": [seen("Sending Cancel Request", "(Cancel: SubOperationsTerminated", told=None)],
    "move-hangs": [seen(TIMED_OUT, GAVE_UP, told=[PENDING])],
    "move-last-fails": [seen(told=[PENDING, PENDING, SOME_FAILED])],
    "move-no-failed-list": [seen(told=[PENDING, PENDING, SOME_FAILED])],
    "move-says-success": [seen(told=[PENDING, PENDING, OK])],
    "move-slow": [seen(told=[PENDING, PENDING, OK])],
    "move-some-fail": [seen(told=[PENDING, PENDING, SOME_FAILED])],
    "move-wrong-counters": [seen(told=[PENDING, PENDING, OK])],
    "no-answer": [seen(TIMED_OUT, GAVE_UP, told=[OK])],
    "no-context-accepted": [seen("No Acceptable Presentation Contexts")] * 2,
    "not-its-sop-class": [seen(told=["Error: DataSetDoesNotMatchSOPClass"])],
    "odd-but-legal": [seen(told=[OK, OK])],
    "part-of-a-batch": [seen(told=[OK, OK, FULL] * 2)],
    "pdu-sizes": [
        seen("Max Send PDV: 131060", told=[OK]),
        seen("Max Send PDV: 131060", told=[OK]),
        seen("Max Send PDV: 4084", told=[OK]),
        seen("Max Send PDV: 52", told=[OK]),
        seen("receiver's max PDU size of 6 is illegal", GAVE_UP),
    ],
    "pending-store": [seen("P-Data PDU arrived", told=["Unknown Status: 0xff00"])],
    "pulled-cable": [
        seen(CUT_OFF),
        seen(ABORTED),
        seen(TIMED_OUT, GAVE_UP),
        seen("Association Release Failed", ABORTED, told=[OK]),
    ],
    "refused-but-stored": [seen(told=["Unknown Status: 0x110"]), seen(told=[PENDING, OK])],
    "rejected": [rejected("Permanent", "User", "Called AE Title Not Recognized")],
    "rejected-at-random": [
        rejected("Transient", "User", "No Reason") if number in (3, 6, 7) else FINE for number in range(1, 11)
    ],
    "release-ignored": [seen("Association Release Failed", NEVER_CAME, told=[OK])],
    "slow-accept": [seen("Association Request Failed", NEVER_CAME)],
    "slow-day": [seen(told=[OK] * 5)],
    "small-lies": [
        seen("Unexpected Response MsgId: 4242"),
        seen("Bad presentation context ID"),
        seen("P-Data PDU arrived", told=[OK]),
        seen(TIMED_OUT),
        seen("Command Parse Failed: Element: (0000,0900) Status"),
        seen("PDV lengths don't add up correctly"),
        seen("Unrecognized PDU type: 99"),
    ],
    "small-lies-find": [
        *[seen("Find Failed", GAVE_UP)] * 2,
        seen("Status Pending, but DataSetType==NULL", told=[PENDING, OK]),
        *[seen("Find Failed", GAVE_UP)] * 3,
        seen(told=[PENDING, PENDING, OK]),
    ],
    "small-lies-store": [
        seen("Unexpected Response MsgId: 4242"),
        FINE,
        FINE,
        seen("Unexpected Response Command Field: 0x8030"),
        seen("Command Parse Failed: Element: (0000,0120)"),
        seen("Command Parse Failed: Element: (0000,0900)"),
        seen("DataSetType != NULL", "Badly formed message"),
    ],
    "store-failures": [
        seen(
            told=[
                *[FULL] * 2,
                "Error: DataSetDoesNotMatchSOPClass",
                *["Error: CannotUnderstand"] * 2,
                *("Unknown Status: 0x110", "Unknown Status: 0x117", "Refused: SOPClassNotSupported"),
                *("Unknown Status: 0x124", "Unknown Status: 0x211", "Unknown Status: 0x213"),
            ]
        )
    ],
    "store-warnings": [
        seen(
            told=[
                "Warning: CoercionOfDataElements",
                "Warning: ElementsDiscarded",
                "Warning: DataSetDoesNotMatchSOPClass",
            ]
        )
    ],
    "tcp-closed-at-once": [seen("Association Request Failed", CUT_OFF)],
    "tcp-drip": [FINE],
    "tcp-fin": [seen("Store Failed", ABORTED)],
    "tcp-half-close": [seen("Association Release Failed", ABORTED, told=[OK])],
    "tcp-never-closes": [FINE, seen(GAVE_UP, told=[OK])],
    "tcp-refused": [seen("Association Request Failed", CUT_OFF), seen("Connection refused")],
    "tcp-reset": [seen(CUT_OFF), FINE],
    "tcp-silent": [seen("Association Request Failed", NEVER_CAME)],
    "tcp-slow-connect": [FINE],
    "tcp-stops-reading": [seen("Failed to send message", GAVE_UP)],
    "tcp-thin-line": [FINE],
    "third-time-lucky": [seen(told=[FULL, FULL, OK])],
    "titles-changed": [FINE],
    "tls-expired-certificate": [seen("certificate verify failed")],
    "tls-not-spoken": [FINE, seen("wrong version number")],
    "tls-stall": [seen("TLS read operation did not complete")],
    "tls-wrong-name": [FINE],
    "uninvited-transfer-syntax": [FINE, FINE],
    "unknown-context-id": [seen("No Presentation Context for: 1.2.840.10008.1.1", GAVE_UP)],
    "unknown-status": [seen(told=[f"Unknown Status: 0x{code}" for code in ("1234", "b123", "d00d", "ffff")])],
}
ENDLESS = ("find-cancel-ignored",)
"""Where the client never ends by itself."""
NEEDS_LUCK = ("chaos-monday.yaml:", "a cancel changes nothing")
"""Rules of which not each has to fire; getscu never cancels."""
ARRIVES = {
    **dict.fromkeys(("get-aborted", "get-nothing-comes", "move-aborted", "move-destination-dies", "move-hangs"), 1),
    **dict.fromkeys(("get-last-fails", "move-last-fails", "move-no-failed-list", "move-some-fail"), 2),
    **dict.fromkeys(("get-success-all-failed", "move-all-fail", "move-destination-refuses", "move-says-success"), 0),
    "move-destination-unknown": 0,
}
"""How many of three instances a retrieve brings where it does not bring all."""


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return samples(tmp_path_factory.mktemp("samples"))


def test_no_scenario_is_left_out() -> None:
    assert sorted(EXPECTED) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_scenario_does_what_it_says(
    name: str, files: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its command lines meet what they are to meet, every rule of it fires, and what it expects comes true."""
    monkeypatch.chdir(tmp_path)  # findscu -X writes there, and so does who retrieves
    with play(name) as pacs:
        given = provocations(name)
        is_retrieve = given[0].program in RETRIEVERS
        if is_retrieve:
            hold(pacs)
        assert len(given) == len(EXPECTED[name])
        for one, wanted in zip(given, EXPECTED[name], strict=True):
            ran = provoke(pacs, one, files, seconds=1.5 if name in ENDLESS else 20)
            assert (ran.status == -1) is (name in ENDLESS), ran.text
            missing = [words for words in wanted.words if not any(one in ran.text for one in words.split(" / "))]
            assert missing == [], ran.text
            assert wanted.answers is None or answers(ran) == wanted.answers, ran.text
        AFTERWARDS.get(name, lambda _: None)(pacs)
    assert len(list(tmp_path.glob("CT.*"))) == (ARRIVES.get(name, 3) if is_retrieve else 0)
    silent = [rule.name for rule in pacs.summary.rules if not rule.fired and not rule.name.startswith(NEEDS_LUCK)]
    assert silent == []
    assert pacs.summary.unmet == ()


def _nothing_is_stored(pacs: MockPACS) -> None:
    assert pacs.archive.counts().instances == 0


def _it_is_stored(pacs: MockPACS) -> None:
    assert pacs.archive.counts().instances == 1


def _somebody_listens_again(pacs: MockPACS) -> None:
    until(lambda: run("echoscu", pacs.host, pacs.port).status == 0, "the port is open again", seconds=10)


AFTERWARDS: dict[str, Callable[[MockPACS], None]] = {
    "accepted-but-lost": _nothing_is_stored,
    "disk-full": _nothing_is_stored,
    "early-answer": _nothing_is_stored,
    "not-its-sop-class": _nothing_is_stored,
    "store-failures": _nothing_is_stored,
    "refused-but-stored": _it_is_stored,
    "store-warnings": _it_is_stored,
    "abort-instead-of-release": _it_is_stored,
    "late-answer": _it_is_stored,
    "small-lies-store": _it_is_stored,
    "tcp-refused": _somebody_listens_again,
}


def test_the_same_bad_day_happens_twice(files: dict[str, Path]) -> None:
    """Chance is drawn from the seed and the requests: another server meets them with the same trouble."""
    told = []
    for _ in range(2):
        with play("chaos-monday") as pacs:
            (one,) = provocations("chaos-monday")
            told.append(answers(provoke(pacs, one, files)))
    assert told[0] == told[1]
    assert len(told[0]) > 5
