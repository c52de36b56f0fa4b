"""Checks of how a command set is encoded: group length, order, lengths, elements (PS3.7 6.3.1 and E.1)."""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct
from typing import Final

from mockpacs.wire import Tag

_ELEMENT: Final = Struct("<HHI")
_TEXTS: Final = frozenset(
    {
        Tag.AFFECTED_SOP_CLASS,
        Tag.REQUESTED_SOP_CLASS,
        Tag.AFFECTED_SOP_INSTANCE,
        Tag.REQUESTED_SOP_INSTANCE,
        Tag.MOVE_DESTINATION,
        Tag.ERROR_COMMENT,
        Tag.MOVE_ORIGINATOR_AET,
    }
)
_TAG_LISTS: Final = frozenset({Tag.OFFENDING_ELEMENT, Tag.ATTRIBUTE_IDENTIFIER_LIST})
_UIDS: Final = frozenset(
    {Tag.AFFECTED_SOP_CLASS, Tag.REQUESTED_SOP_CLASS, Tag.AFFECTED_SOP_INSTANCE, Tag.REQUESTED_SOP_INSTANCE}
)
_KNOWN: Final = frozenset(map(int, Tag))


def check_encoding(data: bytes, add: Callable[[str, str], None]) -> None:
    """Walk over a raw command set; ``add`` takes the name of a check and what was seen."""
    offset, last, group_length = 0, -1, None
    while offset + 8 <= len(data):
        group, element, length = _ELEMENT.unpack_from(data, offset)
        start, offset = offset + 8, offset + 8 + length
        if group:
            add("command-element", f"element ({group:04X},{element:04X}) in a command set")
        if offset > len(data):
            text = f"element ({group:04X},{element:04X}) says {length} bytes, {len(data) - start} are there"
            add("command-element", text)
            return
        if group:
            continue
        if element <= last:
            how = "twice" if element == last else f"after (0000,{last:04X})"
            add("command-set-order", f"element (0000,{element:04X}) {how}")
        last = max(last, element)
        if element == Tag.GROUP_LENGTH:
            group_length = (int.from_bytes(data[start:offset], "little"), len(data) - offset)
        _check_length(element, data[start:offset], add)
    if offset != len(data):
        add("command-element", f"{len(data) - offset} bytes are left over after the last element")
    if group_length is None:
        add("command-group-length", "a command set without Command Group Length (0000,0000)")
    elif group_length[0] != group_length[1]:
        add("command-group-length", f"Command Group Length {group_length[0]}, {group_length[1]} bytes follow it")


def _check_length(element: int, value: bytes, add: Callable[[str, str], None]) -> None:
    length = len(value)
    name = f"element (0000,{element:04X})"
    if length % 2:
        add("command-element", f"{name} has {length} bytes, an odd number")
    elif element in _UIDS and value.endswith(b" "):
        add("value-padding", f"{name} is a UID padded with a space")
    elif element in _TEXTS - _UIDS and value.endswith(b"\0"):
        add("value-padding", f"{name} is text padded with NUL")
    elif element in _TAG_LISTS:
        if length % 4:
            add("command-element", f"{name} has {length} bytes, a list of tags has 4 for each")
    elif element == Tag.GROUP_LENGTH:
        if length != 4:
            add("command-element", f"{name} has {length} bytes, a UL has 4")
    elif element in _KNOWN and element not in _TEXTS and length != 2:
        add("command-element", f"{name} has {length} bytes, a US has 2")
