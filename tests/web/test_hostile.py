"""What is no HTTP, or HTTP that means harm: a defined answer or an end, and whoever speaks DICOM notices nothing."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest

from mockpacs import MockPACS
from mockpacs.web import connection, hall
from mockpacs.web.intake import PACE_BYTES
from tests.net.wire_client import WireClient
from tests.web.opened import Opened, error_of, parsed, read_all

HELLO = bytes.fromhex("16030100c8010000c40303") + bytes(190)
ASSOCIATE = b"\x01\x00\x00\x00\x00\xcd\x00\x01\x00\x00MOCKPACS        STORESCU        " + bytes(150)
GET = b"GET /api/v1/health HTTP/1.1\r\nHost: localhost\r\n"
NONSENSE = [
    HELLO,
    ASSOCIATE,
    b"\x00" * 1000,
    b"\r\n" * 10 + b"x\r\n\r\n",
    b"GET /\r\n\r\n",  # HTTP/0.9
    b"GET / HTTP/9.9.9\r\n\r\n",
    b"GET  / HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.1 \r\nHost: localhost\r\n\r\n",
    b"get\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"GET /api/v1/health HTTP/1.1\r\n folded\r\n\r\n",
    GET + b"no colon\r\n\r\n",
    GET + b"Bad Name: x\r\n\r\n",
    GET + b": x\r\n\r\n",
    GET + b"X: \x00\r\n\r\n",
    b"GET /\xff HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET /api/v1/health HTTP/1.1\r\nHost: localhost\r\nHost: evil.test\r\n\r\n",
    b"GET /api/v1/health HTTP/1.1\r\n\r\n",
    b"A" * 1_000_000,
    GET + b"X: " + b"a" * 1_000_000,
]


@pytest.mark.parametrize("said", NONSENSE, ids=[str(said[:32]) for said in NONSENSE])
def test_what_is_no_http_is_told_so_and_let_go(door: Opened, said: bytes) -> None:
    status, code = error_of(door.say(said))
    assert (status, code) in [(400, "bad-request"), (431, "header-too-large"), (421, "no-proxy")]
    assert door.ask("GET /api/v1/health")[0] == 200
    assert door.desk.told == []


def test_http_1_0_is_understood(door: Opened) -> None:
    status, headers, _ = parsed(door.say(b"GET /api/v1/health HTTP/1.0\r\nHost: localhost\r\n\r\n"))
    assert (status, headers["connection"]) == (200, "close")


def test_an_upgrade_is_not_taken(door: Opened) -> None:
    """Neither WebSocket nor HTTP/2: what was asked for is answered as if nobody had offered anything."""
    for offer in ["Upgrade: websocket\r\nSec-WebSocket-Key: AAAA\r\nSec-WebSocket-Version: 13", "Upgrade: h2c"]:
        head = GET + b"Connection: upgrade, close\r\n" + offer.encode() + b"\r\n\r\n"
        with door.connect() as client:
            client.sendall(head)
            assert client.recv(1 << 16).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("said", [b"G", GET, GET + b"X: y\r\n"])
def test_who_does_not_finish_a_header_is_not_waited_for(
    door: Opened, said: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "HEADER_SECONDS", 0.05)
    assert error_of(door.say(said)) == (408, "too-slow")
    assert door.say() == b""


def test_a_slow_header_after_a_good_request_is_not_waited_for(door: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    with door.connect() as client:
        client.sendall(GET + b"\r\n")
        seen = b""
        while b"alive" not in seen:
            seen += client.recv(1 << 16)
        monkeypatch.setattr(connection, "HEADER_SECONDS", 0.05)
        client.sendall(b"GET /")
        assert error_of(read_all(client)) == (408, "too-slow")


def test_who_sends_for_ever_after_its_answer_is_cut_off(door: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "LINGER_BYTES", 1 << 20)
    with door.connect() as client:
        client.sendall(b"nonsense\r\n\r\n")
        with pytest.raises((ConnectionResetError, BrokenPipeError)):
            client.sendall(bytes(512 << 20))


def test_who_stays_after_its_answer_is_cut_off(door: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "LINGER_SECONDS", 0.05)
    with door.connect() as client:
        client.sendall(b"nonsense\r\n\r\n")
        assert error_of(read_all(client)) == (400, "bad-request")
        with pytest.raises((ConnectionResetError, BrokenPipeError)):
            client.sendall(bytes(512 << 20))


def test_who_takes_nothing_is_cut_off(door: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "WRITE_SECONDS", 0.05)
    with door.connect() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.sendall(b"GET /api/v1/flood HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert client.recv(16)
        door.wait_until_nobody_is_served()
    assert door.ask("GET /api/v1/health")[0] == 200


def test_five_hundred_that_say_nothing_make_room_for_who_does(door: Opened) -> None:
    crowd = [door.connect() for _ in range(500)]
    try:
        for _ in range(3):
            assert door.ask("GET /api/v1/health")[0] == 200
        left = [client for client in crowd if not is_closed(client)]
        assert len(left) <= hall.MOST_CONNECTIONS
    finally:
        for client in crowd:
            client.close()


def is_closed(client: socket.socket) -> bool:
    client.setblocking(False)
    try:
        return client.recv(1) == b""
    except BlockingIOError:
        return False
    except ConnectionResetError:
        return True


def test_when_all_places_are_taken_by_requests_the_next_one_is_told(
    door: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hall, "MOST_CONNECTIONS", 4)
    streams = [door.connect() for _ in range(4)]
    for client in streams:
        client.sendall(b"GET /api/v1/stream HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert client.recv(1)
    assert error_of(door.ask("GET /api/v1/health")) == (503, "too-many")
    streams.pop().close()
    while (answer := door.ask("GET /api/v1/health"))[0] == 503:
        pass
    assert answer[0] == 200
    for client in streams:
        client.close()


@pytest.fixture
def pacs() -> Iterator[MockPACS]:
    with MockPACS(http=0) as serving:
        yield serving


def test_the_dicom_side_is_served_meanwhile(pacs: MockPACS) -> None:
    """All of it at once, again and again; an association that was there before goes on, new ones come."""
    assert pacs.url is not None
    where = ("127.0.0.1", int(pacs.url.rpartition(":")[2]))
    post = b"POST /api/v1/rules HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    attacks = [*NONSENSE, b"", GET, post + b"Content-Length: 64000000\r\n\r\n" + bytes(4 << 20), post + b"\r\n"]
    is_over = threading.Event()

    def attack() -> None:
        while not is_over.is_set():
            for said in attacks:
                try:
                    with socket.create_connection(where, timeout=20) as client:
                        client.sendall(said)
                        client.recv(PACE_BYTES) if said.endswith(b"\r\n\r\n") else None
                except OSError:
                    pass

    attackers = [threading.Thread(target=attack) for _ in range(3)]
    silent = [socket.create_connection(where, timeout=20) for _ in range(100)]
    with WireClient(pacs.host, pacs.port, timeout=20) as client:
        client.associate()
        for attacker in attackers:
            attacker.start()
        try:
            for _ in range(200):
                assert client.echo() == 0
            for _ in range(20):
                with WireClient(pacs.host, pacs.port, timeout=20) as other:
                    other.associate()
                    assert other.echo() == 0
                    other.release()
            client.release()
        finally:
            is_over.set()
            for attacker in attackers:
                attacker.join()
            for one in silent:
                one.close()
    assert [notice for notice in pacs.journal.notices if notice.kind == "trouble"] == []
    assert len([one for one in pacs.journal.exchanges if one.status == 0]) == 220
