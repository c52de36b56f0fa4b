"""The door of the control API: it costs nothing until somebody comes, and when it is closed nothing is left of it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest

from mockpacs.errors import StartError
from mockpacs.web import hall
from mockpacs.web.door import Door, Settings
from tests.web.opened import Desk, Opened, error_of, parsed, read_all, use_routes


def open_and_close(settings: Settings) -> Door:
    async def run() -> Door:
        door = await Door.open(Desk(), settings)  # type: ignore[arg-type]
        await door.close(1.0)
        return door

    return asyncio.run(run())


def test_it_answers(door: Opened) -> None:
    status, headers, body = door.ask("GET /api/v1/health")
    assert (status, body) == (200, b'{"status": "alive"}\n')
    assert headers["content-type"] == "application/json"
    assert headers["cache-control"] == "no-store"


def test_nothing_of_http_is_loaded_before_somebody_connects_and_then_it_is_loaded_beside_the_loop() -> None:
    """In a process of its own: here all is loaded long ago. The loop runs on while it is loading."""
    script = """
import asyncio, sys
from types import SimpleNamespace
from mockpacs.web.door import Door, Settings

def loaded():
    return sorted({"starlette", "uvicorn", "h11", "anyio", "http.client", "mockpacs.web.hall"} & set(sys.modules))

async def main():
    desk = SimpleNamespace(tell=print, failure=None)
    door = await Door.open(desk, Settings())
    print(loaded())
    reader, writer = await asyncio.open_connection(*door.address)
    writer.write(b"GET /api/v1/health HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: close\\r\\n\\r\\n")
    turns = 0
    asking = asyncio.ensure_future(reader.read())
    while not asking.done():
        await asyncio.sleep(0)
        turns += door._hall is None
    print((await asking).split()[1].decode(), turns > 3, "uvicorn" in loaded())
    writer.close()
    await door.close(1.0)
    print(len(asyncio.all_tasks()))

asyncio.run(main())
"""
    ran = subprocess.run([sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, timeout=60)
    assert (ran.stderr, ran.stdout.splitlines()) == ("", ["[]", "200 True True", "1"])


def test_the_start_of_serve_loads_no_http() -> None:
    script = """
import sys
from mockpacs.app import MockPACS
with MockPACS(http=0) as pacs:
    print(pacs.url is not None, sorted({"starlette", "uvicorn", "anyio", "h11"} & set(sys.modules)))
