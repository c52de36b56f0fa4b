"""What a scenario can ask of a proxy. The server answers, not we: rules that answer in its place are refused."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from mockpacs.errors import ScenarioError
from mockpacs.scenario.condition import Moment
from mockpacs.scenario.moments import listed
from mockpacs.scenario.rule import Rule
from mockpacs.scenario.script import Script
from mockpacs.scenario.step import ANSWERS, Step

_NOT_OURS: Final = {
    "accept": "the server accepts associations, on its own terms",
    "pending": "the server has the matches",
    "answer": "the server has the answers",
    "store": "the server stores",
    "call": "Python functions answer in a server of ours",
    "wait": "what waits for the peer is the server",
    "destination": "the server calls the destination",
}
"""Steps that only who answers can do, and why."""
_IN_THE_MIDDLE: Final = (Moment.RECEIVED, Moment.PDU)


def refuse_impossible(script: Script) -> None:
    """Raise `ScenarioError`, a line for each rule that a proxy cannot play."""
    problems = [
        f'{placed.place}: "{placed.name}" cannot be played by a proxy: {problem}'
        for placed in script.rules
        for problem in dict.fromkeys(_problems(placed.rule))
    ]
    if problems:
        raise ScenarioError("\n".join(problems))


def _problems(rule: Rule) -> Iterator[str]:
    moment = rule.when.at.when
    if rule.when.service and moment is Moment.SUB_OPERATION:
        yield "the server does the sub-operations of a retrieve; with --offer its stores pass here, as C-STORE"
    for steps in (rule.then or (), rule.over or (), *(rule.sequence or ())):
        for step in steps:
            yield from (f"{name.replace('_', '-')}: {why}" for name, why in _NOT_OURS.items() if name in step.given)
        answering = [step for step in steps if step.answers or step.nothing]
        if rule.when.service and len(answering) > 1:
            yield "it answers several times; a proxy passes on one answer of the server"
        if rule.when.service and moment in _IN_THE_MIDDLE:
            yield from _in_the_middle(answering)


def _in_the_middle(answering: list[Step]) -> Iterator[str]:
    said = sorted(set().union(*(step.given & (ANSWERS | {"nothing"}) for step in answering)))
    if said:
        yield f"{listed(said)} in the middle of a request: the server answers when it is complete; leave at out"
