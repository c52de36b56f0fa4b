"""Answers of any size: pieces read in threads while they are sent, never more than one of them in memory.

A client that stops reading holds a place and a file, no thread; when it has not read for a minute it is left.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from typing import IO, BinaryIO, Final, cast

from starlette.requests import ClientDisconnect
from starlette.responses import StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from mockpacs.control.desk import Desk
from mockpacs.traffic.object_file import harmless_name
from mockpacs.web.crowd import READING

PIECE: Final = 1 << 18
"""Bytes that are read at once."""
IN_MEMORY: Final = 1 << 20
"""Bytes of what is made for an answer, or comes as a body, that are kept in memory; more goes to a temporary file."""
STALLED_SECONDS: Final = 60.0


class PiecesResponse(StreamingResponse):
    """So many bytes, in pieces that are made in threads; ``close`` is called at the end, whatever happens."""

    def __init__(
        self,
        desk: Desk,
        pieces: Iterator[bytes],
        length: int,
        close: Callable[[], object],
        *,
        media_type: str,
        headers: Mapping[str, str],
    ) -> None:
        self._desk = desk
        self._close = close
        headers = {"Content-Length": str(length), **headers}
        super().__init__(_in_threads(pieces), headers=headers, media_type=media_type)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it. Raises `ApiError` when too many are being sent already."""
        try:
            with READING.place(self._desk):
                await super().__call__(scope, receive, patient(send))
        finally:
            self._close()


class FilesResponse(PiecesResponse):
    """So many bytes of each of some open files, one file after the other."""

    def __init__(
        self, desk: Desk, files: Sequence[tuple[IO[bytes], int]], *, media_type: str, headers: Mapping[str, str]
    ) -> None:
        def close() -> None:
            for file, _ in files:
                file.close()

        length = sum(size for _, size in files)
        super().__init__(desk, _pieces(files), length, close, media_type=media_type, headers=headers)


def _pieces(files: Sequence[tuple[IO[bytes], int]]) -> Iterator[bytes]:
    for file, size in files:
        left = size
        while left and (piece := file.read(min(PIECE, left))):
            left -= len(piece)
            yield piece


async def _in_threads(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    while piece := await asyncio.to_thread(next, pieces, b""):
        yield piece


def patient(send: Send, seconds: float = STALLED_SECONDS) -> Send:
    """Send, and raise ClientDisconnect when a client has not read for so long: for us it has gone."""

    async def timed(message: Message) -> None:
        try:
            async with asyncio.timeout(seconds):
                await send(message)
        except TimeoutError as error:
            raise ClientDisconnect from error

    return timed


def temporary() -> BinaryIO:
    """A file for what is made for an answer, in memory while it is small. It has no name, and is gone when closed."""
    return cast(BinaryIO, tempfile.SpooledTemporaryFile(IN_MEMORY, prefix="mockpacs-"))


def attachment(name: str, suffix: str) -> dict[str, str]:
    """The header that says under what name it is saved; nothing but harmless characters of a peer's text are in it."""
    return {"Content-Disposition": f'attachment; filename="{harmless_name(name)}{suffix}"'}
