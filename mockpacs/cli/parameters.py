"""Command line parameters made from the table of options, so that no key is ever missing or differently named."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any, ClassVar

import typer
from typer.core import TyperArgument, TyperCommand

from mockpacs.config import Option, schema
from mockpacs.written.kinds import Many
from mockpacs.written.peer import Peers
from mockpacs.written.words import Choice, Flag, names_files

Config = Annotated[
    str | None,
    typer.Option("--config", metavar="FILE", help="YAML file with any of these options.", show_default=False),
]
METAVARS = {
    "Whole": "N",
    "Size": "BYTES",
    "Seconds": "SECONDS",
    "Host": "HOST",
    "Title": "AET",
    "PeerKind": "AET=HOST:PORT...",
    "UserKind": "USER",
    "Seed": "N|random",
    "Port": "PORT",
    "Secret": "TOKEN",
}
_NO = "no_"
"""Begins the parameters that say the negative of an option that is no flag: ``--no-http``."""


class TextCommand(TyperCommand):
    """A command whose options are handed over as they were written.

    The table of options reads them. Typer would have pydantic read them first, text into text: importing it and making
    33 adapters took 100 ms of a start of 280 ms.
    """

    rest: ClassVar[str] = ""
    """The option that takes words without a dash; without one they are refused."""

    def __init__(self, *given: Any, **more: Any) -> None:
        super().__init__(*given, **more)
        for parameter in self.params:
            if isinstance(parameter, TyperArgument):  # ``NAME <list[str]>``, says its help: all of them are text
                parameter.display_type = lambda *_, **__: ""  # type: ignore[method-assign]

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Split the words into options; refuse what is none of them."""
        given, left, _ = self.make_parser(ctx).parse_args(args=list(args))
        if given.get("help"):
            typer.echo(ctx.get_help())
            ctx.exit()
        if left and self.rest:
            given[self.rest] = [*(given.get(self.rest) or ()), *left]
        elif left:
            ctx.fail(f"unexpected argument: {' '.join(left)}")
        ctx.params = {parameter.name: given.get(parameter.name) for parameter in self.params}
        ctx.args = []
        return []


def as_typed(command: Callable[..., None], own: Mapping[str, Any] | None = None) -> Callable[..., None]:
    """Give a ``command(config, **given)`` one parameter per option. All are text: the table says what they become.

    ``own``: annotations of parameters that only this command has, by name.
    """
    named = {**(own or {}), "config": Config}.items()
    parameters = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)
        for name, annotation in named
    ]
    for option in schema().values():
        parameters.append(_parameter(option))
        if negative_of(option) is not None:
            parameters.append(_negative(option))

    def typed(config: str | None = None, **given: Any) -> None:
        command(config, **_positive(given))

    typed.__name__, typed.__doc__ = command.__name__, command.__doc__
    typed.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    typed.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return typed


def _positive(given: dict[str, Any]) -> dict[str, Any]:
    """``--no-http`` as what it means: a value of ``http``."""
    for option in schema().values():
        if given.pop(_NO + option.name, False):
            if given[option.name] is not None:
                raise typer.BadParameter(f"{option.flag} and --no-{option.flag[2:]} say the opposite of one another")
            given[option.name] = negative_of(option)
    return given


def spread(arguments: Iterable[str]) -> list[str]:
    """Let an option take several files, as shells expand ``*``: ``--preload a b`` is ``--preload a --preload b``.

    So it is with peers, as long as words look like one: behind ``--peer A=h:1 B=h:2 disk-full`` there are two.
    """
    takers = {option.flag: option for option in schema().values() if isinstance(option.kind, Many)}
    spread_out: list[str] = []
    taker = ""
    taken = 0
    for argument in arguments:
        if argument.startswith("-"):
            taker, taken = (argument if argument in takers else ""), 0
        elif taker:
            if taken and not _takes_more(takers[taker], argument):
                taker = ""
            elif taken:
                spread_out.append(taker)
            taken += 1
        spread_out.append(argument)
    return spread_out


def _takes_more(option: Option, argument: str) -> bool:
    """Whether a further word without a dash still belongs to an option."""
    if isinstance(option.kind, Peers):
        return "=" in argument and not argument.endswith((".yaml", ".yml"))  # that is a scenario
    return names_files(option.kind)


def _parameter(option: Option) -> inspect.Parameter:
    annotation, info = _typed(option)
    return inspect.Parameter(
        option.name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[annotation, info]
    )


def negative_of(option: Option) -> object:
    """What ``--no-...`` means for an option that is no flag; None when there is no such thing."""
    return getattr(option.kind, "negative", None)


def _negative(option: Option) -> inspect.Parameter:
    info = typer.Option(f"--no-{option.flag[2:]}", help=f"The same as {option.flag} {negative_of(option)}.")
    annotation = Annotated[bool, info]
    return inspect.Parameter(_NO + option.name, inspect.Parameter.KEYWORD_ONLY, default=False, annotation=annotation)


def _typed(option: Option) -> tuple[Any, Any]:
    shown: dict[str, Any] = {"help": _help(option), "show_default": False}
    if option.name == "verbose":
        return int | None, typer.Option("-v", option.flag, count=True, **shown)
    if isinstance(option.kind, Flag):
        return bool | None, typer.Option(f"{option.flag}/--no-{option.flag.removeprefix('--')}", **shown)
    if isinstance(option.kind, Many):
        return list[str] | None, typer.Option(option.flag, metavar=_metavar(option), **shown)
    return str | None, typer.Option(option.flag, metavar=_metavar(option), **shown)


def _metavar(option: Option) -> str:
    kind = option.kind.one if isinstance(option.kind, Many) else option.kind
    if isinstance(kind, Choice):
        return "|".join(kind.words)
    if names_files(kind):
        return "PATH..." if isinstance(option.kind, Many) else "PATH"
    return METAVARS[type(kind).__name__]


def _help(option: Option) -> str:
    default = "" if option.default in (None, (), "", False, 0) else f" [default: {option.kind.write(option.default)}]"
    return f"{option.about}{default}"
