"""Storing: one answer per instance, nothing left behind when the disk refuses, and service when it no longer does."""

from __future__ import annotations

import errno
import os
import sqlite3
import struct
import threading
import tracemalloc

import pytest

from mockpacs.archive import Archive, ArchiveOptions, FileMeta, OnDuplicate, Reaction
from mockpacs.archive.database import Index
from mockpacs.errors import ArchiveError
from tests.archive.instances import CT, EXPLICIT, dataset, instance, store, store_one


@pytest.fixture(params=["disk", "memory"])
def open_archive(request, tmp_path):
    opened = []

    def open_with(**options) -> Archive:
        archive = Archive.open(
            tmp_path / "storage" if request.param == "disk" else None, options=ArchiveOptions(**options)
        )
        opened.append(archive)
        return archive

    yield open_with
    for archive in opened:
        assert [finding for finding in archive.verify() if finding.kind != "unreadable"] == []
        if request.param == "disk":
            assert list((tmp_path / "storage" / "incoming").iterdir()) == []
        archive.close()


@pytest.fixture
def disk(tmp_path):
    with Archive.open(tmp_path, options=ArchiveOptions(busy_timeout_seconds=0.05)) as archive:
        yield archive


def files_of(archive: Archive) -> list[str]:
    return [path for folder, _ in archive.files.series_folders() for path in archive.files.paths_in(folder)]


def test_success_means_a_file_and_a_row(open_archive):
    archive = open_archive()
    meta, data = instance("1.2.3.4.5", bytes(100))
    (stored,) = store(archive, (meta, data))
    assert (stored.status, stored.comment, stored.modality, stored.size) == (0, "", "CT", len(data))
    assert stored.changed
    assert files_of(archive) == [stored.path]
    counts = archive.counts()
    assert (counts.patients, counts.studies, counts.series, counts.instances) == (1, 1, 1, 1)
    assert counts.bytes == archive.files.facts(stored.path).size


def test_a_batch_is_answered_in_its_order_and_only_the_bad_ones_are_refused(open_archive):
    archive = open_archive()
    good, bad = instance("1.2.3.4.1"), instance("1.2.3.4.2")
    answers = store(archive, good, (bad[0]._replace(sop_instance="../x"), bad[1]), instance("1.2.3.4.3"))
    assert [answer.status for answer in answers] == [0, 0x0117, 0]
    assert archive.counts().instances == 2


def test_an_empty_batch_is_no_work(open_archive):
    assert open_archive().store([]) == []


@pytest.mark.parametrize(
    "uid",
    ["", " ", "../../etc/passwd", "1.2\0.3", "1" * 65, "1" * 300, "...", ".", "abc", "1.2.3\n", "1.2/3", "٣.٤", "-1"],
)
def test_a_sop_instance_uid_that_is_none_is_refused(open_archive, uid):
    archive = open_archive()
    (stored,) = store(archive, (FileMeta(CT, uid, EXPLICIT), dataset()))
    assert stored.status == 0x0117
    assert stored.offending == (0x00001000,)
    assert files_of(archive) == []
    assert archive.counts().instances == 0


@pytest.mark.parametrize("uid", ["1.02.3", "0", "1" * 64, "1..2", "1.2.", ".1"])
def test_a_slightly_wrong_uid_of_real_life_is_taken(open_archive, uid):
    archive = open_archive()
    assert store_one(archive, uid).status == 0
    found = archive.instance(uid)
    assert found is not None
    assert found.meta.sop_instance == uid


@pytest.mark.parametrize(
    ("reaction", "status", "kept"), [("warn", 0xB007, 1), ("accept", 0x0000, 1), ("refuse", 0xC000, 0)]
)
@pytest.mark.parametrize("data", [dataset(bytes(100))[:-10], b"garbage, and no DICOM at all", b"\x08\0"])
def test_an_unreadable_data_set_is_treated_as_configured(open_archive, data, reaction, status, kept):
    archive = open_archive(unreadable=Reaction(reaction), mismatch=Reaction.ACCEPT)
    (stored,) = store(archive, (FileMeta(CT, "1.2.3.4.5", EXPLICIT), data))
    assert stored.status == status
    assert bool(stored.comment) is (reaction != "accept")
    assert len(stored.comment) <= 64
    assert archive.counts().instances == kept
    if kept:
        found = archive.instance("1.2.3.4.5")
        assert found is not None
        assert found.read() == data


