"""The file of an index: how it is opened, whether it is the one that is wanted, and how a new one comes to its name."""

from __future__ import annotations

import os
import sqlite3
import tempfile
from pathlib import Path
from typing import Final

from mockpacs.traffic.index.identity import remove_leftovers, temporary_prefix

APPLICATION_ID: Final = 0x4D505254  # "MPRT": `file REC.pcapng.db` can tell whose it is
SCHEMA_VERSION: Final = 2
"""Raised whenever a table or the meaning of a column changes: older indexes are then built again."""


def connect(path: Path) -> sqlite3.Connection:
    """For reading only; nobody writes, so nothing needs to be locked, and the folder may be read-only."""
    address = path.absolute().as_uri() + "?mode=ro&immutable=1"
    connection = sqlite3.connect(address, uri=True, isolation_level=None, check_same_thread=False)
    connection.execute(f"PRAGMA mmap_size = {1 << 30}")
    connection.execute("PRAGMA trusted_schema = 0")  # the file may have come with a recording from elsewhere
    return connection


def fits(connection: sqlite3.Connection, path: Path, identity: str) -> bool:
    """Whether this is an index of ours, whole as far as its size tells, and of this recording."""

    def pragma(name: str) -> int:
        return int(connection.execute(f"PRAGMA {name}").fetchone()[0])

    if (pragma("application_id"), pragma("user_version")) != (APPLICATION_ID, SCHEMA_VERSION):
        return False
    if pragma("page_count") * pragma("page_size") != path.stat().st_size:
        return False
    return connection.execute("SELECT identity FROM recording").fetchall() == [(identity,)]


def temporary(path: Path) -> Path | None:
    """A new file beside the index, for us alone to read; None where the folder cannot be written."""
    remove_leftovers(path)
    try:
        descriptor, name = tempfile.mkstemp(".tmp", f"{temporary_prefix(path)}{os.getpid()}-", path.parent)
    except OSError:
        return None
    os.close(descriptor)
    return Path(name)


def sync(path: Path) -> None:
    """To the disk before it gets its name: after a loss of power an empty file would be there under that name."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
