"""Reading rows of the index for a query: first the ids that may match, then their values in blocks.

Between two blocks nothing is held, neither a lock nor a snapshot: a client that reads slowly delays nobody, and the
next block may be read by another thread.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, Final, Protocol

from mockpacs.archive.columns import TABLE
from mockpacs.archive.index import Level
from mockpacs.archive.model import DEPTH, LEVELS
from mockpacs.archive.prefilter import Condition

Row = tuple[Any, ...]

FIRST_BLOCK: Final = 50
"""Rows of the first block: small, so that the first answer leaves soon."""
BLOCK: Final = 500

_SAMPLE: Final = {
    Level.PATIENT: (
        "(SELECT min(i.id) FROM instance AS i WHERE i.series = (SELECT min(e.id) FROM series AS e WHERE e.study = "
        '(SELECT min(s.id) FROM study AS s WHERE s.patient = "patient"."id")))'
    ),
    Level.STUDY: (
        "(SELECT min(i.id) FROM instance AS i WHERE i.series = "
        '(SELECT min(e.id) FROM series AS e WHERE e.study = "study"."id"))'
    ),
    Level.SERIES: '(SELECT min(i.id) FROM instance AS i WHERE i.series = "series"."id")',
    Level.IMAGE: '"instance"."id"',
}


class Rows(Protocol):
    """What is needed of the index: rows of a statement, as tuples."""

    def rows(self, query: str, parameters: Sequence[Any] = ()) -> Iterator[Row]:
        """Run a statement and give its rows."""
        ...


def ids(index: Rows, level: Level, conditions: Sequence[tuple[Level, Condition]]) -> list[int]:
    """The ids of the rows of a level that meet the conditions, in the order they were stored.

    They are sorted here: an ORDER BY could talk SQLite into reading the table in that order instead of using an index.
    """
    statement, parameters = ids_statement(level, conditions)
    return sorted(row[0] for row in index.rows(statement, parameters))


def ids_statement(level: Level, conditions: Sequence[tuple[Level, Condition]]) -> tuple[str, list[str]]:
    """The statement behind ``ids``: it joins no table without a condition."""
    top = min((DEPTH[at] for at, _ in conditions), default=DEPTH[level])
    statement = f'SELECT "{TABLE[level]}"."id" FROM {_joined(level, top)}'
    if conditions:
        statement += " WHERE " + " AND ".join(found.sql for _, found in conditions)
    return statement, [parameter for _, found in conditions for parameter in found.parameters]


def blocks(index: Rows, level: Level, columns: Sequence[str], wanted: Sequence[int]) -> Iterator[list[Row]]:
    """Columns (SQL expressions over the tables of the level and above) of the wanted ids, block by block."""
    statement = rows_statement(level, columns)
    start, size = 0, FIRST_BLOCK
    while start < len(wanted):
        yield list(index.rows(statement, (json.dumps(wanted[start : start + size]),)))
        start, size = start + size, BLOCK


def rows_statement(level: Level, columns: Sequence[str]) -> str:
    """The statement behind ``blocks``. CROSS JOIN makes SQLite begin at the table of the ids."""
    return (
        f"SELECT {', '.join(columns)} FROM {_joined(level, 0, 'CROSS JOIN')} "
        f'WHERE "{TABLE[level]}"."id" IN (SELECT value FROM json_each(?)) ORDER BY "{TABLE[level]}"."id"'
    )


def sample_path(level: Level) -> str:
    """The path of the file that speaks for an entity, as an SQL expression: its own, or that of its first instance."""
    return f"(SELECT f.path FROM instance AS f WHERE f.id = {_SAMPLE[level]})"


def _joined(level: Level, top: int, join: str = "JOIN") -> str:
    tables = [TABLE[each] for each in LEVELS[top : DEPTH[level] + 1]][::-1]
    return f'"{tables[0]}"' + "".join(
        f' {join} "{upper}" ON "{upper}"."id" = "{lower}"."{upper}"' for lower, upper in pairwise(tables)
    )
