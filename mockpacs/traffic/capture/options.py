"""The options of pcapng blocks: code, length, value, padded to four bytes. Broken ones end the list."""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct

COMMENT = 1


def options_of(data: memoryview, order: str) -> Iterator[tuple[int, bytes]]:
    """Code and value of each option; ``order`` is ``<`` or ``>``."""
    head = Struct(order + "HH").unpack_from
    at, size = 0, len(data)
    while at + 4 <= size:
        code, length = head(data, at)
        start = at + 4
        if code == 0 or start + length > size:
            return
        yield code, bytes(data[start : start + length])
        at = start + length + (-length & 3)


def comments_of(data: memoryview, order: str) -> tuple[str, ...]:
    """The comments among the options."""
    return tuple(value.decode("utf-8", "replace") for code, value in options_of(data, order) if code == COMMENT)