@pytest.mark.parametrize(
    ("reaction", "status", "kept"), [("warn", 0xB007, 1), ("accept", 0x0000, 1), ("refuse", 0xA900, 0)]
)
@pytest.mark.parametrize(
    ("attributes", "offending"),
    [
        ({"SOPInstanceUID": "1.9"}, 0x00080018),
        ({"SOPInstanceUID": None}, 0x00080018),
        ({"SOPClassUID": "1.9"}, 0x00080016),
        ({"StudyInstanceUID": ""}, 0x0020000D),
        ({"SeriesInstanceUID": None}, 0x0020000E),
    ],
)
def test_a_data_set_that_contradicts_its_command_is_treated_as_configured(
    open_archive, attributes, offending, reaction, status, kept
):
    archive = open_archive(mismatch=Reaction(reaction))
    stored = store_one(archive, "1.2.3.4.5", **attributes)
    assert stored.status == status
    assert stored.offending == (() if reaction == "accept" else (offending,))
    assert archive.counts().instances == kept
    assert (archive.instance("1.2.3.4.5") is not None) is bool(kept)


def test_without_study_series_or_patient_an_instance_has_its_own(open_archive):
    archive = open_archive()
    nothing = {"StudyInstanceUID": None, "SeriesInstanceUID": None, "PatientID": None}
    store_one(archive, "1.1", PatientName="A", **nothing)
    store_one(archive, "1.2", PatientName="A", **nothing)
    store_one(archive, "1.3", PatientName="B", **nothing)
    counts = archive.counts()
    assert (counts.patients, counts.studies, counts.series, counts.instances) == (2, 2, 2, 3)


def test_the_same_id_of_two_issuers_is_two_patients(open_archive):
    archive = open_archive()
    store_one(archive, "1.1", IssuerOfPatientID="A", StudyInstanceUID="1.1", SeriesInstanceUID="1.1.1")
    store_one(archive, "1.2", IssuerOfPatientID="B", StudyInstanceUID="1.2", SeriesInstanceUID="1.2.1")
    assert archive.counts().patients == 2


def test_a_study_stays_with_its_first_patient(open_archive):
    archive = open_archive()
    store_one(archive, "1.1", PatientID="A")
    assert store_one(archive, "1.2", PatientID="B", SeriesInstanceUID="1.2.3.5").status == 0
    (listed,) = archive.list()
    assert (listed.patient_id, listed.series, listed.instances) == ("A", 2, 2)


def test_the_same_bytes_again_are_a_success_that_changes_nothing(open_archive):
    archive = open_archive(on_duplicate=OnDuplicate.REFUSE)
    first, again = store(archive, instance("1.1", bytes(10)), instance("1.1", bytes(10)))
    later = store_one(archive, "1.1", bytes(10))
    assert [answer.status for answer in (first, again, later)] == [0, 0, 0]
    assert [answer.changed for answer in (first, again, later)] == [True, False, False]
    assert len({answer.path for answer in (first, again, later)}) == 1


@pytest.mark.parametrize("status", [0xB000, 0x0000])
def test_other_bytes_under_a_known_uid_are_not_taken_by_keep(open_archive, status):
    archive = open_archive(duplicate_status=status)
    first = store_one(archive, "1.1", b"first!")
    second = store_one(archive, "1.1", b"second")
    assert (second.status, second.changed, second.path) == (status, False, first.path)
    assert archive.instance("1.1").read().endswith(b"first!")


def test_other_bytes_under_a_known_uid_are_refused_by_refuse(open_archive):
    archive = open_archive(on_duplicate=OnDuplicate.REFUSE)
    store_one(archive, "1.1", b"first!")
    second = store_one(archive, "1.1", b"second")
    assert (second.status, second.changed, second.path) == (0x0111, False, "")
    assert archive.instance("1.1").read().endswith(b"first!")


def test_the_same_bytes_in_another_transfer_syntax_are_another_encoding(open_archive):
    archive = open_archive(on_duplicate=OnDuplicate.REFUSE)
    meta, data = instance("1.1")
    statuses = [answer.status for answer in store(archive, (meta, data), (meta._replace(transfer_syntax="1.9"), data))]
    assert statuses == [0, 0x0111]


