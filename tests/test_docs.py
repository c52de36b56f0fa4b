"""The documents are true: options are described, examples run or at least parse, links lead somewhere."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from mockpacs.cli import main
from mockpacs.config import load, schema
from mockpacs.written.words import Flag

ROOT = Path(__file__).parent.parent
DOCUMENTS = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "CHANGELOG.md",
    *sorted((ROOT / "docs").rglob("*.md")),
]
NAMED = "serve|archive|show|export|proxy|replay|diff|distill|redact"
GROUPS = ("archive", "replay")
"""Commands that are groups of commands."""
FENCE = re.compile(r"^```([\w ]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Block(NamedTuple):
    place: str
    language: str
    text: str


def blocks(*languages: str) -> list[Block]:
    """The fenced blocks of all documents, each with its file and line."""
    found = []
    for path in DOCUMENTS:
        text = path.read_text(encoding="utf-8")
        for match in FENCE.finditer(text):
            line = text.count("\n", 0, match.start()) + 1
            if match[1] in languages:
                found.append(Block(f"{path.name}:{line}", match[1], match[2]))
    return found


def commands() -> list[tuple[str, str]]:
    """Every ``mockpacs ...`` in a shell block, and every one between backticks that is a whole command."""
    found = []
    for block in blocks("sh"):
        lines = (line.partition("#")[0].strip() for line in block.text.splitlines())
        found += [(block.place, line) for line in lines if line.startswith("mockpacs ")]
    for path in DOCUMENTS:
        inline = re.findall(
            r"`(mockpacs (?:serve|archive|show|export|proxy|replay|diff|distill|redact)[^`|]*)`",
            path.read_text(encoding="utf-8"),
        )
        found += [(path.name, command) for command in inline]
    return found


def test_every_document_has_been_looked_at() -> None:
    assert len(DOCUMENTS) >= 7
    assert len(commands()) >= 10
    assert len(blocks("python")) >= 1
    assert len(blocks("yaml")) >= 1


@pytest.mark.parametrize("name", list(schema()))
def test_every_option_is_described(name: str) -> None:
    manual = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    assert f"| `{name}` |" in manual
    assert schema()[name].about.rstrip(".") in manual.replace(r"\*", "*")


@pytest.mark.parametrize(("place", "command"), commands())
def test_every_command_shown_is_understood(
    place: str, command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With ``--help`` at its end a command is parsed and nothing else: a wrong option would end with status 2."""
    monkeypatch.delenv("MOCKPACS_CONFIG", raising=False)
    arguments = shlex.split(command)[1:]
    unknown = [word for word in arguments if word.startswith("--") and word not in known_flags(arguments)]
    assert unknown == [], place
    with pytest.raises(SystemExit) as left:
        main([*arguments, "--help"])
    assert left.value.code == 0, (place, capsys.readouterr().err)


def known_flags(arguments: list[str]) -> set[str]:
    """The options the command's own help lists: ``--help`` is eager, so it would hide an unknown one after it."""
    names = [word for word in arguments if not word.startswith("-")]
    path = names[:2] if names[0] in GROUPS else names[:1]
    shown = subprocess.run(
        [sys.executable, "-m", "mockpacs", *path, "--help"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return set(re.findall(r"--[a-z-]+", shown.stdout))


@pytest.mark.parametrize("block", blocks("python"), ids=lambda block: block.place)
def test_every_python_example_runs(block: Block, tmp_path: Path) -> None:
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "error"}
    ran = subprocess.run(
        [sys.executable, "-c", block.text], cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=60
    )
    assert ran.returncode == 0, ran.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("block", blocks("yaml"), ids=lambda block: block.place)
def test_every_configuration_shown_can_be_loaded(block: Block, tmp_path: Path) -> None:
    file = tmp_path / "mockpacs.yaml"
    file.write_text(block.text)
    assert load(file) != load()


def test_every_relative_link_leads_to_a_file() -> None:
    dead = []
    for path in DOCUMENTS:
        for target in re.findall(r"\]\(([^)#]+)[^)]*\)", path.read_text(encoding="utf-8")):
            if "://" not in target and not (path.parent / target).exists():
                dead.append(f"{path.name}: {target}")
    assert dead == []


def test_every_option_named_in_a_document_exists() -> None:
    """``key: value`` and ``--flag`` between backticks are looked up, so that a renamed option is found."""
    wrong = []
    flags = {"--config", "--help", "--version", "--level", "--json", "--check", "--from"}
    flags |= {option.flag for option in schema().values()}
    flags |= {f"--no-{option.flag[2:]}" for option in schema().values() if isinstance(option.kind, Flag)}
    flags |= {f"--no-{option.flag[2:]}" for option in schema().values() if hasattr(option.kind, "negative")}
    for command in (["proxy"], ["replay", "client"], ["replay", "server"], ["diff"], ["distill"], ["redact"]):
        flags |= known_flags(command)
    for path in DOCUMENTS:
        text = path.read_text(encoding="utf-8")
        wrong += [f"{path.name}: {key}" for key in re.findall(r"`([a-z_]+): [^`]+`", text) if key not in schema()]
        wrong += [f"{path.name}: {flag}" for flag in re.findall(r"`(--[a-z-]+)[^`]*`", text) if flag not in flags]
    assert wrong == []


def test_every_target_of_the_makefile_is_explained_by_help() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = re.findall(r"^([a-z]+):", makefile, re.MULTILINE)
    told = re.findall(r'@echo "make (\w+)', makefile)
    assert sorted(set(targets) - {"help"}) == sorted(told)
