"""Why a text is not the one that was expected, as far as DICOM explains it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Final

from mockpacs.scenario.number import number
from mockpacs.scenario.pattern import any_of, glob, has_glob

LONGEST_TITLE: Final = 16
"""Characters of an AE title (PS3.5 6.2)."""
_LONGEST_COMPARED: Final = 256


def about_title(expected: Sequence[str], received: str) -> str:
    """Why an AE title is not one of those expected, "" when nothing is known."""
    if not received:
        return "not known"
    long = next((text for text in expected if len(text) > LONGEST_TITLE and text.startswith(received)), "")
    if long and len(received) == LONGEST_TITLE:
        return f"an AE title has at most {LONGEST_TITLE} characters"
    return about_text(expected, [received])


def about_text(expected: Sequence[str], received: Iterable[str]) -> str:
    """The same for any text."""
    for text in (text[:_LONGEST_COMPARED] for text in received):
        if any_of(map(str.casefold, expected))(text.casefold()):
            return "only the case differs"
        if any_of(map(_bare, expected))(_bare(text)):
            return "only blanks differ"
        if _as_numbers(expected, text):
            return "equal as a number, not as text"
        if hint := _about_globs(expected, text):
            return hint
    return ""


def about_presence(expected: str, values: Sequence[str] | None) -> str:
    """Why an attribute is not there in the way that was expected."""
    if values is None and expected in ("empty", "universal"):
        return "an absent attribute is not one of zero length"
    if expected == "absent" and values == ():
        return "an attribute of zero length is not absent"
    if expected == "universal" and values is not None and any("*" in value for value in values):
        return "universal is zero length or a lone *"
    return ""


def _bare(text: str) -> str:
    return "".join(text.split()).strip("\0").casefold()


def _as_numbers(expected: Sequence[str], text: str) -> bool:
    value: Decimal | None = number(text)
    return value is not None and any(number(one) == value for one in expected)


def _about_globs(expected: Sequence[str], text: str) -> str:
    """The two sides may both have wild cards, and only those of the scenario are any."""
    if not has_glob(text):
        return ""
    if any(not has_glob(one) and one and glob(text)(one) for one in expected):
        return "the wild cards of a query are plain characters here"
    return ""
