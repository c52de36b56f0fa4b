"""What went before a sub-operation that is explained: the ones before it, as far as rules count them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from mockpacs.errors import ConfigurationError
from mockpacs.scenario.condition import LAST, Moment
from mockpacs.scenario.engine import Engine
from mockpacs.scenario.moments import services_of
from mockpacs.scenario.rule import Rule
from mockpacs.scenario.stimulus import Stimulus


def relive(engine: Engine, stimulus: Stimulus, states: Mapping[str, str]) -> None:
    """Let the engine meet what went before, then give the states the values that were said.

    The sub-operations before this one are decided in their turn: of the same exchange and like this one, but each with
    an instance of its own. So whatever counts them has counted them, limits and sequences too. ``engine``: made to
    explain this, as it keeps the counts. Raises `ConfigurationError` for a state that the scenarios do not have.
    """
    for name in states:
        if name not in engine.script.states:
            raise ConfigurationError(f'--state: the scenarios have no state "{name}"')
    _set(engine, states)
    if _counts(engine, stimulus):
        for number in range(1, stimulus.mark):
            engine.decide(replace(stimulus, mark=number, sop_instance=f"(sub-operation {number})"))
        _set(engine, states)


def note(engine: Engine, stimulus: Stimulus) -> Iterator[str]:
    """What was taken for granted, a line; nothing where no rule counts sub-operations."""
    if not _counts(engine, stimulus):
        return
    if stimulus.mark == LAST:
        yield "of how many it is the last was not said, so none before it was counted: write sub-operation=last/12"
    elif stimulus.mark > 1:
        before = "sub-operation 1 is" if stimulus.mark == 2 else f"sub-operations 1 to {stimulus.mark - 1} are"
        own = "an instance of its own" if stimulus.mark == 2 else "instances of their own"
        yield f"{before} taken to have been like this one, with {own}"


def _set(engine: Engine, states: Mapping[str, str]) -> None:
    for name, value in states.items():
        engine.set_state(name, value)


def _counts(engine: Engine, stimulus: Stimulus) -> bool:
    """Whether it is a sub-operation, and what a rule about it does depends on those before it."""
    if stimulus.moment is not Moment.SUB_OPERATION:
        return False
    return any(_is_counting(placed.rule, stimulus.kind) for placed in engine.script.rules)


def _is_counting(rule: Rule, kind: str) -> bool:
    is_about_it = rule.when.at.when is Moment.SUB_OPERATION and kind in services_of(rule.when)
    return is_about_it and bool(rule.nth or rule.times or rule.sequence or rule.limit or rule.set)
