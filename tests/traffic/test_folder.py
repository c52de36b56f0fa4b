"""Names of recordings, their order, and what goes when there is too much."""

from __future__ import annotations

import fcntl
import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mockpacs.traffic import folder as folders

MOMENT = time.mktime((2026, 1, 12, 14, 5, 0, 0, 0, -1))
STAMP = "20260112-140500"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "storage" / "recordings"


@pytest.fixture(autouse=True)
def usual_mask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


def make(folder: Path, part: int = 1, stem: str = "", size: int = 0) -> Path:
    """A recording nobody writes any more."""
    path, descriptor = folders.create(folder, MOMENT, part, stem)
    os.write(descriptor, bytes(size))
    os.close(descriptor)
    return path


def test_a_recording_is_named_by_its_begin_and_is_for_its_owner_alone(folder: Path) -> None:
    path = make(folder)

    assert path == folder / f"{STAMP}.pcapng"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_folder_that_is_there_keeps_its_rights(folder: Path) -> None:
    folder.mkdir(parents=True, mode=0o750)
    path = make(folder)

    assert stat.S_IMODE(folder.stat().st_mode) == 0o750
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_no_two_recordings_of_one_second_have_one_name(folder: Path) -> None:
    names = [make(folder).stem for _ in range(30)]

    assert names == [STAMP, *(STAMP + letter for letter in "abcdefghijklmnopqrstuvwxyz"), *_pairs(3)]
    assert [path.stem for path in folders.recordings(folder)] == names


def _pairs(count: int) -> list[str]:
    return [f"{STAMP}a{letter}" for letter in "abc"[:count]]


def test_when_all_names_of_a_second_are_taken_it_says_so(folder: Path) -> None:
    folder.mkdir(parents=True)
    for name in folders._stems(MOMENT):
        (folder / f"{name}.pcapng").touch()

    with pytest.raises(FileExistsError, match="all names of this second"):
        folders.create(folder, MOMENT, 1)


def test_a_later_part_never_takes_the_place_of_a_file(folder: Path) -> None:
    first = make(folder)
    assert make(folder, 2, first.stem) == folder / f"{STAMP}-2.pcapng"

    with pytest.raises(FileExistsError):
        make(folder, 2, first.stem)


IN_ORDER = [
    "20251231-235959.pcapng",
    "20260112-140500.pcapng",
    "20260112-140500-2.pcapng",
    "20260112-140500-10.pcapng",
    "20260112-140500a.pcapng",
    "20260112-140500a-2.pcapng",
    "20260112-140500z.pcapng",
    "20260112-140500aa.pcapng",
    "20260112-140500ab-2.pcapng",
    "20260112-140501.pcapng",
]
NOT_OURS = [
    "20260112-140500.pcapng.db",
    "20260112-140500.pcap",
    "20260112-140500.pcapng.part",
    "x20260112-140500.pcapng",
    "20260112-140500-.pcapng",
    "20260112-140500A.pcapng",
    "2026-01-12.pcapng",
    "precious.pcapng",
    ".pcapng",
]


def test_recordings_are_listed_from_the_oldest_and_nothing_else_is(folder: Path) -> None:
    folder.mkdir(parents=True)
    for name in sorted([*IN_ORDER, *NOT_OURS]):
        (folder / name).touch()

    assert [path.name for path in folders.recordings(folder)] == IN_ORDER


def test_a_folder_that_is_not_there_has_no_recordings(folder: Path) -> None:
    assert folders.recordings(folder) == []
    assert folders.make_room(folder, 0, folder / IN_ORDER[0]) == []


@pytest.mark.parametrize(
    ("name", "stem", "part"),
    [
        ("20260112-140500.pcapng", "20260112-140500", 1),
        ("20260112-140500-2.pcapng", "20260112-140500", 2),
        ("20260112-140500ab-17.pcapng", "20260112-140500ab", 17),
        ("other-2.pcapng", "other-2", 1),
    ],
)
def test_a_name_tells_the_recording_and_the_part(name: str, stem: str, part: int) -> None:
    assert (folders.stem_of(Path(name)), folders.part_of(Path(name))) == (stem, part)


@pytest.mark.parametrize(
    ("most", "left"), [(50, 5), (49, 4), (40, 4), (31, 3), (30, 3), (25, 2), (11, 1), (10, 1), (9, 1), (1, 1)]
)
def test_the_oldest_go_until_the_rest_fits_but_never_the_current(folder: Path, most: int, left: int) -> None:
    paths = [make(folder, size=10) for _ in range(5)]

    assert folders.make_room(folder, most, paths[-1]) == paths[: 5 - left]
    assert folders.recordings(folder) == paths[5 - left :]


def test_the_current_one_is_left_even_when_it_is_the_oldest(folder: Path) -> None:
    paths = [make(folder, size=10) for _ in range(3)]

    assert folders.make_room(folder, 10, paths[0]) == paths[1:]
    assert folders.recordings(folder) == [paths[0]]


def test_what_is_not_ours_is_neither_counted_nor_deleted(folder: Path) -> None:
    old, current = make(folder, size=10), make(folder, size=10)
    for name in NOT_OURS:
        (folder / name).write_bytes(bytes(1000))

    assert folders.make_room(folder, 20, current) == []
    assert folders.make_room(folder, 5, current) == [old]
    gone = {old.name, old.name + ".db"}
    assert {path.name for path in folder.iterdir()} == {current.name, *NOT_OURS} - gone


def test_the_index_of_a_recording_goes_with_it(folder: Path) -> None:
    old, current = make(folder, size=10), make(folder, size=10)
    index, other = old.with_name(old.name + ".db"), current.with_name(current.name + ".db")
    index.touch()
    other.touch()
    folders.make_room(folder, 10, current)

    assert (index.exists(), other.exists()) == (False, True)


def test_what_somebody_writes_is_left_until_he_is_done(folder: Path) -> None:
    path, descriptor = folders.create(folder, MOMENT, 1)
    os.write(descriptor, bytes(10))
    closed, current = make(folder, size=10), make(folder, size=10)

    assert folders.make_room(folder, 10, current) == [closed]
    os.close(descriptor)
    assert folders.make_room(folder, 10, current) == [path]


def test_a_recording_that_is_only_read_may_go(folder: Path) -> None:
    old, current = make(folder, size=10), make(folder, size=10)
    with old.open("rb") as reader:
        fcntl.flock(reader, fcntl.LOCK_SH)
        assert folders.make_room(folder, 10, current) == [old]


def test_a_folder_cannot_be_made_below_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"):
        folders.create(tmp_path / "file" / "recordings", MOMENT, 1)
