"""Keys that are answered from the header of a stored file: matching its elements, sequences too, and returning them.

Whatever the file contains, nothing here raises and nothing recurses deeper than the identifier or ``DEEPEST_SEQUENCE``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from mockpacs.archive import matching, values
from mockpacs.archive.attributes import SPECIFIC_CHARACTER_SET
from mockpacs.archive.fields import Field, Nested, Raw, Text
from mockpacs.archive.identifier import DEEPEST_SEQUENCE, Key
from mockpacs.archive.matching import Rules
from mockpacs.wire import text
from mockpacs.wire.dataset import EXPLICIT_LITTLE, IMPLICIT_LITTLE, Element, Encoding, inside, items, scan
from mockpacs.wire.dictionary import vr_of

_PIECES: Final = (1 << 15, 1 << 20)


@dataclass(frozen=True, slots=True)
class Header:
    """The elements of a stored data set, or of one item in it, and how to read them."""

    elements: dict[int, Element]
    encoding: Encoding
    character_set: str

    @classmethod
    def read(cls, read: Callable[[str, int], tuple[bytes, Encoding]], path: str) -> Header:
        """The header of a stored file, as far as it is readable; most lie within the first piece."""
        for limit in _PIECES:
            data, encoding = read(path, limit)
            header = scan(data, encoding)
            if header.complete or len(data) < limit:
                break
        elements = header.elements
        return cls(elements, EXPLICIT_LITTLE if encoding.deflated else encoding, _character_set(elements, ""))

    def find(self, key: Key) -> Element | None:
        """The element a key speaks of; private ones are found by their creator, in any block (PS3.5 7.8)."""
        if not key.creator:
            return self.elements.get(key.tag)
        group = key.tag >> 16 << 16
        for block in range(0x10, 0x100):
            creator = self.elements.get(group | block)
            if creator is not None and values.read(creator.value, "LO", self.encoding) == (key.creator,):
                return self.elements.get(group | block << 8 | key.tag & 0xFF)
        return None

    def items(self, element: Element) -> list[Header]:
        """The items of a sequence; an item may have a character set of its own."""
        encoding = inside(element, self.encoding)
        return [
            Header(found, encoding, _character_set(found, self.character_set))
            for found in items(element, self.encoding)
        ]

    def values(self, element: Element, vr: str) -> matching.Values:
        """The values of an element as text. UN holds implicit little endian (PS3.5 6.2.2, note 2)."""
        return values.read(element.value, vr, self._encoding_of(element), self.character_set)

    def raw(self, element: Element, vr: str, target: Encoding) -> bytes:
        """The bytes of a binary element in another encoding."""
        return values.reorder(element.value, vr, self._encoding_of(element), target)

    def _encoding_of(self, element: Element) -> Encoding:
        return IMPLICIT_LITTLE if element.vr == "UN" else self.encoding


Matcher = Callable[[Header], bool]


def matcher(key: Key, rules: Rules) -> Matcher | None:
    """The predicate of a key over a header; None when the key is universal."""
    if key.is_universal:
        return None
    if key.vr == "SQ":
        return _sequence_matcher(key, rules)
    by_vr: dict[str, matching.Predicate | None] = {}

    def matches(header: Header) -> bool:
        element = header.find(key)
        vr = key.vr if element is None or key.vr != "UN" else element_vr(element)
        if vr not in by_vr:
            by_vr[vr] = matching.predicate(vr, key.values, rules)
        test = by_vr[vr]
        if test is None:
            return True
        if element is not None and element_vr(element) in ("SQ", *values.BULK):
            return False
        return test(header.values(element, vr) if element is not None else ())

    return matches


def field(key: Key, header: Header, target: Encoding, rules: Rules) -> Field | None:
    """What to return for a key: zero length where there is no value; None for bulk data, which is not returned."""
    if key.is_creator:
        return Text(key.tag, "LO", "\\".join(key.values))
    element = header.find(key)
    if key.vr in values.BULK:
        return None
    if element is None:
        return Nested(key.tag, ()) if key.vr == "SQ" else Raw(key.tag, key.vr, b"")
    if element_vr(element) != "SQ" or not any(key.items):
        return _whole(key.tag, element, header, target, DEEPEST_SEQUENCE)
    wanted = [nested for item in key.items for nested in item]
    tests = _tests(key, rules)
    chosen = [item for item in header.items(element) if all(test(item) for test in tests)]
    return Nested(
        key.tag,
        tuple(
            tuple(found for nested in wanted if (found := field(nested, item, target, rules)) is not None)
            for item in chosen
        ),
    )


def element_vr(element: Element) -> str:
    """The VR of a stored element: as written, else the dictionary's."""
    if element.vr and element.vr != "UN":
        return element.vr
    known = vr_of(element.tag)
    return "SQ" if known == "UN" and element.undefined_length else known


def _sequence_matcher(key: Key, rules: Rules) -> Matcher:
    """All keys must match within one item of the stored sequence (PS3.4 C.2.2.2.6)."""
    tests = _tests(key, rules)

    def matches(header: Header) -> bool:
        element = header.find(key)
        if element is None or element_vr(element) != "SQ":
            return rules.unknown_matches and element is None
        stored = header.items(element)
        return any(all(test(item) for test in tests) for item in stored) if stored else rules.unknown_matches

    return matches


def _tests(key: Key, rules: Rules) -> list[Matcher]:
    return [test for item in key.items for nested in item if (test := matcher(nested, rules)) is not None]


def _whole(tag: int, element: Element, header: Header, target: Encoding, depth: int) -> Field | None:
    """An element as it is stored, under the tag it was asked for; None for bulk data and what is nested too deeply."""
    vr = element_vr(element)
    if vr in values.BULK:
        return None
    if vr == "SQ":
        if not depth:
            return None
        return Nested(tag, tuple(_item(item, target, depth - 1) for item in header.items(element)))
    if values.is_numeric(vr) or vr == "UN":
        return Raw(tag, vr, header.raw(element, vr, target))
    return Text(tag, vr, "\\".join(header.values(element, vr)))


def _item(item: Header, target: Encoding, depth: int) -> tuple[Field, ...]:
    fields = (
        _whole(tag, element, item, target, depth)
        for tag, element in sorted(item.elements.items())
        if tag & 0xFFFF and tag != SPECIFIC_CHARACTER_SET
    )
    return tuple(found for found in fields if found is not None)


def _character_set(elements: dict[int, Element], inherited: str) -> str:
    element = elements.get(SPECIFIC_CHARACTER_SET)
    return "\\".join(text.values(element.value, "CS")) if element else inherited
