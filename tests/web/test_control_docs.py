"""docs/control-api.md is true: it names every endpoint and every code, and each of its commands works."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from mockpacs import MockPACS
from mockpacs.web.api import collected
from tests.net.wire_client import WireClient
from tests.web.endpoints.asking import client_of
from tests.web.endpoints.test_archive import part10

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "control-api.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```sh\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
COMMANDS = [command for block in BLOCKS for command in re.findall(r"^curl (?:.*\\\n)*.*$", block, re.MULTILINE)]
FLAKY = "mockpacs: 1\nrules: [{when: {service: C-STORE}, nth: 2, then: abort}]\n"
STATES = "mockpacs: 1\nstate: {storage: {start: empty}}\nrules: []\n"


def test_every_endpoint_is_named_and_none_besides() -> None:
    served = {f"{route.method} {re.sub(r':path', '', route.path)}" for route in collected()[0]}

    assert set(re.findall(r"^\| `([A-Z]+ /\S*)` \|", TEXT, re.MULTILINE)) == served


def test_every_endpoint_has_an_example() -> None:
    missing = []
    for route in collected()[0]:
        path = re.sub(r"\{[^}]*\}", r"[^/\\s\"?]+", route.path)
        asked = re.compile(rf"\$API{path}(?=[\s\"?]|$)", re.MULTILINE)
        if not any(asked.search(command) and method_of(command) == route.method for command in COMMANDS):
            missing.append(f"{route.method} {route.path}")
    assert missing == []


def method_of(command: str) -> str:
    said = re.search(r"-X ([A-Z]+)", command)
    has_body = re.search(r"(?:^|\s)(?:-d|--data-binary)\s", command) and not re.search(r"\s-\w*G", command)
    return said[1] if said else "POST" if has_body else "GET"


def test_every_code_is_explained() -> None:
    told = set(re.findall(r"`([a-z]+(?:-[a-z]+)+|timeout|stopping|storage|unauthorized)`", TEXT))
    source = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "mockpacs" / "web").rglob("*.py"))
    raised = set(re.findall(r"ApiError\(\s*\d{3},\s*\"([a-z-]+)\"", source))

    assert raised - {"internal"} - told == set()


def test_every_command_works(tool: Callable[[str], str], tmp_path: Path) -> None:
    tool("curl")
    (tmp_path / "ct.dcm").write_bytes(part10("1.2.3.4.6"))
    (tmp_path / "flaky.yaml").write_text(FLAKY)
    (tmp_path / "states.yaml").write_text(STATES)
    with MockPACS(http=0) as pacs, WireClient(pacs.host, pacs.port) as scu, client_of(pacs) as api:
        scu.associate(calling="CT1")
        for command in COMMANDS:
            if not api.get("count").json()["count"]:  # the one before was a reset
                scu.store()
            if "1.1" in command:
                command = command.replace("1.1", api.get("exchanges?limit=1").json()["exchanges"][0]["id"])
            run(command, f"{pacs.url}/api/v1", tmp_path)
        assert api.get("rules").json()["rules"] == []


def run(command: str, api: str, folder: Path) -> None:
    """Every error is one; a stream is listened to for a moment."""
    is_stream = "/events" in command
    command = command.replace("curl ", "curl --fail-with-body ", 1)
    shell = subprocess.Popen(
        ["bash", "-c", f"API={api}\nexec {command}"],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={"PATH": "/usr/bin:/bin", "NO_PROXY": "*"},
    )
    with shell:
        assert shell.stdout is not None
        if is_stream:
            assert shell.stdout.readline() == b"retry: 1000\n"
            shell.kill()
            return
        told = shell.stdout.read()
    assert shell.returncode == 0, (command, told.decode())


@pytest.mark.parametrize("name", ["MOST_CONNECTIONS", "WAITING", "LISTENING", "READING"])
def test_the_limits_are_those_of_the_code(name: str) -> None:
    from mockpacs.web import crowd, hall

    limits = {
        "MOST_CONNECTIONS": ("connections", hall.MOST_CONNECTIONS),
        "WAITING": ("requests that wait", crowd.WAITING.most),
        "LISTENING": ("streams of events", crowd.LISTENING.most),
        "READING": ("downloads and uploads", crowd.READING.most),
    }
    words, most = limits[name]
    assert f"| {words} | {most} |" in TEXT
