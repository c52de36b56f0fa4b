"""The index file: opening it, its schema version, one writing connection and as many reading ones as there are readers.

Foreign exceptions leave here as they are (sqlite3.Error); whoever answers a peer or a user maps them.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any, Final

import peewee

from mockpacs.archive.index import MODELS
from mockpacs.errors import SchemaError

Migration = Callable[[sqlite3.Connection], object]

APPLICATION_ID: Final = 0x4D504143  # "MPAC": `file index.sqlite` and other programs can tell whose file it is
MIGRATIONS: Final[tuple[Migration, ...]] = ()
"""Step n (from 0) leads from schema version n + 1 to n + 2; a new file gets the newest schema at once."""


class Index:
    """An open index. All writing goes through ``connection`` while holding ``lock``; reading goes through ``rows``.

    On disk every reader has a connection of its own: a slow query neither waits for a store nor delays one (WAL).
    In memory there is one connection for all, and a reader takes its whole answer under the lock.
    """

    def __init__(self, path: Path | None, *, full_sync: bool, busy_timeout_seconds: float, read_only: bool) -> None:
        self.path = path
        self.lock = threading.RLock()
        self.read_only = read_only
        self._full_sync = full_sync
        self._busy_timeout_seconds = busy_timeout_seconds
        self._idle: list[sqlite3.Connection] = []
        self._database = self._connect()

    @classmethod
    def open(
        cls,
        path: Path | None,
        *,
        full_sync: bool = False,
        busy_timeout_seconds: float = 5.0,
        read_only: bool = False,
        migrations: Sequence[Migration] = MIGRATIONS,
    ) -> Index:
        """Open or create the index; None keeps it in memory.

        Raises SchemaError when a newer mockpacs wrote the file, sqlite3.DatabaseError when it is not an index at all.
        """
        index = cls(path, full_sync=full_sync, busy_timeout_seconds=busy_timeout_seconds, read_only=read_only)
        try:
            _bring_up_to_date(index.connection, migrations, read_only=read_only)
        except BaseException:
            index.close()
            raise
        return index

    @property
    def connection(self) -> sqlite3.Connection:
        """The writing connection, for the holder of ``lock``, in autocommit mode: BEGIN and COMMIT are said aloud."""
        connection: sqlite3.Connection = self._database.connection()  # type: ignore[no-untyped-call]
        return connection

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All or nothing, and nobody else writes meanwhile."""
        with self.lock:
            connection = self.connection
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    def begin_at_once(self) -> bool:
        """Begin a transaction, for the holder of ``lock``; False when another process has one: it is not waited for."""
        connection = self.connection
        connection.execute("PRAGMA busy_timeout = 0")
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.Error:
            return False
        finally:
            connection.execute(f"PRAGMA busy_timeout = {round(self._busy_timeout_seconds * 1000)}")
        return True

    def rows(self, query: peewee.Query | str, parameters: Sequence[Any] = ()) -> Iterator[tuple[Any, ...]]:
        """The rows of a peewee query or of SQL text, as tuples, from one snapshot, fetched while asked for. Any thread.

        The models carry no database: several archives can be open in one process, so never call ``query.execute()``.
        """
        text, parameters = (query, parameters) if isinstance(query, str) else self._compiled(query)
        if self.path is None:
            with self.lock:
                rows = self.connection.execute(text, parameters).fetchall()
            yield from rows
            return
        idle = self._idle
        reader = self._reader(idle)
        cursor = reader.cursor()
        try:
            yield from cursor.execute(text, parameters)
        finally:
            cursor.close()
            self._give_back(reader, idle)

    def swap(self, replacement: Index) -> None:
        """Continue with the contents of another index, made beside this one; on disk its file takes this one's name."""
        with self.lock:
            if self.path is None:
                self._database, replacement._database = replacement._database, self._database
                replacement.close()
                return
            assert replacement.path is not None
            replacement.close()
            self.close()
            try:
                for leftover in _companions(self.path):
                    leftover.unlink(missing_ok=True)
                replacement.path.replace(self.path)
            finally:
                self._database = self._connect()

    def checkpoint(self) -> None:
        """Fold the write-ahead log into the file, without making anybody wait; nothing to do in memory."""
        if self.path is None:
            return
        # A connection of its own: on the writing one it would hold up whoever wants to store.
        with closing(sqlite3.connect(_address(self.path, read_only=False), uri=True, isolation_level=None)) as own:
            own.execute(f"PRAGMA synchronous = {'full' if self._full_sync else 'normal'}")
            own.execute("PRAGMA wal_checkpoint(PASSIVE)")

    def close(self) -> None:
        """Close every connection; the last one to leave folds the write-ahead log into the file."""
        with self.lock:
            idle, self._idle = self._idle, []  # readers still at work see that this is no longer their list
            while idle:
                idle.pop().close()
            self._database.close()

    def _compiled(self, query: peewee.Query) -> tuple[str, Sequence[Any]]:
        text, parameters = self._database.get_sql_context().sql(query).query()  # type: ignore[no-untyped-call]
        return text, parameters

    def _connect(self) -> peewee.SqliteDatabase:
        database = peewee.SqliteDatabase(
            _address(self.path, read_only=self.read_only),
            pragmas=self._pragmas(),
            timeout=self._busy_timeout_seconds,
            thread_safe=False,
            check_same_thread=False,
            uri=True,
            cached_statements=256,
        )
        try:
            database.connect()
        except peewee.DatabaseError as wrapped:  # everywhere else the exceptions are those of sqlite3: here too
            original = wrapped.__context__
            raise (original if isinstance(original, sqlite3.Error) else wrapped) from None
        return database

    def _pragmas(self) -> dict[str, Any]:
        if self.path is None:
            return {"foreign_keys": 1}
        pragmas: dict[str, Any] = {"cache_size": -16_384, "mmap_size": 1 << 28, "foreign_keys": 1}
        if self.read_only:
            return pragmas
        # With SQLite's 1000 pages a checkpoint (two fsyncs) came every 190 small instances; 8000 are 32 MiB of log.
        return {
            "journal_mode": "wal",
            "synchronous": "full" if self._full_sync else "normal",
            "wal_autocheckpoint": 8000,
            "journal_size_limit": 1 << 26,
            **pragmas,
        }

    def _reader(self, idle: list[sqlite3.Connection]) -> sqlite3.Connection:
        with suppress(IndexError):
            return idle.pop()
        reader = sqlite3.connect(
            _address(self.path, read_only=True),
            uri=True,
            timeout=self._busy_timeout_seconds,
            isolation_level=None,
            check_same_thread=False,
        )
        reader.execute(f"PRAGMA mmap_size = {1 << 28}")
        return reader

    def _give_back(self, reader: sqlite3.Connection, idle: list[sqlite3.Connection]) -> None:
        with self.lock:
            if idle is self._idle and not self._database.is_closed():
                idle.append(reader)
            else:
                reader.close()


