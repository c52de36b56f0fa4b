"""Which things of one sequence belong to which of another: common subsequences by keys, the strictest key first.

The longest common subsequence is found with integers as bit vectors (Crochemore, Iliopoulos, Pinzon and Reid, 2001):
ten thousand against ten thousand take 50 ms where a table in Python takes half a minute.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict, deque
from collections.abc import Callable, Hashable, Iterator, Sequence
from itertools import pairwise
from typing import Final, Generic, NamedTuple, TypeAlias, TypeVar

_T = TypeVar("_T")
Key: TypeAlias = Callable[[_T], Hashable | None]
"""What two things have in common that belong together; None belongs to nothing."""

MOST_BITS: Final = 1 << 30
"""Bits that the table of a longest common subsequence may have; beyond that a good one is taken for the longest."""


class Pair(NamedTuple):
    """Two things that belong together, by their positions; None where there is none on that side."""

    left: int | None
    right: int | None
    is_moved: bool = False
    """Whether it stands before or behind something else than on the other side."""


def align(
    left: Sequence[_T],
    right: Sequence[_T],
    exact: Sequence[Key[_T]],
    loose: Sequence[Key[_T]] = (),
    alike: Callable[[_T, _T], bool] | None = None,
) -> list[Pair]:
    """Pair things, those of the left in their order, what is only on the right where it stands there.

    What has an ``exact`` key in common belongs together wherever it stands; a ``loose`` key pairs only what stands
    between the same neighbours and is ``alike``. Keys are asked for where something is left to pair.
    """
    made = _Alignment(left, right)
    for key in exact:
        made.pair_in_order(key)
        made.pair_anywhere(key)
    for key in loose:
        made.pair_in_order(key, alike)
    return list(made.pairs())


class _Alignment(Generic[_T]):
    """The pairs so far."""

    def __init__(self, left: Sequence[_T], right: Sequence[_T]) -> None:
        self._left, self._right = left, right
        self._anchors = [(-1, -1), (len(left), len(right))]
        self._moved: dict[int, int] = {}
        self._taken: set[int] = set()  # of the right, moved

    def pair_in_order(self, key: Key[_T], alike: Callable[[_T, _T], bool] | None = None) -> None:
        """Pair what stands between the same neighbours, has the same key and is alike."""
        anchors = [self._anchors[0]]
        for before, after in pairwise(self._anchors):
            lefts, rights = self._open(before, after)
            if lefts and rights:
                found = common([key(self._left[at]) for at in lefts], [key(self._right[at]) for at in rights])
                pairs = [(lefts[one], rights[other]) for one, other in found]
                anchors += [
                    (one, other) for one, other in pairs if alike is None or alike(self._left[one], self._right[other])
                ]
            anchors.append(after)
        self._anchors = anchors

    def pair_anywhere(self, key: Key[_T]) -> None:
        """Pair what has the same key, the first with the first."""
        lefts, rights = self._unpaired()
        if not lefts or not rights:
            return
        waiting: defaultdict[Hashable, deque[int]] = defaultdict(deque)
        for at in rights:
            if (known := key(self._right[at])) is not None:
                waiting[known].append(at)
        for at in lefts:
            if (known := key(self._left[at])) is not None and waiting.get(known):
                self._moved[at] = other = waiting[known].popleft()
                self._taken.add(other)

    def pairs(self) -> Iterator[Pair]:
        """All of them."""
        for before, after in pairwise(self._anchors):
            for at in range(before[0] + 1, after[0]):
                yield Pair(at, self._moved.get(at), at in self._moved)
            for at in range(before[1] + 1, after[1]):
                if at not in self._taken:
                    yield Pair(None, at)
            if after[0] < len(self._left):
                yield Pair(*after)

    def _open(self, before: tuple[int, int], after: tuple[int, int]) -> tuple[list[int], list[int]]:
        """What is not paired between two anchors."""
        lefts = [at for at in range(before[0] + 1, after[0]) if at not in self._moved]
        return lefts, [at for at in range(before[1] + 1, after[1]) if at not in self._taken]

    def _unpaired(self) -> tuple[list[int], list[int]]:
        lefts: list[int] = []
        rights: list[int] = []
        for before, after in pairwise(self._anchors):
            some, others = self._open(before, after)
            lefts += some
            rights += others
        return lefts, rights


def common(left: Sequence[Hashable | None], right: Sequence[Hashable | None]) -> list[tuple[int, int]]:
    """A longest common subsequence, as pairs of positions in ascending order; None is equal to nothing."""
    start, shorter = 0, min(len(left), len(right))
    while start < shorter and left[start] == right[start] and left[start] is not None:
        start += 1
    ending = 0
    while ending < shorter - start and left[-1 - ending] == right[-1 - ending] and left[-1 - ending] is not None:
        ending += 1
    both = set(left[start : len(left) - ending]) & set(right[start : len(right) - ending]) - {None}
    lefts = [at for at in range(start, len(left) - ending) if left[at] in both]
    rights = [at for at in range(start, len(right) - ending) if right[at] in both]
    find = _longest if len(lefts) * len(rights) <= MOST_BITS else _good
    middle = find([left[at] for at in lefts], [right[at] for at in rights])
    return [
        *((at, at) for at in range(start)),
        *((lefts[one], rights[other]) for one, other in middle),
        *((len(left) - at, len(right) - at) for at in range(ending, 0, -1)),
    ]


def _longest(left: Sequence[Hashable], right: Sequence[Hashable]) -> list[tuple[int, int]]:
    """Bit j of a row is 0 where one more of the right, up to j, makes the common subsequence longer."""
    places: defaultdict[Hashable, int] = defaultdict(int)
    for at, key in enumerate(right):
        places[key] |= 1 << at
    every = row = (1 << len(right)) - 1
    rows = [row]
    for key in left:
        hits = row & places[key]
        row = (row + hits | row - hits) & every
        rows.append(row)
    found: list[tuple[int, int]] = []
    one, other = len(left), len(right)
    while one and other:
        bit = 1 << other - 1
        if rows[one] & bit:
            other -= 1
        elif not rows[one - 1] & bit:
            one -= 1
        else:
            one, other = one - 1, other - 1
            found.append((one, other))
    return found[::-1]


def _good(left: Sequence[Hashable], right: Sequence[Hashable]) -> list[tuple[int, int]]:
    """The first of a kind is paired with the first, and of these pairs as many are kept as are in order."""
    waiting: defaultdict[Hashable, deque[int]] = defaultdict(deque)
    for at, key in enumerate(right):
        waiting[key].append(at)
    candidates = [(at, waiting[key].popleft()) for at, key in enumerate(left) if waiting[key]]
    lasts: list[int] = []  # of the chains of each length, where the one that ends earliest ends
    chains: list[int] = []
    before: list[int] = []
    for number, (_, other) in enumerate(candidates):
        length = bisect_left(lasts, other)
        before.append(chains[length - 1] if length else -1)
        lasts[length : length + 1] = [other]
        chains[length : length + 1] = [number]
    found, number = [], chains[-1] if chains else -1
    while number >= 0:
        found.append(candidates[number])
        number = before[number]
    return found[::-1]
