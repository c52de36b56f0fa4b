"""What a redaction did, counted by attribute. It never says what a value was."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any, Final

from mockpacs.wire.dictionary import keyword_of

REMOVED: Final = "removed"
EMPTIED: Final = "emptied"
REPLACED: Final = "replaced"
BLANKED: Final = "blanked"

Note = tuple[int, str]
"""A tag and what was done with its value."""
_MOST_TROUBLES: Final = 1000
_LAST: Final = 1 << 32


class Report:
    """Counts and troubles."""

    def __init__(self) -> None:
        self.connections = 0
        self.messages = 0
        self.data_sets = 0
        self.other = Counter[str]()
        """What was changed outside of data sets, by what it is."""
        self.troubles: list[str] = []
        """What could not be read and was overwritten, a sentence each."""
        self.more_troubles = 0
        """How many of these are not in the list."""
        self._notes = Counter[Note]()

    def note(self, notes: Iterable[Note]) -> None:
        """Count what was done with values."""
        self._notes.update(notes)

    def trouble(self, sentence: str) -> None:
        """Something could not be read."""
        if len(self.troubles) < _MOST_TROUBLES:
            self.troubles.append(sentence)
        else:
            self.more_troubles += 1

    @property
    def values(self) -> int:
        """How many values of data sets and command sets were changed."""
        return sum(self._notes.values())

    def by_attribute(self) -> list[tuple[str, str, int]]:
        """(keyword, what was done, how often), by tag; what has no keyword together."""
        counted = Counter[tuple[int, str, str]]()
        for (tag, done), times in self._notes.items():
            counted[*_called(tag), done] += times
        return [(name, done, times) for (_, name, done), times in sorted(counted.items())]

    def as_json(self) -> dict[str, Any]:
        """All of it, for a file."""
        return {
            "connections": self.connections,
            "messages": self.messages,
            "dataSets": self.data_sets,
            "attributes": [
                {"attribute": name, "done": done, "times": times} for name, done, times in self.by_attribute()
            ],
            "other": dict(sorted(self.other.items())),
            "unreadable": self.troubles,
            "moreUnreadable": self.more_troubles,
        }


def _called(tag: int) -> tuple[int, str]:
    """A tag to sort by, and a name. No tag is shown that may be a piece of text somebody took for an element."""
    if keyword := keyword_of(tag):
        return tag, keyword
    if not tag & 0xFFFF:
        return _LAST, "group lengths"
    return _LAST, "private attributes" if tag >> 16 & 1 else "attributes that are not in the dictionary"
