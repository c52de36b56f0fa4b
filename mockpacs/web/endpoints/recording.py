"""The recording so far: whole blocks, all its parts, while it goes on being written."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import IO, Final

from starlette.requests import Request
from starlette.responses import Response

from mockpacs.control.desk import Desk
from mockpacs.traffic.folder import recordings, stem_of
from mockpacs.web.asked import Asked
from mockpacs.web.errors import ApiError
from mockpacs.web.json_response import JsonResponse
from mockpacs.web.route import Answer, Route
from mockpacs.web.streaming import FilesResponse, attachment

PCAPNG: Final = "application/x-pcapng"


async def about_recording(desk: Desk, request: Request) -> Response:
    """Where the recording is, and how large its files are."""
    Asked(request)
    await desk.settled()
    path, size = _now(desk)
    parts = await asyncio.to_thread(_sizes, path, size)
    return JsonResponse(
        {
            "path": str(path),
            "bytes": sum(parts.values()),
            "parts": [{"path": str(part), "bytes": length} for part, length in parts.items()],
        }
    )


async def download_recording(desk: Desk, request: Request) -> Response:
    """What is recorded by now; the parts of a recording that has several are sections of one file."""
    Asked(request)
    await desk.settled()
    path, size = _now(desk)
    files = await asyncio.to_thread(_open, path, size)
    return FilesResponse(desk, files, media_type=PCAPNG, headers=attachment(stem_of(path), ".pcapng"))


def _now(desk: Desk) -> tuple[Path, int]:
    """The file that is being written, and its size: asked in the loop, which writes it, it ends with a whole block."""
    path = desk.recording
    if path is None:
        raise ApiError(404, "not-recorded", "This server does not record; with --memory it needs --recordings FOLDER.")
    try:
        return path, path.stat().st_size
    except OSError as error:
        raise ApiError(410, "not-readable", f"{path} cannot be read: {error.strerror}.") from error


def _parts(path: Path) -> list[Path]:
    """The files before this one, as many as there still are, and this one."""
    before = []
    for part in recordings(path.parent):
        if part == path:
            break
        if stem_of(part) == stem_of(path):
            before.append(part)
    return [*before, path]


def _sizes(path: Path, size: int) -> dict[Path, int]:
    sizes = {}
    for part in _parts(path):
        with contextlib.suppress(OSError):  # the oldest may be deleted at any time to make room
            sizes[part] = size if part == path else part.stat().st_size
    return sizes


def _open(path: Path, size: int) -> list[tuple[IO[bytes], int]]:
    """All files at once: what is deleted from now on can be read to its end."""
    files: list[tuple[IO[bytes], int]] = []
    try:
        for part, length in _sizes(path, size).items():
            with contextlib.suppress(FileNotFoundError):
                files.append((part.open("rb"), length))
    except OSError as error:
        for file, _ in files:
            file.close()
        raise ApiError(410, "not-readable", f"The recording cannot be read: {error.strerror}.") from error
    return files


ROUTES: Final = (
    Route(
        "GET",
        "/recording",
        about_recording,
        "Where the recording is, and how large its files are.",
        answers=(Answer(200, "`path` of the file that is being written, `bytes` and `parts` of the whole recording."),),
    ),
    Route(
        "GET",
        "/recording.pcapng",
        download_recording,
        "The recording so far, for Wireshark and mockpacs show.",
        answers=(Answer(200, "All that any peer was told when the request came, and whole blocks.", PCAPNG),),
    ),
)
