"""Reading ahead: the right bytes for each instance, and no file left open; the disk of the test counts both."""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, ClassVar, cast

import pytest

from mockpacs.archive import Archive, StoredInstance
from mockpacs.errors import StorageError
from mockpacs.services.ahead import READ_AT_MOST, Ahead, Turn
from mockpacs.services.conversion import Prepared, prepared
from mockpacs.services.courier import Kind, SubOperation
from tests.archive.instances import store_one
from tests.services.samples import CT, EXPLICIT, IMPLICIT

LARGE = 2 * READ_AT_MOST


class Worn(io.FileIO):
    """A file on a disk with a bad block."""

    def __init__(self, path: str, readable: int) -> None:
        super().__init__(path)
        self._readable = readable

    def read(self, size: int | None = -1) -> bytes:
        if self.tell() > self._readable:
            raise OSError(5, "Input/output error")
        return super().read(size) or b""


class Disk:
    """The files of the archive, watched, and broken where a test says so."""

    def __init__(self, files: Any) -> None:
        self._files = files
        self.opened: list[tuple[str, BinaryIO]] = []
        self.broken = False
        """Nothing more can be opened."""
        self.readable: int | None = None
        """So many bytes of each file opened from now on can be read."""

    def open(self, path: str) -> BinaryIO:
        if self.broken:
            raise OSError(5, "Input/output error")
        file: BinaryIO = self._files.open(path)
        if self.readable is not None:
            file.close()
            file = cast("BinaryIO", Worn(file.name, self.readable))
        self.opened.append((path, file))
        return file

    def is_open(self) -> list[str]:
        return [path for path, file in self.opened if not file.closed]

    def times(self, instance: StoredInstance) -> int:
        return [path for path, _ in self.opened].count(instance.path)


class Kept(StoredInstance):
    """Its readers are kept, so that none is closed by being forgotten."""

    readers: ClassVar[list[Iterator[bytes]]] = []

    def blocks(self, block_size: int = 1 << 18) -> Iterator[bytes]:
        self.readers.append(StoredInstance.blocks(self, block_size))
        return self.readers[-1]


class Study:
    """Instances 1.2.1, 1.2.2 and so on, of different bytes, and their turns."""

    def __init__(self, folder: Path, archive: Archive) -> None:
        self.disk = Disk(archive.files)
        self._folder = folder
        self._archive = archive

    def instance(self, number: int, size: int = 1000) -> StoredInstance:
        store_one(self._archive, f"1.2.{number}", pixels=bytes([number]) * size)
        found = self._archive.instance(f"1.2.{number}")
        assert found is not None
        fields = {field.name: getattr(found, field.name) for field in dataclasses.fields(found)}
        return Kept(**{**fields, "files": self.disk})

    def ahead(self, *found: StoredInstance | StorageError | None) -> Ahead:
        return Ahead(turn(number, len(found), instance) for number, instance in enumerate(found, 1))

    def cut(self, instance: StoredInstance) -> None:
        path = self._folder / instance.path
        path.write_bytes(path.read_bytes()[:-1])


def turn(number: int, of: int, instance: StoredInstance | StorageError | None) -> Turn:
    return SubOperation(number, of, Kind(CT, EXPLICIT), f"1.2.{number}"), instance


@pytest.fixture
def study(tmp_path: Path) -> Iterator[Study]:
    with Archive.open(tmp_path) as archive:
        study = Study(tmp_path, archive)
        yield study
        assert study.disk.is_open() == []
        Kept.readers.clear()


def as_stored(instance: StoredInstance) -> Prepared:
    return prepared(instance, (EXPLICIT,), transcode=False)


def implicit(instance: StoredInstance) -> Prepared:
    return prepared(instance, (IMPLICIT,), transcode=False)


def taken(ahead: Ahead, of: Prepared, instance: StoredInstance) -> bytes:
    return b"".join(ahead.blocks_of(of, instance))


