"""The process around the server: signals, other people's limits on it, and stops in the middle of everything."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import mockpacs
from mockpacs.errors import StartError
from mockpacs.wire import Abort, PDataTF, encode_pdu
from tests.net.conftest import PATIENCE_SECONDS, Served, incoming, stored
from tests.net.test_hostile_associations import last_pdu
from tests.net.test_hostile_messages import fill, query_for
from tests.net.test_hostile_timeouts import deaf
from tests.net.wire_client import WireClient, ct_image

SOURCES = str(Path(mockpacs.__file__).parents[1])
Spawn = Callable[..., "Process"]


class Process:
    """``mockpacs serve`` as a process of its own, told to speak JSON."""

    def __init__(self, *arguments: str, python: tuple[str, ...] = (), **how: Any) -> None:
        options = ["--log-format", "json", "--port", "0", *arguments]
        command = [sys.executable, *python, "-m", "mockpacs", "serve", *options]
        environment = {**os.environ, "PYTHONPATH": SOURCES, **how.pop("environment", {})}
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, env=environment, stdout=pipe, stderr=pipe, text=True, **how)
        assert self.process.stdout is not None
        first = self.process.stdout.readline()
        assert first, self.ended()
        said = json.loads(first)
        self.host, self.port = said["host"], said["port"]

    def connect(self) -> WireClient:
        return WireClient(self.host, self.port, timeout=PATIENCE_SECONDS)

    def ended(self) -> tuple[int, list[dict[str, Any]], str]:
        """Exit status, what was said since the start, and what was complained."""
        out, error = self.process.communicate(timeout=PATIENCE_SECONDS)
        return self.process.returncode, [json.loads(line) for line in out.splitlines()], error


@pytest.fixture
def spawn() -> Iterator[Spawn]:
    running: list[Process] = []

    def start(*arguments: str, **how: Any) -> Process:
        running.append(Process(*arguments, **how))
        return running[-1]

    yield start
    for each in running:
        if each.process.poll() is None:
            each.process.kill()
        with each.process:  # closes its pipes, waits
            pass


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
@pytest.mark.parametrize("times", [1, 2, 20])
def test_a_signal_ends_the_process_and_the_associations_hear_of_it(
    spawn: Spawn, tmp_path: Path, number: signal.Signals, times: int
) -> None:
    server = spawn("--storage", str(tmp_path / "storage"))
    with server.connect() as idle, server.connect() as storing, server.connect() as silent:
        idle.associate()
        storing.associate()
        assert storing.store() == 0
        message = storing.store_request(ct_image("1.2.9", pixels=3_000_000), "1.2.9")
        storing.send(message[: last_pdu(message)])
        for _ in range(times):
            server.process.send_signal(number)
        assert idle.read_abort() == (0, 0)
        assert storing.read_abort() == (0, 0)
        for client in (idle, storing, silent):
            client.read_end()
    status, said, complaints = server.ended()
    assert (status, complaints) == (0, "")
    assert said[-1]["event"] == "stopped"
    assert len(stored(tmp_path / "storage")) == 1
    assert incoming(tmp_path / "storage") == []
    assert (tmp_path / "storage/archive.lock").read_text() == "clean\n"


HOSTILE = (
    b"GET / HTTP/1.1\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00",
    b"\1\0\xff\xff\xff\xff",
    bytes(1000),
    b"\1\0\0\0\0\2ab",
)


def test_an_optimized_interpreter_behaves_the_same(spawn: Spawn, tmp_path: Path) -> None:
    server = spawn("--storage", str(tmp_path / "storage"), python=("-OO",))
    for sent in HOSTILE:
        with server.connect() as client:
            client.send(sent)
            pdu = client.read()
            assert isinstance(pdu, Abort), sent
            assert pdu.source == 2
    with server.connect() as client:
        client.associate()
        assert client.echo() == 0
        assert client.store() == 0
        assert client.store(b"no data set", "1.2.77") == 0xB007
        client.send(client.store_request(ct_image(), "../../x"))
        assert client.status() == 0x0117
        assert [status for status, _ in client.find(query_for("STUDY"))][-1] == 0
        client.send(b"HELLO!")
        assert client.read_abort() == (2, 1)
    server.process.terminate()
    status, _, complaints = server.ended()
    assert (status, complaints) == (0, "")


def test_neither_a_home_nor_a_writable_working_directory_is_needed(spawn: Spawn, tmp_path: Path) -> None:
    nowhere = tmp_path / "read-only"
    nowhere.mkdir()
    nowhere.chmod(0o555)
    home = {"HOME": "/nonexistent", "XDG_CONFIG_HOME": "/nonexistent", "TMPDIR": "/nonexistent"}
    server = spawn("--storage", str(tmp_path / "storage"), cwd=nowhere, environment=home)
    with server.connect() as client:
        client.associate()
        assert client.store() == 0
    server.process.terminate()
    status, _, complaints = server.ended()
    assert (status, complaints) == (0, "")
    assert list(nowhere.iterdir()) == []


def failure(tmp_path: Path, *arguments: str, **how: Any) -> str:
    """The one sentence of a start that must fail."""
    command = [sys.executable, "-m", "mockpacs", "serve", *arguments]
    environment = {**os.environ, "PYTHONPATH": SOURCES}
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=PATIENCE_SECONDS, cwd=tmp_path, **how
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("mockpacs: ")
    assert done.stderr.count("\n") == 1
    assert "Traceback" not in done.stderr
    return done.stderr


def test_a_port_in_use_is_a_sentence(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert f"port {port} of 127.0.0.1 is in use" in failure(tmp_path, "--memory", "--port", str(port))


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may listen on port 104")
def test_a_port_one_has_no_right_to_is_a_sentence(tmp_path: Path) -> None:
    assert "need privileges" in failure(tmp_path, "--memory", "--port", "104")


def test_an_address_of_somebody_else_is_a_sentence(tmp_path: Path) -> None:
    assert "is not an address of this machine" in failure(tmp_path, "--memory", "--port", "0", "--host", "192.0.2.1")


def test_a_storage_that_is_a_file_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "file" in failure(tmp_path, "--port", "0", "--storage", str(tmp_path / "file"))


def test_a_storage_somebody_else_serves_is_a_sentence(serve: Callable[..., Served], tmp_path: Path) -> None:
    server = serve(storage=tmp_path / "storage")
    assert "in use by another process" in failure(tmp_path, "--port", "0", "--storage", str(tmp_path / "storage"))
    server.still_serves()


@pytest.mark.skipif(sys.platform != "linux", reason="the limit of a running process can be changed on Linux only")
def test_a_file_size_limit_is_a_full_disk_and_its_end_the_end_of_the_trouble(spawn: Spawn, tmp_path: Path) -> None:
    import resource

    server = spawn("--storage", str(tmp_path / "storage"), "--no-record")
    with server.connect() as client:
        client.associate()
        assert client.store(ct_image("1.2.1"), "1.2.1") == 0
        _, hard = resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (1000, hard))
        for pixels in (0, 100_000, 5_000_000):
            client.send(client.store_request(ct_image("1.2.2", pixels=pixels), "1.2.2"))
            response, _ = client.response()
            assert response.status == 0xA700
            assert response.error_comment is not None
            assert response.error_comment.startswith("Out of resources: ")
        assert client.echo() == 0
        assert incoming(tmp_path / "storage") == []
        resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (hard, hard))
        assert client.store(ct_image("1.2.2"), "1.2.2") == 0
    server.process.terminate()
    status, _, complaints = server.ended()
    assert (status, complaints) == (0, "")
    assert len(stored(tmp_path / "storage")) == 2


def test_a_log_that_nobody_reads_any_more_does_not_end_the_server(spawn: Spawn) -> None:
    server = spawn("--memory")
    assert server.process.stdout is not None
    server.process.stdout.close()
    with server.connect() as client:
        client.associate()
        for _ in range(50):
            assert client.echo() == 0
    server.process.terminate()
    assert server.process.wait(PATIENCE_SECONDS) == 0


def test_a_stop_in_the_middle_of_everything_is_in_time_and_clean(serve: Callable[..., Served], tmp_path: Path) -> None:
    """The fixture stops the server and looks at what is left; `StopError` would fail the test."""
    server = serve(storage=tmp_path / "storage", network_timeout="30s")
    fill(server, 200)
    for n in range(8):
        querying, storing = deaf(server), server.associate()
        querying.send(*[querying.find_request(query_for("STUDY")) for _ in range(50)])
        message = storing.store_request(ct_image(f"1.2.{n}", pixels=2_500_000), f"1.2.{n}")
        storing.send(message[: last_pdu(message)])
        server.connect().send(b"\1\0")
        burst = server.associate()
        burst.send(*[burst.store_request(ct_image(f"1.3.{n}.{m}"), f"1.3.{n}.{m}") for m in range(50)])
        assert isinstance(querying.read(), PDataTF)
    server.pacs.stop()
    answered = {exchange.status for exchange in server.exchanges if exchange.service == "C-STORE"}
    assert answered <= {0, None}
    assert (tmp_path / "storage/archive.lock").read_text() == "clean\n"


def test_what_was_acknowledged_before_a_stop_is_there_after_the_next_start(
    serve: Callable[..., Served], tmp_path: Path
) -> None:
    server = serve(storage=tmp_path / "storage")
    client = server.associate()
    client.send(*[client.store_request(ct_image(f"1.2.{n}"), f"1.2.{n}") for n in range(200)])
    acknowledged = [client.response()[0].status for _ in range(20)]
    server.pacs.stop()
    assert acknowledged == [0] * 20
    again = serve(storage=tmp_path / "storage")
    assert str(again.pacs.archive.recovery) == ""
    assert again.pacs.archive.counts().instances == len(stored(again.storage)) >= 20
    again.still_serves()


def test_a_stop_is_harmless_when_repeated_and_from_within_a_busy_server(serve: Callable[..., Served]) -> None:
    server = serve()
    client = server.associate()
    client.send(client.echo_request() * 1000)
    server.pacs.stop()
    server.pacs.stop()
    while isinstance(pdu := client.read(), PDataTF):
        pass
    assert pdu in (Abort(0, 0), None)


def test_a_second_server_on_the_same_port_is_a_sentence(server: Served) -> None:
    with pytest.raises(StartError, match="is in use"):
        mockpacs.MockPACS(port=server.port).start()


def test_an_abort_that_meets_the_stop_is_nothing_special(serve: Callable[..., Served]) -> None:
    server = serve()
    clients = [server.associate() for _ in range(50)]
    for client in clients:
        client.send(client.echo_request(), encode_pdu(Abort(0, 0)))
    server.pacs.stop()
    assert server.notices("trouble") == []
