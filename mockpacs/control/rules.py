"""The rules that a running server plays, as code sees them: added on top, replaced, removed, looked at, put back.

Every change is one step between two things that happen; an exchange that has begun goes on under the rules of then.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from mockpacs.control.active import ActiveRule
from mockpacs.control.lifetimes import Lifetimes, check_lifetime
from mockpacs.errors import ScenarioError, StartError
from mockpacs.net.environment import Environment
from mockpacs.net.listener import Listener
from mockpacs.net.theatre import Theatre, contexts_of
from mockpacs.scenario.answers import read_sets
from mockpacs.scenario.engine import Engine
from mockpacs.scenario.loose import parse_rules, rules_of
from mockpacs.scenario.rule import Rule
from mockpacs.scenario.script import Placed, Script
from mockpacs.scenario.verdict import Tally, Verdict
from mockpacs.scenario.wording import script_as_written
from mockpacs.traffic.exchange import Exchange
from mockpacs.written.kinds import nearest, quoted
from mockpacs.written.yaml_text import yaml_text

if TYPE_CHECKING:
    from mockpacs.control.desk import Desk

T = TypeVar("T")


class Rules:
    """All rules, the topmost first. Good for any thread while the server runs; afterwards it can be read."""

    def __init__(self, environment: Environment, listener: Listener, desk: Desk, script: Script) -> None:
        """``script``: what is played from the start."""
        self._environment = environment
        self._listener = listener
        self._desk = desk
        self._start = script
        self._numbers = count(1)
        self._added: list[str] = []
        self._lifetimes = Lifetimes(lambda name: self._remove(name, "ended, its time was over"))

    # looking

    def __iter__(self) -> Iterator[ActiveRule]:
        return iter([self._active(placed) for placed in self._script.rules])

    def __len__(self) -> int:
        return len(self._script.rules)

    def __getitem__(self, name: str) -> ActiveRule:
        found = self.find(name)
        if found is None:
            raise KeyError(f"there is no rule {quoted(name)}{nearest(name, [one.name for one in self._script.rules])}")
        return found

    def __contains__(self, name: object) -> bool:
        return any(placed.name == name for placed in self._script.rules)

    def __str__(self) -> str:
        """A scenario in YAML."""
        return yaml_text(script_as_written(self._script))

    def find(self, name: str) -> ActiveRule | None:
        """The rule of a name, None when there is none."""
        return next((self._active(placed) for placed in self._script.rules if placed.name == name), None)

    @property
    def seed(self) -> int:
        """Of everything that is drawn."""
        return self._script.seed

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the scenarios."""
        return self._script.names

    @property
    def added(self) -> tuple[str, ...]:
        """The rules that code added since the start or the last reset and that are still there, the oldest first."""
        return tuple(name for name in self._added if name in self)

    def tally(self) -> list[Tally]:
        """How often each rule fired; of one that never did, what came nearest."""
        return self._engine.tally() if self._engine else []

    def unmet(self) -> list[str]:
        """A sentence about each expectation that does not hold so far."""
        return self._engine.unmet() if self._engine else []

    def explain(self, exchange: Exchange) -> list[Verdict]:
        """What would fire for an exchange of the journal now, and why the others would not, the nearest first.

        Its data set is read from the recording; without one attributes are absent.
        """
        from mockpacs.control.past import stimulus_of

        return self._engine.explain(stimulus_of(exchange)) if self._engine else []

    # changing

    def add(
        self,
        *rules: Rule | Mapping[str, Any],
        place: str = "",
        folder: Path | None = None,
        seconds: float | None = None,
    ) -> list[ActiveRule]:
        """More rules, above all others, the first topmost. A mapping is a rule as YAML has it.

        ``place`` is told where they fire or do not; paths in them are relative to ``folder``; after ``seconds`` they
        are taken away again. Raises `ScenarioError`.
        """
        found = [self._checked(rule, place or "a rule", folder) for rule in rules]
        return self._add(found, seconds)

    def add_text(self, text: str, name: str, *, seconds: float | None = None) -> list[ActiveRule]:
        """The same of a text in YAML or JSON: one rule, a list of them, or a mapping with ``rules``.

        ``name`` stands for its file. Raises `ScenarioError` with a line for each problem.
        """
        return self._add(list(parse_rules(text, name, calls=self._calls, known=self._script).rules), seconds)

    def replace(self, name: str, rule: Rule | Mapping[str, Any] | str, *, seconds: float | None = None) -> ActiveRule:
        """Another rule in the place of one, under its name; a text is YAML or JSON.

        Raises KeyError when there is no such rule, `ScenarioError` for a rule that cannot be.
        """
        if isinstance(rule, str):
            found = parse_rules(rule, name, calls=self._calls, known=self._script).rules
            if len(found) != 1:
                raise ScenarioError(f"{name}: one rule is replaced by one rule, not by {len(found)}")
            (placed,) = found
        else:
            placed = self._checked(rule, name, None)
        placed = replace(placed, name=name)
        contexts = contexts_of(Script(rules=(placed,)))
        check_lifetime(seconds)

        def change() -> None:
            if self._engine is None or not self._engine.replace(name, placed):
                raise KeyError(
                    f"there is no rule {quoted(name)}{nearest(name, [one.name for one in self._script.rules])}"
                )
            self._theatre.contexts = {**self._theatre.contexts, **contexts}
            self._lifetimes.begin(name, seconds)
            self._tell(f'rule "{name}" was replaced')

        self._desk.call(change)
        return self[name]

    def remove(self, name: str) -> bool:
        """Take a rule away. Whether there was one of that name."""
        return self._desk.call(lambda: self._remove(name, "was taken away"))

    def clear(self) -> int:
        """Take all rules away, those of scenarios as well; returns how many there were."""
        return self._desk.call(
            lambda: sum(self._remove(placed.name, "was taken away") for placed in self._script.rules)
        )

    def play(self, script: Script) -> None:
        """Play something else instead of everything there is, from the start: counters, states, expectations.

        Raises `ScenarioError`, `StartError` for what it names and cannot be had; then nothing has changed.
        """
        contexts, answers = contexts_of(script), read_sets(script.data)

        def change() -> None:
            theatre = self._theatre
            theatre.engine.change(script)
            theatre.contexts, theatre.answers = contexts, answers
            self._forget_added()

        self._desk.call(change)

    def play_text(self, text: str, name: str) -> None:
        """The same of a text in YAML or JSON."""
        script = parse_rules(text, name, calls=self._calls, seed=self.seed)
        self.play(replace(script, rules=tuple(self._named(list(script.rules), taken=set()))))
        self._tell(f"other rules are played: {len(script.rules)} of {name}")

    def reset(self) -> None:
        """As at the start: what was added is gone, counters and states begin anew."""
        if self._environment.theatre is not None:
            self.play(self._start)

    def restart(self, script: Script) -> None:
        """What is played from the start is something else: a scenario file was read again."""
        self.play(script)
        self._start = script

    # states

    def states(self) -> dict[str, dict[str, str]]:
        """All states: the value of each key that has one of its own, under "" that of all others."""
        found = self._engine.states() if self._engine else {}
        return {name: {_key(key): value for key, value in values.items()} for name, values in found.items()}

    def state(self, name: str, key: str | None = None) -> str:
        """The value of a state for a key; without one, of all keys without one of their own. Raises `ScenarioError`."""
        return self._known(name).state(name, key)

    def set_state(self, name: str, value: str, key: str | None = None) -> None:
        """Give a state a new value for a key; without one, for all keys. Raises ScenarioError."""
        engine = self._known(name)
        self._desk.call(lambda: engine.set_state(name, value, key))

    def reset_state(self) -> None:
        """All states as at the start; what rules have counted stays."""
        if self._engine is not None:
            self._desk.call(self._engine.reset_states)

    # inside

    @property
    def _engine(self) -> Engine | None:
        theatre = self._environment.theatre
        return theatre.engine if theatre else None

    @property
    def _script(self) -> Script:
        return self._engine.script if self._engine else self._start

    @property
    def _theatre(self) -> Theatre:
        """What is played; the first rule of a server without a scenario opens the house. In the event loop."""
        theatre = self._environment.theatre
        if theatre is None:
            theatre = Theatre(Engine(self._start), {}, handlers=self._desk.handlers)
            self._listener.play(theatre)
        return theatre

    @property
    def _calls(self) -> Sequence[str]:
        return tuple(self._desk.handlers)

    def _checked(self, rule: Rule | Mapping[str, Any], place: str, folder: Path | None) -> Placed:
        if isinstance(rule, Rule):
            return Placed(rule.name, place, folder or Path(), rule)
        (placed,) = rules_of(rule, place=place, folder=folder, calls=self._calls, known=self._script).rules
        return replace(placed, place=place)

    def _add(self, found: list[Placed], seconds: float | None) -> list[ActiveRule]:
        check_lifetime(seconds)

        def change() -> list[Placed]:
            named = self._named(found, taken={placed.name for placed in self._script.rules})
            contexts = contexts_of(Script(rules=tuple(named)))
            theatre = self._theatre
            theatre.engine.add(*named)
            theatre.contexts = {**theatre.contexts, **contexts}
            for placed in named:
                self._added.append(placed.name)
                self._lifetimes.begin(placed.name, seconds)
                self._tell(f'rule "{placed.name}" was added')
            return named

        return [self._active(placed) for placed in self._desk.call(change)]

    def _named(self, found: list[Placed], taken: set[str]) -> list[Placed]:
        """With a name for each; in what is drawn a name counts, so it does not depend on lines of code."""
        named = []
        for placed in found:
            name = placed.name or next(
                name for name in (f"rule {number}" for number in self._numbers) if name not in taken
            )
            if name in taken:
                raise ScenarioError(f"{placed.place}: there is a rule {quoted(name)} already; names are used once")
            taken.add(name)
            named.append(replace(placed, name=name))
        return named

    def _remove(self, name: str, why: str) -> bool:
        self._lifetimes.forget(name)
        if self._engine is None or not self._engine.remove(name):
            return False
        self._added = [added for added in self._added if added != name]
        self._tell(f'rule "{name}" {why}')
        return True

    def _forget_added(self) -> None:
        self._lifetimes.clear()
        self._added.clear()

    def _active(self, placed: Placed) -> ActiveRule:
        return ActiveRule(placed, self)

    def fired(self, placed: Placed) -> int:
        """How often a rule fired; 0 once it is gone."""
        return self._engine.fired(placed.name) if self._engine else 0

    def lives(self, name: str) -> float | None:
        """Seconds until a rule is taken away, None when it stays."""
        try:
            return self._desk.call(lambda: self._lifetimes.left(name))
        except StartError:  # the server has stopped: it is taken away no more
            return None

    def _known(self, name: str) -> Engine:
        engine, known = self._engine, self.states()
        if engine is None or name not in known:
            raise ScenarioError(f"there is no state {quoted(name)}{nearest(name, known)}")
        return engine

    def _tell(self, text: str) -> None:
        self._desk.tell("scenario", text, detail=True)


def _key(key: object) -> str:
    if key is None:
        return ""
    return ".".join(map(str, key)) if isinstance(key, tuple) else str(key)
