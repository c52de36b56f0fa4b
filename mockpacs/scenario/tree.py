"""The nodes of one file, and the way from what the model says about a part to the place where that part is written.

The model sees more than was written: lists around single values, mappings for words. The way skips what is not there.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple, get_args, get_origin

from mockpacs.scenario.condition import States, Words
from mockpacs.scenario.model import Scenario
from mockpacs.scenario.part import Part
from mockpacs.written.yaml_file import Items, Mapping, Node, Text

OF_A_KEY: Final = "[key]"
"""What pydantic ends a way with that leads to the key of a mapping, not to its value."""
ITS_VALUE: Final = -1
"""What we end a way with that leads to the value under a key, where the place of the key would be shown otherwise."""


class Found(NamedTuple):
    """What a way led to."""

    node: Node
    place: str
    """Where it begins."""
    key: str
    """The key it has in the mapping around it, as it was written, or ""."""
    key_place: str
    part: type[Part] | None
    """What the model makes of it, None for what is no `Part`."""


class Tree:
    """One file."""

    def __init__(self, root: Mapping, path: Path) -> None:
        self.root = root
        self.path = path
        self._keys: dict[int, dict[str, str]] = {}

    def find(self, way: Sequence[int | str]) -> Found:
        """The node at the end of a way such as ``("rules", 0, "then", 0, "status")``, or the last one before it."""
        node: Node = self.root
        place = key_place = _place(node, str(self.path))
        key = ""
        part: type[Part] | None = Scenario
        names_next = False  # whether the next word is the user's own: the key of a dictionary
        for word in way:
            if word == OF_A_KEY:
                place = key_place
            elif isinstance(node, Mapping) and isinstance(word, str) and word in node:
                key, key_place = word, self._place_of_key(node, word)
                node = node[word]
                place = _place(node, key_place)
            elif isinstance(node, Items) and isinstance(word, int) and 0 <= word < len(node):
                node = node[word]
                place = _place(node, place)
            if names_next:
                names_next = False
            elif part is not None and isinstance(word, str):
                part, names_next = _below(part, word)
        return Found(node, place, key, key_place, part)

    def _place_of_key(self, mapping: Mapping, key: str) -> str:
        places = self._keys.get(id(mapping))
        if places is None:
            places = {str(one): one.place for one in mapping if isinstance(one, Text)}
            self._keys[id(mapping)] = places
        return places.get(key, mapping.place)


def _place(node: Node, otherwise: str) -> str:
    """Of nothing, and of a number made in Python, the place is that of its key."""
    return getattr(node, "place", otherwise)


def line_of(place: str) -> str:
    """``path:line`` of ``path:line:column``; a place in Python has no column."""
    before, _, column = place.rpartition(":")
    return before if column.isdigit() and before.rpartition(":")[2].isdigit() else place


def _below(part: type[Part], key: str) -> tuple[type[Part] | None, bool]:
    """What a key of a part leads to, and whether names of the user come first."""
    if part is States:
        return Words, False
    for name, field in part.model_fields.items():
        if key in (name, field.alias):
            return part_in(field.annotation), is_dictionary(field.annotation)
    return part, False


def part_in(annotation: Any) -> type[Part] | None:
    """The part somewhere in a type: in a tuple, a dictionary, or with None."""
    if isinstance(annotation, type) and issubclass(annotation, Part):
        return annotation
    return next((part for one in get_args(annotation) if (part := part_in(one)) is not None), None)


def is_dictionary(annotation: Any) -> bool:
    """Whether a type is a dictionary of parts under names of the user."""
    return get_origin(annotation) is dict or any(
        get_origin(one) is dict for one in get_args(annotation) if not isinstance(one, type)
    )
