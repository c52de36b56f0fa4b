"""``mockpacs check``: read scenarios as a server would, and say all that is wrong with them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mockpacs.config import load as load_options
from mockpacs.config import schema as schema_of_options
from mockpacs.errors import ConfigurationError, ScenarioError
from mockpacs.traffic.render import number_of
from mockpacs.wire.text import printable
from mockpacs.written.kinds import Refused, nearest, quoted

if TYPE_CHECKING:
    from mockpacs.scenario.script import Script
    from mockpacs.written.yaml_file import Node

_NOT_HERE = {
    "scenario": "a scenario cannot name others: they go where the server is started",
    "expect": "expect is a key of the scenario itself: write it beside server",
    "seed": "seed is a key of the scenario itself: write it beside server",
}
"""Options that are none of a scenario."""

Files = Annotated[
    list[str] | None,
    typer.Argument(metavar="FILE...", show_default=False, help="Scenarios: files, or names of shipped ones."),
]


def check(
    files: Files = None,
    schema: Annotated[
        bool | None, typer.Option("--schema", help="The JSON Schema of the language, and no check.")
    ] = None,
) -> None:
    """Check scenarios: each on its own, everything that is wrong in all of them, with file:line:column.

    Names of shipped scenarios are taken as well as files; `mockpacs scenarios` lists them. What is allowed and may not
    be meant is noted. The JSON Schema lets an editor complete keys and statuses.

    Exit status: 0 all is well, 2 something is wrong.

    \b
    Examples:
      mockpacs check flaky.yaml
      mockpacs check scenarios/*.yaml
      mockpacs check --schema > mockpacs.schema.json
    """
    if schema:
        if files:
            raise ConfigurationError("--schema prints the schema and checks nothing: name no files")
        from mockpacs.scenario.schema import FILE

        typer.echo(FILE.read_text(encoding="utf-8"), nl=False)
        return
    if not files:
        raise ConfigurationError("name what to check: files, or shipped scenarios (`mockpacs scenarios` lists them)")
    problems: list[str] = []
    for file in files:
        try:
            path, script = _checked(file)
        except ConfigurationError as error:
            problems += str(error).splitlines()
            continue
        for remark in script.remarks:
            typer.echo(printable(remark))
        name = printable(script.names[0])
        typer.echo(f"ok  {printable(str(path))}  {name}  {number_of(len(script.rules), 'rule')}")
    if problems:
        raise ScenarioError("\n".join(problems))


def _checked(file: str) -> tuple[Path, Script]:
    """The script of a file. Raises `ConfigurationError`."""
    from mockpacs.scenario.load import load
    from mockpacs.scenario.shipped import resolve

    path = resolve(file)
    script = load([path], check=_of_option)
    if script.server:
        load_options(None, {}, {"scenario": [path]})  # options that are right alone and not together
    return path, script


def _of_option(name: str, node: Node) -> Iterator[tuple[object, str]]:
    """What is wrong with one option under ``server``."""
    option = schema_of_options().get(name)
    if option is None:
        near = nearest(name, schema_of_options())
        yield (
            name,
            f"unknown option {quoted(str(name))} of the server{near or '; docs/configuration.md has all of them'}",
        )
    elif name in _NOT_HERE:
        yield name, _NOT_HERE[name]
    elif node is not None:
        try:
            option.kind.read(node)
        except Refused as no:
            yield from no.problems
