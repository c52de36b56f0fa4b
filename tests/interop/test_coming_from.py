"""docs/coming-from.md is true: storescp with an option and mockpacs with its rule look the same to storescu."""

from __future__ import annotations

import re
import socket
import subprocess
from pathlib import Path

import pytest

from mockpacs import MockPACS
from tests.interop.programs import run, running, until
from tests.interop.provoking import samples

TABLES = (Path(__file__).parents[2] / "docs" / "coming-from.md").read_text(encoding="utf-8")
OPTIONS = ("--refuse", "--ignore", "--sleep-after 1", "--abort-after", "--abort-during", "+xi")
ABOUT_THE_CLIENT_ALONE = re.compile(r"XMIT|Max Send PDV|checking input|Sending file|Converting|^[A-Z]: $")


@pytest.mark.parametrize("option", OPTIONS)
def test_an_option_of_storescp_and_its_rule_look_the_same(option: str, tmp_path: Path) -> None:
    instance = samples(tmp_path / "samples")["ct.dcm"]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with running("storescp", *option.split(), "-od", tmp_path, port, **quiet):
        until(lambda: "Connection refused" not in run("echoscu", "127.0.0.1", port).text, "storescp answers")
        expected = told(port, instance)
    scenario = tmp_path / "scenario.yaml"
    scenario.write_text(f"mockpacs: 1\nrules:\n  - {rule_for(option)}\n", encoding="utf-8")
    with MockPACS(scenario=(scenario,), memory=True) as pacs:
        assert told(pacs.port, instance) == expected
    assert [rule.fired for rule in pacs.summary.rules] == [1]


def rule_for(option: str) -> str:
    """The rule in the row of an option."""
    name = re.escape(option.partition(" ")[0])
    row = re.search(rf"^\| `storescp {name}[^|]*\|[^|]*\| `(.*?)` \|$", TABLES, re.MULTILINE)
    assert row is not None
    return row[1].replace("5s", "1s")


def told(port: int, instance: Path) -> list[str]:
    """What storescu says about the server."""
    lines = run("storescu", "-v", "127.0.0.1", port, instance).text.splitlines()
    return [line for line in lines if not ABOUT_THE_CLIENT_ALONE.search(line)]
