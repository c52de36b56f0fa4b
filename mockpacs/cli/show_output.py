"""Lines on the standard output, coloured for a terminal, and quiet when nobody reads any more."""

from __future__ import annotations

import os
import re
import sys
from typing import Final

import typer

from mockpacs.errors import ConfigurationError
from mockpacs.traffic.dump.line import Line, Tone

CHOICES: Final = ("auto", "always", "never")

_STYLES: Final[dict[Tone, dict[str, bool | str]]] = {
    Tone.HEAD: {"bold": True},
    Tone.FAINT: {"dim": True},
    Tone.WARNING: {"fg": "yellow"},
    Tone.BAD: {"fg": "red"},
    Tone.MARK: {"fg": "magenta"},
}
_CLOCK: Final = re.compile(r"\s*\d\d:\d\d:\d\d\.\d{3}(?=  )")


class Output:
    """Where lines go."""

    def __init__(self, color: str | None = None) -> None:
        """``color``: auto (on a terminal, unless NO_COLOR is set), always or never."""
        if color is not None and color not in CHOICES:
            raise ConfigurationError(f'--color: "{color}" is none of {", ".join(CHOICES)}')
        self._is_coloured = color == "always" or (
            color in (None, "auto") and sys.stdout.isatty() and not os.environ.get("NO_COLOR")
        )

    def line(self, line: Line) -> None:
        """One line of text."""
        self.text(self._painted(line) if self._is_coloured else line.text)

    def text(self, text: str) -> None:
        """One line as it is."""
        sys.stdout.write(text + "\n")

    def flush(self) -> None:
        """Let the reader have it now."""
        sys.stdout.flush()

    def _painted(self, line: Line) -> str:
        """Times are grey, the rest is as it is meant."""
        style = _STYLES.get(line.tone)
        clock = _CLOCK.match(line.text)
        if clock is None:
            return _styled(line.text, style) if style else line.text
        rest = line.text[clock.end() :]
        return _styled(clock[0], _STYLES[Tone.FAINT]) + (_styled(rest, style) if style else rest)


def _styled(text: str, style: dict[str, bool | str]) -> str:
    return typer.style(text, **style)  # type: ignore[arg-type]
