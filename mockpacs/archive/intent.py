"""What a deletion is about to remove, written down before its transaction is committed.

Killed after the commit, the process leaves files without a row, which look like instances that were never indexed. The
next start reads here which of them are meant to go. The index decides: a file whose row is still there stays.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

from mockpacs.archive.store import FOLDER, sync_folder

NAME: Final = "archive.deleting"


class Doomed(NamedTuple):
    """An instance whose file is to be removed, if its row is gone."""

    sop_instance: str
    path: str


class Intent:
    """The file of one archive, a JSON array per line; in memory nothing is kept. For the holder of the index's lock."""

    def __init__(self, root: Path | None, *, full_sync: bool = False) -> None:
        self._path = None if root is None else root / NAME
        self._full_sync = full_sync

    @property
    def is_there(self) -> bool:
        """Whether a deletion did not come to its end."""
        return self._path is not None and self._path.exists()

    def write(self, doomed: Sequence[Doomed]) -> None:
        """Say what is about to go, behind what an earlier deletion could not finish. Raises OSError."""
        if self._path is None:
            return
        is_new = not self.is_there
        with self._path.open("ab") as file:
            # Each line begins with its end: after one that a full disk cut short, the next is whole again.
            file.write(b"".join(b"\n" + json.dumps(one).encode("ascii") for one in doomed))
            if self._full_sync:
                file.flush()
                os.fsync(file.fileno())
        if is_new and self._full_sync:
            sync_folder(self._path.parent)

    def forget(self) -> None:
        """All of it is gone. A file that cannot be removed harms nobody: see ``read``."""
        if self._path is not None:
            with suppress(OSError):
                self._path.unlink(missing_ok=True)

    def read(self) -> Iterator[Doomed]:
        """What a process that died wanted to remove; lines cut short are passed over, they were not committed."""
        if self._path is None or not self.is_there:
            return
        with self._path.open("rb") as file:
            for line in file:
                with suppress(ValueError, TypeError, AttributeError):
                    sop_instance, path = json.loads(line)
                    if _is_inside(path):
                        yield Doomed(sop_instance, path)


def _is_inside(path: str) -> bool:
    first, *rest = path.split("/")
    return first == FOLDER and ".." not in rest