"""
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert (ran.stderr, ran.stdout) == ("", "True []\n")


@pytest.mark.parametrize("times", [0, 1, 3])
def test_closing_is_repeatable_and_frees_the_port(door: Opened, times: int) -> None:
    address = door.door.address
    if times:
        door.ask("GET /api/v1/health")
    for _ in range(times):
        door.close()
    if times:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(address)


def test_a_closing_while_loading_leaves_nothing(door: Opened) -> None:
    with door.connect():
        door.close()


def test_many_openings_leave_nothing() -> None:
    threads = set(threading.enumerate())
    for _ in range(50):
        open_and_close(Settings())
    assert set(threading.enumerate()) == threads


def test_the_port_is_the_one_that_was_asked_for_or_an_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(StartError, match=rf"^port {port} of 127.0.0.1 is in use; .*--http"):
            open_and_close(Settings(port=port))
        door = open_and_close(Settings(port=port, is_fixed=False))
        assert door.moved
        assert door.address[1] not in (0, port)
    door = open_and_close(Settings(port=port))
    assert (door.address, door.moved, door.url) == (("127.0.0.1", port), False, f"http://127.0.0.1:{port}")


@pytest.mark.parametrize(
    ("host", "sentence"),
    [("192.0.2.1", "is not an address of this machine"), ("no.such.host.invalid", "cannot listen on")],
)
def test_an_address_that_cannot_be_had_is_a_sentence(host: str, sentence: str) -> None:
    with pytest.raises(StartError, match=sentence):
        open_and_close(Settings(host=host))


def test_all_addresses_of_a_name_have_the_same_port() -> None:
    with Opened(host="localhost") as there:
        port = there.door.address[1]
        for family, *_, address in socket.getaddrinfo("localhost", port, type=socket.SOCK_STREAM):
            with socket.socket(family, socket.SOCK_STREAM) as client:
                client.connect(address)
                client.sendall(b"GET /api/v1/health HTTP/1.0\r\nHost: localhost\r\n\r\n")
                assert parsed(read_all(client))[0] == 200


def test_who_listens_everywhere_is_asked_from_here() -> None:
    assert open_and_close(Settings(host="0.0.0.0", token="opensesame")).url.startswith("http://127.0.0.1:")


def test_a_stream_ends_in_good_order_when_the_door_closes(door: Opened) -> None:
    with door.connect() as client:
        client.sendall(b"GET /api/v1/stream HTTP/1.1\r\nHost: localhost\r\n\r\n")
        begin = b""
        while b"begin" not in begin:
            begin += client.recv(1 << 16)
        door.close()
        assert read_all(client) == b"4\r\nend\n\r\n0\r\n\r\n"


def test_a_request_that_does_not_end_is_told_so_within_the_limit(door: Opened) -> None:
    with door.connect() as client:
        client.sendall(b"GET /api/v1/never HTTP/1.1\r\nHost: localhost\r\n\r\n")
        door.ask("GET /api/v1/health")
        began = time.monotonic()
        door.close(0.5)
        assert error_of(read_all(client)) == (503, "stopping")
        assert time.monotonic() - began < 5  # a bound for what must not hang, not a measurement


def test_a_client_that_takes_nothing_does_not_hold_up_the_close(door: Opened) -> None:
    with door.connect() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.sendall(b"GET /api/v1/flood HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert client.recv(16)
        door.close(0.5)


def test_idle_connections_and_half_a_request_end_with_the_door(door: Opened) -> None:
    with door.connect() as idle, door.connect() as half, door.connect() as silent:
        idle.sendall(b"GET /api/v1/health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert idle.recv(1 << 16).startswith(b"HTTP/1.1 200")
        half.sendall(b"GET /api/v1/health HTT")
        door.ask("GET /api/v1/health")
        door.close()
        assert b"HTTP" not in read_all(idle) + read_all(half) + read_all(silent)


def test_a_client_that_goes_away_ends_its_stream(door: Opened) -> None:
    with door.connect() as client:
        client.sendall(b"GET /api/v1/stream HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert client.recv(16)
    door.wait_until_nobody_is_served()


def test_the_signals_and_the_loggers_of_the_process_are_left_alone(door: Opened) -> None:
    watched = [logging.getLogger(name) for name in ("uvicorn", "uvicorn.error", "uvicorn.access")]
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    handler = logging.NullHandler()
    watched[2].addHandler(handler)
    try:
        assert door.ask("GET /api/v1/health")[0] == 200
        assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before
        assert [(logger.level, logger.propagate) for logger in watched] == [(0, True)] * 3
        assert watched[2].handlers == [handler]
    finally:
        watched[2].removeHandler(handler)


def test_what_cannot_be_loaded_is_told_and_who_waits_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ImportError("no module named starlette")

    monkeypatch.setattr(hall.Hall, "__init__", broken)
    with Opened() as there:
        with contextlib.suppress(ConnectionResetError), there.connect() as client:
            assert read_all(client) in (b"", b"(reset)")
        there.close()
        assert there.desk.told == [
            ("trouble", "the control API does not answer: ImportError: no module named starlette")
        ]


def test_requests_one_after_the_other_use_one_connection(door: Opened) -> None:
    request = b"GET /api/v1/health HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with door.connect() as client:
        client.sendall(request * 3)  # at once
        seen = b""
        while seen.count(b"alive") < 3:
            seen += client.recv(1 << 16)
        client.sendall(request)
        while seen.count(b"alive") < 4:
            seen += client.recv(1 << 16)


def test_the_loop_is_asleep_while_nobody_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    """No timer is left over after an answer but the one that ends the connection."""
    use_routes(monkeypatch)
    with Opened() as there:
        there.ask("GET /api/v1/health")

        async def timers() -> int:
            scheduled = getattr(asyncio.get_running_loop(), "_scheduled")  # noqa: B009
            return sum(not handle.cancelled() for handle in scheduled)

        until = time.monotonic() + 20
        while there.run(timers()):
            assert time.monotonic() < until
