"""Defaults < YAML file < scenarios < environment < command line, merged into `Options`; all errors come at once."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping
from copy import copy
from pathlib import Path
from typing import Any, NamedTuple

from mockpacs.config.options import InvalidOptionsError, Option, Options, schema
from mockpacs.errors import ConfigurationError
from mockpacs.written.kinds import Kind, Many, Refused, nearest, quoted
from mockpacs.written.words import FilePath

PREFIX = "MOCKPACS_"
# Variables with the prefix that are no options: the file's own name, and the switch of the test suite.
NOT_OPTIONS = frozenset({"MOCKPACS_CONFIG", "MOCKPACS_REQUIRE_TOOLS"})

NOT_IN_SCENARIOS = frozenset({"scenario", "seed", "expect", "peer", "http", "http_host", "http_token"})
"""Options that say which scenarios are played and how; who may steer, and who is sent what is stored: a scenario can
come from anywhere."""


class Raw(NamedTuple):
    """A value as a source has it. ``option`` is None when there is no such key; ``problem`` then says so."""

    place: str
    option: Option | None
    value: object
    problem: str = ""


def load(
    config_file: Path | str | None = None,
    environ: Mapping[str, str] | None = None,
    command_line: Mapping[str, Any] | None = None,
) -> Options:
    """The options of one run. ``command_line`` has option names as keys; None stands for "not given".

    Raises `ConfigurationError`, one line per problem, each with its file:line:column, variable or option.
    """
    environ = environ or {}
    file = config_file or environ.get("MOCKPACS_CONFIG") or None
    from_file = list(_from_file(Path(file))) if file else []
    stronger = [*_from_environment(environ), *_from_command_line(command_line or {})]
    values, places = _read([*from_file, *stronger])
    if values.get("scenario"):
        values, places = _read([*from_file, *_from_scenarios(values["scenario"]), *stronger])
    try:
        return Options(**values)  # type: ignore[arg-type]
    except InvalidOptionsError as error:
        told = (f"{places.get(name, name)}: {text}" for name, text in error.problems)
        raise ConfigurationError("\n".join(told)) from error


def _read(sources: Iterable[Raw]) -> tuple[dict[str, object], dict[str, str]]:
    """The values and their places, the later ones stronger."""
    values: dict[str, object] = {}
    places: dict[str, str] = {}
    problems: list[str] = []
    for raw in sources:
        if raw.option is None:
            problems.append(f"{raw.place}: {raw.problem}")
            continue
        try:
            values[raw.option.name] = raw.option.kind.read(raw.value)
            places[raw.option.name] = raw.place
        except Refused as no:
            problems += [f"{getattr(part, 'place', raw.place)}: {text}" for part, text in no.problems]
    if problems:
        raise ConfigurationError("\n".join(problems))
    return values, places


def _from_scenarios(paths: object) -> Iterator[Raw]:
    """What scenarios say under ``server``: stronger than the file, which is about the place and not about the play."""
    from mockpacs.scenario.load import load as load_script
    from mockpacs.scenario.shipped import resolve

    assert isinstance(paths, tuple)
    for key, (value, folder) in load_script([resolve(path) for path in paths]).server.items():
        if key in NOT_IN_SCENARIOS:
            yield Raw(getattr(key, "place", str(folder)), None, value, f"{key} is not for a scenario to say")
        else:
            yield from _from_mapping(key, value, folder)


def _from_file(path: Path) -> Iterator[Raw]:
    from mockpacs.written.yaml_file import read_mapping  # PyYAML costs 25 ms, most starts have no file

    for key, value in read_mapping(path).items():
        yield from _from_mapping(key, value, path.parent)


def _from_mapping(key: str, value: Any, folder: Path) -> Iterator[Raw]:
    """One key of a file; paths are meant from its folder."""
    place = getattr(key, "place", str(folder))
    option = schema().get(key)
    if option is None:
        hint = nearest(key, schema()) or f"; the keys are {', '.join(schema())}"
        yield Raw(place, None, value, f"unknown key {quoted(str(key))}{hint}")
    elif value is not None:
        yield Raw(place, option, _anchored(value, folder, option.kind))


def _anchored(value: Any, folder: Path, kind: Kind) -> Any:
    """Paths in a file are meant from the file's own folder, wherever the program was started."""
    from mockpacs.written.yaml_file import Items, Mapping, Text

    one = kind.one if isinstance(kind, Many) else kind
    if isinstance(value, Items):
        items = Items(value.place)
        items.extend(_anchored(item, folder, one) for item in value)
        return items
    if isinstance(value, Mapping):
        return _mapping_anchored(value, folder, getattr(one, "paths", ()))
    is_path = isinstance(value, Text) and isinstance(one, FilePath) and not one.is_name(value)
    if is_path and value.strip() and not value.startswith("~"):
        return Text(str(folder / value), value.place)
    return value


def _mapping_anchored(value: Any, folder: Path, paths: Container[str]) -> Any:
    """A mapping some of whose keys are paths."""
    anchored = copy(value)
    for key, part in value.items():
        if key in paths:
            anchored[key] = _anchored(part, folder, FilePath())
    return anchored


def _from_environment(environ: Mapping[str, str]) -> Iterator[Raw]:
    by_variable = {option.variable: option for option in schema().values()}
    for variable, text in sorted(environ.items()):
        if not variable.startswith(PREFIX) or variable in NOT_OPTIONS:
            continue
        place = f"environment variable {variable}"
        option = by_variable.get(variable)
        if option is None:
            near = nearest(variable.removeprefix(PREFIX), schema())
            yield Raw(place, None, text, f"no such option{near}")
        elif text.startswith("[") and isinstance(option.kind, Many):
            yield _flow_list(place, option, text)
        elif isinstance(option.kind, Many):
            yield Raw(place, option, [item.strip() for item in text.split(",") if item.strip()])
        elif text.strip():  # an empty variable is one that is not set
            yield Raw(place, option, text)


def _flow_list(place: str, option: Option, text: str) -> Raw:
    """``[a, "b,c", {name: d}]``: a list with commas or mappings in its items, written as YAML."""
    from mockpacs.written.yaml_file import parse

    try:
        return Raw(place, option, parse(text, place))
    except ConfigurationError as error:
        return Raw(place, None, text, str(error).removeprefix(place).lstrip(":"))


def _from_command_line(command_line: Mapping[str, Any]) -> Iterator[Raw]:
    for name, value in command_line.items():
        option = schema().get(name)
        if option is None:
            yield Raw(name, None, value, f"no such option{nearest(name, schema())}")
        elif value is not None:
            yield Raw(option.flag, option, value)
