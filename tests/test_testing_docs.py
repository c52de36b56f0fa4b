"""docs/testing.md is true: every block of it is run, with the tools it names, and fails with the texts it shows."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

import pytest

from tests.conftest import wheel_files
from tests.plugin.conftest import is_installed
from tests.plugin.test_reports import masked

DOCUMENT: Final = Path(__file__).parent.parent / "docs" / "testing.md"
FENCE: Final = re.compile(r"^```([\w ]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PYTEST: Final = [
    sys.executable, "-m", "pytest", "-q", "-o", "asyncio_default_fixture_loop_scope=function",
    *(() if is_installed() else ("-p", "mockpacs.pytest_plugin")),
]  # fmt: skip


class Block(NamedTuple):
    line: int
    language: str
    text: str


def blocks(*languages: str) -> list[Block]:
    text = DOCUMENT.read_text(encoding="utf-8")
    found = [Block(text.count("\n", 0, one.start()) + 1, one[1], one[2]) for one in FENCE.finditer(text)]
    return [block for block in found if not languages or block.language in languages]


def each(*languages: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("block", blocks(*languages), ids=lambda block: f"line {block.line}")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where a reader has put what the document says: the sender, the scenario, an image."""
    (tmp_path / "sender.py").write_text(blocks("python sender")[0].text)
    (tmp_path / "night.yaml").write_text(blocks("yaml scenario")[0].text)
    shutil.copy(next(path for path in wheel_files("CT_small.dcm")), tmp_path / "ct.dcm")
    return tmp_path


def ran(command: list[str], folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    scripts = Path(sys.executable).parent
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "MOCKPACS_"))}
    environ = {**clean, "PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}", "COLUMNS": "120", **environment}
    environ.pop("CI", None)
    return subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, timeout=110)


def test_every_block_is_run_here_or_by_the_tests_of_scenarios() -> None:
    here = {"python sender", "python script", "python pytest", "python asyncio", "python unittest", "python failing"}
    here |= {"text", "sh shell", "sh", "js node", "yaml scenario"}
    assert {block.language for block in blocks()} <= here
    for language in here - {"sh"}:
        assert blocks(language), language


@each("python script")
def test_a_script_runs(block: Block, folder: Path) -> None:
    before = sorted(folder.iterdir())
    done = ran([sys.executable, "-c", block.text], folder, PYTHONWARNINGS="error", PYTHONDONTWRITEBYTECODE="1")
    assert done.returncode == 0, done.stderr
    assert sorted(folder.iterdir()) == before


@each("python pytest")
def test_a_file_of_pytest_passes(block: Block, folder: Path) -> None:
    (folder / "test_sender.py").write_text(block.text)
    done = ran([*PYTEST, "-W", "error"], folder)
    assert done.returncode == 0, done.stdout
    assert f"{len(re.findall(r'^ *(?:async )?def test_', block.text, re.MULTILINE))} passed in" in done.stdout
    assert list(folder.rglob("*.pcapng")) == []


@each("python pytest")
def test_it_passes_in_two_workers(block: Block, folder: Path) -> None:
    pytest.importorskip("xdist", reason="pytest-xdist is not installed")
    (folder / "test_sender.py").write_text(block.text)
    done = ran([*PYTEST, "-n2"], folder)
    assert done.returncode == 0, done.stdout


@each("python asyncio")
def test_a_file_of_coroutines_passes(block: Block, folder: Path) -> None:
    pytest.importorskip("pytest_asyncio", reason="pytest-asyncio is not installed")
    (folder / "test_sender.py").write_text(block.text)
    done = ran([*PYTEST, "-W", "error"], folder)
    assert done.returncode == 0, done.stdout


@each("python unittest")
def test_a_file_of_unittest_passes(block: Block, folder: Path) -> None:
    (folder / "test_sender.py").write_text(block.text)
    done = ran([sys.executable, "-W", "error", "-m", "unittest", "-v", "test_sender"], folder)
    assert done.returncode == 0, done.stderr
    assert "Ran 1 test" in done.stderr


FAILING: Final = [
    (first, second)
    for first, second in zip(blocks(), blocks()[1:], strict=False)
    if first.language == "python failing" and second.language == "text"
]


@pytest.mark.parametrize(("block", "shown"), FAILING, ids=[f"line {block.line}" for block, _ in FAILING])
def test_what_is_shown_of_a_failure_is_what_comes(block: Block, shown: Block, folder: Path) -> None:
    """Line by line in this order; ``...`` stands for lines that are left out."""
    (folder / "test_sender.py").write_text(block.text)
    done = ran(PYTEST, folder)
    assert done.returncode == 1, done.stdout
    came = masked(done.stdout).replace(str(folder), "")
    for piece in masked(shown.text).split("...\n"):
        before, found, came = came.partition(piece)
        assert found == piece, f"{piece}\nis not in\n{before}"


def test_every_failing_example_shows_its_text() -> None:
    assert len(FAILING) == len(blocks("python failing")) == len(blocks("text"))


@each("sh shell")
def test_the_shell_test_passes(block: Block, folder: Path, tool: Callable[[str], str]) -> None:
    for name in ("bash", "curl", "echoscu", "storescu"):
        tool(name)
    done = ran(["bash", "-c", block.text], folder)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (folder / "session.pcapng").read_bytes()[:4] == b"\n\r\r\n"


@each("js node")
def test_the_node_test_passes(block: Block, folder: Path) -> None:
    """Not asked for by MOCKPACS_REQUIRE_TOOLS: npm brings its packages over the network."""
    npm, node = shutil.which("npm"), shutil.which("node")
    if npm is None or node is None:
        pytest.skip("npm is not installed")
    (folder / "package.json").write_text("{}")
    brought = ran([npm, "install", "--no-audit", "--no-fund", "--ignore-scripts", "dcmjs-dimse"], folder)
    if brought.returncode:
        pytest.skip(f"npm cannot install dcmjs-dimse: {brought.stderr.strip().splitlines()[-1:]}")
    (folder / "sender.test.mjs").write_text(block.text)
    done = ran([node, "--test", "sender.test.mjs"], folder)
    assert done.returncode == 0, done.stdout + done.stderr
