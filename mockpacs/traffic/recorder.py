"""The recorder: what crosses the wire, in a pcapng file that Wireshark opens as it is. It interprets nothing.

Everything happens in the thread of the event loop, and what is staged is written before anything leaves the process:
whoever kills it finds in the file all that a peer was told.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from mockpacs.errors import RecordingError
from mockpacs.traffic import folder as folders
from mockpacs.traffic.pcapng import USER_APPLICATION, section
from mockpacs.traffic.track import Track

_WRITE_AT_ONCE: Final = 512
"""Pieces given to one system call; POSIX promises 1024."""
_CAN_GATHER: Final = hasattr(os, "writev")
_WARNING: Final = "NOT FOR CLINICAL USE. May contain patient data."


class Part:
    """One file of a recording; open for as long as a connection may have to be repeated from it."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self.descriptor = descriptor
        self.tenants = 1  # the recorder, and every track whose bytes are here

    def leave(self) -> None:
        """One tenant less; the last one closes the file."""
        self.tenants -= 1
        if not self.tenants and self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1  # its number may soon be that of another file


class Recorder:
    """A recording that is being made. A failure to write is final: `failure` says why, and nothing more is taken."""

    def __init__(
        self,
        folder: Path,
        version: str,
        *,
        facts: Sequence[str] = (),
        part_size: int = 0,
        total_size: int = 0,
    ) -> None:
        """Create the file. Raises RecordingError when that cannot be done.

        ``facts`` are lines for the section's comment (scenario, seed). A file that has ``part_size`` bytes is followed
        by another one; the oldest recordings of the folder are deleted when all have more than ``total_size``. 0 is no
        limit.
        """
        self._folder = folder
        self._version = version
        self._facts = list(facts)
        self._part_size = part_size
        self._total_size = total_size
        self.on_failure: Callable[[RecordingError], object] | None = None
        self._started = time.time()
        # one clock for all times: differences are exact, whatever somebody does to the wall clock meanwhile
        self._wall = time.time_ns() - time.perf_counter_ns()
        self._pieces: list[bytes | memoryview] = []
        self._number = 0
        self._is_empty = True
        self.failure: RecordingError | None = None
        self.size = 0
        """Bytes of the current file, what is staged included: where the next block will begin."""
        self._good = 0  # without what is staged
        self.part: Part
        self._begin_part("")

    @property
    def path(self) -> Path:
        """The file that is being written."""
        return self.part.path

    def now(self) -> int:
        """Nanoseconds since 1970."""
        return self._wall + time.perf_counter_ns()

    def track(
        self,
        number: int,
        peer: tuple[str, int],
        local: tuple[str, int],
        *,
        security: str = "",
        by_us: bool = False,
        cause: str = "",
    ) -> Track:
        """Begin to record a connection that ``peer`` opened, or ``by_us``: that we did, to ``peer``.

        ``security`` names what TLS agreed on, ``cause`` the exchange it was opened for, as ``3.1``.
        """
        self._is_empty = False
        return Track(self, number, peer, local, security, by_us=by_us, cause=cause)

    def stage(self, pieces: Sequence[bytes | memoryview]) -> None:
        """Take a block; it is in the file after the next `flush`."""
        self._pieces += pieces
        for piece in pieces:
            self.size += len(piece)

    def flush(self) -> bool:
        """Write what is staged. False when it could not be written, now or before."""
        pieces = self._pieces
        if self.failure is None and pieces:
            try:
                _write(self.part.descriptor, pieces)
                self._good = self.size
            except OSError as error:
                self._fail(error)
        pieces.clear()
        return self.failure is None

    def turn_page(self) -> None:
        """Go on in a new file when this one is large enough; called between blocks."""
        if self._part_size and self.size >= self._part_size and self.flush():
            try:
                self._begin_part(folders.stem_of(self.part.path))
            except RecordingError as error:
                self._fail(error)

    def close(self) -> None:
        """Write what is staged and close the file. Without any connection nothing is left of it."""
        self.flush()
        self._part_size = 0  # whoever is still there does not begin another part
        if self._is_empty:
            with contextlib.suppress(OSError):
                self.path.unlink()
        self.part.leave()

    def _begin_part(self, stem: str) -> None:
        self._number += 1
        try:
            head = self._section(stem)
            path, descriptor = self._new_file(head, stem)
            if stem:
                self.part.leave()
            self.part = Part(path, descriptor)
            self.size = self._good = len(head)
            if self._total_size:
                folders.make_room(self._folder, self._total_size, path)
        except OSError as error:
            where = getattr(error, "filename", None) or self._folder
            text = f"the recording cannot be written: {error.strerror} ({where})"
            raise RecordingError(f"{text}; choose another folder with --recordings, or --no-record") from error

    def _new_file(self, head: bytes, stem: str) -> tuple[Path, int]:
        """A file that begins with ``head``, or none. Raises OSError."""
        path, descriptor = folders.create(self._folder, self._started, self._number, stem)
        try:
            _write(descriptor, [head])
        except OSError:
            os.close(descriptor)
            path.unlink(missing_ok=True)
            raise
        return path, descriptor

    def _section(self, stem: str) -> bytes:
        comments = [_WARNING, *self._facts]
        if stem:
            comments.append(f"part {self._number} of the recording that begins in {stem}.pcapng")
        return section(f"{USER_APPLICATION} {self._version}", os.name, comments)

    def _fail(self, error: OSError | RecordingError) -> None:
        if isinstance(error, OSError):
            with contextlib.suppress(OSError):
                os.ftruncate(self.part.descriptor, self._good)  # half a block is no use to anybody
            error = RecordingError(f"the recording cannot be written: {error.strerror} ({self.part.path})")
        self.failure = error
        if self.on_failure:
            self.on_failure(error)


def _write(descriptor: int, pieces: Sequence[bytes | memoryview]) -> None:
    """All of it, whatever a system call takes at once. Raises OSError."""
    if not _CAN_GATHER:
        pieces = [b"".join(pieces)]
    for first in range(0, len(pieces), _WRITE_AT_ONCE):
        some = pieces[first : first + _WRITE_AT_ONCE]
        written = os.writev(descriptor, some) if _CAN_GATHER else os.write(descriptor, some[0])
        if written < sum(map(len, some)):
            _write_rest(descriptor, memoryview(b"".join(some))[written:])


def _write_rest(descriptor: int, rest: memoryview) -> None:
    while rest:
        rest = rest[os.write(descriptor, rest) :]
