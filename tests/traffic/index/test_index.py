"""The index of a recording: it gives what the filter itself would find, and is thrown away when it does not fit."""

from __future__ import annotations

import os
import signal
import sqlite3
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mockpacs.errors import RecordingError
from mockpacs.traffic.exchange import Answer, Association, Exchange, Notice, Place, Record
from mockpacs.traffic.filter import Filter, select
from mockpacs.traffic.index import file as index_file
from mockpacs.traffic.index import identity as index_identity
from mockpacs.traffic.index.identity import WORTH_INDEXING, index_path, is_worth_indexing
from mockpacs.traffic.index.index import Index
from mockpacs.traffic.index.runs import INDEXED, LONGEST
from mockpacs.wire import AcceptedContext, Command, CommandField, Tag

Attributes = Mapping[int, Sequence[str]]
Entry = tuple[Record, Attributes]

CT = "1.2.840.10008.5.1.4.1.1.2"
NOON = time.mktime((2025, 3, 31, 12, 0, 0, 0, 0, -1))
PATIENT_ID, NAME, SERIES_NUMBER, COMMENTS, PIXEL_SPACING = 0x00100020, 0x00100010, 0x00200011, 0x00104000, 0x00280030
PEERS = [
    Association(1, "10.0.0.7:50000", "CT1", "MOCKPACS", "jane", secure=True),
    Association(2, "10.0.0.8:50001", "MR'\";--", "MOCKPACS"),
    Association(3, "[::1]:50002"),
]
STORE = Exchange(
    PEERS[0],
    1,
    "C-STORE",
    0,
    "CT 1.2.3  524 kB",
    "",
    NOON,
    0.05,
    size=524_000,
    answers=(Answer(0, 1, 0.05, 0.05),),
    command=Command({0: 100, 2: CT, 0x100: 1, 0x110: 7, 0x800: 1, 0x1000: "1.2.3"}),
    context=AcceptedContext(1, CT, "1.2.840.10008.1.2.1"),
)


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / "a recording?#%.pcapng"
    path.write_bytes(b"\x0a\x0d\x0d\x0a" * 100)
    return path


def entries(*records: Record, attributes: Attributes | None = None) -> list[Entry]:
    return [(record, attributes or {}) for record in records]


def found(index: Index, text: str) -> list[Record]:
    return list(index.select(Filter.parse(text)))


def names(recording: Path) -> list[str]:
    """What lies in the folder."""
    return sorted(path.name for path in recording.parent.iterdir())


def no_data(exchange: Exchange, tag: int) -> Sequence[str] | None:
    raise AssertionError("the index has what is needed")


EXCHANGES = {
    "a usual one": STORE,
    "a leg": replace(STORE, association=replace(PEERS[0], by_us=True, cause="3.1"), asked_by_us=True, cause="3.1"),
    "asked by us for nothing": replace(STORE, asked_by_us=True),
    "a retrieve": replace(STORE, service="C-MOVE", counts=(10, 0, 2)),
    "no answer": replace(STORE, status=None, answers=()),
    "many answers": replace(STORE, answers=(Answer(0xFF00, 3, 0.1, 0.2), Answer(0, 1, 1 / 3, 1 / 3))),
    "one answer of its own time": replace(STORE, answers=(Answer(0, 1, 0.01, 0.01),)),
    "one answer of another status": replace(STORE, answers=(Answer(0xFF00, 1, 0.05, 0.05),)),
    "nothing known": Exchange(PEERS[2], 9, "N-ACTION", 0x0110, "", "", NOON, 0.0),
    "no group length": replace(STORE, command=Command({0x100: 1, 0x110: 8, 0x1000: "1.2.3"})),
    "made by hand": replace(STORE, command=Command({Tag.COMMAND_FIELD: CommandField.C_ECHO_RQ, Tag.MESSAGE_ID: 3})),
    "no message id": replace(STORE, command=Command({0x100: 1})),
    "misfits": replace(STORE, command=Command({0x110: b"\1\2\3", 0x901: (1, 2), 0x1000: b"", 0x9999: b"\xff"})),
    "requested instance": replace(STORE, command=Command({0x110: 1, 0x1001: "1.2.9", 3: CT})),
    "both instances": replace(STORE, command=Command({0x110: 1, 0x1000: "", 0x1001: "1.2.9"})),
    "no context": replace(STORE, context=None),
    "text of a peer": replace(STORE, subject="\0'\";--\x1b\u202e\U0001f9b4", comment="%_*", rule="\\", fault="\n"),
    "numbers": replace(STORE, number=2**31, status=0xFFFF, size=2**40, started=1 / 3, seconds=1e-9),
}


