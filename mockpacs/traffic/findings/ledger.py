"""Where the checks of one association write down what they find: bounded, so that a broken peer fills no memory."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from mockpacs.traffic.exchange import Association
from mockpacs.traffic.findings.check import CHECKS
from mockpacs.traffic.findings.finding import Finding
from mockpacs.wire import Role

MOST_OF_A_KIND = 100
"""So many findings of one check and one side are told in full, the others are counted."""


class Ledger:
    """The findings of one association since they were last taken."""

    def __init__(self, association: Association, most_of_a_kind: int = MOST_OF_A_KIND) -> None:
        self.association = association
        self.when = 0.0
        """When what is being looked at happened, seconds since 1970."""
        self._most = most_of_a_kind
        self._counts: Counter[tuple[str, Role]] = Counter()
        self._found: list[Finding] = []
        self._last: dict[Role, int] = {}

    def add(
        self, check: str, sender: Role, text: str, *, clause: str = "", exchange: int = 0, position: int = 0
    ) -> None:
        """Write down one finding. ``clause`` "" is the first of the check; ``check`` must be in the table."""
        kind = CHECKS[check]
        self._last[sender] = position
        self._counts[check, sender] += 1
        if self._counts[check, sender] <= self._most:
            clause = clause or kind.clauses[0]
            self._found.append(Finding(self.association, exchange, sender, self.when, clause, text, position, check))

    def name(self, calling: str, called: str) -> None:
        """Tell the titles, once they are known; what was found in the same moment gets them as well."""
        self.association = replace(self.association, calling=calling, called=called)
        self._found = [replace(finding, association=self.association) for finding in self._found]

    def found_since(self, sender: Role, position: int) -> bool:
        """Whether anything was found in what a side sent from there on."""
        return self._last.get(sender, -1) >= position

    def take(self) -> list[Finding]:
        """Return what was found since the last time."""
        found, self._found = self._found, []
        return found

    def sum_up(self) -> None:
        """At the end: one finding for each kind that was found more often than was told."""
        for (check, sender), count in self._counts.items():
            more = count - self._most
            if more > 0:
                kind = CHECKS[check]
                text = f"and {more} more of the same kind: {kind.what}"
                self._found.append(
                    Finding(self.association, 0, sender, self.when, kind.clauses[0], text, self._last[sender], check)
                )
        self._counts.clear()
