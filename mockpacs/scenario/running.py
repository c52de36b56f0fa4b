"""A rule at work: its conditions compiled, its counters, and what it decides when its turn comes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from typing import Final

from mockpacs.scenario.case import Case, is_lasting, key_reader
from mockpacs.scenario.condition import Moment
from mockpacs.scenario.counters import Count, Key, Keyed, Window
from mockpacs.scenario.decision import Decision
from mockpacs.scenario.draw import Draw, Draws
from mockpacs.scenario.gate import Blocked, Gate
from mockpacs.scenario.line import Line, either, moment_text
from mockpacs.scenario.match import checks, kinds
from mockpacs.scenario.nearest import Nearest
from mockpacs.scenario.plan import Plan
from mockpacs.scenario.script import Placed
from mockpacs.scenario.state import States
from mockpacs.scenario.step import ANSWERS, Step
from mockpacs.scenario.stimulus import Stimulus
from mockpacs.scenario.verdict import Subject, Verdict

MOST_WINDOWS: Final = 100_000
"""A window keeps a time for everything that passed, so there are fewer of them than of counts."""

_OVER: Final = Step.model_validate({"status": "0110", "comment": "The sequence of this rule is over"})


class Running:
    """One rule. Whoever calls it holds the lock of the engine."""

    def __init__(self, placed: Placed, seed: int, clock: Callable[[], float]) -> None:
        rule = placed.rule
        self.placed = placed
        self.rule = rule
        self.name = placed.name
        self.about = rule.when.service or rule.when.event
        self.kinds = kinds(rule.when)
        self.at = (rule.when.at.when, rule.when.at.mark)
        self.slot = (self.at[0], 0) if self.at[0] is Moment.SUB_OPERATION else self.at
        self.checks = checks(rule.when)
        ordered = sorted(self.checks, key=lambda check: check.cost)
        self.cheap_tests = tuple(check.holds for check in ordered if not check.tag)
        self.data_tests = tuple(check.holds for check in ordered if check.tag)
        self.tests = self.cheap_tests + self.data_tests
        self.continues = rule.continue_
        self.changes = tuple(rule.set.items())
        self._clock = clock
        self._key = key_reader(rule.per)
        self._is_lasting = is_lasting(rule.per)
        self._draws = Draws(seed, placed.name)
        self._plans = [Plan(steps, f"answer {place}") for place, steps in enumerate(self._answers())]
        self._later = Plan(rule.later or (), "later")
        self.is_random = rule.chance is not None or any(plan.is_random for plan in (*self._plans, self._later))
        self._is_plain = not (self.is_random or rule.limit or rule.nth or rule.times or rule.sequence)
        self._counts: Keyed[Count] = Keyed()
        self._windows: Keyed[Window] = Keyed(MOST_WINDOWS)
        self._fixed: dict[tuple[str, int], Decision] = {}
        self.fired = self.held = self.overruns = 0
        self.near = Nearest(self)

    @property
    def called(self) -> str:
        """Its name and place, as they are told."""
        return f'"{self.name}" ({self.placed.place})'

    def decide(self, case: Case) -> Decision | None:
        """Its conditions hold: count that, and say what to do. None when a gate is in the way."""
        self.held += 1
        if self._is_plain:
            self.fired += 1
            return self._decision(case.stimulus.kind, 0, None)
        key, count = self.count(case)
        blocked, draw = self._gate(case, key, count.seen, count.fired)
        if blocked is not None:
            if blocked.gate is Gate.LIMIT:
                self._window(key).let_pass(self._now(case))
            if not self.fired:
                self.near.block(case, blocked)
            return None
        place = self._place(count.fired)
        count.fired += 1
        self.fired += 1
        self.overruns += place == len(self._plans)
        return self._decision(case.stimulus.kind, place, draw)

    def count(self, case: Case) -> tuple[Key, Count]:
        """What meets the conditions is counted whether or not an earlier rule took it: nth says which one it is."""
        key = self._key(case)
        count = self._counts.get(key)
        if count is None:
            count = Count()
            self._counts.put(key, count)
        count.seen += 1
        return key, count

    def would_block(self, case: Case) -> Blocked | None:
        """Which gate would be in the way, without counting anything."""
        key = self._key(case)
        count = self._counts.get(key) or Count()
        return self._gate(case, key, count.seen + 1, count.fired)[0]

    def strangeness(self, stimulus: Stimulus) -> int:
        """0: it is about this; 1: about this at another moment; 2: about something else."""
        if stimulus.kind not in self.kinds:
            return 2
        return int(stimulus.slot != self.slot)

    def verdict(self, case: Case, *, fires: bool = False, reason: str = "") -> Verdict:
        """All conditions beside what came."""
        lines = [*self._frame(case.stimulus)]
        conditions = len(lines) + len(self.checks)
        met = sum(line.holds for line in lines) + sum(check.holds(case) for check in self.checks)
        for check in self.checks:
            lines += check.tell(case)
        subject = Subject.of(case.stimulus)
        return Verdict(self.name, self.placed.place, subject, fires, tuple(lines), met, conditions, reason)

    def accepts(self, sop_classes: Collection[str]) -> bool:
        """Whether its conditions on the SOP class, if there are any, hold for one of these."""
        conditions = [check for check in self.checks if check.key in ("sop_class", "model")]
        case = Case(Stimulus("", sop_classes=tuple(sop_classes)), States({}))
        return bool(conditions) and all(check.holds(case) for check in conditions)

    def forget(self, association: int) -> None:
        """An association ended."""
        if not self._is_lasting:
            self._counts.forget(association)
            self._windows.forget(association)

    def _answers(self) -> Iterator[tuple[Step, ...]]:
        if self.rule.sequence is not None:
            yield from self.rule.sequence
        else:
            yield self.rule.over or self.rule.then or ()

    def _frame(self, stimulus: Stimulus) -> Iterator[Line]:
        """What the rule is about, and the moment where that says something."""
        when = self.rule.when
        strangeness = self.strangeness(stimulus)
        is_told_by_a_check = self.at != self.slot  # which sub-operation it is, is one of the conditions
        yield Line(("service" if when.service else "event",), either(self.about), stimulus.kind, strangeness != 2)
        is_said = strangeness == 1 or (strangeness == 0 and self.at[0] is not Moment.REQUEST)
        if is_said and not is_told_by_a_check:
            came = moment_text(stimulus.moment, stimulus.mark, stimulus.of)
            yield Line(("at",), moment_text(*self.at), came, strangeness == 0)

    def _gate(self, case: Case, key: Key, seen: int, fired: int) -> tuple[Blocked | None, Draw | None]:
        """The gate in the way, if there is one; and what the rest is drawn from, if anything is."""
        blocked = self._blocked(case, key, seen, fired)
        if blocked is not None or not self.is_random:
            return blocked, None
        draw = self._draws.about(key if self._is_lasting else "", case.who, case.occurrence)
        if self.rule.chance is not None and draw.share("chance") >= self.rule.chance:
            return Blocked(Gate.CHANCE, seen, fired), None
        return None, draw

    def _blocked(self, case: Case, key: Key, seen: int, fired: int) -> Blocked | None:
        rule = self.rule
        if rule.limit is not None:
            window = self._windows.get(key)
            passed = window.count(self._now(case)) if window is not None else 0
            if passed < rule.limit.most:
                return Blocked(Gate.LIMIT, seen, fired, passed)
        if rule.nth is not None and not rule.nth.takes(seen):
            return Blocked(Gate.NTH, seen, fired)
        if rule.times is not None and fired >= rule.times:
            return Blocked(Gate.TIMES, seen, fired)
        if rule.sequence is not None and rule.at_end == "pass" and fired >= len(self._plans):
            return Blocked(Gate.SEQUENCE, seen, fired)
        return None

    def _place(self, fired: int) -> int:
        """Which answer comes next; one beyond the last when a sequence that must not end has ended."""
        most = len(self._plans)
        if fired < most:
            return fired
        if self.rule.at_end == "loop":
            return fired % most
        return most if self.rule.at_end == "fail" else most - 1

    def _decision(self, kind: str, place: int, draw: Draw | None) -> Decision:
        fixed = self._fixed.get((kind, place))
        if fixed is not None:
            return fixed
        plan = self._plans[place] if place < len(self._plans) else _plan_at_end(kind)
        acts = plan.acts(kind, draw)
        if self.continues:
            acts = tuple(replace(act, is_change=not act.step.given & (ANSWERS | {"store"})) for act in acts)
        decision = Decision(self.name, acts, self._later.acts(kind, draw))
        if not (plan.is_random or self._later.is_random):
            self._fixed[kind, place] = decision
        return decision

    def _window(self, key: Key) -> Window:
        window = self._windows.get(key)
        if window is None:
            window = Window(self.rule.limit.seconds if self.rule.limit else 0.0)
            self._windows.put(key, window)
        return window

    def _now(self, case: Case) -> float:
        return case.stimulus.when or self._clock()


def _plan_at_end(kind: str) -> Plan:
    """An exchange is failed; of an event only the failed expectation is told."""
    return Plan((_OVER,) if kind[:2] in ("C-", "N-") else ())
