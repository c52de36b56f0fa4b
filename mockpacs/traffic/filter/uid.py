"""SOP classes and transfer syntaxes in a filter, by UID or by the name that PS3.6 Annex A gives them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Final

from mockpacs.traffic.filter.syntax import MisreadError, Value, bare, nearest
from mockpacs.traffic.filter.text import Accepts, exactly
from mockpacs.wire.text import printable

SOP_CLASS: Final = "SOP Class"
TRANSFER_SYNTAX: Final = "Transfer Syntax"
_UID: Final = re.compile(r"[0-9.*?]*")


def accepts(values: Sequence[Value], kind: str) -> Accepts:
    """Whether a UID is one of those written. ``kind``: `SOP_CLASS` or `TRANSFER_SYNTAX`. Names know wild cards too."""
    return exactly([uid for value in values for uid in _uids(value, kind)])


def _uids(value: Value, kind: str) -> Iterator[str]:
    """The pattern itself, or the UIDs that a name means; pydicom's 120 ms are paid only for a name."""
    if _UID.fullmatch(value.text):
        yield value.text
        return
    named = exactly([bare(value.text)])
    found = {uid for name, uid in _names(kind).items() if named(bare(name))}
    if not found:
        shown = printable(value.text, 40)
        near = nearest(value.text, _names(kind))
        raise MisreadError(f'"{shown}" is no UID, nor the name or keyword of a {kind}{near}', value.at)
    yield from sorted(found)


@cache
def _names(kind: str) -> dict[str, str]:
    """UIDs by name and by keyword."""
    from pydicom._uid_dict import UID_dictionary

    known = {}
    for uid, (name, what, _, _, keyword) in UID_dictionary.items():
        if kind in what:
            known[name] = uid
            known[keyword] = uid
    known.pop("", None)
    return known