def test_replace_takes_the_new_bytes_and_forgets_what_became_empty(open_archive):
    archive = open_archive(on_duplicate=OnDuplicate.REPLACE)
    first = store_one(archive, "1.1", b"first!")
    second = store_one(archive, "1.1", b"second", StudyInstanceUID="9", SeriesInstanceUID="9.1", PatientID="P9")
    assert (second.status, second.changed) == (0, True)
    assert second.path != first.path
    assert files_of(archive) == [second.path]
    assert archive.instance("1.1").read().endswith(b"second")
    (listed,) = archive.list()
    assert (listed.patient_id, listed.study_instance_uid, listed.instances) == ("P9", "9", 1)


def test_replacing_several_times_in_one_batch_keeps_the_last(open_archive):
    archive = open_archive(on_duplicate=OnDuplicate.REPLACE)
    answers = store(archive, *(instance("1.1", bytes([number] * 6)) for number in range(5)))
    assert [answer.status for answer in answers] == [0] * 5
    assert archive.instance("1.1").read().endswith(bytes([4] * 6))
    assert len(files_of(archive)) == 1


def test_an_instance_whose_file_somebody_removed_is_stored_again(open_archive):
    archive = open_archive(on_duplicate=OnDuplicate.REFUSE)
    first = store_one(archive, "1.1", b"first!")
    archive.files.remove(first.path)
    assert store_one(archive, "1.1", b"second").status == 0
    assert archive.instance("1.1").read().endswith(b"second")


def test_a_spilled_instance_is_stored_like_any_other(open_archive):
    archive = open_archive()
    meta, data = instance("1.1", bytes(200_000))
    spool = archive.spool(meta)
    for start in range(0, len(data), 50_000):
        spool.append(data[start : start + 50_000])
        spool.spill()
    (stored,) = archive.store([spool])
    assert (stored.status, stored.size) == (0, len(data))
    assert archive.instance("1.1").read() == data
    again = archive.spool(meta)
    again.append(data)
    again.spill()
    assert not archive.store([again])[0].changed


def test_a_large_instance_is_stored_with_little_memory(disk):
    block = bytes(1 << 20)
    tracemalloc.start()
    spool = disk.spool(FileMeta(CT, "1.1", EXPLICIT))
    spool.append(dataset(SOPInstanceUID="1.1") + struct.pack("<HH2sHL", 0x7FE0, 0x0010, b"OW", 0, 48 << 20))
    for _ in range(48):
        spool.append(block)
        if spool.buffered > 4 << 20:
            spool.spill()
    (stored,) = disk.store([spool])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (stored.status, stored.comment) == (0, "")
    assert peak < 8 << 20


class Refusing:
    """Makes one function of ``os`` fail, after a number of calls."""

    def __init__(self, monkeypatch, name: str, error: int, *, after: int = 0) -> None:
        self._real = getattr(os, name)
        self._left = after
        self._error = error
        monkeypatch.setattr(os, name, self)

    def __call__(self, *arguments, **named):
        self._left -= 1
        if self._left < 0:
            raise OSError(self._error, os.strerror(self._error))
        return self._real(*arguments, **named)


@pytest.mark.parametrize("function", ["open", "writev", "replace"])
@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EROFS, errno.EIO])
def test_a_disk_that_refuses_is_a700_and_leaves_nothing(disk, tmp_path, monkeypatch, function, error):
    store_one(disk, "1.1")
    with monkeypatch.context() as patched:
        Refusing(patched, function, error)
        stored = store_one(disk, "1.2")
    assert stored.status == 0xA700
    assert os.strerror(error) in stored.comment
    assert len(stored.comment) <= 64
    assert not stored.changed
    assert list((tmp_path / "incoming").iterdir()) == []
    assert disk.counts().instances == 1
    assert list(disk.verify()) == []
    assert store_one(disk, "1.2").status == 0


@pytest.mark.parametrize("function", ["open", "writev", "replace"])
def test_in_a_batch_only_the_instance_the_disk_refused_fails(disk, tmp_path, monkeypatch, function):
    (tmp_path / "archive/1.2.3/1.2.3.4").mkdir(parents=True)
    with monkeypatch.context() as patched:
        refusing = Refusing(patched, function, errno.ENOSPC, after=2)
        original = refusing.__call__

        def once(*arguments, **named):
            try:
                return original(*arguments, **named)
            finally:
                if refusing._left < 0:
                    refusing._left = 1000

        patched.setattr(os, function, once)
        answers = store(disk, *(instance(f"1.{number}") for number in range(5)))
    statuses = [answer.status for answer in answers]
    assert statuses.count(0) >= 4
    assert set(statuses) <= {0, 0xA700}
    assert disk.counts().instances == statuses.count(0)
    assert list((tmp_path / "incoming").iterdir()) == []
    assert list(disk.verify()) == []


