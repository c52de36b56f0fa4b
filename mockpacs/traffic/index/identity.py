"""Which recording an index belongs to, where it lies, and whether one is worth its while."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

WORTH_INDEXING: Final = 8 << 20
"""Bytes of a recording from which on it gets an index.

What takes time is exchanges, not bytes, and nobody knows their number before reading. The smallest take some 400 bytes
of a recording, so below this there are 20 000 at most: read in a second and a half, those of a usual recording with
images at once, and no second file with patient data appears beside it. Above it the wait grows with the file, while an
index answers in milliseconds. Making one costs up to as much again as the reading, once.
"""
_HEAD: Final = 4096
"""Bytes at the begin of a file that tell it from another of the same size: the section header has the time of start."""


def is_worth_indexing(parts: Sequence[Path]) -> bool:
    """Whether a recording with these files is so long that reading all of it for every question is felt."""
    return sum(part.stat().st_size for part in parts) >= WORTH_INDEXING


def index_path(recording: Path) -> Path:
    """``session.pcapng.db`` beside ``session.pcapng``."""
    return recording.with_name(recording.name + ".db")


def identity_of(parts: Sequence[Path]) -> str:
    """Name, size, time of change and a hash of the first bytes of every file; raises OSError when one is not there."""
    return json.dumps([_file(part) for part in parts])


def remove_leftovers(path: Path) -> None:
    """Remove what killed processes left of their building of this index. It is no harm when that fails."""
    prefix = temporary_prefix(path)
    try:
        found = [one for one in path.parent.iterdir() if one.name.startswith(prefix)]
    except OSError:
        return
    for one in found:
        pid = one.name.removeprefix(prefix).partition("-")[0]
        if pid.isdecimal() and _is_gone(int(pid)):
            _remove(one)


def temporary_prefix(path: Path) -> str:
    """How the names of files begin that are to become this index; then come the process id and a random end."""
    return f".{path.name}-"


def _file(part: Path) -> tuple[str, int, int, str]:
    with part.open("rb") as file:
        status = os.fstat(file.fileno())
        return os.fsencode(part.name).hex(), status.st_size, status.st_mtime_ns, _hash(file.read(_HEAD))


def _hash(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def _is_gone(pid: int) -> bool:
    """Only where asking does no harm: on Windows signal 0 is not a question."""
    if os.name != "posix" or pid == os.getpid():
        return False
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return True
    except OSError:
        return False
    return False


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError:
        return
