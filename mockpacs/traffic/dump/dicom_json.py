"""Data sets and command sets in the DICOM JSON model (PS3.18 F). What cannot be read is told beside it."""

from __future__ import annotations

import base64
import math
import re
from typing import Any, Final, NamedTuple

from mockpacs.traffic.dump.dataset import DEEPEST
from mockpacs.traffic.dump.naming import vr_meant
from mockpacs.traffic.dump.node import Kind, Node
from mockpacs.traffic.dump.value import NUMBER_FORMATS, TEXT_VRS, character_set_of, numbers, tags
from mockpacs.traffic.dump.walk import unpacked, walk
from mockpacs.wire import Command, encode_command
from mockpacs.wire.dataset import IMPLICIT_LITTLE, Encoding
from mockpacs.wire.text import values

BULK_BYTES: Final = 1000
"""Bytes and arrays of numbers longer than this are left out unless they are asked for."""
_CHARACTER_SET: Final = 0x00080005
_NUMBER: Final = re.compile(r"(?=.{1,64}\Z)[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?", re.DOTALL)
"""What PS3.5 6.2 calls IS and DS. Python reads more as a number, 1_000 and nan; none has more than 64 characters."""

Model = dict[str, Any]


class Converted(NamedTuple):
    """A data set in the JSON model, and a sentence for each thing that is missing in it."""

    model: Model
    problems: tuple[str, ...]


def convert(data: bytes | memoryview, encoding: Encoding, *, bulk: bool = False) -> Converted:
    """Convert an encoded data set; ``bulk`` keeps values of any size. Never raises on the bytes.

    The text of all character sets becomes Unicode; Specific Character Set stays as it was sent. Group lengths are left
    out (PS3.18 F.2.2). Encapsulated pixel data is one value: its items as they are encoded. A value that is left out
    has a BulkDataURI that says where in the data set it is, and its size.
    """
    opened = unpacked(data, encoding)
    builder = _Builder(opened.view, little_endian=opened.encoding.little_endian, bulk=bulk)
    for node in walk(opened):
        builder.add(node)
    builder.finish()
    return Converted(builder.model, (*opened.remarks, *builder.problems))


def command_json(command: Command) -> Model:
    """A command set in the JSON model."""
    return convert(encode_command(command), IMPLICIT_LITTLE, bulk=True).model


class _Builder:
    """Puts the nodes of a walk into nested mappings."""

    def __init__(self, view: memoryview, *, little_endian: bool, bulk: bool) -> None:
        self._view = view
        self.model: Model = {}
        self.problems: list[str] = []
        self._little_endian = little_endian
        self._bulk = bulk
        # What is open, by depth: data set and items at even ones, lists of items at odd ones.
        self._models: dict[int, Model] = {0: self.model}
        self._sequences: dict[int, list[Any]] = {}
        self._character_sets: dict[int, str] = {0: ""}
        self._fragments: list[tuple[Model, int, int]] = []
        self._is_too_deep = False

    def add(self, node: Node) -> None:
        """Take the next node."""
        if node.why:
            self.problems.append(f"byte {node.position}: {node.why}")
        if node.depth > 2 * DEEPEST:
            if not self._is_too_deep:
                self._is_too_deep = True
                self.problems.append(f"byte {node.position}: nested deeper than {DEEPEST}, left out")
            return
        match node.kind:
            case Kind.ELEMENT if node.tag & 0xFFFF:
                self._models[node.depth][_key(node)] = self._element(node)
            case Kind.SEQUENCE:
                found: Model = {"vr": "SQ"}
                self._models[node.depth][_key(node)] = found
                if node.length != 0:
                    self._sequences[node.depth + 1] = found["Value"] = []
            case Kind.ITEM:
                item: Model = {}
                self._sequences[node.depth].append(item)
                self._models[node.depth + 1] = item
                self._character_sets[node.depth + 1] = self._character_sets.get(node.depth - 1, "")
            case Kind.FRAGMENTS:
                pixels: Model = {"vr": node.vr}
                self._models[node.depth][_key(node)] = pixels
                self._fragments.append((pixels, node.position, 0))
            case Kind.FRAGMENT:
                pixels, start, end = self._fragments[-1]
                start = start if end else node.position
                self._fragments[-1] = pixels, start, node.position + 8 + len(node.value)
            case _:
                pass

    def finish(self) -> None:
        """Nothing more comes: the fragments of each pixel data are one value, they follow one another."""
        for pixels, start, end in self._fragments:
            if end:
                pixels |= self._binary(self._view[start:end], start)

    def _element(self, node: Node) -> Model:
        vr = vr_meant(node)
        if node.tag == _CHARACTER_SET:
            self._character_sets[node.depth] = character_set_of(node.value)
        if not len(node.value):
            return {"vr": vr}
        found = self._values(vr, node)
        if found is None:
            return {"vr": vr, **self._binary(node.value, node.position)}
        return {"vr": vr, "Value": found} if found else {"vr": vr}

    def _values(self, vr: str, node: Node) -> list[Any] | None:
        """The values, None when they are to be shown as bytes."""
        if vr in NUMBER_FORMATS:
            if len(node.value) > BULK_BYTES and not self._bulk:
                return None
            return [_finite(number) for number in numbers(vr, node.value, little_endian=self._little_endian)]
        if vr == "AT":
            return [f"{tag:08X}" for tag in tags(node.value, little_endian=self._little_endian)]
        if vr not in TEXT_VRS:
            return None
        texts = values(node.value, vr, self._character_sets.get(node.depth, ""))
        match vr:
            case "PN":
                return [_name(text) if text else None for text in texts]
            case "IS" | "DS":
                return [_number(text) if text else None for text in texts]
            case _:
                return [text or None for text in texts]

    def _binary(self, value: memoryview, position: int) -> Model:
        if self._bulk or len(value) <= BULK_BYTES:
            return {"InlineBinary": base64.b64encode(value).decode("ascii")}
        return {"BulkDataURI": f"#byte={position}&size={len(value)}"}


def _key(node: Node) -> str:
    return f"{node.tag:08X}"


def _name(text: str) -> dict[str, str]:
    """PS3.18 F.2.2: the component groups of a person name by their names."""
    groups = zip(("Alphabetic", "Ideographic", "Phonetic"), text.split("="), strict=False)
    return {name: group for name, group in groups if group}


def _number(text: str) -> int | float | str:
    """PS3.18 F.2.3 allows strings for IS and DS: nonsense stays as it was written."""
    if not _NUMBER.fullmatch(text):
        return text
    if text.lstrip("+-").isdigit():
        return int(text)
    number = float(text)
    return number if math.isfinite(number) else text


def _finite(number: int | float) -> int | float | str:
    """JSON has no word for what is not a finite number; these are strings."""
    return number if math.isfinite(number) else str(number)
