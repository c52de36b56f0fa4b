"""The program as a user meets it: help, version, errors as sentences, exit statuses."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mockpacs import __version__
from mockpacs.cli import main
from mockpacs.config import schema

ROOT = Path(__file__).parent.parent.parent


def run(arguments: list[str]) -> int:
    with pytest.raises(SystemExit) as left:
        main(arguments)
    assert isinstance(left.value.code, int)
    return left.value.code


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert capsys.readouterr().out == f"mockpacs {__version__}\n"


def test_the_program_alone_shows_its_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([]) == 0
    shown = capsys.readouterr().out
    assert "Usage: mockpacs" in shown
    assert "NOT FOR CLINICAL USE" in shown


COMMANDS = [
    [],
    ["serve"],
    ["archive"],
    ["archive", "add"],
    ["archive", "list"],
    ["archive", "verify"],
    ["archive", "reindex"],
    ["show"],
    ["export"],
    ["explain"],
    ["proxy"],
    ["replay"],
    ["replay", "client"],
    ["replay", "server"],
    ["diff"],
    ["distill"],
    ["redact"],
]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_explains_itself_with_an_example(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*command, "--help"]) == 0
    shown = capsys.readouterr().out
    assert "Example" in shown
    assert f"mockpacs {' '.join(command)}".strip() in shown


def test_serve_has_every_option_of_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["serve", "--help"]) == 0
    words = capsys.readouterr().out.replace(",", " ").split()
    assert [option.flag for option in schema().values() if option.flag not in words] == []


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["serve", "--prot", "1"], "--port"),
        (["serv"], "Did you mean 'serve'"),
        (["serve", "--port", "banana"], 'mockpacs: --port: "banana" is not a whole number'),
        (["serve", "--config", "nowhere.yaml"], "mockpacs: nowhere.yaml: cannot be read"),
        (["serve", "stray"], "stray"),
    ],
)
def test_nonsense_is_answered_with_a_sentence_and_status_2(
    arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments) == 2
    shown = capsys.readouterr()
    assert sentence in shown.err
    assert shown.out == ""


def test_every_line_of_several_errors_carries_the_name_of_the_program(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MOCKPACS_PROT", "1")
    assert run(["serve", "--port", "x"]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert all(line.startswith("mockpacs: ") for line in lines)


def test_a_defect_is_a_sentence_with_its_origin_and_no_traceback(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise KeyError("oops")

    monkeypatch.setattr("mockpacs.cli.serve.load", broken)
    assert run(["serve"]) == 2
    shown = capsys.readouterr().err
    assert shown.startswith("mockpacs: unexpected KeyError in test_program.py, line ")
    assert "Traceback" not in shown


def test_the_module_is_the_program_and_optimisation_changes_nothing(tmp_path: Path) -> None:
    command = [sys.executable, "-O", "-m", "mockpacs", "--version"]
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    shown = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, check=True)
    assert shown.stdout == f"mockpacs {__version__}\n"


HEAVY = ("pydicom", "pynetdicom", "peewee", "typer", "rich", "yaml", "asyncio", "numpy")


@pytest.mark.parametrize(
    ("statement", "forbidden"),
    [
        ("import mockpacs", HEAVY),
        ("from mockpacs import Options; Options()", HEAVY),
        ("import mockpacs.cli.program", ("pydicom", "pynetdicom", "rich", "yaml", "numpy")),
        (
            "import mockpacs.cli\ntry: mockpacs.cli.main(['serve', '--port', 'x', '-v'])\nexcept SystemExit: pass",
            ("pydantic", "pydicom", "pynetdicom", "rich", "yaml", "numpy"),
        ),
        ("from mockpacs import MockPACS", ("pydicom", "pynetdicom", "typer", "rich", "yaml", "numpy")),
    ],
)
def test_heavy_packages_are_not_imported_before_they_are_needed(statement: str, forbidden: tuple[str, ...]) -> None:
    code = f"{statement}\nimport sys\nprint(*[name for name in {forbidden!r} if name in sys.modules])"
    shown = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert shown.stdout.split() == []
