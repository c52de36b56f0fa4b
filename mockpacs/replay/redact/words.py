"""The words a recording must not say any more, looked for wherever text is kept: in values, comments and names."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from mockpacs.replay.redact.disguise import Disguise

SHORTEST: Final = 3
"""Bytes of a name or title that is looked for in text: a shorter one is in everything."""
SHORTEST_NUMBER: Final = 4
"""The same for identifiers: they are often numbers, and numbers are everywhere."""
LONGEST: Final = 64
"""No name, title or identifier is longer (PS3.5 6.2)."""
LONG: Final = 5
"""The same for bytes that are no text: by chance there is none of these in them."""
_MOST: Final = 200_000
_DELIMITERS: Final = re.compile(rb"[\\^=\0]+")
_ANY_LETTER: Final = re.compile(rb"[A-Za-z\x80-\xff]")


class Words:
    """Original values. They are gathered first, and then looked for."""

    def __init__(self, disguise: Disguise) -> None:
        self._disguise = disguise
        self._known: set[bytes] = set()
        self._titles: set[bytes] = set()
        self._pattern: re.Pattern[bytes] | None = None
        self._title_pattern: re.Pattern[bytes] | None = None
        self._long_pattern: re.Pattern[bytes] | None = None
        self.scrub = lru_cache(maxsize=1 << 14)(self._scrub)
        """Text with all known words in disguise; its length stays."""

    def add(self, value: bytes) -> None:
        """A name, an identifier or a date, with its components."""
        for part in (value, *_DELIMITERS.split(value)):
            part = part.strip(b" ")
            least = SHORTEST if _ANY_LETTER.search(part) else SHORTEST_NUMBER
            if least <= len(part) <= LONGEST and len(self._known) < _MOST:
                self._known.add(part.lower())

    def add_title(self, title: str) -> None:
        """An AE title."""
        raw = title.encode("latin-1", "replace").strip(b" \0")
        if SHORTEST <= len(raw) <= LONGEST and len(self._titles) < _MOST:
            self._titles.add(raw.lower())

    def gathered(self) -> None:
        """Nothing more is added."""
        self._pattern = _pattern(self._known | self._titles, within=rb"(?<![A-Za-z0-9])(?:%b)(?![A-Za-z0-9])")
        self._title_pattern = _pattern(self._titles, within=rb"(?:%b)")
        long = {word for word in self._known | self._titles if len(word) >= LONG}
        self._long_pattern = _pattern(long, within=rb"(?:%b)")
        self.scrub.cache_clear()

    def scrub_text(self, text: str) -> str:
        """The same for text of ours."""
        return self.scrub(text.encode("utf-8", "surrogateescape")).decode("utf-8", "replace")

    def scrub_name(self, raw: bytes) -> bytes:
        """The same for the name of a product: AE titles are often a part of it."""
        return self._replaced(self._title_pattern, self.scrub(raw))

    def are_in(self, raw: bytes | memoryview) -> bool:
        """Whether one of them is somewhere in bytes that are no text."""
        return self._long_pattern is not None and self._long_pattern.search(raw) is not None

    def _scrub(self, raw: bytes) -> bytes:
        return self._replaced(self._pattern, raw)

    def _replaced(self, pattern: re.Pattern[bytes] | None, raw: bytes) -> bytes:
        return pattern.sub(lambda found: self._disguise.text(found[0], ""), raw) if pattern else raw


def _pattern(words: Iterable[bytes], within: bytes) -> re.Pattern[bytes] | None:
    """One pattern for all words, a tree of their letters: a list of alternatives would try each at every byte."""
    tree: _Tree = {}
    for word in words:
        branch = tree
        for byte in word:
            branch = branch.setdefault(byte, {})
        branch[_END] = {}
    return re.compile(within % _written(tree), re.IGNORECASE) if tree else None


_Tree = dict[int, "_Tree"]
_END: Final = -1


def _written(tree: _Tree) -> bytes:
    """A tree of at most 64 letters depth as a pattern: the longest word that is there."""
    branches = [_escaped(byte) + _written(below) for byte, below in sorted(tree.items()) if byte != _END]
    if not branches:
        return b""
    joined = branches[0] if len(branches) == 1 and _END not in tree else b"(?:" + b"|".join(branches) + b")"
    return joined + b"?" if _END in tree else joined


def _escaped(byte: int) -> bytes:
    return re.escape(bytes((byte,)))
