"""``mockpacs export``: take instances and exchanges out of a recording."""

from __future__ import annotations

import json as json_text
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mockpacs.cli.parameters import Config
from mockpacs.cli.show_words import Asked, Storage, Words, asked
from mockpacs.errors import ConfigurationError

if TYPE_CHECKING:
    from mockpacs.traffic.export import Exported
    from mockpacs.traffic.filter import Filter

FOUND = 1  # exit status: the command worked, and something is missing


def export(
    words: Words = None,
    objects: Annotated[
        str | None, typer.Option("--objects", metavar="DIR", help="Instances as DICOM files, into this folder.")
    ] = None,
    json: Annotated[bool | None, typer.Option("--json", help="Exchanges as DICOM JSON, one per line.")] = None,
    bulk: Annotated[bool | None, typer.Option("--bulk", help="With --json: pixel data and the like too.")] = None,
    storage: Storage = None,
    config: Config = None,
) -> None:
    """Take instances and exchanges out of a recording.

    --objects writes every instance that a C-STORE sent, in either direction, as a DICOM file named by its SOP Instance
    UID: the data set byte for byte, behind the head of PS3.10. Nothing is overwritten: a second one of the same name
    gets -2. What is not whole in the recording is named and skipped; the exit status is then 1.

    --json prints each exchange with command sets and data sets in the DICOM JSON model of PS3.18 F. Values of more than
    1 kB are left out, and their size is told, unless --bulk is given.

    REC and FILTER are those of mockpacs show.

    \b
    Examples:
      mockpacs export --objects images/
      mockpacs export capture.pcap calling:CT* --objects images/
      mockpacs export storage/recordings service:C-FIND --json
    """
    from mockpacs.traffic.filter import Filter

    if not objects and not json:
        raise ConfigurationError("nothing to do; give --objects DIR or --json")
    if bulk and not json:
        raise ConfigurationError("--bulk goes with --json")
    where = asked(words, storage, config)
    wanted = Filter.parse(where.words)
    if json:
        _print_exchanges(where, wanted, bulk=bool(bulk))
    if objects and _write_objects(where, wanted, Path(objects)):
        raise typer.Exit(FOUND)


def _print_exchanges(where: Asked, wanted: Filter, *, bulk: bool) -> None:
    from mockpacs.cli.show_records import complain, there
    from mockpacs.cli.show_source import opened
    from mockpacs.traffic.dump.detail import Wanted
    from mockpacs.traffic.dump.detail_json import exchange_json
    from mockpacs.traffic.exchange import Exchange
    from mockpacs.traffic.recording.detail import read_exchange

    with opened(where) as source:
        for record in there(source, wanted):
            if isinstance(record, Exchange):
                _, messages, pdus = read_exchange(record)
                found = exchange_json(record, messages, pdus, Wanted(datasets=True), bulk=bulk)
                sys.stdout.write(json_text.dumps(found) + "\n")
        for problem in source.recording.problems:
            complain(problem)
    sys.stdout.flush()


def _write_objects(where: Asked, wanted: Filter, folder: Path) -> bool:
    """Write them; whether any was not whole."""
    from mockpacs.cli.progress import Working
    from mockpacs.cli.show_records import complain, there
    from mockpacs.cli.show_source import opened
    from mockpacs.traffic.capture.reader import Reader
    from mockpacs.traffic.export import export_objects, keys_of

    written = skipped = 0
    with opened(where) as source:
        keys = {key for record in there(source, wanted) for key in keys_of(record)} if wanted.text else None
        with Working("exporting") as working, Reader(*source.recording.parts) as reader:
            for one in export_objects(reader.end(), folder, lambda key: keys is None or key in keys):
                working.step()
                written += one.path is not None
                if one.path is None:
                    skipped += 1
                    typer.echo(_skipped(one))
            for problem in reader.problems:
                complain(problem)
    typer.echo(_summary(written, skipped, folder))
    return skipped > 0


def _skipped(one: Exported) -> str:
    from mockpacs.wire.text import printable

    return f"{printable(one.sop_instance, 64) or 'without UID'}: skipped, {printable(one.problem)}"


def _summary(written: int, skipped: int, folder: Path) -> str:
    from mockpacs.traffic.render import number_of
    from mockpacs.wire.text import printable

    return f"{number_of(written, 'instance')} written to {printable(str(folder))}, {skipped} skipped"
