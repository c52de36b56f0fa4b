"""Text under a key: letters become other letters, digits other digits, all else stays; what is equal stays equal.

A letter depends on those before it in its component, so a query for ``DOE*`` still finds what begins with DOE. Letters
beyond ASCII become ASCII ones, as many as they have bytes: no length changes and any character set can say them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from hashlib import blake2b
from typing import Final

_COMPONENT: Final = re.compile(rb"[^\\^=\r\n\t\f\0]+")
_HIGH: Final = 0xFF
_JAPANESE: Final = re.compile(rb"\x1b\$\(?[@ABD][^\x1b]*(?:\x1b\([BJ])?")
"""ISO 2022 segments in which two bytes below 128 are one character, with the escapes around them."""
_ESCAPE: Final = re.compile(rb"\x1b[ -/]*[0-~]?")
_CHINESE: Final = re.compile(rb"[\x81-\xfe](?:[\x40-\x7e\x80-\xfe]|[0-9][\x81-\xfe][0-9])")
_WITH_LOW_BYTES: Final = ("GB18030", "GBK")
_PREFIX: Final = 64
"""Letters of a component that depend on all before them; those behind depend on these and on their place."""
_UPPER, _LOWER, _DIGIT = (65, 26), (97, 26), (48, 10)


class Mask:
    """A key and what it makes of text."""

    def __init__(self, key: bytes) -> None:
        """``key``: 32 bytes."""
        self._hash = blake2b(key=key, person=b"text", digest_size=4)
        self.hide = lru_cache(maxsize=1 << 16)(self._hide)
        """The same text in disguise: (bytes, the text of (0008,0005)) -> bytes of the same length."""

    def _hide(self, raw: bytes, character_set: str = "") -> bytes:
        marked = _marked(raw, character_set)
        hidden = bytearray(raw)
        for component in _COMPONENT.finditer(marked):
            start, end = component.span()
            for place, letter in enumerate(self._letters(raw[start:end], marked[start:end]), start):
                hidden[place] = letter
        return bytes(hidden)

    def _letters(self, raw: bytes, marked: bytes) -> Iterator[int]:
        prefix = self._hash.copy()
        for place, byte in enumerate(marked):
            here = prefix.copy()
            if place < _PREFIX:
                prefix.update(raw[place : place + 1].lower())
            else:
                here.update(place.to_bytes(4, "big"))
            yield _moved(byte, here.digest())


def _moved(byte: int, noise: bytes) -> int:
    if byte >= 0x80:
        return 65 + int.from_bytes(noise, "big") % 26
    for first, size in (_UPPER, _LOWER, _DIGIT):
        if first <= byte < first + size:
            # never by nothing: no letter stays what it was
            return first + (byte - first + 1 + int.from_bytes(noise, "big") % (size - 1)) % size
    return byte


def _marked(raw: bytes, character_set: str) -> bytes:
    """With a byte above 127 wherever one belongs to a character that is not ASCII."""
    if raw.isascii() and b"\x1b" not in raw:
        return raw
    marked = _JAPANESE.sub(_marks, raw)
    marked = _ESCAPE.sub(_marks, marked)
    if character_set.startswith(_WITH_LOW_BYTES):
        marked = _CHINESE.sub(_marks, marked)
    return marked


def _marks(found: re.Match[bytes]) -> bytes:
    return bytes((_HIGH,)) * len(found[0])
