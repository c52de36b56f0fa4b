"""Building an index: tables, rows, the indexes of the tables once they are full, and what was counted."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeAlias

from mockpacs.traffic.exchange import Record
from mockpacs.traffic.index.file import APPLICATION_ID, SCHEMA_VERSION
from mockpacs.traffic.index.tables import schema
from mockpacs.traffic.index.writer import Writer
from mockpacs.wire.status import category_of

Attributes: TypeAlias = Mapping[int, Sequence[str]]
"""Values by tag; only the usual ones are kept."""
Progress: TypeAlias = Callable[[int], None]
"""Told now and then how many records are indexed."""

_TOLD_EVERY: Final = 2000


def fill(
    connection: sqlite3.Connection,
    records: Iterable[tuple[Record, Attributes]],
    parts: Sequence[Path],
    identity: str,
    progress: Progress | None,
) -> None:
    """Make the tables and fill them; what is there afterwards is a whole index, unless this raises."""
    # No journal, no syncing: a build that does not come to its end is thrown away.
    for pragma in ("journal_mode = off", "synchronous = off", "locking_mode = exclusive", "cache_size = -65536"):
        connection.execute(f"PRAGMA {pragma}")
    connection.execute("BEGIN")
    for statement in schema().tables:
        connection.execute(statement)
    writer = Writer(connection, parts)
    count = 0
    for count, (record, attributes) in enumerate(records, 1):
        writer.add(record, attributes)
        if progress and count % _TOLD_EVERY == 0:
            progress(count)
    writer.finish()
    for statement in schema().indexes:
        connection.execute(statement)
    counts = json.dumps(_counted(connection))
    connection.execute("INSERT INTO recording VALUES (1, ?, ?, ?)", (identity, writer.first, counts))
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    connection.execute("COMMIT")
    if progress:
        progress(count)


def _counted(connection: sqlite3.Connection) -> dict[str, Any]:
    """The fields of `Counts` but the last."""
    services: Counter[str] = Counter()
    categories: Counter[str] = Counter()
    for count, service, status in connection.execute(
        "SELECT count(*), o.service, o.status FROM exchange AS e JOIN outcome AS o ON o.id = e.outcome GROUP BY o.id"
    ):
        services[service] += count
        categories["failure" if status is None else str(category_of(status))] += count
    (associations,) = connection.execute("SELECT count(DISTINCT number) FROM peer").fetchone()
    exchanges, size = connection.execute("SELECT count(*), coalesce(sum(size), 0) FROM exchange").fetchone()
    (notices,) = connection.execute("SELECT count(*) FROM notice").fetchone()
    return {
        "associations": associations,
        "exchanges": exchanges,
        "notices": notices,
        "by_service": services,
        "by_category": categories,
        "bytes": size,
    }
