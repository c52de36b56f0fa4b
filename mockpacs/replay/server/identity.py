"""What tells one request from another, and the conditions of a rule that say so.

C-FIND: model, level and the keys that have a value. C-GET and C-MOVE: the same, their keys are UIDs. All others: the
SOP class; which of several it is, its position says.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from mockpacs.archive import Model
from mockpacs.replay.server.heard import Asked
from mockpacs.replay.server.terms import class_name
from mockpacs.scenario.condition import LEVELS, PRESENCE
from mockpacs.scenario.facts import ITEM, DataFacts
from mockpacs.scenario.moments import QUERIES
from mockpacs.scenario.pattern import has_glob
from mockpacs.scenario.stimulus import Facts
from mockpacs.scenario.values import tag_key
from mockpacs.services.sop_classes import is_uid
from mockpacs.wire.dataset import Element, Encoding, inside, items, scan

Path = tuple[int, ...]
"""The tag of a key, behind those of the sequences that it is in."""
Values = tuple[str, ...]

_LEVEL: Final = 0x00080052
_NO_KEYS: Final = frozenset((0x00080005, 0x00080052, 0x00080053, 0x00080201))
"""Character set, level, view and time zone say how the keys are meant."""
_LARGEST_IDENTIFIER: Final = 4 << 20
_DEEPEST: Final = 4
_EVERYTHING: Final = 0x1_0000_0000
_SAYS_NOTHING: Final = r"(?!\*$).+"
"""Negated: no value but an empty one or a lone asterisk, both of which match anything (PS3.4 C.2.2.2.3)."""


@dataclass(frozen=True, slots=True)
class Identity:
    """What a request asks for."""

    service: str
    sop_class: str
    level: str = ""
    keys: tuple[tuple[Path, Values], ...] = ()

    @property
    def kind(self) -> tuple[str, str, str]:
        """What requests have in common that only their keys tell apart."""
        return self.service, self.sop_class, self.level


def identity_of(asked: Asked, ignored: frozenset[int]) -> Identity:
    """What a recorded request asks for."""
    said = asked.request
    command = said.command
    sop_class = command.affected_sop_class or command.requested_sop_class or said.context.abstract_syntax
    if asked.service not in QUERIES or said.data is None:
        return Identity(asked.service, sop_class)
    data, encoding = said.data.head(_LARGEST_IDENTIFIER), Encoding.of(said.context.transfer_syntax)
    facts = DataFacts(data, encoding)
    elements = scan(data, encoding, stop=_EVERYTHING).elements
    level = " ".join(facts.values(_LEVEL) or ())
    return Identity(asked.service, sop_class, level, tuple(_keys((), elements, facts, encoding, ignored)))


def _keys(
    path: Path, elements: Mapping[int, Element], facts: Facts, encoding: Encoding, ignored: frozenset[int]
) -> Iterator[tuple[Path, Values]]:
    for tag, element in elements.items():
        if tag in _NO_KEYS or tag in ignored or not tag & 0xFFFF:
            continue
        values = tuple(facts.values(tag) or ())
        if ITEM in values:
            inner = facts.items(tag) or ()
            nested = items(element, encoding)
            if inner and nested and len(path) < _DEEPEST:  # a sequence in an identifier has one item (PS3.4 C.2.2.2.6)
                yield from _keys((*path, tag), nested[0], inner[0], inside(element, encoding), ignored)
        elif any(values) and values != ("*",):
            yield (*path, tag), values


class Kinship:
    """All identities of a recording: what each must say to be told from the others."""

    def __init__(self, identities: Iterable[Identity]) -> None:
        self._paths: dict[tuple[str, str, str], dict[Path, bool]] = {}
        for one in dict.fromkeys(identities):
            paths = self._paths.setdefault(one.kind, {})
            for path, values in one.keys:
                paths[path] = paths.get(path, False) or len(values) > 1

    def when(self, identity: Identity) -> dict[str, Any]:
        """The conditions of a rule about it."""
        when: dict[str, Any] = {"service": identity.service}
        if is_uid(identity.sop_class):  # at a sub-operation a SOP class would be that of the instance
            key = "model" if identity.service in QUERIES and Model.of(identity.sop_class) else "sop_class"
            when[key] = class_name(identity.sop_class)
        query: dict[str, Any] = {}
        if identity.level in LEVELS:
            when["level"] = identity.level
        elif identity.level:
            query[tag_key(_LEVEL)] = _exact((identity.level,), is_list=False)
        own = dict(identity.keys)
        for path, is_list in self._paths.get(identity.kind, {}).items():
            is_within = any(other[: len(path) - 1] == path[:-1] for other in own)
            if path in own:
                _put(query, path, _exact(own[path], is_list=is_list))
            elif is_within:
                _put(query, path, {"not": {"matches": _SAYS_NOTHING}})
            else:
                _put_first(query, path)
        return {**when, "query": query} if query else when


def _exact(values: Sequence[str], *, is_list: bool) -> dict[str, Any]:
    """These values and no others. ``is_list``: among the recorded requests are some with several values."""
    if len(values) > 1:
        allowed = "|".join(map(re.escape, values))
        return {"size": len(values), "not": {"matches": f"(?!(?:{allowed})$).*"}}
    (value,) = values
    is_plain = not has_glob(value) and value not in PRESENCE
    exact: dict[str, Any] = {"in": [value]} if is_plain else {"matches": re.escape(value)}
    return {**exact, "size": 1} if is_list else exact


def _put(query: dict[str, Any], path: Path, condition: Any) -> None:
    for tag in path[:-1]:
        query = query.setdefault(tag_key(tag), {}).setdefault("item", {})
    query[tag_key(path[-1])] = condition


def _put_first(query: dict[str, Any], path: Path) -> None:
    """No value there; of several keys of a sequence one is said, a rule can exclude no more."""
    condition: dict[str, Any] = {"matches": _SAYS_NOTHING}
    for tag in reversed(path[1:]):
        condition = {"item": {tag_key(tag): condition}}
    query.setdefault(tag_key(path[0]), {"not": condition})


def told(identity: Identity) -> str:
    """What it asks for, for a person."""
    keys = (f"{tag_key(path[-1])}={chr(92).join(values)}" for path, values in identity.keys)
    return " ".join(filter(None, (identity.service, identity.level, *keys)))
