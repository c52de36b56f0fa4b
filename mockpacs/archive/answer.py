"""Encoding the answers to a query: what was asked and what always belongs into an answer (PS3.4 C.4.1.1.3.2).

The shape is decided once per query, each row only fills it: with ten ASCII values a match costs a few microseconds.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from mockpacs.archive import values
from mockpacs.archive.columns import COLUMNS
from mockpacs.archive.fields import Field, Raw, Text, bounded_element, encode
from mockpacs.archive.header_keys import Header, field
from mockpacs.archive.identifier import Key
from mockpacs.archive.matching import Rules
from mockpacs.archive.selection import Row
from mockpacs.wire.dataset import Encoding, deflate, encode_element

Writer = Callable[[str], bytes]

_LONGEST_SHORT: Final = 0xFFFE


class Answer:
    """The shape of the answers to one query; called with a row (and a header, where keys need one) it gives a data set.

    ``columns`` says at which place of the row the value of a tag is; ``fixed`` are elements that are the same in every
    answer; ``stored`` are the keys to be answered from the header; ``character_sets`` gives those to try for text that
    is not ASCII.
    """

    def __init__(
        self,
        columns: Mapping[int, int],
        fixed: Sequence[Field],
        stored: Sequence[Key],
        *,
        encoding: Encoding,
        character_sets: Callable[[Row], Sequence[str]],
        rules: Rules,
    ) -> None:
        self._encoding = encoding
        self._columns = sorted(columns.items())
        self._fixed = fixed
        self._stored = stored
        self._character_sets = character_sets
        self._rules = rules
        tags = sorted([*columns, *(element.tag for element in fixed)])
        constant = {element.tag: encode([element], encoding, ()) for element in fixed}
        self._template = [constant.get(tag, b"") for tag in tags]
        self._steps = [
            (tags.index(tag), place, empty_element(tag, encoding), writer(tag, COLUMNS[tag].vr, encoding))
            for tag, place in self._columns
        ]

    def __call__(self, row: Row, header: Header | None = None, extra: Sequence[Field] = ()) -> bytes:
        """The data set of one match, deflated if the encoding says so."""
        if header is None and not extra:
            try:
                encoded = self._fill(row)
            except ValueError:  # not ASCII (UnicodeEncodeError), or too long for its VR: the long way knows what to do
                encoded = self._compose(row, None, ())
        else:
            encoded = self._compose(row, header, extra)
        return deflate(encoded) if self._encoding.deflated else encoded

    def _fill(self, row: Row) -> bytes:
        parts = self._template.copy()
        for at, place, empty, write in self._steps:
            value = row[place]
            parts[at] = write(value) if value else empty
        return b"".join(parts)

    def _compose(self, row: Row, header: Header | None, extra: Sequence[Field]) -> bytes:
        fields = [*self._fixed, *extra]
        fields += [Text(tag, COLUMNS[tag].vr, row[place] or "") for tag, place in self._columns]
        for key in self._stored:
            found = field(key, header, self._encoding, self._rules) if header else Raw(key.tag, key.vr, b"")
            if found is not None:
                fields.append(found)
        return encode(fields, self._encoding, self._character_sets(row))


def empty_element(tag: int, encoding: Encoding) -> bytes:
    """An element of zero length: supported, without a value."""
    return encode_element(tag, COLUMNS[tag].vr, b"", encoding)


def writer(tag: int, vr: str, encoding: Encoding) -> Writer:
    """A function that encodes one value of a column; it raises ValueError when the value is too long or not ASCII."""
    if values.is_numeric(vr):
        return lambda text: bounded_element(tag, vr, values.write_numbers(text.split("\\"), vr, encoding), encoding)
    head = encode_element(tag, vr, b"", encoding)
    order = "<" if encoding.little_endian else ">"
    size = 4 if encoding.implicit else 2
    prefix, pack = head[:-size], struct.Struct(order + ("L" if encoding.implicit else "H")).pack
    padding = b"\0" if vr == "UI" else b" "

    def write(text: str) -> bytes:
        raw = text.encode("ascii")
        if len(raw) & 1:
            raw += padding
        if len(raw) > _LONGEST_SHORT:
            raise ValueError(tag)
        return prefix + pack(len(raw)) + raw

    return write
