"""Attributes of the exchanges of an association, as runs of equal values.

The instances of a series share some forty attributes and differ in four or five. A row for every value took 40 us of
each exchange, a row for every change takes 5.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from mockpacs.wire.dictionary import USUAL

INDEXED: Final = frozenset(tag for tag, (vr, _) in USUAL.items() if vr != "SQ")
"""The attributes that are in the index: those that queries and archives are made of."""
LONGEST: Final = 200
"""Characters of the values of an attribute that are kept."""
_ASSOCIATIONS: Final = 256
"""Associations whose runs are kept open at a time."""


class _Open(NamedTuple):
    """The runs of an association that have not ended."""

    sequence: int
    attributes: dict[int, Sequence[str]]
    starts: dict[int, int]
    """Where the run of an indexed attribute began."""


class Runs:
    """Appends rows of the table ``attribute`` to ``rows`` whenever a run has ended."""

    def __init__(self, rows: list[tuple[Any, ...]]) -> None:
        self._rows = rows
        self._open: dict[int, _Open] = {}

    def add(self, association: int, sequence: int, attributes: Mapping[int, Sequence[str]]) -> None:
        """The attributes of the next exchange of an association."""
        before = self._open.pop(association, None)
        if before is None:
            if not attributes:
                return
            before = _Open(0, {}, {})
        known = before.attributes
        changed = [tag for tag, values in attributes.items() if known.get(tag) != values]
        gone = known.keys() - attributes.keys() if len(attributes) != len(known) or changed else ()
        for tag in (*changed, *gone):
            if tag in before.starts:
                self._end(association, tag, before, sequence - 1)
        for tag in changed:
            if tag in INDEXED:
                before.starts[tag] = sequence
        if attributes:
            same = known if not changed and not gone else dict(attributes)
            self._open[association] = _Open(sequence, same, before.starts)
            if len(self._open) > _ASSOCIATIONS:
                self._end_all(next(iter(self._open)))  # the one that has been silent longest

    def finish(self) -> None:
        """End all runs."""
        for association in list(self._open):
            self._end_all(association)

    def _end_all(self, association: int) -> None:
        ended = self._open.pop(association)
        for tag in list(ended.starts):
            self._end(association, tag, ended, ended.sequence)

    def _end(self, association: int, tag: int, ended: _Open, last: int) -> None:
        values, first = ended.attributes[tag], ended.starts.pop(tag)
        if len(values) == 1:
            text = values[0]
            whole = len(text) <= LONGEST and "\\" not in text
        else:
            text = "\\".join(values)
            whole = len(text) <= LONGEST and text.count("\\") == max(len(values) - 1, 0)
        self._rows.append((tag, association, first, last, text[:LONGEST], whole))
