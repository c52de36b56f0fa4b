"""Retrieving: which identifiers are answered, what they select, and what is given when its turn comes."""

from __future__ import annotations

import re
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mockpacs.archive import Archive, FileMeta, Model, Selected
from mockpacs.archive.index import Level
from mockpacs.archive.instance import CURRENT
from mockpacs.archive.retrieve import BLOCK, SYNTAXES, Wanted, parse, statement
from mockpacs.errors import IdentifierError, StorageError
from mockpacs.wire.dataset import (
    DEFLATED,
    EXPLICIT_BIG,
    EXPLICIT_LITTLE,
    IMPLICIT_LITTLE,
    Encoding,
    encode_element,
)
from tests.archive.asking import identifier
from tests.archive.instances import CT, EXPLICIT, dataset, instance, store, store_one

MR = "1.2.840.10008.5.1.4.1.1.4"
JPEG = "1.2.840.10008.1.2.4.50"
IMPLICIT = "1.2.840.10008.1.2"
ENCODINGS = [IMPLICIT_LITTLE, EXPLICIT_LITTLE, EXPLICIT_BIG, DEFLATED]
LEVEL, PATIENT, STUDY, SERIES, IMAGE = 0x00080052, 0x00100020, 0x0020000D, 0x0020000E, 0x00080018

# SOP Instance UID, patient, study, series; stored in this order, which is not that of any UID.
STORED = [
    ("1.9.5", "P1", "1.1", "1.1.1"),
    ("1.9.3", "P2", "2.1", "2.1.1"),
    ("1.9.4", "P1", "1.1", "1.1.2"),
    ("1.9.1", "P1", "1.2", "1.2.1"),
    ("1.9.2", "P1", "1.1", "1.1.1"),
]


@pytest.fixture
def archive():
    with Archive.open(None) as opened:
        for uid, patient, study, series in STORED:
            store_one(opened, uid, PatientID=patient, StudyInstanceUID=study, SeriesInstanceUID=series)
        yield opened


def asked(
    archive: Archive,
    level: str | None,
    keys: dict[str, Any],
    model: Model | None = Model.PATIENT_ROOT,
    *,
    relational: bool = False,
    encoding: Encoding = EXPLICIT_LITTLE,
) -> Selected:
    return archive.retrieve(identifier(level, keys, encoding), encoding, model, relational=relational)


def uids(selected: Selected) -> list[str]:
    found = [uid for uid, stored in selected if stored is not None and stored.sop_instance == uid]
    assert len(found) == len(selected) == sum(selected.kinds.values())
    return found


# --- what is selected


@pytest.mark.parametrize(
    ("model", "level", "keys", "expected"),
    [
        (Model.PATIENT_ROOT, "PATIENT", {"PatientID": "P1"}, ["1.9.5", "1.9.4", "1.9.1", "1.9.2"]),
        (
            Model.PATIENT_ROOT,
            "STUDY",
            {"PatientID": "P1", "StudyInstanceUID": "1.1"},
            ["1.9.5", "1.9.4", "1.9.2"],
        ),
        (
            Model.PATIENT_ROOT,
            "STUDY",
            {"PatientID": "P1", "StudyInstanceUID": ["1.2", "2.1", "1.1"]},
            ["1.9.5", "1.9.4", "1.9.1", "1.9.2"],
        ),
        (Model.STUDY_ROOT, "STUDY", {"StudyInstanceUID": "1.1"}, ["1.9.5", "1.9.4", "1.9.2"]),
        (Model.STUDY_ROOT, "STUDY", {"StudyInstanceUID": ["2.1", "1.2", "2.1", "7"]}, ["1.9.3", "1.9.1"]),
        (Model.STUDY_ROOT, "SERIES", {"StudyInstanceUID": "1.1", "SeriesInstanceUID": "1.1.1"}, ["1.9.5", "1.9.2"]),
        (
            Model.STUDY_ROOT,
            "SERIES",
            {"StudyInstanceUID": "1.1", "SeriesInstanceUID": ["1.1.2", "1.1.1", "2.1.1"]},
            ["1.9.5", "1.9.4", "1.9.2"],
        ),
        (
            Model.STUDY_ROOT,
            "IMAGE",
            {"StudyInstanceUID": "1.1", "SeriesInstanceUID": "1.1.1", "SOPInstanceUID": ["1.9.2", "1.9.5", "1.9.4"]},
            ["1.9.5", "1.9.2"],
        ),
        (Model.PATIENT_STUDY_ONLY, "STUDY", {"PatientID": "P2", "StudyInstanceUID": "2.1"}, ["1.9.3"]),
        (None, "IMAGE", {"SOPInstanceUID": ["1.9.1", "1.9.2", "1.9.3", "1.9.77"]}, ["1.9.3", "1.9.1", "1.9.2"]),
        (Model.PATIENT_ROOT, "PATIENT", {"PatientID": "p1"}, []),
        (Model.PATIENT_ROOT, "STUDY", {"PatientID": "P2", "StudyInstanceUID": "1.1"}, []),
        (Model.STUDY_ROOT, "SERIES", {"StudyInstanceUID": "1.2", "SeriesInstanceUID": "1.1.1"}, []),
        (Model.STUDY_ROOT, "STUDY", {"StudyInstanceUID": "1"}, []),
    ],
)
def test_the_keys_of_an_identifier_select_together_in_the_order_of_storing(archive, model, level, keys, expected):
    assert uids(asked(archive, level, keys, model)) == expected


