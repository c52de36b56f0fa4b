"""``mockpacs diff``: what is not the same in two recordings, exchange by exchange."""

from __future__ import annotations

import json as json_text
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from mockpacs.cli.parameters import Config
from mockpacs.cli.show_words import STANDARD_INPUT, SUFFIXES, Asked, Storage, asked
from mockpacs.errors import ConfigurationError
from mockpacs.wire.text import printable

if TYPE_CHECKING:
    from mockpacs.replay.diff.ignore import Ignored

DIFFERENT = 1  # exit status, as diff(1) has it

Words = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="A] [B] [FILTER",
        show_default=False,
        hidden=True,  # typer puts brackets around it
    ),
]


def diff(
    words: Words = None,
    ignore: Annotated[
        list[str] | None,
        typer.Option(
            "--ignore",
            metavar="KEYWORD",
            show_default=False,
            help="An attribute (a keyword or a tag), or a word such as order or max-pdu; may be repeated.",
        ),
    ] = None,
    no_default_ignore: Annotated[
        bool | None, typer.Option("--no-default-ignore", help="Look also at what is left out by default.")
    ] = None,
    data: Annotated[
        bool | None, typer.Option("--data/--no-data", help="Compare data sets. [default: data]", show_default=False)
    ] = None,
    times: Annotated[bool | None, typer.Option("--times", help="Tell what took twice as long and 100 ms more.")] = None,
    json: Annotated[bool | None, typer.Option("--json", help="One JSON object per line.")] = None,
    verbose: Annotated[
        int | None, typer.Option("-v", "--verbose", count=True, help="All differences, and renamed UIDs.")
    ] = None,
    color: Annotated[
        str | None,
        typer.Option("--color", metavar="auto|always|never", show_default=False, help="Colours. [default: auto]"),
    ] = None,
    storage: Storage = None,
    config: Config = None,
) -> None:
    """Compare two recordings: mockpacs diff A B [FILTER].

    A and B are recordings of mockpacs or captures of tcpdump or Wireshark, or folders of them (the newest is taken).
    Associations are paired by their AE titles and what was asked on them, exchanges by service, SOP class, instance
    and keys. Message IDs, implementation names, addresses and group lengths are left out, and UIDs may have another
    value in B, if it is the same one everywhere. FILTER chooses exchanges as it does for mockpacs show.

    Exit status: 0 no difference, 1 some, 2 trouble.

    \b
    Examples:
      mockpacs diff monday.pcapng tuesday.pcapng
      mockpacs diff before.pcapng after.pcapng service:C-FIND --ignore StationName --ignore order
      mockpacs diff a.pcapng b.pcapng --no-data --json
    """
    from mockpacs.replay.diff.ignore import Ignored

    first, second = _recordings(words, storage, config)
    ignored = Ignored.parse(ignore or (), defaults=not no_default_ignore)
    comparing = _Comparing(ignored, data is not False, bool(times))
    if not _tell(first, second, comparing, color, as_json=bool(json), details=bool(verbose)):
        raise typer.Exit(DIFFERENT)


class _Comparing(NamedTuple):
    """What is compared, and how."""

    ignored: Ignored
    with_data: bool
    with_times: bool


def _recordings(words: list[str] | None, storage: str | None, config: str | None) -> tuple[Asked, Asked]:
    """The two recordings, the first with the filter."""
    given = list(words or ())
    if len(given) < 2:
        raise ConfigurationError(
            "name two recordings: mockpacs diff monday.pcapng tuesday.pcapng; "
            "`mockpacs show` looks at one, `mockpacs diff --help` tells more"
        )
    for word in given[2:]:
        if ":" not in word and word.lower().endswith(SUFFIXES):
            raise ConfigurationError(f"{printable(word)} is a third recording; two are compared")
    _refuse_no_file(given[:2])
    return asked([given[0], *given[2:]], storage, config), asked([given[1]], storage, config)


def _refuse_no_file(words: Sequence[str]) -> None:
    for word in words:
        if word == STANDARD_INPUT:
            raise ConfigurationError("two recordings are compared, and each must be a file: - is for mockpacs show")
        if not word.lower().endswith(SUFFIXES) and not _exists(word):
            raise ConfigurationError(f"{printable(word, 200)}: no such file; name two recordings, then a filter")


def _exists(word: str) -> bool:
    try:
        return Path(word).exists()
    except OSError:  # a filter may be too long for the name of a file
        return False


def _tell(
    first: Asked, second: Asked, comparing: _Comparing, color: str | None, *, as_json: bool, details: bool
) -> bool:
    """Print what is not the same; whether nothing was."""
    from mockpacs.cli.show_output import Output
    from mockpacs.cli.show_records import complain
    from mockpacs.replay.diff import report
    from mockpacs.replay.diff.compare import compare
    from mockpacs.replay.tape import Tape
    from mockpacs.traffic.filter import Filter

    output, wanted = Output(color), Filter.parse(first.words)
    chosen = wanted if wanted.text else None
    assert first.path is not None
    assert second.path is not None
    with Tape.open(first.path, filter=chosen) as left, Tape.open(second.path, filter=chosen) as right:
        found = compare(
            left, right, ignored=comparing.ignored, with_data=comparing.with_data, with_times=comparing.with_times
        )
    for where, tape in ((first, left), (second, right)):
        for problem in tape.problems:
            complain(problem)
        if wanted.text and not tape.associations:
            complain(f'nothing in {where.name} matches "{wanted.text}"')
    for remark in found.remarks:
        complain(remark)
    if as_json:
        for one in report.as_json(found):
            output.text(json_text.dumps(one))
    else:
        for line in report.lines(found, _names(first.path, second.path), details=details):
            output.line(line)
    output.flush()
    return found.is_same


def _names(one: Path, other: Path) -> tuple[str, str]:
    """The names of the files, with their folders where those tell them apart."""
    is_short = one.name != other.name
    return printable(one.name if is_short else str(one)), printable(other.name if is_short else str(other))
