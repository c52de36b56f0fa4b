"""Attributes in a filter: a keyword or a tag, and how values of its VR are compared with what was written.

Group 0000 is looked up in the command set, everything else in the data set of the request.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from functools import cache
from typing import Final, TypeAlias

from mockpacs.traffic.exchange import Exchange
from mockpacs.traffic.filter.number import decimal, span
from mockpacs.traffic.filter.syntax import MisreadError, Value
from mockpacs.traffic.filter.text import Accepts, exactly, has_wildcard
from mockpacs.wire.dictionary import tag_of, vr_of

AcceptsValues: TypeAlias = Callable[[Sequence[str] | None], bool]

_TAG: Final = re.compile(r"\(?([0-9A-Fa-f]{4}),?([0-9A-Fa-f]{4})\)?")
_KEYWORD: Final = re.compile(r"[A-Za-z][A-Za-z0-9]*")
_NUMBERS: Final = frozenset(("DS", "FD", "FL", "IS", "SL", "SS", "SV", "UL", "US", "UV"))
_TIMES: Final = frozenset(("DA", "DT", "TM"))
_COMPARED: Final = re.compile(r"(>=|<=|>|<|=)(.*)|(.*)\.\.(.*)", re.DOTALL)
_LAST: Final = "\U0010ffff"
"""Appended to a time it sorts after every finer time: 2024 ends after 20241231."""


def tag_named(key: str) -> int | None:
    """The tag of a keyword, whatever its case, or of ``(gggg,eeee)`` or ``ggggeeee``; None for anything else."""
    if found := _TAG.fullmatch(key):
        return int(found[1] + found[2], 16)
    if not _KEYWORD.fullmatch(key):
        return None
    return tag_of(key) or keywords().get(key.casefold())


@cache
def keywords() -> dict[str, int]:
    """All keywords of the dictionary in lower case, with their tags; pydicom's 120 ms are paid only when asked."""
    from pydicom.datadict import keyword_dict

    return {keyword.casefold(): tag for keyword, tag in keyword_dict.items() if keyword}


def accepts(tag: int, values: Sequence[Value]) -> AcceptsValues:
    """Whether an attribute with these values (None: absent) is what was written."""
    tests = [_one(vr_of(tag), value) for value in values]

    def test(found: Sequence[str] | None) -> bool:
        given = [text for text in found if text] if found else ()
        if not given:
            return any(test("") for test in tests)
        return any(test(text) for test in tests for text in given)

    return test


def in_command(tag: int) -> Callable[[Exchange], Sequence[str] | None]:
    """A function that fetches an element of the command set as text."""

    def fetch(exchange: Exchange) -> Sequence[str] | None:
        value = exchange.command.elements.get(tag) if exchange.command else None
        match value:
            case None:
                return None
            case bytes():
                return (value.hex(),)
            case tuple():
                return tuple(str(one) for one in value)
            case _:
                return (str(int(value) if isinstance(value, int) else value),)

    return fetch


def _one(vr: str, value: Value) -> Accepts:
    text = value.text
    if vr in _NUMBERS and text and not has_wildcard(text):
        return _number(value)
    if vr in _TIMES and text:
        return _time(vr, value)
    if vr == "PN":
        return _name(text)
    return exactly([text])


def _number(value: Value) -> Accepts:
    holds = span(value, decimal).holds

    def accepts(text: str) -> bool:
        try:
            return holds(decimal(text.strip()))
        except ValueError:
            return False

    return accepts


def _time(vr: str, value: Value) -> Accepts:
    """Times sort as text once they have no punctuation; one that is written short covers all that begins with it."""
    compared = _COMPARED.fullmatch(value.text)
    if not compared:
        inner = exactly([_plain(vr, value.text)])
        return lambda text: inner(_plain(vr, text))
    sign, only, low, high = compared.groups()
    ends = [_plain(vr, end or "") for end in (only, low, high)]
    if not any(ends) or not all(end[:1].isdigit() for end in ends if end):
        raise MisreadError("a comparison of dates or times needs one: >20240131, 2024..2025, <12:30", value.at)
    only, low, high = ends
    if sign:
        low = only if sign in (">=", "=") else only + _LAST if sign == ">" else ""
        high = only + _LAST if sign in ("<=", "=") else only if sign == "<" else ""
        return lambda text: low <= _plain(vr, text) < (high or _LAST) if text else False
    return lambda text: low <= _plain(vr, text) < (high + _LAST) if text else False


def _plain(vr: str, text: str) -> str:
    """``2024-01-31`` and ``2024.01.31`` as 20240131, ``12:30`` as 1230; a range of dates in a query stays a range."""
    if vr == "TM":
        return text.replace(":", "")
    return re.sub(r"^(\d{4})[-.](\d\d)(?:[-.](\d\d))?(?!\d)", lambda found: "".join(filter(None, found.groups())), text)


def _name(text: str) -> Accepts:
    """Person names: whatever the case, trailing carets or missing groups; any group of the name may be meant."""
    inner = exactly([_folded(text)])
    if not has_wildcard(text):
        return lambda name: any(map(inner, _forms(name)))
    padded = text.count("^")
    # Smith and Smith^ are the same name, so Smith^* finds both: what was left out is given back.
    return lambda name: any(inner(form) or inner(form + "^" * (padded - form.count("^"))) for form in _forms(name))


def _forms(name: str) -> list[str]:
    whole = _folded(name)
    return [whole, *(group for group in whole.split("=") if group)] if "=" in whole else [whole]


def _folded(name: str) -> str:
    groups = ("^".join(part.strip() for part in group.split("^")).rstrip("^") for group in name.split("="))
    return unicodedata.normalize("NFC", "=".join(groups).rstrip("=")).casefold()
