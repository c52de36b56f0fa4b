"""Starting after an unclean stop, with a lost index, beside another process; verifying, reindexing, adding files."""

from __future__ import annotations

import os
import shutil
import sqlite3
from pathlib import Path

import pydicom
import pydicom.data
import pytest

from mockpacs.archive import Archive, ArchiveOptions, FindingKind, OnDuplicate
from mockpacs.errors import ArchiveBusyError, SchemaError, StorageError
from tests.archive.instances import CT, EXPLICIT, dataset, instance, store, store_one

WHEEL = Path(pydicom.data.__file__).parent / "test_files"


def crashed(archive: Archive, copy: Path) -> Path:
    """The directory as a process would find it that starts after this one was killed now."""
    assert archive.index.path is not None
    shutil.copytree(archive.index.path.parent, copy)
    return copy


def dump(archive: Archive) -> list[tuple]:
    return [
        row
        for table in ("patient", "study", "series", "instance")
        for row in archive.index.rows(f"SELECT * FROM {table} ORDER BY key" if table != "instance" else _INSTANCES)
    ]


_INSTANCES = (
    "SELECT sop_instance_uid, transfer_syntax_uid, path, size, data_offset, source_aet FROM instance ORDER BY 1"
)


def test_after_a_clean_stop_there_is_nothing_to_do_and_everything_is_there(tmp_path):
    with Archive.open(tmp_path) as archive:
        store(archive, instance("1.1"), instance("1.2"))
    with Archive.open(tmp_path) as archive:
        assert str(archive.recovery) == ""
        assert archive.counts().instances == 2
        assert list(archive.verify()) == []


def test_an_unclean_stop_with_nothing_amiss_is_repaired_by_looking(tmp_path):
    with Archive.open(tmp_path / "a") as archive:
        store_one(archive, "1.1")
        copy = crashed(archive, tmp_path / "b")
    with Archive.open(copy) as archive:
        assert str(archive.recovery) == ""
        assert archive.counts().instances == 1


def test_unfinished_files_are_removed_and_said_so(tmp_path):
    with Archive.open(tmp_path / "a") as archive:
        store_one(archive, "1.1")
        spool = archive.spool(instance("1.2")[0])
        spool.append(b"half a data set")
        spool.spill()
        copy = crashed(archive, tmp_path / "b")
        spool.discard()
    with Archive.open(copy) as archive:
        assert archive.recovery.temporary_files_removed == 1
        assert str(archive.recovery) == "Repaired at start: 1 unfinished file removed."
        assert list((copy / "incoming").iterdir()) == []


def test_a_file_that_was_renamed_but_not_committed_is_indexed(tmp_path):
    with Archive.open(tmp_path / "a") as archive:
        store_one(archive, "1.1")
        path = store_one(archive, "1.2").path
        with archive.index.transaction() as connection:
            connection.execute("DELETE FROM instance WHERE sop_instance_uid = '1.2'")
        copy = crashed(archive, tmp_path / "b")
    with Archive.open(copy) as archive:
        assert archive.recovery.files_indexed == 1
        assert archive.instance("1.2").path == path
        assert list(archive.verify()) == []


def test_a_row_whose_file_is_gone_is_dropped(tmp_path):
    with Archive.open(tmp_path / "a") as archive:
        path = store_one(archive, "1.1").path
        store_one(archive, "1.2", SeriesInstanceUID="7", StudyInstanceUID="8", PatientID="9")
        copy = crashed(archive, tmp_path / "b")
    (copy / path).unlink()
    with Archive.open(copy) as archive:
        assert "1 row without a file dropped" in str(archive.recovery)
        assert archive.counts().studies == 1
        assert list(archive.verify()) == []


def test_a_file_of_another_size_is_read_again(tmp_path):
    with Archive.open(tmp_path / "a") as archive:
        path = store_one(archive, "1.1", bytes(100)).path
        copy = crashed(archive, tmp_path / "b")
    with (copy / path).open("ab") as file:
        file.truncate(file.tell() - 50)
    with Archive.open(copy) as archive:
        assert archive.recovery.files_indexed == 1
        assert [finding.kind for finding in archive.verify()] == [FindingKind.UNREADABLE]


