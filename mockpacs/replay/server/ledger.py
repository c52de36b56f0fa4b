"""What a client under test asked of a replayed server, against what was recorded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from mockpacs.replay.server.compiling import Compiled
from mockpacs.traffic.exchange import Exchange, Record

_MOST_SHOWN: Final = 20


@dataclass(frozen=True, slots=True)
class Difference:
    """Something that was not as recorded."""

    kind: str
    """``never asked`` or ``unmatched``."""
    text: str


@dataclass(slots=True)
class Ledger:
    """Keeps count while the server is played. Used in one thread, or after the stop."""

    compiled: Compiled
    answered: Counter[str] = field(default_factory=Counter)
    """By the name of a rule: requests that it answered."""
    unmatched: Counter[str] = field(default_factory=Counter)
    """By what was asked for: requests that were not recorded, or not so often."""

    def observe(self, record: Record) -> None:
        """Something happened; a sub-operation is none of the client's requests."""
        if not isinstance(record, Exchange) or record.asked_by_us:
            return
        names = [name for name in record.rule.split(", ") if name in self.compiled.recorded]
        if not names:
            self.unmatched[f"{record.service} {record.subject}".strip()] += 1
        for name in names:
            self.answered[name] += 1

    @property
    def differences(self) -> list[Difference]:
        """What was never asked, and what was asked and not recorded."""
        return [*self._never_asked(), *self._unmatched()]

    @property
    def is_same(self) -> bool:
        """Whether everything recorded was asked, and nothing else."""
        return not self.differences

    def lines(self) -> list[str]:
        """For people."""
        recorded = sum(one.times for one in self.compiled.recorded.values())
        given = sum(min(self.answered[name], one.times) for name, one in self.compiled.recorded.items())
        lines = [f"replayed {given} of {recorded} recorded answers"]
        found = self.differences
        lines += [f"         {one.kind:<11}  {one.text}" for one in found[:_MOST_SHOWN]]
        if len(found) > _MOST_SHOWN:
            lines.append(f"         and {len(found) - _MOST_SHOWN} more differences")
        return lines

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        recorded = sum(one.times for one in self.compiled.recorded.values())
        given = sum(min(self.answered[name], one.times) for name, one in self.compiled.recorded.items())
        return {
            "event": "replayed",
            "recorded": recorded,
            "answered": given,
            "same": self.is_same,
            "differences": [{"kind": one.kind, "what": one.text} for one in self.differences],
        }

    def _never_asked(self) -> Iterator[Difference]:
        for name, one in self.compiled.recorded.items():
            times = self.answered[name]
            if times < one.times:
                counted = f" ({times} of {one.times} times)" if times else f" ({one.times} times)" * (one.times > 1)
                yield Difference("never asked", f"{name.partition(' ')[0]} {one.subject}{counted}")

    def _unmatched(self) -> Iterator[Difference]:
        for subject, times in self.unmatched.items():
            yield Difference("unmatched", f"{subject}{f' ({times} times)' * (times > 1)}")
        for name, one in self.compiled.recorded.items():
            if (beyond := self.answered[name] - one.times) > 0:
                yield Difference("unmatched", f"{name.partition(' ')[0]} {one.subject} was asked {_times(beyond)} more")


def _times(number: int) -> str:
    return "once" if number == 1 else f"{number} times"
