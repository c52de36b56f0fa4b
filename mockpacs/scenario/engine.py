"""The engine: what a scenario does about a stimulus. No socket, no disk; the only clock is that of limits.

Looking for the rule, counting and changing states are one atomic step.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Final, TypeVar

from mockpacs.errors import ScenarioError
from mockpacs.scenario.arrangement import Arrangement
from mockpacs.scenario.case import Case, identity
from mockpacs.scenario.cast import Cast
from mockpacs.scenario.counters import Key, Keyed
from mockpacs.scenario.decision import Decision
from mockpacs.scenario.expect import Expected
from mockpacs.scenario.gate import times
from mockpacs.scenario.nearest import LEAST_MISS, Seen
from mockpacs.scenario.rule import Change
from mockpacs.scenario.running import Running
from mockpacs.scenario.script import Placed, Script
from mockpacs.scenario.state import States
from mockpacs.scenario.stimulus import Stimulus
from mockpacs.scenario.verdict import Tally, Verdict

__all__ = ["Engine", "Tally", "Verdict"]

Made = TypeVar("Made")

_MOST_CURIOUS: Final = 500
"""Rules of a script that are told of what came to other services; a replayed recording can have thousands of them."""
_FAR: Final = 1 << 30
"""Where rules stand that are about something else: behind all others, in the order of the file."""


class Engine:
    """Decides. Safe to be asked by several threads.

    Raises `ScenarioError` for a script that names a SOP class or transfer syntax nobody knows.
    """

    script: Script
    _rules: list[Running]
    _cast: Cast

    def __init__(self, script: Script, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._lock = threading.Lock()
        self._clock = clock
        self._load(script)

    @property
    def seed(self) -> int:
        """Of everything that is drawn."""
        return self.script.seed

    @property
    def cast(self) -> Cast:
        """The rules that decide now. Who keeps it is decided about by these, whatever changes meanwhile."""
        return self._cast

    # deciding

    def decide(self, stimulus: Stimulus, cast: Cast | None = None) -> Decision | None:
        """What the scenario does about it, counted. None when no rule fired. ``cast``: by the rules of then."""
        with self._lock:
            return self._decide(stimulus, cast or self._cast)

    def reported(self, stimulus: Stimulus, rule: str) -> None:
        """An exchange finished with this status, or an event; ``rule``: what fired for it, "" when nothing did.

        The moment does not matter here.
        """
        with self._lock:
            case = Case(stimulus, self._cast.states)
            for expected in self._expected:
                expected.count(case, rule)
            self._seen.add(stimulus)
            self._see_misses(case)

    def forget(self, association: int) -> None:
        """An association ended: what was kept for it or its exchanges is not needed any more."""
        with self._lock:
            for running in self._rules:
                running.forget(association)
            self._cast.states.forget(association)

    # explaining

    def explain(self, stimulus: Stimulus) -> list[Verdict]:
        """What would fire and why the others would not, the nearest first. Changes nothing."""
        with self._lock:
            verdicts = [*self._explain(stimulus)]
        return sorted(verdicts, key=lambda one: (not one.fires, one.differing if one.is_about else _FAR))

    def tally(self) -> list[Tally]:
        """How often each rule fired; of one that never did, what came nearest."""
        with self._lock:
            return [
                Tally(
                    running.name,
                    running.placed.place,
                    running.fired,
                    running.held,
                    None if running.fired else running.near.told(self._seen),
                )
                for running in self._rules
            ]

    def fired(self, name: str) -> int:
        """How often a rule fired; 0 when there is none of that name."""
        with self._lock:
            return next((running.fired for running in self._rules if running.name == name), 0)

    def unmet(self) -> list[str]:
        """A sentence about each expectation that does not hold so far."""
        with self._lock:
            return [
                *(sentence for expected in self._expected for sentence in expected.unmet()),
                *(
                    f'{running.placed.place}: the sequence of "{running.name}" was over, and it was asked '
                    f"{times(running.overruns)} more"
                    for running in self._rules
                    if running.overruns
                ),
            ]

    # changing

    def reset(self) -> None:
        """Counters, states and tallies as at the start."""
        self.change(self.script)

    def change(self, script: Script) -> None:
        """Other rules; everything is at the start."""
        with self._lock:
            self._load(script)

    def add(self, *placed: Placed) -> None:
        """More rules, above all others, the first topmost; what the others have counted stays."""
        with self._lock:
            added = [self._running(one) for one in placed]
            self.script = replace(self.script, rules=(*placed, *self.script.rules))
            self._rules = [*added, *self._rules]
            self._arrange()

    def replace(self, name: str, placed: Placed) -> bool:
        """Another rule in the place of one, counting from the start. Whether there was one of that name."""
        with self._lock:
            known = [running.name for running in self._rules]
            if name not in known:
                return False
            at, running = known.index(name), self._running(placed)
            self._rules = [*self._rules[:at], running, *self._rules[at + 1 :]]
            self.script = replace(self.script, rules=tuple(running.placed for running in self._rules))
            self._arrange()
            return True

    def remove(self, name: str) -> bool:
        """Take a rule away. Whether there was one of that name."""
        with self._lock:
            left = [running for running in self._rules if running.name != name]
            is_found = len(left) < len(self._rules)
            self._rules = left
            self.script = replace(self.script, rules=tuple(running.placed for running in left))
            self._arrange()
            return is_found

    def state(self, name: str, key: Key | None = None) -> str:
        """The value of a state for a key; without one, of all keys that have none of their own."""
        with self._lock:
            return self._cast.states.value(name, key)

    def states(self) -> dict[str, dict[Key | None, str]]:
        """All states: the value of each key that has one of its own, under None that of all others."""
        with self._lock:
            return self._cast.states.values()

    def reset_states(self) -> None:
        """All states as at the start; what rules have counted stays."""
        with self._lock:
            self._arrange(States(self.script.states))

    def set_state(self, name: str, value: str, key: Key | None = None) -> None:
        """Give a state a new value for a key; without one, for all keys."""
        with self._lock:
            self._cast.states.set(name, value, key)

    # inside, with the lock held

    def _load(self, script: Script) -> None:
        states = States(script.states)
        rules = [self._running(placed, script.seed) for placed in script.rules]
        expected = [_known(place, partial(Expected, place, one)) for place, one in script.expect]
        self.script, self._rules, self._expected = script, rules, expected
        self._asked: Keyed[int] = Keyed()
        self._seen = Seen()
        self._arrange(states)

    def _running(self, placed: Placed, seed: int | None = None) -> Running:
        chosen = self.script.seed if seed is None else seed
        return _known(placed.place, lambda: Running(placed, chosen, self._clock))

    def _arrange(self, states: States | None = None) -> None:
        """What others read without the lock is replaced, never changed."""
        arranged = Arrangement(self._rules, self._expected, self.script.states)
        self._cast = Cast(arranged, states if states is not None else self._cast.states)
        is_small = len(self._rules) <= _MOST_CURIOUS
        self._curious = [one for one in self._rules if is_small and not one.fired and one.near.is_curious]

    def _decide(self, stimulus: Stimulus, cast: Cast) -> Decision | None:
        by_moment = cast.arranged.buckets.get(stimulus.kind)
        bucket = by_moment.get(stimulus.slot) if by_moment is not None else None
        case = Case(stimulus, cast.states)
        self._seen.add(stimulus)
        fired: list[Decision] = []
        if bucket is not None:
            if bucket.is_random:
                case.who = identity(stimulus)
                case.occurrence = (self._asked.get(case.who) or 0) + 1
                self._asked.put(case.who, case.occurrence)
            self._ask(bucket.rules, case, cast.states, fired)
        self._see_misses(case)
        return _joined(fired) if fired else None

    def _ask(self, rules: list[Running], case: Case, states: States, fired: list[Decision]) -> None:
        """Every rule in its turn, until one decides; those behind it go on counting, and learn who was faster.

        All see the states as they were before: changes are made when every rule has been asked.
        """
        taken_by = None
        changes: list[tuple[str, Change]] = []
        for running in rules:
            if taken_by is not None:
                if running.rule.nth is not None and all(test(case) for test in running.tests):
                    running.count(case)
                if not running.fired:
                    running.near.shadow(case, taken_by.called)
                continue
            for test in running.tests:
                if not test(case):
                    if not running.fired and running.near.distance > LEAST_MISS:
                        running.near.miss(case)
                    break
            else:
                decision = running.decide(case)
                if decision is None:
                    continue
                fired.append(decision)
                if running.fired == 1:
                    self._curious = [one for one in self._curious if one is not running]
                changes += running.changes
                if not running.continues:
                    taken_by = running
        for name, change in changes:
            states.change(name, case, change)

    def _see_misses(self, case: Case) -> None:
        """Rules about something else, or about another moment, that never fired: perhaps nothing nearer ever comes."""
        stimulus = case.stimulus
        kind = stimulus.kind
        for running in self._cast.arranged.several_moments.get(kind, ()):
            if not running.fired and running.slot != stimulus.slot:
                running.near.other_moment(case)
        if self._curious:
            is_any_bored = False
            for running in self._curious:
                if kind not in running.kinds:
                    running.near.stranger(case)
                    is_any_bored = is_any_bored or not running.near.is_curious
            if is_any_bored:
                self._curious = [running for running in self._curious if running.near.is_curious]

    def _explain(self, stimulus: Stimulus) -> Iterator[Verdict]:
        who = identity(stimulus)
        case = Case(stimulus, self._cast.states, who, (self._asked.get(who) or 0) + 1)
        taken_by = None
        for running in self._rules:
            verdict = running.verdict(case)
            if verdict.differing:
                yield verdict
            elif taken_by is not None:
                yield replace(verdict, reason=f"an earlier rule takes it: {taken_by.called}")
            elif blocked := running.would_block(case):
                yield replace(verdict, reason=blocked.reason(running.rule))
            else:
                yield replace(verdict, fires=True)
                taken_by = None if running.continues else running


def _joined(fired: list[Decision]) -> Decision:
    if len(fired) == 1:
        return fired[0]
    return Decision(
        ", ".join(one.rule for one in fired),
        tuple(act for one in fired for act in one.acts),
        tuple(act for one in fired for act in one.later),
    )


def _known(place: str, make: Callable[[], Made]) -> Made:
    """A rule or an expectation; what it names must be known."""
    try:
        return make()
    except ValueError as error:
        raise ScenarioError(f"{place}: {error}") from error
