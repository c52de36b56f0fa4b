"""What a configuration value may be: each kind turns text, or a Python value, into the one form the server uses.

A kind knows nothing of files, variables or command lines. What it cannot read it refuses with a sentence.
"""

from __future__ import annotations

import fnmatch
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Protocol, runtime_checkable

LONGEST_QUOTE = 60


class Refused(ValueError):  # noqa: N818  it is an answer, not an error of the program
    """A value that cannot be used: pairs of the offending part and a sentence about it."""

    def __init__(self, *problems: tuple[object, str]) -> None:
        super().__init__("; ".join(text for _, text in problems))
        self.problems = problems


@runtime_checkable
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

    near = difflib.get_close_matches(word.lower().replace("-", "_"), list(known), n=1, cutoff=0.55)
    near = near or difflib.get_close_matches(word.lower(), list(known), n=1, cutoff=0.55)
    return f'; did you mean "{near[0]}"?' if near else ""


def refused(value: object, allowed: str, hint: str = "") -> Refused:
    """The usual refusal."""
    return Refused((value, f"{quoted(value)} is not {allowed}{hint}"))


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole number between two bounds, and ``zero`` when 0 has a meaning of its own outside of them."""

    low: int
    high: int
    zero: bool = False

    @property
    def allowed(self) -> str:
        """What a user may write."""
        bounds = f"a whole number from {self.low} to {self.high}"
        return f"0 or {bounds}" if self.zero else bounds

    def read(self, value: object) -> int:
        """The number."""
        number = value
        if isinstance(value, str) and re.fullmatch(r"[+-]?[0-9]{1,20}", value.strip()):
            number = int(value)
        if isinstance(number, int) and not isinstance(number, bool):
            number = int(number)
            if self.low <= number <= self.high or (self.zero and number == 0):
                return number
        raise refused(value, self.allowed)

    def write(self, value: object) -> str:
        """The number in digits."""
        return str(value)


@dataclass(frozen=True, slots=True)
class Size:
    """A number of bytes, with or without a suffix."""

    low: int
    high: int
    SUFFIXES: ClassVar[dict[str, int]] = {
        "": 1, "b": 1,
        "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12,
        "kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40,
    }  # fmt: skip

    @property
    def allowed(self) -> str:
        """What a user may write."""
        bounds = f"from {self.low} " if self.low else ""
        return f"0 or a number of bytes {bounds}to {self.high}, with or without kB, MB, GB, KiB, MiB, GiB"

    def read(self, value: object) -> int:
        """The size in bytes."""
        size = value
        if isinstance(value, str):
            found = re.fullmatch(r"([0-9]{1,20}(?:\.[0-9]{1,9})?) ?([A-Za-z]*)", value.strip())
            if found and found[2].lower() in self.SUFFIXES:
                size = round(float(found[1]) * self.SUFFIXES[found[2].lower()])
        if isinstance(size, int) and not isinstance(size, bool) and (size == 0 or self.low <= size <= self.high):
            return int(size)
        raise refused(value, self.allowed)

    def write(self, value: object) -> str:
        """The size in bytes."""
        return str(value)


@dataclass(frozen=True, slots=True)
class Seconds:
    """A duration, read as seconds; ``zero`` when "none" makes sense."""

    zero: bool = False
    UNITS: ClassVar[dict[str, float]] = {"": 1.0, "s": 1.0, "ms": 0.001, "m": 60.0, "min": 60.0, "h": 3600.0}
    LONGEST: ClassVar[float] = 7 * 24 * 3600.0

    @property
    def allowed(self) -> str:
        """What a user may write."""
        least = "of 0 or more" if self.zero else "above 0"
        return f"a duration {least}, at most a week: seconds, or a number with ms, s, m or h"

    def read(self, value: object) -> float:
        """The duration in seconds."""
        seconds: object = value
        if isinstance(value, str):
            found = re.fullmatch(r"([0-9]{1,12}(?:\.[0-9]{1,9})?) ?(ms|s|m|min|h)?", value.strip())
            seconds = float(found[1]) * self.UNITS[found[2] or ""] if found else None
        if isinstance(seconds, int | float) and not isinstance(seconds, bool) and math.isfinite(seconds):
            least = 0 if self.zero else 1e-9
            if least <= seconds <= self.LONGEST:
                return float(seconds)
        raise refused(value, self.allowed)

    def write(self, value: object) -> str:
        """The duration in seconds."""
        return f"{value:g}"


@dataclass(frozen=True, slots=True)
class Flag:
    """Yes or no."""

    WORDS: ClassVar[dict[str, bool]] = {
        "true": True, "yes": True, "on": True, "1": True,
        "false": False, "no": False, "off": False, "0": False,
    }  # fmt: skip
    allowed: ClassVar[str] = "true or false"

    def read(self, value: object) -> bool:
        """The truth."""
        if isinstance(value, bool):
            return value
        if isinstance(value, str) and value.strip().lower() in self.WORDS:
            return self.WORDS[value.strip().lower()]
        raise refused(value, self.allowed)

    def write(self, value: object) -> str:
        """The truth, as YAML writes it."""
        return "true" if value else "false"


@dataclass(frozen=True, slots=True)
class Choice:
    """One word out of a few."""

    words: tuple[str, ...]

    @property
    def allowed(self) -> str:
        """What a user may write."""
        return f"one of {', '.join(self.words)}"

    def read(self, value: object) -> str:
        """The word."""
        if isinstance(value, str) and value in self.words:
            return self.words[self.words.index(value)]
        hint = nearest(value, self.words) if isinstance(value, str) else ""
        raise refused(value, self.allowed, hint)

    def write(self, value: object) -> str:
        """The word."""
        return str(value)


@dataclass(frozen=True, slots=True)
class Host:
    """An address or a name to listen on."""

    allowed: ClassVar[str] = "an address or host name, such as 127.0.0.1, ::1 or 0.0.0.0"

    def read(self, value: object) -> str:
        """The address, IPv6 without brackets."""
        if isinstance(value, str):
            text = value.strip().removeprefix("[").removesuffix("]")
            if re.fullmatch(r"[\w.:%-]{1,253}", text):
                return text
        raise refused(value, self.allowed)

    def write(self, value: object) -> str:
        """The address."""
        return str(value)


@dataclass(frozen=True, slots=True)
class Title:
    """An application entity title, or with ``wild`` a pattern for titles (PS3.5 6.2: AE)."""

    wild: bool = False

    @property
    def allowed(self) -> str:
        """What a user may write."""
        if self.wild:
            return "a pattern for AE titles: printable ASCII without backslash, with * ? [...] as wildcards"
        return "an AE title: 1 to 16 printable ASCII characters, no backslash"

    def read(self, value: object) -> str:
        """The title without the spaces around it, which are not significant."""
        if isinstance(value, str):
            text = value.strip(" ")
            longest = 64 if self.wild else 16
            if 1 <= len(text) <= longest and all(" " <= c <= "~" and c != "\\" for c in text):
                if self.wild:
                    fnmatch.translate(text)
                return str(text)
        raise refused(value, self.allowed)

    def write(self, value: object) -> str:
        """The title."""
        return str(value)


@dataclass(frozen=True, slots=True)
class FilePath:
    """A file or a folder. In a configuration file it is relative to that file's folder."""

    allowed: ClassVar[str] = "a path"

    def read(self, value: object) -> Path:
        """The path, with ``~`` resolved when it came as text."""
        if isinstance(value, Path):
            return value
        if isinstance(value, str) and value.strip() and "\0" not in value:
            try:
                return Path(str(value)).expanduser()
            except RuntimeError as error:  # ~nobody/
                raise Refused((value, f"{quoted(value)}: {error}")) from error
        raise refused(value, self.allowed)

    def write(self, value: object) -> str:
        """The path."""
        return "" if value is None else str(value)


@dataclass(frozen=True, slots=True)
class OptionalPath(FilePath):
    """A path that may be left out."""

    def read(self, value: object) -> Path | None:  # type: ignore[override]
        """The path, or None."""
        return None if value is None else FilePath.read(self, value)


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


def names_files(kind: Kind) -> bool:
    """Whether values of this kind are paths, so that a file's own folder counts."""
    return isinstance(kind.one if isinstance(kind, Many) else kind, FilePath)
