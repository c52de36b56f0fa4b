"""The rules of an engine, sorted by what they are about. Made anew when a rule comes or goes, never changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import Final

from mockpacs.scenario.case import key_tag
from mockpacs.scenario.condition import Moment
from mockpacs.scenario.expect import Expected
from mockpacs.scenario.model import StateSpec
from mockpacs.scenario.running import Running


class Bucket:
    """The rules about one service or event at one moment."""

    def __init__(self) -> None:
        self.rules: list[Running] = []
        self.is_random = False

    def add(self, running: Running) -> None:
        """One more."""
        self.rules.append(running)
        self.is_random = self.is_random or running.is_random


class Arrangement:
    """What can be said about rules without asking them."""

    def __init__(self, rules: Sequence[Running], expected: Sequence[Expected], states: Mapping[str, StateSpec]) -> None:
        self.buckets: dict[str, dict[tuple[Moment, int], Bucket]] = {}
        """By service or event, then by moment and mark."""
        for running in rules:
            for kind in running.kinds:
                self.buckets.setdefault(kind, {}).setdefault(running.slot, Bucket()).add(running)
        self.moments = {kind: frozenset(moment for moment, _ in ats) for kind, ats in self.buckets.items()}
        """By service."""
        self.marks = {kind: tuple(sorted(filter(_is_marked, ats))) for kind, ats in self.buckets.items()}
        """By service: the bytes and PDUs of a data set that rules wait for."""
        looked_at = [(kind, tag) for kind, tag in _looked_at(rules, expected, states) if tag]
        self.data_kinds = frozenset(kind for kind, _ in looked_at)
        """Services whose data set is looked at."""
        self.tags = frozenset(tag for _, tag in looked_at)
        """Attributes that are looked at."""
        self.several_moments = {
            kind: [running for bucket in ats.values() for running in bucket.rules]
            for kind, ats in self.buckets.items()
            if len(ats) > 1 or not ats.keys().isdisjoint(_MAY_NOT_COME) or any(map(_is_marked, ats))
        }
        """All rules about a service that has rules at several moments, or at one that need not come."""


_MAY_NOT_COME: Final = {(Moment.SUB_OPERATION, 0), (Moment.BETWEEN_RESPONSES, 0)}


def _is_marked(at: tuple[Moment, int]) -> bool:
    return at[0] in (Moment.RECEIVED, Moment.PDU)


def _looked_at(
    rules: Sequence[Running], expected: Sequence[Expected], states: Mapping[str, StateSpec]
) -> Iterator[tuple[str, int]]:
    """Every service with every attribute of its data set that somebody looks at."""
    for running in rules:
        named = [*running.rule.when.state.wanted, *running.rule.set]
        pers = [running.rule.per, *(states[name].per for name in named if name in states)]
        yield from product(running.kinds, [check.tag for check in running.checks])
        yield from ((kind, key_tag(per, kind)) for kind in running.kinds for per in pers)
    for one in expected:
        yield from product(one.kinds, [check.tag for check in one.checks])
        yield from ((kind, key_tag(one.expectation.per, kind)) for kind in one.kinds)
