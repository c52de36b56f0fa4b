"""The responses of one exchange while they come: equal ones that follow one another are counted, not kept."""

from __future__ import annotations

from mockpacs.traffic.exchange import Answer


class Answers:
    """Collects responses. Bounded by how often the status changes, not by how many responses there are."""

    __slots__ = ("_runs",)

    def __init__(self) -> None:
        self._runs: list[Answer] = []

    def add(self, status: int, at: float) -> None:
        """One more response, ``at`` seconds after the request was complete."""
        runs = self._runs
        if runs and runs[-1].status == status:
            last = runs[-1]
            runs[-1] = Answer(status, last.times + 1, last.first, at)
        else:
            runs.append(Answer(status, 1, at, at))

    def all(self) -> tuple[Answer, ...]:
        """What came so far."""
        return tuple(self._runs)
