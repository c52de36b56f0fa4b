"""From YAML files to one script. Whatever is wrong in any of them is told at once, each with its file:line:column."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from mockpacs.errors import ConfigurationError
from mockpacs.scenario.complaint import Complaint, complaint, error_of
from mockpacs.scenario.draft import Draft, Way
from mockpacs.scenario.lint import Check, checked, lint, place_of, remarks
from mockpacs.scenario.model import StateSpec
from mockpacs.scenario.script import Placed, Script
from mockpacs.scenario.tree import Tree, line_of
from mockpacs.written.yaml_file import Mapping, Node, Text, parse, read_mapping

TAGS: Final = ("!bytes",)
_PLACE: Final = re.compile(r":(\d+)(?::(\d+))?: ")


def load(paths: Sequence[Path | str], *, seed: int | None = None, check: Check | None = None) -> Script:
    """The scenarios of some files, merged in that order; ``seed`` is stronger than theirs.

    With ``check`` also what only the start of a server reads is looked at: sets of answers with their files, and by
    ``check`` the options under ``server``. Raises `ScenarioError` with a line for each problem of all files.
    """
    files = [Path(path) for path in paths]
    return _script([(path, _reader(path)) for path in files], seed, check)


def parse_text(
    text: str, name: str = "scenario.yaml", *, seed: int | None = None, check: Check | None = None
) -> Script:
    """The scenario in a text; ``name`` stands for the path of its file. Raises `ScenarioError`."""

    def read() -> Mapping:
        node = parse(text, name, TAGS)
        if node is not None and not isinstance(node, Mapping):
            raise ConfigurationError(f"{node.place}: a scenario is a mapping (key: value), this is not")
        return node if node is not None else Mapping(name)

    return _script([(Path(name), read)], seed, check)


def _reader(path: Path) -> Callable[[], Mapping]:
    return lambda: read_mapping(path, what="scenario", tags=TAGS)


def _script(
    files: Sequence[tuple[Path, Callable[[], Mapping]]], seed: int | None, check: Check | None = None
) -> Script:
    drafts: list[Draft] = []
    wrong: list[Complaint] = []
    for number, (path, read) in enumerate(files):
        try:
            root = read()
        except ConfigurationError as error:
            wrong.append(unreadable(number, path, str(error)))
            continue
        if not root:
            text = 'the file is empty; a scenario begins with "mockpacs: 1"'
            wrong.append(complaint(number, f"{path}:1:1", text))
            continue
        drafts.append(Draft.of(Tree(root, path), number))
        wrong += drafts[-1].complaints
    wrong += lint(drafts)
    if check is not None:
        wrong += checked(drafts, check)
    if wrong:
        raise error_of(wrong)
    return merged(drafts, seed)


def unreadable(number: int, path: Path, text: str) -> Complaint:
    """A complaint of what the reader of YAML says, which begins with a place."""
    rest = text.removeprefix(str(path))
    found = _PLACE.match(rest)
    if found:
        return complaint(number, f"{path}:{found[1]}:{found[2] or 1}", rest[found.end() :])
    return complaint(number, str(path), rest.removeprefix(": "))


def merged(drafts: Sequence[Draft], seed: int | None, *, is_named: bool = True) -> Script:
    """The script of files without a mistake. ``is_named``: rules without a name are called by their file and line."""
    shown = _shown_paths(drafts)
    seeds = (seed, *(draft.seed for draft in drafts), 0)
    return Script(
        rules=tuple(placed for draft in drafts for placed in _placed(draft, shown[draft.path], is_named)),
        states={name: spec for draft in drafts for name, spec in draft.states.items() if isinstance(spec, StateSpec)},
        data={name: value for draft in drafts for name, value in _written(draft, "data").items()},
        expect=tuple((_line(draft, way), one) for draft in drafts for way, one in draft.expect),
        seed=next(one for one in seeds if one is not None),
        server={name: value for draft in drafts for name, value in _written(draft, "server").items()},
        names=tuple(draft.name or draft.path.stem for draft in drafts),
        abouts=tuple(draft.about for draft in drafts),
        remarks=tuple(map(str, remarks(drafts))),
    )


def _placed(draft: Draft, shown: str, is_named: bool) -> list[Placed]:
    placed = []
    for way, rule in draft.rules:
        place = _line(draft, way)
        otherwise = f"{shown}:{place.rpartition(':')[2]}" if is_named else ""
        placed.append(Placed(rule.name or otherwise, place, draft.path.parent, rule))
    return placed


def _line(draft: Draft, way: Way) -> str:
    return line_of(place_of(draft, way))


def _shown_paths(drafts: Sequence[Draft]) -> dict[Path, str]:
    """What rules without a name are called by: the name of their file, with its folder if two files have that name.

    Not the whole path: what is drawn for a rule depends on its name, and shall be the same on every machine.
    """
    names = [draft.path.name for draft in drafts]
    return {
        path: path.name if names.count(path.name) == 1 else "/".join(path.parts[-2:])
        for path in (draft.path for draft in drafts)
    }


def _written(draft: Draft, key: str) -> dict[Text, tuple[Node, Path]]:
    """What stands under the keys of a mapping, and the folder that paths in it are meant from."""
    return {name: (node, draft.path.parent) for name, node in draft.node(key).items() if isinstance(name, Text)}