@pytest.mark.parametrize("exchange", EXCHANGES.values(), ids=EXCHANGES.keys())
def test_an_exchange_comes_back_equal(recording: Path, exchange: Exchange) -> None:
    place = Place(recording, 4, 2**40, 2**32 - 1, 0)
    placed = replace(exchange, place=place)
    Index.build(recording, entries(placed)).close()

    index = Index.open(recording)
    assert index is not None
    assert list(index.select(Filter.parse(""), no_data)) == [placed]


@pytest.mark.parametrize(
    "notice",
    [
        Notice(NOON, "trouble", "disk full"),
        Notice(NOON + 0.1, "rejected", "\x1b\0'", PEERS[1]),
        Notice(NOON, "opened", "", PEERS[0], detail=True),
    ],
)
def test_a_notice_comes_back_equal(recording: Path, notice: Notice) -> None:
    assert found(Index.build(recording, entries(notice)), "") == [notice]


def test_what_is_known_of_an_association_may_grow(recording: Path) -> None:
    records: list[Record] = [Notice(NOON, "opened", "", Association(1, "10.0.0.7:50000")), STORE]

    assert found(Index.build(recording, entries(*records)), "") == records


def test_records_come_by_association_and_number_and_notices_where_they_happened(recording: Path) -> None:
    def one(peer: int, number: int) -> Exchange:
        return replace(STORE, association=PEERS[peer - 1], number=number)

    opened, rejected, full = (
        Notice(NOON, "opened", "", PEERS[0]),
        Notice(NOON, "aborted", "", PEERS[0]),
        Notice(NOON, "trouble", "disk full"),
    )
    came = [opened, one(2, 1), one(1, 2), one(1, 1), full, rejected, one(2, 2)]

    assert found(Index.build(recording, entries(*came)), "") == [
        *(full, opened, one(1, 1), one(1, 2), rejected),
        *(one(2, 1), one(2, 2)),
    ]


