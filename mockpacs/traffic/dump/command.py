"""A command set as lines: by keyword, with the names of status, priority and UIDs (PS3.7 E.1)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from mockpacs.traffic.dump.line import Line, Tone
from mockpacs.traffic.dump.naming import message_name, named, tag_name
from mockpacs.traffic.dump.value import binary
from mockpacs.wire import NO_DATA_SET, Command, CommandField, Tag, Value
from mockpacs.wire.dictionary import keyword_of
from mockpacs.wire.status import Category, category_of, find
from mockpacs.wire.text import printable

_PRIORITIES: Final = {0: "medium", 1: "high", 2: "low"}
_HEXADECIMAL: Final = frozenset({Tag.COMMAND_FIELD, Tag.DATA_SET_TYPE, Tag.STATUS})
_KEYWORD_WIDTH: Final = 38
_TONES: Final = {Category.FAILURE: Tone.BAD, Category.WARNING: Tone.WARNING, Category.CANCEL: Tone.WARNING}


def lines(command: Command, *, indent: str = "") -> Iterator[Line]:
    """The lines of a command set, elements as they came, unknown ones in hexadecimal."""
    for tag, value in command.elements.items():
        text = (
            f"{indent}(0000,{tag:04X}) {keyword_of(tag) or 'unknown':<{_KEYWORD_WIDTH}} {_shown(command, tag, value)}"
        )
        yield Line(text, tone_of(command) if tag == Tag.STATUS else Tone.PLAIN)


def tone_of(command: Command) -> Tone:
    """How the status of a response is meant."""
    status = command.status
    return Tone.PLAIN if status is None else _TONES.get(category_of(status), Tone.PLAIN)


def status_text(status: int, service: str) -> str:
    """``A700 out-of-resources: refused, out of resources``; a code without a name by its category."""
    row = find(status, service)
    return f"{status:04X} {row.name}: {row.meaning}" if row else f"{status:04X} {category_of(status)}"


def _shown(command: Command, tag: int, value: Value) -> str:
    match value:
        case bytes():
            return binary(value, with_text=True) if value else "(empty)"
        case tuple():
            return "\\".join(map(tag_name, value)) or "(empty)"
        case str():
            return named(value) if value else "(empty)"
        case int() if tag == Tag.STATUS:
            return status_text(value, command.service)
        case int() if tag in _HEXADECIMAL:
            return f"{value:04X} {_meaning(tag, value)}"
        case int() if tag == Tag.PRIORITY:
            return f"{value} {_PRIORITIES.get(value, 'unknown')}"
        case _:
            return printable(str(value))


def _meaning(tag: int, value: int) -> str:
    if tag == Tag.COMMAND_FIELD:
        return message_name(CommandField(value)) if value in set(CommandField) else "unknown"
    return "no data set" if value == NO_DATA_SET else "data set present"
