"""Learns which UIDs the live peer uses where the recorded one used others: from matches, and from created instances.

A recorded match and a live one are about the same when all they say but their UIDs is equal; where that says nothing,
and there are equally many, when they are in the same place.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Final

from mockpacs.net.partner import Heard
from mockpacs.replay.client.dialogue import Request
from mockpacs.replay.client.uids import CLASSES, UidTable
from mockpacs.replay.step import Said
from mockpacs.wire.dataset import Element, Encoding, scan
from mockpacs.wire.dictionary import vr_of

_LONGEST_MATCH: Final = 1 << 20
_CHANGING: Final = frozenset(
    (
        0x00080005,  # Specific Character Set
        0x00080054,  # Retrieve AE Title
        0x00080056,  # Instance Availability
        0x00880130,
        0x00880140,
    )
)
"""Attributes of a match in which servers differ that have the same instances."""

Key = tuple[tuple[int, bytes], ...]


def learn(table: UidTable, asked: Request, matches: Sequence[Said], final: Said | None) -> None:
    """What an answered request teaches, next to its recorded matches and its recorded final response."""
    if final is not None and asked.final is not None:
        then, now = final.command.affected_sop_instance, asked.final.affected_sop_instance
        is_named = asked.command.affected_sop_instance or asked.command.requested_sop_instance
        if then and now and not is_named:  # the peer has given the name (PS3.7 10.1.5)
            table.learn(then, now)
    if asked.matches and matches:
        _learn_matches(table, matches, asked.matches)


def _learn_matches(table: UidTable, recorded: Sequence[Said], live: Sequence[Heard]) -> None:
    then = [_parts(_recorded_data(said), said.context.transfer_syntax) for said in recorded]
    now = [_parts(heard.data, heard.context.transfer_syntax) for heard in live]
    if then == now:
        return
    waiting: dict[Key, list[Mapping[int, str]]] = defaultdict(list)
    for key, uids in now:
        waiting[key].append(uids)
    is_paired = False
    for key, uids in then:
        found = waiting.get(key)
        if key and found:
            is_paired = True
            _pair(table, uids, found.pop(0))
    if not is_paired and len(then) == len(now):
        for (_, uids), (_, others) in zip(then, now, strict=True):
            _pair(table, uids, others)


def _pair(table: UidTable, recorded: Mapping[int, str], live: Mapping[int, str]) -> None:
    for tag, uid in recorded.items():
        table.learn(uid, live.get(tag, ""))


def _recorded_data(said: Said) -> bytes:
    return said.data.head(_LONGEST_MATCH) if said.data is not None else b""


def _parts(data: bytes, transfer_syntax: str) -> tuple[Key, dict[int, str]]:
    """What a match says, and its UIDs."""
    encoding = Encoding.of(transfer_syntax)
    key: list[tuple[int, bytes]] = []
    uids: dict[int, str] = {}
    for tag, element in scan(data, encoding).elements.items():
        if _vr(element) == "UI":
            if tag not in CLASSES:
                uids[tag] = bytes(element.value).decode("latin-1").strip(" \0")
        elif tag not in _CHANGING and _vr(element) != "SQ" and (value := bytes(element.value).strip(b" \0")):
            key.append((tag, value))
    return tuple(key), uids


def _vr(element: Element) -> str:
    return element.vr or vr_of(element.tag)
