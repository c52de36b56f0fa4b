"""A recording with some of its connections only: the packets are copied as they are."""

from __future__ import annotations

import contextlib
from collections.abc import Collection
from pathlib import Path

from mockpacs.errors import RecordingError
from mockpacs.replay.tape import Tape
from mockpacs.traffic.raw import RawReader

_BUFFER = 1 << 20


def trim(tape: Tape, path: Path) -> None:
    """Write the packets of the associations of a tape to a file, which is made.

    It has the format of the recording, pcapng or pcap, and is not compressed. Raises RecordingError.
    """
    wanted = {taped.number for taped in tape.associations}
    try:
        with path.open("xb", buffering=_BUFFER) as file, contextlib.closing(RawReader(tape.parts[0])) as reader:
            for part in tape.parts:
                if part != tape.parts[0]:
                    reader.turn_to(part)
                for number, data in reader.more():
                    if _is_wanted(number, wanted):
                        file.write(data)
    except OSError as error:
        raise RecordingError(f"{path} cannot be written: {error.strerror or error}") from error


def _is_wanted(number: int | None, wanted: Collection[int]) -> bool:
    """Whether packets of a connection are copied; what belongs to none are sections and interfaces."""
    return number is None or number in wanted
