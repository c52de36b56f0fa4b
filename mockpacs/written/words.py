"""Words as users write them: yes and no, choices, hosts, AE titles, paths."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from mockpacs.written.kinds import Kind, Many, Refused, nearest, quoted, refused


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
                return str(text)
        raise refused(value, self.allowed)

    def write(self, value: object) -> str:
        """The title."""
        return str(value)


class FilePath:
    """A file or a folder. In a configuration file it is relative to that file's folder."""

    allowed: ClassVar[str] = "a path"

    @staticmethod
    def is_name(_text: str) -> bool:
        """Whether a text means something that is found elsewhere, wherever it is written."""
        return False

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


class OptionalPath(FilePath):
    """A path that may be left out."""

    def read(self, value: object) -> Path | None:  # type: ignore[override]
        """The path, or None."""
        return None if value is None else FilePath.read(self, value)


class ScenarioPath(FilePath):
    """A scenario: a file, or the name of one that is shipped."""

    allowed: ClassVar[str] = "a scenario: a YAML file, or the name of a shipped one (see mockpacs scenarios)"

    @staticmethod
    def is_name(text: str) -> bool:
        """Whether this can only be the name of a shipped scenario, wherever it is written."""
        return not ("/" in text or "\\" in text or text.endswith((".yaml", ".yml")))


class Seed:
    """A whole number, or ``random`` for one that is drawn at the start and told."""

    allowed: ClassVar[str] = "a whole number, or random"

    def read(self, value: object) -> int | None:
        """The seed; None leaves it to the scenario."""
        if value is None:
            return None
        if value == "random":
            return secrets.randbelow(2**31)
        if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,18}", value.strip()):
            return int(value)
        if isinstance(value, int) and not isinstance(value, bool):
            return int(value)
        raise refused(value, self.allowed)

    def write(self, value: object) -> str:
        """The number."""
        return "" if value is None else str(value)


def names_files(kind: Kind) -> bool:
    """Whether values of this kind are paths, so that a file's own folder counts."""
    return isinstance(kind.one if isinstance(kind, Many) else kind, FilePath)
