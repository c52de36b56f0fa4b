"""Data sets as pydicom has them, from pieces that are never joined: what is large is copied once, into its value."""

from __future__ import annotations

import io
import zlib
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, Final, cast

from mockpacs.archive import Spool
from mockpacs.wire.dataset import Encoding

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

_INFLATED_AT_MOST: Final = 1 << 30
"""Bytes that a deflated data set may inflate to: a bomb ends here."""


def decode(data: Spool | bytes, transfer_syntax: str) -> Dataset:
    """The data set, with the transfer syntax in its file meta information. A spool can be stored afterwards.

    Raises ValueError with a sentence, OSError when the disk has refused a part of it.
    """
    if isinstance(data, bytes):
        return _decoded([data], transfer_syntax)
    if data.temporary is None:
        return _decoded(list(data.blocks()), transfer_syntax)
    with data.whole() as view:
        return _decoded([view], transfer_syntax)


def _decoded(pieces: Sequence[bytes | memoryview], transfer_syntax: str) -> Dataset:
    from pydicom.dataset import FileMetaDataset  # 180 ms once, paid only by who looks at data sets
    from pydicom.filereader import read_dataset
    from pydicom.uid import UID

    encoding = Encoding.of(transfer_syntax)
    try:
        if encoding.deflated:
            pieces = [_inflated(pieces)]
        with _Pieces(pieces) as file:
            dataset = read_dataset(cast(io.BytesIO, file), encoding.implicit, encoding.little_endian)
    except Exception as error:
        raise ValueError(f"the data set cannot be read: {type(error).__name__}: {error}") from error
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = UID(transfer_syntax)
    return dataset


def _inflated(pieces: Iterable[bytes | memoryview]) -> bytes:
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    data = inflater.decompress(b"".join(pieces), _INFLATED_AT_MOST)
    if inflater.unconsumed_tail:
        raise ValueError(f"it inflates to more than {_INFLATED_AT_MOST} bytes")
    return data


class _Pieces(io.RawIOBase):
    """A file over pieces. What is read is a copy: nothing keeps a view of them."""

    def __init__(self, pieces: Sequence[bytes | memoryview]) -> None:
        self._pieces = pieces
        self._starts = list(accumulate(map(len, pieces), initial=0))
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        origin = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._starts[-1]}[whence]
        self._at = max(0, origin + offset)
        return self._at

    def read(self, size: int | None = -1) -> bytes:
        """All that was asked for, unless the pieces end."""
        left = max(0, self._starts[-1] - self._at)
        wanted = left if size is None or size < 0 else min(size, left)
        if not wanted:
            return b""
        number = bisect_right(self._starts, self._at) - 1
        start = self._at - self._starts[number]
        self._at += wanted
        parts = [self._pieces[number][start : start + wanted]]
        wanted -= len(parts[0])
        while wanted:
            number += 1
            parts.append(self._pieces[number][:wanted])
            wanted -= len(parts[-1])
        return b"".join(parts)
