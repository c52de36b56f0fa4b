"""A data set as a tree of elements, sequences and items, their values views of its bytes. It never raises on them."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from mockpacs.traffic.dump.dataset import DEEPEST
from mockpacs.traffic.dump.naming import vr_meant
from mockpacs.traffic.dump.node import Kind, Node
from mockpacs.traffic.dump.value import TEXT_VRS, character_set_of
from mockpacs.traffic.dump.walk import Opened, unpacked, walk
from mockpacs.wire.dataset import IMPLICIT_LITTLE, Encoding
from mockpacs.wire.text import values

_CHARACTER_SET: Final = 0x00080005
_UNREADABLE: Final = -1
Key: TypeAlias = tuple[int, str, int]
"""Tag, of a private element that of the first block; who reserved the block; how many of the same came before."""
# Bytes of one number of these VRs: they are turned round where the byte order is another one.
_WIDTHS: Final = {
    **dict.fromkeys(("AT", "OW", "SS", "US"), 2),
    **dict.fromkeys(("FL", "OF", "OL", "SL", "UL"), 4),
    **dict.fromkeys(("FD", "OD", "OV", "SV", "UV"), 8),
}


@dataclass(slots=True)
class Item:
    """The elements of a data set, or of an item of a sequence."""

    encoding: Encoding
    outer: Item | None = None
    elements: dict[Key, Element] = field(default_factory=dict)

    @property
    def character_set(self) -> str:
        """PS3.3 C.12.1.1.2: an item without a character set of its own has that of what encloses it."""
        item: Item | None = self
        while item is not None:
            said = item.elements.get((_CHARACTER_SET, "", 0))
            if isinstance(said, Leaf):
                return character_set_of(said.value)
            item = item.outer
        return ""

    def add(self, element: Element) -> None:
        """The next one."""
        node = element.node
        tag, creator = node.tag, node.creator
        if node.kind is Kind.UNREADABLE:
            tag = _UNREADABLE
        elif creator:  # PS3.5 7.8.1: which block a creator has is decided anew in every data set
            tag &= 0xFFFF00FF
        elif tag >> 16 & 1 and 0x10 <= tag & 0xFFFF <= 0xFF:
            tag, creator = tag & 0xFFFF0000 | 0x10, bytes(node.value[:64]).decode("latin-1").strip(" \0")
        count = 0
        while (tag, creator, count) in self.elements:
            count += 1
        self.elements[tag, creator, count] = element


@dataclass(slots=True)
class Leaf:
    """An element with a value, or bytes that are unreadable."""

    node: Node
    vr: str
    """By which to read the value."""
    holder: Item

    @property
    def value(self) -> memoryview:
        """As it is encoded, padding included."""
        return self.node.value

    @property
    def is_written(self) -> bool:
        """Whether the VR stands in the bytes."""
        return not self.holder.encoding.implicit

    @property
    def is_little(self) -> bool:
        """Whether its numbers are little endian."""
        return self.holder.encoding.little_endian


@dataclass(slots=True)
class Nest:
    """A sequence."""

    node: Node
    items: list[Item] = field(default_factory=list)


@dataclass(slots=True)
class Fragments:
    """Encapsulated pixel data, the offset table first (PS3.5 A.4)."""

    node: Node
    pieces: list[memoryview] = field(default_factory=list)


Element: TypeAlias = Leaf | Nest | Fragments


class Tree:
    """A whole data set."""

    def __init__(self, data: bytes | memoryview, transfer_syntax: str) -> None:
        opened = unpacked(data, Encoding.of(transfer_syntax))
        self.remarks = opened.remarks
        """Sentences on what is not as the transfer syntax says."""
        self.top = Item(opened.encoding)
        self.deeper: list[tuple[int, memoryview]] = []
        """Tags and values of what is nested deeper than anybody looks, in the order it came."""
        self._grow(opened)

    def _grow(self, opened: Opened) -> None:
        items: dict[int, Item] = {0: self.top}
        holders: dict[int, Nest | Fragments] = {}
        for node in walk(opened):
            depth, kind = node.depth, node.kind
            if depth > 2 * DEEPEST:
                self.deeper.append((node.tag, node.value))
            elif kind is Kind.ELEMENT or kind is Kind.UNREADABLE:
                holder = items[depth & ~1]
                vr = "" if kind is Kind.UNREADABLE else vr_meant(node)
                holder.add(Leaf(node, vr, holder))
            elif kind is Kind.SEQUENCE:
                holders[depth + 1] = nest = Nest(node)
                items[depth].add(nest)
            elif kind is Kind.ITEM:
                nest_of, outer = holders[depth], items[depth - 1]
                assert isinstance(nest_of, Nest)
                # PS3.5 6.2.2: what is inside an element of VR UN is implicit VR little endian
                encoding = IMPLICIT_LITTLE if nest_of.node.vr == "UN" else outer.encoding
                items[depth + 1] = item = Item(encoding, outer)
                nest_of.items.append(item)
            elif kind is Kind.FRAGMENTS:
                holders[depth + 1] = fragments = Fragments(node)
                items[depth].add(fragments)
            else:
                fragments_of = holders[depth]
                assert isinstance(fragments_of, Fragments)
                fragments_of.pieces.append(node.value)


def meaning(leaf: Leaf, vr: str) -> Hashable:
    """What a value says, whatever its encoding is: text without its padding, numbers as little endian bytes."""
    if vr in TEXT_VRS:
        return values(leaf.value, vr, leaf.holder.character_set)
    raw = bytes(leaf.value)
    width = _WIDTHS.get(vr, 1)
    if leaf.is_little or width == 1 or len(raw) % width:
        return raw
    turned = bytearray(len(raw))
    for place in range(width):
        turned[place::width] = raw[width - 1 - place :: width]
    return bytes(turned)


def texts(leaf: Leaf) -> tuple[str, ...]:
    """The values of a text element."""
    return values(leaf.value, leaf.vr, leaf.holder.character_set)
