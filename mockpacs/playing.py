"""From the scenarios that options name to what a server plays: loaded, checked, with all that they need at hand."""

from __future__ import annotations

from dataclasses import replace

from mockpacs.config import Options
from mockpacs.net.theatre import Theatre, contexts_of
from mockpacs.scenario.answers import read_sets
from mockpacs.scenario.engine import Engine
from mockpacs.scenario.load import load
from mockpacs.scenario.script import Script
from mockpacs.scenario.shipped import resolve


def script_of(options: Options, play: Script | None = None) -> Script:
    """What the options' scenarios say, above what else is to be played. Raises `ScenarioError`."""
    if play is None or not options.scenario:
        return play or load([resolve(path) for path in options.scenario], seed=options.seed)
    script = load([resolve(path) for path in options.scenario], seed=options.seed)
    return replace(
        script,
        rules=(*script.rules, *play.rules),
        states={**play.states, **script.states},
        data={**play.data, **script.data},
        expect=(*script.expect, *play.expect),
        names=(*script.names, *play.names),
        abouts=(*script.abouts, *play.abouts),
    )


def theatre_of(script: Script) -> Theatre:
    """A theatre that plays it. Raises `ScenarioError`, `StartError`."""
    return Theatre(Engine(script), read_sets(script.data), contexts=contexts_of(script))


def facts_of(script: Script) -> list[str]:
    """What a recording says about it."""
    return [*(f"scenario {name}" for name in script.names if name), f"seed {script.seed}"]
