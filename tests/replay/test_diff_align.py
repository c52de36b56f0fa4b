"""Pairing: a longest common subsequence really is one, and stricter keys go first."""

from __future__ import annotations

import random
from collections.abc import Hashable, Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockpacs.replay.diff import align as module
from mockpacs.replay.diff.align import Pair, align, common

WORDS = st.lists(st.sampled_from("abcd"), max_size=30)


def longest(left: Sequence[str], right: Sequence[str]) -> int:
    """The length by the table everybody knows."""
    row = [0] * (len(right) + 1)
    for one in left:
        before = row[:]
        for at, other in enumerate(right, 1):
            row[at] = before[at - 1] + 1 if one == other else max(before[at], row[at - 1])
    return row[-1]


def is_common(found: list[tuple[int, int]], left: Sequence[Hashable], right: Sequence[Hashable]) -> bool:
    is_ascending = all(a[0] < b[0] and a[1] < b[1] for a, b in pairwise(found))
    return is_ascending and all(left[one] == right[other] for one, other in found)


@given(WORDS, WORDS)
def test_a_common_subsequence_is_one_and_is_the_longest(left: list[str], right: list[str]) -> None:
    found = common(left, right)
    assert is_common(found, left, right)
    assert len(found) == longest(left, right)


@given(WORDS, WORDS)
def test_where_the_table_would_be_too_large_a_common_subsequence_is_found_all_the_same(
    left: list[str], right: list[str]
) -> None:
    found = module._good(left, right)
    assert is_common(found, left, right)
    assert bool(found) == bool(set(left) & set(right))


def test_the_large_way_is_taken_when_there_is_too_much(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_BITS", 0)
    monkeypatch.setattr(module, "_longest", None)
    assert common("xabcy", "zabcw") == [(1, 1), (2, 2), (3, 3)]


def test_nothing_is_equal_to_nothing() -> None:
    assert common([None, "a", None], [None, "a", None]) == [(1, 1)]


@given(WORDS, WORDS)
def test_everything_is_in_a_pair_once(left: list[str], right: list[str]) -> None:
    pairs = align(left, right, [lambda word: word], [lambda word: 0])
    assert [pair.left for pair in pairs if pair.left is not None] == list(range(len(left)))
    assert sorted(pair.right for pair in pairs if pair.right is not None) == list(range(len(right)))


def test_the_strictest_key_goes_first_and_the_rest_is_paired_between_neighbours() -> None:
    left, right = ["a1", "b1", "c1", "d1"], ["a1", "b2", "x9", "d1"]
    pairs = align(left, right, [lambda word: word], [lambda word: word[0]])
    assert pairs == [Pair(0, 0), Pair(1, 1), Pair(2, None), Pair(None, 2), Pair(3, 3)]


def test_what_stands_elsewhere_is_found_and_said_to_have_moved() -> None:
    pairs = align("abcd", "acdb", [lambda word: word])
    assert pairs == [Pair(0, 0), Pair(1, 3, True), Pair(2, 1), Pair(3, 2)]


def test_a_loose_key_does_not_pair_across_neighbours() -> None:
    pairs = align(["a1", "b1"], ["b1", "a2"], [lambda word: word], [lambda word: word[0]])
    assert pairs == [Pair(0, None), Pair(1, 0), Pair(None, 1)]


def test_keys_are_only_asked_for_where_something_is_left_to_pair() -> None:
    asked: list[str] = []

    def costly(word: str) -> str:
        asked.append(word)
        return word[0]

    align(["a1", "b1", "c1"], ["a1", "b2", "c1"], [lambda word: word, costly])
    assert set(asked) == {"b1", "b2"}


def test_many_are_paired_without_a_table() -> None:
    shuffled = random.Random(7)
    left = [shuffled.randrange(50) for _ in range(3000)]
    right = [number for number in left if shuffled.random() > 0.1]
    assert len(common(left, right)) == len(right)