def test_a_spill_that_was_refused_is_a700(disk, tmp_path, monkeypatch):
    meta, data = instance("1.1", bytes(1000))
    spool = disk.spool(meta)
    spool.append(data)
    with monkeypatch.context() as patched:
        Refusing(patched, "writev", errno.ENOSPC)
        spool.spill()
    spool.append(data)
    assert disk.store([spool])[0].status == 0xA700
    assert list((tmp_path / "incoming").iterdir()) == []


def test_a_locked_index_is_a700_for_all_of_a_batch_and_service_returns(disk, tmp_path):
    other = sqlite3.connect(tmp_path / "index.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    answers = store(disk, instance("1.1"), instance("1.2"))
    assert [answer.status for answer in answers] == [0xA700, 0xA700]
    assert "locked" in answers[0].comment
    other.execute("ROLLBACK")
    other.close()
    assert [answer.status for answer in store(disk, instance("1.1"), instance("1.2"))] == [0, 0]
    assert list(disk.verify()) == []


def test_an_index_that_is_full_is_a700_and_service_returns(disk, tmp_path):
    store_one(disk, "1.1")
    pages = disk.index.connection.execute("PRAGMA page_count").fetchone()[0]
    disk.index.connection.execute(f"PRAGMA max_page_count = {pages}")
    answers = [
        store_one(
            disk,
            f"1.{number}",
            PatientComments="x" * 9000,
            StudyInstanceUID=f"1.{number}",
            SeriesInstanceUID=f"1.{number}.1",
            PatientID=f"P{number}",
        )
        for number in range(2, 12)
    ]
    assert {answer.status for answer in answers} >= {0xA700}
    assert "full" in answers[-1].comment
    assert list(disk.verify()) == []
    assert list((tmp_path / "incoming").iterdir()) == []
    disk.index.connection.execute("PRAGMA max_page_count = 1000000")
    assert store_one(disk, "1.99").status == 0


def test_a_commit_that_fails_takes_the_file_back_and_keeps_what_was_replaced(tmp_path, monkeypatch):
    class Failing:
        def __init__(self, connection) -> None:
            self._connection = connection

        def __getattr__(self, name):
            return getattr(self._connection, name)

        def execute(self, statement, *parameters):
            if statement == "COMMIT":
                raise sqlite3.OperationalError("disk I/O error")
            return self._connection.execute(statement, *parameters)

    with Archive.open(tmp_path, options=ArchiveOptions(on_duplicate=OnDuplicate.REPLACE)) as archive:
        store_one(archive, "1.1", b"first!")
        real = archive.index.connection
        with monkeypatch.context() as patched:
            patched.setattr(Index, "connection", property(lambda self: Failing(real)))
            answers = store(archive, instance("1.1", b"second"), instance("1.2"))
        assert [answer.status for answer in answers] == [0xA700, 0xA700]
        assert archive.instance("1.1").read().endswith(b"first!")
        assert archive.instance("1.2") is None
        assert list(archive.verify()) == []
        assert [answer.status for answer in store(archive, instance("1.1", b"second"), instance("1.2"))] == [0, 0]


def test_an_error_nobody_foresaw_leaves_no_file_behind(disk, tmp_path, monkeypatch):
    spools = [disk.spool(instance(uid)[0]) for uid in ("1.1", "1.2")]
    for spool in spools:
        spool.append(b"x" * 100)
        spool.spill()
    with monkeypatch.context() as patched:
        patched.setattr("mockpacs.archive.rows.Rows.add", lambda *arguments: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            disk.store(spools)
    assert list((tmp_path / "incoming").iterdir()) == []
    assert list(disk.verify()) == []
    assert store_one(disk, "1.1").status == 0


def test_many_threads_store_into_one_study_without_a_failure(open_archive):
    archive = open_archive()
    answers = []

    def work(thread: int) -> None:
        for number in range(25):
            series = f"1.2.3.{number % 3}"
            answers.append(store_one(archive, f"1.{thread}.{number}", SeriesInstanceUID=series).status)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [0] * 200
    counts = archive.counts()
    assert (counts.studies, counts.series, counts.instances) == (1, 3, 200)


def test_an_archive_opened_for_reading_refuses_to_store(tmp_path):
    Archive.open(tmp_path).close()
    with Archive.open(tmp_path, read_only=True) as archive, pytest.raises(ArchiveError, match="reading only"):
        archive.store([])
