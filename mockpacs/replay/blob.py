"""The data sets of a tape: small ones are in memory, the others in one temporary file that all of them share.

Whoever fills them writes from one thread; afterwards any thread may read.
"""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Iterator
from typing import BinaryIO, Final, NamedTuple, cast

from mockpacs.errors import RecordingError

LARGEST_HELD: Final = 64 << 10
"""Bytes of a data set that stays in memory."""
MOST_HELD: Final = 128 << 20
"""Bytes of all data sets in memory together; what comes then goes to the file, however small it is."""
_TINY: Final = 256
"""Bytes that are held all the same: to know where they are in the file would need as many."""
_BLOCK: Final = 256 << 10


class Spool:
    """The temporary file. It is made when it is needed for the first time, and goes when it is closed."""

    def __init__(self) -> None:
        self._file: BinaryIO | None = None
        self._size = 0
        self._held = 0
        self._is_closed = False
        self._reading = threading.Lock()

    def holds(self, size: int) -> bool:
        """Whether a data set of so many bytes may stay in memory; it counts from then on."""
        if size > LARGEST_HELD or (size > _TINY and self._held + size > MOST_HELD):
            return False
        self._held += size
        return True

    def write(self, data: bytes | bytearray) -> int:
        """Append; returns where it begins in the file. Raises RecordingError when the disk refuses."""
        try:
            if self._file is None:
                # unbuffered: it is written in large pieces
                self._file = cast(BinaryIO, tempfile.TemporaryFile(prefix="mockpacs-", buffering=0))  # noqa: SIM115
            start = self._size
            with memoryview(data) as view:
                while self._size - start < len(view):
                    self._size += self._file.write(view[self._size - start :])
        except OSError as error:
            raise RecordingError(
                f"the data sets of the recording do not fit into {tempfile.gettempdir()}: {error.strerror or error}; "
                "set TMPDIR to a folder with more room"
            ) from error
        return start

    def read(self, start: int, size: int) -> bytes:
        """Bytes that were written. Raises RecordingError when they cannot be read any more."""
        if self._is_closed or self._file is None:
            raise RecordingError("the recording was closed: its data sets cannot be read any more")
        try:
            data = self._read(self._file, start, size)
        except OSError as error:
            raise RecordingError(f"a data set cannot be read back: {error.strerror or error}") from error
        if len(data) < size:
            raise RecordingError("a data set cannot be read back: the temporary file was cut")
        return data

    def close(self) -> None:
        """Let the file go. What is in memory can still be read."""
        self._is_closed = True
        if self._file is not None:
            self._file.close()

    def _read(self, file: BinaryIO, start: int, size: int) -> bytes:
        if hasattr(os, "pread"):
            return os.pread(file.fileno(), size, start)
        with self._reading:
            file.seek(start)
            return file.read(size)


class _Extent(NamedTuple):
    start: int
    size: int


class Blob:
    """A data set as it was encoded."""

    __slots__ = ("_data", "_extents", "_spool", "size")

    def __init__(self, data: bytes, spool: Spool | None = None, extents: tuple[_Extent, ...] = ()) -> None:
        """One that is in memory; others are made by `Filling`."""
        self._data = data
        self._spool = spool
        self._extents = extents
        self.size = sum(extent.size for extent in extents) if extents else len(data)
        """Bytes."""

    def __repr__(self) -> str:
        return f"Blob({self.size} bytes)"

    def blocks(self) -> Iterator[bytes]:
        """All of it in pieces of at most 256 KiB. Raises RecordingError after the tape was closed."""
        if self._spool is None:
            if self._data:
                yield self._data
            return
        for start, size in self._extents:
            for at in range(0, size, _BLOCK):
                yield self._spool.read(start + at, min(_BLOCK, size - at))

    def read(self) -> bytes:
        """All of it at once. Raises RecordingError after the tape was closed."""
        return self._data if self._spool is None else b"".join(self.blocks())

    def head(self, size: int) -> bytes:
        """The first bytes, at most so many. Raises RecordingError after the tape was closed."""
        if self._spool is None:
            return self._data[:size]
        found = bytearray()
        for block in self.blocks():
            found += block
            if len(found) >= size:
                break
        return bytes(found[:size])


class Filling:
    """A data set while it comes."""

    __slots__ = ("_extents", "_held", "_spool")

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._held = bytearray()
        self._extents: list[_Extent] = []

    def add(self, data: bytes | memoryview) -> None:
        """The next bytes, valid during the call. Raises RecordingError when the disk refuses."""
        self._held += data
        if len(self._held) > LARGEST_HELD:
            self._spill()

    def blob(self) -> Blob:
        """There are no more. Raises RecordingError when the disk refuses."""
        held = self._held
        if not self._extents and self._spool.holds(len(held)):
            return Blob(bytes(held))
        if held:
            self._spill()
        return Blob(b"", self._spool, tuple(self._extents))

    def _spill(self) -> None:
        start, size = self._spool.write(self._held), len(self._held)
        self._held = bytearray()
        if self._extents and sum(self._extents[-1]) == start:
            last = self._extents[-1]
            self._extents[-1] = _Extent(last.start, last.size + size)
        else:
            self._extents.append(_Extent(start, size))
