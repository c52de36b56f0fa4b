"""Checks of the bytes of A-ASSOCIATE-RQ and -AC, for what decoding forgives: padding, items missing or repeated."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Final

from mockpacs.traffic.findings.association import Add
from mockpacs.wire import PduType
from mockpacs.wire.item import ItemError, walk

_HEADER_LENGTH: Final = 6
_FIXED_LENGTH: Final = 68
_TITLES: Final = {"called": slice(4, 20), "calling": slice(20, 36)}
_APPLICATION_CONTEXT: Final = 0x10
_USER_INFORMATION: Final = 0x50
_MAXIMUM_LENGTH: Final = 0x51
_CONTEXTS: Final = frozenset({0x20, 0x21})
_UIDS: Final = {
    0x10: "application context name",
    0x30: "abstract syntax",
    0x40: "transfer syntax",
    0x52: "Implementation Class UID",
}
_ONCE: Final = {
    0x10: "application context item",
    0x50: "user information item",
    0x51: "maximum length sub-item",
    0x52: "implementation class UID sub-item",
    0x53: "asynchronous operations window sub-item",
    0x55: "implementation version name sub-item",
    0x58: "user identity sub-item",
    0x59: "user identity sub-item",
}


def check_items(pdu_type: int, pdu: bytes, add: Add) -> None:
    """Look at a whole A-ASSOCIATE-RQ or -AC, header included, that could be decoded."""
    body = pdu[_HEADER_LENGTH:]
    clause = "PS3.8 9.3.2" if pdu_type == PduType.ASSOCIATE_RQ else "PS3.8 9.3.3"
    if pdu_type == PduType.ASSOCIATE_RQ:
        for what, place in _TITLES.items():
            if b"\0" in body[place]:
                add("ae-title-padding", f"the {what} AE title has NUL where spaces belong: {body[place]!r}", "")
    counts: Counter[int] = Counter()
    for kind, value in _items(body[_FIXED_LENGTH:]):
        counts[kind] += 1
        name = _UIDS.get(kind)
        if name and value[-1:] in (b"\0", b" "):
            add("uid-padding", f"the {name} ends with a padding byte: {value!r}", "")
    for kind, name in _ONCE.items():
        if counts[kind] > 1:
            own = clause if kind < _MAXIMUM_LENGTH else ("PS3.8 D.1" if kind == _MAXIMUM_LENGTH else "PS3.7 D.3.3")
            add("repeated-item", f"{counts[kind]} times the {name}", own)
    if not counts[_USER_INFORMATION]:
        add("missing-item", "no user information item", clause)
    elif not counts[_MAXIMUM_LENGTH]:
        add("missing-item", "no maximum length sub-item", "PS3.8 D.1")
    if not counts[_APPLICATION_CONTEXT] and pdu_type == PduType.ASSOCIATE_AC:
        add("missing-item", "no application context item", clause)


def _items(data: bytes) -> Iterator[tuple[int, bytes]]:
    """All items and sub-items."""
    try:
        for kind, value in walk(data, ""):
            yield kind, value
            if kind == _USER_INFORMATION:
                yield from walk(value, "")
            elif kind in _CONTEXTS:
                yield from walk(value[4:], "")
    except ItemError:  # in a context that the decoder did not look into as closely
        return
