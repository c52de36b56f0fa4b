"""A stored instance, for whoever sends it on or looks into it: what it is, and its bytes as they were received."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from mockpacs.archive.database import Index
from mockpacs.archive.store import Files
from mockpacs.errors import ArchiveError, StorageError
from mockpacs.wire.part10 import FileMeta, decode_head

if TYPE_CHECKING:
    from pydicom.dataset import FileDataset

_SELECT: Final = (
    "SELECT sop_class_uid, sop_instance_uid, transfer_syntax_uid, source_aet, path, size, data_offset, stored_at, "
    "coalesce(patient_id, ''), coalesce(study_instance_uid, ''), coalesce(series_instance_uid, '') "
    "FROM instance JOIN series ON series.id = instance.series JOIN study ON study.id = series.study "
    "JOIN patient ON patient.id = study.patient"
)
CURRENT: Final = f"{_SELECT} WHERE sop_instance_uid IN (SELECT value FROM json_each(?))"
"""The statement behind ``current``; its parameter is a list of UIDs in JSON."""
_BLOCK: Final = 1 << 18


@dataclass(frozen=True, slots=True)
class StoredInstance:
    """Where an instance is, and whose.

    The file is opened when its bytes are asked for, and may be gone by then, or another one: StorageError. What has
    begun to read it reads it to its end.
    """

    meta: FileMeta
    path: str
    size: int
    """Bytes of the data set."""
    data_offset: int
    files: Files
    patient: str = ""
    """Patient ID of the patient it belongs to in the archive, "" without one."""
    study: str = ""
    """Study Instance UID, "" without one."""
    series: str = ""
    """Series Instance UID, "" without one."""
    stored_at: float = 0.0
    """Seconds since 1970."""

    @property
    def sop_class(self) -> str:
        """SOP Class UID."""
        return self.meta.sop_class

    @property
    def sop_instance(self) -> str:
        """SOP Instance UID."""
        return self.meta.sop_instance

    @property
    def transfer_syntax(self) -> str:
        """Transfer Syntax UID."""
        return self.meta.transfer_syntax

    def blocks(self, block_size: int = _BLOCK) -> Iterator[bytes]:
        """The data set in pieces of at most ``block_size`` bytes."""
        with self._open() as file:
            file.seek(self.data_offset)
            missing = self.size
            while block := file.read(block_size):
                missing -= len(block)
                yield block
        if missing > 0:
            raise StorageError(f"{self.path} has become shorter: {missing} bytes of the data set are missing")

    def read(self) -> bytes:
        """The whole data set."""
        return b"".join(self.blocks(max(self.size, 1)))

    def part10(self, block_size: int = _BLOCK) -> Iterator[bytes]:
        """The whole file, as it is stored, in pieces: preamble, group 0002 and the data set."""
        with self._open() as file:
            while block := file.read(block_size):
                yield block

    def dataset(self) -> FileDataset:
        """The data set as pydicom reads it. Raises ArchiveError when pydicom cannot."""
        from pydicom import dcmread

        with self._open() as file:
            try:
                dataset = dcmread(file, force=True)
            except OSError:
                raise
            except Exception as error:  # it raises whatever the bytes lead to
                raise ArchiveError(f"pydicom cannot read the data set of {self.sop_instance}: {error}") from error
        dataset.buffer = None  # closed by now, which a copy of the data set would warn of
        return dataset

    @contextmanager
    def _open(self) -> Iterator[BinaryIO]:
        try:
            with self.files.open(self.path) as file:
                self._refuse_another(file)
                yield file
        except OSError as refused:
            raise StorageError(f"The stored file {self.path} cannot be read: {refused.strerror}.") from refused

    def _refuse_another(self, file: BinaryIO) -> None:
        """Once deleted and stored again an instance has the same path, but may be encoded in another way."""
        head = decode_head(file.read(self.data_offset))
        size = file.seek(0, os.SEEK_END)
        file.seek(0)
        known = (self.data_offset, self.meta.transfer_syntax)
        if size != self.data_offset + self.size or head is None or (head.data_offset, head.meta[2]) != known:
            raise StorageError(f"The stored file {self.path} is another one by now.")


def stored_instance(index: Index, files: Files, sop_instance: str) -> StoredInstance | None:
    """Look an instance up by its SOP Instance UID."""
    row = next(index.rows(f"{_SELECT} WHERE sop_instance_uid = ?", (sop_instance,)), None)
    return None if row is None else _instance(files, row)


def current(index: Index, files: Files, sop_instances: Sequence[str]) -> dict[str, StoredInstance]:
    """The instances of these SOP Instance UIDs that are stored now, by UID."""
    rows = index.rows(CURRENT, (json.dumps(sop_instances),))
    return {instance.sop_instance: instance for instance in (_instance(files, row) for row in rows)}


def stored_instances(
    index: Index, files: Files, *, patient: str, study: str, series: str, limit: int | None, offset: int
) -> list[StoredInstance]:
    """The instances of a patient, study or series, or all of them, in the order they were stored; "" says any."""
    wanted = {"patient_id": patient, "study_instance_uid": study, "series_instance_uid": series}
    conditions = [f"{column} = ?" for column, value in wanted.items() if value]
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    # The plus sign keeps SQLite from walking the whole table in the order of the ids, past the indexes.
    statement = f"{_SELECT}{where} ORDER BY {'+' if conditions else ''}instance.id LIMIT ? OFFSET ?"
    parameters = (*filter(None, wanted.values()), -1 if limit is None else limit, offset)
    return [_instance(files, row) for row in index.rows(statement, parameters)]


def _instance(files: Files, row: tuple[Any, ...]) -> StoredInstance:
    meta, (path, size, data_offset, stored_at, patient, study, series) = FileMeta(*row[:4]), row[4:]
    return StoredInstance(meta, path, size - data_offset, data_offset, files, patient, study, series, stored_at)
