"""In what form a stored instance is sent: as it is when its transfer syntax is accepted, else converted if that can be.

Uncompressed transfer syntaxes are converted into one another without touching a value; compressed ones are decompressed
only when asked for, by pydicom's decoders, and then only the pixel data and what describes it changes.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from typing import Final, NamedTuple

from mockpacs.archive import StoredInstance
from mockpacs.services.byte_source import UnreadableError, gathered
from mockpacs.services.courier import Undeliverable
from mockpacs.services.recoding import NO_EDITS, Edits, rewritten
from mockpacs.traffic.dump.naming import uid_name
from mockpacs.wire.dataset import EXPLICIT_LITTLE as EXPLICIT_ENCODING
from mockpacs.wire.dataset import Encoding
from mockpacs.wire.transfer_syntaxes import DEFLATED, EXPLICIT_BIG, EXPLICIT_LITTLE, IMPLICIT_LITTLE

NATIVE: Final = (EXPLICIT_LITTLE, IMPLICIT_LITTLE, DEFLATED, EXPLICIT_BIG)
"""The transfer syntaxes with uncompressed pixel data (PS3.5 A.1 to A.3, A.5)."""

_TARGETS: Final = (EXPLICIT_LITTLE, IMPLICIT_LITTLE, DEFLATED)
"""What is converted to, the best first: explicit keeps the VR of private elements."""
_DICOM_ROOT: Final = "1.2.840.10008."
# Their pixel data is somewhere else, to be fetched by its URL: there is nothing to decompress.
_REFERENCED: Final = frozenset(f"1.2.840.10008.1.2.4.{number}" for number in (94, 95, 204, 205))
_HELD_AT_MOST: Final = 8 << 20
"""Bytes of a converted data set that are kept until they are sent; what is longer is converted twice."""
_INFLATED_AT_MOST: Final = 1 << 32
"""Bytes that a deflated data set may inflate to: a bomb ends here."""
_INFLATED_AT_ONCE: Final = 1 << 18


class Prepared(NamedTuple):
    """A data set ready to be sent."""

    transfer_syntax: str
    size: int
    """In bytes."""
    blocks: Iterable[bytes]
    """Reads the file only when iterated, or holds what was converted. StorageError when the file is gone by then."""


def forms(transfer_syntax: str, *, transcode: bool) -> tuple[str, ...]:
    """The transfer syntaxes an instance can be sent in, by preference: the one it is stored in first."""
    if transfer_syntax not in NATIVE and not (transcode and _is_compressed(transfer_syntax)):
        return (transfer_syntax,)
    return tuple(dict.fromkeys((transfer_syntax, *_TARGETS)))


def prepared(instance: StoredInstance, accepted: Sequence[str], *, transcode: bool) -> Prepared:
    """An instance in one of the accepted transfer syntaxes: the stored bytes untouched when theirs is among them.

    At most one decompressed instance is in memory. Raises Undeliverable when there is no way, with the reason;
    StorageError when the file cannot be read.
    """
    stored = instance.transfer_syntax
    if stored in accepted:
        return _as_stored(instance)
    target = next((form for form in forms(stored, transcode=transcode) if form in accepted), None)
    if target is None:
        raise Undeliverable(_no_way(stored, accepted, transcode=transcode))
    if stored in NATIVE:
        return converted(instance, target)
    from mockpacs.services.decompression import decompressed  # brings pydicom

    return converted(instance, target, decompressed(instance, implicit=Encoding.of(target).implicit))


def _as_stored(instance: StoredInstance) -> Prepared:
    """The stored bytes; a deflate stream of odd length gets the NUL it ends with by PS3.5 A.5, as peers refuse it else.

    Every other data set of odd length is broken in a way that is not ours to mend.
    """
    if instance.transfer_syntax != DEFLATED or not instance.size % 2:
        return Prepared(instance.transfer_syntax, instance.size, instance.blocks())
    return Prepared(DEFLATED, instance.size + 1, chain(instance.blocks(), (b"\0",)))


def converted(instance: StoredInstance, target: str, edits: Edits = NO_EDITS) -> Prepared:
    """An instance in an uncompressed little endian transfer syntax. Raises as `prepared` does."""

    def convert() -> Iterator[bytes]:
        encoding, blocks = Encoding.of(instance.transfer_syntax), instance.blocks()
        if encoding.deflated:
            encoding, blocks = EXPLICIT_ENCODING, inflated(blocks)
        pieces = rewritten(blocks, encoding, implicit=Encoding.of(target).implicit, edits=edits)
        return gathered(deflated(pieces)) if target == DEFLATED else pieces

    try:
        return Prepared(target, *_measured(convert))
    except UnreadableError as problem:
        raise Undeliverable(f"the data set cannot be converted: {problem}") from problem


def inflated(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """A deflated data set (PS3.5 A.5) inflated as it streams. Raises UnreadableError."""
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    size = 0
    for block in blocks:
        while block and not inflater.eof:  # behind the end is padding
            try:
                piece = inflater.decompress(block, _INFLATED_AT_ONCE)
            except zlib.error as error:
                raise UnreadableError(f"it is not deflated: {error}") from error
            size += len(piece)
            if size > _INFLATED_AT_MOST:
                raise UnreadableError(f"it inflates to more than {_INFLATED_AT_MOST} bytes")
            if piece:
                yield piece
            block = inflater.unconsumed_tail
    yield inflater.flush()
    if not inflater.eof:
        raise UnreadableError("the deflated data set is cut")


def deflated(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """A bare deflate stream of even length (PS3.5 A.5)."""
    deflater = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    size = 0
    for piece in pieces:
        packed = deflater.compress(piece)
        size += len(packed)
        yield packed
    last = deflater.flush()
    yield last + bytes((size + len(last)) % 2)


def _measured(convert: Callable[[], Iterator[bytes]]) -> tuple[int, Iterable[bytes]]:
    """How long it gets, and the bytes: kept when they are few, otherwise made again when they are sent.

    Either way everything has been read once before anything is sent: what makes no sense costs no association.
    """
    size = 0
    held: list[bytes] = []
    for piece in convert():
        size += len(piece)
        if size <= _HELD_AT_MOST:
            held.append(piece)
        else:
            held.clear()
    return size, held if size <= _HELD_AT_MOST else convert()


def _is_compressed(transfer_syntax: str) -> bool:
    is_standard = transfer_syntax.startswith(_DICOM_ROOT)
    return is_standard and transfer_syntax not in NATIVE and transfer_syntax not in _REFERENCED


def _no_way(stored: str, accepted: Sequence[str], *, transcode: bool) -> str:
    """What matters first: of an Error Comment 64 characters travel."""
    name = uid_name(stored) or stored
    could_be = _is_compressed(stored) and not transcode and any(target in accepted for target in _TARGETS)
    return f"needs --transcode: {name}" if could_be else f"not accepted: {name}"
