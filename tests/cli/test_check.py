"""``mockpacs check`` on good and bad scenarios: what is printed where, and the exit status."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mockpacs.scenario.schema import text
from tests.cli.test_program import run

GOOD = """\
mockpacs: 1
name: Half done
server: { aet: FLAKY, max_pdu: 16 KiB }
rules:
  - when: { service: C-STORE, at: { received: 1kB }, dataset: { Modality: CT } }
    then: reset
"""


@pytest.fixture
def good(tmp_path: Path) -> Path:
    path = tmp_path / "good.yaml"
    path.write_text(GOOD)
    return path


def test_what_is_right_is_said_to_be_with_remarks_before_it(good: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check", str(good)]) == 0
    shown = capsys.readouterr()
    assert shown.err == ""
    assert shown.out.splitlines() == [
        f"{good}:5:54: note: at received a condition on the data set can only see what has arrived.",
        f"ok  {good}  Half done  1 rule",
    ]


def test_what_is_wrong_is_told_on_stderr_and_the_rest_is_checked_all_the_same(
    good: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad, worse = tmp_path / "bad.yaml", tmp_path / "worse.yaml"
    bad.write_text("mockpacs: 1\nrules:\n- { when: { service: C-ECHO }, then: { dealy: 2s } }\n- 5\n")
    worse.write_text("mockpacs: [\n")
    assert run(["check", str(bad), str(good), str(worse), str(tmp_path / "nowhere.yaml")]) == 2
    shown = capsys.readouterr()
    assert shown.out.splitlines()[-1] == f"ok  {good}  Half done  1 rule"
    assert shown.err.splitlines() == [
        f'{bad}:3:40: unknown step "dealy". Did you mean "delay"?',
        f'{bad}:4:3: a rule is a mapping (key: value), not the value "5".',
        f"{worse}:2:1: not YAML: expected the node content, but found '<stream end>'.",
        f"mockpacs: {tmp_path / 'nowhere.yaml'}: cannot be read: No such file or directory.",
    ]


def test_options_of_the_server_are_looked_at(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(
        "mockpacs: 1\nserver:\n  prot: 1\n  port: banana\n  seed: 5\n  on_duplicate: kep\n  users: [{ nme: x }]\n"
    )
    assert run(["check", str(path)]) == 2
    lines = [line.removeprefix(f"{path}:") for line in capsys.readouterr().err.splitlines()]
    assert lines == [
        '3:3: unknown option "prot" of the server. Did you mean "port"?',
        '4:9: "banana" is not a whole number from 0 to 65535.',
        "5:3: seed is a key of the scenario itself: write it beside server.",
        '6:17: "kep" is not one of keep, replace, refuse. Did you mean "keep"?',
        '7:13: unknown key "nme" of a user. Did you mean "name"?',
    ]


def test_options_that_contradict_one_another_are_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "s.yaml"
    path.write_text("mockpacs: 1\nserver: { tls_cert: x.pem }\n")
    assert run(["check", str(path)]) == 2
    assert f"{path}:2:11: a certificate needs its private key" in capsys.readouterr().err


def test_options_of_the_environment_are_not_mixed_in(
    good: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MOCKPACS_PORT", "banana")
    assert run(["check", str(good)]) == 0


def test_sets_of_answers_are_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "s.yaml"
    path.write_text("mockpacs: 1\ndata: { d: nowhere/*.dcm }\n")
    assert run(["check", str(path)]) == 2
    assert f'{path}:2:12: "nowhere/*.dcm" fits no file in {tmp_path}.' in capsys.readouterr().err


def test_each_file_is_checked_on_its_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A pattern of the shell names many; together the rules of the first would be in the way of the others."""
    paths = [tmp_path / "a.yaml", tmp_path / "b.yaml"]
    for path in paths:
        path.write_text("mockpacs: 1\nrules: [{ name: x, when: { service: any }, then: reset }]\n")
    assert run(["check", *map(str, paths)]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ["ok", "ok"]


def test_shipped_scenarios_are_known_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check", "disk-full", "disk-ful"]) == 2
    shown = capsys.readouterr()
    assert shown.out.startswith("ok  ")
    assert "disk-full.yaml  Disk full  1 rule" in shown.out
    assert shown.err == 'mockpacs: unknown scenario "disk-ful". Did you mean "disk-full"?\n'


def test_the_schema_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check", "--schema"]) == 0
    shown = capsys.readouterr().out
    assert shown == text()
    assert json.loads(shown)["$schema"].endswith("2020-12/schema")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "mockpacs: name what to check: files, or shipped scenarios (`mockpacs scenarios` lists them)\n"),
        (["--schema", "x.yaml"], "mockpacs: --schema prints the schema and checks nothing: name no files\n"),
    ],
)
def test_a_command_that_says_too_little_or_too_much_is_refused(
    arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["check", *arguments]) == 2
    assert capsys.readouterr().err == told


def test_the_command_explains_itself_with_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check", "--help"]) == 0
    shown = capsys.readouterr().out
    assert "mockpacs check flaky.yaml" in shown
    assert "--schema" in shown


def test_names_from_a_file_cannot_move_a_cursor(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "s.yaml"
    path.write_text('mockpacs: 1\nname: "a\\e[31mb\\nc"\n')
    assert run(["check", str(path)]) == 0
    assert capsys.readouterr().out == f"ok  {path}  a\\x1b[31mb\\nc  0 rules\n"