@pytest.mark.parametrize("committed", [True, False])
def test_killed_while_replacing_the_row_says_which_file_counts(tmp_path, monkeypatch, committed):
    with Archive.open(tmp_path / "a", options=ArchiveOptions(on_duplicate=OnDuplicate.REPLACE)) as archive:
        first = store_one(archive, "1.1", b"first!")
        monkeypatch.setattr(archive.files, "remove", lambda path: None)
        if committed:
            second = store_one(archive, "1.1", b"second")
            wanted = second.path
        else:
            shutil.copy(tmp_path / "a" / first.path, tmp_path / "a" / first.path.replace(".dcm", "+1.dcm"))
            wanted = first.path
        copy = crashed(archive, tmp_path / "b")
    with Archive.open(copy) as archive:
        assert archive.recovery.leftovers_removed == 1
        assert archive.instance("1.1").path == wanted
        assert archive.instance("1.1").read().endswith(b"second" if committed else b"first!")
        assert list(archive.verify()) == []


def test_a_copy_somebody_made_by_hand_is_left_alone(tmp_path):
    with Archive.open(tmp_path / "a") as archive:
        path = store_one(archive, "1.1").path
        copy = crashed(archive, tmp_path / "b")
    by_hand = (copy / path).with_name("copy of 1.1.dcm")
    shutil.copy(copy / path, by_hand)
    with Archive.open(copy) as archive:
        assert by_hand.exists()
        assert archive.recovery.leftovers_removed == 0


def test_only_folders_of_the_session_that_died_are_looked_at(tmp_path):
    with Archive.open(tmp_path / "a") as archive:
        old = store_one(archive, "1.1", StudyInstanceUID="8", SeriesInstanceUID="8.1")
        with archive.index.transaction() as connection:
            connection.execute("DELETE FROM instance")
        copy = crashed(archive, tmp_path / "b")
    os.utime((copy / old.path).parent, (1, 1))
    with Archive.open(copy) as archive:
        assert archive.recovery.files_indexed == 0
        assert [finding.kind for finding in archive.verify()] == [FindingKind.NOT_INDEXED]


