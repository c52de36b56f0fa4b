"""Records from DICOM files of whatever encoding, their values byte for byte. Pixels and bulk data stay behind."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from mockpacs.scenario.record import Field, Nested, Raw, Record, record_of, turned
from mockpacs.scenario.record_json import LARGEST_VALUE, PIXEL_GROUP
from mockpacs.wire.dataset import EXPLICIT_LITTLE, Element, Encoding, inside, items, scan
from mockpacs.wire.dictionary import vr_of
from mockpacs.wire.part10 import decode_head, guess_transfer_syntax

_READ_AT_MOST: Final = 16 << 20
"""Bytes of a file in which the attributes before the pixels must be."""
_DEEPEST: Final = 32
_FIRST_OF_DATA: Final = 0x00080000
_LAST_OF_DATA: Final = 0xFFFC0000


def read_dicom_file(path: Path) -> Record:
    """The record of a file, with or without preamble and file meta information. Raises OSError, and ValueError."""
    with path.open("rb") as file:
        data = file.read(_READ_AT_MOST)
    head = decode_head(data)
    transfer_syntax = head.meta.transfer_syntax if head else ""
    body = data[head.data_offset :] if head else data
    transfer_syntax = transfer_syntax or guess_transfer_syntax(body)
    if not transfer_syntax:
        raise ValueError("not a DICOM file")
    encoding = Encoding.of(transfer_syntax)
    header = scan(body, encoding, deepest=_DEEPEST)
    if not header.complete:
        raise ValueError(f"not a DICOM file that can be read: {header.problem}")
    return _record(header.elements.values(), EXPLICIT_LITTLE if encoding.deflated else encoding, 0)


def _record(elements: Iterable[Element], encoding: Encoding, depth: int) -> Record:
    found = (
        _field(element, encoding, depth)
        for element in elements
        if _FIRST_OF_DATA <= element.tag < _LAST_OF_DATA
        and element.tag & 0xFFFF  # group lengths would be wrong in what is written
        and element.tag >> 16 != PIXEL_GROUP
    )
    return record_of(field for field in found if field is not None)


def _field(element: Element, encoding: Encoding, depth: int) -> Field | None:
    """An attribute, None for one that answers do not carry."""
    if len(element.value) > LARGEST_VALUE or depth > _DEEPEST:
        return None
    vr = element.vr or vr_of(element.tag)
    if vr == "SQ" or element.undefined_length:
        nested = inside(element, encoding)
        return Nested(element.tag, tuple(_record(one.values(), nested, depth + 1) for one in items(element, encoding)))
    value = bytes(element.value)
    return Raw(element.tag, vr, value if encoding.little_endian else turned(value, vr))
