"""Associations of two recordings that belong together: who asked whom, and what was asked."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Iterator, Sequence
from typing import Final, TypeAlias

from mockpacs.replay.diff.align import Key, align
from mockpacs.replay.diff.talk import Recognition, talks
from mockpacs.replay.tape import TapedAssociation

_TELLING: Final = 20
"""Associations of a recording on which the same was asked, for it to say anything of which is which."""


class Side:
    """An association of one tape with its exchanges."""

    def __init__(self, taped: TapedAssociation) -> None:
        self.taped = taped
        self.talks = talks(taped)

    @property
    def who(self) -> Hashable:
        """Who asked whom; and whether it was asked for by another association."""
        one = self.taped.association
        return one.calling, one.called, self.is_leg

    @property
    def is_leg(self) -> bool:
        """Whether it was asked for by another association."""
        return bool(self.taped.cause)


Pairs: TypeAlias = Iterator[tuple[Side | None, Side | None]]


def sides_of(associations: Iterable[TapedAssociation]) -> list[Side]:
    """What is compared of the associations of a tape."""
    return [Side(one) for one in associations]


def paired(ours: Sequence[Side], theirs: Sequence[Side], known: Recognition) -> Pairs:
    """Who, and what was asked: the same, else something of it, else the same services; the order is no matter."""
    pairing = _Pairing(ours, theirs)
    pairing.by_keys(
        lambda side: (side.who, *map(known.exact, side.talks)),
        lambda side: (side.who, *map(known.content, side.talks)),
    )
    pairing.by_what_is_shared(known)
    pairing.by_keys(
        lambda side: (side.who, *map(known.kind, side.talks)),
        lambda side: side.who,
        lambda side: (side.is_leg, *map(known.kind, side.talks)) if side.talks else None,
        lambda side: side.is_leg,
    )
    return pairing.pairs()


class _Pairing:
    """The pairs so far, by position."""

    def __init__(self, ours: Sequence[Side], theirs: Sequence[Side]) -> None:
        self._ours, self._theirs = ours, theirs
        self._partners: dict[int, int] = {}

    def by_keys(self, *keys: Key[Side]) -> None:
        """Pair those that have a key in common, the strictest first."""
        lefts, rights = self._unpaired()
        if not lefts or not rights:
            return
        for one, other, _ in align([self._ours[at] for at in lefts], [self._theirs[at] for at in rights], keys):
            if one is not None and other is not None:
                self._partners[lefts[one]] = rights[other]

    def by_what_is_shared(self, known: Recognition) -> None:
        """Pair those who asked some of the same, the most first; what many asked says nothing."""
        lefts, rights = self._unpaired()
        if not lefts or not rights:
            return
        places: defaultdict[Hashable, list[int]] = defaultdict(list)
        for at in rights:
            for key in _questions(self._theirs[at], known):
                places[key].append(at)
        shared: Counter[tuple[int, int]] = Counter()
        for at in lefts:
            for key in _questions(self._ours[at], known):
                found = places.get(key, ())
                if len(found) <= _TELLING:
                    shared.update((at, other) for other in found)
        taken: set[int] = set()
        for (one, other), _ in shared.most_common():
            if one not in self._partners and other not in taken:
                self._partners[one] = other
                taken.add(other)

    def pairs(self) -> Pairs:
        """All in the order of the first recording; what is only in the second stands where it is there."""
        _, lone = self._unpaired()
        lone.reverse()
        for left, side in enumerate(self._ours):
            right = self._partners.get(left)
            while right is not None and lone and lone[-1] < right:
                yield None, self._theirs[lone.pop()]
            yield side, None if right is None else self._theirs[right]
        while lone:
            yield None, self._theirs[lone.pop()]

    def _unpaired(self) -> tuple[list[int], list[int]]:
        taken = set(self._partners.values())
        lefts = [at for at in range(len(self._ours)) if at not in self._partners]
        return lefts, [at for at in range(len(self._theirs)) if at not in taken]


def _questions(side: Side, known: Recognition) -> set[Hashable]:
    return {(side.who, known.content(talk)) for talk in side.talks}
