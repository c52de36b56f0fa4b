"""Rules as people write them: the shortest mapping of plain values that is read as the same rule again.

It is the way back from the model to the language; what a scalar looks like stands in `wording_scalars`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from mockpacs.scenario import wording_scalars as scalars
from mockpacs.scenario.condition import LAST, PRESENCE, At, Attribute, States, When, Words, is_attribute
from mockpacs.scenario.ending import Abort, Refuse, Reject, Wait
from mockpacs.scenario.lie import Lie
from mockpacs.scenario.model import VERSION, Count, Expectation
from mockpacs.scenario.pace import Corrupt, Delay, Drip, Truncate
from mockpacs.scenario.part import Part
from mockpacs.scenario.record_plain import plain
from mockpacs.scenario.rule import Rule
from mockpacs.scenario.script import Placed, Script
from mockpacs.scenario.step import Context, Pending, Step
from mockpacs.scenario.values import tag_key


def as_written(rule: Rule) -> dict[str, Any]:
    """A rule as a mapping of plain values: ``Rule.model_validate`` makes the same rule of it.

    What only Python can say is written as near as YAML comes: a data set of pydicom as ``{keyword: value}``.
    """
    said = dict(_said(rule))
    return {key: said.pop(key) for key in _FIRST if key in said} | said


_FIRST: Final = ("name", "when", "per", "nth", "times", "chance", "limit")
"""How a rule is read: when, which time, and then what."""


def script_as_written(script: Script) -> dict[str, Any]:
    """A whole scenario. Every rule has the name it is known by, because what is drawn for it depends on that.

    Relative paths of answers and certificates become absolute ones, unless it is not known where they are meant from;
    those of options of the server stay as they are.
    """
    whole: dict[str, Any] = {
        "mockpacs": VERSION,
        "name": ", ".join(script.names),
        "about": "\n".join(filter(None, script.abouts)),
        "seed": script.seed or None,
        "server": {str(name): plain(node) for name, (node, _) in script.server.items()},
        "data": {str(name): _answers(plain(node), folder) for name, (node, folder) in script.data.items()},
        "state": {name: _written(spec) for name, spec in script.states.items()},
        "rules": [_placed(placed) for placed in script.rules],
        "expect": [_expectation(one, script) for _, one in script.expect],
    }
    return {key: value for key, value in whole.items() if value not in ("", None, {}, [])}


def _placed(placed: Placed) -> dict[str, Any]:
    written: dict[str, Any] = _at_home(as_written(placed.rule), placed.folder)
    return {"name": placed.name, **written} if placed.name else written


def _at_home(written: Any, folder: Path) -> Any:
    """With paths of certificates that lead to the same files from anywhere."""
    if isinstance(written, list):
        return [_at_home(one, folder) for one in written]
    if not isinstance(written, dict):
        return written
    found = {key: _at_home(one, folder) for key, one in written.items()}
    if isinstance(tls := found.get("tls"), dict):
        paths = {key: _anchored(tls[key], folder) for key in ("certificate", "key") if key in tls}
        found["tls"] = {**tls, **paths}
    return found


def _answers(written: Any, folder: Path) -> Any:
    """A set of answers: its texts are paths."""
    if isinstance(written, list):
        return [_answers(one, folder) for one in written]
    return _anchored(written, folder) if isinstance(written, str) else written


def _anchored(path: str, folder: Path) -> str:
    is_meant_from_there = folder != Path() and not path.startswith("~")
    return str(folder.absolute() / path) if is_meant_from_there else path


def _expectation(one: Expectation, script: Script) -> dict[str, Any]:
    """What an expectation is about is not written when its rule says it."""
    about = next((placed.rule.when for placed in script.rules if one.rule and placed.name == one.rule), None)
    written = dict(_said(one))
    if about is not None and (about.service, about.event) == (one.service, one.event):
        return {key: value for key, value in written.items() if key not in ("service", "event")}
    return written


# parts


def _written(part: Part) -> Any:
    """A part in its shortest form."""
    match part:
        case States():
            return {name: _written(words) for name, words in part.wanted.items()}
        case Attribute():
            return _attribute(part)
        case Reject():
            said = scalars.reject(part)
        case Abort():
            said = scalars.abort(part)
        case _:
            said = dict(_said(part))
    if not said and part.is_enough:
        return True
    return said[part.key] if part.key and said.keys() == {part.key} else said


def _said(part: Part) -> Iterator[tuple[str, Any]]:
    """The keys of a part that say something other than their absence, and what."""
    for name, field in type(part).model_fields.items():
        value = getattr(part, name)
        if name == "in_":
            is_said = name in part.model_fields_set  # none of no texts is not the same as any
        elif (type(part), name) == (Truncate, "after"):
            is_said = True
        else:
            is_said = value is not None and value != field.get_default(call_default_factory=True)
        if is_said:
            yield field.alias or name, _writer(type(part), name)(value)


def _writer(part: type[Part], name: str) -> Callable[[Any], Any]:
    return next((_WRITERS[home, name] for home in part.__mro__ if (home, name) in _WRITERS), _value)


def _value(value: Any) -> Any:
    """What needs no knowledge of its key."""
    match value:
        case Part():
            return _written(value)
        case str():
            return str(value)
        case tuple():
            items = [_value(one) for one in value]
            return items[0] if len(items) == 1 and not isinstance(value[0], Part) else items
        case dict():
            return {key: _value(one) for key, one in value.items()}
    return value


def _steps(steps: Sequence[Step]) -> Any:
    """One step, or the list of several."""
    return _step(steps[0]) if len(steps) == 1 else [_step(step) for step in steps]


def _step(step: Step) -> Any:
    """A bare word where one says it all."""
    said = dict(_said(step))
    if said == {"close": "half"}:
        return "half-close"
    ((word, value),) = said.items() if len(said) == 1 else [("", None)]
    return word if value is True else said


def _attribute(part: Attribute) -> Any:
    """A condition on an attribute. The words of a presence are only texts when they stand in a list."""
    said = dict(_said(part))
    if said.keys() == {"presence"}:
        return said["presence"]
    if said.keys() == {"in"}:
        return [said["in"]] if said["in"] in PRESENCE else said["in"]
    item = said.get("item")
    if item and all(map(is_attribute, item)):
        return {**item, **{key: value for key, value in said.items() if key != "item"}}
    return said


def _by_tag(attributes: Mapping[int, Any]) -> dict[Any, Any]:
    return {tag_key(number): _value(one) for number, one in attributes.items()}


def _set(values: Mapping[int, Any]) -> dict[Any, Any]:
    return {tag_key(number): plain(one) for number, one in values.items()}


_DURATIONS: Final = (
    *((Delay, "seconds"), (Delay, "median"), (Delay, "max")),
    *((Pending, "every"), (Drip, "every"), (Refuse, "seconds"), (Wait, "max")),
)
_SIZES: Final = ((At, "received"), (Pending, "cut"), (Lie, "cut"), (Truncate, "after"))

_WRITERS: Final[dict[tuple[type[Part], str], Callable[[Any], Any]]] = {
    **dict.fromkeys(_DURATIONS, scalars.duration),
    **dict.fromkeys(_SIZES, scalars.size),
    **dict.fromkeys([(When, "query"), (When, "dataset"), (Attribute, "item")], _by_tag),
    **dict.fromkeys([(Rule, "then"), (Rule, "over"), (Rule, "later")], _steps),
    **dict.fromkeys([(Words, "matches"), (Attribute, "matches")], scalars.regex),
    **dict.fromkeys([(Pending, "remove"), (Step, "offending")], scalars.tags),
    (At, "sub_operation"): lambda place: "last" if place == LAST else place,
    (Rule, "sequence"): lambda answers: [_steps(steps) for steps in answers],
    (Rule, "nth"): scalars.nth,
    (Rule, "chance"): scalars.percent,
    (Rule, "limit"): scalars.limit,
    (Delay, "between"): lambda times: [scalars.duration(one) for one in times],
    (Pending, "set"): _set,
    (Step, "answer"): plain,
    (Step, "bandwidth"): scalars.rate,
    (Step, "send"): lambda data: data.hex(" "),
    (Context, "result"): scalars.result,
    (Count, "text"): scalars.count,
    (Corrupt, "xor"): lambda number: f"{number:02x}",
    (Lie, "command_field"): scalars.command_field,
    (Lie, "dataset_type"): lambda number: f"{number:04X}",
    (Lie, "remove"): scalars.elements,
}
"""How the value of a key is written that is not written as it is kept."""
