"""Storing what was received: the file under its final name, then its row, then the commit, and only then the answer.

Killed at any moment, nothing that was answered with Success is lost; what was not yet answered leaves at most a file
that the next start finds. Every failure of disk or index becomes a status here and nowhere else.
"""

from __future__ import annotations

import re
import sqlite3
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Final

from mockpacs.archive.database import Index
from mockpacs.archive.header import Reading, read_spool
from mockpacs.archive.options import ArchiveOptions, OnDuplicate
from mockpacs.archive.rows import SERIES_INSTANCE_UID, STUDY_INSTANCE_UID, Kept, Rows, StoredFile
from mockpacs.archive.spool import Spool
from mockpacs.archive.store import Files, place
from mockpacs.archive.verdict import COMMENT_AT_MOST, Verdict, judge
from mockpacs.wire.status import (
    CANNOT_UNDERSTAND,
    DOES_NOT_MATCH,
    DUPLICATE_SOP_INSTANCE,
    INVALID_SOP_INSTANCE,
    OUT_OF_RESOURCES,
)

AFFECTED_SOP_INSTANCE_UID: Final = 0x00001000
_MODALITY: Final = 0x00080060
_UID: Final = re.compile(r"(?=.*[0-9])[0-9.]{1,64}")  # leading zeros and empty components occur, and harm nobody
_GENERATION: Final = re.compile(r"\+([0-9]+)\.dcm\Z")


@dataclass(frozen=True, slots=True)
class Stored:
    """The answer to one C-STORE (PS3.4 Table B.2-1, PS3.7 C): status, Error Comment, Offending Elements.

    ``size`` counts the bytes of the data set; ``path`` is where the archive has the instance, "" when it has not;
    ``changed`` is False when the archive is as it was before; ``is_other``: what it has there are other bytes.
    """

    status: int
    comment: str = ""
    offending: tuple[int, ...] = ()
    modality: str = ""
    size: int = 0
    path: str = ""
    changed: bool = False
    is_other: bool = False


@dataclass(frozen=True, slots=True)
class _Examined:
    """A spool that was looked at: what it says, and how it will be answered if nothing goes wrong."""

    spool: Spool
    reading: Reading
    verdict: Verdict

    def stored(self, path: str, *, changed: bool) -> Stored:
        """The answer once the instance is in the archive."""
        return Stored(*self.verdict, self.reading.value(_MODALITY) or "", self.spool.size, path, changed)


@dataclass(slots=True)
class _Attempt:
    """What one transaction did to the files, so that it can be undone."""

    kept: list[tuple[Spool, str]] = field(default_factory=list)
    replaced: list[str] = field(default_factory=list)


