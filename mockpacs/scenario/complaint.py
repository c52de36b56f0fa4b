"""What is wrong with a scenario, as sentences with places: for people at two in the morning."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from pydantic import ValidationError

from mockpacs.errors import ScenarioError
from mockpacs.scenario.condition import When
from mockpacs.scenario.lie import Lie
from mockpacs.scenario.model import Scenario
from mockpacs.scenario.part import Part
from mockpacs.scenario.rule import Rule
from mockpacs.scenario.status_words import no_status
from mockpacs.scenario.step import Accept, Pending, Step
from mockpacs.scenario.tree import Found, Tree
from mockpacs.scenario.values import SERVICES, Unknown, UnknownStatus, meant, status_names
from mockpacs.wire.text import printable
from mockpacs.written.kinds import quoted
from mockpacs.written.yaml_file import Items, Mapping, Text

MOST_SHOWN: Final = 100

_HOMES: Final[tuple[tuple[type[Part], str], ...]] = (
    (Rule, "It is a key of a rule: write it beside when"),
    (Step, "It is a step: write it under then"),
    (When, "It is a condition: write it under when"),
    (Lie, "It is a lie: write it under lie"),
    (Pending, "It belongs to pending"),
    (Accept, "It belongs to accept"),
)
"""Where a key belongs that was written elsewhere."""


@dataclass(frozen=True, order=True)
class Complaint:
    """One thing that is wrong, or worth a remark. Complaints sort as their places do."""

    file: int
    """The number of the file among those that are loaded together."""
    position: tuple[int, ...]
    place: str = field(compare=False)
    say: Callable[[], str] = field(compare=False)
    """The sentence. Suggestions take their time: it is only made when it is shown."""

    def __str__(self) -> str:
        text = self.say().replace('; did you mean "', '. Did you mean "')
        return printable(f"{self.place}: {text}" + ("" if text.endswith((".", "?", "!")) else "."))


def complaint(file: int, place: str, text: str | Callable[[], str]) -> Complaint:
    """A complaint at a place ``path:line:column``."""
    numbers = [int(number) for number in place.split(":")[-2:] if number.isascii() and number.isdigit()]
    return Complaint(file, tuple(numbers), place, text if callable(text) else lambda: text)


def error_of(complaints: Iterable[Complaint]) -> ScenarioError:
    """The error that tells all complaints, in the order of their places."""
    found = sorted(complaints)
    lines = list(dict.fromkeys(map(str, found[:MOST_SHOWN])))
    return ScenarioError("\n".join([*lines, "and more problems"] if len(found) > MOST_SHOWN else lines))


def complaints(error: ValidationError, tree: Tree, file: int, before: Sequence[int | str] = ()) -> Iterator[Complaint]:
    """What the model says about a tree. ``before`` is the way to the part that was read."""
    for detail in error.errors(include_url=False):
        way = (*before, *detail["loc"])
        if detail["type"] in ("extra_forbidden", "missing"):
            around = tree.find(way[:-1])
            found = tree.find(way)
            is_unknown = detail["type"] == "extra_forbidden"
            place = found.key_place if is_unknown and isinstance(around.node, Mapping) else around.place
            say = partial(_unknown if is_unknown else _missing, str(way[-1]), around.part)
        else:
            found = tree.find(way)
            place, say = found.place, partial(_sentence, dict(detail), found, tree, way)
        yield complaint(file, place, say)


def _unknown(key: str, part: type[Part] | None) -> str:
    if part is None:
        return f"unknown key {quoted(key)}"
    what = f"unknown {part.unknown} {quoted(key)}" if part.unknown else f"unknown key {quoted(key)} of {part.noun}"
    for home, hint in _HOMES:
        if home is not part and not issubclass(part, home) and key in home.written():
            return f"{what}. {hint}"
    if part is Step and key in status_names():
        return f'{what}. Did you mean "status: {key}"?'
    near = meant(key, part.written())
    return f'{what}. Did you mean "{near}"?' if near else f"{what}. Known: {', '.join(part.written())}"


def _missing(key: str, part: type[Part] | None) -> str:
    if part is Scenario:
        return f'a scenario needs the version of its language: "{key}: 1"'
    return f"{part.noun if part else 'this'} needs {quoted(key)}"


def _sentence(detail: dict[str, Any], found: Found, tree: Tree, way: Sequence[int | str]) -> str:
    said = detail.get("ctx", {}).get("error")
    if detail["input"] is True and isinstance(found.node, Text):
        return f"{quoted(str(found.node))} does not say enough alone: write {found.node}: and what it shall be"
    if isinstance(said, UnknownStatus):
        return no_status(said.word, _services_of_a_status(tree, way))
    if isinstance(said, Unknown):
        return said.told()
    if said is not None:
        return str(said)
    name = str(next((word for word in reversed(way) if isinstance(word, str)), ""))
    match detail["type"]:
        case "model_type" | "model_attributes_type" | "dict_type":
            name = found.part.noun if found.part and isinstance(way[-1], int) else name
            return f"{name} is a mapping (key: value), not {_kind(found.node)}"
        case "tuple_type":
            return f"{name} is a list, not {_kind(found.node)}"
        case "too_short" | "too_long":
            return f"{name} needs {detail['ctx'].get('min_length') or detail['ctx'].get('max_length')} values"
        case _:
            return str(detail["msg"])


def _services_of_a_status(tree: Tree, way: Sequence[int | str]) -> tuple[str, ...]:
    """Those of the rule; a sub-operation is a C-STORE."""
    at = tree.find((*way[:2], "when", "at")).node if way[0] == "rules" else None
    is_sub_operation = (at if isinstance(at, Text) else next(iter(at), None) if isinstance(at, Mapping) else None) == (
        "sub-operation"
    )
    return ("C-STORE",) if is_sub_operation else services_written(tree, way)


def services_written(tree: Tree, way: Sequence[int | str]) -> tuple[str, ...]:
    """The services that the rule or expectation around a way is about, as far as they are written right."""
    head = (*way[:2], "when") if way[0] == "rules" else tuple(way[:2])
    written = tree.find((*head, "service")).node
    return tuple(str(one) for one in (written if isinstance(written, Items) else [written]) if one in SERVICES)


def _kind(node: object) -> str:
    if node is None or isinstance(node, Items):
        return "a list" if node is not None else "nothing"
    return "a mapping" if isinstance(node, Mapping) else f"the value {quoted(str(node))}"
