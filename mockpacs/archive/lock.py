"""One process per archive, and the mark that tells the next one whether this one stopped as it should.

The mark is the text of the lock file: ``pid N`` while the archive is open, ``clean`` once it was closed.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Final

from mockpacs.errors import ArchiveBusyError

NAME: Final = "archive.lock"
_CLEAN: Final = b"clean"


class ArchiveLock:
    """Holds the lock from construction to ``release``; the system drops it when the process dies, however it dies."""

    def __init__(self, root: Path) -> None:
        """Raises ArchiveBusyError when another process, or another archive of this one, has the directory."""
        self._descriptor = os.open(root / NAME, os.O_RDWR | os.O_CREAT, 0o666)
        if not _try_lock(self._descriptor):
            holder = os.pread(self._descriptor, 64, 0) if hasattr(os, "pread") else b""
            os.close(self._descriptor)
            who = holder.decode("ascii", "replace").strip() or "of unknown pid"
            raise ArchiveBusyError(
                f"The storage directory {root} is in use by another process ({who}): "
                "stop that one or choose another directory."
            )
        mark = os.read(self._descriptor, 64)
        self.was_clean = not mark or mark.startswith(_CLEAN)
        previous = os.fstat(self._descriptor).st_mtime
        self.unclean_since = 0.0 if self.was_clean else previous
        """When the session that was not closed began (seconds since 1970, by the clock of the file system)."""
        if self.was_clean:
            self._write(f"pid {os.getpid()}\n".encode("ascii"))
        # else: the mark and its time stay until the repair is done, for it may be killed as well.

    def mark_open(self) -> None:
        """The archive is repaired: from now on only this session needs to be looked at."""
        self._write(f"pid {os.getpid()}\n".encode("ascii"))

    def release(self, *, clean: bool = True) -> None:
        """Let others in. Harmless when said twice."""
        if self._descriptor < 0:
            return
        if clean:
            self._write(_CLEAN + b"\n")
        _unlock(self._descriptor)  # a forked child may still have the descriptor: closing alone would not let go
        os.close(self._descriptor)
        self._descriptor = -1

    def _write(self, text: bytes) -> None:
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        os.ftruncate(self._descriptor, 0)
        os.write(self._descriptor, text)


if sys.platform == "win32":
    import msvcrt

    def _try_lock(descriptor: int) -> bool:
        # A byte far behind the text: what is locked cannot be read by others there.
        os.lseek(descriptor, 1 << 30, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        finally:
            os.lseek(descriptor, 0, os.SEEK_SET)
        return True

    def _unlock(descriptor: int) -> None:
        os.lseek(descriptor, 1 << 30, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    def _try_lock(descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True

    def _unlock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_UN)