def test_each_instance_gets_its_own_bytes_and_is_opened_once(study: Study) -> None:
    instances = [study.instance(number) for number in (1, 2, 3, 4)]
    ahead = study.ahead(*instances)

    sent = {}
    for sub, instance in ahead:
        assert isinstance(instance, StoredInstance)
        sent[sub.sop_instance] = taken(ahead, as_stored(instance), instance)
        ahead.look()

    assert list(sent) == ["1.2.1", "1.2.2", "1.2.3", "1.2.4"]
    assert [study.disk.times(instance) for instance in instances] == [1, 1, 1, 1]
    assert list(sent.values()) == [instance.read() for instance in instances]


def test_the_next_one_is_read_while_the_last_one_is_being_taken(study: Study) -> None:
    first, second = study.instance(1), study.instance(2)
    ahead = study.ahead(first, second)
    next(ahead)

    ahead.look()

    assert (study.disk.times(first), study.disk.times(second)) == (0, 1)
    study.disk.broken = True
    sub, instance = next(ahead)
    assert (sub.sop_instance, instance) == ("1.2.2", second)
    assert taken(ahead, as_stored(second), second).endswith(bytes([2]) * 1000)


def test_of_a_large_one_only_the_beginning_is_held(study: Study) -> None:
    instances = [study.instance(1), study.instance(2, LARGE)]
    ahead = study.ahead(*instances)
    next(ahead)
    ahead.look()
    next(ahead)
    blocks = iter(ahead.blocks_of(as_stored(instances[1]), instances[1]))

    ((_, file),) = study.disk.opened

    assert READ_AT_MOST <= file.tell() < LARGE
    assert b"".join(blocks) == instances[1].read()
    assert file.closed


def test_nothing_is_read_ahead_unless_asked_for(study: Study) -> None:
    instances = [study.instance(1), study.instance(2)]
    ahead = study.ahead(*instances)

    assert [instance for _, instance in ahead] == instances
    assert study.disk.opened == []
    assert taken(ahead, as_stored(instances[1]), instances[1]) == instances[1].read()


def read_ahead(study: Study, *more: StoredInstance) -> tuple[Ahead, StoredInstance]:
    """The second of a study, large, has begun to be read, and its turn has come."""
    second = study.instance(2, LARGE)
    ahead = study.ahead(study.instance(1), second, *more)
    next(ahead)
    ahead.look()
    assert study.disk.is_open() == [second.path]
    assert next(ahead)[1] is second
    return ahead, second


def test_what_is_converted_is_not_what_was_read_ahead(study: Study) -> None:
    ahead, second = read_ahead(study)
    converted = implicit(second)

    blocks = ahead.blocks_of(converted, second)

    assert study.disk.is_open() == []
    assert b"".join(blocks) == b"".join(implicit(second).blocks) != second.read()


@pytest.mark.parametrize("what", ["another syntax", "another size", "another instance"])
def test_only_what_is_sent_as_it_is_stored_was_read_ahead(study: Study, what: str) -> None:
    ahead, second = read_ahead(study)
    of, instance = Prepared(EXPLICIT, second.size, [b"prepared"]), second
    if what == "another syntax":
        of = of._replace(transfer_syntax=IMPLICIT)
    elif what == "another size":
        of = of._replace(size=second.size + 1)
    else:
        instance = dataclasses.replace(second)

    assert taken(ahead, of, instance) == b"prepared"
    assert study.disk.is_open() == []


def test_when_a_turn_was_decided_its_file_is_closed_with_the_next(study: Study) -> None:
    third = study.instance(3)
    ahead, _ = read_ahead(study, third)

    _, instance = next(ahead)

    assert instance is third
    assert study.disk.is_open() == []
    assert taken(ahead, as_stored(third), third) == third.read()


def test_when_the_last_turn_was_decided_its_file_is_closed_with_the_end(study: Study) -> None:
    ahead, _ = read_ahead(study)

    assert next(ahead, None) is None
    assert study.disk.is_open() == []