@pytest.mark.parametrize(
    ("level", "keys", "expected"),
    [
        ("SERIES", {"SeriesInstanceUID": ["1.1.1", "2.1.1"]}, ["1.9.5", "1.9.3", "1.9.2"]),
        ("IMAGE", {"SOPInstanceUID": ["1.9.1", "1.9.3"]}, ["1.9.3", "1.9.1"]),
        ("IMAGE", {"PatientID": "P1", "SOPInstanceUID": ["1.9.1", "1.9.3"]}, ["1.9.1"]),
        ("IMAGE", {"StudyInstanceUID": ["1.2", "2.1"], "SOPInstanceUID": ["1.9.1", "1.9.4"]}, ["1.9.1"]),
        ("STUDY", {"PatientID": "", "StudyInstanceUID": "2.1"}, ["1.9.3"]),
    ],
)  # fmt: skip
def test_relational_keys_may_be_missing_and_those_given_hold_together(archive, level, keys, expected):
    assert uids(asked(archive, level, keys, relational=True)) == expected
    with pytest.raises(IdentifierError):
        asked(archive, level, keys)


@pytest.mark.parametrize("encoding", ENCODINGS, ids=str)
def test_identifiers_are_read_in_every_encoding(archive, encoding):
    keys = {"StudyInstanceUID": "1.1", "SeriesInstanceUID": ["1.1.1", "1.1.2"]}
    selected = asked(archive, "SERIES", keys, Model.STUDY_ROOT, encoding=encoding)
    assert uids(selected) == ["1.9.5", "1.9.4", "1.9.2"]


def test_a_patient_id_is_read_in_the_character_set_of_the_identifier(archive):
    name = "\u0418\u0432\u0430\u043d"
    stored = {"SpecificCharacterSet": b"ISO_IR 192", "PatientID": name.encode()}
    store_one(archive, "1.9.9", StudyInstanceUID="9", SeriesInstanceUID="9.1", **stored)
    keys = {"SpecificCharacterSet": "ISO_IR 144", "PatientID": name}
    assert uids(asked(archive, "PATIENT", keys)) == ["1.9.9"]


def test_what_is_no_key_of_a_retrieve_is_ignored(archive):
    others = {
        "PatientID": "somebody else",  # no unique key of Study Root
        "PatientName": "*",
        "StudyDate": [f"2020010{day}" for day in range(1, 9)] * 20,
        "RequestAttributesSequence": [{"RequestedProcedureID": "1"}, {"RequestedProcedureID": "2"}],
        "SeriesInstanceUID": "",
        "SOPInstanceUID": "*",
    }
    assert uids(asked(archive, "STUDY", {"StudyInstanceUID": "1.2", **others}, Model.STUDY_ROOT)) == ["1.9.1"]


def test_40_000_uids_in_one_key_are_looked_up(archive):
    many = [f"1.8.{number}" for number in range(40_000)]
    many[100], many[39_000] = "1.9.1", "1.9.3"
    selected = asked(archive, "IMAGE", {"SOPInstanceUID": many}, None, encoding=IMPLICIT_LITTLE)
    assert uids(selected) == ["1.9.3", "1.9.1"]


# --- what is refused


