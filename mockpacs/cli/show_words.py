"""The words of ``show`` and ``export``: which recording is meant, and what is left for the filter."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple

import typer

from mockpacs.cli.parameters import TextCommand
from mockpacs.config import load
from mockpacs.errors import ConfigurationError, RecordingError

SUFFIXES: Final = (".pcapng", ".pcap", ".cap", ".pcapng.gz", ".pcap.gz", ".cap.gz")
STANDARD_INPUT: Final = "-"
FOLDER: Final = "recordings"
_SUGGESTED: Final = 3
# A term that is negated begins with a minus, as an option does; no option has a colon, a digit or a parenthesis in it.
_NEGATED: Final = re.compile(r"-(?!-)[^:]*:|-[0-9(]", re.DOTALL)
_MINUS: Final = "\ue000"  # stands for that minus while the words are sorted; a character nobody types

Words = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="REC] [FILTER",
        show_default=False,
        hidden=True,  # typer puts brackets around it
    ),
]
Storage = Annotated[
    str | None,
    typer.Option(
        "--storage", metavar="PATH", show_default=False, help="Folder with recordings/ in it. [default: storage]"
    ),
]


class Asked(NamedTuple):
    """What the words say."""

    path: Path | None
    """A file; None for the standard input."""
    words: tuple[str, ...]
    """The filter."""

    @property
    def name(self) -> str:
        """What to call the recording in a sentence."""
        return str(self.path) if self.path else "the standard input"

    @property
    def names_one_exchange(self) -> bool:
        """Whether the filter is the number of an exchange and nothing else: it is shown in full then."""
        return len(self.words) == 1 and bool(re.fullmatch(r"\d+\.\d+", self.words[0]))

    @property
    def association(self) -> int | None:
        """The association that the filter names, when it is its number and nothing else."""
        return int(self.words[0]) if len(self.words) == 1 and re.fullmatch(r"\d{1,9}", self.words[0]) else None


class FilterCommand(TextCommand):
    """A command that takes a filter: a word such as ``-service:C-ECHO`` belongs to it and is no option."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Split the words into options and the rest, whose order is kept."""
        return super().parse_args(ctx, [_MINUS + word[1:] if _NEGATED.match(word) else word for word in args])


def asked(words: Sequence[str] | None, storage: str | None, config: str | None) -> Asked:
    """The recording and the filter. Raises RecordingError when there is no such file, with those there are."""
    given = tuple(word.replace(_MINUS, "-", 1) if word.startswith(_MINUS) else word for word in words or ())
    if given and _names_a_recording(given[0]):
        if given[0] == STANDARD_INPUT:
            return Asked(None, given[1:])
        _refuse_several(given[1:])
        return Asked(_found(Path(given[0]), storage, config), given[1:])
    folder = _folder(storage, config)
    return Asked(_newest(folder, f"there are no recordings in {folder}"), given)


def whole_number(text: str | None, flag: str) -> int | None:
    """The number an option was given; None without it."""
    if text is None:
        return None
    text = text.replace(_MINUS, "-", 1)
    if not text.isascii() or not text.isdigit():
        raise ConfigurationError(f'{flag}: "{text}" is not a whole number')
    return int(text)


def _names_a_recording(word: str) -> bool:
    if word == STANDARD_INPUT or word.lower().endswith(SUFFIXES):
        return True
    return bool(word) and ":" not in word and (os.sep in word or _exists(Path(word)))


def _refuse_several(words: Sequence[str]) -> None:
    """A pattern of the shell gives many files; the parts of one recording are found by themselves."""
    for word in words:
        if ":" not in word and word.lower().endswith(SUFFIXES):
            raise ConfigurationError(
                f"{word} is a second recording; name one, or a folder of which the newest is meant"
            )


def _found(path: Path, storage: str | None, config: str | None) -> Path:
    if not _exists(path):
        raise RecordingError(f"{path}: no such file{_suggestion(_folder(storage, config))}")
    if path.is_dir():
        from mockpacs.traffic.folder import recordings

        inner = path / FOLDER
        folder = inner if not recordings(path) and recordings(inner) else path
        return _newest(folder, f"{path} is a folder without recordings")
    return path


def _exists(path: Path) -> bool:
    """Whether there is such a file; a long filter is too long for the name of one."""
    try:
        return path.exists()
    except OSError:
        return False


def _newest(folder: Path, why_not: str) -> Path:
    """The newest recording, its first part: reading goes on with the others."""
    from mockpacs.traffic.recording.recording import newest

    found = newest(folder)
    if found is None:
        others = sorted((path for path in _files(folder) if path.name.lower().endswith(SUFFIXES)), key=_changed)
        if others:
            return others[-1]
        raise RecordingError(f"{why_not}; name a file, or a folder with --storage")
    return found


def _folder(storage: str | None, config: str | None) -> Path:
    """Where the server with these options records."""
    options = load(config, os.environ, {"storage": storage})
    return options.recordings if options.recordings and storage is None else options.storage / FOLDER


def _suggestion(folder: Path) -> str:
    from mockpacs.traffic.folder import recordings

    names = [str(path) for path in recordings(folder)[-_SUGGESTED:]]
    return f"; the newest recordings are {', '.join(names)}" if names else ""


def _files(folder: Path) -> list[Path]:
    try:
        return [path for path in folder.iterdir() if path.is_file()]
    except OSError:
        return []


def _changed(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