def _address(path: Path | None, *, read_only: bool) -> str:
    if path is None:
        return ":memory:"
    return path.absolute().as_uri() + ("?mode=ro" if read_only else "")


def _companions(path: Path) -> tuple[Path, Path]:
    return path.with_name(path.name + "-wal"), path.with_name(path.name + "-shm")


def move_aside(path: Path) -> Path:
    """Rename an unusable index to ``index.sqlite.broken-N``; its write-ahead log goes along. Returns the new name."""
    number = 1
    while (aside := path.with_name(f"{path.name}.broken-{number}")).exists():
        number += 1
    path.replace(aside)
    for companion, moved in zip(_companions(path), _companions(aside), strict=True):
        if companion.exists():
            companion.replace(moved)
    return aside


def _bring_up_to_date(connection: sqlite3.Connection, migrations: Sequence[Migration], *, read_only: bool) -> None:
    newest = len(migrations) + 1
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    owner = connection.execute("PRAGMA application_id").fetchone()[0]
    empty = not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if not empty and owner != APPLICATION_ID:
        raise sqlite3.DatabaseError("this SQLite file is not an index of mockpacs")
    if version > newest:
        raise SchemaError(
            f"The index has schema version {version}, this mockpacs knows {newest}: use the newer mockpacs that "
            "wrote it, or move index.sqlite away and run `mockpacs archive reindex`."
        )
    if version == newest:
        return
    if read_only:
        raise SchemaError(f"The index has schema version {version}, needed is {newest}: open it for writing once.")
    connection.execute("BEGIN IMMEDIATE")
    try:
        if empty:
            for statement in _schema():
                connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        else:
            for migrate in migrations[version - 1 :]:
                migrate(connection)
        connection.execute(f"PRAGMA user_version = {newest}")
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


@cache
def _schema() -> tuple[str, ...]:
    """The statements that make the tables. Peewee builds them once: every further archive in memory saves 2 ms."""
    database = peewee.SqliteDatabase(":memory:", thread_safe=False)
    try:
        for model in MODELS.values():
            peewee.SchemaManager(model, database).create_all(safe=False)
        rows = database.execute_sql("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL")  # type: ignore[no-untyped-call]
        return tuple(sql for (sql,) in rows)
    finally:
        database.close()
