"""One data set on its way in: in memory while small, in a temporary file of the archive once somebody spills it.

One thread appends while another spills; the Part 10 head is written first, so that keeping the file is a rename.
Memory is bounded by whoever calls ``spill``; nothing here waits for a peer.
"""

from __future__ import annotations

import itertools
import mmap
import os
import time
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

from mockpacs.wire.part10 import FileMeta, encode_head

_numbers: Final = itertools.count()
_BUFFERS_PER_WRITE: Final = 1000  # IOV_MAX is 1024 wherever there is a writev
_BLOCK: Final = 1 << 20
_FLAGS: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)


class Spool:
    """An incoming data set and what the command said about it. ``incoming`` is None for an archive in memory.

    ``problem`` is set when the disk refused a part of it: the rest is dropped, and the store answers A700.
    """

    def __init__(self, meta: FileMeta, incoming: str | None) -> None:
        self.meta = meta
        self.head = encode_head(meta)
        self.size = 0
        self.begun_at = time.time()
        self.problem: OSError | None = None
        self.temporary: str | None = None
        self._incoming = incoming
        self._fragments: deque[bytes] = deque()
        self._spilled = 0
        self._descriptor = -1

    @property
    def buffered(self) -> int:
        """Bytes of the data set that ``spill`` would take out of memory."""
        return self.size - self._spilled

    def append(self, fragment: bytes | memoryview) -> None:
        """Take the next bytes of the data set. A view is copied, for it shows a receive buffer; bytes are not."""
        if self.problem is None:
            self._fragments.append(bytes(fragment))
        self.size += len(fragment)

    def spill(self) -> None:
        """Write what is in memory to the temporary file. Blocks; any thread, one at a time. See ``problem``."""
        if self._incoming is None:  # here memory is where instances live
            self._spilled = self.size
            return
        # A deque, and only as many as are there now: another thread may append while this one writes.
        taken = [self._fragments.popleft() for _ in range(len(self._fragments))]
        try:
            self._write(taken)
        except OSError:
            self._fragments.clear()
        self._spilled += sum(map(len, taken))

    def finish(self, *, full_sync: bool) -> str:
        """Complete the temporary file and return its path; once complete, just return it. Raises OSError."""
        if self.problem is not None:
            raise self.problem
        if self.temporary is None or self._descriptor >= 0:
            self._write(self._fragments)
            if full_sync:
                os.fsync(self._descriptor)
            self._close()
        assert self.temporary is not None
        return self.temporary

    def release(self) -> None:
        """Let go of an instance that was kept: its file is no longer this spool's."""
        self._fragments.clear()
        self.temporary = None

    def discard(self) -> None:
        """Forget everything; the temporary file goes. Harmless after ``release``, and when said twice."""
        self._fragments.clear()
        self._close()
        if self.temporary is not None:
            Path(self.temporary).unlink(missing_ok=True)

    def prefix(self, length: int) -> bytes:
        """At least the first ``length`` bytes of the data set, or all there are."""
        if self.temporary is not None:
            with self._file() as file:
                return file.read(length)
        if len(self._fragments) == 1:
            return self._fragments[0]
        parts, have = [], 0
        for fragment in self._fragments:
            parts.append(fragment)
            have += len(fragment)
            if have >= length:
                break
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def tail(self, length: int) -> bytes:
        """The last ``length`` bytes of the data set, or fewer when the last fragment is shorter."""
        if self.temporary is None:
            return self._fragments[-1][-length:] if self._fragments else b""
        with self._file() as file:
            file.seek(max(0, self.size - length), os.SEEK_CUR)
            return file.read(length)

    @contextmanager
    def whole(self) -> Iterator[memoryview]:
        """The whole data set in one piece; what was spilled is mapped, not read. Keep no view of it after the block."""
        if self.temporary is None:
            yield memoryview(b"".join(self._fragments))
            return
        with (
            self._file() as file,
            mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped,
            memoryview(mapped) as view,
            view[len(self.head) :] as data,
        ):
            yield data

    def blocks(self) -> Iterator[bytes]:
        """The bytes of the data set in order, in pieces of bounded size."""
        if self.temporary is None:
            yield from self._fragments
            return
        with self._file() as file:
            while block := file.read(_BLOCK):
                yield block

    @contextmanager
    def _file(self) -> Iterator[BinaryIO]:
        """The temporary file at the beginning of the data set; what is still in memory is written first."""
        if self._descriptor >= 0 and self._fragments:
            self.spill()
        if self.problem is not None:
            raise self.problem
        assert self.temporary is not None
        with Path(self.temporary).open("rb") as file:
            file.seek(len(self.head))
            yield file

    def _write(self, fragments: Iterable[bytes]) -> None:
        try:
            if self.temporary is not None:
                _write_all(self._descriptor, list(fragments))
                return
            path = f"{self._incoming}{os.sep}{next(_numbers)}.part"
            self._descriptor = os.open(path, _FLAGS, 0o666)
            self.temporary = path
            _write_all(self._descriptor, [self.head, *fragments])
        except OSError as refused:  # nobody knows how much of it was written: there is no second try
            self.problem = refused
            raise

    def _close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def _write_all(descriptor: int, buffers: list[bytes]) -> None:
    """One writev for a usual instance: as fast as joining the fragments first, without a second copy in memory."""
    if not hasattr(os, "writev"):  # Windows
        buffers = [b"".join(buffers)]
    for first in range(0, len(buffers), _BUFFERS_PER_WRITE):
        some = buffers[first : first + _BUFFERS_PER_WRITE]
        total = sum(map(len, some))
        written = os.writev(descriptor, some) if hasattr(os, "writev") else os.write(descriptor, some[0])
        if written < total:  # a disk about to be full, or more than the 2 GiB one call takes
            _write_rest(descriptor, b"".join(some), written)


def _write_rest(descriptor: int, data: bytes, written: int) -> None:
    with memoryview(data) as view:
        while written < len(view):
            written += os.write(descriptor, view[written:])
