"""``mockpacs serve SCENARIO``: the real program plays it, says which rule fired, reads it again, judges at the end."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mockpacs.traffic.exchange import Exchange
from mockpacs.traffic.recording.about import about
from mockpacs.traffic.recording.recording import Recording
from tests.cli.test_program import ROOT
from tests.net.wire_client import WireClient

REFUSING = """
mockpacs: 1
name: Two refusals
seed: 42
server: { aet: REFUSER }
rules:
  - { name: not now, when: { service: C-STORE }, times: 2, then: { status: out-of-resources, comment: Busy } }
  - { name: never met, when: { service: C-FIND, calling: CT01 }, then: { status: C001 } }
expect:
  - { service: C-STORE, status: success, count: 1 }
"""

Started = tuple["subprocess.Popen[str]", str, int, list[str]]


@pytest.fixture
def scenario(tmp_path: Path) -> Path:
    path = tmp_path / "refusing.yaml"
    path.write_text(REFUSING)
    return path


@pytest.fixture
def start(tmp_path: Path) -> Callable[..., object]:
    """``with start(words...) as (process, host, port, banner)``: the program, when its port answers."""

    @contextmanager
    def run(*words: str) -> Iterator[Started]:
        command = [sys.executable, "-m", "mockpacs", "serve", "--storage", str(tmp_path / "st"), "--port", "0", *words]
        environ = {name: value for name, value in os.environ.items() if not name.startswith("MOCKPACS_")}
        with subprocess.Popen(
            command, cwd=ROOT, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            banner = []
            while not (banner and banner[-1].lstrip().startswith("storescu")):
                line = process.stdout.readline()
                assert line, process.stderr and process.stderr.read()
                banner.append(line.rstrip())
            address = next(line for line in banner if line.startswith("DICOM")).split()[1]
            host, _, port = address.rpartition(":")
            try:
                yield process, host, int(port), banner
            finally:
                process.kill()

    return run


def stop(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=30)
    return process.returncode, out, err


def store(host: str, port: int, *, times: int = 1) -> list[int]:
    with WireClient(host, port) as client:
        client.associate()
        found = [client.store() for _ in range(times)]
        client.release()
    return found


def test_the_banner_names_the_scenario_and_the_lines_the_rule(start: Callable[..., object], scenario: Path) -> None:
    with start(str(scenario)) as (process, host, port, banner):  # type: ignore[attr-defined]
        assert "scenario Two refusals   2 rules, seed 42" in banner
        assert any("AE title REFUSER" in line for line in banner)  # what it says about the server holds
        assert store(host, port, times=3) == [0xA700, 0xA700, 0]
        status, out, err = stop(process)
    assert (status, err) == (0, "")
    assert out.count('Busy  rule "not now"  fault "status A700"') == 2
    assert re.search(r"^ +not now +fired 2$", out, re.MULTILINE)
    assert "never fired" in out
    assert "expected CT01" in out  # what came nearest, and what was different


def test_the_recording_has_the_scenario_the_seed_and_the_rules(
    start: Callable[..., object], scenario: Path, tmp_path: Path
) -> None:
    with start(str(scenario), "--seed", "7") as (process, host, port, _):  # type: ignore[attr-defined]
        store(host, port)
        stop(process)
    (path,) = (tmp_path / "st" / "recordings").glob("*.pcapng")
    assert (about(path).scenario, about(path).seed) == ("Two refusals", "7")
    (exchange,) = (one for one in Recording.open(path).records() if isinstance(one, Exchange))
    assert (exchange.rule, exchange.fault) == ("not now", "status A700")


def test_expectations_decide_the_exit_status_when_asked_to(start: Callable[..., object], scenario: Path) -> None:
    with start("--scenario", str(scenario), "--expect") as (process, host, port, _):  # type: ignore[attr-defined]
        store(host, port, times=2)
        status, out, _ = stop(process)
    assert status == 1
    assert "unmet" in out
    with start("--scenario", str(scenario), "--expect") as (process, host, port, _):  # type: ignore[attr-defined]
        store(host, port, times=3)
        assert stop(process)[0] == 0


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="this system has no SIGHUP")
def test_a_hangup_reads_the_scenarios_again_and_keeps_the_old_ones_when_they_are_wrong(
    start: Callable[..., object], scenario: Path
) -> None:
    with start(str(scenario)) as (process, host, port, _):  # type: ignore[attr-defined]
        assert store(host, port, times=3) == [0xA700, 0xA700, 0]
        scenario.write_text(REFUSING.replace("out-of-resources", "cannot-understand"))
        process.send_signal(signal.SIGHUP)
        assert process.stdout is not None
        while "were read again" not in process.stdout.readline():
            pass
        assert store(host, port) == [0xC000]
        scenario.write_text(REFUSING.replace("then:", "than:"))
        process.send_signal(signal.SIGHUP)
        while "were not read again" not in (line := process.stdout.readline()):
            pass
        assert "refusing.yaml:7" in line
        assert store(host, port, times=2) == [0xC000, 0]
        assert stop(process)[0] == 0


def test_a_scenario_that_is_wrong_is_told_with_its_place_and_nothing_serves(scenario: Path) -> None:
    scenario.write_text(REFUSING.replace("status: out-of", "statsu: out-of"))
    ran = subprocess.run(
        [sys.executable, "-m", "mockpacs", "serve", str(scenario), "--memory", "--port", "0"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 2
    assert ran.stdout == ""
    assert f"{scenario}:7:" in ran.stderr
    assert 'Did you mean "status"?' in ran.stderr
    assert "Traceback" not in ran.stderr


def test_json_says_which_rules_fired(scenario: Path) -> None:
    command = [sys.executable, "-m", "mockpacs", "serve", str(scenario), "--memory", "--port", "0"]
    with subprocess.Popen([*command, "--log-format", "json"], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        serving = json.loads(process.stdout.readline())
        assert (serving["scenarios"], serving["seed"]) == (["Two refusals"], 42)
        store(serving["host"], serving["port"])
        exchange = json.loads(process.stdout.readline())
        assert (exchange["rule"], exchange["fault"]) == ("not now", "status A700")
        process.send_signal(signal.SIGTERM)
        stopped = json.loads(process.communicate(timeout=30)[0].splitlines()[-1])
    assert stopped["rules"] == {"not now": 1, "never met": 0}
    assert len(stopped["unmet"]) == 1
