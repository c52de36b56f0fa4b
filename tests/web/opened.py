"""A control API without a server behind it: a door in an event loop of its own, a stand-in for the desk, sockets."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import threading
import time
from collections.abc import AsyncIterator, Coroutine
from types import SimpleNamespace, TracebackType
from typing import Any, Self, TypeVar

import pytest
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from mockpacs.web.door import Door, Settings
from mockpacs.web.route import ANYTHING, JSON, YAML, Body, Route, closing

T = TypeVar("T")
PATIENCE_SECONDS = 20.0
Head = tuple[int, dict[str, str], bytes]


class Desk:
    """What the frame of the control API asks of a desk."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str]] = []
        self.failure: Exception | None = None
        self.addresses = [("127.0.0.1", 11112)]
        self.started = 1_700_000_000.0
        self.options = SimpleNamespace(aet="MOCKPACS")
        self.error: Exception = RuntimeError("that was not expected")

    def tell(self, kind: str, text: str, *, detail: bool = False) -> None:
        self.told.append((kind, text))


async def echo(_desk: Any, request: Request) -> Response:
    return Response(await request.body(), media_type="application/octet-stream")


async def measure(_desk: Any, request: Request) -> Response:
    size = 0
    async for piece in request.stream():
        size += len(piece)
    return Response(f"{size}\n")


async def stream(_desk: Any, request: Request) -> Response:
    async def lines() -> AsyncIterator[str]:
        yield "begin\n"
        await closing(request).wait()
        yield "end\n"

    return StreamingResponse(lines(), media_type="text/plain")


async def flood(_desk: Any, _request: Request) -> Response:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(64):
            yield bytes(1 << 20)

    return StreamingResponse(pieces(), media_type="application/octet-stream")


async def never(_desk: Any, _request: Request) -> Response:
    await asyncio.Event().wait()
    raise AssertionError("nobody sets it")


async def fail(desk: Desk, _request: Request) -> Response:
    raise desk.error


ROUTES = (
    Route("GET", "/stream", stream, "Until the end.", streams=True),
    Route("GET", "/flood", flood, "64 MiB."),
    Route("GET", "/never", never, "No answer."),
    Route("GET", "/fail", fail, "Raises what the desk has."),
    Route("POST", "/echo", echo, "Back.", body=Body("anything as JSON or YAML", (JSON, YAML))),
    Route("POST", "/echo/{word}", echo, "Back, or nothing.", body=Body("JSON or nothing", required=False)),
    Route("PUT", "/measure", measure, "How long it was.", body=Body("any bytes", (ANYTHING,), most=0)),
)


class Opened:
    """The door, open from the begin to the end of a ``with``; everything it had must be gone then."""

    def __init__(self, **settings: Any) -> None:
        self.desk = Desk()
        self._settings = Settings(**settings)
        self.complaints: list[str] = []

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(PATIENCE_SECONDS)

    def close(self, timeout_seconds: float = 5.0) -> None:
        self.run(self.door.close(timeout_seconds))

    def connect(self) -> socket.socket:
        return socket.create_connection(self.door.address, timeout=PATIENCE_SECONDS)

    def say(self, *pieces: bytes) -> bytes:
        """Connect, send, and read until the server closes."""
        with self.connect() as client:
            for piece in pieces:
                client.sendall(piece)
            return read_all(client)

    def ask(self, line: str, *headers: str, body: bytes = b"", host: str = "127.0.0.1") -> Head:
        """One request in which all is well that is not said otherwise."""
        said = [f"{line} HTTP/1.1", *([f"Host: {host}"] if host else []), "Connection: close", *headers]
        if body:
            said.append(f"Content-Length: {len(body)}")
        return parsed(self.say("\r\n".join([*said, "", ""]).encode("latin-1"), body))

    def __enter__(self) -> Self:
        self._before = (set(threading.enumerate()), _descriptors())
        self.loop = asyncio.new_event_loop()
        self.loop.set_exception_handler(lambda _loop, context: self.complaints.append(str(context)))
        self._thread = threading.Thread(target=self.loop.run_forever)
        self._thread.start()
        self.door = self.run(self._open())
        return self

    async def _open(self) -> Door:
        return await Door.open(self.desk, self._settings)  # type: ignore[arg-type]

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        try:
            self.close()
            tasks = self.run(_others())
        finally:
            self.loop.call_soon_threadsafe(self.loop.stop)
            self._thread.join()
            self.loop.close()
        if error is None:
            assert tasks == []
            assert set(threading.enumerate()) - self._before[0] == set()
            assert _descriptors() <= self._before[1]
            assert self.complaints == []

    def wait_until_nobody_is_served(self) -> None:
        """Return when no request is being answered any more."""
        until = time.monotonic() + PATIENCE_SECONDS
        while any("RequestResponseCycle" in task for task in self.run(_others())):
            assert time.monotonic() < until


async def _others() -> list[str]:
    return [str(task) for task in asyncio.all_tasks() if task is not asyncio.current_task()]


def _descriptors() -> int:
    try:
        return len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    except OSError:
        return 0


def read_all(client: socket.socket) -> bytes:
    data = bytearray()
    try:
        while piece := client.recv(1 << 16):
            data += piece
    except ConnectionResetError:
        data += b"(reset)"
    return bytes(data)


def parsed(answer: bytes) -> Head:
    """Status, headers by small letters, body."""
    head, _, body = answer.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    assert first.startswith("HTTP/1.1 "), answer
    assert len(headers) == len(lines), "a header is there twice"
    length = headers.get("content-length")
    return int(first.split()[1]), headers, body[: int(length)] if length else body


def error_of(answer: Head | bytes) -> tuple[int, str]:
    """Status and code of an error, which must be told in the one form, and be nothing a browser would run."""
    status, headers, body = answer if isinstance(answer, tuple) else parsed(answer)
    assert headers["content-type"] == "application/json"
    assert headers["x-content-type-options"] == "nosniff"
    assert not set(body) & set(b"<>&")
    told = json.loads(body)["error"]
    assert str(told["message"])[-1] in ".?", told["message"]
    return status, told["code"]


def use_routes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The routes of this module beside those that are about the server."""
    from mockpacs.web import about, api

    monkeypatch.setattr(api, "collected", lambda: ((*about.ROUTES, *ROUTES), {}))
