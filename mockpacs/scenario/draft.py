"""One file as far as it could be read: what is right in it can be looked at, whatever is wrong beside it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

from pydantic import ValidationError

from mockpacs.scenario.complaint import Complaint, complaints
from mockpacs.scenario.model import Expectation, Scenario, StateSpec
from mockpacs.scenario.part import Part
from mockpacs.scenario.rule import Rule
from mockpacs.scenario.tree import Tree
from mockpacs.written.yaml_file import Items, Node
from mockpacs.written.yaml_file import Mapping as Nodes

Way = tuple[int | str, ...]
P = TypeVar("P", bound=Part)


@dataclass(frozen=True)
class Draft:
    """A file: its tree, and the parts of it that the model accepts, each with the way to it."""

    number: int
    tree: Tree
    complaints: tuple[Complaint, ...]
    name: str
    about: str
    seed: int | None
    rules: tuple[tuple[Way, Rule], ...]
    """Those that are right."""
    ruins: tuple[tuple[Way, Rule], ...]
    """What is right of the others."""
    expect: tuple[tuple[Way, Expectation], ...]
    states: Mapping[str, StateSpec | None]
    """None for one that is written wrong."""

    @property
    def path(self) -> Path:
        """The file."""
        return self.tree.path

    def node(self, key: str) -> Nodes:
        """The mapping under a key of the file, empty when there is none."""
        node = self.tree.root.get(key)
        return node if isinstance(node, Nodes) else Nodes(self.tree.root.place)

    @classmethod
    def of(cls, tree: Tree, number: int = 0) -> Draft:
        """Read a tree; nothing is raised."""
        try:
            scenario = Scenario.model_validate(tree.root)
        except ValidationError as error:
            return cls._of_ruins(tree, number, tuple(complaints(error, tree, number)))
        return cls(
            *(number, tree, (), scenario.name, scenario.about, scenario.seed),
            rules=tuple((("rules", index), rule) for index, rule in enumerate(scenario.rules)),
            ruins=(),
            expect=tuple((("expect", index), one) for index, one in enumerate(scenario.expect)),
            states=scenario.state,
        )

    @classmethod
    def _of_ruins(cls, tree: Tree, number: int, told: tuple[Complaint, ...]) -> Draft:
        states = tree.root.get("state")
        named = states.items() if isinstance(states, Nodes) else ()
        return cls(
            *(number, tree, told, "", "", None),
            rules=tuple(_accepted(Rule, tree.root.get("rules"), "rules")),
            ruins=tuple(_ruins(tree.root.get("rules"))),
            expect=tuple(_accepted(Expectation, tree.root.get("expect"), "expect")),
            states={str(name): _read(StateSpec, node) for name, node in named},
        )


def _accepted(kind: type[P], items: Node, key: str) -> Iterator[tuple[Way, P]]:
    for index, node in enumerate(items if isinstance(items, Items) else ()):
        part = _read(kind, node)
        if part is not None:
            yield (key, index), part


def _ruins(items: Node) -> Iterator[tuple[Way, Rule]]:
    """Rules without the keys that are wrong in them."""
    for index, node in enumerate(items if isinstance(items, Items) else ()):
        if not isinstance(node, Nodes):
            continue
        try:
            Rule.model_validate(node)
        except ValidationError as error:
            wrong = {detail["loc"][0] for detail in error.errors(include_url=False) if detail["loc"]}
            rest = {key: value for key, value in node.items() if key not in wrong}
            rule = _read(Rule, rest if rest.keys() & _DOING else {**rest, "then": []}) if wrong else None
            if rule is not None:
                yield ("rules", index), rule


_DOING: Final = frozenset({"then", "sequence", "over"})


def _read(kind: type[P], node: Any) -> P | None:
    try:
        return kind.model_validate(node)
    except ValidationError:
        return None


def written_steps(rule: Rule, way: Way) -> Iterator[tuple[Way, str, Sequence[Any]]]:
    """The lists of steps of a rule: the way to each, the key it is under, and its steps."""
    for key in ("then", "over", "later"):
        steps = getattr(rule, key)
        if steps is not None:
            yield (*way, key), key, steps
    for index, steps in enumerate(rule.sequence or ()):
        yield (*way, "sequence", index), "sequence", steps
