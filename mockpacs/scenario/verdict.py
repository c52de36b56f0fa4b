"""What became of one rule for one stimulus, and of one rule in the whole run. All of it is text, none of it large."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mockpacs.scenario.line import Line
from mockpacs.scenario.stimulus import Stimulus


@dataclass(frozen=True, slots=True)
class Subject:
    """What was looked at."""

    kind: str
    association: int
    exchange: int
    calling: str
    peer: str

    @classmethod
    def of(cls, stimulus: Stimulus) -> Subject:
        """What a person needs to find a stimulus again."""
        peer = stimulus.peer[:64]
        return cls(stimulus.kind, stimulus.association, stimulus.exchange, stimulus.calling.strip()[:64], peer)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a rule fires, and why not."""

    name: str
    place: str
    subject: Subject
    fires: bool
    lines: tuple[Line, ...]
    """All its conditions, in the order in which they are told; the first is the service or event."""
    met: int
    """How many of its conditions hold."""
    conditions: int
    """How many it has; the conditions on an item of a sequence count as one."""
    reason: str = ""
    """Why it does not fire although all conditions hold, or what else there is to say."""

    @property
    def is_about(self) -> bool:
        """Whether the rule is about this service or event at all."""
        return self.lines[0].holds

    @property
    def differing(self) -> int:
        """How many conditions do not hold."""
        return self.conditions - self.met

    @property
    def differences(self) -> Sequence[Line]:
        """The conditions that do not hold."""
        return [line for line in self.lines if not line.holds]


@dataclass(frozen=True, slots=True)
class Tally:
    """What became of a rule so far."""

    name: str
    place: str
    fired: int
    held: int
    """How often its conditions held when its turn came."""
    closest: Verdict | None = None
    """Of a rule that never fired, what came nearest; None when nothing came at all."""
