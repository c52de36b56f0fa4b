"""Two data sets compared by keyword: nested, private, in whatever encoding each is; long values by their hash."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import Final, NamedTuple

from mockpacs.replay.diff.aliases import Aliases
from mockpacs.replay.diff.align import Pair, align
from mockpacs.replay.diff.change import Change, Topic
from mockpacs.replay.diff.content import first_difference, same_bytes
from mockpacs.replay.diff.ignore import Ignored
from mockpacs.replay.diff.signature import of_item
from mockpacs.replay.diff.tree import Element, Fragments, Item, Key, Leaf, Nest, Tree, meaning, texts
from mockpacs.traffic.dump.dataset import DEEPEST
from mockpacs.traffic.dump.naming import called
from mockpacs.traffic.dump.node import Kind
from mockpacs.traffic.dump.value import SHOWN_BYTES, SHOWN_CHARACTERS, TEXT_VRS, binary, shown
from mockpacs.traffic.render import number_of
from mockpacs.wire.dictionary import keyword_of

_LONG: Final = 1 << 16
"""Bytes from which on two values are not made into anything before they are compared as bytes."""
_HASHED: Final = 64
"""Bytes of a binary value from which on its hash is told."""
_DIGITS: Final = 12


class Place(NamedTuple):
    """Which data sets are compared, and how."""

    where: str
    """``request``, ``match 3``"""
    ignored: Ignored
    aliases: Aliases
    """Learns which UID stands in the place of which."""
    path: str = ""
    """``RequestAttributesSequence[1].``"""


def compare_data(left: Tree, right: Tree, place: Place) -> Iterator[Change]:
    """What is not the same, in the order of the first data set; what only the second has stands where it is there."""
    for one, other in zip_longest(left.remarks, right.remarks):
        if one != other:
            yield Change(place.where, "encoding", one, other)
    yield from _items(left.top, right.top, place)
    if len(left.deeper) != len(right.deeper) or any(
        one[0] != other[0] or not same_bytes(one[1], other[1])
        for one, other in zip(left.deeper, right.deeper, strict=True)
    ):
        before, after = (number_of(len(tree.deeper), "element") for tree in (left, right))
        yield Change(place.where, f"nested deeper than {DEEPEST}", before, after, note="not the same")


def _items(left: Item, right: Item, place: Place) -> Iterator[Change]:
    ours, theirs = list(left.elements), list(right.elements)
    order = ours if ours == theirs else sorted({*ours, *theirs}, key=lambda key: _position(left, right, key))
    for key in order:
        one, other = left.elements.get(key), right.elements.get(key)
        either = one or other
        assert either is not None
        if place.ignored.leaves_out(either.node.tag):
            continue
        if one is None or other is None:
            yield _lone(either, place, is_left=one is not None)
        elif isinstance(one, Leaf) and isinstance(other, Leaf):
            yield from _leaves(one, other, place)
        elif isinstance(one, Nest) and isinstance(other, Nest):
            yield from _nests(one, other, place)
        elif isinstance(one, Fragments) and isinstance(other, Fragments):
            yield from _fragments(one, other, place)
        else:
            yield _change(one, place, _told(one), _told(other))


def _position(left: Item, right: Item, key: Key) -> tuple[int, int]:
    """By ascending tags, what is unreadable at the end."""
    either = left.elements.get(key) or right.elements[key]
    return 0xFFFFFFFF if either.node.kind is Kind.UNREADABLE else either.node.tag, key[2]


def _lone(element: Element, place: Place, *, is_left: bool) -> Change:
    told = _told(element)
    return _change(element, place, told if is_left else None, None if is_left else told)


def _leaves(one: Leaf, other: Leaf, place: Place) -> Iterator[Change]:
    vr = _common_vr(one, other)
    if one.node.vr != other.node.vr and one.is_written and other.is_written:
        yield _change(one, place, one.node.vr, other.node.vr, Topic.VR, note="VR")
    if vr == "UI":
        yield from _uids(one, other, place)
    elif not _is_same(one, other, vr):
        before, after = _value(one, vr), _value(other, vr)
        yield _change(one, place, before, after, note=_hint(one, other, vr, is_alike=before == after))


def _common_vr(one: Leaf, other: Leaf) -> str:
    """By which VR to read both: the one that was written by somebody who knew it (PS3.5 6.2.2)."""
    if one.vr == other.vr:
        return one.vr
    knows = one.is_written and one.node.vr != "UN"
    return one.vr if knows or not (other.is_written and other.node.vr != "UN") else other.vr


def _is_same(one: Leaf, other: Leaf, vr: str) -> bool:
    if len(one.value) > _LONG and vr not in TEXT_VRS and one.is_little == other.is_little:
        return same_bytes(one.value, other.value)
    return meaning(one, vr) == meaning(other, vr)


def _uids(one: Leaf, other: Leaf, place: Place) -> Iterator[Change]:
    """UIDs of the same number may be renamed: that is decided when all were seen."""
    ours, theirs = texts(one), texts(other)
    pairs: tuple[tuple[str, str], ...] = ()
    if len(ours) == len(theirs):
        place.aliases.see(zip(ours, theirs, strict=True))
        pairs = tuple(pair for pair in zip(ours, theirs, strict=True) if pair[0] != pair[1])
    if ours != theirs:
        yield _change(one, place, _value(one, "UI"), _value(other, "UI"))._replace(uids=pairs)


def _nests(one: Nest, other: Nest, place: Place) -> Iterator[Change]:
    """Items that are equal belong together, the others by what they have in common, or where they stand."""
    if len(one.items) == len(other.items) == 1:
        pairs = [Pair(0, 0)]
    else:
        exact = [lambda item: of_item(item, place.ignored, with_uids=True)]
        exact.append(lambda item: of_item(item, place.ignored, with_uids=False))
        pairs = align(one.items, other.items, exact, [lambda item: 0])
    name = f"{place.path}{_name(one)}"
    for left, right, is_moved in pairs:
        if left is None or right is None:
            number = (right if left is None else left) or 0
            item = other.items[number] if left is None else one.items[number]
            told = number_of(len(item.elements), "element")
            before, after = (None, told) if left is None else (told, None)
            yield Change(place.where, f"{name}[{number + 1}]", before, after, tag=one.node.tag)
            continue
        if is_moved:
            before, after = f"item {left + 1}", f"item {right + 1}"
            yield Change(place.where, f"{name}[{left + 1}]", before, after, Topic.ORDER, one.node.tag)
        path = f"{name}[{left + 1}]."
        yield from _items(one.items[left], other.items[right], place._replace(path=path))


def _fragments(one: Fragments, other: Fragments, place: Place) -> Iterator[Change]:
    if len(one.pieces) == len(other.pieces) and all(map(same_bytes, one.pieces, other.pieces)):
        return
    is_cut_anew = _digest(one.pieces[1:]) == _digest(other.pieces[1:])
    note = "the same bytes, cut into fragments or listed in the offset table in another way" if is_cut_anew else ""
    yield _change(one, place, _told(one), _told(other), note=note)


def _change(
    element: Element,
    place: Place,
    before: str | None,
    after: str | None,
    topic: Topic = Topic.ATTRIBUTE,
    note: str = "",
) -> Change:
    return Change(place.where, place.path + _name(element), before, after, topic, element.node.tag, note)


def _name(element: Element) -> str:
    """``PatientName``; a private element and one without a name has its tag."""
    node = element.node
    if node.kind is Kind.UNREADABLE:
        return "unreadable bytes"
    tag = f"({node.tag >> 16:04X},{node.tag & 0xFFFF:04X})"
    if not node.tag & 0xFFFF:
        return f"{tag} group length"
    return keyword_of(node.tag) or f"{tag} {called(node)}"


def _told(element: Element) -> str:
    match element:
        case Leaf():
            return _value(element, element.vr)
        case Nest():
            return number_of(len(element.items), "item")
        case Fragments():
            pieces = element.pieces[1:]
            size = sum(map(len, pieces))
            return f"{number_of(len(pieces), 'fragment')}, {size} bytes, sha256 {_digest(pieces)}"


def _value(leaf: Leaf, vr: str) -> str:
    if leaf.node.kind is Kind.UNREADABLE:
        return f"{binary(leaf.value)}: {leaf.node.why}"
    if vr not in TEXT_VRS and vr.startswith(("O", "UN")) and len(leaf.value) > _HASHED:
        return f"{len(leaf.value)} bytes, sha256 {_digest([leaf.value])}"
    return shown(vr, leaf.value, leaf.holder.character_set, little_endian=leaf.is_little)


def _hint(one: Leaf, other: Leaf, vr: str, *, is_alike: bool) -> str:
    """Where they begin to differ, when that is not seen."""
    is_long = max(len(one.value), len(other.value)) > (SHOWN_CHARACTERS if vr in TEXT_VRS else SHOWN_BYTES)
    if not (is_alike or is_long) or one.is_little != other.is_little:
        return ""
    at = first_difference(one.value, other.value)
    return "" if at is None else f"from byte {at} on"


def _digest(pieces: Sequence[memoryview]) -> str:
    made = hashlib.sha256()
    for piece in pieces:
        made.update(piece)
    return made.hexdigest()[:_DIGITS]
