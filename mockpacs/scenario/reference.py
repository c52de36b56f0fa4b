"""The reference of the language as Markdown: every key of every part, made from the model and the tables of `moments`.

Run as a program it writes the document.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from pydantic.fields import FieldInfo

from mockpacs.scenario import condition, ending, lie, model, pace, rule, step
from mockpacs.scenario.moments import (
    CANCELLED,
    CONDITION_SERVICES,
    EVENT_CONDITIONS,
    EVENT_STEPS,
    LATER_STEPS,
    MOMENT_SERVICES,
    MOMENT_STEPS,
    STATUS_MOMENTS,
    STEP_SERVICES,
    listed,
)
from mockpacs.scenario.part import Part
from mockpacs.scenario.schema import of_field, step_words
from mockpacs.scenario.values import PER_WORDS, SERVICES, STATUS_SERVICES
from mockpacs.wire.status import Status, statuses

SECTIONS: Final[Mapping[str, Sequence[type[Part]]]] = {
    "File": (model.Scenario, model.StateSpec, model.Expectation, model.Count),
    "Rule": (rule.Rule, rule.Change),
    "Conditions": (condition.When, condition.At, condition.Words, condition.Attribute, condition.States),
    "Steps": (step.Step,),
    "Parts of steps": (
        *(pace.Delay, ending.Wait, step.Pending),
        *(step.Accept, step.Context, ending.Reject, ending.Abort),
        *(ending.Close, ending.Refuse, ending.Tls),
        *(pace.Drip, pace.Truncate, pace.Corrupt, lie.Lie),
    ),
}
"""Every part of the language, by the heading it stands under."""

_TITLES: Final[Mapping[type[Part], str]] = {
    model.Scenario: "Keys of a file",
    model.StateSpec: "State",
    model.Count: "Count of an expectation",
    rule.Rule: "Keys of a rule",
    rule.Change: "Change of a state",
    condition.At: "Moment",
    condition.Words: "Condition on a text",
    condition.Attribute: "Condition on an attribute",
    condition.States: "Condition on states",
    step.Step: "Keys of a step",
}
_MOST_WORDS: Final = 14

_OPENING: Final = """\
# The scenario language: reference

<!-- written by `make docs` -->

Every key of a scenario, what it may be and what it means. [scenarios.md](scenarios.md) introduces the language,
[scenarios/](../scenarios/README.md) has a file for each thing that can go wrong. `mockpacs check` reads a file and says
what is wrong in it; `mockpacs check --schema` prints a JSON Schema with which editors complete keys and statuses.

```yaml scenario
mockpacs: 1
name: Disk full
about: The archive is out of space. A good sender keeps the images and tells someone.
rules:
  - when: { service: C-STORE }
    then: { status: out-of-resources, comment: "Disk full" }
```

YAML is read as text and the language gives every text its type: a status `0110` is not the number 72, an AE title `NO`
is not false. Unknown and repeated keys, anchors and tags are errors; the one tag is `!bytes`.
"""

_UNITS: Final = """\
## How values are written

