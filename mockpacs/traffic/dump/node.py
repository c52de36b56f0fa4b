"""What a walk over an encoded data set meets, as values."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple


class Kind(Enum):
    """What stands at a place of a data set."""

    ELEMENT = "element"
    """An element with its value."""
    SEQUENCE = "sequence"
    """A sequence; its items follow one level deeper."""
    ITEM = "item"
    """An item of a sequence; its elements follow one level deeper."""
    FRAGMENTS = "fragments"
    """Encapsulated pixel data; its fragments follow one level deeper (PS3.5 A.4)."""
    FRAGMENT = "fragment"
    """A fragment, the first is the offset table."""
    UNREADABLE = "unreadable"
    """Bytes that make no sense, up to where sense can begin again."""


class Node(NamedTuple):
    """One step of a walk."""

    kind: Kind
    depth: int
    """How many sequences and items enclose it."""
    tag: int
    vr: str
    """As written, else the dictionary's; "" for items and fragments."""
    value: memoryview
    """The raw value, padding included; of sequences and items nothing, of what is unreadable all its bytes."""
    position: int
    """Bytes from the begin of the data set, of a deflated one after inflating."""
    length: int | None
    """The length field, None when it is undefined; the number of an item or of a fragment is ``number``."""
    number: int = 0
    """Which item or fragment this is, counted from 1; the offset table is 0."""
    why: str = ""
    """Why it is unreadable; of a sequence or an item that is cut, by how much."""
    creator: str = ""
    """Who reserved the block of a private element (PS3.5 7.8.1)."""
