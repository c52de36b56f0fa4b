"""What comes in with a request: its kind, its size, its pace."""

from __future__ import annotations

import pytest

from mockpacs.web import intake
from mockpacs.web.route import DOCUMENT_SIZE
from tests.web.opened import Opened, error_of, parsed

JSON = "Content-Type: application/json"
POST = b"POST /api/v1/echo HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    "kind",
    ["application/json", "Application/JSON; charset=UTF-8", "application/yaml", 'application/json; charset="utf-8"'],
)
def test_what_is_asked_for_is_taken(door: Opened, kind: str) -> None:
    assert door.ask("POST /api/v1/echo", f"Content-Type: {kind}", body=b"[1]")[::2] == (200, b"[1]")


@pytest.mark.parametrize(
    ("header", "code"),
    [
        ("Content-Type: text/html", "bad-type"),
        ("Content-Type: application/json, text/plain", "bad-type"),
        ("Content-Type: application/json; charset=utf-16", "bad-charset"),
        (f"{JSON}\r\nContent-Encoding: gzip", "bad-encoding"),
    ],
)
def test_what_is_not_is_refused(door: Opened, header: str, code: str) -> None:
    assert error_of(door.ask("POST /api/v1/echo", header, body=b"[1]")) == (415, code)


def test_a_body_may_be_missing_only_where_it_may(door: Opened) -> None:
    assert error_of(door.ask("POST /api/v1/echo", JSON)) == (400, "no-body")
    assert error_of(door.ask("POST /api/v1/echo", JSON, "Content-Length: 0")) == (400, "no-body")
    assert door.ask("POST /api/v1/echo/x")[0] == 200


def test_anything_is_taken_where_anything_is(door: Opened) -> None:
    for header in ["X: y", "Content-Type: text/plain", "Content-Type: application/dicom"]:
        assert door.ask("PUT /api/v1/measure", header, body=bytes(100))[::2] == (200, b"100\n")


def test_a_document_has_a_size_at_most(door: Opened) -> None:
    assert len(door.ask("POST /api/v1/echo", JSON, body=bytes(DOCUMENT_SIZE))[2]) == DOCUMENT_SIZE
    assert error_of(door.ask("POST /api/v1/echo", JSON, body=bytes(DOCUMENT_SIZE + 1))) == (413, "too-large")


@pytest.mark.parametrize("size", [64 << 20, DOCUMENT_SIZE + 1])
def test_a_large_body_is_refused_and_the_client_hears_why(door: Opened, size: int) -> None:
    """Said beforehand or not: somebody who sends all of it before it listens gets the answer, not a reset."""
    body = bytes(size)
    answer = parsed(door.say(POST + b"Content-Length: %d\r\n\r\n" % size, body))
    assert error_of(answer) == (413, "too-large")
    assert answer[1]["connection"] == "close"
    half = size // 2
    pieces = [b"%x\r\n" % half, body[:half], b"\r\n%x\r\n" % (size - half), body[half:], b"\r\n0\r\n\r\n"]
    assert error_of(door.say(CHUNKED, *pieces)) == (413, "too-large")


def test_a_client_that_asks_first_does_not_send_what_is_too_large(door: Opened) -> None:
    head = POST + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n"
    assert error_of(door.say(head % (64 << 20))) == (413, "too-large")
    with door.connect() as client:
        client.sendall(head % 3)
        assert client.recv(1 << 16).startswith(b"HTTP/1.1 100 ")


def test_what_has_no_limit_has_none(door: Opened) -> None:
    size = 64 << 20
    assert door.ask("PUT /api/v1/measure", body=bytes(size))[::2] == (200, b"%d\n" % size)


def test_a_body_nobody_asked_for_is_not_read(door: Opened) -> None:
    status, headers, body = door.ask("GET /api/v1/health", body=bytes(8 << 20))
    assert (status, headers["connection"], body) == (200, "close", b'{"status": "alive"}\n')
    assert error_of(door.ask("PUT /api/v1/health", body=bytes(8 << 20))) == (405, "bad-method")
    assert error_of(door.ask("PUT /api/v1/nothing", body=bytes(8 << 20))) == (404, "not-found")


@pytest.mark.parametrize("rest", [b"1\r\n{\r\n", b"1\r\n", bytes(100), b""])
def test_a_slow_body_is_not_waited_for(door: Opened, rest: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake, "PACE_SECONDS", 0.05)
    assert error_of(door.say(CHUNKED + rest)) == (408, "too-slow")
    assert error_of(door.say(POST + b"Content-Length: 101\r\n\r\n" + rest)) == (408, "too-slow")


def test_a_body_that_comes_in_small_pieces_is_taken(door: Opened) -> None:
    pieces = [b"a"] * 5000
    answer = parsed(door.say(POST + b"Content-Length: 5000\r\n\r\n", *pieces))
    assert (answer[0], answer[2]) == (200, b"a" * 5000)


@pytest.mark.parametrize(
    "chunks",
    [
        b"zz\r\n{}\r\n0\r\n\r\n",
        b"2\r\n{}garbage",
        b"-1\r\n{}\r\n",
        b"fffffffffffffffffffffffff\r\n{}",
        b"2\r\n{}\r\n0\r\nnot a trailer\r\n\r\n",
        b"2;" + b"x" * 100_000,
    ],
)
def test_chunks_that_are_none_are_refused(door: Opened, chunks: bytes) -> None:
    assert error_of(door.say(CHUNKED, chunks))[0] in (400, 431)
    assert door.ask("GET /api/v1/health")[0] == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (b"Content-Length: 1\r\nContent-Length: 2\r\n", 400),
        (b"Content-Length: -1\r\n", 400),
        (b"Content-Length: 1e3\r\n", 400),
        (b"Content-Length: " + b"9" * 4000 + b"\r\n", 400),
        (b"Content-Length: " + b"9" * 19 + b"\r\n", 413),
        (b"Transfer-Encoding: gzip, chunked\r\n", 501),
        (b"Transfer-Encoding: chunked, chunked\r\n", 501),
        (b"Transfer-Encoding: identity\r\n", 501),
    ],
)
def test_lengths_that_are_none_are_refused(door: Opened, headers: bytes, status: int) -> None:
    assert error_of(door.say(POST + headers + b"\r\n"))[0] == status


def test_a_client_that_goes_in_the_middle_of_its_body_harms_nobody(door: Opened) -> None:
    with door.connect() as client:
        client.sendall(POST + b"Content-Length: 100\r\n\r\n{")
    assert door.ask("GET /api/v1/health")[0] == 200
    assert door.desk.told == []
