"""A recording as what was done on its associations, step by step: what replay, diff, distill and redact work with.

It is read once, in one pass. Data sets of more than 64 KiB are in a temporary file that goes with the tape.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

from mockpacs.replay.association import TapedAssociation
from mockpacs.replay.blob import Blob, Spool
from mockpacs.replay.reading import Pass
from mockpacs.replay.step import Control, Ending, Gap, Noise, Said, Step
from mockpacs.traffic.filter import Filter
from mockpacs.traffic.recording.about import About
from mockpacs.traffic.recording.recording import Recording

__all__ = ["Blob", "Control", "Ending", "Gap", "Noise", "Said", "Step", "Tape", "TapedAssociation"]


class Tape:
    """A recording of ours or a capture of others. Close it when no data set is read any more."""

    def __init__(self, recording: Recording, spool: Spool, read: Pass) -> None:
        """See `open`."""
        self.parts: tuple[Path, ...] = recording.parts
        """The files it was read from, in their order."""
        self.about: About = recording.about
        self.associations: tuple[TapedAssociation, ...] = read.associations()
        """In the order opened. With a filter those of which it wants something, and the legs of their retrieves."""
        self.problems: list[str] = read.problems
        """What could not be read, a sentence each."""
        self.left_out: str = read.left_out
        """A sentence about the connections that had nothing to do with DICOM, "" when there were none."""
        self._spool = spool

    @classmethod
    def open(cls, path: Path, *, filter: Filter | None = None) -> Tape:  # noqa: A002
        """Read a recording; the first part of one of ours stands for all of them.

        Raises RecordingError when a file cannot be opened or is no capture, or when the temporary file has no room.
        """
        recording, spool = Recording.open(path), Spool()
        try:
            read = Pass(recording, spool, filter)
            read.run()
            return cls(recording, spool, read)
        except BaseException:
            spool.close()
            raise

    def __iter__(self) -> Iterator[TapedAssociation]:
        return iter(self.associations)

    def __len__(self) -> int:
        return len(self.associations)

    def close(self) -> None:
        """Let the temporary file go. What is not in it can still be looked at."""
        self._spool.close()

    def __enter__(self) -> Tape:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.close()
