"""A line of output and how it is meant, so that whoever prints it can choose a colour."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple


class Tone(Enum):
    """What a line is about."""

    PLAIN = "plain"
    HEAD = "head"
    """Begins a part."""
    FAINT = "faint"
    """Rarely looked at."""
    WARNING = "warning"
    BAD = "bad"
    """A failure, or bytes that make no sense."""
    MARK = "mark"
    """A rule or a fault of a scenario."""


class Line(NamedTuple):
    """One line without its line break; nothing in it moves a cursor."""

    text: str
    tone: Tone = Tone.PLAIN
