"""Reading the identifier of a query: its level, its keys, whether the model allows them (PS3.4 C.4.1)."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass
from typing import Final

from mockpacs.archive import matching, values, wildcards
from mockpacs.archive.attributes import CONTROL, QUERY_RETRIEVE_LEVEL, SPECIFIC_CHARACTER_SET, TIMEZONE_OFFSET
from mockpacs.archive.columns import COLUMNS
from mockpacs.archive.index import Level
from mockpacs.archive.model import UNIQUE_KEY, Model
from mockpacs.errors import IdentifierError
from mockpacs.wire import text
from mockpacs.wire.dataset import EXPLICIT_LITTLE, Element, Encoding, inside, items, scan
from mockpacs.wire.dictionary import name_of, vr_of
from mockpacs.wire.status import CANNOT_UNDERSTAND

DEEPEST_SEQUENCE: Final = 16
"""Sequences in sequences that are followed; no attribute of PS3.3 needs more than a handful."""


MOST_VALUES: Final = 100
"""Values of a key that are tested one by one; what is looked up (UIDs, text without wild cards) is not counted."""

_NESTED_CONTROL: Final = frozenset((SPECIFIC_CHARACTER_SET, TIMEZONE_OFFSET))
_EVERYTHING: Final = 0x1_0000_0000
_GIVE_UP_AT: Final = 64
"""Depth at which an identifier is not looked into any further: 100 000 levels cost 12 seconds otherwise."""
MOST_KEYS: Final = 2000
"""Keys of one level of an identifier: far more than there are attributes to ask for."""
_ITEMS_AND_PADDING: Final = 0xFFFC0000
_FIRST_DATA_GROUP: Final = 0x00080000


@dataclass(frozen=True, slots=True)
class Key:
    """One attribute of an identifier: something to match, something to return, mostly both.

    ``items`` are the keys of a sequence's items; ``creator`` is the private creator of a private attribute, "" when the
    identifier does not say.
    """

    tag: int
    vr: str
    values: tuple[str, ...] = ()
    items: tuple[tuple[Key, ...], ...] = ()
    creator: str = ""

    @property
    def is_universal(self) -> bool:
        """Whether it matches everything (C.2.2.2.3): nothing in it, or only universal keys in its item (C.2.2.2.6)."""
        if self.vr == "SQ":
            return all(key.is_universal for item in self.items for key in item)
        return self.is_creator or matching.is_universal(self.values)

    @property
    def is_creator(self) -> bool:
        """Whether it is a private creator with a value: it says whose the other keys are, and is no key itself."""
        return _is_creator(self.tag) and bool(self.values)


@dataclass(frozen=True, slots=True)
class Identifier:
    """What is asked: a level, and keys in ascending order of their tags. ``timezone`` is (0008,0201) as it came."""

    level: Level
    keys: tuple[Key, ...]
    asked: frozenset[int]
    character_set: str
    timezone: str


def parse(data: bytes, encoding: Encoding, model: Model, *, relational: bool) -> Identifier:
    """Read and check an identifier.

    Raises IdentifierError: C000 when the bytes are unreadable; A900 with the offending element when the level is
    missing or not one of the model, when a unique key above the level has no single value (C.4.1.3.1.1; ``relational``
    lifts that), or when a sequence has several items or is nested too deeply.
    """
    elements = read_elements(data, encoding)
    encoding = EXPLICIT_LITTLE if encoding.deflated else encoding
    level = read_level(text_of(elements, QUERY_RETRIEVE_LEVEL), model.levels)
    character_set = text_of(elements, SPECIFIC_CHARACTER_SET)
    keys = _keys(elements, encoding, character_set, ())
    if not relational:
        _check_hierarchy(keys, level, model)
    return Identifier(level, keys, frozenset(elements), character_set, text_of(elements, TIMEZONE_OFFSET))


def read_elements(data: bytes, encoding: Encoding, wanted: Container[int] | None = None) -> dict[int, Element]:
    """The elements of an identifier, or the wanted ones of them. Raises IdentifierError (C000) for unreadable bytes."""
    header = scan(data, encoding, stop=_EVERYTHING, deepest=_GIVE_UP_AT, wanted=wanted)
    if not header.complete:
        raise IdentifierError(f"The identifier is unreadable: {header.problem}.", status=CANNOT_UNDERSTAND)
    return header.elements


def read_level(word: str, levels: Sequence[Level]) -> Level:
    """The level a word names. Raises IdentifierError (A900) when it is none of these."""
    offending = (QUERY_RETRIEVE_LEVEL,)
    allowed = ", ".join(levels)
    if not word:
        raise IdentifierError(f"Query/Retrieve Level is missing: one of {allowed}", offending=offending)
    if word not in levels:
        raise IdentifierError(f"Level {text.printable(word, 16)} is not one of {allowed}", offending=offending)
    return Level(word)


def _check_hierarchy(keys: tuple[Key, ...], level: Level, model: Model) -> None:
    by_tag = {key.tag: key for key in keys}
    for above in model.above(level):
        tag = UNIQUE_KEY[above]
        key = by_tag.get(tag)
        if key is None or len(key.values) != 1 or matching.is_universal(key.values) or _has_wildcard(key):
            raise IdentifierError(f"{name_of(tag)} must have a single value at level {level}", offending=(tag,))


def _has_wildcard(key: Key) -> bool:
    return key.vr in matching.WILDCARD_VRS and wildcards.has_wildcard(key.values[0])


def text_of(elements: dict[int, Element], tag: int) -> str:
    """The text of an element of plain ASCII, several values joined by backslashes; "" without one."""
    element = elements.get(tag)
    return "\\".join(text.values(element.value, "CS")) if element else ""


def _keys(
    elements: dict[int, Element], encoding: Encoding, character_set: str, path: tuple[int, ...]
) -> tuple[Key, ...]:
    """The keys among the elements; ``path`` are the sequences they are in. Group lengths and padding are no keys."""
    if len(elements) > MOST_KEYS:
        raise IdentifierError(f"{len(elements)} keys, at most {MOST_KEYS} are read", offending=path[:1])
    creators = {tag: text_of(elements, tag) for tag in elements if _is_creator(tag)}
    return tuple(
        _key(elements[tag], encoding, character_set, path, creators.get(tag >> 16 << 16 | tag >> 8 & 0xFF, ""))
        for tag in sorted(elements)
        if _FIRST_DATA_GROUP <= tag < _ITEMS_AND_PADDING
        and tag & 0xFFFF
        and tag not in (_NESTED_CONTROL if path else CONTROL)
    )


def _key(element: Element, encoding: Encoding, character_set: str, path: tuple[int, ...], creator: str) -> Key:
    tag = element.tag
    vr = key_vr(element, indexed=not path)
    if vr != "SQ":
        raw = b"" if vr in values.BULK else element.value
        found = values.read(raw, vr, encoding, character_set)
        if matching.tested_one_by_one(vr, found) > MOST_VALUES:
            raise IdentifierError(f"{name_of(tag)} has more than {MOST_VALUES} values to match", offending=(tag,))
        return Key(tag, vr, found, creator=creator)
    path = (*path, tag)
    if len(path) > DEEPEST_SEQUENCE:
        raise IdentifierError(f"Sequences nested deeper than {DEEPEST_SEQUENCE} are not read", offending=path[:1])
    found_items = items(element, encoding)
    if len(found_items) > 1:  # PS3.4 C.2.2.2.6: exactly one
        raise IdentifierError(f"{name_of(tag)} has {len(found_items)} items, a key has one", offending=path[:1])
    nested = inside(element, encoding)
    return Key(
        tag,
        vr,
        items=tuple(
            _keys(item, nested, text_of(item, SPECIFIC_CHARACTER_SET) or character_set, path) for item in found_items
        ),
        creator=creator,
    )


def key_vr(element: Element, *, indexed: bool) -> str:
    """The VR a key is read with: the index's if it has a column for it, else the one written, else the dictionary's."""
    if indexed and element.tag in COLUMNS:
        return COLUMNS[element.tag].vr
    if element.vr and element.vr != "UN":
        return element.vr
    known = vr_of(element.tag)
    return "SQ" if known == "UN" and element.undefined_length else known


def _is_creator(tag: int) -> bool:
    return bool(tag >> 16 & 1) and 0x10 <= tag & 0xFFFF <= 0xFF
