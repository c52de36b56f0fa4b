"""C-FIND requests and their outcomes: pending ones with identifiers, one final without."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import read_dataset

from mockpacs.archive import Archive, Model, QueryOptions
from mockpacs.services.query import QueryService
from mockpacs.services.request import Lane, Outcome
from mockpacs.services.storage import StorageService
from tests.services.samples import IMPLICIT, STUDY_ROOT, ct, find_request, identifier, store_request

PATIENT_ROOT = "1.2.840.10008.5.1.4.1.2.1.1"


@pytest.fixture(scope="module")
def archive() -> Iterator[Archive]:
    """Three studies of two patients; one series, one instance each."""
    with Archive.open(None) as archive:
        studies = (
            ("1.2.1", {"PatientID": "P1", "StudyDate": "20200101", "StudyTime": "1000"}),
            ("1.2.2", {"PatientID": "P1", "StudyDate": "20210101", "StudyTime": "0900"}),
            ("1.2.3", {"PatientID": "P2", "StudyDate": "20220101", "StudyTime": "0800"}),
        )
        for uid, attributes in studies:
            data = ct(f"{uid}.1.1", StudyInstanceUID=uid, SeriesInstanceUID=f"{uid}.1", **attributes)
            (outcome,) = StorageService(archive).answer(store_request(archive, data, f"{uid}.1.1"))
            assert outcome.status == 0
        yield archive


@pytest.fixture
def service(archive: Archive) -> QueryService:
    return QueryService(archive, Model.STUDY_ROOT, QueryOptions())


def found(outcomes: list[Outcome], *, implicit: bool = False) -> list[Dataset]:
    return [read_dataset(DicomBytesIO(o.data), implicit, True) for o in outcomes if o.data is not None]  # type: ignore[arg-type]


def test_matches_come_as_pending_and_success_ends_them(service: QueryService) -> None:
    outcomes = list(service.answer(find_request(identifier(PatientID="P1", StudyInstanceUID=""))))

    assert [outcome.status for outcome in outcomes] == [0xFF00, 0xFF00, 0x0000]
    assert {dataset.StudyInstanceUID for dataset in found(outcomes)} == {"1.2.1", "1.2.2"}
    assert outcomes[-1] == Outcome(0x0000)


def test_answers_are_encoded_as_the_context_says(service: QueryService) -> None:
    outcomes = list(service.answer(find_request(identifier(implicit=True, PatientID="P2"), syntax=IMPLICIT)))

    (match,) = found(outcomes, implicit=True)
    assert match.PatientID == "P2"


def test_a_key_that_is_not_supported_makes_the_match_a_warning(service: QueryService) -> None:
    outcomes = list(service.answer(find_request(identifier(PatientID="P2", EncapsulatedDocument=b""))))

    assert [outcome.status for outcome in outcomes] == [0xFF01, 0x0000]


def test_a_request_without_identifier_is_refused(service: QueryService) -> None:
    (outcome,) = service.answer(find_request(None))

    assert outcome.status == 0xA900
    assert outcome.comment


@pytest.mark.parametrize("data", [b"", b"garbage that is no data set", identifier("PLANET")])
def test_an_identifier_that_makes_no_sense_is_refused_with_one_outcome(service: QueryService, data: bytes) -> None:
    (outcome,) = service.answer(find_request(data))

    assert outcome.status in (0xA900, 0xC000)
    assert outcome.comment
    assert outcome.data is None


def test_a_missing_unique_key_above_the_level_is_refused_and_named(service: QueryService) -> None:
    (outcome,) = service.answer(find_request(identifier("SERIES", SeriesInstanceUID="")))

    assert outcome.status == 0xA900
    assert 0x0020000D in outcome.offending


def test_too_many_matches_end_with_out_of_resources(archive: Archive) -> None:
    service = QueryService(archive, Model.STUDY_ROOT, QueryOptions(max_results=2))

    statuses = [outcome.status for outcome in service.answer(find_request(identifier(StudyInstanceUID="")))]

    assert statuses == [0xFF00, 0xFF00, 0xA700]


def test_a_cancel_ends_the_stream_before_the_next_match(service: QueryService) -> None:
    cancelled = False
    outcomes = iter(service.answer(find_request(identifier(StudyInstanceUID=""), cancelled=lambda: cancelled)))

    first = next(outcomes)
    cancelled = True
    rest = list(outcomes)

    assert first.status == 0xFF00
    assert [(outcome.status, outcome.data) for outcome in rest] == [(0xFE00, None)]


@pytest.mark.parametrize(
    ("agreed", "status"), [({}, 0xA900), ({STUDY_ROOT: b"\0"}, 0xA900), ({PATIENT_ROOT: b"\1"}, 0xA900)]
)
def test_relational_queries_are_refused_unless_agreed_on(
    service: QueryService, agreed: dict[str, bytes], status: int
) -> None:
    (outcome,) = service.answer(find_request(identifier("SERIES", SeriesInstanceUID=""), agreed=agreed))

    assert outcome.status == status


def test_relational_queries_are_answered_when_agreed_on(service: QueryService) -> None:
    request = find_request(identifier("SERIES", SeriesInstanceUID=""), agreed={STUDY_ROOT: b"\1"})

    assert [outcome.status for outcome in service.answer(request)] == [0xFF00, 0xFF00, 0xFF00, 0x0000]


@pytest.mark.parametrize(("agreed", "count"), [(b"", 1), (b"\0\1", 2)])
def test_date_and_time_are_combined_only_when_agreed_on(service: QueryService, agreed: bytes, count: int) -> None:
    # each for itself: 2020-2021 and 09:30-10:30; combined: from 2020-01-01 09:30 to 2021-01-01 10:30
    data = identifier(StudyDate="20200101-20210101", StudyTime="0930-1030")

    outcomes = list(service.answer(find_request(data, agreed={STUDY_ROOT: agreed})))

    assert len(found(outcomes)) == count


def test_queries_are_for_the_readers(service: QueryService) -> None:
    assert service.lane is Lane.READER


def test_an_index_that_cannot_be_read_is_out_of_resources_and_says_why(archive: Archive) -> None:
    service = QueryService(archive, Model.STUDY_ROOT, QueryOptions())
    archive.index.connection.execute("ALTER TABLE study RENAME TO hidden")
    try:
        (outcome,) = service.answer(find_request(identifier(PatientID="P1")))
    finally:
        archive.index.connection.execute("ALTER TABLE hidden RENAME TO study")
    assert outcome.status == 0xA700
    assert "no such table" in outcome.comment
