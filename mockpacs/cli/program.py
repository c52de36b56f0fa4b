"""The program: its commands, and the one boundary at which an error becomes a sentence and an exit status."""

from __future__ import annotations

import os
import re
import sys
from typing import Annotated, Any, Final, NoReturn

import typer

from mockpacs import __version__
from mockpacs.cli.archive import archive
from mockpacs.cli.check import check
from mockpacs.cli.diff import diff
from mockpacs.cli.distill import distill
from mockpacs.cli.explain import explain
from mockpacs.cli.export import export
from mockpacs.cli.parameters import TextCommand, as_typed, spread
from mockpacs.cli.proxy import ProxyCommand, proxy
from mockpacs.cli.redact import redact
from mockpacs.cli.replay import replay
from mockpacs.cli.scenarios import scenarios
from mockpacs.cli.serve import ServeCommand, serve
from mockpacs.cli.show import show
from mockpacs.cli.show_words import FilterCommand
from mockpacs.errors import MockpacsError

_PLACED: Final = re.compile(r"\S.*?:\d+:\d+: ")
"""A complaint that begins with file:line:column is left as it is: editors jump to such places."""
TROUBLE = 2  # exit status; 1 is for findings of a command that looks for some

# Rich would cost 80 ms of every start for frames around the help; it is only used where a progress or a table is drawn.
program = typer.Typer(
    name="mockpacs",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"mockpacs {__version__}")
        raise typer.Exit


def _show_help(context: typer.Context, wanted: bool) -> None:
    if wanted:
        typer.echo(context.get_help())
        raise typer.Exit


# Typer's own --help would be read by pydantic, see `parameters.TextCommand`; a flag with a default is not.
@program.callback(invoke_without_command=True, add_help_option=False)
def mockpacs(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
    help_: Annotated[
        bool, typer.Option("--help", "-h", callback=_show_help, is_eager=True, help="Show this message and exit.")
    ] = False,
) -> None:
    """A DICOM server for tests and debugging. NOT FOR CLINICAL USE.

    Example: mockpacs serve --memory --port 11112
    """
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


program.command(cls=ServeCommand)(as_typed(serve))
program.command(cls=TextCommand)(check)
program.command(cls=TextCommand)(scenarios)
program.command(cls=TextCommand)(explain)
program.command(cls=FilterCommand)(show)
program.command(cls=FilterCommand)(export)
program.command(cls=ProxyCommand)(proxy)
program.command(cls=FilterCommand)(diff)
program.command(cls=FilterCommand)(redact)
program.command(cls=FilterCommand)(distill)
program.add_typer(archive)
program.add_typer(replay)


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run the program and leave with its exit status: 0 good, 1 something was found, 2 trouble."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # a terminal in Latin-1 must not end a server
    try:
        program(args=spread(sys.argv[1:] if arguments is None else arguments), prog_name="mockpacs")
    except MockpacsError as error:
        _complain(str(error))
    except BrokenPipeError:
        _leave_quietly()
    except Exception as error:  # noqa: BLE001  the last boundary: a user sees a sentence, never a traceback
        _complain(f"unexpected {type(error).__name__}{_origin(error)}: {error}. This is a defect of mockpacs.")
    sys.exit(TROUBLE)


def _complain(text: str) -> None:
    for line in text.splitlines() or [""]:
        typer.echo(line if _PLACED.match(line) else f"mockpacs: {line}", err=True)


def _leave_quietly() -> None:
    """The reader of our output is gone; the flush at exit must not complain about that either."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _origin(error: Any) -> str:
    """`` in file.py, line 12``: where an exception came from, which is what a report of it needs."""
    traceback = error.__traceback__
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    if traceback is None:
        return ""
    return f" in {os.path.basename(traceback.tb_frame.f_code.co_filename)}, line {traceback.tb_lineno}"  # noqa: PTH119
