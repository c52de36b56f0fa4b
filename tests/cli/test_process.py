"""The real program as a process of its own: it serves, stops when told to, and says so."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from tests.cli.test_program import ROOT


@pytest.fixture
def process() -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "mockpacs", "serve", "--memory", "--port", "0", "--log-format", "json", "-v"]
    environ = {name: value for name, value in os.environ.items() if not name.startswith("MOCKPACS_")}
    with subprocess.Popen(
        command, cwd=ROOT, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as started:
        yield started
        started.kill()


def read_event(process: subprocess.Popen[str]) -> dict[str, Any]:
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, process.stderr.read() if process.stderr else ""
    event = json.loads(line)
    assert isinstance(event, dict)
    return event


@pytest.mark.skipif(os.name == "nt", reason="Windows has no signals to send")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_the_server_with_connections_open_and_it_says_what_it_did(
    process: subprocess.Popen[str], number: signal.Signals
) -> None:
    serving = read_event(process)
    assert serving["event"] == "serving"
    with socket.create_connection((serving["host"], serving["port"]), timeout=10):
        process.send_signal(number)
        process.send_signal(number)  # impatience is harmless
        rest, complaints = process.communicate(timeout=30)
    assert (process.returncode, complaints) == (0, "")
    assert json.loads(rest.splitlines()[-1])["event"] == "stopped"


def test_the_port_answers_when_the_first_line_is_there(process: subprocess.Popen[str]) -> None:
    serving = read_event(process)
    with socket.create_connection((serving["host"], serving["port"]), timeout=10) as client:
        client.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert client.recv(16)[:1] == b"\x07"  # A-ABORT


def test_two_servers_on_one_port_give_a_sentence(process: subprocess.Popen[str]) -> None:
    port = read_event(process)["port"]
    command = [sys.executable, "-m", "mockpacs", "serve", "--memory", "--port", str(port)]
    second = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert second.returncode == 2
    assert second.stderr.startswith(f"mockpacs: port {port} of 127.0.0.1 is in use")
    assert second.stdout == ""
