"""What is left to chance, drawn from a keyed hash: the seed and what is drawn for decide, never what was drawn before.

So the order in which associations ask does not matter, nor what other rules draw.
"""

from __future__ import annotations

import math
from hashlib import blake2b
from typing import Final

_FRACTION_BITS: Final = 53
"""As many as a float has: with all 64 of a draw the largest would be rounded up to 1."""


class Draws:
    """The draws of one rule."""

    def __init__(self, seed: int, rule: str) -> None:
        self._begun = blake2b(_encoded(rule), key=str(seed).encode(), digest_size=8)

    def about(self, key: object, who: object, occurrence: int) -> Draw:
        """What is drawn for the so-many-th time that somebody asks, under a counter key."""
        hashed = self._begun.copy()
        hashed.update(_encoded(repr((key, who, occurrence))))
        return Draw(hashed)


class Draw:
    """As many independent values as there are purposes; the same purpose gives the same value."""

    __slots__ = ("_hashed",)

    def __init__(self, hashed: blake2b) -> None:
        self._hashed = hashed

    def number(self, purpose: str) -> int:
        """A number of 64 bits."""
        hashed = self._hashed.copy()
        hashed.update(purpose.encode())
        return int.from_bytes(hashed.digest(), "big")

    def share(self, purpose: str) -> float:
        """Evenly from 0 to 1, without 1."""
        return (self.number(purpose) >> (64 - _FRACTION_BITS)) / (1 << _FRACTION_BITS)

    def normal(self, purpose: str) -> float:
        """Around 0 with a standard deviation of 1 (Box and Muller)."""
        distance = math.sqrt(-2 * math.log(1 - self.share(f"{purpose} distance")))
        return distance * math.cos(2 * math.pi * self.share(f"{purpose} angle"))


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "backslashreplace")
