"""A finding as text and as JSON."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from mockpacs.traffic.exchange import Association
from mockpacs.traffic.findings.finding import Finding
from mockpacs.traffic.findings.render import as_json, line
from mockpacs.traffic.render import clock, iso_time
from mockpacs.wire import Role
from tests.traffic.findings.script import IMAGE, STORE_RQ, answers, asks, changed, findings, released

ONE = Association(2, "10.0.0.1:50000", "CT1", "PACS")
FINDING = Finding(ONE, 3, Role.ACCEPTOR, 1_700_000_000.25, "PS3.7 9.3.5.2", "C-ECHO-RSP with a data set", 74, "x")
NASTY = "\x1b]0;pwned\x07\r\n\u202e"


def test_a_line_says_when_where_who_what_and_why() -> None:
    assert line(FINDING) == f"{clock(FINDING.when)}  2.3    PACS > CT1: C-ECHO-RSP with a data set [PS3.7 9.3.5.2]"


def test_without_titles_there_are_addresses() -> None:
    nameless = replace(FINDING, association=Association(2, "10.0.0.1:50000"), exchange=0, sender=Role.REQUESTOR)

    assert line(nameless).startswith(f"{clock(FINDING.when)}  2      10.0.0.1:50000 > acceptor: ")


def test_text_of_a_peer_can_harm_no_terminal() -> None:
    nasty = replace(FINDING, text=NASTY, association=replace(ONE, calling=NASTY, called=NASTY))

    assert line(nasty).isprintable()
    assert "\\x1b" in line(nasty)


def test_json_has_everything() -> None:
    assert json.loads(json.dumps(as_json(FINDING))) == {
        "event": "finding",
        "time": iso_time(FINDING.when),
        "association": 2,
        "peer": "10.0.0.1:50000",
        "calling": "CT1",
        "called": "PACS",
        "exchange": 3,
        "sender": "acceptor",
        "check": "x",
        "clause": "PS3.7 9.3.5.2",
        "text": "C-ECHO-RSP with a data set",
        "position": 74,
    }


def test_the_line_in_the_manual_is_one_that_is_printed() -> None:
    manual = (Path(__file__).parents[3] / "docs" / "findings.md").read_text(encoding="utf-8")
    (finding,) = findings(released(asks(1, changed(STORE_RQ, {0x0700: None}), IMAGE), answers(1, STORE_RQ, 0)))

    assert line(finding).partition("CT1")[2] in manual
