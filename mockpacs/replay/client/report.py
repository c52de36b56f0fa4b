"""What came of a replay: what was played, what was not and why, and where the answers differ from the recorded ones."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from mockpacs.wire.status import name_of

MOST_KEPT: Final = 1000
"""Differences, and messages not played, that are kept; beyond it they are counted."""

MOST_TIMED: Final = 1_000_000
"""Durations that are kept."""
SAME, DIFFERENT, TROUBLE = 0, 1, 2


class Difference(NamedTuple):
    """Something that is not as it was recorded."""

    where: str
    """``2.1``: an exchange, ``2``: an association, of the recording."""
    what: str
    """What it was about."""
    recorded: str
    live: str


class Unplayed(NamedTuple):
    """Something that was not played."""

    where: str
    what: str
    why: str


@dataclass(slots=True)
class Report:
    """Of all associations of a replay; counted over all its loops and lanes."""

    associations: int = 0
    """Opened, whatever became of them."""
    exchanges: int = 0
    """Requests that were sent."""
    bytes: int = 0
    """Of their data sets."""
    instances: int = 0
    """C-STORE requests among them."""
    seconds: float = 0.0
    differences: list[Difference] = field(default_factory=list)
    unplayed: list[Unplayed] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """What is worth knowing and is no difference."""
    trouble: str = ""
    """Why it could not go on; "" when it could."""
    more_differences: int = 0
    """Beyond those that are kept."""
    more_unplayed: int = 0
    durations: list[float] = field(default_factory=list)
    """Seconds from each request to its final response."""

    @property
    def exit_status(self) -> int:
        """0 same, 1 different, 2 trouble, as diff(1) has it."""
        if self.trouble:
            return TROUBLE
        return DIFFERENT if self.differences or self.unplayed else SAME

    def differ(self, where: str, what: str, recorded: str, live: str) -> None:
        """Add a difference."""
        if len(self.differences) < MOST_KEPT:
            self.differences.append(Difference(where, what, recorded, live))
        else:
            self.more_differences += 1

    def miss(self, where: str, what: str, why: str) -> None:
        """Add something that was not played."""
        if len(self.unplayed) < MOST_KEPT:
            self.unplayed.append(Unplayed(where, what, why))
        else:
            self.more_unplayed += 1

    def note(self, text: str) -> None:
        """Add a sentence, once."""
        if text not in self.notes and len(self.notes) < MOST_KEPT:
            self.notes.append(text)

    def time(self, seconds: float) -> None:
        """Add how long an answer took."""
        if len(self.durations) < MOST_TIMED:
            self.durations.append(seconds)

    def fail(self, why: str) -> None:
        """It cannot go on; the first reason counts."""
        self.trouble = self.trouble or why

    def as_json(self) -> dict[str, Any]:
        """For a program."""
        found: dict[str, Any] = {
            "result": ("same", "different", "trouble")[self.exit_status],
            "associations": self.associations,
            "exchanges": self.exchanges,
            "instances": self.instances,
            "bytes": self.bytes,
            "seconds": round(self.seconds, 6),
            "differences": [one._asdict() for one in self.differences],
            "unplayed": [one._asdict() for one in self.unplayed],
            "notes": list(self.notes),
        }
        if self.more_differences or self.more_unplayed:
            found |= {"more_differences": self.more_differences, "more_unplayed": self.more_unplayed}
        if self.durations:
            found["milliseconds"] = {name: round(value * 1000, 3) for name, value in self.percentiles().items()}
        if self.trouble:
            found["trouble"] = self.trouble
        return found

    def percentiles(self) -> dict[str, float]:
        """Seconds to the final response: of half of the requests, of 99 of 100, and of the slowest."""
        ordered = sorted(self.durations)
        if not ordered:
            return {}
        return {"median": ordered[len(ordered) // 2], "p99": ordered[len(ordered) * 99 // 100], "slowest": ordered[-1]}

    def lines(self) -> list[str]:
        """For a person."""
        return [*self._differences(), *self._unplayed(), *self.notes, self._sum()]

    def _differences(self) -> list[str]:
        found = [f"{where}  {what}: recorded {then}, now {now}" for where, what, then, now in self.differences]
        return [*found, f"... and {self.more_differences} more differences"] if self.more_differences else found

    def _unplayed(self) -> list[str]:
        found = [f"{where}  {what}: not played: {why}" for where, what, why in self.unplayed]
        return [*found, f"... and {self.more_unplayed} more not played"] if self.more_unplayed else found

    def _sum(self) -> str:
        played = f"played {_many(self.associations, 'association')}, {_many(self.exchanges, 'request')}"
        if self.seconds and self.exchanges:
            played += f" in {self.seconds:.2f} s ({self.exchanges / self.seconds:.0f} per second)"
        differences = len(self.differences) + self.more_differences
        unplayed = len(self.unplayed) + self.more_unplayed
        parts = [_many(differences, "difference") if differences else "", f"{unplayed} not played" if unplayed else ""]
        result = ", ".join(part for part in parts if part) or "all as recorded"
        return f"{played}: {self.trouble or result}"


def status_text(status: int | None, service: str) -> str:
    """``A700 out-of-resources``; "no answer" for none."""
    return "no answer" if status is None else f"{status:04X} {name_of(status, service)}"


def _many(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
