"""Deleting: whole entities, nothing dangling, beside everything else that goes on, and whatever kills the process."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mockpacs.archive import Archive, ArchiveOptions, Durability, Level, Match, Model, OnDuplicate, QueryOptions
from mockpacs.archive.deletion import PER_STEP
from mockpacs.archive.intent import NAME
from mockpacs.errors import ArchiveError, StorageError
from mockpacs.wire.dataset import EXPLICIT_LITTLE, encode_element
from mockpacs.wire.part10 import FileMeta
from tests.archive.instances import instance, store, store_one

_ROOT = Path(__file__).parents[2]
_STUDY_COMMENTS = 0x00324000  # not in the index: answered from a file


@pytest.fixture(params=["disk", "memory"])
def archive(request, tmp_path):
    with Archive.open(tmp_path if request.param == "disk" else None) as opened:
        yield opened
        assert list(opened.verify()) == []


class Placed(NamedTuple):
    """An instance of the small world of these tests; a series belongs to one study, a study to one patient."""

    number: int

    @property
    def uid(self) -> str:
        return f"1.1.{self.number}"

    @property
    def series(self) -> str:
        return f"1.3.{self.number // 2}"

    @property
    def study(self) -> str:
        return f"1.2.{self.number // 4}"

    @property
    def patient(self) -> str:
        return f"P{self.number // 8}"

    def stored(self, pixels: bytes = b"") -> tuple[FileMeta, bytes]:
        return instance(
            self.uid,
            pixels,
            PatientID=self.patient,
            StudyInstanceUID=self.study,
            SeriesInstanceUID=self.series,
            StudyComments="told by the file",
        )


WORLD = [Placed(number) for number in range(16)]


def fill(archive: Archive) -> None:
    store(archive, *(placed.stored() for placed in WORLD))


def counted(archive: Archive) -> tuple[int, int, int, int]:
    counts = archive.counts()
    return counts.patients, counts.studies, counts.series, counts.instances


def expected(kept: list[Placed]) -> tuple[int, int, int, int]:
    return tuple(len({getattr(placed, what) for placed in kept}) for what in ("patient", "study", "series", "uid"))  # type: ignore[return-value]


def found(archive: Archive, level: Level) -> list[bytes]:
    """All that a query finds on a level, with a key that is answered from the files."""
    identifier = encode_element(0x00080052, "CS", level.encode(), EXPLICIT_LITTLE)
    identifier += encode_element(_STUDY_COMMENTS, "LT", b"", EXPLICIT_LITTLE)
    relational = QueryOptions(relational=True)
    return [match.dataset for match in archive.find(identifier, EXPLICIT_LITTLE, Model.PATIENT_ROOT, relational)]


def asked_for_studies(archive: Archive) -> Iterator[Match]:
    identifier = encode_element(0x00080052, "CS", b"STUDY ", EXPLICIT_LITTLE)
    identifier += encode_element(_STUDY_COMMENTS, "LT", b"", EXPLICIT_LITTLE)
    return archive.find(identifier, EXPLICIT_LITTLE, Model.STUDY_ROOT, QueryOptions())


def files_below(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in (folder / "archive").rglob("*"))


@pytest.mark.parametrize(
    ("what", "gone"),
    [
        ({"sop_instance": "1.1.5"}, [5]),
        ({"series": "1.3.2"}, [4, 5]),
        ({"study": "1.2.1"}, [4, 5, 6, 7]),
        ({"sop_instance": "1.1"}, []),
        ({"series": "1.3"}, []),
        ({"study": "1.2.%"}, []),
        ({"study": "?1"}, []),
    ],
)
def test_what_is_asked_for_goes_and_nothing_else(archive, what, gone):
    fill(archive)
    assert archive.delete(**what) == len(gone)
    kept = [placed for placed in WORLD if placed.number not in gone]
    assert [one.sop_instance for one in archive.instances()] == [placed.uid for placed in kept]
    assert counted(archive) == expected(kept)
    assert archive.delete(**what) == 0


def test_everything_goes(archive, tmp_path):
    fill(archive)
    assert archive.clear() == len(WORLD)
    assert counted(archive) == (0, 0, 0, 0)
    assert [found(archive, level) for level in Level] == [[]] * 4
    if archive.index.path:
        assert files_below(tmp_path) == []
        assert not (tmp_path / NAME).exists()
    assert archive.clear() == 0


@pytest.mark.parametrize("what", [{}, {"study": ""}, {"study": "1.2.1", "series": "1.3.2"}])
def test_it_must_be_said_what_to_delete(archive, what):
    fill(archive)
    with pytest.raises(ArchiveError, match=r"say what to delete by one UID.*clear\(\) deletes everything"):
        archive.delete(**what)
    assert archive.counts().instances == len(WORLD)


_STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("store"), st.lists(st.sampled_from(WORLD), min_size=1, max_size=6)),
        st.tuples(st.just("delete"), st.sampled_from(["sop_instance", "series", "study"]), st.sampled_from(WORLD)),
        st.just(("clear",)),
    ),
    max_size=12,
)


@settings(max_examples=60, deadline=None)
@given(steps=_STEPS, on_disk=st.booleans())
def test_any_sequence_of_storing_and_deleting_leaves_what_a_set_would(tmp_path_factory, steps, on_disk):
    directory = tmp_path_factory.mktemp("archive") if on_disk else None
    kept: dict[str, Placed] = {}
    with Archive.open(directory) as archive:
        for step in steps:
            match step:
                case ("store", batch):
                    assert {answer.status for answer in store(archive, *(placed.stored() for placed in batch))} == {0}
                    for placed in batch:
                        kept.setdefault(placed.uid, placed)
                case ("delete", what, target):
                    uid = target.uid if what == "sop_instance" else getattr(target, what)
                    doomed = [
                        placed
                        for placed in kept.values()
                        if uid == (placed.uid if what == "sop_instance" else getattr(placed, what))
                    ]
                    assert archive.delete(**{what: uid}) == len(doomed)
                    for placed in doomed:
                        del kept[placed.uid]
                case _:
                    assert archive.clear() == len(kept)
                    kept.clear()
            assert counted(archive) == expected(list(kept.values()))
            assert [len(found(archive, level)) for level in Level] == list(expected(list(kept.values())))
            assert [one.sop_instance for one in archive.instances()] == list(kept)
        assert list(archive.verify()) == []
        assert all(archive.instance(uid).read() == placed.stored()[1] for uid, placed in kept.items())
        reindexed = archive.reindex()
        assert (reindexed.instances, reindexed.strange_files) == (len(kept), ())


def test_what_is_stored_again_after_it_was_deleted_has_a_study_of_its_own_again(archive):
    fill(archive)
    archive.delete(study="1.2.0")
    archive.delete(study="1.2.1")
    meta, data = WORLD[0].stored()
    store(archive, (meta, data.replace(b"P0", b"PX")))
    assert archive.instance("1.1.0").patient == "PX"
    assert counted(archive) == (2, 3, 5, 9)


def test_an_instance_without_study_and_series_can_be_deleted_by_its_own_uid(archive):
    store_one(archive, "1.1", StudyInstanceUID=None, SeriesInstanceUID="", PatientID=None)
    assert archive.delete(study="none") == 0
    assert archive.delete(sop_instance="1.1") == 1
    assert counted(archive) == (0, 0, 0, 0)


def test_a_replacement_goes_with_its_own_file(tmp_path):
    with Archive.open(tmp_path, options=ArchiveOptions(on_duplicate=OnDuplicate.REPLACE)) as archive:
        store_one(archive, "1.1", b"first!")
        store_one(archive, "1.1", b"second")
        assert archive.delete(series="1.2.3.4") == 1
        assert files_below(tmp_path) == []


@pytest.mark.parametrize("durability", Durability)
def test_folders_that_are_empty_go_and_others_stay(tmp_path, durability):
    with Archive.open(tmp_path, options=ArchiveOptions(durability=durability)) as archive:
        store_one(archive, "1.1")
        store_one(archive, "1.2", SeriesInstanceUID="1.2.3.5")
        by_hand = tmp_path / "archive" / "1.2.3" / "1.2.3.5" / "notes.txt"
        by_hand.write_text("mine")
        archive.clear()
        assert files_below(tmp_path) == ["archive/1.2.3", "archive/1.2.3/1.2.3.5", "archive/1.2.3/1.2.3.5/notes.txt"]
        assert not (tmp_path / NAME).exists()
        assert store_one(archive, "1.1").status == 0
        by_hand.unlink()


def test_more_than_one_step_is_deleted_too(tmp_path):
    with Archive.open(None) as archive:
        number = 2 * PER_STEP
        store(archive, *(instance(f"1.1.{each}") for each in range(number)))
        store(archive, instance("1.9", StudyInstanceUID="1.9", SeriesInstanceUID="1.9.1"))
        assert archive.delete(study="1.2.3") == number
        assert counted(archive) == (1, 1, 1, 1)


def test_what_is_stored_while_a_study_is_deleted_is_not_waited_for_and_not_deleted(monkeypatch):
    """A client that keeps sending the study cannot keep the deletion from ending."""
    with Archive.open(None) as archive:
        store(archive, *(instance(f"1.1.{each}") for each in range(PER_STEP)))
        remove_all = archive.files.remove_all

        def remove_and_store(paths: Iterator[str]) -> bool:
            gone = remove_all(paths)
            store(archive, *(instance(f"1.7.{archive.counts().instances}.{each}") for each in range(PER_STEP)))
            return gone

        monkeypatch.setattr(archive.files, "remove_all", remove_and_store)
        assert archive.delete(study="1.2.3") == PER_STEP
        assert archive.counts().instances == PER_STEP
        monkeypatch.undo()
        assert archive.delete(study="1.2.3") == PER_STEP


def test_who_reads_an_instance_reads_it_to_its_end(archive):
    data = instance("1.1", os.urandom(1 << 20))
    store(archive, data)
    blocks = archive.instance("1.1").blocks(1000)
    read = [next(blocks)]
    assert archive.clear() == 1
    read += blocks
    assert b"".join(read) == data[1]


def test_a_query_under_way_goes_on_without_what_was_deleted(archive):
    """The first fifty matches are read at once; later ones are not given, nor given without what their file said."""
    for each in range(120):
        uids = {"StudyInstanceUID": f"1.2.{each}", "SeriesInstanceUID": f"1.3.{each}"}
        store_one(archive, f"1.1.{each}", StudyComments="told by the file", **uids)
    matches = asked_for_studies(archive)
    answers = [next(matches).dataset]
    for each in range(10, 120):
        archive.delete(study=f"1.2.{each}")
    answers += [match.dataset for match in matches]
    assert len(answers) == 10
    assert all(b"told by the file" in answer for answer in answers)


def test_a_query_takes_another_file_of_the_entity_when_the_one_it_knew_was_deleted(archive):
    for study in range(2):
        for each in range(2):
            uid = f"1.1.{study}.{each}"
            uids = {"StudyInstanceUID": f"1.2.{study}", "SeriesInstanceUID": f"1.3.{study}"}
            store_one(archive, uid, StudyComments=f"file {each}", **uids)
    matches = asked_for_studies(archive)
    assert b"file 0" in next(matches).dataset
    archive.delete(sop_instance="1.1.1.0")
    assert [b"file 1" in match.dataset for match in matches] == [True]


def test_deleting_beside_storing_querying_reading_and_verifying(archive):
    """Nothing raises, no answer is wrong, nothing dangles: the fixture verifies at the end."""
    problems: list[object] = []
    stopped = threading.Event()

    def again_and_again(work) -> None:
        try:
            while not stopped.is_set():
                work()
        except Exception as error:
            problems.append(error)

    def store_all() -> None:
        statuses = {answer.status for answer in store(archive, *(placed.stored() for placed in WORLD))}
        problems.extend(statuses - {0})

    def read_all() -> None:
        for one in archive.instances():
            try:
                data = one.read()
            except StorageError:
                continue  # deleted since
            if data != WORLD[int(one.sop_instance.rpartition(".")[2])].stored()[1]:
                problems.append(one)

    def query() -> None:
        levels = (Level.STUDY, Level.SERIES, Level.IMAGE)
        problems.extend(answer for level in levels for answer in found(archive, level) if b"told by" not in answer)

    threads = [
        threading.Thread(target=again_and_again, args=(work,))
        for work in (store_all, read_all, query, lambda: archive.reindex(), archive.clear)
    ]
    for thread in threads:
        thread.start()
    for number in range(60):
        archive.delete(study=f"1.2.{number % 4}")
        archive.delete(series=f"1.3.{number % 8}")
        archive.delete(sop_instance=f"1.1.{number % 16}")
        list(archive.verify())
    stopped.set()
    for thread in threads:
        thread.join()
    assert problems == []


def test_what_the_index_refuses_leaves_everything_as_it_was(tmp_path):
    with Archive.open(tmp_path, options=ArchiveOptions(busy_timeout_seconds=0.01)) as archive:
        fill(archive)
        before = files_below(tmp_path)
        other = sqlite3.connect(tmp_path / "index.sqlite", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StorageError, match="The archive cannot delete: database is locked"):
            archive.clear()
        other.close()
        assert files_below(tmp_path) == before
        assert counted(archive) == expected(WORLD)
        assert store_one(archive, "1.9").status == 0
        assert archive.clear() == len(WORLD) + 1


def test_a_disk_that_refuses_to_note_the_intent_leaves_everything_as_it_was(tmp_path, monkeypatch):
    with Archive.open(tmp_path) as archive:
        fill(archive)
        with monkeypatch.context() as patched:
            patched.setattr(
                "mockpacs.archive.intent.Intent.write", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left"))
            )
            with pytest.raises(StorageError, match=r"The archive cannot delete: No space left"):
                archive.clear()
        assert counted(archive) == expected(WORLD)
        assert list(archive.verify()) == []
        assert archive.clear() == len(WORLD)


def test_a_file_that_cannot_be_removed_now_is_removed_by_the_next_start(tmp_path, monkeypatch):
    with Archive.open(tmp_path) as archive:
        fill(archive)
        remove = archive.files.remove
        stuck = archive.instance("1.1.5").path

        def refusing(path: str) -> None:
            if path == stuck:
                raise PermissionError(13, "used by another process")
            remove(path)

        monkeypatch.setattr(archive.files, "remove", refusing)
        assert archive.delete(study="1.2.1") == 4
        monkeypatch.undo()
        assert archive.delete(study="1.2.2") == 4
    with Archive.open(tmp_path) as archive:
        assert str(archive.recovery) == "Repaired at start: 1 file of deleted instances removed."
        assert list(archive.verify()) == []
        assert archive.counts().instances == 8
        assert not (tmp_path / NAME).exists()


def test_a_file_that_could_not_be_removed_and_was_stored_again_stays(tmp_path, monkeypatch):
    with Archive.open(tmp_path) as archive:
        store_one(archive, "1.1", b"first!")
        monkeypatch.setattr(archive.files, "remove", lambda _: (_ for _ in ()).throw(PermissionError(13, "in use")))
        archive.clear()
        monkeypatch.undo()
        store_one(archive, "1.1", b"second")
    with Archive.open(tmp_path) as archive:
        assert str(archive.recovery) == ""
        assert archive.instance("1.1").read().endswith(b"second")


@pytest.mark.parametrize(
    "line", ["", "{", "[]", "7", '["1.1"]', '["1.1", 7]', '["1.1", "../other.dcm"]', '["1.1", "archive/../other.dcm"]']
)
def test_a_damaged_note_removes_nothing_it_should_not(tmp_path, line):
    with Archive.open(tmp_path / "a") as archive:
        store_one(archive, "1.1")
    (tmp_path / "other.dcm").write_text("mine")
    (tmp_path / "a" / "other.dcm").write_text("mine")
    (tmp_path / "a" / NAME).write_text(line + "\n")
    with Archive.open(tmp_path / "a") as archive:
        assert list(archive.verify()) == []
        assert archive.counts().instances == 1
    assert (tmp_path / "other.dcm").exists()
    assert (tmp_path / "a" / "other.dcm").exists()
    assert not (tmp_path / "a" / NAME).exists()


def test_with_a_lost_index_what_has_a_file_is_there(tmp_path):
    with Archive.open(tmp_path) as archive:
        path = store_one(archive, "1.1").path
    (tmp_path / NAME).write_text(f'["1.1", "{path}"]\n')
    (tmp_path / "index.sqlite").unlink()
    with Archive.open(tmp_path) as archive:
        assert archive.counts().instances == 1
        assert list(archive.verify()) == []


def test_a_row_whose_commit_the_disk_lost_goes_with_its_file(tmp_path):
    """The machine died: SQLite is back before the deletion, the file is not."""
    with Archive.open(tmp_path) as archive:
        path = store_one(archive, "1.1").path
        store_one(archive, "1.2")
    (tmp_path / path).unlink()
    (tmp_path / NAME).write_text(f'["1.1", "{path}"]\n')
    with Archive.open(tmp_path) as archive:
        assert str(archive.recovery) == "Repaired at start: 1 row without a file dropped."
        assert [one.sop_instance for one in archive.instances()] == ["1.2"]
        assert list(archive.verify()) == []


_ONE_STEP = """
import os, sys
from pathlib import Path
from mockpacs.archive import Archive, ArchiveOptions, Durability
from mockpacs.archive.database import Index

