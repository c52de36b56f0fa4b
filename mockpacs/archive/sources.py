"""What a test puts into an archive: files, folders, pydicom Datasets, uploads. All of it, or an error that says why.

What can be stored is stored, whatever is wrong with the rest; the error names each problem on a line of its own.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final, NamedTuple

from mockpacs.archive.add import DIRECTORY, NOT_DICOM, NewSpool, problem, spooled, take
from mockpacs.archive.encoded import encoded
from mockpacs.archive.ingest import Stored, Writer
from mockpacs.archive.instance import StoredInstance
from mockpacs.archive.spool import Spool
from mockpacs.errors import ArchiveError, StorageError
from mockpacs.wire.status import OUT_OF_RESOURCES

if TYPE_CHECKING:
    from pydicom import Dataset

_OTHER: Final = (
    "another instance of this SOP Instance UID is stored, and stays: delete it first, or use on_duplicate replace"
)


class _Taken(NamedTuple):
    """What became of one thing: the instance it is, or what is wrong with it."""

    name: str
    sop_instance: str
    problem: str
    is_refused_by_disk: bool = False


class Sources:
    """Adds to one archive; ``stored`` looks up the instance of a SOP Instance UID."""

    def __init__(self, writer: Writer, new_spool: NewSpool, stored: Callable[[str], StoredInstance | None]) -> None:
        self._writer = writer
        self._new_spool = new_spool
        self._stored = stored

    def add(self, sources: Sequence[str | os.PathLike[str] | Dataset]) -> list[StoredInstance]:
        """Store everything, and say what the archive has of it now: each instance once, in the order given."""
        _check(sources)
        return self._answer([taken for source in sources for taken in self._take(source)])

    def add_stream(self, file: BinaryIO, name: str) -> StoredInstance:
        """Store what a file holds, read to its end in bounded memory; ``name`` is what an error calls it."""
        try:
            spool = spooled(file, self._new_spool)
        except OSError as refused:
            raise StorageError(f"{name}: cannot be read: {refused.strerror or refused}") from refused
        found = self._answer([_Taken(name, "", spool) if isinstance(spool, str) else self._store(name, spool)])
        if not found:
            raise ArchiveError(f"{name}: was deleted as soon as it was stored")
        return found[0]

    def _take(self, source: str | os.PathLike[str] | Dataset) -> Iterator[_Taken]:
        if isinstance(source, str | os.PathLike):
            path = Path(source)
            yield from self._take_folder(path) if path.is_dir() else self._take_file(path)
            return
        name = f"data set {source.get('SOPInstanceUID', None) or 'without a UID'}"
        try:
            meta, data = encoded(source)
        except ArchiveError as error:
            yield _Taken(name, "", str(error))
            return
        spool = self._new_spool(meta)
        spool.append(data)
        yield self._store(name, spool)

    def _take_file(self, path: Path) -> Iterator[_Taken]:
        for added in take(self._writer, self._new_spool, path):
            hint = "" if path.is_absolute() or path.exists() else f" (the working folder is {Path.cwd()})"
            yield _taken(str(added.path), added.stored, added.sop_instance, added.problem and added.problem + hint)

    def _take_folder(self, folder: Path) -> Iterator[_Taken]:
        """Every instance; what lies beside them, notes and a DICOMDIR, is passed over."""
        is_empty = True
        for added in take(self._writer, self._new_spool, folder):
            if added.problem not in (NOT_DICOM, DIRECTORY):
                is_empty = False
                yield _taken(str(added.path), added.stored, added.sop_instance, added.problem)
        if is_empty:
            yield _Taken(str(folder), "", "there is no DICOM file in this folder")

    def _store(self, name: str, spool: Spool) -> _Taken:
        (stored,) = self._writer.store([spool])
        return _taken(name, stored, spool.meta.sop_instance, problem(stored))

    def _answer(self, everything: list[_Taken]) -> list[StoredInstance]:
        problems = [f"{taken.name}: {taken.problem}" for taken in everything if taken.problem]
        if problems:
            is_disk = all(taken.is_refused_by_disk for taken in everything if taken.problem)
            kind = StorageError if is_disk else ArchiveError
            if len(everything) == 1:
                raise kind(problems[0])
            lines = "".join(f"\n  {line}" for line in problems)
            raise kind(f"{len(problems)} of {len(everything)} could not be added:{lines}")
        found = (self._stored(uid) for uid in dict.fromkeys(taken.sop_instance for taken in everything))
        return [one for one in found if one is not None]  # another thread may have deleted it meanwhile


def _taken(name: str, stored: Stored | None, sop_instance: str, problem: str) -> _Taken:
    if stored is not None and stored.is_other:
        return _Taken(name, sop_instance, _OTHER)
    return _Taken(name, sop_instance, problem, stored is not None and stored.status == OUT_OF_RESOURCES)


def _check(sources: Sequence[object]) -> None:
    """Nothing is stored when something is given that nobody could add."""
    if all(isinstance(source, str | os.PathLike) for source in sources):
        return
    from pydicom import Dataset

    for source in sources:
        if not isinstance(source, str | os.PathLike | Dataset):
            several = isinstance(source, list | tuple | set)
            remedy = ": put a * before it" if several else ""
            raise ArchiveError(f"a path or a pydicom Dataset can be added, not a {type(source).__name__}{remedy}")
