"""Attribute matching, PS3.4 C.2.2.2: from a key to a predicate over the values an entity has. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from mockpacs.archive import dates, names, ranges, wildcards

Values = tuple[str, ...]
Predicate = Callable[[Values], bool]

WILDCARD_VRS: Final = frozenset(("AE", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UN", "UR", "UT"))
"""VRs that know wild cards (C.2.2.2.4); UN because an unknown key is read as text."""

MULTIPLE_VALUE_VRS: Final = frozenset(("AE", "AS", "AT", "CS", "LO", "PN", "SH", "UC"))
"""VRs for which several values in a key mean AND once that was negotiated (C.2.2.2.8)."""

_RANGE_VRS: Final = frozenset(("DA", "TM", "DT"))
_NUMBER: Final = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[Ee][+-]?\d{1,4})?", re.ASCII)
_NUMBER_VRS: Final = frozenset(("IS", "DS", "US", "SS", "UL", "SL", "UV", "SV", "FL", "FD"))


@dataclass(frozen=True, slots=True)
class Rules:
    """What the two sides agreed on, and what the standard leaves to the archive.

    ``unknown_matches``: an entity without a value matches every key (C.2.2.1.2). ``default_offset``: microseconds ahead
    of UTC of a DT value that does not say it.
    """

    empty_value: bool = False
    multiple_value: bool = False
    unknown_matches: bool = False
    name_case_sensitive: bool = False
    default_offset: int = 0


def is_universal(values: Values) -> bool:
    """Universal matching (C.2.2.2.3): only empty values, or a lone ``*`` (C.2.2.2.4), which clients send for any VR."""
    return not any(values) or values == ("*",)


def asks_for_empty(values: Values, rules: Rules) -> bool:
    """Empty value matching (C.2.2.2.7): the key is two quotation marks, and the two sides agreed on what that means."""
    return rules.empty_value and values == ('""',)


def predicate(vr: str, key: Values, rules: Rules) -> Predicate | None:
    """The predicate of a key over all values of an attribute (``()`` when it has none); None for universal matching.

    An attribute with several values matches when any of them does (C.2.2.3). Several values in a key are a list of UIDs
    (C.2.2.2.2) or, when negotiated, all have to be there (C.2.2.2.8). In every other case the standard leaves them
    undefined (C.2.2.2.8, note 4): any of them may match, as in a list of UIDs.
    """
    if is_universal(key):
        return None
    if asks_for_empty(key, rules):
        return lambda stored: not any(stored)
    wanted = tuple(value for value in key if value)
    every = rules.multiple_value and len(wanted) > 1 and vr in MULTIPLE_VALUE_VRS
    unknown = rules.unknown_matches
    if not every and not tested_one_by_one(vr, wanted):
        members = frozenset(wanted)
        return lambda stored: not members.isdisjoint(stored) if any(stored) else unknown
    tests = [one_value(vr, value, rules) for value in wanted]
    quantifier = all if every else any
    if len(tests) == 1:
        test = tests[0]
        return lambda stored: any(map(test, filter(None, stored))) if any(stored) else unknown

    def several(stored: Values) -> bool:
        if not any(stored):
            return unknown
        return quantifier(any(map(test, filter(None, stored))) for test in tests)

    return several


def tested_one_by_one(vr: str, key: Values) -> int:
    """How many values of a key cannot simply be looked up among the values of an entity."""
    if vr == "PN" or vr in _RANGE_VRS or vr in _NUMBER_VRS:
        return len(key)
    return sum(map(wildcards.has_wildcard, key)) if vr in WILDCARD_VRS else 0


def one_value(vr: str, key: str, rules: Rules) -> Callable[[str], bool]:
    """The predicate of one key value over one stored value."""
    if vr == "PN":
        return names.predicate(key, case_sensitive=rules.name_case_sensitive)
    if vr in _RANGE_VRS:
        ends = ranges.bounds(vr, key)
        return _same_instant(vr, key, rules) if ends is None else _in_range(vr, ends, rules)
    if vr in _NUMBER_VRS:
        return _same_number(key)
    if vr in WILDCARD_VRS and wildcards.has_wildcard(key):
        return wildcards.compile_pattern(key)
    return key.__eq__


def span(vr: str, text: str, default_offset: int = 0) -> dates.Span | None:
    """What a stored value of VR DA, TM or DT stands for, in microseconds; None when it is not a date or time."""
    if vr == "DT":
        return dates.moment(text, default_offset)
    return dates.whole_day(text) if vr == "DA" else dates.time(text)


def _same_instant(vr: str, key: str, rules: Rules) -> Callable[[str], bool]:
    """By meaning (C.2.2.2.1): ``2230`` is ``223000``. A component that is not given counts as the first it could be.

    A key that is no date or time, or a date without its day (PS3.5 6.2 does not know it), is compared as text.
    """
    wanted = span(vr, key, rules.default_offset)
    if wanted is None:
        return key.__eq__

    def same(stored: str) -> bool:
        found = span(vr, stored, rules.default_offset)
        return found is not None and found.first == wanted.first

    return same


def _in_range(vr: str, ends: ranges.Bounds, rules: Rules) -> Callable[[str], bool]:
    wanted = ranges.between(vr, ends, rules.default_offset)
    if wanted is None:
        return lambda _: False

    def inside(stored: str) -> bool:
        found = span(vr, stored, rules.default_offset)
        return found is not None and wanted.holds(found.first)

    return inside


def _same_number(key: str) -> Callable[[str], bool]:
    """Numbers by meaning: ``1`` is ``01`` and ``1.0`` (C.2.2.2.1 leaves IS and DS to the implementation, CP-2305)."""
    if not _NUMBER.fullmatch(key):
        return key.__eq__
    wanted = Decimal(key)
    return lambda stored: bool(_NUMBER.fullmatch(stored)) and Decimal(stored) == wanted