def test_a_repair_that_is_killed_too_is_done_again(tmp_path, monkeypatch):
    with Archive.open(tmp_path / "a") as archive:
        store_one(archive, "1.1")
        with archive.index.transaction() as connection:
            connection.execute("DELETE FROM instance")
        copy = crashed(archive, tmp_path / "b")
    with monkeypatch.context() as patched:
        patched.setattr("mockpacs.archive.repair.enter", lambda *arguments: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            Archive.open(copy)
    with Archive.open(copy) as archive:
        assert archive.recovery.files_indexed == 1


def test_a_lost_index_is_rebuilt_as_it_was(tmp_path):
    with Archive.open(tmp_path) as archive:
        list(archive.take(WHEEL))
        before, counts = dump(archive), archive.counts()
        assert counts.instances > 100
    for path in tmp_path.glob("index.sqlite*"):
        path.unlink()
    seen = []
    with Archive.open(tmp_path, progress=lambda done, total: seen.append((done, total))) as archive:
        assert archive.recovery.index_rebuilt
        assert f"rebuilt from {counts.instances} files" in str(archive.recovery)
        assert archive.counts() == counts
        assert [row for row in dump(archive) if row in before]
        assert {finding.kind for finding in archive.verify()} <= {FindingKind.UNREADABLE}
    assert seen[-1] == (counts.instances, counts.instances)


@pytest.mark.parametrize("damage", ["text", "cut", "foreign"])
def test_an_unusable_index_is_moved_aside_and_rebuilt(tmp_path, damage):
    with Archive.open(tmp_path) as archive:
        store(archive, instance("1.1"), instance("1.2"))
    path = tmp_path / "index.sqlite"
    if damage == "text":
        path.write_text("this is no database, whatever it is called\n" * 100)
    elif damage == "cut":
        os.truncate(path, path.stat().st_size - 3 * 4096)
    else:
        path.unlink()
        connection = sqlite3.connect(path)
        connection.execute("CREATE TABLE recipes (id)")
        connection.close()
    with Archive.open(tmp_path) as archive:
        assert "unusable and is now index.sqlite.broken-1" in str(archive.recovery)
        assert "rebuilt from 2 files" in str(archive.recovery)
        assert (tmp_path / "index.sqlite.broken-1").exists()
        assert list(archive.verify()) == []


def test_an_index_of_a_newer_version_is_not_touched(tmp_path):
    Archive.open(tmp_path).close()
    connection = sqlite3.connect(tmp_path / "index.sqlite")
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(SchemaError, match="99"):
        Archive.open(tmp_path)
    assert not list(tmp_path.glob("*.broken*"))


def test_one_process_at_a_time_and_the_next_one_after_the_close(tmp_path):
    with Archive.open(tmp_path) as archive:
        store_one(archive, "1.1")
        with pytest.raises(ArchiveBusyError, match=f"pid {os.getpid()}"):
            Archive.open(tmp_path)
        with Archive.open(tmp_path, read_only=True) as beside:
            assert beside.counts().instances == 1
            assert list(beside.verify()) == []
            assert [listed.patient_id for listed in beside.list()] == ["P1"]
    archive.close()
    Archive.open(tmp_path).close()


def test_a_directory_that_cannot_be_used_is_a_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot be used: Not a directory"):
        Archive.open(tmp_path / "file" / "storage")
    with pytest.raises(StorageError, match=r"index\.sqlite cannot be used"):
        Archive.open(tmp_path / "nothing", read_only=True)


def test_a_start_that_fails_lets_go_of_the_lock(tmp_path):
    Archive.open(tmp_path).close()
    locked = sqlite3.connect(tmp_path / "index.sqlite", isolation_level=None)
    locked.execute("PRAGMA locking_mode = EXCLUSIVE")
    locked.execute("BEGIN EXCLUSIVE")
    locked.execute("PRAGMA user_version = 1")
    with pytest.raises(StorageError, match="locked"):
        Archive.open(tmp_path, options=ArchiveOptions(busy_timeout_seconds=0.05))
    locked.close()
    Archive.open(tmp_path).close()


def finding_kinds(archive: Archive) -> list[FindingKind]:
    return [finding.kind for finding in archive.verify()]


@pytest.mark.parametrize(
    ("damage", "kind"),
    [
        (lambda root, path: (root / path).unlink(), FindingKind.FILE_MISSING),
        (lambda root, path: shutil.copy(root / path, root / "archive/1.2.3/1.2.3.4/copy.dcm"), FindingKind.NOT_INDEXED),
        (lambda root, path: (root / "archive/1.2.3/1.2.3.4/notes.txt").write_text("x"), FindingKind.NOT_AN_INSTANCE),
        (lambda root, path: os.truncate(root / path, 1000), FindingKind.SIZE_DIFFERS),
    ],
)
def test_verify_finds_what_somebody_did_behind_the_archives_back(tmp_path, damage, kind):
    with Archive.open(tmp_path) as archive:
        path = store_one(archive, "1.1", bytes(2000)).path
        damage(tmp_path, path)
        assert kind in finding_kinds(archive)


@pytest.mark.parametrize(
    ("statement", "kind"),
    [
        ("DELETE FROM instance", FindingKind.NOT_INDEXED),
        ("UPDATE instance SET transfer_syntax_uid = '1.9'", FindingKind.UIDS_DIFFER),
        ("UPDATE instance SET sop_class_uid = '1.9'", FindingKind.UIDS_DIFFER),
        ("UPDATE series SET series_instance_uid = '1.9'", FindingKind.UIDS_DIFFER),
        ("UPDATE instance SET instance_number = '9'", FindingKind.ATTRIBUTES_DIFFER),
        ("UPDATE instance SET size = 9", FindingKind.SIZE_DIFFERS),
        ("UPDATE instance SET path = 'archive/1.2.3/1.2.3.4/9.dcm'", FindingKind.FILE_MISSING),
    ],
)
@pytest.mark.parametrize("on_disk", [True, False])
def test_verify_finds_what_is_wrong_in_the_index_and_reindex_puts_it_right(tmp_path, statement, kind, on_disk):
    with Archive.open(tmp_path if on_disk else None) as archive:
        store_one(archive, "1.1", bytes(2000))
        with archive.index.transaction() as connection:
            connection.execute(statement)
        assert kind in finding_kinds(archive)
        assert archive.reindex().instances == 1
        assert finding_kinds(archive) == []
        assert store_one(archive, "1.2").status == 0
        assert finding_kinds(archive) == []
        assert archive.counts().instances == 2


def test_verify_tells_how_far_it_is(tmp_path):
    with Archive.open(tmp_path) as archive:
        store(archive, instance("1.1"), instance("1.2"))
        seen = []
        assert list(archive.verify(lambda done, total: seen.append((done, total)))) == []
        assert seen == [(1, 2), (2, 2)]


def test_a_query_that_runs_while_the_index_is_replaced_ends_well_and_the_next_one_sees_the_new_index(tmp_path):
    with Archive.open(tmp_path) as archive:
        store(archive, instance("1.1"), instance("1.2"))
        with archive.index.transaction() as connection:
            connection.execute("UPDATE instance SET instance_number = '9'")
        running = archive.index.rows("SELECT instance_number FROM instance")
        assert next(running) == ("9",)
        archive.reindex()
        assert list(running) == [("9",)]
        assert list(archive.index.rows("SELECT instance_number FROM instance")) == [(None,), (None,)]


def test_a_reindexed_archive_opens_again(tmp_path):
    with Archive.open(tmp_path) as archive:
        store(archive, instance("1.1"), instance("1.2"))
        strange = tmp_path / "archive/1.2.3/1.2.3.4/notes.txt"
        strange.write_text("x")
        reindexed = archive.reindex()
        assert (reindexed.instances, reindexed.strange_files) == (2, ("archive/1.2.3/1.2.3.4/notes.txt",))
    with Archive.open(tmp_path) as archive:
        assert archive.counts().instances == 2
        assert sorted(path.name for path in tmp_path.iterdir() if path.is_file())[:2] == [
            "archive.lock",
            "index.sqlite",
        ]


def test_adding_a_folder_takes_every_instance_and_reports_the_rest(tmp_path):
    with Archive.open(tmp_path / "a") as archive:
        results = {added.path.name: added for added in archive.take(WHEEL)}
        assert results["CT_small.dcm"].problem == ""
        assert results["README.txt"].problem == "not a DICOM file"
        assert results["DICOMDIR"].problem == "a DICOMDIR, not an instance"
        assert results["ExplVR_LitEndNoMeta.dcm"].problem == ""
        assert results["no_meta_group_length.dcm"].problem == ""
        stored = [added for added in results.values() if added.stored and added.stored.changed]
        assert archive.counts().instances == len(stored) > 100
        assert all(added.stored or added.problem for added in results.values())


def test_adding_keeps_the_bytes_of_the_data_set_and_who_sent_it(tmp_path):
    with Archive.open(tmp_path / "a") as first, Archive.open(None) as second:
        meta, data = instance("1.1", bytes(6 << 20))
        path = tmp_path / "a" / store(first, (meta, data))[0].path
        (added,) = second.take(path)
        assert (added.path, added.problem) == (path, "")
        assert second.instance("1.1").read() == data
        assert second.instance("1.1").meta == meta


@pytest.mark.parametrize("preamble", [b"", bytes(128) + b"DICM"])
def test_a_bare_data_set_is_added_by_what_it_says_itself(tmp_path, preamble):
    path = tmp_path / "bare"
    path.write_bytes(preamble + dataset(SOPInstanceUID="1.1"))
    with Archive.open(None) as archive:
        (added,) = archive.take(path)
        assert added.problem == ""
        assert archive.instance("1.1").meta[:3] == (CT, "1.1", EXPLICIT)
        assert archive.instance("1.1").read() == dataset(SOPInstanceUID="1.1")


@pytest.mark.parametrize("contents", [b"", b"x", b"\2\0" * 100, bytes(128) + b"DICM", bytes(1000), b"\x08\0\5\0CS"])
def test_a_file_that_is_no_instance_is_reported_not_raised(tmp_path, contents):
    path = tmp_path / "file"
    path.write_bytes(contents)
    with Archive.open(None) as archive:
        (added,) = archive.take(path)
        assert added.problem
        assert added.stored is None


def test_a_path_that_does_not_exist_is_reported_not_raised(tmp_path):
    with Archive.open(None) as archive:
        (added,) = archive.take(tmp_path / "nothing")
        assert "No such file" in added.problem
