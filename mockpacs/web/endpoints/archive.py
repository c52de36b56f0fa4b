"""The stored instances: listed, uploaded, downloaded, deleted. Disk and index are worked at in threads."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any, BinaryIO, Final
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response

from mockpacs.archive.instance import StoredInstance
from mockpacs.control.desk import Desk
from mockpacs.errors import ArchiveError, StorageError
from mockpacs.traffic.render import iso_time
from mockpacs.web.asked import Asked
from mockpacs.web.crowd import READING
from mockpacs.web.errors import ApiError
from mockpacs.web.json_response import JsonResponse
from mockpacs.web.parameters import whole
from mockpacs.web.route import DICOM, PREFIX, Answer, Body, Parameter, Route
from mockpacs.web.streaming import PIECE, PiecesResponse, attachment, temporary
from mockpacs.wire.text import printable

MOST: Final = 1000
"""Instances in one answer."""
_USUAL: Final = 100


async def list_instances(desk: Desk, request: Request) -> Response:
    """Instances in the order in which they were stored, and how much there is of everything."""
    asked = Asked(request, "patient", "study", "series", "limit", "offset")
    which = {name: asked.text(name) for name in ("patient", "study", "series")}
    limit, offset = asked.whole("limit", _USUAL, 1, MOST), asked.whole("offset", 0, 0, 2**62)
    await desk.settled()

    def listed() -> dict[str, Any]:
        found = desk.archive.instances(**which, limit=limit + 1, offset=offset)
        counts = desk.archive.counts()
        return {
            "instances": [_told(instance) for instance in found[:limit]],
            "more": len(found) > limit,
            "counts": {
                "patients": counts.patients,
                "studies": counts.studies,
                "series": counts.series,
                "instances": counts.instances,
                "bytes": counts.bytes,
            },
        }

    return JsonResponse(await asyncio.to_thread(listed))


async def upload_instance(desk: Desk, request: Request) -> Response:
    """Store a DICOM file, its data set byte for byte; it is spooled to the disk while it comes."""
    Asked(request)
    most = int(getattr(desk.options, "max_instance_size", 0) or 0)
    with READING.place(desk):
        file = temporary()
        try:
            await _receive(request, file, most)
            stored = await asyncio.to_thread(_stored, desk, file)
        finally:
            file.close()
    where = f"{PREFIX}/archive/{quote(stored.sop_instance)}"
    return JsonResponse(_told(stored), 201, headers={"Location": where})


async def one_instance(desk: Desk, request: Request) -> Response:
    """The file of an instance as it is stored."""
    Asked(request)
    stored = await _found(desk, request)
    pieces = stored.part10(PIECE)
    first = await asyncio.to_thread(next, pieces, b"")  # what cannot be opened is told before the answer has begun
    length = stored.data_offset + stored.size
    name = attachment(stored.sop_instance, ".dcm")
    return PiecesResponse(desk, _chained(first, pieces), length, lambda: None, media_type=DICOM, headers=name)


async def delete_instance(desk: Desk, request: Request) -> Response:
    """Delete one instance."""
    Asked(request)
    uid = request.path_params["uid"]
    await desk.settled()
    deleted = await asyncio.to_thread(lambda: desk.archive.delete(sop_instance=uid))
    if not deleted:
        raise _unknown(uid)
    return JsonResponse({"deleted": deleted})


async def delete_several(desk: Desk, request: Request) -> Response:
    """Delete a series or a study."""
    asked = Asked(request, "study", "series")
    which = {name: asked.text(name) for name in ("study", "series") if asked.text(name)}
    if len(which) != 1:
        text = "Name one study= or one series=; POST /reset?what=archive deletes everything."
        raise ApiError(400, "bad-parameter", text)
    await desk.settled()
    return JsonResponse({"deleted": await asyncio.to_thread(lambda: desk.archive.delete(**which))})


async def _found(desk: Desk, request: Request) -> StoredInstance:
    uid = request.path_params["uid"]
    await desk.settled()
    stored = await asyncio.to_thread(desk.archive.instance, uid)
    if stored is None:
        raise _unknown(uid)
    return stored


def _unknown(uid: str) -> ApiError:
    return ApiError(404, "no-such-instance", f"There is no instance {printable(uid, 64)} in the archive.")


async def _receive(request: Request, file: BinaryIO, most: int) -> None:
    """Put the body into a file; what has come goes there in pieces of some size, for each costs a thread its turn."""
    size, pieces = 0, bytearray()
    async for data in request.stream():
        size += len(data)
        if most and size > most:
            text = f"The file is larger than {most} bytes, the max_instance_size of this server."
            raise ApiError(413, "too-large", text)
        pieces += data
        if len(pieces) >= PIECE:
            await asyncio.to_thread(file.write, bytes(pieces))
            pieces.clear()
    await asyncio.to_thread(file.write, bytes(pieces))


def _stored(desk: Desk, file: BinaryIO) -> StoredInstance:
    file.seek(0)
    try:
        return desk.archive.add_stream(file, "the body")
    except StorageError:
        raise
    except ArchiveError as error:
        raise ApiError(422, "bad-instance", f"It was not stored: {error}.") from error


def _chained(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest


def _told(instance: StoredInstance) -> dict[str, Any]:
    return {
        "sop_instance": instance.sop_instance,
        "sop_class": instance.sop_class,
        "transfer_syntax": instance.transfer_syntax,
        "patient": instance.patient,
        "study": instance.study,
        "series": instance.series,
        "bytes": instance.data_offset + instance.size,
        "stored": iso_time(instance.stored_at),
    }


_UID: Final = Parameter("uid", "The SOP Instance UID.", place="path")
_STUDY: Final = Parameter("study", "A Study Instance UID.")
_SERIES: Final = Parameter("series", "A Series Instance UID.")
_NONE: Final = Answer(404, "Code `no-such-instance`.")
_DELETED: Final = Answer(200, "How many instances were `deleted`.")

ROUTES: Final = (
    Route(
        "GET",
        "/archive",
        list_instances,
        "The stored instances, in the order in which they were stored.",
        (
            Parameter("patient", "A Patient ID."),
            _STUDY,
            _SERIES,
            Parameter("limit", f"How many at most; {_USUAL} unless said.", whole(1, MOST)),
            Parameter("offset", "How many are passed over.", whole(0)),
        ),
        answers=(Answer(200, "`instances`, if there are `more`, and the `counts` of the whole archive."),),
    ),
    Route(
        "POST",
        "/archive",
        upload_instance,
        "Stores a DICOM file: its data set byte for byte, its file meta information is written anew.",
        body=Body("A DICOM file (PS3.10).", (DICOM, "application/octet-stream"), most=0),
        answers=(
            Answer(201, "What the archive has now; Location leads to it."),
            Answer(422, "Code `bad-instance`: it is no DICOM file, or another instance of its UID is stored."),
        ),
    ),
    Route(
        "DELETE",
        "/archive",
        delete_several,
        "Deletes a series or a study.",
        (_STUDY, _SERIES),
        answers=(_DELETED,),
    ),
    Route(
        "GET",
        "/archive/{uid}",
        one_instance,
        "Downloads an instance as it is stored.",
        (_UID,),
        answers=(Answer(200, "The DICOM file.", DICOM), _NONE),
    ),
    Route(
        "DELETE",
        "/archive/{uid}",
        delete_instance,
        "Deletes an instance.",
        (_UID,),
        answers=(_DELETED, _NONE),
    ),
)
