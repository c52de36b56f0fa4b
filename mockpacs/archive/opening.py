"""Opening an archive: folders, lock, index, and the repairs a start makes, in this order."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mockpacs.archive.catalogue import Progress
from mockpacs.archive.database import Index, move_aside
from mockpacs.archive.intent import Intent
from mockpacs.archive.lock import ArchiveLock
from mockpacs.archive.options import ArchiveOptions, Durability
from mockpacs.archive.repair import Recovery, finish_deletion, rebuild, remove_temporary, repair
from mockpacs.archive.store import FOLDER, DiskFiles, Files, MemoryFiles
from mockpacs.errors import StorageError

INDEX_NAME: Final = "index.sqlite"


@dataclass(frozen=True, slots=True)
class Opened:
    """The parts of an open archive."""

    index: Index
    files: Files
    lock: ArchiveLock | None
    incoming: str | None
    intent: Intent
    recovery: Recovery


def open_in_memory() -> Opened:
    """An empty archive that leaves nothing behind."""
    return Opened(Index.open(None), MemoryFiles(), None, None, Intent(None), Recovery())


def open_on_disk(directory: Path, options: ArchiveOptions, progress: Progress | None, *, read_only: bool) -> Opened:
    """Open or make an archive in a directory. Raises ArchiveBusyError, SchemaError, StorageError."""
    root = directory.absolute()
    files = DiskFiles(root, full_sync=options.durability is Durability.FULL)
    try:
        if read_only:
            index = _open_index(root / INDEX_NAME, options, read_only=True)
            return Opened(index, files, None, None, Intent(None), Recovery())
        return _open_for_writing(root, files, options, progress)
    except OSError as refused:
        raise StorageError(f"The storage directory {root} cannot be used: {refused.strerror}.") from refused
    except sqlite3.Error as refused:
        raise StorageError(f"The index {root / INDEX_NAME} cannot be used: {refused}.") from refused


def _open_for_writing(root: Path, files: DiskFiles, options: ArchiveOptions, progress: Progress | None) -> Opened:
    (root / FOLDER).mkdir(parents=True, exist_ok=True)
    files.incoming.mkdir(exist_ok=True)
    lock = ArchiveLock(root)
    intent = Intent(root, full_sync=files.full_sync)
    index = None
    try:
        recovery = Recovery()
        remove_temporary(files.incoming, recovery)
        is_new = not (root / INDEX_NAME).exists()
        try:
            index = _open_index(root / INDEX_NAME, options, read_only=False)
        except sqlite3.OperationalError:
            raise  # locked, not readable, disk full: not the fault of the file
        except sqlite3.DatabaseError:
            recovery.index_moved_to = move_aside(root / INDEX_NAME)
            index, is_new = _open_index(root / INDEX_NAME, options, read_only=False), True
        if is_new:
            rebuild(index, files, recovery, progress)
            intent.forget()  # only the lost index knew what of it was committed: all that has a file is there
        elif intent.is_there:
            finish_deletion(index, files, intent, recovery)
        if not is_new and not lock.was_clean:
            repair(index, files, lock.unclean_since, recovery)
        lock.mark_open()
    except BaseException:
        if index is not None:
            index.close()
        lock.release(clean=False)
        raise
    return Opened(index, files, lock, str(files.incoming), intent, recovery)


def _open_index(path: Path, options: ArchiveOptions, *, read_only: bool) -> Index:
    index = Index.open(
        path,
        full_sync=options.durability is Durability.FULL,
        busy_timeout_seconds=options.busy_timeout_seconds,
        read_only=read_only,
    )
    try:
        for table in ("patient", "study", "series", "instance"):
            next(index.rows(f"SELECT max(id) FROM {table}"))  # touches the last page: finds a file that was cut
    except BaseException:
        index.close()
        raise
    return index