def test_places_are_in_the_files_of_the_recording_wherever_it_was_moved(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    old.mkdir()
    parts = [old / "a.pcapng", old / "a-2.pcapng"]
    for part in parts:
        part.write_bytes(b"x" * 10)
    across = replace(STORE, place=Place(parts[0], 1, 2, 3, 4, last=parts[1]))
    second = replace(STORE, number=2, place=Place(parts[1], 1, 2, 3, 4))
    Index.build(parts[0], entries(across, second), parts=parts).close()
    old.rename(new)
    moved = [new / part.name for part in parts]

    index = Index.open(moved[0], parts=moved)
    assert index is not None
    places = [record.place for record in index.select(Filter.parse("")) if isinstance(record, Exchange)]
    assert places == [Place(moved[0], 1, 2, 3, 4, last=moved[1]), Place(moved[1], 1, 2, 3, 4)]
    assert Index.open(moved[0]) is None


def test_a_place_in_a_file_of_another_recording_is_a_mistake(recording: Path) -> None:
    stray = replace(STORE, place=Place(Path("/elsewhere/b.pcapng"), 1, 2, 3, 4))

    with pytest.raises(ValueError, match=r"b\.pcapng, which is no file of this recording"):
        Index.build(recording, entries(stray))
    assert names(recording) == [recording.name]


# what it finds

WORLD: list[Entry] = [
    (
        replace(
            STORE,
            association=PEERS[number % 3],
            number=number // 3 + 1,
            service=("C-STORE", "C-FIND", "C-ECHO")[number % 5 % 3],
            status=(0, 0xA700, None, 0xB000)[number % 4],
            started=NOON + number * 3000,
            comment="Out of memory" if number % 4 == 1 else "",
            rule="Full Disk" if number % 7 == 0 else "",
            size=number * 1000,
            answers=(Answer(0xFF00, number, 0.1, 0.2),) if number % 6 == 0 else (),
            command=Command({0x110: number, 2: CT if number % 2 else "1.2", 0x1000: f"1.2.3.{number}"}),
            context=None if number % 9 == 0 else STORE.context,
            asked_by_us=number % 5 == 0,
            cause=f"1.{number % 3}" if number % 10 == 0 else "",
            counts=(number, 0, 1) if number % 11 == 0 else None,
        ),
        {
            PATIENT_ID: (f"P{number // 10}",),
            NAME: ("Doe^John" if number % 2 else "=山田^太郎",),
            SERIES_NUMBER: (str(number // 8),),
            **({COMMENTS: ("long " * number,)} if number % 3 else {}),
            **({PIXEL_SPACING: ("0.5", "0.5")} if number % 2 else {}),
            0x00080008: ("ORIGINAL", "PRIMARY") if number % 4 else (),
        },
    )
    for number in range(60)
] + entries(Notice(NOON, "trouble", "disk full"), Notice(NOON + 9000, "aborted", "gone", PEERS[1]))
ATTRIBUTES = {(record.association, record.number): given for record, given in WORLD if isinstance(record, Exchange)}
TERMS = [
    *("service:C-STORE", "service:store,C-FIND", "status:failed", "status:pending", "status:none", "status:A7xx"),
    *("calling:CT*", 'calling:"MR\'"";--"', "called:*", 'called:""', "user:jane", "secure:yes", "address:10.0.0.7"),
    *("1", "2..", "2.3", "1.5..2.2", "association:<3", "number:>10", "size:>30kB", "duration:50ms", "responses:>5"),
    *("after:18:00", "before:00:30", "after:2025-04-01", "comment:memory", "comment:*", "rule:full*", "subject:524"),
    *("fault:*", "message-id:7..30", "sop-class:CTImageStorage", "sop-class:1.2", "sop-instance:1.2.3.7"),
    *("sop-instance:*7,*8", "syntax:*", 'syntax:""', "server:*", "MoveDestination:*", "message-id:" + "9" * 15),
    *("leg:1.2", "leg:1.0,us", "leg:1", "leg:*", 'leg:""', "leg:9.9", "leg:*.2"),
    *("PatientID:P1", "PatientID:P*", "PatientName:doe^john", "PatientName:山田*", "SeriesNumber:2..4", "size:<9TB"),
    *("PatientComments:long*", 'PatientComments:""', "ImageType:PRIMARY", 'ImageType:""', "PixelSpacing:0.5"),
    *("sop-instance:\udcff", "rule:\udcff", "PatientID:\udcff", "sop-instance:ü,1.2.3.9"),  # what a shell may hand on
    *("PixelSpacing:>1", "Rows:*", 'AccessionNumber:""', "size:999999999999999999TB"),
]


def data(exchange: Exchange, tag: int) -> Sequence[str] | None:
    return ATTRIBUTES[exchange.association, exchange.number].get(tag)


def in_order(records: Iterable[Record]) -> list[Record]:
    def place(record: Record) -> tuple[int, float]:
        return (record.association.number if record.association else 0, getattr(record, "number", 1e9))

    return sorted(records, key=place)


@pytest.fixture(scope="module")
def world() -> Iterator[Index]:
    with tempfile.TemporaryDirectory() as folder:
        recording = Path(folder) / "world.pcapng"
        recording.write_bytes(b"x")
        Index.build(recording, WORLD).close()
        index = Index.open(recording)
        assert index is not None
        yield index
        index.close()


def agrees(index: Index, text: str) -> list[Record]:
    wanted = Filter.parse(text)
    expected = in_order(select([record for record, _ in WORLD], wanted, data))
    assert list(index.select(wanted, data)) == expected
    return expected


@pytest.mark.parametrize("term", TERMS)
def test_the_index_finds_what_the_filter_finds(world: Index, term: str) -> None:
    positive, negative = agrees(world, term), agrees(world, f"-( {term} )")

    assert len([one for one in (*positive, *negative) if isinstance(one, Exchange)]) == 60


FILTERS = st.recursive(
    st.sampled_from(TERMS),
    lambda inner: st.one_of(
        inner.map("-( {} )".format),
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: "( " + " ".join(parts) + " )"),
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: "( " + " or ".join(parts) + " )"),
    ),
    max_leaves=6,
)


@given(FILTERS)
@settings(deadline=None)
def test_the_index_finds_what_any_filter_finds(world: Index, text: str) -> None:
    agrees(world, text)


def test_a_filter_with_more_terms_than_sql_bears_is_answered_too(world: Index) -> None:
    agrees(world, " or ".join(f"number:{number}" for number in range(3, 1200)))


def test_a_time_of_day_is_meant_on_the_day_of_the_first_record(world: Index) -> None:
    assert len(agrees(world, "after:23:59")) > 30


def test_two_questions_may_be_asked_at_the_same_time(world: Index) -> None:
    one, other = world.select(Filter.parse("subject:c*")), world.select(Filter.parse("subject:x*"))

    assert next(one) is not None
    assert list(other) == []
    assert len(list(one)) == 59


def test_the_data_set_is_read_only_where_all_else_is_met_and_the_index_cannot_tell(world: Index) -> None:
    asked: list[tuple[str, int]] = []

    def reading(exchange: Exchange, tag: int) -> Sequence[str] | None:
        asked.append((exchange.id, tag))
        return data(exchange, tag)

    list(world.select(Filter.parse("PatientID:P1 -SeriesNumber:2"), reading))
    assert asked == []
    list(world.select(Filter.parse("PixelSpacing:0.5 message-id:7,8 service:C-*"), reading))
    assert sorted(tag for _, tag in asked) == [PIXEL_SPACING, PIXEL_SPACING]
    asked.clear()
    list(world.select(Filter.parse("PatientComments:*long message-id:50"), reading))
    assert [tag for _, tag in asked] == [COMMENTS]
    assert len("long " * 50) > LONGEST


TEXTS = st.one_of(
    st.text(max_size=8), st.sampled_from(["", "a", "a\\b", "\\", "x" * (LONGEST + 1), "x" * LONGEST, "A"])
)
VALUES = st.dictionaries(
    st.sampled_from([PATIENT_ID, COMMENTS, NAME, SERIES_NUMBER, PIXEL_SPACING]), st.lists(TEXTS, max_size=3), max_size=4
)
ASKED = ["PatientID:a", "PatientComments:a*", 'PatientID:""', "PatientName:*a", "SeriesNumber:1..9", "PatientID:x*"]


@given(
    st.lists(st.tuples(st.integers(1, 3), st.integers(0, 4), TEXTS, VALUES), max_size=12),
    st.lists(st.tuples(st.booleans(), st.sampled_from(ASKED)), min_size=1, max_size=3),
)
@settings(deadline=None, max_examples=60)
def test_attributes_are_found_as_in_the_data_sets(
    made: list[tuple[int, int, str, dict[int, list[str]]]], asked: list[tuple[bool, str]]
) -> None:
    kept: dict[str, dict[int, list[str]]] = {}
    world: list[Entry] = []
    for at, (peer, number, subject, values) in enumerate(made):  # numbers may repeat: a recording may say anything
        one = replace(STORE, association=PEERS[peer - 1], number=number, subject=subject, fault=str(at))
        kept[one.fault] = values
        world.append((one, values))

    def reading(exchange: Exchange, tag: int) -> Sequence[str] | None:
        return kept[exchange.fault].get(tag)

    wanted = Filter.parse([("-" if negated else "") + term for negated, term in asked])
    with tempfile.TemporaryDirectory() as folder:
        recording = Path(folder) / "some.pcapng"
        recording.write_bytes(b"x")
        index = Index.build(recording, world)
        assert list(index.select(wanted, reading)) == in_order(select([one for one, _ in world], wanted, reading))
        index.close()


def test_more_associations_may_be_open_than_are_remembered(recording: Path) -> None:
    made: list[Entry] = [
        (replace(STORE, association=Association(peer, "a:1"), number=number), {PATIENT_ID: (f"P{peer}",)})
        for number in range(1, 4)
        for peer in range(1, 400)
    ]
    index = Index.build(recording, made)

    for peer in (1, 200, 399):
        ids = [one.id for one in index.select(Filter.parse(f"PatientID:P{peer}"), no_data) if isinstance(one, Exchange)]
        assert ids == [f"{peer}.1", f"{peer}.2", f"{peer}.3"]


def test_what_is_in_the_recording_is_counted(world: Index) -> None:
    counts = world.counts()
    exchanges = [record for record, _ in WORLD if isinstance(record, Exchange)]

    assert (counts.associations, counts.exchanges, counts.notices) == (3, 60, 2)
    assert counts.by_service == {name: sum(one.service == name for one in exchanges) for name in counts.by_service}
    assert counts.by_category == {name: sum(one.category == name for one in exchanges) for name in counts.by_category}
    assert sum(counts.by_category.values()) == sum(counts.by_service.values()) == 60
    assert counts.bytes == sum(one.size for one in exchanges)
    assert counts.first == NOON


def test_an_empty_recording_has_an_index(recording: Path) -> None:
    Index.build(recording, []).close()
    index = Index.open(recording)

    assert index is not None
    assert found(index, "after:12:00") == []
    assert index.counts().first is None


def test_only_usual_attributes_that_have_values_are_indexed() -> None:
    assert PATIENT_ID in INDEXED
    assert 0x00400275 not in INDEXED  # a sequence
    assert PIXEL_SPACING not in INDEXED


# when it fits, and how it comes to be


def _append(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"more")


def _touch(path: Path) -> None:
    os.utime(path, ns=(1, 1))


def _rewrite_head(path: Path) -> None:
    status = path.stat()
    path.write_bytes(b"y" + path.read_bytes()[1:])
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


@pytest.mark.parametrize("change", [_append, _touch, _rewrite_head])
def test_an_index_of_another_recording_is_none(recording: Path, change: object) -> None:
    assert callable(change)
    Index.build(recording, entries(STORE)).close()
    change(recording)

    assert Index.open(recording) is None
    assert found(Index.of(recording, lambda: entries(STORE)), "") == [STORE]
    assert Index.open(recording) is not None


def _sql(text: str) -> object:
    def change(path: Path) -> None:
        with sqlite3.connect(path) as connection:
            connection.executescript(text)
        connection.close()

    return change


@pytest.mark.parametrize(
    "change",
    [
        Path.unlink,
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(b"no database at all" * 1000),
        lambda path: path.write_bytes(path.read_bytes()[:-4096]),
        lambda path: path.write_bytes(path.read_bytes()[:5000]),
        _sql("PRAGMA user_version = 999"),
        _sql("PRAGMA application_id = 1"),
        _sql("DELETE FROM recording"),
        _sql("DROP TABLE recording"),
        _sql("UPDATE recording SET counts = 'nonsense'"),
        _sql("UPDATE recording SET counts = '[1]'"),
        _sql("UPDATE recording SET counts = '{\"a\": 1}'"),
    ],
)
def test_an_index_that_is_damaged_or_of_another_version_is_none(recording: Path, change: object) -> None:
    assert callable(change)
    Index.build(recording, entries(STORE)).close()
    change(index_path(recording))

    assert Index.open(recording) is None
    assert found(Index.of(recording, lambda: entries(STORE)), "") == [STORE]


def test_an_index_that_turns_out_to_be_damaged_is_removed(recording: Path) -> None:
    Index.build(recording, WORLD).close()
    path = index_path(recording)
    whole = path.read_bytes()
    path.write_bytes(whole[: 4096 * 3] + b"\xff" * (len(whole) - 4096 * 3))
    index = Index.open(recording)
    assert index is not None

    with pytest.raises(RecordingError, match="damaged"):
        found(index, "service:C-STORE subject:CT*")
    assert not path.exists()


def test_without_the_recording_there_is_no_index(recording: Path) -> None:
    Index.build(recording, entries(STORE)).close()
    recording.unlink()

    with pytest.raises(FileNotFoundError):
        Index.open(recording)


def test_an_index_is_only_for_its_owner_to_read(recording: Path) -> None:
    Index.build(recording, entries(STORE)).close()

    assert stat.S_IMODE(index_path(recording).stat().st_mode) == 0o600
    assert names(recording) == [recording.name, recording.name + ".db"]


def test_an_index_that_fits_is_not_built_again(recording: Path) -> None:
    Index.build(recording, entries(STORE)).close()

    def read() -> Iterable[Entry]:
        raise AssertionError("the recording need not be read")

    assert found(Index.of(recording, read), "") == [STORE]


def test_a_build_that_fails_leaves_nothing(recording: Path) -> None:
    def failing() -> Iterator[Entry]:
        yield from entries(STORE)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Index.build(recording, failing())
    assert names(recording) == [recording.name]


KILLED = """
import sys
from pathlib import Path
from tests.traffic.index.test_index import STORE
from mockpacs.traffic.index.index import Index
from dataclasses import replace
def records():
    for number in range(1, 10_000):
        yield replace(STORE, number=number), {}
    print("under way", flush=True)
    sys.stdin.read()
Index.build(Path(sys.argv[1]), records())
"""


@pytest.mark.skipif(os.name != "posix", reason="kills with a signal")
def test_a_build_that_is_killed_leaves_nothing_that_is_taken_for_an_index(recording: Path) -> None:
    root = Path(__file__).parents[3]
    command = [sys.executable, "-c", KILLED, str(recording)]
    with subprocess.Popen(command, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"under way\n"
        process.send_signal(signal.SIGKILL)
        process.wait()
    left = [name for name in names(recording) if name != recording.name]

    assert len(left) == 1
    assert Index.open(recording) is None
    Index.build(recording, entries(STORE)).close()
    assert names(recording) == [recording.name, recording.name + ".db"]


def test_leftovers_of_others_are_let_be(recording: Path) -> None:
    others = [f".{recording.name}.db-{pid}-x.tmp" for pid in (os.getpid(), os.getppid())]
    others += [".other.pcapng.db-1-x.tmp", f".{recording.name}.db-x"]
    for name in others:
        (recording.parent / name).touch()
    Index.build(recording, entries(STORE)).close()

    assert set(others) < set(names(recording))


def test_two_may_build_the_same_index_at_once(recording: Path) -> None:
    inner: list[Index] = []

    def slow() -> Iterator[Entry]:
        yield from entries(STORE)
        inner.append(Index.build(recording, entries(STORE)))
        assert found(inner[0], "2.1 or 1") == [STORE]

    outer = Index.build(recording, slow())
    opened = Index.open(recording)

    assert opened is not None
    assert [found(index, "") for index in (inner[0], outer, opened)] == [[STORE]] * 3
    assert names(recording) == [recording.name, recording.name + ".db"]


def test_an_open_index_survives_its_successor(recording: Path) -> None:
    index = Index.build(recording, WORLD)
    Index.build(recording, entries(STORE)).close()

    assert len(found(index, "")) == len(WORLD)


def test_what_is_appended_while_it_is_built_makes_it_another_recording(recording: Path) -> None:
    def growing() -> Iterator[Entry]:
        yield from entries(STORE)
        _append(recording)

    Index.build(recording, growing()).close()

    assert Index.open(recording) is None


def test_where_the_folder_cannot_be_written_the_index_is_in_memory(
    recording: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: object) -> object:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(index_file.tempfile, "mkstemp", refuse)
    index = Index.of(recording, lambda: WORLD)

    assert len(agrees(index, "service:C-STORE or PatientID:P2")) > 10
    assert names(recording) == [recording.name]


def test_when_the_disk_is_full_the_index_is_in_memory(recording: Path) -> None:
    readings: list[int] = []

    def read() -> Iterator[Entry]:
        readings.append(1)
        yield from entries(STORE)
        if len(readings) == 1:
            raise sqlite3.OperationalError("database or disk is full")

    assert found(Index.of(recording, read), "") == [STORE]
    assert names(recording) == [recording.name]


def test_progress_is_told_up_to_the_end(recording: Path) -> None:
    told: list[int] = []
    Index.build(recording, [(replace(STORE, number=number), {}) for number in range(1, 5000)], told.append)

    assert told[-1] == 4999
    assert told == sorted(set(told))
    assert len(told) > 2


def test_reading_needs_no_peewee(recording: Path) -> None:
    Index.build(recording, entries(STORE)).close()
    program = (
        "import sys; from pathlib import Path; from mockpacs.traffic.filter import Filter\n"
        "from mockpacs.traffic.index.index import Index\n"
        "index = Index.open(Path(sys.argv[1])); found = list(index.select(Filter.parse('service:C-STORE 1.1')))\n"
        "print(len(found), 'peewee' in sys.modules, 'pydicom' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", program, str(recording)], capture_output=True, text=True, check=True)

    assert ran.stdout.split() == ["1", "False", "False"]


@pytest.mark.parametrize(
    ("sizes", "worth"),
    [((WORTH_INDEXING - 1,), False), ((WORTH_INDEXING,), True), ((WORTH_INDEXING // 2, WORTH_INDEXING // 2), True)],
)
def test_a_recording_that_is_read_at_once_gets_no_index(tmp_path: Path, sizes: tuple[int, ...], worth: bool) -> None:
    parts = [tmp_path / str(number) for number, _ in enumerate(sizes)]
    for part, size in zip(parts, sizes, strict=True):
        with part.open("wb") as file:
            file.truncate(size)

    assert is_worth_indexing(parts) is worth


def test_where_a_process_cannot_be_asked_for_nothing_is_removed(
    recording: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    leftover = recording.parent / f".{recording.name}.db-999999999-x.tmp"
    leftover.touch()
    monkeypatch.setattr(index_identity.os, "name", "nt")
    index_identity.remove_leftovers(index_path(recording))
    assert leftover.exists()

    monkeypatch.undo()
    index_identity.remove_leftovers(index_path(recording))
    assert not leftover.exists()
