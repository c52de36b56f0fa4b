"""``mockpacs scenarios``: the scenarios that come with mockpacs, and what they show."""

from __future__ import annotations

import re
from typing import Annotated

import typer

from mockpacs.errors import ConfigurationError
from mockpacs.traffic.render import number_of

Name = Annotated[
    list[str] | None,
    typer.Argument(metavar="NAME", show_default=False, help="Print this one instead of the list."),
]


def scenarios(name: Name = None) -> None:
    """List the scenarios that come with mockpacs: name, number of rules, what they show.

    With a name the file is printed, to be read or to begin one's own with.

    \b
    Examples:
      mockpacs scenarios
      mockpacs scenarios disk-full
      mockpacs scenarios disk-full > mine.yaml
    """
    from mockpacs.scenario.shipped import shipped, unknown

    if name:
        if len(name) > 1:
            raise ConfigurationError(f"one scenario at a time: {name[0]} or {name[1]}?")
        if name[0] not in shipped():
            raise unknown(name[0])
        typer.echo(shipped()[name[0]].read_text(encoding="utf-8"), nl=False)
        return

    from mockpacs.scenario.load import load

    width = max(map(len, shipped()), default=0)
    for one, path in shipped().items():
        script = load([path])
        count, noun = number_of(len(script.rules), "rule").split()
        typer.echo(f"{one:<{width}}  {count:>3} {noun:<5}  {first_sentence(script.abouts[0])}")


def first_sentence(text: str) -> str:
    """The text up to its first full stop, on one line."""
    found = re.match(r".*?[.!?](?=\s|$)", " ".join(text.split()))
    return found[0] if found else " ".join(text.split())
