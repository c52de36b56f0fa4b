"""C-STORE requests and what becomes of them, one by one and many at once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mockpacs.archive import Archive
from mockpacs.services.request import Lane, Request
from mockpacs.services.storage import StorageService
from mockpacs.wire import AcceptedContext, CommandField, Tag, request
from tests.services.samples import CT, EXPLICIT, ct, store_request

MR = "1.2.840.10008.5.1.4.1.1.4"


@pytest.fixture
def archive() -> Iterator[Archive]:
    with Archive.open(None) as archive:
        yield archive


def test_a_stored_instance_is_found_byte_for_byte_when_success_is_said(archive: Archive) -> None:
    data = ct("1.2.3.4.5")

    (outcome,) = StorageService(archive).answer(store_request(archive, data, "1.2.3.4.5"))

    stored = archive.instance("1.2.3.4.5")
    assert stored is not None
    assert stored.read() == data
    assert (outcome.status, outcome.data, outcome.comment, outcome.offending) == (0x0000, None, "", ())


def test_warnings_of_the_archive_reach_the_outcome(archive: Archive) -> None:
    service = StorageService(archive)
    service.answer_all([store_request(archive, ct("1.2.3.4.5"), "1.2.3.4.5")])

    (outcome,) = service.answer(store_request(archive, ct("1.2.3.4.5", PatientID="other"), "1.2.3.4.5"))

    assert outcome.status == 0xB000
    assert outcome.comment


def test_a_request_without_a_data_set_cannot_be_understood(archive: Archive) -> None:
    command = request(CommandField.C_STORE_RQ, 1, elements={Tag.AFFECTED_SOP_INSTANCE: "1.2.3"})

    (outcome,) = StorageService(archive).answer(Request(command, AcceptedContext(1, CT, EXPLICIT)))

    assert outcome.status == 0xC000
    assert archive.counts().instances == 0


def test_a_class_that_is_not_the_one_of_the_context_is_refused_and_its_file_is_gone(tmp_path: Path) -> None:
    with Archive.open(tmp_path) as archive:
        refused = store_request(archive, ct("1.2.3.4.5"), "1.2.3.4.5", sop_class=MR)
        assert refused.data is not None
        refused.data.spill()  # type: ignore[union-attr]
        assert list((tmp_path / "incoming").iterdir())

        (outcome,) = StorageService(archive).answer(refused)

        assert outcome.status == 0x0122
        assert not list((tmp_path / "incoming").iterdir())
        assert archive.counts().instances == 0


def test_many_requests_are_answered_in_their_order_the_refused_ones_among_them(archive: Archive) -> None:
    requests = [
        store_request(archive, ct("1.2.1"), "1.2.1"),
        store_request(archive, ct("1.2.2"), "1.2.2", sop_class=MR),
        store_request(archive, ct("1.2.3"), "../../etc/passwd"),
        store_request(archive, ct("1.2.4"), "1.2.4"),
        store_request(archive, ct("1.2.4"), "1.2.4"),
    ]

    outcomes = StorageService(archive).answer_all(requests)

    assert [outcome.status for outcome in outcomes] == [0x0000, 0x0122, 0x0117, 0x0000, 0x0000]
    assert archive.counts().instances == 2


def test_nothing_to_do_is_done(archive: Archive) -> None:
    assert StorageService(archive).answer_all([]) == []


def test_storing_is_for_the_writer(archive: Archive) -> None:
    assert StorageService(archive).lane is Lane.WRITER
