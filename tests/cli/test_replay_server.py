"""``mockpacs replay server`` as a process: it answers, says what was asked otherwise, and leaves with that status."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from mockpacs.scenario.load import load
from tests.cli.test_program import ROOT, run
from tests.net.wire_client import WireClient
from tests.replay.served import record, studies
from tests.replay.test_server import TWO_PATIENTS, ask_for_two

ENVIRON = {name: value for name, value in os.environ.items() if not name.startswith("MOCKPACS_")}
if_signals = pytest.mark.skipif(os.name == "nt", reason="Windows has no signals to send")


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return record(tmp_path_factory.mktemp("recorded"), ask_for_two, scenario=TWO_PATIENTS)


@contextmanager
def serving(*arguments: object) -> Iterator[tuple[subprocess.Popen[str], Any]]:
    """The process, and what its first line says."""
    words = ["replay", "server", *map(str, arguments), "--port", "0", "--no-http", "--log-format", "json"]
    with subprocess.Popen(
        [sys.executable, "-m", "mockpacs", *words],
        cwd=ROOT,
        env=ENVIRON,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line, process.stderr.read() if process.stderr else ""
            yield process, json.loads(line)
        finally:
            process.kill()


def stopped(process: subprocess.Popen[str]) -> tuple[int, dict[str, Any], str]:
    """Exit status, the report, and what was complained of."""
    process.send_signal(signal.SIGTERM)
    rest, complaints = process.communicate(timeout=30)
    return process.returncode, json.loads(rest.splitlines()[-1]), complaints


def find(where: dict[str, Any], *patients: str) -> list[int]:
    with WireClient(where["host"], where["port"]) as client:
        client.associate()
        found = [client.find(studies(patient))[-1][0] for patient in patients]
        client.release()
        return found


@if_signals
def test_all_was_asked_as_recorded(recording: Path, tmp_path: Path) -> None:
    with serving(recording, "--recordings", tmp_path) as (process, where):
        assert find(where, "P1", "P2") == [0, 0xA700]
        status, report, complaints = stopped(process)

    assert (status, complaints) == (0, "")
    assert report == {"event": "replayed", "recorded": 2, "answered": 2, "same": True, "differences": []}


@if_signals
@pytest.mark.parametrize(("flags", "status"), [((), 1), (("--no-expect",), 0)])
def test_something_else_was_asked(recording: Path, tmp_path: Path, flags: tuple[str, ...], status: int) -> None:
    with serving(recording, "--recordings", tmp_path, *flags) as (process, where):
        assert find(where, "P2", "P3") == [0xA700, 0x0110]
        returned, report, _ = stopped(process)

    assert returned == status
    assert [one["kind"] for one in report["differences"]] == ["never asked", "unmatched"]


@if_signals
def test_a_scenario_is_stronger_than_the_recording(recording: Path, tmp_path: Path) -> None:
    scenario = tmp_path / "busy.yaml"
    scenario.write_text("mockpacs: 1\nrules: [{ when: { service: C-FIND }, nth: 1, then: { status: C001 } }]\n")
    with serving(recording, "--recordings", tmp_path, "--scenario", scenario) as (process, where):
        assert find(where, "P1", "P1") == [0xC001, 0]
        stopped(process)


def test_it_can_be_written_as_a_scenario(recording: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scenario = tmp_path / "it" / "incident.yaml"
    words = ["replay", "server", str(recording), "--write-scenario", str(scenario)]
    assert run(words) == 0
    assert capsys.readouterr() == (f"written  {scenario}\n", "")
    assert len(load([scenario]).rules) == 4
    assert run(words) == 2
    assert capsys.readouterr().err == f"mockpacs: {scenario} is there already; name another file, or take it away\n"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--unmatched", "no"), '--unmatched: "no" is none of fail, last, honest'),
        (("--order", "no"), '--order: "no" is none of loose, strict'),
        (("--time", "soon"), '--time: "soon" is not asap, recorded, or a speed such as 2x or 0.5x'),
        (("--ignore", "Nonsense"), '--ignore: "Nonsense" is no attribute; write a keyword'),
        (("service:C-MOVE",), "has no association that a client opened"),
    ],
)
def test_what_cannot_be_is_a_sentence(
    recording: Path, words: tuple[str, ...], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["replay", "server", str(recording), *words]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert sentence in said.err


def test_a_recording_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["replay", "server", str(tmp_path / "no.pcapng")]) == 2
    assert "no such file" in capsys.readouterr().err
