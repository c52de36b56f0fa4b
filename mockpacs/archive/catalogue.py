"""From stored files back to rows: reading one file as it stands in the archive, entering it, filling a new index.

Files are the truth; where two files claim one SOP Instance UID the younger one is the replacement of the other.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from itertools import groupby, islice
from typing import Final, NamedTuple

from mockpacs.archive.database import Index
from mockpacs.archive.header import Reading, read_data
from mockpacs.archive.rows import Rows, StoredFile
from mockpacs.archive.store import HEAD_LIMIT, Files
from mockpacs.wire.part10 import FileMeta, decode_head

Progress = Callable[[int, int], object]
"""Called with (done, total) now and then."""

_PER_TRANSACTION: Final = 500


class Entry(NamedTuple):
    """A stored file, read: everything its rows are made of."""

    file: StoredFile
    meta: FileMeta
    reading: Reading


def read_entry(files: Files, path: str) -> Entry | None:
    """Read a stored file; None when it is gone or is not one of an instance."""
    facts = files.facts(path)
    if facts is None:
        return None
    try:
        with files.whole(path) as contents:
            head = decode_head(bytes(contents[:HEAD_LIMIT]))
            if head is None or not head.meta.sop_instance:
                return None
            with contents[head.data_offset :] as data:
                reading = read_data(data, head.meta)
    except FileNotFoundError:
        return None
    return Entry(StoredFile(path, facts.size, head.data_offset, facts.written_at), head.meta, reading)


def enter(connection: sqlite3.Connection, rows: Rows, entry: Entry) -> bool:
    """Give a file its row; False when a younger file has the same SOP Instance UID."""
    known = rows.find(connection, entry.meta.sop_instance)
    if known is not None:
        if known.path != entry.file.path and known.stored_at > entry.file.stored_at:
            return False
        rows.drop(connection, known.id)
    rows.add(connection, entry.reading, entry.meta, entry.file)
    return True


def fill(index: Index, files: Files, progress: Progress | None = None) -> tuple[int, list[str]]:
    """Enter every stored file into an empty index: (instances entered, files that are none).

    Within a study the oldest file comes first, as it gave study and patient their attributes when it was stored.
    """
    total = sum(len(files.paths_in(folder)) for folder, _ in files.series_folders()) if progress else 0
    rows, entered, strange, done = Rows(), 0, list[str](), 0
    paths = _paths_by_age(files)
    while chunk := list(islice(paths, _PER_TRANSACTION)):
        with index.transaction() as connection:
            for path in chunk:
                entry = read_entry(files, path)
                if entry is None:
                    strange.append(path)
                elif enter(connection, rows, entry):
                    entered += 1
        done += len(chunk)
        if progress:
            progress(done, total)
    return entered, strange


def _paths_by_age(files: Files) -> Iterator[str]:
    for _, folders in groupby(files.series_folders(), key=lambda found: found[0].rpartition("/")[0]):
        aged = []
        for folder, _ in folders:
            for path in files.paths_in(folder):
                facts = files.facts(path)
                if facts is not None:
                    aged.append((facts.written_at, path))
        yield from (path for _, path in sorted(aged))
