"""Every check is provoked by something, alone, and names its clause; every check is explained in the manual."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mockpacs.traffic.findings.check import CHECKS
from mockpacs.traffic.findings.render import line
from tests.traffic.findings.provocations import PROVOCATIONS
from tests.traffic.findings.script import Step, findings

ROOT = Path(__file__).parents[3]
ROW = re.compile(r"^\| `([a-z-]+)` \| ([^|]+) \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", re.MULTILINE)
ROWS = {row[0]: row for row in ROW.findall((ROOT / "docs" / "findings.md").read_text(encoding="utf-8"))}
# What in itself must bring another finding: a response nobody can pair leaves its request open, and so on.
COMPANIONS = {
    ("message-id-reused", "window-exceeded"),
    ("data-set-missing", "message-id-reused"),
    ("half-pdu", "closed-without-release"),
}


@pytest.mark.parametrize(
    ("name", "steps"), PROVOCATIONS, ids=[f"{number}-{name}" for number, (name, _) in enumerate(PROVOCATIONS)]
)
def test_a_breach_is_found_and_nothing_else(name: str, steps: list[Step]) -> None:
    found = findings(steps)

    assert {finding.check for finding in found} - {b for a, b in COMPANIONS if a == name} == {name}, found
    for finding in found:
        assert CHECKS[finding.check].covers(finding.clause), finding
        assert finding.text
        assert line(finding).isprintable()


def test_every_check_is_provoked() -> None:
    assert {name for name, _ in PROVOCATIONS} == set(CHECKS)


def test_the_manual_explains_every_check_and_no_other() -> None:
    assert list(ROWS) == list(CHECKS)
    for check in CHECKS.values():
        _, what, clauses, why, culprit = ROWS[check.name]
        assert what == check.what
        assert tuple(clauses.split(", ")) == check.clauses
        assert len(why) > 10
        assert len(culprit) > 3
