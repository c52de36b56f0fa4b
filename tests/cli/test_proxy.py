"""``mockpacs proxy`` as people start it: what it says, where it forwards, and how it refuses what cannot be."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from mockpacs import MockPACS
from mockpacs.net.proxy.possible import refuse_impossible
from mockpacs.proxying import ProxyOptions
from mockpacs.scenario.load import parse_text
from tests.cli.test_program import ROOT, run
from tests.net.wire_client import WireClient


@contextmanager
def proxying(*arguments: object) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "mockpacs", "proxy", "--listen", "0", *map(str, arguments)]
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    with subprocess.Popen(command, cwd=ROOT, **pipes) as started:
        yield started
        started.kill()


def lines(process: subprocess.Popen[str], count: int) -> list[str]:
    assert process.stdout is not None
    return [process.stdout.readline().rstrip("\n") for _ in range(count)]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no signals to send")
def test_it_says_what_it_forwards_and_what_passed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rules = tmp_path / "faults.yaml"
    rules.write_text(
        "mockpacs: 1\nname: faults\nrules:\n- {name: third, when: {service: C-ECHO}, nth: 2, then: {status: 0110}}\n"
        "expect:\n- {rule: third, count: 2}\n"
    )
    with MockPACS() as pacs:
        to = f"{pacs.host}:{pacs.port}"
        where = ("--to", to, "--recordings", tmp_path / "r", "--expect", "--seed", 7, rules)
        with proxying(*where, "--offer", "STORE=0:127.0.0.1:104") as process:
            banner = lines(process, 5)
            assert banner[0].endswith("NOT FOR CLINICAL USE")
            assert banner[1].startswith("proxy    127.0.0.1:")
            assert banner[1].endswith(f" -> {to}")
            assert banner[2].startswith("offers   STORE at 127.0.0.1:")
            assert banner[3].startswith(f"recorder {tmp_path}/r/")
            assert banner[4] == "scenario faults   1 rule, seed 7"
            port = int(banner[1].split()[1].rpartition(":")[2])
            with WireClient("127.0.0.1", port) as client:
                client.associate(calling="CT1")
                assert [client.echo(), client.echo()] == [0, 0x0110]
                client.release()
            said = lines(process, 2)
            assert "C-ECHO   CT1         success" in said[0]
            assert 'rule "third"' in said[1]
            process.send_signal(signal.SIGTERM)
            rest = process.communicate(timeout=20)[0]
    assert process.returncode == 1
    assert "1 association" in rest
    assert "unmet" in rest
    assert run(["show", str(next((tmp_path / "r").glob("*.pcapng")))]) == 0
    shown = capsys.readouterr().out
    assert 'rule "third"' in shown
    assert "<- 1.0" in shown


@pytest.mark.skipif(os.name == "nt", reason="Windows has no signals to send")
def test_json_lines_have_the_same_facts(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as host:
        to = f"127.0.0.1:{host.getsockname()[1]}"
        with proxying("--to", to, "--no-record", "--log-format", "json") as process:
            banner = json.loads(lines(process, 1)[0])
            assert (banner["event"], banner["to"], banner["recording"]) == ("serving", to, None)
            process.send_signal(signal.SIGINT)
            assert json.loads(process.communicate(timeout=20)[0])["event"] == "stopped"
    assert process.returncode == 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "--to is missing: the address of the server to forward to, HOST:PORT"),
        (["--to", "pacs"], '--to: "pacs" is not an address: HOST:PORT or tls://HOST:PORT'),
        (["--to", "ftp://pacs:104"], "is not an address"),
        (["--to", "::1:104"], "an IPv6 address stands between brackets"),
        (["--to", "h:1", "--listen", "far"], '--listen: "far" is not a port, or HOST:PORT'),
        (["--to", "h:1", "--listen", "203.0.113.1:0"], "203.0.113.1 is not an address of this machine"),
        (["--to", "h:1", "--network-timeout", "soon"], "--network-timeout: "),
        (["--to", "h:1", "find-slow"], "cannot be played by a proxy: pending: the server has the matches"),
        (["--to", "h:1", "nothing-like-it.yaml"], "nothing-like-it.yaml"),
    ],
)
def test_what_cannot_be_is_refused_with_a_sentence(
    arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["proxy", "--no-record", *arguments]) == 2
    said = capsys.readouterr().err
    assert sentence in said
    assert "Traceback" not in said


def test_help_has_examples(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["proxy", "--help"]) == 0
    assert "mockpacs proxy --to 10.0.0.5:104 --listen 11112" in capsys.readouterr().out


DOCUMENT = ROOT / "docs" / "replay" / "proxy.md"
BLOCKS = re.findall(r"^```([\w ]*)\n(.*?)^```$", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("text", [text for language, text in BLOCKS if language == "yaml scenario"])
def test_the_scenarios_of_the_manual_can_be_played_by_a_proxy(text: str) -> None:
    refuse_impossible(parse_text(text))


COMMANDS = [line.partition("#")[0] for language, text in BLOCKS if language == "sh" for line in text.splitlines()]


@pytest.mark.parametrize("command", [line for line in COMMANDS if line.startswith("mockpacs proxy ")])
def test_the_commands_of_the_manual_are_understood(command: str) -> None:
    words = shlex.split(command)[2:]
    given = {}
    for flag, value in zip(words[::2], words[1::2], strict=False):
        given[flag[2:].replace("-", "_")] = [value] if flag == "--offer" else value
    assert ProxyOptions.of(given).to.port
    assert run([*shlex.split(command)[1:], "--help"]) == 0
