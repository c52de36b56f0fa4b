"""Rules that stand in no file: made in Python, or sent as a text. They are read and checked as a file is.

A rule, a list of rules, or a whole scenario. Whatever is wrong is told at once, each with its place.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from pathlib import Path
from typing import Any, Final

from mockpacs.errors import ConfigurationError, ScenarioError
from mockpacs.scenario.complaint import complaint, error_of
from mockpacs.scenario.draft import Draft
from mockpacs.scenario.lint import lint
from mockpacs.scenario.load import TAGS, merged, unreadable
from mockpacs.scenario.model import VERSION, Scenario
from mockpacs.scenario.rule import Rule
from mockpacs.scenario.script import Script
from mockpacs.scenario.tree import Tree
from mockpacs.written.kinds import quoted
from mockpacs.written.yaml_file import Items, Mapping, Text, nodes_of, parse

_WHOLE: Final = frozenset(Scenario.model_fields) - frozenset(Rule.model_fields)
"""Keys that only a whole scenario has."""
_HALVES: Final = re.compile(r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}")


def rules_of(
    value: Any,
    *,
    place: str,
    folder: Path | None = None,
    calls: Collection[str] | None = None,
    known: Script | None = None,
    seed: int | None = None,
) -> Script:
    """The script of a rule, a list of rules or a whole scenario that was made in Python, at ``place`` (``test.py:12``).

    Paths in it are meant from ``folder``. ``calls``: the functions that a rule may call; None when it may call none.
    ``known``: what the rules are added to, whose states and sets of answers they may name; a whole scenario has its
    own. Rules without a name stay without one. Raises `ScenarioError`.
    """
    try:
        node = nodes_of(value, place)
    except ConfigurationError as error:
        raise ScenarioError(str(error)) from error
    return _script(node, place, (folder or Path()) / Path(place).name, calls, known, seed)


def parse_rules(
    text: str,
    name: str,
    *,
    calls: Collection[str] | None = None,
    known: Script | None = None,
    seed: int | None = None,
) -> Script:
    """The same of a text in YAML or JSON; ``name`` stands for the path of its file."""
    path = Path(name)
    try:
        node = parse(_paired(text), name, TAGS)
    except ConfigurationError as error:
        raise error_of([unreadable(0, path, str(error))]) from error
    return _script(node, f"{name}:1:1", path, calls, known, seed)


def _script(
    node: Any, place: str, path: Path, calls: Collection[str] | None, known: Script | None, seed: int | None
) -> Script:
    is_whole = isinstance(node, Mapping) and not _WHOLE.isdisjoint(node)
    rest = node if is_whole else {Text("rules", place): _listed(node, place)}
    root = Mapping(node.place if is_whole else place)
    if "mockpacs" not in rest:
        root[Text("mockpacs", place)] = Text(str(VERSION), place)
    root.update(rest)
    draft = Draft.of(Tree(root, path))
    wrong = [*draft.complaints, *lint([draft], calls, None if is_whole else known)]
    if wrong:
        raise error_of(wrong)
    return merged([draft], seed, is_named=False)


def _listed(node: Any, place: str) -> Items:
    """The rules of a rule or a list of them."""
    if isinstance(node, Items):
        return node
    if not isinstance(node, Mapping | Rule):
        said = "nothing" if node is None else quoted(node)
        raise error_of([complaint(0, place, f"a rule, a list of rules or a scenario is expected here, not {said}")])
    rules = Items(place)
    rules.append(node)
    return rules


def _paired(text: str) -> str:
    """JSON in ASCII writes what is beyond the first 65536 characters as two halves, which YAML would leave apart."""
    return (
        _HALVES.sub(lambda found: str(json.loads(f'"{found[0]}"')), text) if text.lstrip()[:1] in ("{", "[") else text
    )
