"""The bytes of data sets, without ever holding a large one: compared as they come, read from a mapped file."""

from __future__ import annotations

import mmap
from tempfile import TemporaryFile, gettempdir
from typing import Final

from mockpacs.errors import RecordingError
from mockpacs.replay.blob import Blob

IN_MEMORY: Final = 8 << 20
"""Bytes of a data set that is read as a whole; a longer one is mapped, so that the system holds what is looked at."""
_PIECE: Final = 1 << 20


def viewed(content: Blob) -> memoryview:
    """The bytes; those of a large data set are in a file that goes when nobody looks any more.

    Raises RecordingError when they cannot be read, or when there is no room for the file.
    """
    if content.size <= IN_MEMORY:
        return memoryview(content.read())
    try:
        # the map outlives the file, and ends with the last view of it
        with TemporaryFile(prefix="mockpacs-") as file:
            for block in content.blocks():
                file.write(block)
            file.flush()
            return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    except OSError as error:
        raise RecordingError(
            f"a data set of {content.size} bytes does not fit into {gettempdir()}: {error.strerror or error}; "
            "set TMPDIR to a folder with more room, or compare with --no-data"
        ) from error


def same(left: Blob, right: Blob) -> bool:
    """Whether they are equal byte by byte; two pieces are held at a time."""
    if left.size != right.size:
        return False
    if left.size <= _PIECE:
        return left.read() == right.read()
    ours, theirs = left.blocks(), right.blocks()
    one = other = memoryview(b"")
    while True:
        one = one if len(one) else memoryview(next(ours, b""))
        other = other if len(other) else memoryview(next(theirs, b""))
        length = min(len(one), len(other))
        if not length:
            return len(one) == len(other)
        # memoryviews are compared byte by byte, bytes by the library of C
        if bytes(one[:length]) != bytes(other[:length]):
            return False
        one, other = one[length:], other[length:]


def same_bytes(left: memoryview, right: memoryview) -> bool:
    """The same for what is at hand."""
    return len(left) == len(right) and all(
        bytes(left[at : at + _PIECE]) == bytes(right[at : at + _PIECE]) for at in range(0, len(left), _PIECE)
    )


def first_difference(left: memoryview, right: memoryview) -> int | None:
    """The first position at which they are not the same, None when they are."""
    shorter = min(len(left), len(right))
    for at in range(0, shorter, _PIECE):
        one, other = bytes(left[at : at + _PIECE]), bytes(right[at : at + _PIECE])
        if one[: len(other)] != other[: len(one)]:
            low, high = 0, min(len(one), len(other))
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (low, middle) if one[low:middle] != other[low:middle] else (middle, high)
            return at + low
    return None if len(left) == len(right) else shorter
