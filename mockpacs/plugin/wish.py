"""What a test asks for: the marker or the keywords of the factory, with the files they name found.

A wrong word is told in a sentence; nothing is started here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest

from mockpacs.config import schema
from mockpacs.errors import ConfigurationError
from mockpacs.written.kinds import nearest, quoted

MARKER: Final = "@pytest.mark.mockpacs"
_OURS: Final = ("strict", "allow")
_READ: Final = ("preload", "tls_cert", "tls_key", "tls_client_ca")
"""Options that name files a test brings with it."""


@dataclass(frozen=True, slots=True)
class Wish:
    """One server as a test wants it."""

    strict: bool = True
    """Whether it is checked at the end."""
    allow: tuple[str, ...] = ()
    """Findings that do not fail the test."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Options of `MockPACS`, scenarios and seed among them."""


def marked(item: pytest.Item) -> tuple[list[Any], dict[str, Any]]:
    """All markers of a test together: the scenarios of the nearest first, its keywords stronger."""
    scenarios: list[Any] = []
    keywords: dict[str, Any] = {}
    for marker in item.iter_markers("mockpacs"):
        scenarios += marker.args
        keywords = {**marker.kwargs, **keywords}
    return scenarios, keywords


def wish(item: pytest.Item, scenarios: Sequence[Any], keywords: Mapping[str, Any], *, said_in: str = MARKER) -> Wish:
    """Read what was said. Raises `ConfigurationError` with a sentence that names ``said_in``."""
    known = [*_OURS, *schema()]
    for word in keywords:
        if word not in known:
            hint = nearest(word, known) or f"; there are {', '.join(known)}"
            raise ConfigurationError(f"{said_in}: there is no option {quoted(word)}{hint}")
    folders = (item.path.parent, item.config.rootpath)
    options = {name: value for name, value in keywords.items() if name not in _OURS}
    for name in _READ:
        if name in options:
            options[name] = _each(options[name], folders)
    said = [*scenarios, *_many(options.pop("scenario", ()))]
    if said:
        options["scenario"] = [_scenario(one, folders, said_in) for one in said]
    _seeded(options, item.config)
    strict = keywords.get("strict", item.config.getini("mockpacs_strict"))
    if not isinstance(strict, bool):
        raise ConfigurationError(f"{said_in}: strict is True or False, not {quoted(strict)}")
    return Wish(strict, (*item.config.getini("mockpacs_allow"), *_many(keywords.get("allow", ()))), options)


def _seeded(options: dict[str, Any], config: pytest.Config) -> None:
    """The command line is the strongest, the ini file the weakest; without any the scenario decides."""
    given = config.getoption("mockpacs_seed")
    weak = config.getini("mockpacs_seed")
    if given is not None:
        options["seed"] = given
    elif weak and options.get("seed") is None:
        options["seed"] = int(weak)


def _scenario(named: Any, folders: Iterable[Path], said_in: str) -> Path:
    """A file beside the test, one in the rootdir, or a shipped one."""
    from mockpacs.scenario.shipped import resolve, shipped

    if not isinstance(named, str | Path):
        raise ConfigurationError(
            f"{said_in}: {quoted(named)} is not a scenario; it is a path, or the name of a shipped one"
        )
    found = _found(named, folders)
    if found is not None:
        return found
    path = Path(named)
    if str(named) in shipped() or (path.name == str(named) and not path.suffix):
        return resolve(named)  # or a sentence with the name that may be meant
    looked = " nor in ".join(dict.fromkeys(str(folder) for folder in folders))
    raise ConfigurationError(f"{said_in}: there is no scenario {quoted(str(named))} in {looked}")


def _found(named: str | Path, folders: Iterable[Path]) -> Path | None:
    return next((folder / named for folder in folders if (folder / named).is_file()), None)


def _each(value: Any, folders: Sequence[Path]) -> Any:
    """Paths that are there beside the test or in the rootdir as these, all else as it is."""
    if isinstance(value, list | tuple):
        return [_each(one, folders) for one in value]
    if not isinstance(value, str | Path):
        return value
    return next((folder / value for folder in folders if (folder / value).exists()), value)


def _many(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list | tuple | set) else (value,)  # type: ignore[return-value]
