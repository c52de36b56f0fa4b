"""Expectations: what must have happened in the end, counted as exchanges and events finish."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from mockpacs.scenario import attribute, match
from mockpacs.scenario.case import Case, key_reader
from mockpacs.scenario.condition import Words
from mockpacs.scenario.counters import Keyed
from mockpacs.scenario.gate import times
from mockpacs.scenario.line import either, said
from mockpacs.scenario.model import Expectation
from mockpacs.scenario.values import tag_text

_SHOWN: Final = 3


class Expected:
    """One expectation and its counts."""

    def __init__(self, place: str, expectation: Expectation) -> None:
        checks = match.checks(expectation)
        self.place = place
        self.expectation = expectation
        self.kinds = match.kinds(expectation)
        self._conditions = [check.holds for check in checks if check.key != "status"]
        self._outcomes = [check.holds for check in checks if check.key == "status"]
        self._key = key_reader(expectation.per)
        self._counts: Keyed[int] = Keyed()
        self.checks = checks

    def count(self, case: Case, fired: str) -> None:
        """Something finished; ``fired`` are the names of the rules that fired, separated by a comma and a blank.

        Whatever meets the conditions is a key that must be counted often enough. It counts when the status and the rule
        are those expected too: so ``status: success, count: 1, per: SOPInstanceUID`` fails for what never succeeded.
        """
        if case.stimulus.kind not in self.kinds or not all(holds(case) for holds in self._conditions):
            return
        key = self._key(case)
        is_counted = all(holds(case) for holds in self._outcomes) and self._names(fired)
        self._counts.put(key, (self._counts.get(key) or 0) + is_counted)

    def unmet(self) -> Iterator[str]:
        """A sentence when it does not hold; nothing else."""
        least, most = self.expectation.count.bounds
        wrong = [
            (key, count) for key, count in self._counts.items() if count < least or (most is not None and count > most)
        ]
        expected = f"{self.place}: expected {self._about()} {_how_often(least, most)}"
        if not len(self._counts):
            if least:
                yield f"{expected}, it never came"
        elif wrong and self.expectation.per == "scenario":
            yield f"{expected}, it came {_came(wrong[0][1])}"
        elif wrong:
            shown = ", ".join(f"{_came(count)} for {said([str(key)])}" for key, count in wrong[:_SHOWN])
            more = f" and {len(wrong) - _SHOWN} more" if len(wrong) > _SHOWN else ""
            yield f"{expected} for each {self.expectation.per}, it was {shown}{more}"

    def _names(self, fired: str) -> bool:
        wanted = self.expectation.rule
        return wanted is None or f", {wanted}, " in f", {fired}, "

    def _about(self) -> str:
        expectation = self.expectation
        if expectation.name:
            return said([expectation.name])
        conditions = ", ".join(_told(expectation))
        return either(expectation.service or expectation.event) + (f" with {conditions}" if conditions else "")


def _told(expectation: Expectation) -> Iterator[str]:
    for key in ("calling", "called", "peer", "destination", "sop_class", "transfer_syntax", "model"):
        words: Words | None = getattr(expectation, key)
        if words is not None:
            yield f"{key} {match.told(words)}"
    if expectation.level:
        yield f"level {either(expectation.level)}"
    for tag, wanted in (*expectation.query.items(), *expectation.dataset.items()):
        yield f"{tag_text(tag)} {attribute.told(wanted)}"
    if expectation.status:
        yield f"status {either(expectation.status)}"
    for name, words in expectation.state.wanted.items():
        yield f"state {name} {match.told(words)}"
    if expectation.rule is not None:
        yield f"rule {said([expectation.rule])}"


def _how_often(least: int, most: int | None) -> str:
    if most is None:
        return f"at least {times(least)}"
    if least == most:
        return times(most) if most else "never"
    return f"{least} to {most} times" if least else f"at most {times(most)}"


def _came(count: int) -> str:
    return times(count) if count else "never"
