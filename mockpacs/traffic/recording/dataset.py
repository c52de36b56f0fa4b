"""The data sets of an exchange as pydicom has them, read back from the recording whenever somebody asks.

What is too large for the memory of a test is read as far as its pixel data; nothing here trusts what a peer sent.
"""

from __future__ import annotations

import io
import zlib
from tempfile import SpooledTemporaryFile
from typing import TYPE_CHECKING, Any, BinaryIO, Final, cast

from mockpacs.errors import RecordingError
from mockpacs.traffic.exchange import Exchange
from mockpacs.wire.dataset import PIXEL_GROUP, UNDEFINED, Encoding
from mockpacs.wire.part10 import guess_transfer_syntax
from mockpacs.wire.status import PENDING, PENDING_WITH_WARNING
from mockpacs.wire.text import printable

if TYPE_CHECKING:
    from pydicom.dataelem import RawDataElement
    from pydicom.dataset import Dataset

WHOLE_AT_MOST: Final = 256 << 20
"""Bytes, inflated, up to which a data set is read as a whole."""
HEAD_AT_MOST: Final = 64 << 20
"""Bytes that are read of a larger one, in search of what stands before its pixel data."""
_IN_MEMORY: Final = 8 << 20
"""Bytes that are held besides the values; more wait on the disk."""
_PIECE: Final = 1 << 16


def dataset_of(exchange: Exchange) -> Dataset | None:
    """The data set of the request, None when it had none. Raises RecordingError when it cannot be read."""
    if not exchange.size:
        return None
    _be_recorded(exchange, "its data set is")
    from mockpacs.traffic.recording.detail import data_of

    is_whole = exchange.size <= WHOLE_AT_MOST
    with _spool() as file:
        into = _Into(file, exchange.size if is_whole else HEAD_AT_MOST)
        try:
            data_of(exchange, into)
        except _EnoughError:
            pass
        else:
            if into.size < exchange.size:
                raise RecordingError(
                    f"The recording has {into.size} of the {exchange.size} bytes of the data set of exchange "
                    f"{exchange.id}; it was changed, or is of a server that was killed: {_path(exchange)}"
                )
        return _decoded(exchange, file, is_whole=is_whole)


def matches_of(exchange: Exchange) -> list[Dataset]:
    """The data sets of the pending responses that came whole. Raises RecordingError when they cannot be read."""
    if not any(answer.status in (PENDING, PENDING_WITH_WARNING) for answer in exchange.answers):
        return []
    _be_recorded(exchange, "its matches are")
    from mockpacs.traffic.recording.detail import read_exchange

    found = [
        message.data
        for message in read_exchange(exchange).messages
        if message.command.status in (PENDING, PENDING_WITH_WARNING) and message.data and message.is_whole
    ]
    return [_decoded(exchange, io.BytesIO(data), is_whole=True) for data in found]


class _EnoughError(Exception):
    """Inside this module only: no more bytes are wanted."""


class _Into:
    """A sink that ends the reading when it has all it wants."""

    def __init__(self, file: BinaryIO, most: int) -> None:
        self._file = file
        self._most = most
        self.size = 0

    def write(self, data: bytes | memoryview, /) -> None:
        self._file.write(data[: self._most - self.size])
        self.size += len(data)
        if self.size > self._most:
            raise _EnoughError


def _be_recorded(exchange: Exchange, what: str) -> None:
    if exchange.place is None:
        raise RecordingError(
            f"Exchange {exchange.id} was not recorded, so {what} not known: serve with a recording, that is without "
            "record=False (on the command line --no-record)."
        )
    if not exchange.place.path.exists():
        raise RecordingError(
            f"The recording {_path(exchange)} is gone, and with it what exchange {exchange.id} was about. A MockPACS "
            "that was given no folder deletes it when it stops: ask before that, or keep it with recordings=FOLDER."
        )


def _path(exchange: Exchange) -> str:
    return printable(str(exchange.place.path)) if exchange.place else ""


def _spool() -> BinaryIO:
    return cast(BinaryIO, SpooledTemporaryFile(_IN_MEMORY))


def _decoded(exchange: Exchange, file: BinaryIO, *, is_whole: bool) -> Dataset:
    file.seek(0)
    syntax = exchange.context.transfer_syntax if exchange.context else ""
    syntax = syntax or guess_transfer_syntax(file.read(8)) or "1.2.840.10008.1.2"
    file.seek(0)
    try:
        if not Encoding.of(syntax).deflated:
            return _read(file, syntax, is_whole=is_whole)
        with _spool() as inflated:
            is_whole = _inflate(file, inflated, is_whole=is_whole)
            inflated.seek(0)
            return _read(inflated, syntax, is_whole=is_whole)
    except OSError:
        raise
    except Exception as error:  # pydicom raises whatever the bytes lead to
        what = printable(str(error), 200) or type(error).__name__
        raise RecordingError(
            f"pydicom cannot read a data set of exchange {exchange.id}: {what}. "
            f"What it looks like: mockpacs show {_path(exchange)} {exchange.id} --dataset"
        ) from error


def _inflate(file: BinaryIO, into: BinaryIO, *, is_whole: bool) -> bool:
    """Inflate, up to the limit: a bomb ends there. Whether that was all."""
    engine, size = zlib.decompressobj(-zlib.MAX_WBITS), 0  # PS3.5 A.5: a bare deflate stream (RFC 1951)
    while not engine.eof:
        piece = engine.unconsumed_tail or file.read(_PIECE)
        inflated = engine.decompress(piece, 16 * _PIECE)
        if not (piece or inflated):
            break
        size += into.write(inflated[: WHOLE_AT_MOST + 1 - size])
        if size > WHOLE_AT_MOST:
            return False
    if is_whole and not engine.eof:
        raise ValueError("the deflated data set is cut")
    return is_whole


def _read(file: BinaryIO, transfer_syntax: str, *, is_whole: bool) -> Dataset:
    """Read what pydicom's `read_dataset` reads, which keeps nothing of a data set that ends too early."""
    from pydicom.charset import convert_encodings, default_encoding
    from pydicom.dataelem import RawDataElement
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.filereader import data_element_generator
    from pydicom.uid import UID

    encoding = Encoding.of(transfer_syntax)
    begin = file.read(6)
    file.seek(0)
    is_implicit = encoding.implicit or (len(begin) == 6 and not begin[4:].isalpha())  # some write it and do not say so
    stop = None if is_whole else _is_pixel_data
    elements: dict[Any, Any] = {}
    try:
        for element in data_element_generator(file, is_implicit, encoding.little_endian, stop):
            if not is_whole and isinstance(element, RawDataElement) and _is_cut(element):
                break
            elements[element.tag] = element
    except EOFError:
        if is_whole:
            raise
    dataset = Dataset(elements)
    dataset.set_original_encoding(is_implicit, encoding.little_endian, default_encoding)
    if character_set := dataset.get("SpecificCharacterSet"):
        dataset.set_original_encoding(is_implicit, encoding.little_endian, convert_encodings(character_set))
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = UID(transfer_syntax)
    return dataset


def _is_cut(element: RawDataElement) -> bool:
    """Whether the bytes ended within a value: pydicom takes what is there for all of it."""
    return element.length != UNDEFINED and len(element.value or b"") < element.length


def _is_pixel_data(tag: int, _vr: str | None, _length: int) -> bool:
    return tag >= PIXEL_GROUP
