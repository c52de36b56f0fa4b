"""What came nearest to firing a rule that never fired. Text only: no stimulus and no data set is kept."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from mockpacs.scenario.condition import Moment
from mockpacs.scenario.line import either, moment_text
from mockpacs.scenario.verdict import Subject, Verdict
from mockpacs.wire.status import name_of

if TYPE_CHECKING:
    from mockpacs.scenario.case import Case
    from mockpacs.scenario.gate import Blocked
    from mockpacs.scenario.running import Running
    from mockpacs.scenario.stimulus import Stimulus

_NOTHING: Final = 1 << 30
_TAKEN: Final = 1
LEAST_MISS: Final = 4
"""One condition does not hold: no miss is nearer than that, and each condition more is as much further away."""
_OTHER_MOMENT: Final = 5
"""The distance of what differs in nothing but when it is."""
_NEAREST_STRANGER: Final = 6
"""The distance of what differs in nothing but what it is."""
_PATIENCE: Final = 1000
"""How many stimuli of other services are looked at in vain: these are many, and rarely tell anything new."""
_READING: Final = 100
"""How many data sets are read in vain that no rule would have read."""
_MOST_CLASSES: Final = 4096


class Seen:
    """What came at all."""

    def __init__(self) -> None:
        self.kinds: set[str] = set()
        self.proposed: set[str] = set()
        """SOP classes of associations."""
        self.refused: set[str] = set()

    def add(self, stimulus: Stimulus) -> None:
        """One more."""
        self.kinds.add(stimulus.kind)
        if stimulus.kind == "associate" and len(self.proposed) < _MOST_CLASSES:
            self.proposed.update(stimulus.sop_classes)
            self.refused.update(stimulus.refused)


class Nearest:
    """The nearest so far.

    The distance is `LEAST_MISS` for each condition that does not hold, and what another moment or service adds; 0 is a
    rule whose own gate was in the way, 1 one that an earlier rule was faster than.
    """

    __slots__ = ("_blocked", "_came", "_ended", "_patience", "_reading", "_rule", "_verdict", "distance")

    def __init__(self, rule: Running) -> None:
        self._rule = rule
        self.distance = _NOTHING
        self._verdict: Verdict | None = None
        self._blocked: tuple[str, int, int, str, str, Blocked] | None = None
        self._patience = _PATIENCE
        self._reading = _READING
        self._came = False
        self._ended = ""
        """The sentence about a retrieve that ended."""

    @property
    def is_curious(self) -> bool:
        """Whether stimuli of other services may still tell something."""
        return self._patience > 0 and self.distance > _NEAREST_STRANGER

    def miss(self, case: Case) -> None:
        """It is about this, and not all of its conditions hold. Not worth a call when the distance is `LEAST_MISS`."""
        self._came = True
        self._measure(case, 0)

    def shadow(self, case: Case, earlier: str) -> None:
        """It is about this, but an earlier rule has decided."""
        self._came = True
        if self.distance > _TAKEN and self._measure(case, 0) == 0:
            self._keep(case, _TAKEN, f"an earlier rule took it: {earlier}")

    def other_moment(self, case: Case) -> None:
        """It is about this at another moment."""
        if self.distance > _OTHER_MOMENT:
            self._measure(case, _OTHER_MOMENT)
        if self._rule.at[0] is Moment.SUB_OPERATION and case.stimulus.moment is Moment.AFTER_RESPONSE:
            self._end(case.stimulus)

    def stranger(self, case: Case) -> None:
        """Something else came."""
        if self.distance > _NEAREST_STRANGER and self._measure(case, _NEAREST_STRANGER) is None:
            self._patience -= 1

    def block(self, case: Case, blocked: Blocked) -> None:
        """All its conditions hold, and a gate of its own was in the way. The latest is kept."""
        if self.distance:
            self._keep(case, 0, "")
        came = case.stimulus
        self._blocked = (came.kind, came.association, came.exchange, came.calling, came.peer, blocked)

    def told(self, seen: Seen) -> Verdict | None:
        """The nearest with what there is to say about it; None when nothing came."""
        if self._verdict is None:
            return None
        if self._blocked is not None:
            kind, association, exchange, calling, peer, blocked = self._blocked
            subject = Subject(kind, association, exchange, calling.strip()[:64], peer[:64])
            return replace(self._verdict, subject=subject, reason=blocked.reason(self._rule.rule))
        return replace(self._verdict, reason=self._verdict.reason or self._never_came(seen))

    def _measure(self, case: Case, start: int) -> int | None:
        """The distance, None when it is not below the least so far. What is nearer is kept, unless nothing differs."""
        distance, least = start, self.distance
        for test in self._rule.cheap_tests:
            if not test(case):
                distance += LEAST_MISS
                if distance >= least:
                    return None
        if self._rule.data_tests and distance < least:
            if not case.is_read:
                if not self._reading:
                    return None
                self._reading -= 1
            for test in self._rule.data_tests:
                if not test(case):
                    distance += LEAST_MISS
        if distance >= least:
            return None
        if distance:
            self._keep(case, distance, "")
        return distance

    def _end(self, came: Stimulus) -> None:
        """A retrieve is over. That of the nearest is kept, else the first: no turn of an instance ever came."""
        near = self._verdict.subject if self._verdict is not None else None
        is_near = near is not None and (near.association, near.exchange) == (came.association, came.exchange)
        if self._came or (self._ended and not is_near):
            return
        status = "" if came.status is None else f": {came.status:04X} {name_of(came.status, came.kind)}"
        number = f"{came.association}.{came.exchange}"
        self._ended = f"{came.kind} {number} came and ended before its first instance{status}"

    def _keep(self, case: Case, distance: int, reason: str) -> None:
        self.distance = distance
        self._verdict = self._rule.verdict(case, reason=reason)

    def _never_came(self, seen: Seen) -> str:
        """Why the nearest is so far away."""
        rule = self._rule
        if self._came:
            return ""
        if self._ended:
            return self._ended
        about = either(rule.about)
        if not seen.kinds.isdisjoint(rule.kinds):
            return f"no {about} came to this moment: {moment_text(*rule.at)}"
        if rule.accepts(seen.refused):
            return f"its presentation context was refused, so no {about} came"
        if rule.accepts(seen.proposed):
            return f"it was proposed, but no {about} came; was its presentation context accepted?"
        return f"no {about} came"
