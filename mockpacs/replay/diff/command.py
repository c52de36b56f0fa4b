"""Two command sets compared by keyword (PS3.7 E.1)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from mockpacs.replay.diff.aliases import Aliases
from mockpacs.replay.diff.change import Change
from mockpacs.replay.diff.dataset import Place
from mockpacs.traffic.dump.naming import named, tag_name
from mockpacs.traffic.dump.value import binary
from mockpacs.wire import Command, Tag, Value
from mockpacs.wire.dictionary import keyword_of
from mockpacs.wire.status import category_of, find
from mockpacs.wire.text import printable

_OTHERWISE: Final = frozenset({Tag.COMMAND_FIELD, Tag.DATA_SET_TYPE})
"""The first is the same in what is compared; the second says no more than that there is a data set, or none."""
_INSTANCES: Final = frozenset({Tag.AFFECTED_SOP_INSTANCE, Tag.REQUESTED_SOP_INSTANCE})
_COUNTERS: Final = frozenset(
    {
        Tag.REMAINING_SUB_OPERATIONS,
        Tag.COMPLETED_SUB_OPERATIONS,
        Tag.FAILED_SUB_OPERATIONS,
        Tag.WARNING_SUB_OPERATIONS,
    }
)


def compare_commands(left: Command, right: Command, place: Place) -> Iterator[Change]:
    """What is not the same, by ascending tags."""
    for tag in sorted({*left.elements, *right.elements}):
        if tag in _OTHERWISE or place.ignored.leaves_out(tag):
            continue
        one, other = left.elements.get(tag), right.elements.get(tag)
        if tag in _INSTANCES:
            _learn(one, other, place.aliases)
        if one == other:
            continue
        uids = ((one, other),) if tag in _INSTANCES and isinstance(one, str) and isinstance(other, str) else ()
        name = keyword_of(tag) or f"(0000,{tag:04X})"
        yield Change(place.where, name, _shown(left, tag, one), _shown(right, tag, other), tag=tag, uids=uids)


def status_of(status: int, service: str) -> str:
    """``A700 out-of-resources``; a code without a name by its category."""
    row = find(status, service)
    return f"{status:04X} {row.name if row else category_of(status)}"


def _learn(one: Value | None, other: Value | None, aliases: Aliases) -> None:
    if isinstance(one, str) and isinstance(other, str):
        aliases.see([(one, other)])


def _shown(command: Command, tag: int, value: Value | None) -> str | None:
    match value:
        case None:
            return None
        case bytes():
            return binary(value, with_text=True) if value else "(empty)"
        case tuple():
            return "\\".join(map(tag_name, value)) or "(empty)"
        case str():
            return named(value) if value else "(empty)"
        case int() if tag == Tag.STATUS:
            return status_of(value, command.service)
        case _:
            return printable(str(int(value)))
