"""Where the bytes of a capture come from: a file that is mapped, or a stream that is read once: a pipe, a gzip file."""

from __future__ import annotations

import gzip
import mmap
import os
import stat
import zlib
from pathlib import Path
from typing import BinaryIO, Final, Protocol, cast

from mockpacs.errors import RecordingError
from mockpacs.traffic.capture.packet import Problems

_READ_SIZE: Final = 1 << 20
_GZIP: Final = b"\x1f\x8b"


class Source(Protocol):
    """Gives the bytes from a position on, and more of them when it is asked again."""

    def window(self, position: int) -> tuple[memoryview, int] | None:
        """A view and where in the file it begins, at ``position`` or before; None when there is nothing new."""

    def last(self, position: int) -> tuple[memoryview, int]:
        """The same view again, also when there is nothing new."""

    def close(self) -> None:
        """Let go of the file."""


class Mapped:
    """A regular file. It is mapped anew when it has grown; the views of before stay valid."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._view = memoryview(b"")

    def window(self, position: int) -> tuple[memoryview, int] | None:
        """See `Source`."""
        size = os.fstat(self._file.fileno()).st_size
        if size <= len(self._view):
            return None
        try:
            self._view = memoryview(mmap.mmap(self._file.fileno(), size, access=mmap.ACCESS_READ))
        except OSError as error:
            raise RecordingError(f"{self._file.name} cannot be read: {error.strerror}") from error
        return self._view, 0

    def last(self, position: int) -> tuple[memoryview, int]:
        """See `Source`."""
        return self._view, 0

    def close(self) -> None:
        """The map goes when the last view goes."""
        self._file.close()
        self._view = memoryview(b"")


class Streamed:
    """What can only be read from begin to end. It keeps what was not used yet."""

    def __init__(self, file: BinaryIO, problems: Problems, *below: BinaryIO) -> None:
        """``below``: files that ``file`` reads from and does not close."""
        self._file = file
        self._below = below
        self._problems = problems
        self._base = 0
        self._held = b""
        self._failed = False

    def window(self, position: int) -> tuple[memoryview, int] | None:
        """See `Source`; waits as long as the stream lets it wait."""
        chunk = self._read()
        if not chunk:
            return None
        self._held = self._held[position - self._base :] + chunk
        self._base = position
        return memoryview(self._held), self._base

    def last(self, position: int) -> tuple[memoryview, int]:
        """See `Source`."""
        return memoryview(self._held), self._base

    def close(self) -> None:
        """See `Source`."""
        for file in (self._file, *self._below):
            file.close()

    def _read(self) -> bytes:
        if self._failed:
            return b""
        read = getattr(self._file, "read1", self._file.read)  # read1 gives what is there, read waits for all of it
        try:
            return cast(bytes, read(_READ_SIZE))
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            self._failed = True
            self._problems.say(f"the compressed file is cut or damaged ({error}); what came before is used")
        except OSError as error:
            self._failed = True
            self._problems.say(f"the file cannot be read any further: {error.strerror or error}")
        return b""


def open_source(path: Path, problems: Problems) -> Source:
    """The bytes of a file, unpacked when it is a gzip file. Raises RecordingError when it cannot be opened."""
    try:
        file = path.open("rb")
        try:
            if file.peek(len(_GZIP)).startswith(_GZIP):
                return Streamed(cast(BinaryIO, gzip.GzipFile(fileobj=file)), problems, file)
            is_regular = stat.S_ISREG(os.fstat(file.fileno()).st_mode)
            return Mapped(file) if is_regular else Streamed(file, problems)
        except OSError:
            file.close()
            raise
    except OSError as error:
        raise RecordingError(f"{path} cannot be read: {error.strerror}") from error
