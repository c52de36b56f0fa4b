"""The records of a recording that a filter wants: from the recording itself or, where that is large, from its index."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import lru_cache

from mockpacs.traffic.dump.value import NUMBER_FORMATS, TEXT_VRS, character_set_of, numbers, tags
from mockpacs.traffic.exchange import Exchange, Record
from mockpacs.traffic.filter import Filter, select
from mockpacs.traffic.recording.recording import Recording
from mockpacs.wire.dataset import Element, Encoding, scan
from mockpacs.wire.dictionary import vr_of
from mockpacs.wire.text import values

_FAR = 64 << 20
"""Bytes of a data set in which an attribute is looked for."""
_CHARACTER_SET = 0x00080005
_SHORT = 64
"""Bytes of a value that is remembered with its text."""
_NO_VALUES: Mapping[int, Sequence[str]] = {}


class Heads:
    """Attributes of requests, taken from how their data sets begin, until the record has been looked at."""

    def __init__(self, wanted: Collection[int]) -> None:
        """``wanted``: the tags that will be asked for."""
        self._wanted = frozenset(wanted)
        self._known: dict[tuple[int, int], Mapping[int, Sequence[str]]] = {}

    def on_request(self, exchange: Exchange, head: bytes) -> None:
        """What `Recording.records` tells of each request."""
        if self._wanted and head and exchange.context is not None:
            encoding = Encoding.of(exchange.context.transfer_syntax)
            self._known[exchange.association.number, exchange.number] = attributes_of(head, encoding, self._wanted)

    def all(self, exchange: Exchange) -> Mapping[int, Sequence[str]]:
        """The attributes of a request; empty when it had no data set."""
        return self._known.get((exchange.association.number, exchange.number), _NO_VALUES)

    def values(self, exchange: Exchange, tag: int) -> Sequence[str] | None:
        """The values of one attribute, None when it is absent: what a `Filter` asks for."""
        return self.all(exchange).get(tag)

    def forget(self, record: Record) -> None:
        """The record has been looked at."""
        if isinstance(record, Exchange):
            self._known.pop((record.association.number, record.number), None)


def attributes_of(head: bytes, encoding: Encoding, wanted: frozenset[int]) -> dict[int, tuple[str, ...]]:
    """The values of top-level attributes of a data set that begins like this; sequences have none."""
    found = scan(head, encoding, stop=max(wanted) + 1, wanted=wanted | {_CHARACTER_SET}).elements
    character_set = character_set_of(found[_CHARACTER_SET].value) if _CHARACTER_SET in found else ""
    return {tag: _texts(element, encoding, character_set) for tag, element in found.items() if tag in wanted}


def chosen(recording: Recording, wanted: Filter) -> Iterator[Record]:
    """The records that a filter wants, in the order they completed."""
    heads = Heads(wanted.tags)
    return select(_looked_at(recording.records(heads.on_request), heads), wanted, heads.values)


def chosen_by_index(
    recording: Recording, wanted: Filter, progress: Callable[[int], None] | None = None
) -> Iterator[Record]:
    """The same through the index, by association and number; it is made when there is none that fits.

    Attributes that are not in the index are looked for in the recording itself.
    """
    from mockpacs.traffic.index.index import Index
    from mockpacs.traffic.index.runs import INDEXED

    def read() -> Iterator[tuple[Record, Mapping[int, Sequence[str]]]]:
        heads = Heads(INDEXED)
        for record in _looked_at(recording.records(heads.on_request), heads):
            yield record, heads.all(record) if isinstance(record, Exchange) else _NO_VALUES

    index = Index.of(recording.parts[0], read, progress, parts=recording.parts)
    try:
        yield from index.select(wanted, values_of)
    finally:
        index.close()


def values_of(exchange: Exchange, tag: int) -> Sequence[str] | None:
    """The values of an attribute of a request, read from its data set in the recording."""
    from mockpacs.traffic.recording.detail import data_of

    if exchange.context is None or not exchange.size:
        return None
    head = bytearray()
    data_of(exchange, _Into(head))
    encoding = Encoding.of(exchange.context.transfer_syntax)
    return attributes_of(bytes(head), encoding, frozenset((tag,))).get(tag)


def is_large(recording: Recording) -> bool:
    """Whether an index is worth its making."""
    from mockpacs.traffic.index.identity import is_worth_indexing

    try:
        return is_worth_indexing(recording.parts)
    except OSError:
        return False


class _Into:
    """A sink that keeps as much as an attribute can be looked for in."""

    def __init__(self, head: bytearray) -> None:
        self._head = head

    def write(self, data: bytes | memoryview, /) -> None:
        if len(self._head) < _FAR:
            self._head += data


def _looked_at(records: Iterator[Record], heads: Heads) -> Iterator[Record]:
    for record in records:
        yield record
        heads.forget(record)


def _texts(element: Element, encoding: Encoding, character_set: str) -> tuple[str, ...]:
    little_endian = encoding.little_endian
    if len(element.value) <= _SHORT:
        return _short_texts(element.tag, element.vr, bytes(element.value), character_set, little_endian)
    return _decoded(element.tag, element.vr, element.value, character_set, little_endian)


@lru_cache(maxsize=16_384)
def _short_texts(tag: int, vr: str, value: bytes, character_set: str, little_endian: bool) -> tuple[str, ...]:
    """The instances of a series say the same in most of their attributes: remembering makes an index twice as fast."""
    return _decoded(tag, vr, memoryview(value), character_set, little_endian)


def _decoded(tag: int, vr: str, value: memoryview, character_set: str, little_endian: bool) -> tuple[str, ...]:
    if vr in ("", "UN"):
        vr = vr_of(tag)
    if vr in TEXT_VRS:
        return values(value, vr, character_set)
    if vr in NUMBER_FORMATS:
        return tuple(map(str, numbers(vr, value, little_endian=little_endian)))
    if vr == "AT":
        return tuple(f"{tag:08X}" for tag in tags(value, little_endian=little_endian))
    return ()
