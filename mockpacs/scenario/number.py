"""Numbers in values (IS, DS and binary ones as text), and the order of values that are none."""

from __future__ import annotations

import re
from decimal import Decimal
from functools import lru_cache
from typing import Final

_NUMBER: Final = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[Ee][+-]?\d{1,4})?", re.ASCII)
_LONGEST: Final = 64


@lru_cache(maxsize=1024)
def number(text: str) -> Decimal | None:
    """The number a text is, None when it is none."""
    return Decimal(text) if len(text) <= _LONGEST and _NUMBER.fullmatch(text) else None


def is_less(one: str, other: str) -> bool:
    """Numbers by value when both are; anything else, dates and times too, as text."""
    first, second = number(one), number(other)
    if first is not None and second is not None:
        return first < second
    return one < other