@pytest.mark.parametrize(
    ("model", "level", "keys", "offending", "sentence"),
    [
        (Model.STUDY_ROOT, None, {"StudyInstanceUID": "1"}, LEVEL, "Level is missing: one of STUDY, SERIES, IMAGE"),
        (Model.STUDY_ROOT, "PATIENT", {"PatientID": "P1"}, LEVEL, "PATIENT is not one of STUDY, SERIES, IMAGE"),
        (Model.PATIENT_STUDY_ONLY, "SERIES", {}, LEVEL, "SERIES is not one of PATIENT, STUDY"),
        (Model.STUDY_ROOT, "FRAME", {"SOPInstanceUID": "1"}, LEVEL, "FRAME is not one of"),
        (None, "STUDY", {"StudyInstanceUID": "1"}, LEVEL, "STUDY is not one of IMAGE"),
        (None, "FRAME", {"SOPInstanceUID": "1"}, LEVEL, "FRAME is not one of IMAGE"),  # Annex Z knows none
        (Model.STUDY_ROOT, "STUDY", {}, STUDY, "StudyInstanceUID must have a value at level STUDY"),
        (Model.STUDY_ROOT, "STUDY", {"StudyInstanceUID": ""}, STUDY, "must have a value"),
        (Model.STUDY_ROOT, "STUDY", {"StudyInstanceUID": ["1.1", "1.*"]}, STUDY, "has a wild card"),
        (Model.STUDY_ROOT, "STUDY", {"StudyInstanceUID": "*"}, STUDY, "has a wild card"),
        (Model.STUDY_ROOT, "SERIES", {"SeriesInstanceUID": "1"}, STUDY, "a single value at level SERIES"),
        (Model.STUDY_ROOT, "SERIES", {"StudyInstanceUID": "1.1"}, SERIES, "must have a value at level SERIES"),
        (
            Model.STUDY_ROOT,
            "SERIES",
            {"StudyInstanceUID": ["1.1", "1.2"], "SeriesInstanceUID": "1.1.1"},
            STUDY,
            "a single value at level SERIES",
        ),
        (Model.STUDY_ROOT, "IMAGE", {"StudyInstanceUID": "1", "SOPInstanceUID": "1"}, SERIES, "a single value"),
        (Model.PATIENT_ROOT, "PATIENT", {}, PATIENT, "PatientID must have a single value"),
        (Model.PATIENT_ROOT, "PATIENT", {"PatientID": ["P1", "P2"]}, PATIENT, "a single value at level PATIENT"),
        (Model.PATIENT_ROOT, "PATIENT", {"PatientID": "P?"}, PATIENT, "has a wild card"),
        (Model.PATIENT_ROOT, "STUDY", {"StudyInstanceUID": "1.1"}, PATIENT, "PatientID must have a single value"),
        (
            Model.STUDY_ROOT,
            "STUDY",
            {"StudyInstanceUID": "1.1", "SeriesInstanceUID": "1.1.1"},
            SERIES,
            "SeriesInstanceUID names something below level STUDY",
        ),
        (Model.PATIENT_STUDY_ONLY, "PATIENT", {"PatientID": "P1", "SOPInstanceUID": "1"}, IMAGE, "below level PATIENT"),
        (None, "IMAGE", {}, IMAGE, "SOPInstanceUID must have a value at level IMAGE"),
    ],
)
def test_what_breaks_the_rules_is_refused_with_its_element(archive, model, level, keys, offending, sentence):
    with pytest.raises(IdentifierError, match=sentence) as refused:
        asked(archive, level, keys, model)
    assert (refused.value.status, refused.value.offending) == (0xA900, (offending,))
    assert len(str(refused.value)) <= 64, "an Error Comment has no more"


@pytest.mark.parametrize(
    ("keys", "offending"),
    [
        ({"PatientID": ["P1", "P2"], "StudyInstanceUID": "1.1"}, PATIENT),
        ({"PatientID": "P1"}, STUDY),
        ({"PatientID": "P*", "StudyInstanceUID": "1.1"}, PATIENT),
        ({"StudyInstanceUID": "1.1", "SOPInstanceUID": "1.9.1"}, IMAGE),
    ],
)
def test_a_relational_retrieve_has_rules_too(archive, keys, offending):
    with pytest.raises(IdentifierError) as refused:
        asked(archive, "STUDY", keys, relational=True)
    assert (refused.value.status, refused.value.offending) == (0xA900, (offending,))


