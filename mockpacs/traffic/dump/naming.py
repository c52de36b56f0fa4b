"""What an element is called, and its VR where the bytes do not tell it. Private names come from pydicom, when met."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from mockpacs.traffic.dump.node import Node
from mockpacs.wire.dictionary import keyword_of, vr_of
from mockpacs.wire.text import printable

_PIXEL_DATA: Final = 0x7FE00010


def called(node: Node) -> str:
    """The keyword; for a private element its name and who reserved the block. Nothing in it moves a cursor."""
    if node.tag & 0xFFFF == 0:
        return "group length"
    if not node.tag >> 16 & 1:
        return keyword_of(node.tag) or "unknown"
    if 0x10 <= node.tag & 0xFFFF <= 0xFF:
        return "private creator"
    name = (_private(node.tag, node.creator)[1] if node.creator else "") or "private"
    return printable(f"{name} [{node.creator}]" if node.creator else name)


def vr_of_implicit(tag: int, creator: str) -> str:
    """The VR of an element in implicit VR (PS3.5 A.1): the dictionary's, which for a private one may be known too."""
    if creator and (known := _private(tag, creator)[0]):
        return known
    # PS3.5 A.1: pixel and overlay data, where the dictionary has a choice, are OW.
    return "OW" if tag == _PIXEL_DATA else vr_of(tag)


def vr_meant(node: Node) -> str:
    """The VR to read a value by: UN was written by somebody who did not know the element (PS3.5 6.2.2)."""
    return vr_of_implicit(node.tag, node.creator) if node.vr == "UN" else node.vr


@lru_cache(maxsize=1024)
def _private(tag: int, creator: str) -> tuple[str, str]:
    """VR and name of a private element of a creator, empty when nothing is known."""
    from pydicom.datadict import get_private_entry

    try:
        entry = get_private_entry(tag, creator)
    except KeyError:
        return "", ""
    return entry[0][:2], entry[2]
