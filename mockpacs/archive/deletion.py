"""Deleting instances: first their rows, then their files, in steps so short that nobody who stores waits for long.

Killed at any moment, each step is done or not: before the commit nothing happened, after it the next start removes the
files (see ``intent``). Between the steps others store and query; what is being read goes on being read.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from mockpacs.archive.database import Index
from mockpacs.archive.intent import Doomed, Intent
from mockpacs.archive.rows import Rows
from mockpacs.archive.store import Files

PER_STEP: Final = 500
"""Instances of one transaction: about 10 ms. A study of fewer goes as a whole or not at all."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Which instances: a condition of SQL over the table ``instance``, and its parameters."""

    condition: str = "1"
    parameters: tuple[str, ...] = ()


EVERYTHING: Final = Selection()


def one_instance(uid: str) -> Selection:
    """The instance of a SOP Instance UID."""
    return Selection("sop_instance_uid = ?", (uid,))


def one_series(uid: str) -> Selection:
    """The instances of a series."""
    return Selection("series IN (SELECT id FROM series WHERE series_instance_uid = ?)", (uid,))


def one_study(uid: str) -> Selection:
    """The instances of a study."""
    inner = "SELECT series.id FROM series JOIN study ON study.id = series.study WHERE study_instance_uid = ?"
    return Selection(f"series IN ({inner})", (uid,))


class Deletion:
    """Deletes from one archive; one deletion at a time, the caller sees to that."""

    def __init__(self, index: Index, files: Files, rows: Rows, intent: Intent) -> None:
        self._index = index
        self._files = files
        self._rows = rows
        self._intent = intent
        self._all_gone = True

    def run(self, selection: Selection) -> int:
        """Delete what is there now, and say how many instances that were. Raises sqlite3.Error and OSError.

        The oldest go first. So the newest row of now is there until the last step, and whatever is stored meanwhile
        gets a higher id: a client that keeps storing cannot keep this from ending.
        """
        (newest,) = next(self._index.rows("SELECT coalesce(max(id), 0) FROM instance"))
        deleted = 0
        while step := self._step(selection, newest):
            deleted += len(step)
            if len(step) < PER_STEP or step[-1] == newest:  # from now on ids are given again
                break
        return deleted

    def _step(self, selection: Selection, newest: int) -> list[int]:
        """Delete a few; their ids."""
        # The plus signs keep SQLite from walking the whole table in the order of the ids, past its indexes.
        plus = "" if selection is EVERYTHING else "+"
        statement = (
            f"SELECT id, sop_instance_uid, path FROM instance WHERE {selection.condition} AND {plus}id <= ? "
            f"ORDER BY {plus}id LIMIT {PER_STEP}"
        )
        with self._index.lock:  # until the files are gone: who stores the same instance again gives it the same path
            with self._index.transaction() as connection:
                found = connection.execute(statement, (*selection.parameters, newest)).fetchall()
                if not found:
                    return []
                self._intent.write([Doomed(sop_instance, path) for _, sop_instance, path in found])
                ids = [identity for identity, _, _ in found]
                self._rows.drop(connection, *ids)
            self._all_gone = self._files.remove_all(path for _, _, path in found) and self._all_gone
            if self._all_gone:  # otherwise the next start has something to remove
                self._intent.forget()
        return ids