SIMPLE, CALCULATED, TIMES = 0x00081161, 0x00081162, 0x00081163


@pytest.mark.parametrize(
    ("level", "keys", "offending", "sentence"),
    [
        ("FRAME", {"SimpleFrameList": [1]}, (LEVEL,), "Frames are not extracted"),
        ("IMAGE", {"SimpleFrameList": [1, 2]}, (SIMPLE,), "SimpleFrameList asks for frames"),
        ("IMAGE", {"CalculatedFrameList": [1, 9, 2]}, (CALCULATED,), "CalculatedFrameList asks for frames"),
        ("IMAGE", {"TimeRange": [0.5, 2.5]}, (TIMES,), "TimeRange asks for frames"),
        ("IMAGE", {"SimpleFrameList": None, "TimeRange": [0.5, 2.5]}, (TIMES,), "TimeRange asks for frames"),
        ("IMAGE", {"TimeRange": [0.5, 2.5], "SimpleFrameList": [1]}, (SIMPLE, TIMES), "SimpleFrameList asks"),
    ],
)
@pytest.mark.parametrize("encoding", ENCODINGS, ids=str)
def test_frames_are_not_extracted(archive, encoding, level, keys, offending, sentence):
    data = identifier(level, {"SOPInstanceUID": "1.9.1", **keys}, encoding)
    with pytest.raises(IdentifierError, match=sentence) as refused:
        archive.retrieve(data, encoding, None, relational=False, frames=True)
    assert (refused.value.status, refused.value.offending) == (0xAA02, offending)
    assert len(str(refused.value)) <= 64, "an Error Comment has no more"


def test_empty_keys_of_frames_ask_for_nothing(archive):
    keys = {"SOPInstanceUID": "1.9.1", "SimpleFrameList": None, "CalculatedFrameList": None, "TimeRange": None}
    data = identifier("IMAGE", keys)
    assert uids(archive.retrieve(data, EXPLICIT_LITTLE, None, relational=False, frames=True)) == ["1.9.1"]


@pytest.mark.parametrize("model", [Model.STUDY_ROOT, None])
def test_other_models_do_not_know_the_keys_of_frames(archive, model):
    keys = {"StudyInstanceUID": "1.2", "SeriesInstanceUID": "1.2.1", "SOPInstanceUID": "1.9.1", "SimpleFrameList": [1]}
    assert uids(asked(archive, "IMAGE", keys, model)) == ["1.9.1"]


def test_unreadable_bytes_are_refused(archive):
    whole = identifier("STUDY", {"StudyInstanceUID": "1.1"})
    for data in (whole[:-1], b"GET / HTTP/1.1\r\n\r\n"):
        with pytest.raises(IdentifierError, match="unreadable") as refused:
            archive.retrieve(data, EXPLICIT_LITTLE, Model.STUDY_ROOT, relational=False)
        assert refused.value.status == 0xC000


KEY = st.builds(
    lambda tag, value: encode_element(tag, "UI", value, EXPLICIT_LITTLE),
    st.sampled_from([PATIENT, STUDY, SERIES, IMAGE, SIMPLE]),
    st.binary(max_size=40),
)


@settings(max_examples=300, deadline=None)
@given(
    st.binary(max_size=60) | st.lists(KEY, max_size=4).map(b"".join),
    st.sampled_from(["PATIENT", "STUDY", "SERIES", "IMAGE", ""]),
    st.sampled_from([*Model, None]),
    st.booleans(),
    st.booleans(),
)
def test_no_bytes_make_it_raise_anything_else(data, level, model, relational, frames):
    data = encode_element(LEVEL, "CS", level.encode(), EXPLICIT_LITTLE) + data
    with suppress(IdentifierError), Archive.open(None) as empty:
        assert not list(empty.retrieve(data, EXPLICIT_LITTLE, model, relational=relational, frames=frames))


# --- what is given when its turn comes


def stored_as(uid: str, sop_class: str, syntax: str) -> tuple[FileMeta, bytes]:
    return FileMeta(sop_class, uid, syntax, "SENDER"), dataset(SOPInstanceUID=uid, SOPClassUID=sop_class)


