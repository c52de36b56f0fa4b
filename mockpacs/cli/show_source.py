"""The recording that is shown: a file, or what comes on the standard input, which is kept in a temporary one."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final

from mockpacs.cli.show_words import Asked
from mockpacs.errors import RecordingError
from mockpacs.traffic.recording.recording import Recording

_PIECE: Final = 1 << 20
_HEAD_SECONDS: Final = 600.0


class Opened:
    """A recording with what is known of its source."""

    def __init__(self, recording: Recording, ended: threading.Event | None) -> None:
        self.recording = recording
        self._ended = ended

    @property
    def is_file(self) -> bool:
        """Whether it will be there the next time."""
        return self._ended is None

    @property
    def has_ended(self) -> bool:
        """Whether nothing can come any more; of a file that is never known."""
        return self._ended is not None and self._ended.is_set()


@contextlib.contextmanager
def opened(where: Asked, *, follow: bool = False) -> Iterator[Opened]:
    """Open what the user named. Raises RecordingError.

    The standard input is read to its end first, or, with ``follow``, further and further while it is shown.
    """
    if where.path is not None:
        yield Opened(Recording.open(where.path), None)
        return
    if sys.stdin.isatty():
        raise RecordingError("the standard input is a terminal; give a file, or send a capture into this command")
    with tempfile.TemporaryDirectory(prefix="mockpacs-") as folder:
        path = Path(folder) / "standard-input"
        ended, begun = threading.Event(), threading.Event()
        with path.open("wb", buffering=0) as file:
            if follow:
                threading.Thread(target=_pump, args=(file, begun, ended), daemon=True).start()
                begun.wait(_HEAD_SECONDS)
            else:
                _pump(file, begun, ended)
            try:
                yield Opened(Recording.open(path), ended)
            except RecordingError as error:  # nobody knows the temporary file
                raise RecordingError(str(error).replace(str(path), where.name)) from error


def _pump(file: IO[bytes], begun: threading.Event, ended: threading.Event) -> None:
    with contextlib.suppress(OSError, ValueError):  # nobody needs it any more
        while piece := os.read(sys.stdin.fileno(), _PIECE):
            file.write(piece)
            begun.set()
    begun.set()
    ended.set()
