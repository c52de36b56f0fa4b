"""``mockpacs archive``: fill, look at, check, empty and rebuild the archive without a network."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from mockpacs.cli.listing import as_json_lines, as_table, as_text
from mockpacs.cli.parameters import Config
from mockpacs.cli.progress import Working
from mockpacs.config import load
from mockpacs.config.archive import archive_options
from mockpacs.errors import ConfigurationError
from mockpacs.traffic.render import number_of

if TYPE_CHECKING:
    from mockpacs.archive import Archive

FOUND = 1  # exit status: the command worked, and there is something to look at

archive = typer.Typer(name="archive", rich_markup_mode=None)

Storage = Annotated[
    str | None,
    typer.Option("--storage", metavar="PATH", show_default=False, help="Folder of the archive. [default: storage]"),
]


@archive.callback(invoke_without_command=True)
def explain(context: typer.Context) -> None:
    """Fill, look at, check, empty and rebuild the archive without a network.

    Exit status: 0 all is well, 1 something was found, or could not be added or deleted, 2 trouble.

    Example: mockpacs archive add images/
    """
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@archive.command()
def add(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH", show_default=False, help="DICOM files or folders.")],
    storage: Storage = None,
    config: Config = None,
) -> None:
    """Add DICOM files, and folders with everything in them.

    What is not DICOM is named and skipped; the exit status is then 1.

    Example: mockpacs archive add images/ more/ct.dcm
    """
    added = stored_before = refused = 0
    with Working("adding") as working, _open(storage, config, working) as opened:
        for path in paths:
            for one in opened.take(path):
                working.step()
                is_new = one.stored is not None and one.stored.changed
                added += is_new
                refused += bool(one.problem)
                stored_before += not is_new and not one.problem
                if remark := one.problem or (one.stored.comment if one.stored else ""):
                    typer.echo(f"{_shown(one.path)}: {_shown(remark)}")
        total = opened.counts().instances
    holds = f"{number_of(total, 'instance')} in the archive"
    typer.echo(f"{added} added, {stored_before} stored before, {refused} refused; {holds}")
    _leave(found=refused > 0)


@archive.command("list")
def list_(
    level: Annotated[
        Literal["patient", "study", "series", "instance"],
        typer.Option("--level", show_default=False, help="What to list. [default: study]"),
    ] = "study",
    json: Annotated[bool, typer.Option("--json", help="One JSON object per line.")] = False,
    storage: Storage = None,
    config: Config = None,
) -> None:
    """List what is stored: a table on a terminal, otherwise lines with tabs. Works while a server runs.

    Example: mockpacs archive list --level series --json
    """
    with _open(storage, config, read_only=True) as opened:
        if json:
            as_json_lines(opened, level)
        elif sys.stdout.isatty():
            as_table(opened, level)
        else:
            as_text(opened, level)


@archive.command()
def delete(
    study: Annotated[
        str, typer.Option("--study", metavar="UID", show_default=False, help="The study of this Study Instance UID.")
    ] = "",
    series: Annotated[
        str, typer.Option("--series", metavar="UID", show_default=False, help="The series of this Series Instance UID.")
    ] = "",
    instance: Annotated[
        str,
        typer.Option("--instance", metavar="UID", show_default=False, help="The instance of this SOP Instance UID."),
    ] = "",
    all_: Annotated[bool, typer.Option("--all", help="Everything.")] = False,
    storage: Storage = None,
    config: Config = None,
) -> None:
    """Delete a study, a series, an instance, or everything: rows and files, without asking again.

    Series, studies and patients that are empty then go too. When nothing is stored under the UID the exit status is 1.

    Example: mockpacs archive delete --study 1.2.826.0.1.3680043.8.498.1
    """
    if bool(study) + bool(series) + bool(instance) + all_ != 1:
        raise typer.BadParameter("say what to delete: one of --study, --series, --instance, --all")
    with _open(storage, config, must_exist=True) as opened:
        deleted = opened.clear() if all_ else opened.delete(study=study, series=series, sop_instance=instance)
        total = opened.counts().instances
    typer.echo(f"{number_of(deleted, 'instance')} deleted; {number_of(total, 'instance')} in the archive")
    _leave(found=not deleted and not all_)


@archive.command()
def verify(storage: Storage = None, config: Config = None) -> None:
    """Compare files and index both ways. Changes nothing; works while a server runs.

    Each disagreement is one line, and the exit status is then 1.

    Example: mockpacs archive verify --storage data/
    """
    findings = 0
    with Working("comparing") as working, _open(storage, config, working, read_only=True) as opened:
        for finding in opened.verify(working.progress):
            findings += 1
            typer.echo(f"{finding.kind:<18} {_shown(finding.path)}: {finding.text}")
        total = opened.counts().instances
    typer.echo(f"{number_of(total, 'instance')} in the index, {number_of(findings, 'finding')}")
    _leave(found=findings > 0)


@archive.command()
def reindex(storage: Storage = None, config: Config = None) -> None:
    """Make the index again from the files, which are the truth.

    Files that are no instances are named and left alone; the exit status is then 1.

    Example: mockpacs archive reindex --storage data/
    """
    with Working("reading") as working, _open(storage, config, working) as opened:
        done = opened.reindex(working.progress)
        for path in done.strange_files:
            typer.echo(f"{_shown(path)}: not an instance, left alone")
    typer.echo(f"{number_of(done.instances, 'instance')} in the index")
    _leave(found=bool(done.strange_files))


def _open(
    storage: str | None,
    config: str | None,
    working: Working | None = None,
    *,
    read_only: bool = False,
    must_exist: bool = False,
) -> Archive:
    """The archive the options name, in the same order of precedence as for ``serve``; repairs are told."""
    options = load(config, os.environ, {"storage": storage})
    if options.memory and storage is None:
        raise ConfigurationError("memory is set: there is no archive on disk; name one with --storage")
    if (read_only or must_exist) and not options.storage.is_dir():
        raise ConfigurationError(f"{options.storage} is not a folder; name the archive with --storage")

    from mockpacs.archive import Archive

    progress = working.progress if working else None
    opened = Archive.open(options.storage, options=archive_options(options), progress=progress, read_only=read_only)
    if repaired := str(opened.recovery):
        typer.echo(repaired, err=True)
    return opened


def _shown(path: Path | str) -> str:
    """A path without anything that could move a cursor."""
    from mockpacs.wire.text import printable

    return printable(str(path))


def _leave(*, found: bool) -> None:
    raise typer.Exit(FOUND if found else 0)