def test_the_kinds_are_counted_by_class_and_syntax_as_stored(archive):
    store(archive, stored_as("1.7.1", MR, EXPLICIT), stored_as("1.7.2", CT, JPEG), stored_as("1.7.3", CT, JPEG))
    selected = asked(archive, "PATIENT", {"PatientID": "P1"})
    assert selected.kinds == {(CT, EXPLICIT): 4, (MR, EXPLICIT): 1, (CT, JPEG): 2}
    assert len(selected) == 7


def test_it_can_be_iterated_more_than_once_and_its_bytes_are_those_received(archive):
    selected = asked(archive, "STUDY", {"StudyInstanceUID": "2.1"}, Model.STUDY_ROOT)
    assert uids(selected) == uids(selected) == ["1.9.3"]
    ((_, stored),) = selected
    assert stored is not None
    assert stored.read() == instance("1.9.3", PatientID="P2", StudyInstanceUID="2.1", SeriesInstanceUID="2.1.1")[1]


def many(archive: Archive, count: int) -> Selected:
    store(
        archive, *(instance(f"1.6.{number}", StudyInstanceUID="6", SeriesInstanceUID="6.1") for number in range(count))
    )
    return asked(archive, "STUDY", {"StudyInstanceUID": "6"}, Model.STUDY_ROOT)


def test_what_was_deleted_since_is_told_and_what_came_since_is_not_given(archive):
    selected = many(archive, 2 * BLOCK + 1)
    giving = iter(selected)
    assert next(giving)[0] == "1.6.0"
    archive.delete(sop_instance=f"1.6.{2 * BLOCK}")
    store_one(archive, "1.6.1000", StudyInstanceUID="6", SeriesInstanceUID="6.1")
    rest = list(giving)
    assert [uid for uid, _ in rest] == [f"1.6.{number}" for number in range(1, 2 * BLOCK + 1)]
    assert [uid for uid, stored in rest if stored is None] == [f"1.6.{2 * BLOCK}"]
    assert len(selected) == 2 * BLOCK + 1


def test_what_was_deleted_and_stored_again_is_given_as_it_is_now(archive):
    selected = asked(archive, "IMAGE", {"SOPInstanceUID": ["1.9.1", "1.9.2"]}, None)
    archive.delete(sop_instance="1.9.1")
    again = instance("1.9.1", PatientComments="again")
    store(archive, again)
    assert [(uid, stored and stored.patient) for uid, stored in selected] == [("1.9.1", "P1"), ("1.9.2", "P1")]
    (first, _) = [stored for _, stored in selected]
    assert first is not None
    assert first.read() == again[1]


def test_a_file_that_is_gone_is_told_when_it_is_read(tmp_path):
    with Archive.open(tmp_path) as archive:
        store_one(archive, "1.9.1")
        ((_, stored),) = asked(archive, "IMAGE", {"SOPInstanceUID": "1.9.1"}, None)
        assert stored is not None
        blocks = stored.blocks()
        (tmp_path / stored.path).unlink()
        with pytest.raises(StorageError, match="cannot be read"):
            next(blocks)


def test_every_next_may_be_asked_for_by_another_thread_and_nothing_is_held_between(tmp_path):
    with Archive.open(tmp_path) as archive:
        giving = iter(many(archive, BLOCK + 10))
        found = []
        for _ in range(BLOCK + 10):
            with ThreadPoolExecutor(1) as thread:
                found.append(thread.submit(next, giving).result()[0])
            store_one(archive, "1.5.1", PatientComments=str(len(found)))
            with closing(sqlite3.connect(tmp_path / "index.sqlite")) as other:
                (busy, *_) = other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            assert not busy, "a snapshot is held"
        assert found == [f"1.6.{number}" for number in range(BLOCK + 10)]
        assert next(giving, None) is None


def test_an_index_that_cannot_be_read_is_a_storage_error(tmp_path: Path):
    with Archive.open(tmp_path) as archive:
        store_one(archive, "1.9.1")
        selected = asked(archive, "IMAGE", {"SOPInstanceUID": "1.9.1"}, None)
    (tmp_path / "index.sqlite").unlink()
    for read in (
        lambda: archive.syntaxes_of(CT),
        lambda: asked(archive, "IMAGE", {"SOPInstanceUID": "1.9.1"}, None),
    ):
        with pytest.raises(StorageError, match="The index cannot be read"):
            read()
    ((uid, problem),) = selected
    assert (uid, type(problem)) == ("1.9.1", StorageError)
    assert str(problem).startswith("The index cannot be read")