directory, step, moment, durability = Path(sys.argv[1]), sys.argv[2], sys.argv[3], Durability(sys.argv[4])
archive = Archive.open(directory, options=ArchiveOptions(durability=durability))


def dying(function):
    calls = []
    def call(*arguments, **named):
        calls.append(arguments)
        if moment == "before" or (moment == "second" and len(calls) == 2):
            os._exit(9)
        result = function(*arguments, **named)
        if moment == "after":
            os._exit(9)
        return result
    return call


class Connection:
    def __init__(self, connection):
        self.connection = connection
    def __getattr__(self, name):
        return getattr(self.connection, name)
    def execute(self, statement, *parameters):
        execute = self.connection.execute
        return (dying(execute) if statement.startswith(step) else execute)(statement, *parameters)


real = archive.index.connection
Index.connection = property(lambda self: Connection(real))
owner, _, name = step.partition(".")
if owner in ("files", "intent"):
    owner = archive.files if owner == "files" else archive._deletion._intent
    object.__setattr__(owner, name, dying(getattr(owner, name)))
archive.delete(study="1.2.1")
os._exit(7)
"""


@pytest.mark.parametrize("durability", Durability)
@pytest.mark.parametrize(
    ("step", "moment", "gone"),
    [
        ("BEGIN", "before", False),
        ("intent.write", "before", False),
        ("intent.write", "after", False),
        ("DELETE FROM instance", "before", False),
        ("DELETE FROM instance", "after", False),
        ("DELETE FROM patient", "after", False),
        ("COMMIT", "before", False),
        ("COMMIT", "after", True),
        ("files.remove", "before", True),
        ("files.remove", "after", True),
        ("files.remove", "second", True),
        ("files._leave", "before", True),
        ("files._leave", "after", True),
        ("intent.forget", "before", True),
        ("intent.forget", "after", True),
    ],
)
def test_killed_at_each_step_a_study_is_there_or_gone(tmp_path, step, moment, gone, durability):
    with Archive.open(tmp_path) as archive:
        fill(archive)
    for folder in (tmp_path / "archive").rglob("*"):
        os.utime(folder, (1, 1))  # an old session stored it: what the start looks at anyhow must not be needed
    arguments = [sys.executable, "-c", _ONE_STEP, str(tmp_path), step, moment, durability]
    assert subprocess.run(arguments, cwd=_ROOT, check=False).returncode == 9
    with Archive.open(tmp_path) as archive:
        assert list(archive.verify()) == []
        kept = [placed for placed in WORLD if not gone or placed.study != "1.2.1"]
        assert counted(archive) == expected(kept)
        assert all(archive.instance(placed.uid).read() == placed.stored()[1] for placed in kept)
        assert not (tmp_path / NAME).exists()
        assert (tmp_path / "archive" / "1.2.1").exists() is not gone


_PROGRAM = """
import sys
from pathlib import Path
from mockpacs.archive import Archive
from tests.archive.instances import instance, store

