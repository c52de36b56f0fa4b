"""Rules about the associations of a recording: on what terms they were accepted, why they were not, how they ended."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from mockpacs.replay.server.acts import Steps, ending
from mockpacs.replay.server.choices import Choices
from mockpacs.replay.server.heard import Heard
from mockpacs.replay.server.terms import Terms, merged
from mockpacs.wire import AssociateAC, AssociateRJ

RELEASE: Final = "release"
"""The state that says how an association answers its release."""
PLACE: Final = "place"
"""The state that says, in strict order, which request of which association is next."""
_ANSWERED: Final = "answered"


@dataclass(frozen=True, slots=True)
class Run:
    """Associations that follow one another and are treated alike."""

    first: int
    """Which association of this client, or of the recording, counted from 1."""
    heard: tuple[Heard, ...]
    steps: Steps
    later: Steps
    release: str
    """The value of the state, "" for a release that is answered."""


def runs(all_heard: Sequence[Heard], choices: Choices, common: Terms | None) -> Iterator[Run]:
    """The associations of one client, or of all. ``common``: the terms of all that were accepted, if they have some."""
    run: Run | None = None
    for number, one in enumerate(all_heard, 1):
        steps, later = _steps(one, choices, common), _later(one, choices)
        release = one.at_release.how if one.at_release is not None else ""
        is_alike = run is not None and (run.steps, run.later, run.release) == (steps, later, release)
        if run is not None and is_alike and choices.order == "loose":
            run = Run(run.first, (*run.heard, one), steps, later, release)
            continue
        if run is not None:
            yield run
        run = Run(number, (one,), steps, later, release)
    if run is not None:
        yield run


def common_terms(all_heard: Sequence[Heard]) -> Terms | None:
    """The terms on which all associations were accepted; None when they differ."""
    pairs = [(one.taped.request, one.taped.answer) for one in all_heard]
    return merged([(rq, ac) for rq, ac in pairs if rq is not None and isinstance(ac, AssociateAC)])


def release_rules(all_heard: Sequence[Heard], choices: Choices) -> Iterator[dict[str, Any]]:
    """What answers a release that was not answered."""
    told: set[str] = set()
    for one in all_heard:
        if one.at_release is None or one.at_release.how in told:
            continue
        told.add(one.at_release.how)
        yield {
            "name": f"association {one.number} release",
            "when": {"event": "release", "state": {RELEASE: one.at_release.how}},
            "then": list(ending(one.at_release, choices)),
        }


def states(all_heard: Sequence[Heard], choices: Choices) -> dict[str, dict[str, str]]:
    """The states that the rules need."""
    found = {}
    if any(one.at_release is not None for one in all_heard):
        found[RELEASE] = {"start": _ANSWERED, "per": "association"}
    if choices.order == "strict":
        found[PLACE] = {"start": "unknown", "per": "association"}
    return found


def _steps(one: Heard, choices: Choices, common: Terms | None) -> Steps:
    match one.taped.answer:
        case AssociateRJ(result, source, reason):
            return ({"reject": {"result": result, "source": source, "reason": reason}},)
        case AssociateAC() as answer if one.taped.request is not None:
            terms = common or Terms.of(one.taped.request, answer)
            return ({"accept": terms.as_written()},)
        case AssociateAC():
            return ({"accept": True},)
    steps = ending(one.parting, choices, with_noise=True)
    if one.parting is None or one.parting.how == "nothing":
        return (
            ({"silence": True},)
            if one.parting is None or not one.parting.noise
            else ({"send": one.parting.noise, "silence": True},)
        )
    return steps


def _later(one: Heard, choices: Choices) -> Steps:
    """An end right after the association was accepted."""
    if not isinstance(one.taped.answer, AssociateAC) or one.parting is None or one.parting.how == "nothing":
        return ()
    return ending(one.parting, choices, with_noise=True)