class Writer:
    """Stores spools. Any thread may call ``store``; one at a time gets at files and index."""

    def __init__(self, index: Index, files: Files, options: ArchiveOptions) -> None:
        self._index = index
        self._files = files
        self._options = options
        self.rows = Rows()

    def store(self, batch: Sequence[Spool]) -> list[Stored]:
        """Store several instances in one transaction; what is wrong with one of them does not concern the others."""
        try:
            looked_at = [self._examine(spool) for spool in batch]
            sound = [each for each in looked_at if isinstance(each, _Examined)]
            with self._index.lock:
                answers = iter(self._settle(sound) if sound else ())
        except BaseException:
            for spool in batch:
                _discard(spool)
            raise
        return [next(answers) if isinstance(each, _Examined) else each for each in looked_at]

    def store_at_once(self, spool: Spool) -> Stored | None:
        """Store one instance, for the holder of the index's lock; None, nothing done, when another process writes."""
        each = self._examine(spool)
        if isinstance(each, Stored):
            return each
        if not self._index.begin_at_once():
            return None
        return self._settle_begun([each])[0]

    def _examine(self, spool: Spool) -> _Examined | Stored:
        try:
            answer = self._refused_unread(spool)
            if answer is None:
                reading = read_spool(spool)
                verdict = judge(spool.meta, reading, self._options)
                if verdict.status not in (DOES_NOT_MATCH, CANNOT_UNDERSTAND):
                    return _Examined(spool, reading, verdict)
                answer = Stored(*verdict, reading.value(_MODALITY) or "", spool.size)
        except OSError as refused:
            answer = _out_of_resources(spool, refused)
        _discard(spool)
        return answer

    def _refused_unread(self, spool: Spool) -> Stored | None:
        if spool.problem is not None:
            return _out_of_resources(spool, spool.problem)
        if _UID.fullmatch(spool.meta.sop_instance):
            return None
        comment = "The Affected SOP Instance UID is not a UID"
        return Stored(INVALID_SOP_INSTANCE, comment, (AFFECTED_SOP_INSTANCE_UID,), size=spool.size)

    def _settle(self, batch: list[_Examined]) -> list[Stored]:
        try:
            self._index.connection.execute("BEGIN IMMEDIATE")
        except sqlite3.Error as locked:  # it would be so for each of them, after the same wait
            return [_failed(each.spool, locked) for each in batch]
        return self._settle_begun(batch)

    def _settle_begun(self, batch: list[_Examined]) -> list[Stored]:
        try:
            return self._in_transaction(batch)
        except (OSError, sqlite3.Error) as refused:
            if len(batch) == 1:
                return [_failed(batch[0].spool, refused)]
            return [answer for each in batch for answer in self._settle([each])]

    def _in_transaction(self, batch: list[_Examined]) -> list[Stored]:
        connection, attempt = self._index.connection, _Attempt()
        try:
            answers = [self._take(connection, each, attempt) for each in batch]
            connection.execute("COMMIT")
        except BaseException:
            self._undo(connection, attempt)
            raise
        for spool, _ in attempt.kept:
            spool.release()
        for path in attempt.replaced:
            with suppress(OSError):  # the next start or `verify` finds it
                self._files.remove(path)
        for each in batch:
            _discard(each.spool)
        return answers

    def _undo(self, connection: sqlite3.Connection, attempt: _Attempt) -> None:
        with suppress(sqlite3.Error):  # a full disk may have rolled back already
            connection.execute("ROLLBACK")
        self.rows.forget()
        for spool, path in reversed(attempt.kept):
            with suppress(OSError):
                self._files.revert(spool, path)

    def _take(self, connection: sqlite3.Connection, each: _Examined, attempt: _Attempt) -> Stored:
        spool, reading = each.spool, each.reading
        kept = self.rows.find(connection, spool.meta.sop_instance)
        generation = 0
        if kept is not None:
            same = _holds(self._files, kept, spool)
            if same is True:
                return each.stored(kept.path, changed=False)
            if same is False and self._options.on_duplicate is not OnDuplicate.REPLACE:
                return self._duplicate(each, kept)
            self.rows.drop(connection, kept.id)
            attempt.replaced.append(kept.path)
            again = _GENERATION.search(kept.path)
            generation = int(again[1]) + 1 if again else 1
        path = place(
            reading.value(STUDY_INSTANCE_UID) or "",
            reading.value(SERIES_INSTANCE_UID) or "",
            spool.meta.sop_instance,
            generation=generation,
        )
        size = self._files.keep(spool, path)
        attempt.kept.append((spool, path))
        file = StoredFile(path, size, len(spool.head), time.time())
        self.rows.add(connection, reading, spool.meta, file)
        return each.stored(path, changed=True)

    def _duplicate(self, each: _Examined, kept: Kept) -> Stored:
        answer = replace(each.stored(kept.path, changed=False), is_other=True)
        if self._options.on_duplicate is OnDuplicate.REFUSE:
            comment = "An instance of this UID is stored with other bytes"
            return replace(answer, status=DUPLICATE_SOP_INSTANCE, comment=comment, offending=(), path="")
        comment = "Kept the instance of this UID that was stored before"
        status = self._options.duplicate_status
        return replace(answer, status=status, comment=comment if status else "", offending=())


def _holds(files: Files, kept: Kept, spool: Spool) -> bool | None:
    """Whether the stored instance has the bytes and the transfer syntax of the spool; None when its file is gone."""
    try:
        with files.open(kept.path) as file:
            if kept.transfer_syntax != spool.meta.transfer_syntax or kept.size - kept.data_offset != spool.size:
                return False
            file.seek(kept.data_offset)
            return all(file.read(len(block)) == block for block in spool.blocks())
    except FileNotFoundError:
        return None


def _failed(spool: Spool, refused: Exception) -> Stored:
    _discard(spool)
    return _out_of_resources(spool, refused)


def _out_of_resources(spool: Spool, refused: Exception) -> Stored:
    reason = refused.strerror if isinstance(refused, OSError) else str(refused)
    return Stored(OUT_OF_RESOURCES, f"Out of resources: {reason}"[:COMMENT_AT_MOST], size=spool.size)


def _discard(spool: Spool) -> None:
    with suppress(OSError):
        spool.discard()
