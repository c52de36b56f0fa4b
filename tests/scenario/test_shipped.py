"""What is shipped can be played: the scenarios, their certificates, and every scenario and rule in the documents."""

from __future__ import annotations

import re
import ssl
import subprocess
import textwrap
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import pytest

from mockpacs.scenario.load import load, parse_text
from tests.conftest import find_tool

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "scenarios"
SHIPPED = sorted(FOLDER.glob("*.yaml"))
CERTIFICATES = FOLDER / "certificates"
DOCUMENTS = [ROOT / "README.md", FOLDER / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```yaml (scenario|rule)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
IN_A_TABLE = re.compile(r"`(\{ (?:when|server): [^`]*\})`")
NAMED = re.compile(r"\b([a-z][a-z-]+\.yaml)\b")
CLIENTS = ("echoscu", "storescu", "findscu", "movescu", "getscu")


class Written(NamedTuple):
    """A scenario in a document: where, and its whole text."""

    place: str
    text: str


def written() -> list[Written]:
    found = []
    for path in DOCUMENTS:
        text = path.read_text(encoding="utf-8")
        for match in BLOCK.finditer(text):
            place = f"{path.name}:{text.count(chr(10), 0, match.start()) + 1}"
            found.append(Written(place, match[2] if match[1] == "scenario" else with_rules(match[2])))
        for match in IN_A_TABLE.finditer(text):
            place = f"{path.name}:{text.count(chr(10), 0, match.start()) + 1}"
            is_rule = match[1].startswith("{ when")
            found.append(
                Written(place, with_rules(f"- {match[1]}\n") if is_rule else f"mockpacs: 1\n{match[1][2:-2]}\n")
            )
    return found


def with_rules(rules: str) -> str:
    return f"mockpacs: 1\nrules:\n{textwrap.indent(rules, '  ')}"


def head(path: Path) -> list[str]:
    """The comment a file begins with, without its marks."""
    lines = path.read_text(encoding="utf-8").splitlines()
    count = next(number for number, line in enumerate(lines) if not line.startswith("#"))
    return [line.removeprefix("#").strip() for line in lines[:count]]


def test_there_are_scenarios_of_every_kind() -> None:
    assert len(SHIPPED) >= 35
    designed = ("disk-full", "third-time-lucky", "pulled-cable", "doorman", "small-lies", "fills-up", "chaos-monday")
    assert {path.stem for path in SHIPPED} >= set(designed)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_shipped_scenario_loads_and_says_what_it_is(path: Path) -> None:
    script = load([path])
    assert script.rules
    (name,), (about,) = script.names, script.abouts
    assert name != path.stem
    assert about.endswith((".", "?"))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_shipped_scenario_begins_with_how_to_provoke_it_and_what_a_good_client_does(path: Path) -> None:
    lines = head(path)
    assert not lines[0].startswith("Provoke")
    commands = [line.removeprefix("Provoke:").split() for line in lines if line.startswith("Provoke:")]
    assert commands
    assert {command[0] for command in commands} <= set(CLIENTS)
    assert any(line.startswith("A good client ") for line in lines)


def test_no_two_shipped_scenarios_have_the_same_name() -> None:
    names = Counter(load([path]).names[0] for path in SHIPPED)
    assert [name for name, count in names.items() if count > 1] == []


def test_any_two_shipped_scenarios_can_be_played_together() -> None:
    """Names of rules, states and sets of answers do not get into each other's way."""
    script = load([FOLDER / "fills-up.yaml", FOLDER / "find-huge.yaml", FOLDER / "slow-day.yaml"])
    assert len(script.names) == 3
    assert len(script.rules) == 6


def test_the_readme_of_the_folder_names_them_all() -> None:
    listed = re.findall(r"\[([a-z-]+)\]\(([a-z-]+\.yaml)\) \| (.+) \|", (FOLDER / "README.md").read_text("utf-8"))
    assert sorted(file for _, file, _ in listed) == [path.name for path in SHIPPED]
    for name, file, about in listed:
        assert file == f"{name}.yaml"
        assert load([FOLDER / file]).abouts == (about,)


@pytest.mark.parametrize("document", ["scenarios/README.md", "docs/faults.md", "docs/client-behaviour.md"])
def test_every_scenario_named_in_a_catalogue_is_shipped(document: str) -> None:
    named = set(NAMED.findall((ROOT / document).read_text(encoding="utf-8"))) - {"mine.yaml"}
    assert named - {path.name for path in SHIPPED} == set()


def test_the_catalogue_names_every_scenario() -> None:
    """Whoever looks for a fault finds the file that shows it."""
    told = set(NAMED.findall((ROOT / "docs" / "faults.md").read_text(encoding="utf-8")))
    assert {path.name for path in SHIPPED} - told == set()


def test_the_documents_have_scenarios() -> None:
    places = Counter(one.place.partition(":")[0] for one in written())
    assert places["faults.md"] >= 40
    assert places["scenarios.md"] >= 10
    assert places["coming-from.md"] >= 50


@pytest.mark.parametrize("one", written(), ids=lambda one: one.place)
def test_every_scenario_and_rule_in_a_document_loads(one: Written) -> None:
    script = parse_text(one.text, str(ROOT / "docs" / one.place.partition(":")[0]))
    assert script.rules or script.server


# the certificates


def decoded(name: str) -> dict[str, object]:
    return ssl._ssl._test_decode_cert(str(CERTIFICATES / name))  # type: ignore[attr-defined, no-any-return]


@pytest.mark.parametrize("name", ["valid", "expired", "wrong-name"])
def test_a_certificate_and_its_key_belong_together_and_say_that_they_are_worthless(name: str) -> None:
    certificate, key = CERTIFICATES / f"{name}.pem", CERTIFICATES / f"{name}.key"
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key)
    for path in (certificate, key):
        assert path.read_text(encoding="ascii").startswith("Throw-away test ")
        assert "Worthless on purpose" in path.read_text(encoding="ascii")


@pytest.mark.parametrize(("name", "verdict"), [("valid", "OK"), ("wrong-name", "OK"), ("expired", "has expired")])
def test_the_certificates_are_what_they_are_called(name: str, verdict: str) -> None:
    command = [find_tool("openssl"), "verify", "-CAfile", CERTIFICATES / "ca.pem", CERTIFICATES / f"{name}.pem"]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    assert verdict in ran.stdout + ran.stderr


def test_one_certificate_is_for_another_host() -> None:
    assert ("DNS", "localhost") in decoded("valid.pem")["subjectAltName"]  # type: ignore[operator]
    assert ("DNS", "localhost") in decoded("expired.pem")["subjectAltName"]  # type: ignore[operator]
    assert decoded("wrong-name.pem")["subjectAltName"] == (("DNS", "pacs.invalid"),)
