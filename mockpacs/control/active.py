"""One rule of a running server, for whoever added it or looks at it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mockpacs.scenario.rule import Rule
from mockpacs.scenario.script import Placed
from mockpacs.scenario.wording import as_written
from mockpacs.written.yaml_text import yaml_text

if TYPE_CHECKING:
    from mockpacs.control.rules import Rules


class ActiveRule:
    """A rule, and what becomes of it."""

    def __init__(self, placed: Placed, rules: Rules) -> None:
        self._placed = placed
        self._rules = rules

    @property
    def name(self) -> str:
        """What it is called wherever it fires."""
        return self._placed.name

    @property
    def place(self) -> str:
        """Where it was written: ``path:line``."""
        return self._placed.place

    @property
    def rule(self) -> Rule:
        """What it says."""
        return self._placed.rule

    @property
    def fired(self) -> int:
        """How often it fired; 0 once it was taken away."""
        return self._rules.fired(self._placed)

    @property
    def lives(self) -> float | None:
        """Seconds until it is taken away, None when it stays."""
        return self._rules.lives(self.name)

    def remove(self) -> bool:
        """Take it away; False when it is gone already."""
        return self._rules.remove(self.name)

    def __str__(self) -> str:
        """As it is written in YAML."""
        return yaml_text(as_written(self.rule))

    def __repr__(self) -> str:
        return f"<rule {self.name!r} at {self.place}>"
