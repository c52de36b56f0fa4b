"""Two exchanges compared: requests, C-CANCELs, matches, responses; command sets first, then data sets."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from typing import Final

from mockpacs.replay.diff.aliases import Aliases
from mockpacs.replay.diff.align import align
from mockpacs.replay.diff.change import Change, Topic
from mockpacs.replay.diff.command import compare_commands, status_of
from mockpacs.replay.diff.content import same, viewed
from mockpacs.replay.diff.dataset import Place, compare_data
from mockpacs.replay.diff.ignore import Ignored
from mockpacs.replay.diff.talk import Recognition, Talk
from mockpacs.replay.diff.tree import Tree
from mockpacs.replay.tape import Said
from mockpacs.traffic.dump.naming import message_name, named
from mockpacs.traffic.identifier import describe_identifier
from mockpacs.traffic.render import duration, number_of
from mockpacs.wire.dataset import Encoding, scan
from mockpacs.wire.text import values

_SLOWER: Final = 2.0
_NOTICED: Final = 0.1
"""Seconds by which something must take longer for anybody to notice."""
_HEAD: Final = 64 << 10
_NAMES: Final = frozenset((0x00080018, 0x0020000D, 0x0020000E, 0x00200052))
"""SOP instance, study, series, frame of reference: what two equal data sets say of UIDs that are not renamed."""


class Comparing:
    """How exchanges are compared; it learns how UIDs are renamed."""

    def __init__(self, ignored: Ignored, *, with_data: bool = True, with_times: bool = False) -> None:
        self.ignored = ignored
        self.aliases = Aliases()
        self.recognition = Recognition(ignored)
        self._with_data = with_data
        self._with_times = with_times

    def exchanges(self, left: Talk, right: Talk) -> Iterator[Change]:
        """All that is not the same. UIDs that may be renamed are told as well."""
        yield from self._one("request", left.request, right.request)
        if len(left.cancels) != len(right.cancels):
            yield Change("request", "C-CANCEL-RQ", _count(left.cancels), _count(right.cancels), Topic.PRESENCE)
        yield from self._matches(left.matches, right.matches)
        yield from self._progress(left, right)
        yield from self._finals(left, right)
        if self._with_times:
            yield from _times(left, right)

    def _matches(self, left: Sequence[Said], right: Sequence[Said]) -> Iterator[Change]:
        """Matches are a set: who finds them in another order, finds the same."""
        known = self.recognition
        if len(left) != len(right):
            yield Change("response", "matches", str(len(left)), str(len(right)), Topic.PRESENCE)

        def alike(said: Said) -> Hashable:
            return said.command.status, known.raw(said), said.context.transfer_syntax

        moved = 0
        keys = [alike, known.said, known.names]
        for one, other, is_moved in align(left, right, keys, [lambda said: 0], known.have_much_in_common):
            moved += is_moved
            if one is None:
                assert other is not None
                yield Change(f"match {other + 1}", "match", None, self._summary(right[other]), Topic.PRESENCE)
            elif other is None:
                yield Change(f"match {one + 1}", "match", self._summary(left[one]), None, Topic.PRESENCE)
            else:
                yield from self._one(f"match {one + 1}", left[one], right[other])
        if moved:
            note = f"{number_of(moved, 'match')} elsewhere"
            yield Change("response", "order of matches", None, None, Topic.ORDER, note=note)

    def _progress(self, left: Talk, right: Talk) -> Iterator[Change]:
        """How often a retrieve says how far it is, is up to the server."""
        ours, theirs = left.progress, right.progress
        if len(ours) != len(theirs):
            yield Change("response", "pending responses", str(len(ours)), str(len(theirs)), Topic.PROGRESS)
            return
        for number, (one, other) in enumerate(zip(ours, theirs, strict=True), 1):
            for change in self._one(f"pending response {number}", one, other):
                yield change._replace(topic=Topic.PROGRESS)

    def _finals(self, left: Talk, right: Talk) -> Iterator[Change]:
        ours, theirs = left.finals, right.finals
        for number in range(max(len(ours), len(theirs))):
            where = "response" if not number else f"response {number + 1}"
            one = ours[number] if number < len(ours) else None
            other = theirs[number] if number < len(theirs) else None
            yield from self._one(where, one, other)

    def _one(self, where: str, left: Said | None, right: Said | None) -> Iterator[Change]:
        """Two messages."""
        if left is None or right is None:
            if left is not right:
                yield Change(where, "message", _told(left), _told(right), Topic.PRESENCE)
            return
        place = Place(where, self.ignored, self.aliases)
        yield from compare_commands(left.command, right.command, place)
        one, other = left.context, right.context
        if one.abstract_syntax != other.abstract_syntax:
            before, after = _named(one.abstract_syntax), _named(other.abstract_syntax)
            yield Change(where, "abstract syntax of the context", before, after, Topic.CONTEXTS)
        if one.transfer_syntax != other.transfer_syntax and (left.data or right.data):
            before, after = _named(one.transfer_syntax), _named(other.transfer_syntax)
            yield Change(where, "transfer syntax", before, after, Topic.TRANSFER_SYNTAX)
        yield from self._data(left, right, place)

    def _data(self, left: Said, right: Said, place: Place) -> Iterator[Change]:
        one, other = left.data, right.data
        if one is None or other is None:
            if one is not other:
                told = [None if data is None else f"{data.size} bytes" for data in (one, other)]
                yield Change(place.where, "data set", told[0], told[1], Topic.PRESENCE)
            return
        if left.is_whole != right.is_whole:
            told = [f"{said.data.size if said.data else 0} bytes{_cut(said)}" for said in (left, right)]
            yield Change(place.where, "data set", told[0], told[1], Topic.PRESENCE)
        if not self._with_data:
            return
        syntaxes = left.context.transfer_syntax, right.context.transfer_syntax
        if syntaxes[0] == syntaxes[1] and same(one, other):
            self.aliases.keep(_names(left))
            return
        trees = Tree(viewed(one), syntaxes[0]), Tree(viewed(other), syntaxes[1])
        found = list(compare_data(*trees, place))
        if not found and any(map(_is_partial, trees)):
            found.append(Change(place.where, "data set", None, None, note="not the same behind what is inflated of it"))
        yield from found

    def _summary(self, said: Said) -> str:
        """A match that is on one side only, in a few words."""
        head = said.data.head(_HEAD) if said.data else b""
        return describe_identifier(head, Encoding.of(said.context.transfer_syntax)) or f"{len(head)} bytes"


def _is_partial(tree: Tree) -> bool:
    """Whether more was deflated than anybody inflates."""
    return any("only the first" in remark for remark in tree.remarks)


def _names(said: Said) -> Iterator[str]:
    if said.data is None:
        return
    encoding = Encoding.of(said.context.transfer_syntax)
    limit = None if encoding.deflated else _HEAD
    found = scan(said.data.head(_HEAD), encoding, stop=max(_NAMES) + 1, wanted=_NAMES, limit=limit)
    for element in found.elements.values():
        yield from values(element.value, "UI")


def _times(left: Talk, right: Talk) -> Iterator[Change]:
    one, other = left.exchange.seconds, right.exchange.seconds
    if abs(one - other) >= _NOTICED and max(one, other) >= _SLOWER * min(one, other):
        yield Change("", "duration", duration(one), duration(other), Topic.TIMES)


def _told(said: Said | None) -> str | None:
    """What a message is, where the other side has none."""
    if said is None:
        return None
    name, status = message_name(said.command.field), said.command.status
    return name if status is None else f"{name} {status_of(status, said.command.service)}"


def _count(said: Sequence[Said]) -> str | None:
    return str(len(said)) if said else None


def _cut(said: Said) -> str:
    return "" if said.is_whole else ", not whole"


def _named(uid: str) -> str:
    return named(uid) if uid else "not known"
