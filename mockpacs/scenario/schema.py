"""The JSON Schema of the language, made from the model: editors complete keys and statuses with it.

It is liberal: editors see numbers and booleans where the loader reads text, and `mockpacs check` is stricter.
Run as a program it writes the file that is shipped.
"""

from __future__ import annotations

import json
import sys
import types
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Final, Union, get_args, get_origin

from pydantic import BeforeValidator, WithJsonSchema
from pydantic.fields import FieldInfo

from mockpacs.scenario.condition import Attribute, States, Words
from mockpacs.scenario.model import Scenario
from mockpacs.scenario.part import Part
from mockpacs.scenario.rule import as_sequence
from mockpacs.scenario.step import Step, as_steps
from mockpacs.scenario.values import as_many

FILE: Final = Path(__file__).with_name("schema.json")
STEPS: Final = "Steps"

Schema = dict[str, Any]


def schema() -> Schema:
    """The whole schema."""
    definitions: dict[str, Schema] = {STEPS: _steps()}
    waiting: list[type[Part]] = [Scenario, Step]
    while waiting:
        part = waiting.pop()
        if part.__name__ not in definitions:
            definitions[part.__name__] = of_part(part)
            waiting += parts_of(part)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A mockpacs scenario",
        "$ref": f"#/$defs/{Scenario.__name__}",
        "$defs": dict(sorted(definitions.items())),
    }


def parts_of(part: type[Part]) -> list[type[Part]]:
    """The parts that the fields of one lead to, in their order."""
    if part is States:
        return [Words]
    return [inner for field in part.model_fields.values() for inner in _parts_in(field.annotation)]


def _parts_in(annotation: Any) -> list[type[Part]]:
    if isinstance(annotation, type) and issubclass(annotation, Part):
        return [annotation]
    return [part for one in get_args(annotation) for part in _parts_in(one)]


def of_part(part: type[Part]) -> Schema:
    """The long form of a part, and what may be written instead."""
    fields = [(name, field) for name, field in part.model_fields.items() if name not in part.in_python]
    whole: Schema = {
        "type": "object",
        "properties": {field.alias or name: of_field(field) for name, field in fields},
        "additionalProperties": _ref(Words.__name__) if part is States else False,
    }
    if part is Attribute:  # an attribute of an item
        whole["patternProperties"] = {"^[A-Z0-9(]": _ref(Attribute.__name__)}
    if required := [field.alias or name for name, field in fields if field.is_required()]:
        whole["required"] = required
    shorts: list[Schema] = []
    if part.key:
        short = of_field(next(field for name, field in fields if part.key in (name, field.alias)))
        short.pop("description", None)
        shorts = short.pop("anyOf", []) or [short]
    if part.is_enough:
        shorts = [*shorts, {"const": True}]
    about = " ".join((part.__doc__ or "").split()).replace("``", "")
    return {"description": about, **({"anyOf": [whole, *shorts]} if shorts else whole)}


def of_field(field: FieldInfo) -> Schema:
    """What a key may be, with its description."""
    value = of_type(field.annotation, field.metadata)
    return {"description": field.description, **value} if field.description else value


def of_type(annotation: Any, metadata: Sequence[Any] = ()) -> Schema:
    """What a type may be written as."""
    told = next((one.json_schema for one in metadata if isinstance(one, WithJsonSchema)), None)
    if told is not None:
        return dict(told)
    if get_origin(annotation) is Annotated:
        inner, *more = get_args(annotation)
        return of_type(inner, [*metadata, *(one for group in more for one in _unpacked(group))])
    if get_origin(annotation) in (Union, types.UnionType):
        return of_type(next(one for one in get_args(annotation) if one is not type(None)), metadata)
    if isinstance(annotation, type) and issubclass(annotation, Part):
        return _ref(annotation.__name__)
    if get_origin(annotation) is tuple:
        return _list(get_args(annotation)[0], metadata)
    if get_origin(annotation) is dict:
        return {"type": "object", "additionalProperties": of_type(get_args(annotation)[1])}
    if annotation is Any:
        return {}
    raise TypeError(f"nobody told how {annotation} is written")  # a field without a schema of its own


def _unpacked(group: Any) -> Sequence[Any]:
    return [*group.metadata] if isinstance(group, FieldInfo) else [group]


def _list(inner: Any, metadata: Sequence[Any]) -> Schema:
    readers = [one.func for one in metadata if isinstance(one, BeforeValidator)]
    if as_steps in readers:
        return _ref(STEPS)
    item = of_type(inner)
    several: Schema = {"type": "array", "items": item}
    for bound, key in (("min_length", "minItems"), ("max_length", "maxItems")):
        found = [getattr(one, bound) for one in metadata if hasattr(one, bound)]
        several |= {key: found[0]} if found else {}
    if as_many in readers or as_sequence in readers:
        return {"anyOf": [*(item["anyOf"] if set(item) == {"anyOf"} else [item]), several]}
    return several


def _ref(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}"}


def _steps() -> Schema:
    one = [{"enum": step_words()}, _ref(Step.__name__)]
    about = "What to do: a word, one step, or a list of steps."
    return {"description": about, "anyOf": [*one, {"type": "array", "items": {"anyOf": one}}]}


def step_words() -> list[str]:
    """The steps that are said with one word."""
    words = ["half-close"]
    for key, name in Step.written().items():
        field = Step.model_fields[name]
        parts = _parts_in(field.annotation)
        if of_field(field).get("type") == "boolean" or any(part.is_enough for part in parts):
            words.append(key)
    return sorted(words)


def text() -> str:
    """The schema as it is shipped."""
    return json.dumps(schema(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    Path(sys.argv[1] if len(sys.argv) > 1 else FILE).write_text(text(), encoding="utf-8")
