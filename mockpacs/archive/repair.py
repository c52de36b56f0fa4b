"""What a start does about the way the last process ended. Says what it did; never removes an acknowledged instance.

After a clean stop there is nothing to do and nothing is looked at. After any other end only what that session touched
is compared: series folders changed since it began, and the rows it added. Whatever somebody changes behind the
archive's back is found by ``verify``, not here.

A killed process leaves no row without its file: the file comes first, and SQLite keeps what was committed. When the
*machine* dies, ``durability: normal`` may lose what the system had not written yet; rows without files and cut files
of that session are then dropped or read again, but only ``durability: full`` promises that there are none.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from mockpacs.archive.catalogue import Progress, enter, fill, read_entry
from mockpacs.archive.database import Index
from mockpacs.archive.intent import Intent
from mockpacs.archive.rows import Rows
from mockpacs.archive.store import Files, safe_name

_SLACK_SECONDS: Final = 5.0  # clocks of the file system and of the process, and FAT's two seconds
_PER_TRANSACTION: Final = 500


@dataclass(slots=True)
class Recovery:
    """What the start repaired; ``str()`` is a sentence, or "" when there was nothing to do."""

    temporary_files_removed: int = 0
    files_indexed: int = 0
    rows_dropped: int = 0
    leftovers_removed: int = 0
    deleted_files_removed: int = 0
    strange_files: list[str] = field(default_factory=list)
    index_moved_to: Path | None = None
    index_rebuilt: bool = False

    def __str__(self) -> str:
        parts = []
        if self.index_moved_to is not None:
            parts.append(f"the index was unusable and is now {self.index_moved_to.name}")
        if self.index_rebuilt:
            parts.append(f"the index was rebuilt from {_counted(self.files_indexed, 'file')}")
        elif self.files_indexed:
            parts.append(f"{_counted(self.files_indexed, 'file')} indexed")
        if self.temporary_files_removed:
            parts.append(f"{_counted(self.temporary_files_removed, 'unfinished file')} removed")
        if self.leftovers_removed:
            parts.append(f"{_counted(self.leftovers_removed, 'leftover')} of replaced instances removed")
        if self.deleted_files_removed:
            parts.append(f"{_counted(self.deleted_files_removed, 'file')} of deleted instances removed")
        if self.rows_dropped:
            parts.append(f"{_counted(self.rows_dropped, 'row')} without a file dropped")
        if self.strange_files:
            parts.append(f"{_counted(len(self.strange_files), 'file')} left alone that cannot be read")
        return f"Repaired at start: {'; '.join(parts)}." if parts else ""


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def remove_temporary(incoming: Path, recovery: Recovery) -> None:
    """Empty the folder of unfinished files: whoever sent them got no answer."""
    for path in incoming.iterdir():
        path.unlink()
        recovery.temporary_files_removed += 1


def finish_deletion(index: Index, files: Files, intent: Intent, recovery: Recovery) -> None:
    """Remove the files of instances whose rows a deletion has removed already."""
    rows, doomed = Rows(), list[str]()
    with index.transaction() as connection:
        for sop_instance, path in intent.read():
            known = rows.find(connection, sop_instance)
            is_there = files.facts(path) is not None
            if known is None or known.path != path:
                doomed.append(path)  # when the file is gone its folder may still be there
                recovery.deleted_files_removed += is_there
            elif not is_there:  # the machine died, and the disk has lost the commit but not what came after it
                rows.drop(connection, known.id)
                recovery.rows_dropped += 1
    if files.remove_all(doomed):
        intent.forget()


def rebuild(index: Index, files: Files, recovery: Recovery, progress: Progress | None) -> None:
    """Fill an index that was lost."""
    recovery.files_indexed, recovery.strange_files = fill(index, files, progress)
    recovery.index_rebuilt = bool(recovery.files_indexed or recovery.strange_files)


def repair(index: Index, files: Files, since: float, recovery: Recovery) -> None:
    """Compare what changed since the time ``since`` (seconds since 1970), and set the index right."""
    since -= _SLACK_SECONDS
    rows = Rows()
    for folder, changed_at in files.series_folders():
        if changed_at >= since:
            with index.transaction():
                for path in files.paths_in(folder):
                    _check_file(index, files, rows, path, recovery)
    newest_first = index.rows("SELECT id, path, stored_at FROM instance ORDER BY id DESC")
    lost = []
    for identity, path, stored_at in newest_first:
        if stored_at < since:
            break
        if files.facts(path) is None:
            lost.append(identity)
    for first in range(0, len(lost), _PER_TRANSACTION):
        with index.transaction() as connection:
            for identity in lost[first : first + _PER_TRANSACTION]:
                rows.drop(connection, identity)
    recovery.rows_dropped += len(lost)


def _check_file(index: Index, files: Files, rows: Rows, path: str, recovery: Recovery) -> None:
    entry = read_entry(files, path)
    if entry is None:
        recovery.strange_files.append(path)
        return
    known = rows.find(index.connection, entry.meta.sop_instance)
    if known is not None and known.path == path and known.size == entry.file.size:
        return
    if known is not None and known.path != path and files.facts(known.path) is not None:
        # Killed while replacing: either before the commit (the row still names the old file) or after it, before the
        # old file was removed. Both times the row names the file that was acknowledged last.
        if _is_ours(path, entry.meta.sop_instance):
            files.remove(path)
            recovery.leftovers_removed += 1
        return
    if known is not None:
        rows.drop(index.connection, known.id)
    if enter(index.connection, rows, entry):
        recovery.files_indexed += 1


def _is_ours(path: str, sop_instance: str) -> bool:
    """Whether the archive itself gave a file its name; a copy somebody made by hand is not ours to remove."""
    return bool(re.fullmatch(re.escape(safe_name(sop_instance)) + r"(\+[0-9]+)?\.dcm", path.rpartition("/")[2]))