| value | written as |
|---|---|
| duration | seconds, or a number with `ms`, `s`, `m`, `min` or `h`: `200ms`, `1.5s`, `2m` |
| bytes | a number, or one with `kB`, `MB`, `GB` (thousands) or `KiB`, `MiB`, `GiB`: `256kB`, `1.5 MiB` |
| bytes per second | the same with or without `/s`: `64kB/s` |
| status | a name from the tables below, or a code: four hexadecimal digits, `A700` or `0xA700`, never decimal |
| attribute | a keyword such as `PatientID`, or a tag: `(0010,0020)` or `00100020` |
| percentage | `20%`, `0.5%` |
| count | `3`, `2..4`, `5..` for that and all that follow, `every 10` |
| limit | `20/minute`, `5/second`, `100/10s`, `1000/hour` |
| bytes in hexadecimal | digits with or without blanks: `!bytes "99 00 00 04"`; the tag may be left out |
| glob | a text in which `*` stands for any characters and `?` for one |
"""


def document() -> str:
    """The whole document."""
    return "\n".join([_OPENING, *_sections(), _UNITS, *_counted_by(), *_statuses()]).rstrip() + "\n"


def _sections() -> Iterator[str]:
    for heading, parts in SECTIONS.items():
        yield f"## {heading}\n"
        for part in parts:
            yield f"### {title(part)}\n"
            yield from _part(part)
            if part is condition.When:
                yield from _conditions()
            elif part is step.Step:
                yield from _steps()


def title(part: type[Part]) -> str:
    """The heading of a part."""
    return _TITLES.get(part, part.__name__)


def _part(part: type[Part]) -> Iterator[str]:
    yield _prose(part.__doc__ or "") + _short(part) + "\n"
    if not part.model_fields:
        yield f"Each key is the name of a state, its value a {_link(condition.Words)}.\n"
        return
    yield "| key | value | meaning |"
    yield "|---|---|---|"
    for name, field in part.model_fields.items():
        is_inherited = part is model.Expectation and name in condition.When.model_fields
        if not is_inherited and name not in part.in_python:
            yield _row([f"`{field.alias or name}`", _value(field), _meaning(field)])
    if part is model.Expectation:
        yield _row(["...", "", f"and the conditions of {_link(condition.When)}"])
    if part is condition.Attribute:
        yield _row(["an attribute", _link(condition.Attribute), "of an item of the sequence; any item will do"])
    yield ""


def _short(part: type[Part]) -> str:
    """What may be written instead of the mapping."""
    shorts = [f"the value of `{part.key}`"] if part.key else []
    if part is condition.Attribute:
        shorts.append("one of the words of `presence`")
    if part.is_enough:
        shorts.append("`true`, or its name alone")
    return f" Instead of a mapping: {', or '.join(shorts)}." if shorts else ""


def _value(field: FieldInfo) -> str:
    return _told(of_field(field))


def _told(schema: Mapping[str, Any]) -> str:
    """What a schema allows, in words."""
    if "$ref" in schema:
        return _link_to(str(schema["$ref"]).rpartition("/")[2])
    if schema.get("title") == "status":
        return "[status](#statuses)"
    if "title" in schema:
        return str(schema["title"])
    if "enum" in schema:
        words = [f"`{word}`" for word in schema["enum"] if word.upper() == word or word.upper() not in schema["enum"]]
        return listed(words if len(words) <= _MOST_WORDS else [*words[:3], "..."], "or")
    if "const" in schema:
        return f"`{schema['const']}`"
    if "anyOf" in schema:
        return _told_choice([one for one in schema["anyOf"] if "const" not in one])
    if schema.get("type") == "array":
        return f"list of {_told(schema['items'])}"
    if schema.get("type") == "integer":
        return f"number up to {schema['maximum']}" if "maximum" in schema else "number"
    if schema.get("type") == "object":
        return f"mapping to {_told(schema['additionalProperties'])}" if schema["additionalProperties"] else "mapping"
    return "name, or list of mappings"


def _told_choice(options: Sequence[Mapping[str, Any]]) -> str:
    *others, last = options
    told = " or ".join(map(_told, others))
    if last.get("type") == "array" and told == _told(last["items"]):
        return f"{told}, or a list"
    return f"{told} or {_told(last)}"


def _link(part: type[Part]) -> str:
    return f"[{title(part)}](#{title(part).lower().replace(' ', '-')})"


def _link_to(name: str) -> str:
    parts = {part.__name__: part for parts in SECTIONS.values() for part in parts}
    return _link(parts[name]) if name in parts else f"[{name.lower()}](#steps)"


def _meaning(field: FieldInfo) -> str:
    default = field.default
    is_told = isinstance(default, str | int | float) and not isinstance(default, bool) and default not in ("", 0)
    told = f" (default: {default:g})" if isinstance(default, int | float) else f" (default: {default})"
    return _prose(field.description or "") + (told if is_told and "default" not in (field.description or "") else "")


def _conditions() -> Iterator[str]:
    yield "Not every condition makes sense everywhere:\n"
    yield "| condition | services |"
    yield "|---|---|"
    for name, services in CONDITION_SERVICES.items():
        yield _row([f"`{name}`", listed(services)])
    for moment, services in MOMENT_SERVICES.items():
        yield _row([f"`at`, moment {moment}", listed(services)])
    yield f"\n`status` is known at the moments {listed(map(str, STATUS_MOMENTS))}. At events these are known:\n"
    yield "| event | conditions |"
    yield "|---|---|"
    for event, names in EVENT_CONDITIONS.items():
        yield _row([event, ", ".join(f"`{name}`" for name in names)])
    yield ""


def _steps() -> Iterator[str]:
    words = listed(f"`{word}`" for word in step_words())
    yield f"One word is enough for {words}; `half-close` is `close` with `half`.\n"
    yield "#### Which step at which moment\n"
    yield from _matrix({str(moment): steps for moment, steps in MOMENT_STEPS.items()} | {"`later`": LATER_STEPS})
    told = [f"`{name}` is for {listed(services, 'or')}" for name, services in STEP_SERVICES.items()]
    yield f"{'; '.join(told)}; a `wait` for a cancel is for {listed(CANCELLED, 'or')}.\n"
    yield "#### Which step at which event\n"
    yield from _matrix(EVENT_STEPS)
    yield "At `associate` the pace is that of the whole association, and bytes are those of the answer to the request."
    yield "At `release`, `nothing` leaves the request without an answer.\n"


def _matrix(columns: Mapping[str, Sequence[str]]) -> Iterator[str]:
    yield _row(["step", *columns])
    yield "|---|" + ":-:|" * len(columns)
    for key in step.Step.written():
        if any(key in steps for steps in columns.values()):
            yield _row([f"`{key}`", *("x" if key in steps else "" for steps in columns.values())])
    yield ""


def _counted_by() -> Iterator[str]:
    yield "### Keys to count by\n"
    words = listed((f"`{word}`" for word in PER_WORDS), "or")
    yield f"`per` is {words}, or an attribute of the data set or identifier:"
    yield "`SOPInstanceUID`, `StudyInstanceUID`, ... Every value of it has a counter, or a state, of its own.\n"


def _statuses() -> Iterator[str]:
    yield "## Statuses\n"
    yield "A name of a range stands for its first code. Any code can be answered by any service.\n"
    general = tuple(statuses())
    for service in STATUS_SERVICES:
        yield f"### Of {service}\n"
        yield from _codes(one for one in statuses(service) if one not in general)
    yield f"### Of all services\n\n{', '.join(SERVICES)}, where it has none of its own with that code.\n"
    yield from _codes(general)


def _codes(rows: Iterable[Status]) -> Iterator[str]:
    yield "| name | code | meaning | where |"
    yield "|---|---|---|---|"
    for one in rows:
        code = f"{one.first:04X}" if one.first == one.last else f"{one.first:04X} to {one.last:04X}"
        yield _row([f"`{one.name}`", code, one.meaning, one.clause])
    yield ""


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"


def _prose(text: str) -> str:
    """A docstring or description as Markdown."""
    return " ".join(text.split()).replace("``", "`").replace(" * ", r" \* ").replace("lone *", r"lone \*")


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(document(), encoding="utf-8")