@pytest.mark.parametrize("has_its_turn", [True, False])
def test_a_retrieve_that_ends_early_closes_what_was_opened(study: Study, has_its_turn: bool) -> None:
    second = study.instance(2, LARGE)
    ahead = study.ahead(study.instance(1), second)
    next(ahead)
    ahead.look()
    if has_its_turn:
        next(ahead)
    assert study.disk.is_open() == [second.path]

    ahead.close()
    ahead.close()

    assert study.disk.is_open() == []


def test_what_is_being_taken_is_not_let_go_of(study: Study) -> None:
    ahead, second = read_ahead(study)
    blocks = ahead.blocks_of(as_stored(second), second)

    ahead.close()

    assert b"".join(blocks) == second.read()


def test_one_that_is_not_taken_to_its_end_is_closed(study: Study) -> None:
    ahead, second = read_ahead(study)
    blocks = ahead.blocks_of(as_stored(second), second)
    next(iter(blocks))
    assert study.disk.is_open() == [second.path]

    blocks.close()  # type: ignore[attr-defined]

    assert study.disk.is_open() == []


def test_what_cannot_be_read_ahead_fails_in_its_turn(study: Study) -> None:
    first, second = study.instance(1), study.instance(2)
    ahead = study.ahead(first, second)
    study.cut(second)
    next(ahead)

    ahead.look()

    assert study.disk.is_open() == []
    assert next(ahead)[1] is second
    with pytest.raises(StorageError):
        taken(ahead, as_stored(second), second)
    assert study.disk.times(second) == 2, "it was read again"


def test_what_cannot_be_read_ahead_and_can_in_its_turn_is_sent_whole(study: Study) -> None:
    first, second = study.instance(1), study.instance(2)
    ahead = study.ahead(first, second)
    next(ahead)
    study.disk.broken = True
    ahead.look()
    study.disk.broken = False
    next(ahead)

    assert taken(ahead, as_stored(second), second) == second.read()


def test_half_of_what_was_read_before_an_error_is_not_sent(study: Study) -> None:
    first, second = study.instance(1), study.instance(2, LARGE)
    ahead = study.ahead(first, second)
    next(ahead)
    study.disk.readable = READ_AT_MOST // 2
    ahead.look()
    assert study.disk.is_open() == []
    study.disk.readable = None
    next(ahead)

    assert taken(ahead, as_stored(second), second) == second.read()


def test_an_error_behind_what_was_read_ahead_is_met_when_it_is_taken(study: Study) -> None:
    first, second = study.instance(1), study.instance(2, LARGE)
    ahead = study.ahead(first, second)
    next(ahead)
    study.disk.readable = LARGE - 1000
    ahead.look()
    next(ahead)

    with pytest.raises(StorageError, match="Input/output error"):
        taken(ahead, as_stored(second), second)

    assert study.disk.is_open() == []


@pytest.mark.parametrize("missing", [None, StorageError("The index cannot be read")])
def test_where_there_is_no_instance_nothing_is_read_and_the_turn_comes(
    study: Study, missing: StorageError | None
) -> None:
    first, third = study.instance(1), study.instance(3)
    ahead = study.ahead(first, missing, third)
    found = []

    for sub, instance in ahead:
        if isinstance(instance, StoredInstance):
            assert taken(ahead, as_stored(instance), instance) == instance.read()
        found.append((sub.number, instance))
        ahead.look()

    assert found == [(1, first), (2, missing), (3, third)]
    assert next(ahead, None) is None


def test_a_study_is_as_much_read_as_it_is_asked_for(study: Study) -> None:
    asked: list[int] = []

    def turns() -> Iterator[Turn]:
        for number in (1, 2, 3):
            asked.append(number)
            yield turn(number, 3, study.instance(number))

    ahead = Ahead(turns())
    next(ahead)
    assert asked == [1]
    ahead.look()
    assert asked == [1, 2]
    next(ahead)
    assert asked == [1, 2]
    ahead.close()
