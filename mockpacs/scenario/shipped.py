"""The scenarios that come with mockpacs, each by the name of its file."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Final

from mockpacs.errors import ScenarioError
from mockpacs.written.kinds import quoted

SUFFIXES: Final = (".yaml", ".yml")


def folder() -> Path:
    """Where they are: inside the package when it is installed, beside it in a checkout."""
    package = Path(__file__).parent.parent
    installed = package / "_scenarios"
    return installed if installed.is_dir() else package.parent / "scenarios"


@cache
def shipped() -> Mapping[str, Path]:
    """Their files by name, in alphabetical order."""
    return dict(sorted((path.stem, path) for path in folder().glob("*.yaml")))


def resolve(name: Path | str) -> Path:
    """The file of a shipped scenario, or the path as it is.

    What has a folder or a suffix in it is a path, and may lead nowhere. Raises `ScenarioError` on a name that is none.
    """
    text = str(name)
    if text in shipped():
        return shipped()[text]
    path = Path(name)
    if path.name != text or text.endswith(SUFFIXES):
        if path.stem in shipped() and path.name == text and not _exists(path):
            raise ScenarioError(f"{text}: there is no such file here; the shipped scenario is called {path.stem}.")
        return path
    if _exists(path):
        return path
    raise unknown(text)


def unknown(name: str) -> ScenarioError:
    """The error about a name that is none, with one that may be meant."""
    from mockpacs.scenario.values import meant  # pydantic costs 100 ms

    near = meant(name, shipped())
    hint = f'Did you mean "{near}"?' if near else "`mockpacs scenarios` lists those there are; a file has a suffix."
    return ScenarioError(f"unknown scenario {quoted(name)}. {hint}")


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):
        return False
