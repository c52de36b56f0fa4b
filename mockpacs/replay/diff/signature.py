"""What a data set is recognised by: the attributes that stay the same when UIDs are made anew."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Final

from mockpacs.replay.diff.ignore import Ignored
from mockpacs.replay.diff.tree import Fragments, Item, Leaf, Nest, meaning
from mockpacs.wire.dataset import Encoding, scan
from mockpacs.wire.dictionary import vr_of

HEAD: Final = 64 << 10
"""Bytes of a data set that it is recognised by."""
_LONG: Final = 1024
"""Bytes of a value from which on only their number counts."""
_KNOWN_FROM: Final = 0x0008_0000


_CONTROL: Final = frozenset((0x0008_0005, 0x0008_0052, 0x0008_0053, 0x0008_0054, 0x0008_0056))
"""Character set, level, view, retrieve AE title, availability: all matches of a query have the same."""
_NAMES: Final = (0x0008_0018, 0x0020_000D, 0x0020_000E, 0x0008_0050, 0x0010_0020)
"""SOP instance, study, series, accession number, patient: what a match is a match of."""


def of_data(head: bytes, transfer_syntax: str, ignored: Ignored) -> dict[int, bytes | int]:
    """By the elements at the top of a data set that begins like this; not by UIDs, sequences and private ones."""
    encoding = Encoding.of(transfer_syntax)
    found = scan(head, encoding, limit=None if encoding.deflated else HEAD).elements
    return {
        tag: bytes(element.value).rstrip(b" \0") if len(element.value) <= _LONG else len(element.value)
        for tag, element in found.items()
        if tag >= _KNOWN_FROM
        and tag & 0xFFFF
        and not tag >> 16 & 1
        and not element.undefined_length
        and (element.vr or vr_of(tag)) not in ("UI", "SQ")
        and not ignored.leaves_out(tag)
    }


def names(head: bytes, transfer_syntax: str) -> Hashable | None:
    """By what it is called: study, series, instance, accession number, patient; None when it has no name."""
    found = scan(head, Encoding.of(transfer_syntax), wanted=_NAMES, stop=max(_NAMES) + 1).elements
    values = tuple(bytes(found[tag].value).strip(b" \0") if tag in found else b"" for tag in _NAMES)
    return values if any(values) else None


def are_alike(one: dict[int, bytes | int], other: dict[int, bytes | int]) -> bool:
    """Whether half of what either has is the same in both: else they are two things, and not one that changed."""
    tags = {*one, *other} - _CONTROL
    equal = sum(tag in one and tag in other and one[tag] == other[tag] for tag in tags)
    return 2 * equal >= len(tags)


def of_item(item: Item, ignored: Ignored, *, with_uids: bool) -> Hashable:
    """By all the elements of an item, nested ones included; a number that is good in this process only."""
    found = []
    for key, element in item.elements.items():
        if ignored.leaves_out(element.node.tag):
            continue
        match element:
            case Leaf(vr="UI") if not with_uids:
                continue
            case Leaf():
                said = meaning(element, element.vr) if len(element.value) <= _LONG else len(element.value)
            case Nest():
                said = tuple(of_item(inner, ignored, with_uids=with_uids) for inner in element.items)
            case Fragments():
                said = tuple(map(len, element.pieces))
        found.append((key, said))
    return hash(tuple(found))
