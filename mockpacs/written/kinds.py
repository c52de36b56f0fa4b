"""What a configuration value may be: each kind turns text, or a Python value, into the one form the server uses.

A kind knows nothing of files, variables or command lines. What it cannot read it refuses with a sentence.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

LONGEST_QUOTE = 60


class Refused(ValueError):  # noqa: N818  it is an answer, not an error of the program
    """A value that cannot be used: pairs of the offending part and a sentence about it."""

    def __init__(self, *problems: tuple[object, str]) -> None:
        super().__init__("; ".join(text for _, text in problems))
        self.problems = problems


class Kind(Protocol):
    """One sort of value. ``allowed`` completes the sentence "it must be ..."."""

    @property
    def allowed(self) -> str:
        """What a user may write."""

    def read(self, value: object) -> object:
        """The value in its one form; reading that form again changes nothing. Raises `Refused`."""

    def write(self, value: object) -> str:
        """The value as a user would write it."""


def quoted(value: object) -> str:
    """A value as it may be shown in an error: bounded, without control characters."""
    text = value if isinstance(value, str) else repr(value)
    if len(text) > LONGEST_QUOTE:
        text = f"{text[:LONGEST_QUOTE]}..."
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return f'"{shown}"' if isinstance(value, str) else shown


def nearest(word: str, known: Iterable[str]) -> str:
    """``; did you mean "port"?`` when a known word is near, otherwise nothing."""
    import difflib  # only wanted when something is already wrong

    names = {name.lower(): name for name in known}
    near = difflib.get_close_matches(word.lower().replace("-", "_"), names, n=1, cutoff=0.55)
    near = near or difflib.get_close_matches(word.lower(), names, n=1, cutoff=0.55)
    return f'; did you mean "{names[near[0]]}"?' if near else ""


def refused(value: object, allowed: str, hint: str = "") -> Refused:
    """The usual refusal."""
    return Refused((value, f"{quoted(value)} is not {allowed}{hint}"))


@dataclass(frozen=True, slots=True)
class Many:
    """A list of one kind. A single value is a list of one."""

    one: Kind

    @property
    def allowed(self) -> str:
        """What a user may write."""
        return f"a list, each item {self.one.allowed}"

    def read(self, value: object) -> tuple[object, ...]:
        """All items; every bad one is named, not only the first."""
        items = value if isinstance(value, list | tuple) else [value]
        read: list[object] = []
        problems: list[tuple[object, str]] = []
        for item in items:
            try:
                read.append(self.one.read(item))
            except Refused as no:
                problems.extend(no.problems)
        if problems:
            raise Refused(*problems)
        return tuple(read)

    def write(self, value: object) -> str:
        """The items between brackets, as YAML writes a short list."""
        items = value if isinstance(value, list | tuple) else [value]
        return f"[{', '.join(self.one.write(item) for item in items)}]"
