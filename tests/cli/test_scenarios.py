"""``mockpacs scenarios``: what is shipped, by name."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from mockpacs.cli.scenarios import first_sentence
from mockpacs.errors import ScenarioError
from mockpacs.scenario import shipped
from mockpacs.scenario.load import load
from tests.cli.test_program import ROOT, run


def test_all_that_are_shipped_are_listed_with_what_they_show(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["scenarios"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == sorted(path.stem for path in (ROOT / "scenarios").glob("*.yaml"))
    [line] = [line for line in lines if line.startswith("disk-full ")]
    assert line.split(maxsplit=3) == ["disk-full", "1", "rule", "The archive is out of space."]
    assert len({line.index(" rule") for line in lines}) == 1


def test_a_name_prints_the_file(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["scenarios", "disk-full"]) == 0
    assert capsys.readouterr().out == (ROOT / "scenarios" / "disk-full.yaml").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["disk-ful"], 'mockpacs: unknown scenario "disk-ful". Did you mean "disk-full"?\n'),
        (
            ["qqqqq"],
            'mockpacs: unknown scenario "qqqqq". `mockpacs scenarios` lists those there are; a file has a suffix.\n',
        ),
        (["disk-full", "doorman"], "mockpacs: one scenario at a time: disk-full or doorman?\n"),
    ],
)
def test_a_name_that_is_none_is_told_with_one_that_is_near(
    arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["scenarios", *arguments]) == 2
    assert capsys.readouterr().err == told


def test_the_command_explains_itself_with_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["scenarios", "--help"]) == 0
    assert "mockpacs scenarios disk-full" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("One. Two.", "One."),
        ("Right but for one. 3.5 is none? Yes.", "Right but for one."),
        ("About 3.5 of\n  them! Two", "About 3.5 of them!"),
        ("no end", "no end"),
        ("", ""),
    ],
)
def test_the_first_sentence_ends_where_it_ends(text: str, first: str) -> None:
    assert first_sentence(text) == first


def test_a_name_leads_to_a_shipped_file_and_a_path_to_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert shipped.resolve("disk-full") == shipped.folder() / "disk-full.yaml"
    assert shipped.resolve(Path("disk-full")) == shipped.folder() / "disk-full.yaml"
    for path in ("mine.yaml", "a/mine", "./disk-full"):
        assert shipped.resolve(path) == Path(path)
    (tmp_path / "without-suffix").touch()
    assert shipped.resolve("without-suffix") == Path("without-suffix")


def test_a_shipped_file_that_is_looked_for_here_is_told_by_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ScenarioError) as caught:
        shipped.resolve("disk-full.yaml")
    assert str(caught.value) == "disk-full.yaml: there is no such file here; the shipped scenario is called disk-full."
    (tmp_path / "disk-full.yaml").touch()
    assert shipped.resolve("disk-full.yaml") == Path("disk-full.yaml")


def test_what_is_shipped_in_an_installed_package_is_beside_its_modules() -> None:
    """The wheel takes the folder of the checkout into the package, under the name that is looked for."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    taken = project["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    assert taken == {"scenarios": "mockpacs/_scenarios"}
    assert shipped.folder() == ROOT / "scenarios"


def test_an_installed_package_is_preferred_to_a_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = tmp_path / "mockpacs" / "scenario" / "shipped.py"
    monkeypatch.setattr(shipped, "__file__", str(module))
    assert shipped.folder() == tmp_path / "scenarios"
    (tmp_path / "mockpacs" / "_scenarios").mkdir(parents=True)
    assert shipped.folder() == tmp_path / "mockpacs" / "_scenarios"


def test_shipped_scenarios_can_be_played_together() -> None:
    names = ("part-of-a-batch", "slow-day")
    assert len(load([shipped.resolve(name) for name in names]).names) == 2
