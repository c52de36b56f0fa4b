"""What keeps a rule from firing although its conditions hold: its limit, its count, its chance."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from mockpacs.scenario.rule import Rule
from mockpacs.scenario.values import Limit, Nth


class Gate(StrEnum):
    """The gates of a rule, in the order in which they are met."""

    LIMIT = "limit"
    NTH = "nth"
    TIMES = "times"
    SEQUENCE = "sequence"
    CHANCE = "chance"


class Blocked(NamedTuple):
    """At which gate it ended, and what had been counted then, this time included."""

    gate: Gate
    seen: int
    fired: int
    passed: int = 0

    def reason(self, rule: Rule) -> str:
        """Why, as a sentence."""
        per = "" if rule.per == "scenario" else f" for this {_called(rule.per)}"
        if self.gate is Gate.LIMIT and rule.limit:
            return f"within the limit: {self.passed + 1} of {_limit(rule.limit)}{per}"
        if self.gate is Gate.NTH and rule.nth:
            return f"this was the {ordinal(self.seen)}{per}, nth is {_nth(rule.nth)}"
        if self.gate is Gate.TIMES:
            return f"spent: times is {rule.times}, it has fired {times(self.fired)}{per}"
        if self.gate is Gate.CHANCE:
            return f"not drawn: its chance is {100 * (rule.chance or 0):g}%"
        return f"its sequence of {len(rule.sequence or ())} is over{per} and at_end is pass"


def ordinal(number: int) -> str:
    """1st, 2nd, 3rd, 4th, ..."""
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def times(number: int) -> str:
    """Once, twice, 3 times."""
    return {1: "once", 2: "twice"}.get(number, f"{number} times")


def _called(per: str) -> str:
    return "calling AE" if per == "calling-ae" else per


def _nth(nth: Nth) -> str:
    if nth.last is None:
        return f"{nth.first}.." if nth.step == 1 else f"every {nth.step}"
    return str(nth.first) if nth.last == nth.first else f"{nth.first}..{nth.last}"


def _limit(limit: Limit) -> str:
    units = {1: "second", 60: "minute", 3600: "hour"}
    return f"{limit.most}/{units.get(int(limit.seconds), f'{limit.seconds:g}s')}"
