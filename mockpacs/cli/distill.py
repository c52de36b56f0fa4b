"""``mockpacs distill``: a folder made of an incident, with a test in which it happens again."""

from __future__ import annotations

import contextlib
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from mockpacs.cli.parameters import Config
from mockpacs.cli.show_words import Asked, Storage, Words, asked
from mockpacs.errors import ConfigurationError

if TYPE_CHECKING:
    from mockpacs.replay.distill.distilling import Distilled
    from mockpacs.traffic.filter import Filter

INCOMPLETE: Final = 1  # exit status: the folder was made, and something of the recording is not in it
_KEY_LENGTH: Final = 32
_SHOWN: Final = 10


def distill(
    words: Words = None,
    output: Annotated[
        str | None,
        typer.Option("-o", "--output", metavar="DIR", show_default=False, help="The folder; it is made, or empty."),
    ] = None,
    redact: Annotated[
        bool | None, typer.Option("--redact", help="Without patients, people and places, as mockpacs redact does it.")
    ] = None,
    key: Annotated[
        str | None,
        typer.Option(
            "--key", metavar="FILE", show_default=False, help="A secret for --redact: the same becomes the same again."
        ),
    ] = None,
    check: Annotated[
        bool | None,
        typer.Option("--check/--no-check", show_default=False, help="Play it once. [default: check]"),
    ] = None,
    storage: Storage = None,
    config: Config = None,
) -> None:
    """Make a folder of an incident: a scenario, the instances, what was said, and a test that fails the same way.

    scenario.yaml with answers/ is the recorded server, incident.pcapng holds the recorded client, objects/ the
    instances that either sent, by the SHA-256 of the file; exchanges.yaml is the dialogue for people; test_DIR.py is
    a test for pytest, in which the client meets the server and gets what it got.

    REC and FILTER are those of mockpacs show; an association of which the filter wants something is taken as a whole,
    with the associations of its C-MOVEs.

    Exit status: 0 all happens again, 1 something does not or is missing, 2 trouble.

    \b
    Examples:
      mockpacs distill incident.pcapng -o incident/
      mockpacs distill storage/recordings status:failure calling:CT* -o tests/ct-refused/
      mockpacs distill capture.pcap 3 -o incident/ --redact --key site.key
    """
    from mockpacs.traffic.filter import Filter

    if not output:
        raise ConfigurationError("name the folder to make with -o")
    if key is not None and not redact:
        raise ConfigurationError("--key goes with --redact")
    where = asked(words, storage, config)
    wanted = Filter.parse(where.words)
    made = _make(where, wanted, Path(output), _key(key) if redact else None, is_tried=check is not False)
    _tell(made, output)
    if not made.is_complete:
        raise typer.Exit(INCOMPLETE)


def _make(where: Asked, wanted: Filter, folder: Path, key: bytes | None, *, is_tried: bool) -> Distilled:
    from mockpacs.cli.distill_trial import attempt
    from mockpacs.cli.progress import Working
    from mockpacs.cli.show_source import opened
    from mockpacs.replay.distill.distilling import distill as make
    from mockpacs.replay.tape import Tape

    with contextlib.ExitStack() as stack:
        recording = stack.enter_context(opened(where)).recording
        working = stack.enter_context(Working("distilling"))
        tape = stack.enter_context(Tape.open(recording.parts[0], filter=wanted if where.words else None))
        working.step()
        return make(tape, folder, key=key, attempt=attempt if is_tried else None)


def _key(key: str | None) -> bytes:
    if key is None:
        return secrets.token_bytes(_KEY_LENGTH)
    from mockpacs.replay.redact.redaction import key_of

    return key_of(Path(key))


def _tell(made: Distilled, output: str) -> None:
    from mockpacs.traffic.render import number_of
    from mockpacs.wire.text import printable

    counts = ", ".join(
        (
            number_of(made.associations, "association"),
            number_of(made.exchanges, "exchange"),
            number_of(made.instances, "instance"),
        )
    )
    typer.echo(f"{printable(output)}: {counts}")
    if made.redacted is not None:
        typer.echo(f"redacted: {number_of(made.redacted, 'value')} changed; what is drawn into images was filled")
    if made.trial is not None:
        _tell_trial(made)
    for note in made.notes[:_SHOWN]:
        typer.echo(f"mockpacs: {printable(note)}", err=True)
    if len(made.notes) > _SHOWN:
        typer.echo(f"mockpacs: and {len(made.notes) - _SHOWN} more", err=True)
    if made.test:
        typer.echo(f"pytest {printable(str(Path(output) / made.test))}")


def _tell_trial(made: Distilled) -> None:
    from mockpacs.wire.text import printable

    assert made.trial is not None
    if not made.trial.differences:
        how = "" if made.trial.fidelity == "dimse" else f", {made.trial.fidelity} for {made.trial.fidelity}"
        typer.echo(f"played once{how}: all as recorded")
        return
    typer.echo("played once: not all was as recorded")
    for text in made.trial.differences:
        typer.echo(f"  {printable(text, 200)}")
