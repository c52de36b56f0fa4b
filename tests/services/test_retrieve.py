"""C-GET and C-MOVE: what is brought, and every way in which that ends; a courier of the test stands for the peer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import read_dataset

from mockpacs.archive import Archive, FileMeta, Model
from mockpacs.errors import StorageError
from mockpacs.services.courier import Awaited, Courier, Delivery, Kind, SubOperation, Undeliverable
from mockpacs.services.request import Lane, Outcome, Request, SubOperations
from mockpacs.services.retrieve import RetrieveOptions, RetrieveService, agree
from mockpacs.wire import AcceptedContext, CommandField, Tag, request
from tests.archive.instances import store, store_one
from tests.services.samples import CT, EXPLICIT, IMPLICIT, ct, identifier

MR = "1.2.840.10008.5.1.4.1.1.4"
JPEG = "1.2.840.10008.1.2.4.50"
DESTINATION = "WORKSTATION"
OK, WARNED, FAILED = Delivery(0x0000), Delivery(0xB000), Delivery(0xA700)


@dataclass
class Visit:
    """A courier that does what the test says, and keeps what it was given."""

    answers: Mapping[str, Delivery | Exception] = field(default_factory=dict)
    """What becomes of an instance that is sent; success without a word."""
    refuses: Mapping[str, Exception] = field(default_factory=dict)
    """SOP classes for which there is no context."""
    decides: Mapping[int, Delivery] = field(default_factory=dict)
    """What a scenario says of a sub-operation."""
    accepted: Sequence[str] = (EXPLICIT, IMPLICIT)
    kinds: list[Kind] = field(default_factory=list)
    turns: list[SubOperation] = field(default_factory=list)
    sent: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    closed: int = 0
    before: Callable[[SubOperation], Any] = id

    def open(self, kinds: Sequence[Kind]) -> None:
        self.kinds += kinds

    def decide(self, sub: SubOperation) -> Delivery | None:
        self.before(sub)
        self.turns.append(sub)
        return self.decides.get(sub.number)

    def accepts(self, kind: Kind) -> Sequence[str]:
        if kind.sop_class in self.refuses:
            raise self.refuses[kind.sop_class]
        return self.accepted

    def send(self, sub: SubOperation, transfer_syntax: str, blocks: Iterable[bytes]) -> Awaited:
        data = b"".join(blocks)
        answer = self.answers.get(sub.sop_instance, OK)
        if isinstance(answer, Exception):
            raise answer
        self.sent[sub.sop_instance] = transfer_syntax, data
        return lambda: answer

    def close(self) -> None:
        self.closed += 1


@pytest.fixture
def archive() -> Iterator[Archive]:
    """One study of patient P1, instances 1.2.1 to 1.2.4, the last of another class; and one instance elsewhere."""
    with Archive.open(None) as archive:
        for number in (1, 2, 3):
            store_one(archive, f"1.2.{number}", pixels=bytes(200))
        store(archive, (FileMeta(MR, "1.2.4", EXPLICIT, "SCU"), ct("1.2.4", SOPClassUID=MR)))
        store_one(archive, "1.9.1", PatientID="P9", StudyInstanceUID="1.9", SeriesInstanceUID="1.9.9")
        yield archive


def asked(
    visit: Courier | None,
    data: bytes | None = None,
    *,
    destination: str = DESTINATION,
    syntax: str = EXPLICIT,
    cancelled: Callable[[], bool] = lambda: False,
    agreed: Mapping[str, bytes] | None = None,
) -> Request:
    """A request for the study, unless ``data`` asks for something else; C-MOVE or C-GET is said by who answers."""
    uid = Model.STUDY_ROOT.move_uid
    elements: dict[int, Any] = {Tag.AFFECTED_SOP_CLASS: uid, Tag.MOVE_DESTINATION: destination}
    command = request(CommandField.C_MOVE_RQ, 7, has_dataset=True, elements=elements)
    data = identifier(StudyInstanceUID="1.2.3", implicit=syntax == IMPLICIT) if data is None else data
    context = AcceptedContext(1, uid, syntax)
    asking = Request(command, context, data, agreed or {}, cancelled)
    asking.couriers = lambda title: visit if title in (destination, "") else None
    return asking


def service(
    archive: Archive,
    kind: Literal["C-GET", "C-MOVE"] = "C-MOVE",
    options: RetrieveOptions = RetrieveOptions(),  # noqa: B008  frozen
    **more: Any,
) -> RetrieveService:
    return RetrieveService(archive, more.pop("model", Model.STUDY_ROOT), kind, options, **more)


def final(outcomes: Iterable[Outcome]) -> Outcome:
    *before, last = outcomes
    assert {outcome.status for outcome in before} <= {0xFF00}
    assert last.status != 0xFF00
    return last


def failed_list(outcome: Outcome, *, implicit: bool = False) -> list[str]:
    if outcome.data is None:
        return []
    dataset: Dataset = read_dataset(DicomBytesIO(outcome.data), implicit, True)  # type: ignore[arg-type]
    assert [element.keyword for element in dataset] == ["FailedSOPInstanceUIDList"]
    value = dataset.FailedSOPInstanceUIDList
    return [value] if isinstance(value, str) else list(value)


# how it ends


@pytest.mark.parametrize("kind", ["C-GET", "C-MOVE"])
@pytest.mark.parametrize(
    ("visit", "status", "counts", "failed", "comment"),
    [
        pytest.param(Visit, 0x0000, (4, 0, 0), [], "", id="all ok"),
        pytest.param(
            lambda: Visit({"1.2.2": FAILED}),
            *(0xB000, (3, 1, 0), ["1.2.2"], "1 of 4 failed: A700 out-of-resources"),
            id="one failed",
        ),
        pytest.param(
            lambda: Visit({"1.2.3": WARNED}),
            *(0xB000, (3, 0, 1), [], "1 of 4 with a warning: B000 coercion-of-data-elements"),
            id="one warned",
        ),
        pytest.param(
            lambda: Visit(dict.fromkeys(("1.2.1", "1.2.2", "1.2.3", "1.2.4"), WARNED)),
            *(0xB000, (0, 0, 4), [], "4 of 4 with a warning: B000 coercion-of-data-elements"),
            id="all warned",
        ),
        pytest.param(
            lambda: Visit({"1.2.1": WARNED, "1.2.2": FAILED}),
            *(0xB000, (2, 1, 1), ["1.2.2"], "1 of 4 failed: A700 out-of-resources"),
            id="failed and warned",
        ),
        pytest.param(
            lambda: Visit(dict.fromkeys(("1.2.1", "1.2.2", "1.2.3", "1.2.4"), FAILED)),
            *(0xA702, (0, 4, 0), ["1.2.1", "1.2.2", "1.2.3", "1.2.4"], "4 of 4 failed: A700 out-of-resources"),
            id="all failed",
        ),
        pytest.param(
            lambda: Visit(refuses={MR: Undeliverable("context refused for MR Image Storage")}),
            *(0xB000, (3, 1, 0), ["1.2.4"], "1 of 4 failed: context refused for MR Image Storage"),
            id="context refused for one class",
        ),
        pytest.param(
            lambda: Visit(refuses=dict.fromkeys((CT, MR), Undeliverable("connection refused"))),
            *(0xA702, (0, 4, 0), ["1.2.1", "1.2.2", "1.2.3", "1.2.4"], "4 of 4 failed: connection refused"),
            id="destination cannot be reached",
        ),
        pytest.param(
            lambda: Visit({uid: Undeliverable("it is gone") for uid in ("1.2.2", "1.2.3", "1.2.4")}),
            *(0xB000, (1, 3, 0), ["1.2.2", "1.2.3", "1.2.4"], "3 of 4 failed: it is gone"),
            id="destination gone in the middle",
        ),
        pytest.param(
            lambda: Visit({"1.2.1": Delivery(None, "no response within 30 s")}),
            *(0xB000, (3, 1, 0), ["1.2.1"], "1 of 4 failed: no response within 30 s"),
            id="no response",
        ),
        pytest.param(
            lambda: Visit(decides={1: Delivery(0xC000, "as the scenario says"), 4: WARNED}),
            *(0xB000, (2, 1, 1), ["1.2.1"], "1 of 4 failed: as the scenario says"),
            id="a scenario decided",
        ),
        pytest.param(
            lambda: Visit(accepted=(JPEG,)),
            *(0xA702, (0, 4, 0), ["1.2.1", "1.2.2", "1.2.3", "1.2.4"], "4 of 4 failed: not accepted: Explicit VR"),
            id="transfer syntax refused",
        ),
        pytest.param(
            lambda: Visit({"1.2.2": StorageError("The stored file cannot be read.")}),
            *(0xB000, (3, 1, 0), ["1.2.2"], "1 of 4 failed: The stored file cannot be read."),
            id="file unreadable",
        ),
        pytest.param(
            lambda: Visit({"1.2.2": OSError(5, "Input/output error")}),
            *(0xB000, (3, 1, 0), ["1.2.2"], "1 of 4 failed: [Errno 5] Input/output error"),
            id="disk broken",
        ),
    ],
)
def test_every_way_to_end(
    archive: Archive,
    kind: Literal["C-GET", "C-MOVE"],
    visit: Callable[[], Visit],
    status: int,
    counts: tuple[int, int, int],
    failed: list[str],
    comment: str,
) -> None:
    courier = visit()

    *pending, last = service(archive, kind).answer(asked(courier))

    assert last.status == status
    assert last.counts == SubOperations(*counts)
    assert failed_list(last) == failed
    assert last.comment.startswith(comment)
    assert bool(last.comment) == bool(comment)
    assert [outcome.counts.remaining for outcome in pending if outcome.counts] == [3, 2, 1]
    assert [(sub.number, sub.of, sub.sop_instance) for sub in courier.turns] == [
        (number, 4, f"1.2.{number}") for number in (1, 2, 3, 4)
    ]
    assert courier.closed == 1


def test_what_arrives_is_what_was_stored(archive: Archive) -> None:
    courier = Visit()

    final(service(archive).answer(asked(courier)))

    for uid, (syntax, data) in courier.sent.items():
        stored = archive.instance(uid)
        assert stored is not None
        assert (syntax, data) == (EXPLICIT, stored.read())
    assert list(courier.sent) == ["1.2.1", "1.2.2", "1.2.3", "1.2.4"]


def test_no_match_is_a_success_and_nobody_is_sent_anywhere(archive: Archive) -> None:
    courier = Visit()

    (outcome,) = service(archive).answer(asked(courier, identifier(StudyInstanceUID="1.2.3.9")))

    assert outcome == Outcome(0x0000, counts=SubOperations(0, 0, 0))
    assert (courier.turns, courier.closed) == ([], 1)


def test_a_list_of_uids_brings_all_of_them(archive: Archive) -> None:
    courier = Visit()
    data = identifier(
        "IMAGE", StudyInstanceUID="1.2.3", SeriesInstanceUID="1.2.3.4", SOPInstanceUID=["1.2.3", "1.2.1", "1.2.77"]
    )

    outcome = final(service(archive).answer(asked(courier, data)))

    assert (outcome.status, outcome.counts) == (0x0000, SubOperations(2, 0, 0))
    assert set(courier.sent) == {"1.2.1", "1.2.3"}


def test_a_file_that_is_gone_has_failed_and_the_others_arrive(tmp_path: Path) -> None:
    with Archive.open(tmp_path) as archive:
        for number in (1, 2, 3):
            store_one(archive, f"1.2.{number}")
        gone = archive.instance("1.2.2")
        assert gone is not None
        (tmp_path / gone.path).unlink()
        courier = Visit()

        outcome = final(service(archive).answer(asked(courier)))

    assert (outcome.status, outcome.counts) == (0xB000, SubOperations(2, 1, 0))
    assert failed_list(outcome) == ["1.2.2"]
    assert "cannot be read" in outcome.comment
    assert list(courier.sent) == ["1.2.1", "1.2.3"]


def test_an_instance_deleted_before_its_turn_has_failed(archive: Archive) -> None:
    courier = Visit()
    outcomes = iter(service(archive).answer(asked(courier)))
    archive.delete(sop_instance="1.2.3")  # before the first is asked for: the selection is made then

    assert final(outcomes).counts == SubOperations(3, 0, 0)


def test_an_instance_deleted_meanwhile_has_failed(archive: Archive) -> None:
    data = identifier("IMAGE", StudyInstanceUID="1.2.3", SeriesInstanceUID="1.2.3.4", SOPInstanceUID=["1.2.1", "1.2.2"])
    courier = Visit()
    selecting = archive.retrieve

    def retrieve(*arguments: Any, **more: Any) -> Any:
        selected = selecting(*arguments, **more)
        archive.delete(sop_instance="1.2.2")
        return selected

    archive.retrieve = retrieve  # type: ignore[method-assign]

    outcome = final(service(archive).answer(asked(courier, data)))

    assert (outcome.status, failed_list(outcome)) == (0xB000, ["1.2.2"])
    assert outcome.comment == "1 of 2 failed: deleted meanwhile"
    assert [sub.number for sub in courier.turns] == [1, 2], "a scenario counts them all"


def test_when_the_index_breaks_down_in_between_what_remains_has_failed(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mockpacs.archive.retrieve.BLOCK", 1)

    def break_down(sub: SubOperation) -> None:
        if sub.number == 2:
            archive.index.connection.execute("ALTER TABLE study RENAME TO hidden")

    courier = Visit(before=break_down)

    *pending, outcome = service(archive).answer(asked(courier))

    assert (outcome.status, outcome.counts) == (0xB000, SubOperations(2, 2, 0))
    assert failed_list(outcome) == ["1.2.3", "1.2.4"]
    assert outcome.comment.startswith("2 of 4 failed: The index cannot be read")
    assert len(pending) == 3
    assert [sub.number for sub in courier.turns] == [1, 2, 3, 4], "a scenario counts them all"
    assert courier.closed == 1


# cancelling


@pytest.mark.parametrize("after", [0, 1, 3])
def test_a_cancel_ends_it_between_two_sub_operations(archive: Archive, after: int) -> None:
    courier = Visit({"1.2.1": FAILED})

    outcome = final(service(archive).answer(asked(courier, cancelled=lambda: len(courier.turns) == after)))

    assert outcome.status == 0xFE00
    assert outcome.counts == SubOperations(max(0, after - 1), min(after, 1), 0, remaining=4 - after)
    assert failed_list(outcome) == ["1.2.1"][:after]
    assert len(courier.turns) == after
    assert courier.closed == 1


def test_a_cancel_after_the_last_one_comes_too_late(archive: Archive) -> None:
    courier = Visit()

    outcome = final(service(archive).answer(asked(courier, cancelled=lambda: len(courier.turns) == 4)))

    assert (outcome.status, outcome.counts) == (0x0000, SubOperations(4, 0, 0))


def test_a_retrieve_nobody_listens_to_any_more_says_goodbye_to_the_destination(archive: Archive) -> None:
    courier = Visit()
    outcomes = iter(service(archive).answer(asked(courier)))
    next(outcomes)

    outcomes.close()  # type: ignore[attr-defined]

    assert courier.closed == 1
    assert len(courier.turns) == 1


# who asks for what


@pytest.mark.parametrize(
    ("destination", "comment"),
    [
        ("NOWHERE", "Unknown move destination NOWHERE"),
        ("", "No move destination came with the request"),
        ("   ", "No move destination came with the request"),
    ],
)
def test_an_unknown_destination_is_named(archive: Archive, destination: str, comment: str) -> None:
    asking = asked(None, destination=destination)
    asking.couriers = lambda title: Visit() if title == "" else None

    (outcome,) = service(archive).answer(asking)

    assert (outcome.status, outcome.comment, outcome.counts) == (0xA801, comment, None)


def test_the_longest_destination_fits_into_the_comment(archive: Archive) -> None:
    asking = asked(None, destination="W" * 16)
    asking.couriers = lambda _title: None

    (outcome,) = service(archive).answer(asking)

    assert len(outcome.comment) <= 64


def test_a_get_goes_back_on_its_association_whatever_destination_it_names(archive: Archive) -> None:
    titles: list[str] = []
    asking = asked(None)

    def couriers(title: str) -> Courier:
        titles.append(title)
        return Visit()

    asking.couriers = couriers

    assert final(service(archive, "C-GET").answer(asking)).status == 0x0000
    assert titles == [""]


def test_a_get_nobody_can_answer_is_refused(archive: Archive) -> None:
    (outcome,) = service(archive, "C-GET").answer(asked(None))

    assert outcome.status == 0xA702
    assert outcome.comment


@pytest.mark.parametrize(
    ("data", "offending"),
    [(identifier("PATIENT", PatientID="P1"), 0x00080052), (identifier("STUDY"), 0x0020000D)],
)
def test_an_identifier_that_makes_no_sense_is_refused_and_the_courier_goes_home(
    archive: Archive, data: bytes, offending: int
) -> None:
    courier = Visit()

    (outcome,) = service(archive).answer(asked(courier, data))

    assert outcome.status == 0xA900
    assert offending in outcome.offending
    assert outcome.comment
    assert (courier.turns, courier.closed) == ([], 1)


def test_a_request_without_identifier_is_refused(archive: Archive) -> None:
    asking = asked(Visit())
    asking.data = None

    (outcome,) = service(archive).answer(asking)

    assert (outcome.status, outcome.comment) == (0xA900, "No identifier came with the request")


def test_an_index_that_cannot_be_read_cannot_count_the_matches(archive: Archive) -> None:
    archive.index.connection.execute("ALTER TABLE study RENAME TO hidden")
    try:
        (outcome,) = service(archive).answer(asked(Visit()))
    finally:
        archive.index.connection.execute("ALTER TABLE hidden RENAME TO study")

    assert outcome.status == 0xA701
    assert "no such table" in outcome.comment


@pytest.mark.parametrize(("agreed", "status"), [(b"", 0xA900), (b"\0", 0xA900), (b"\1", 0x0000), (b"\1\0", 0x0000)])
def test_relational_retrieves_need_to_be_agreed_on(archive: Archive, agreed: bytes, status: int) -> None:
    data = identifier("IMAGE", SOPInstanceUID=["1.2.1", "1.9.1"])

    outcome = final(service(archive).answer(asked(Visit(), data, agreed={Model.STUDY_ROOT.move_uid: agreed})))

    assert outcome.status == status


def test_the_failed_list_is_in_the_transfer_syntax_of_the_request(archive: Archive) -> None:
    outcome = final(service(archive).answer(asked(Visit({"1.2.2": FAILED}), syntax=IMPLICIT)))

    assert failed_list(outcome, implicit=True) == ["1.2.2"]


@pytest.mark.parametrize(
    ("proposed", "answered"),
    [(b"", b"\0"), (b"\0", b"\0"), (b"\1", b"\1"), (b"\1\1", b"\1\0"), (b"\0\1", b"\0\0"), (b"\2\1\1", b"\0\0")],
)
def test_relational_retrieval_is_agreed_to_and_conversion_is_not(proposed: bytes, answered: bytes) -> None:
    assert agree(proposed) == answered


# what is sent, how, and when that is told


def test_the_courier_hears_first_what_kinds_there_are(archive: Archive) -> None:
    archive_jpeg(archive, "1.2.5", study="1.2.3", series="1.2.3.4")
    courier = Visit()

    first = next(iter(service(archive).answer(asked(courier))))

    assert first.status == 0xFF00
    assert courier.kinds == [Kind(CT, EXPLICIT), Kind(MR, EXPLICIT), Kind(CT, JPEG)]


def test_compressed_instances_that_would_have_to_be_decompressed_say_how(archive: Archive) -> None:
    archive_jpeg(archive, "1.8.1", study="1.8", series="1.8.8")
    data = identifier(StudyInstanceUID="1.8")

    outcome = final(service(archive).answer(asked(Visit(), data)))
    transcoded = final(service(archive, options=RetrieveOptions(transcode=True)).answer(asked(Visit(), data)))

    assert outcome.comment == "1 of 1 failed: needs --transcode: JPEG Baseline (Process 1)"
    assert transcoded.status == 0x0000, "there are no pixels in it to decompress"


def archive_jpeg(archive: Archive, uid: str, *, study: str, series: str) -> None:
    data = ct(uid, StudyInstanceUID=study, SeriesInstanceUID=series)
    store(archive, (FileMeta(CT, uid, JPEG, "SCU"), data))


def test_pending_responses_keep_their_pace(archive: Archive) -> None:
    now = 0.0
    courier = Visit(before=lambda _sub: passes())

    def passes() -> None:
        nonlocal now
        now += 1.0

    options = RetrieveOptions(pending_interval=2.0)
    *pending, _ = service(archive, options=options, clock=lambda: now).answer(asked(courier))

    assert [outcome.counts.remaining for outcome in pending if outcome.counts] == [3, 1]


def test_each_sub_operation_is_told_before_the_next_one_begins(archive: Archive) -> None:
    courier = Visit()

    told = [(len(courier.turns), outcome.status) for outcome in service(archive).answer(asked(courier))]

    assert told == [(1, 0xFF00), (2, 0xFF00), (3, 0xFF00), (4, 0x0000)]


def test_a_pending_response_counts_what_was_and_what_remains(archive: Archive) -> None:
    courier = Visit({"1.2.1": WARNED, "1.2.2": FAILED})

    *pending, _ = service(archive).answer(asked(courier))

    assert [outcome.counts for outcome in pending] == [
        SubOperations(0, 0, 1, remaining=3),
        SubOperations(0, 1, 1, remaining=2),
        SubOperations(1, 1, 1, remaining=1),
    ]
    assert {outcome.data for outcome in pending} == {None}


def test_without_bulk_data_the_pixels_stay_here(archive: Archive) -> None:
    courier = Visit()
    data = identifier("IMAGE", SOPInstanceUID=["1.2.1"])

    outcome = final(service(archive, "C-GET", model=None, bulk_data=False).answer(asked(courier, data)))

    assert outcome.status == 0x0000
    ((syntax, sent),) = courier.sent.values()
    stored = archive.instance("1.2.1")
    assert stored is not None
    assert syntax == EXPLICIT
    assert sent == stored.read()[: -(12 + 200)]


@pytest.mark.parametrize(
    ("bulk_data", "level", "keys", "status", "offending"),
    [
        (True, "FRAME", {}, 0xAA02, (0x00080052,)),
        (True, "IMAGE", {"SimpleFrameList": [1]}, 0xAA02, (0x00081161,)),
        (False, "FRAME", {}, 0xA900, (0x00080052,)),
        (False, "IMAGE", {"SimpleFrameList": [1]}, 0x0000, ()),
    ],
)
def test_only_composite_instance_root_knows_of_frames(
    archive: Archive, bulk_data: bool, level: str, keys: dict[str, Any], status: int, offending: tuple[int, ...]
) -> None:
    data = identifier(level, SOPInstanceUID="1.2.1", **keys)

    outcome = final(service(archive, "C-GET", model=None, bulk_data=bulk_data).answer(asked(Visit(), data)))

    assert (outcome.status, outcome.offending) == (status, offending)


def test_retrieves_have_a_thread_of_their_own(archive: Archive) -> None:
    assert service(archive).lane is Lane.RETRIEVER
