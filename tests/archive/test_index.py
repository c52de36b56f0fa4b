"""The index file: its tables, versions, and plans."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from mockpacs.archive.database import APPLICATION_ID, Index, move_aside
from mockpacs.archive.index import INDEXED, MODELS, Level, Patient, Study, name_key
from mockpacs.errors import SchemaError
from mockpacs.wire.dictionary import keyword_of, vr_of

PATH = "index.sqlite"


@pytest.fixture
def index():
    opened = Index.open(None)
    yield opened
    opened.close()


def test_every_indexed_attribute_has_its_column_and_the_dictionary_agrees_on_its_vr():
    assert len({at.tag for at in INDEXED}) == len(INDEXED)
    for at in INDEXED:
        assert at.column in MODELS[at.level]._meta.fields
        assert at.vr == vr_of(at.tag)
        assert at.column.replace("_", "") == keyword_of(at.tag).lower()


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("Smith^John", "smith^john"),
        ("SMITH^John^^", "smith^john"),
        ("Smith ^ John ^^^ ", "smith^john"),
        ("Smith^^", "smith"),
        ("^John", "^john"),
        ("Yamada^Tarou=山田^太郎=", "yamada^tarou=山田^太郎"),
        ("A^B==C", "a^b==c"),
        ("Straße", "strasse"),
        ("Mu\u0308ller", "m\u00fcller"),
        ("A^\\B^", "a\\b"),
        ("", ""),
        ("^^=", ""),
    ],
)
def test_a_name_key_ignores_case_padding_and_what_trails_empty(text, key):
    assert name_key(text) == key


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("SELECT id FROM patient WHERE patient_id = 'x'", "patient_patient_id"),
        ("SELECT id FROM patient WHERE name_key >= 'a' AND name_key < 'b'", "patient_name_key"),
        ("SELECT id FROM study WHERE study_instance_uid = 'x'", "study_study_instance_uid"),
        ("SELECT id FROM study WHERE study_date BETWEEN '2020' AND '2021'", "study_study_date"),
        ("SELECT id FROM study WHERE accession_number = 'x'", "study_accession_number"),
        ("SELECT id FROM study WHERE study_id = 'x'", "study_study_id"),
        ("SELECT id FROM study WHERE referring_key >= 'a' AND referring_key < 'b'", "study_referring_key"),
        ("SELECT id FROM study WHERE patient = 1", "study_patient"),
        ("SELECT id FROM series WHERE series_instance_uid = 'x'", "series_series_instance_uid"),
        ("SELECT id FROM series WHERE modality = 'CT'", "series_modality"),
        ("SELECT modality FROM series WHERE study = 1", "COVERING INDEX series_study_modality"),
        ("SELECT id FROM instance WHERE sop_instance_uid = 'x'", "instance_sop_instance_uid"),
        ("SELECT id FROM instance WHERE sop_class_uid = 'x'", "instance_sop_class_uid"),
        ("SELECT sop_class_uid FROM instance WHERE series = 1", "COVERING INDEX instance_series_sop_class_uid_size"),
    ],
)
def test_what_is_searched_for_is_found_through_an_index(index, query, name):
    (plan,) = index.rows(f"EXPLAIN QUERY PLAN {query}")
    assert f"INDEX {name.removeprefix('COVERING INDEX ')} (" in plan[3]
    assert ("COVERING" in plan[3]) or not name.startswith("COVERING")


def test_a_peewee_query_and_sql_text_give_tuples_in_memory_and_on_disk(tmp_path):
    for path in (None, tmp_path / PATH):
        index = Index.open(path)
        with index.transaction() as connection:
            connection.execute("INSERT INTO patient (key, patient_id) VALUES ('A\\', 'A')")
            connection.execute("INSERT INTO study (patient, key, study_date) VALUES (1, '1.2', '20240131')")
        query = Study.select(Study.key, Patient.patient_id).join(Patient).where(Study.study_date > "2024")
        assert list(index.rows(query)) == [("1.2", "A")]
        assert list(index.rows("SELECT key FROM study WHERE id = ?", (1,))) == [("1.2",)]
        index.close()


def test_two_archives_in_one_process_do_not_see_each_other():
    first, second = Index.open(None), Index.open(None)
    with first.transaction() as connection:
        connection.execute("INSERT INTO patient (key) VALUES ('A')")
    assert list(first.rows(Patient.select(Patient.key))) == [("A",)]
    assert list(second.rows(Patient.select(Patient.key))) == []
    first.close()
    second.close()


def test_a_reader_that_is_not_finished_neither_blocks_nor_sees_a_writer(tmp_path):
    index = Index.open(tmp_path / PATH, busy_timeout_seconds=0.1)
    with index.transaction() as connection:
        connection.executemany("INSERT INTO patient (key) VALUES (?)", [("A",), ("B",), ("C",)])
    rows = index.rows("SELECT key FROM patient ORDER BY key")
    assert next(rows) == ("A",)
    with index.transaction() as connection:
        connection.execute("DELETE FROM patient")
    assert list(rows) == [("B",), ("C",)]
    assert list(index.rows("SELECT key FROM patient")) == []
    index.close()


def test_a_reader_abandoned_or_still_running_at_the_close_leaves_no_connection(tmp_path):
    index = Index.open(tmp_path / PATH)
    with index.transaction() as connection:
        connection.executemany("INSERT INTO patient (key) VALUES (?)", [("A",), ("B",)])
    abandoned = index.rows("SELECT key FROM patient")
    next(abandoned)
    abandoned.close()
    running = index.rows("SELECT key FROM patient")
    next(running)
    index.close()
    running.close()
    assert index._idle == []


def test_a_failed_transaction_changes_nothing(index):
    with pytest.raises(sqlite3.IntegrityError), index.transaction() as connection:
        connection.executemany("INSERT INTO patient (key) VALUES (?)", [("A",), ("A",)])
    assert list(index.rows("SELECT * FROM patient")) == []
    with index.transaction() as connection:
        connection.execute("INSERT INTO patient (key) VALUES ('A')")
    assert len(list(index.rows("SELECT * FROM patient"))) == 1


def test_foreign_keys_are_enforced(index):
    with pytest.raises(sqlite3.IntegrityError), index.transaction() as connection:
        connection.execute("INSERT INTO study (patient, key) VALUES (99, 'A')")


def test_the_file_says_whose_it_is_and_which_version(tmp_path):
    Index.open(tmp_path / PATH).close()
    connection = sqlite3.connect(tmp_path / PATH)
    assert connection.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)
    assert connection.execute("PRAGMA user_version").fetchone() == (1,)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()


def test_an_old_file_is_migrated_step_by_step_and_keeps_its_rows(tmp_path):
    index = Index.open(tmp_path / PATH)
    with index.transaction() as connection:
        connection.execute("INSERT INTO patient (key) VALUES ('A')")
    index.close()
    migrations = (
        lambda connection: connection.execute("ALTER TABLE patient ADD COLUMN colour TEXT"),
        lambda connection: connection.execute("UPDATE patient SET colour = 'blue'"),
    )
    migrated = Index.open(tmp_path / PATH, migrations=migrations)
    assert list(migrated.rows("SELECT key, colour FROM patient")) == [("A", "blue")]
    migrated.close()
    again = Index.open(tmp_path / PATH, migrations=migrations)
    assert list(again.rows("PRAGMA user_version")) == [(3,)]
    again.close()


def test_a_migration_that_fails_leaves_the_old_version(tmp_path):
    Index.open(tmp_path / PATH).close()
    migrations = (
        lambda connection: connection.execute("ALTER TABLE patient ADD COLUMN colour TEXT"),
        lambda connection: connection.execute("nonsense"),
    )
    with pytest.raises(sqlite3.OperationalError):
        Index.open(tmp_path / PATH, migrations=migrations)
    index = Index.open(tmp_path / PATH)
    assert "colour" not in [row[1] for row in index.rows("PRAGMA table_info(patient)")]
    index.close()


def test_a_newer_schema_is_refused_with_a_sentence(tmp_path):
    Index.open(tmp_path / PATH, migrations=(lambda connection: None,)).close()
    with pytest.raises(SchemaError, match="schema version 2, this mockpacs knows 1"):
        Index.open(tmp_path / PATH)


def test_reading_only_needs_the_present_schema_and_never_writes(tmp_path):
    Index.open(tmp_path / PATH).close()
    index = Index.open(tmp_path / PATH, read_only=True)
    with pytest.raises(sqlite3.OperationalError, match="readonly"), index.transaction() as connection:
        connection.execute("INSERT INTO patient (key) VALUES ('A')")
    index.close()
    with pytest.raises(SchemaError, match="open it for writing"):
        Index.open(tmp_path / PATH, read_only=True, migrations=(lambda connection: None,))


def test_somebody_elses_database_is_not_taken_for_an_index(tmp_path):
    connection = sqlite3.connect(tmp_path / PATH)
    connection.execute("CREATE TABLE recipes (id)")
    connection.close()
    with pytest.raises(sqlite3.DatabaseError, match="not an index of mockpacs"):
        Index.open(tmp_path / PATH)


def test_moving_aside_never_overwrites_what_was_moved_before(tmp_path):
    for expected in ("index.sqlite.broken-1", "index.sqlite.broken-2"):
        (tmp_path / PATH).write_text(expected)
        (tmp_path / "index.sqlite-wal").write_text("log")
        moved = move_aside(tmp_path / PATH)
        assert moved == Path(tmp_path / expected)
        assert moved.read_text() == expected
        assert (tmp_path / f"{expected}-wal").exists()


def test_the_levels_are_named_as_in_the_identifier():
    assert [str(level) for level in Level] == ["PATIENT", "STUDY", "SERIES", "IMAGE"]
