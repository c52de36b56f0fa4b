"""The folder of recordings: names of new files, which belong together, and what goes when there is too much.

It never touches a file that is not named like a recording, nor one that somebody still writes.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

if sys.platform != "win32":
    import fcntl

_RECORDING: Final = re.compile(r"\d{8}-\d{6}[a-z]*(?:-(\d+))?\.pcapng")
_STAMP_LENGTH: Final = len("20260112-140500")
_LETTERS: Final = "abcdefghijklmnopqrstuvwxyz"


def create(folder: Path, started: float, part: int, stem: str = "") -> tuple[Path, int]:
    """Make the file of a new recording, or of a later part of the one named ``stem``: (path, open descriptor).

    The folder is made when missing, for the owner alone: recordings hold patient data. Raises OSError.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for candidate in [stem] if stem else _stems(started):
        path = folder / f"{candidate}{f'-{part}' if part > 1 else ''}.pcapng"
        with contextlib.suppress(FileExistsError):
            return path, _open(path)
    raise FileExistsError(17, "all names of this second are taken", str(folder))


def recordings(folder: Path) -> list[Path]:
    """The files of a folder that are named like recordings, the oldest first, parts of one in their order."""
    try:
        found = [path for path in folder.iterdir() if _RECORDING.fullmatch(path.name)]
    except OSError:
        return []
    return sorted(found, key=_age)


def _age(path: Path) -> tuple[str, int, str, int]:
    """Ascending from the oldest: the second, then the letters as `_stems` gives them, then the part."""
    stem = stem_of(path)
    return stem[:_STAMP_LENGTH], len(stem), stem, part_of(path)


def part_of(path: Path) -> int:
    """Which part of its recording a file is, from 1."""
    named = _RECORDING.fullmatch(path.name)
    return int(named[1]) if named and named[1] else 1


def stem_of(path: Path) -> str:
    """What the parts of one recording have in common."""
    return path.stem.removesuffix(f"-{part_of(path)}") if part_of(path) > 1 else path.stem


def make_room(folder: Path, most: int, current: Path) -> list[Path]:
    """Delete the oldest recordings until all together have at most ``most`` bytes; returns what went.

    What another process still writes is left, and so is ``current``.
    """
    files = [(path, size) for path in recordings(folder) if (size := _size(path)) is not None]
    total = sum(size for _, size in files)
    gone = []
    for path, size in files:
        if total <= most:
            break
        if path != current and not _is_written(path):
            with contextlib.suppress(OSError):
                path.unlink()
                path.with_name(path.name + ".db").unlink(missing_ok=True)
                gone.append(path)
                total -= size
    return gone


def _stems(started: float) -> Iterator[str]:
    """Names for one second: plain, then with a letter, then with two."""
    stamp = time.strftime("%Y%m%d-%H%M%S", time.localtime(started))
    yield stamp
    yield from (stamp + letter for letter in _LETTERS)
    yield from (stamp + first + second for first in _LETTERS for second in _LETTERS)


def _open(path: Path) -> int:
    flags = os.O_CREAT | os.O_EXCL | os.O_RDWR | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
    descriptor = os.open(path, flags, 0o600)
    if sys.platform != "win32":
        with contextlib.suppress(OSError):  # a file system without locks: then old recordings are told by age alone
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return descriptor


def _is_written(path: Path) -> bool:
    """Whether a server is at it; it holds a lock for as long as it lives."""
    if sys.platform == "win32":
        return False  # there the file of somebody else cannot be deleted while it is open
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None
