"""Whether a rule asks for what can be: its moment, its conditions and its steps, by the tables of `moments`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from mockpacs.scenario.condition import When
from mockpacs.scenario.draft import Way, written_steps
from mockpacs.scenario.moments import (
    CANCELLED,
    CONDITION_SERVICES,
    EVENT_CONDITIONS,
    LATER_STEPS,
    MOMENT_SERVICES,
    NO_LATER,
    STATUS_MOMENTS,
    STEP_SERVICES,
    at_the,
    homes_of,
    listed,
    services_of,
    steps_of,
)
from mockpacs.scenario.rule import Rule
from mockpacs.scenario.step import ANSWERS, CHANGES, Step
from mockpacs.scenario.tree import ITS_VALUE
from mockpacs.scenario.values import SERVICES
from mockpacs.written.yaml_file import Items, Mapping, Text

Problem = tuple[Way | Text | Items | Mapping, str]
"""The way to a key, or a node itself, and a sentence about it."""

_EXCLUSIVE: Final = (
    ("abort", "close", "reset", "refuse", "silence"),
    ("accept", "reject"),
    *(("nothing", key) for key in sorted(ANSWERS | CHANGES | {"store"})),
    ("pending", "answer"),
    ("status", "destination"),
    *(("call", key) for key in sorted(ANSWERS - {"call"} | {"store"})),
)
"""Keys of which one step can have one."""


def impossible(rule: Rule, way: Way) -> Iterator[Problem]:
    """Everything in a rule that cannot be."""
    yield from impossible_conditions(rule.when, (*way, "when"))
    possible = steps_of(rule.when)
    for steps_way, key, steps in written_steps(rule, way):
        if key == "later" and (vain := [event for event in rule.when.event if event in NO_LATER]):
            yield steps_way, f"nothing comes later than event {listed(vain)}: there is no connection any more"
            continue
        for number, step in enumerate(steps):
            for name in _written(step):
                text = _no_later(name) if key == "later" else _not_there(name, step, rule.when, possible)
                if text:
                    yield (*steps_way, number, name), text
            yield from _contradictions(step, (*steps_way, number))


def impossible_conditions(when: When, way: Way, *, is_expectation: bool = False) -> Iterator[Problem]:
    """Conditions on what is never there."""
    said = [name for name in when.model_fields_set if getattr(when, name) not in (None, (), {})]
    services = services_of(when)
    having = MOMENT_SERVICES.get(when.at.when, SERVICES)
    if others := [one for one in services if one not in having]:
        yield (
            (*way, "at", ITS_VALUE),
            f"{listed(others)} {_has(others)} no such moment; {listed(having)} {_has(having)}",
        )
    for name in sorted(said):
        having = CONDITION_SERVICES.get(name, SERVICES)
        if "any" not in when.service and (others := [one for one in services if one not in having]):
            hint = _other_condition(name, others)
            yield (*way, name), f"{name} is about {listed(having, 'or')}, not about {listed(others, 'or')}{hint}"
        for event in when.event:
            if name not in (*EVENT_CONDITIONS[event], "event", "at", "name", "rule", "count", "per"):
                known = listed(EVENT_CONDITIONS[event])
                yield (*way, name), f"{name} is not known at event {event}; what is known: {known}"
    if is_expectation and "at" in when.model_fields_set:
        yield (*way, "at"), "an expectation has no moment: it counts exchanges that are over"
    if when.status and services and not is_expectation and when.at.when not in STATUS_MOMENTS:
        yield (*way, "status"), f"there is no status yet at {when.at.when}; write at: {listed(STATUS_MOMENTS, 'or')}"


def _other_condition(name: str, services: list[str]) -> str:
    """``query`` and ``dataset`` are easily taken for one another."""
    other = {"query": "dataset", "dataset": "query", "model": "sop_class"}.get(name)
    fits = other and all(one in CONDITION_SERVICES.get(other, SERVICES) for one in services)
    return f". The word for that is {other}" if fits else ""


def _has(words: Sequence[str]) -> str:
    return "has" if len(words) == 1 else "have"


def _written(step: Step) -> list[str]:
    """The keys that say something, as people write them, in their order, those of Python last."""
    keys = [*Step.written().items(), *((name, name) for name in Step.in_python)]
    return [key for key, name in keys if name in step.given or (name == "store" and step.store is False)]


def _no_later(name: str) -> str:
    if name in LATER_STEPS:
        return ""
    told = "a function cannot answer" if name in Step.in_python else f"{name} is not possible"
    return f"{told} under later; what is: {listed(LATER_STEPS)}"


def _not_there(name: str, step: Step, when: When, possible: frozenset[str]) -> str:
    """Why a step is not possible for a rule, or ""."""
    if name not in possible:
        where = at_the("event", when.event) if when.event else at_the("moment", [when.at.when])
        if name in Step.in_python:
            return f"a function cannot answer {where}; it can {homes_of(name)}"
        return f"{name} is not possible {where}; it is {homes_of(name)}"
    having = STEP_SERVICES.get(name, SERVICES)
    if name == "wait" and step.wait and step.wait.until == "cancel":
        having, name = CANCELLED, "wait for a cancel"
    if when.event or not (others := [one for one in services_of(when) if one not in having]):
        return ""
    about = "any service" if "any" in when.service else listed(others)
    return f"{name} is a step for {listed(having, 'or')}, and this rule is about {about}"


def _contradictions(step: Step, way: Way) -> Iterator[Problem]:
    """Keys that exclude one another."""
    said = _written(step)
    for keys in _EXCLUSIVE:
        both = [key for key in said if key in keys]
        if len(both) > 1:
            yield (*way, both[1]), f"{listed(both[:2])} exclude one another in one step"