def test_what_an_index_that_breaks_down_does_not_tell_is_named_all_the_same(archive):
    selected = many(archive, 3 * BLOCK)
    giving = iter(selected)
    given = [next(giving) for _ in range(BLOCK + 1)]
    archive.index.connection.execute("ALTER TABLE study RENAME TO hidden")
    given += [next(giving) for _ in range(BLOCK)]
    archive.index.connection.execute("ALTER TABLE hidden RENAME TO study")
    given += giving
    assert [uid for uid, _ in given] == [f"1.6.{number}" for number in range(3 * BLOCK)]
    assert [isinstance(found, StorageError) for _, found in given] == [False] * 2 * BLOCK + [True] * BLOCK


# --- how the index is read


def plan(archive: Archive, text: str, parameters: Any) -> list[str]:
    return [row[3] for row in archive.index.rows(f"EXPLAIN QUERY PLAN {text}", parameters)]


TWO = ["1", "2"]


@pytest.mark.parametrize(
    ("wanted", "steps"),
    [
        (
            Wanted(Level.PATIENT, {Level.PATIENT: ["P"]}),
            "patient:patient_id study:patient series:study instance:series",
        ),
        (Wanted(Level.STUDY, {Level.STUDY: TWO}), "study:study_instance_uid series:study instance:series"),
        (
            Wanted(Level.STUDY, {Level.PATIENT: ["P"], Level.STUDY: TWO}),
            "study:study_instance_uid patient:rowid series:study instance:series",
        ),
        (Wanted(Level.SERIES, {Level.SERIES: TWO}), "series:series_instance_uid instance:series"),
        (
            Wanted(Level.SERIES, {Level.STUDY: ["1"], Level.SERIES: ["2"]}),
            "series:series_instance_uid study:rowid instance:series",
        ),
        (Wanted(Level.IMAGE, {Level.IMAGE: TWO}), "instance:sop_instance_uid"),
        (
            Wanted(Level.IMAGE, {Level.STUDY: TWO, Level.SERIES: TWO, Level.IMAGE: TWO}),
            "instance:sop_instance_uid series:rowid study:rowid",
        ),
    ],
)
def test_what_is_wanted_is_looked_up_from_its_level_on(archive, wanted, steps):
    details = plan(archive, *statement(wanted))
    found = [re.match(r"SEARCH (\w+) USING .*\((\w+)=\?", detail) for detail in details if "json_each" not in detail]
    assert " ".join(f"{match[1]}:{match[2]}" for match in found if match) == steps
    assert not [detail for detail in details if detail.startswith("SCAN") and "json_each" not in detail]


def test_a_block_is_looked_up_by_its_uids(archive):
    details = plan(archive, CURRENT, ('["1.9.1", "1.9.2"]',))
    assert "SEARCH instance USING INDEX instance_sop_instance_uid" in details[0]


# --- transfer syntaxes of a class


def test_the_syntaxes_of_a_class_come_most_frequent_first(archive):
    assert archive.syntaxes_of(MR) == []
    store(archive, stored_as("1.7.1", MR, EXPLICIT), stored_as("1.7.2", MR, JPEG), stored_as("1.7.3", MR, JPEG))
    assert archive.syntaxes_of(MR) == [JPEG, EXPLICIT]
    assert archive.syntaxes_of(CT) == [EXPLICIT]


def test_only_the_latest_instances_of_a_class_count(archive):
    store(archive, *(stored_as(f"1.7.{number}", MR, IMPLICIT) for number in range(120)))
    store(archive, *(stored_as(f"1.8.{number}", MR, JPEG) for number in range(60)))
    assert archive.syntaxes_of(MR) == [JPEG, IMPLICIT]
    store(archive, *(stored_as(f"1.9.{number}", MR, JPEG) for number in range(100, 140)))
    assert archive.syntaxes_of(MR) == [JPEG]


def test_the_latest_instances_of_a_class_are_found_without_sorting(archive):
    (detail,) = plan(archive, SYNTAXES, (CT,))
    assert "USING INDEX instance_sop_class_uid (" in detail


def test_the_identifier_is_read_once_and_for_all():
    asking = identifier("IMAGE", {"SOPInstanceUID": ["2", "1", "2", ""]})
    assert parse(asking, EXPLICIT_LITTLE, None, relational=False) == Wanted(Level.IMAGE, {Level.IMAGE: ["2", "1"]})
