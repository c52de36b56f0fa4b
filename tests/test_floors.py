"""The law of floors: a module imports its own package and lower floors, never up, never sideways; and stays small."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parent.parent
FLOORS = [
    {"wire", "written", "errors", "version"},
    {"traffic", "scenario", "archive"},
    {"services"},
    {"net"},
    {"replay", "control"},
    {"web"},
    {"app", "serving", "playing", "proxying", "config", "looping"},
    {"cli", "pytest_plugin", "plugin", "__init__", "__main__"},
]
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
# Next door on the same floor: wire knows the errors, the assembly the configuration, the faces one another.
DOORS = {
    ("wire", "errors"),
    ("written", "errors"),
    ("app", "serving"),
    ("app", "config"),
    ("app", "looping"),
    ("serving", "config"),
    ("serving", "playing"),
    ("playing", "config"),
    ("proxying", "app"),
    ("proxying", "looping"),
    ("proxying", "playing"),
    ("__main__", "cli"),
    ("pytest_plugin", "plugin"),
    ("cli", "__init__"),
    ("__init__", "app"),
}
NETWORKERS = {"net", "replay", "control", "web", "app", "serving", "proxying", "looping", "cli"}
# Which rooms may import what does not come with Python, or what touches the network.
TENANTS = {
    "pynetdicom": {"wire", "services", "net"},
    "pydicom": {"wire", "written", "traffic", "archive", "services", "scenario", "control"},
    "starlette": {"web"},
    "uvicorn": {"web"},
    "anyio": {"web"},
    "h11": {"web"},
    "pytest": {"pytest_plugin", "plugin"},
    "peewee": {"archive", "traffic"},
    "dpkt": {"traffic"},
    "playhouse": {"archive"},
    "typer": {"cli"},
    "rich": {"cli"},
    "yaml": {"written"},
    "pydantic": {"scenario"},
    "pydantic_core": {"scenario"},
    "asyncio": NETWORKERS,
    "socket": NETWORKERS,
    "selectors": NETWORKERS,
    "ssl": NETWORKERS,
}
LONGEST_MODULE = 400
LONGEST_FUNCTION = 60


class Import(NamedTuple):
    module: str
    line: int
    at_start: bool
    """Whether it runs when the module is imported: not in a function, not for type checkers only."""


@cache
def modules() -> dict[str, Path]:
    paths = sorted((ROOT / "mockpacs").rglob("*.py"))
    return {".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in paths}


@cache
def tree(module: str) -> ast.Module:
    return ast.parse(modules()[module].read_text(encoding="utf-8"))


@cache
def imports(module: str) -> tuple[Import, ...]:
    return tuple(_imports(tree(module), module, at_start=True))


def _imports(node: ast.AST, module: str, *, at_start: bool) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        now = at_start and not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            now = False
        if isinstance(child, ast.Import):
            yield from (Import(alias.name, child.lineno, now) for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            yield from _imports_from(child, module, now)
        else:
            yield from _imports(child, module, at_start=now)


def _imports_from(node: ast.ImportFrom, module: str, at_start: bool) -> Iterator[Import]:
    """``from package import name``: the submodule of that name when there is one, otherwise the package."""
    base = node.module or ""
    if node.level:
        base = ".".join([*module.split(".")[: -node.level], *([base] if base else [])])
    for alias in node.names:
        whole = f"{base}.{alias.name}"
        yield Import(whole if whole in modules() or f"{whole}.__init__" in modules() else base, node.lineno, at_start)


def room(module: str) -> str:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else "__init__"


def test_every_room_has_a_floor() -> None:
    assert {room(module) for module in modules()} - set(FLOOR) == set()


@pytest.mark.parametrize("module", modules())
def test_imports_go_down_or_stay_at_home(module: str) -> None:
    here = room(module)
    wrong = [
        f"{module}:{found.line} imports {found.module}"
        for found in imports(module)
        if found.module.partition(".")[0] == "mockpacs"
        and (there := room(found.module)) != here
        and FLOOR[there] >= FLOOR[here]
        and (here, there) not in DOORS
    ]
    assert wrong == []


@pytest.mark.parametrize("module", modules())
def test_what_is_imported_from_outside_is_allowed_on_this_floor(module: str) -> None:
    here = room(module)
    wrong = []
    for found in imports(module):
        top = found.module.partition(".")[0]
        known = top == "mockpacs" or top in sys.stdlib_module_names
        if (top in TENANTS and here not in TENANTS[top]) or (top not in TENANTS and not known):
            wrong.append(f"{module}:{found.line} imports {found.module}")
    assert wrong == []


def test_no_module_needs_itself_to_be_imported() -> None:
    graph: dict[str, set[str]] = {}
    for module in modules():
        needed = {found.module for found in imports(module) if found.at_start}
        graph[module] = {name if name in modules() else f"{name}.__init__" for name in needed} & set(modules())
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"import cycle: {' -> '.join(error.args[1])}")


@pytest.mark.parametrize("module", modules())
def test_a_module_is_short_and_says_what_it_is(module: str) -> None:
    text = modules()[module].read_text(encoding="utf-8")
    assert len(text.splitlines()) <= LONGEST_MODULE
    assert not text.strip() or ast.get_docstring(tree(module))


@pytest.mark.parametrize("module", modules())
def test_a_function_fits_a_screen(module: str) -> None:
    functions = (node for node in ast.walk(tree(module)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    assert [
        f"{module}:{function.lineno} {function.name} has {(function.end_lineno or 0) - function.lineno + 1} lines"
        for function in functions
        if (function.end_lineno or 0) - function.lineno + 1 > LONGEST_FUNCTION
    ] == []


def test_the_law_is_enforced() -> None:
    """The walker sees what hides: type-only imports, imports in functions, relative ones."""
    text = (
        "if TYPE_CHECKING:\n    from mockpacs.net import link\ndef f():\n    import mockpacs.app\nfrom . import item\n"
    )
    found = list(_imports(ast.parse(text), "mockpacs.wire.pdu", at_start=True))
    assert [(one.module, one.at_start) for one in found] == [
        ("mockpacs.net.link" if "mockpacs.net.link" in modules() else "mockpacs.net", False),
        ("mockpacs.app", False),
        ("mockpacs.wire.item" if "mockpacs.wire.item" in modules() else "mockpacs.wire", True),
    ]
