"""Scenarios as the engine wants them: one or several files merged in order, every rule with its name and its place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from mockpacs.scenario.condition import When
from mockpacs.scenario.model import Expectation, StateSpec
from mockpacs.scenario.rule import Rule


@dataclass(frozen=True, slots=True)
class Placed:
    """A rule and where it comes from."""

    name: str
    """What it is called wherever it fires: its own name, else its file and line. No two rules share one."""
    place: str
    """``path:line``."""
    folder: Path
    """Relative paths of the rule are meant from here."""
    rule: Rule


@dataclass(frozen=True, slots=True)
class Script:
    """Everything that decides, in the order in which it decides."""

    rules: tuple[Placed, ...] = ()
    states: Mapping[str, StateSpec] = field(default_factory=dict)
    data: Mapping[str, tuple[Any, Path]] = field(default_factory=dict)
    """Named sets of answers: what was written, and the folder that paths in it are meant from."""
    expect: tuple[tuple[str, Expectation], ...] = ()
    """Checks made at the end, each with its ``path:line``."""
    seed: int = 0
    server: Mapping[str, tuple[Any, Path]] = field(default_factory=dict)
    """Options of the server: what was written, and the folder of its paths. The keys know their place."""
    names: tuple[str, ...] = ()
    """The names of the scenarios."""
    abouts: tuple[str, ...] = ()
    """What each of them shows."""
    remarks: tuple[str, ...] = ()
    """What is allowed and may not be meant: ``path:line:column: note: ...``."""

    def __post_init__(self) -> None:
        """An expectation that only names a rule is about what the rule is about."""
        rules = {placed.name: placed.rule.when for placed in reversed(self.rules)}
        expect = tuple((place, _completed(one, rules)) for place, one in self.expect)
        object.__setattr__(self, "expect", expect)

    @classmethod
    def of(cls, rules: Sequence[Rule], *, folder: Path | None = None, **others: Any) -> Self:
        """A script of rules made in Python; those without a name are called "rule 1", "rule 2"."""
        placed = (
            Placed(rule.name or f"rule {number}", f"rule {number}", folder or Path(), rule)
            for number, rule in enumerate(rules, 1)
        )
        return cls(rules=tuple(placed), **others)


def _completed(one: Expectation, rules: Mapping[str, When]) -> Expectation:
    when = rules.get(one.rule or "")
    if one.service or one.event or when is None:
        return one
    return one.model_copy(update={"service": when.service, "event": when.event})