archive = Archive.open(Path(sys.argv[1]))
for number in range(10_000):
    uids = lambda each: {"StudyInstanceUID": f"1.2.{number}", "SeriesInstanceUID": f"1.3.{number}.{each % 3}"}
    store(archive, *(instance(f"1.1.{number}.{each}", b"x" * 500, **uids(each)) for each in range(12)))
    print("stored", number, flush=True)
    if number >= 3:
        assert archive.delete(study=f"1.2.{number - 3}") == 12
        print("deleted", number - 3, flush=True)
"""


@pytest.mark.parametrize("enough", [5, 8, 13, 40])
def test_what_was_deleted_stays_so_and_what_was_stored_too_after_kill_9(tmp_path, enough):
    with subprocess.Popen(
        [sys.executable, "-c", _PROGRAM, str(tmp_path)], stdout=subprocess.PIPE, text=True, cwd=_ROOT
    ) as process:
        assert process.stdout is not None
        said = [process.stdout.readline() for _ in range(enough)]
        process.kill()
        said += process.stdout.readlines()
    told = {"stored": set[int](), "deleted": set[int]()}
    for line in said:
        if line.endswith("\n"):
            word, _, number = line.partition(" ")
            told[word].add(int(number))
    with Archive.open(tmp_path) as archive:
        assert list(archive.verify()) == []
        assert not (tmp_path / NAME).exists()
        there = {int(one.study.rpartition(".")[2]) for one in archive.instances()}
        assert there.isdisjoint(told["deleted"])
        under_way = {max(told["stored"]) - 3}  # its deletion was not answered yet: either is right, but as a whole
        assert told["stored"] - told["deleted"] - under_way <= there
        assert {len(archive.instances(study=f"1.2.{number}")) for number in there & told["stored"]} <= {12}
