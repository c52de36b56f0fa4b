"""``mockpacs redact``: a recording that can be given away."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from mockpacs.cli.parameters import Config
from mockpacs.cli.show_words import Storage, asked, whole_number
from mockpacs.errors import ConfigurationError, RecordingError

if TYPE_CHECKING:
    from mockpacs.replay.redact.report import Report
    from mockpacs.replay.redact.rules import Plan

UNREADABLE: Final = 1  # exit status: it was written, and something in it was overwritten because it could not be read
PIXELS: Final = ("fill", "drop", "keep")
_TAG: Final = re.compile(r"\(?([0-9A-Fa-f]{4}),?([0-9A-Fa-f]{4})\)?")
_KEY_LENGTH: Final = 32
_SHOWN: Final = 5

Words = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="REC",
        show_default=False,
        hidden=True,  # typer puts brackets around it
    ),
]


def redact(
    words: Words = None,
    out: Annotated[str | None, typer.Option("-o", "--out", metavar="FILE", help="The recording to write.")] = None,
    key: Annotated[
        str | None,
        typer.Option("--key", metavar="FILE", help="A secret: with it the same becomes the same in all recordings."),
    ] = None,
    seed: Annotated[
        str | None, typer.Option("--seed", metavar="N", help="The same for data that are no secret, from a number.")
    ] = None,
    keep: Annotated[
        list[str] | None,
        typer.Option("--keep", metavar="KEYWORD", show_default=False, help="An attribute that stays; repeatable."),
    ] = None,
    pixels: Annotated[
        str | None,
        typer.Option("--pixels", metavar="|".join(PIXELS), show_default=False, help="Pixel data. [default: fill]"),
    ] = None,
    report: Annotated[
        str | None, typer.Option("--report", metavar="FILE", help="What was changed, as JSON, without any value.")
    ] = None,
    storage: Storage = None,
    config: Config = None,
) -> None:
    """Write a recording without what it says of patients, people and places; it still replays.

    Data sets are rewritten by the basic profile of PS3.15 Annex E, with dates shifted; names, identifiers, AE titles,
    addresses and UIDs are replaced, the same by the same. Text that is drawn into an image cannot be known: pixel data
    are filled with zeros (fill), left out (drop) or kept (keep). Without --key or --seed the key is made for this run
    and forgotten. Look at the result before you give it away.

    REC is a recording of mockpacs or a capture of tcpdump or Wireshark, as for mockpacs show.

    Exit status: 0 all is well, 1 something could not be read and was overwritten, 2 trouble.

    \b
    Examples:
      mockpacs redact incident.pcapng -o shareable.pcapng
      mockpacs redact incident.pcapng -o shareable.pcapng --key site.key --report changes.json
      mockpacs redact incident.pcapng -o shareable.pcapng --keep StudyDescription --pixels drop
    """
    where = asked(words, storage, config)
    if where.words:
        raise ConfigurationError(f"{where.words[0]}: a recording is redacted as a whole, without a filter")
    if not out:
        raise ConfigurationError("name the file to write with -o")
    _refuse_existing(report)
    kept, way = _tags(keep or ()), _pixels(pixels)
    secret = _key(key, seed)
    from mockpacs.cli.progress import Working
    from mockpacs.cli.show_source import opened
    from mockpacs.replay.redact.redaction import redact as write

    with opened(where) as source, Working("redacting") as working:
        done = write(source.recording, Path(out), key=secret, keep=kept, pixels=way, progress=working.step)
    if report:
        _write_report(Path(report), done)
    _tell(done, out, is_forgotten=key is None and seed is None)
    if done.troubles:
        raise typer.Exit(UNREADABLE)


def _key(key: str | None, seed: str | None) -> bytes:
    if key is not None and seed is not None:
        raise ConfigurationError("--key and --seed are two ways to say the same; give one")
    if key is not None:
        from mockpacs.replay.redact.redaction import key_of

        return key_of(Path(key))
    if seed is not None:
        return f"seed {whole_number(seed, '--seed')}".encode()
    return secrets.token_bytes(_KEY_LENGTH)


def _tags(keywords: Sequence[str]) -> frozenset[int]:
    """The tags of keywords, or of tags as they are written."""
    from mockpacs.wire.dictionary import tag_of
    from mockpacs.written.kinds import quoted

    found = set()
    for word in keywords:
        written = _TAG.fullmatch(word)
        tag = int(written[1] + written[2], 16) if written else tag_of(word)
        if tag is None:
            raise ConfigurationError(f"--keep {quoted(word)}: no such attribute; give a keyword of PS3.6, or gggg,eeee")
        found.add(tag)
    return frozenset(found)


def _pixels(word: str | None) -> Plan:
    from mockpacs.replay.redact.rules import Plan

    ways = {"fill": Plan.BLANK, "drop": Plan.REMOVE, "keep": Plan.KEEP}
    if word is not None and word not in ways:
        raise ConfigurationError(f"--pixels: {word} is none of {', '.join(PIXELS)}")
    return ways[word or PIXELS[0]]


def _refuse_existing(report: str | None) -> None:
    if report and Path(report).exists():
        raise ConfigurationError(f"{report} exists; name a file for --report that does not, nothing is overwritten")


def _write_report(path: Path, done: Report) -> None:
    try:
        path.write_text(json.dumps(done.as_json(), indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise RecordingError(f"{path} cannot be written: {error.strerror}; the recording was written") from error


def _tell(done: Report, out: str, *, is_forgotten: bool) -> None:
    from mockpacs.cli.show_records import complain
    from mockpacs.traffic.render import number_of
    from mockpacs.wire.text import printable

    counts = ", ".join(
        (
            number_of(done.connections, "connection"),
            number_of(done.messages, "message"),
            number_of(done.data_sets, "data set"),
        )
    )
    typer.echo(f"{printable(out)}: {counts}; {number_of(done.values, 'value')} changed")
    for name, what, times in done.by_attribute():
        typer.echo(f"  {what:<9} {times:>8}  {printable(name)}")
    for name, times in sorted(done.other.items()):
        typer.echo(f"  replaced  {times:>8}  {name}")
    for trouble in done.troubles[:_SHOWN]:
        complain(trouble)
    if (more := len(done.troubles) - _SHOWN + done.more_troubles) > 0:
        complain(f"{more} more could not be read; --report has them")
    if is_forgotten:
        typer.echo("The key was made for this run and is forgotten; with --key the same becomes the same next time.")
