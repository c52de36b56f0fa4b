"""Writing the index, row by row, in SQL: the caller holds the index's lock and is inside a transaction.

``Model.create`` took 178 us for the row of one instance, header values included; these statements take 17.
"""

from __future__ import annotations

import json
import sqlite3
from typing import Final, NamedTuple

from mockpacs.archive.header import Reading
from mockpacs.archive.index import INDEXED, Level, name_key
from mockpacs.wire.part10 import FileMeta

_SERIES_REMEMBERED: Final = 4096
_THESE: Final = "(SELECT value FROM json_each(?))"


def _columns(level: Level) -> tuple[str, ...]:
    return tuple(at.column for at in INDEXED if at.level is level)


def _insert(table: str, own: tuple[str, ...], level: Level) -> str:
    columns = own + _columns(level)
    names = ", ".join(f'"{column}"' for column in columns)
    return f"INSERT INTO {table} ({names}) VALUES ({', '.join('?' * len(columns))})"


_INSERT_PATIENT: Final = _insert("patient", ("key", "name_key", "character_set"), Level.PATIENT)
_INSERT_STUDY: Final = _insert("study", ("patient", "key", "referring_key", "character_set"), Level.STUDY)
_INSERT_SERIES: Final = _insert("series", ("study", "key", "character_set"), Level.SERIES)
_INSERT_INSTANCE: Final = _insert(
    "instance",
    ("series", "transfer_syntax_uid", "path", "size", "data_offset", "source_aet", "stored_at", "character_set"),
    Level.IMAGE,
)
_AT_PATIENT: Final = {column: at for at, column in enumerate(_columns(Level.PATIENT))}
_AT_STUDY: Final = {column: at for at, column in enumerate(_columns(Level.STUDY))}
_AT_IMAGE: Final = {column: at for at, column in enumerate(_columns(Level.IMAGE))}
_SOP_INSTANCE: Final = _AT_IMAGE["sop_instance_uid"]
_SOP_CLASS: Final = _AT_IMAGE["sop_class_uid"]
STUDY_INSTANCE_UID: Final = 0x0020000D
SERIES_INSTANCE_UID: Final = 0x0020000E


class Kept(NamedTuple):
    """The row of a stored instance, as far as writing needs it."""

    id: int
    path: str
    size: int
    data_offset: int
    transfer_syntax: str
    stored_at: float


class StoredFile(NamedTuple):
    """Where the bytes of an instance are, and since when."""

    path: str
    size: int
    data_offset: int
    stored_at: float


class Rows:
    """The writer's side of the tables; it remembers the series it has met, so that most instances cost one INSERT."""

    def __init__(self) -> None:
        self._series: dict[str, int] = {}

    def forget(self) -> None:
        """Remember nothing: after a rollback or a deletion ids may mean something else."""
        self._series.clear()

    def find(self, connection: sqlite3.Connection, sop_instance: str) -> Kept | None:
        """The row of an instance."""
        row = connection.execute(
            "SELECT id, path, size, data_offset, transfer_syntax_uid, stored_at FROM instance "
            "WHERE sop_instance_uid = ?",
            (sop_instance,),
        ).fetchone()
        return Kept(*row) if row else None

    def add(self, connection: sqlite3.Connection, reading: Reading, meta: FileMeta, file: StoredFile) -> None:
        """Add an instance, and its series, study and patient where they are new."""
        values = reading.row(Level.IMAGE)
        values[_SOP_INSTANCE] = meta.sop_instance
        values[_SOP_CLASS] = meta.sop_class
        series = self._series_of(connection, reading)
        own = (series, meta.transfer_syntax, file.path, file.size, file.data_offset, meta.source_aet, file.stored_at)
        connection.execute(_INSERT_INSTANCE, (*own, reading.character_set, *values))

    def drop(self, connection: sqlite3.Connection, *instances: int) -> None:
        """Remove instances, and the series, studies and patients that have nothing left."""
        self.forget()
        series = _above(connection, "instance", "series", json.dumps(instances))
        studies = _above(connection, "series", "study", series)
        patients = _above(connection, "study", "patient", studies)
        connection.execute(f"DELETE FROM instance WHERE id IN {_THESE}", (json.dumps(instances),))
        for table, own, child in (
            ("series", series, "instance"),
            ("study", studies, "series"),
            ("patient", patients, "study"),
        ):
            connection.execute(
                f"DELETE FROM {table} WHERE id IN {_THESE} "
                f"AND NOT EXISTS (SELECT 1 FROM {child} WHERE {child}.{table} = {table}.id)",
                (own,),
            )

    def _series_of(self, connection: sqlite3.Connection, reading: Reading) -> int:
        uid = reading.value(SERIES_INSTANCE_UID)
        if uid and (known := self._series.get(uid)) is not None:
            return known
        study = None if uid and _id_of(connection, "series", uid) else self._study_of(connection, reading)
        key = uid or f"?{study}"
        series = _id_of(connection, "series", key)
        if series is None:
            values = reading.row(Level.SERIES)
            series = _added(connection, _INSERT_SERIES, (study, key, reading.character_set, *values))
        if len(self._series) >= _SERIES_REMEMBERED:
            del self._series[next(iter(self._series))]
        if uid:
            self._series[uid] = series
        return series

    def _study_of(self, connection: sqlite3.Connection, reading: Reading) -> int:
        uid = reading.value(STUDY_INSTANCE_UID)
        if uid and (known := _id_of(connection, "study", uid)) is not None:
            return known
        patient = self._patient_of(connection, reading)
        key = uid or f"?{patient}"
        if not uid and (known := _id_of(connection, "study", key)) is not None:
            return known
        values = reading.row(Level.STUDY)
        referring = values[_AT_STUDY["referring_physician_name"]]
        own = (patient, key, None if referring is None else name_key(referring), reading.character_set)
        return _added(connection, _INSERT_STUDY, (*own, *values))

    def _patient_of(self, connection: sqlite3.Connection, reading: Reading) -> int:
        values = reading.row(Level.PATIENT)
        name = values[_AT_PATIENT["patient_name"]]
        compared = None if name is None else name_key(name)
        identifier = values[_AT_PATIENT["patient_id"]]
        if identifier:
            key = f"{identifier}\\{values[_AT_PATIENT['issuer_of_patient_id']] or ''}"
        else:
            key = "?" + (compared or "").replace("\\", "^")
        known = _id_of(connection, "patient", key)
        if known is not None:
            return known
        return _added(connection, _INSERT_PATIENT, (key, compared, reading.character_set, *values))


def _above(connection: sqlite3.Connection, table: str, parent: str, ids: str) -> str:
    """The ids of what rows belong to; several ids are a JSON array, which SQLite takes as one parameter."""
    found = connection.execute(f"SELECT DISTINCT {parent} FROM {table} WHERE id IN {_THESE}", (ids,))
    return json.dumps([identity for (identity,) in found])


def _id_of(connection: sqlite3.Connection, table: str, key: str) -> int | None:
    row = connection.execute(f"SELECT id FROM {table} WHERE key = ?", (key,)).fetchone()
    return row[0] if row else None


def _added(connection: sqlite3.Connection, statement: str, values: tuple[object, ...]) -> int:
    row = connection.execute(statement, values).lastrowid
    assert row is not None
    return row
