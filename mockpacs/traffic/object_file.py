"""Instances as DICOM files in a folder: written as they come, under harmless names that never overwrite anything."""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path
from typing import BinaryIO, Final

from mockpacs.errors import RecordingError
from mockpacs.wire.part10 import FileMeta, encode_head, guess_transfer_syntax

_HARMLESS: Final = re.compile(r"[^0-9A-Za-z.-]+")
_LONGEST_NAME: Final = 64  # PS3.5 9.1: a UID has no more characters


class ObjectFile:
    """One instance that is being written; `finish` gives it its name, `discard` leaves nothing behind.

    Raises RecordingError when the disk refuses.
    """

    def __init__(self, folder: Path, meta: FileMeta) -> None:
        """``meta`` without a transfer syntax: it is guessed from how the data set begins."""
        self._folder = folder
        self._meta = meta
        self._stem = harmless_name(meta.sop_instance)
        self._partial = folder / f".{self._stem}.{os.getpid()}-{id(self):x}.part"
        self._file: BinaryIO | None = None
        self._begin = b""
        self.size = 0
        """Bytes of the data set so far."""

    def write(self, data: bytes | memoryview) -> None:
        """The next bytes of the data set."""
        self.size += len(data)
        if self._file is None and not self._meta.transfer_syntax:
            self._begin += data
            if len(self._begin) < 8:
                return
            data, self._begin = self._begin, b""
            self._meta = self._meta._replace(transfer_syntax=guess_transfer_syntax(bytes(data[:8])))
        try:
            if self._file is None:
                self._file = self._partial.open("xb")
                self._file.write(encode_head(self._meta))
            self._file.write(data)
        except OSError as error:
            raise self._refused(error) from error

    def finish(self) -> Path | None:
        """Close it and return where it is; None, and nothing left behind, when there is no data set to speak of."""
        if self._file is None or not self._meta.transfer_syntax:
            self.discard()
            return None
        try:
            self._file.close()
            path = self._free_path()
            self._partial.rename(path)
        except OSError as error:
            raise self._refused(error) from error
        return path

    def discard(self) -> None:
        """Leave nothing behind."""
        if self._file is not None:
            self._file.close()
            with contextlib.suppress(OSError):
                self._partial.unlink()

    def _free_path(self) -> Path:
        path, count = self._folder / f"{self._stem}.dcm", 1
        while path.exists():
            count += 1
            path = self._folder / f"{self._stem}-{count}.dcm"
        return path

    def _refused(self, error: OSError) -> RecordingError:
        self.discard()
        return RecordingError(f"{self._folder}: objects cannot be written there: {error.strerror or error}")


def harmless_name(uid: str) -> str:
    """A name made of a UID: letters, digits, dots and dashes, not hidden, at most 64 characters."""
    name = _HARMLESS.sub("_", uid)[:_LONGEST_NAME].strip(".")
    return name if name.strip("_") else "without-uid"
