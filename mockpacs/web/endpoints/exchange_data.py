"""The data set of a request as DICOM JSON, as a DICOM file, as bytes; and all bytes that were sent in an exchange.

Data sets are read from the recording piece by piece: none is held in memory beyond what JSON is made of.
"""

from __future__ import annotations

import asyncio
from typing import IO, Any, Final

from starlette.requests import Request
from starlette.responses import Response

from mockpacs.control.desk import Desk
from mockpacs.errors import RecordingError
from mockpacs.traffic.dump.dicom_json import convert
from mockpacs.traffic.dump.walk import unpacked
from mockpacs.traffic.exchange import Exchange
from mockpacs.traffic.recording.detail import Sink, data_of, read_exchange
from mockpacs.web.asked import Asked
from mockpacs.web.crowd import READING
from mockpacs.web.errors import ApiError
from mockpacs.web.json_response import JsonResponse
from mockpacs.web.lookup import MOST_READ, found, is_large
from mockpacs.web.parameters import ID, whole
from mockpacs.web.route import DICOM, Answer, Parameter, Route
from mockpacs.web.streaming import FilesResponse, attachment, temporary
from mockpacs.wire import Role
from mockpacs.wire.dataset import Encoding
from mockpacs.wire.part10 import FileMeta, encode_head

DICOM_JSON: Final = "application/dicom+json"
BYTES: Final = "application/octet-stream"
_ITEM: Final = b"\xfe\xff\x00\xe0"
_LONG: Final = frozenset(b"OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())
"""VRs that have four bytes of length, behind two that are reserved; where no VR is written this is a length."""


async def dataset_json(desk: Desk, request: Request) -> Response:
    """The data set in the DICOM JSON model (PS3.18 F); long values have a BulkDataURI to their bytes."""
    Asked(request)
    exchange = await _with_data(desk, request)
    bulk = f"{request.url.path}/bytes"
    with READING.place(desk):
        model, problems = await asyncio.to_thread(lambda: _model(exchange, bulk))
    headers = {"X-Mockpacs-Problems": "; ".join(problems)[:1000]} if problems else {}
    return JsonResponse(model, media_type=DICOM_JSON, headers=headers)


async def dataset_file(desk: Desk, request: Request) -> Response:
    """The data set as a DICOM file (PS3.10): byte for byte as it came, behind a head that names its transfer syntax."""
    Asked(request)
    exchange = await _with_data(desk, request)
    with READING.place(desk):
        file = await asyncio.to_thread(lambda: _spooled(exchange, _head(exchange)))
    name = attachment(exchange.sop_instance or exchange.id, ".dcm")
    return FilesResponse(desk, [file], media_type=DICOM, headers=name)


async def dataset_bytes(desk: Desk, request: Request) -> Response:
    """The data set as it was encoded, or ``size`` bytes of it from byte ``at`` on: where a BulkDataURI leads to."""
    asked = Asked(request, "at", "size")
    at, size = asked.whole("at", 0, 0, 2**50), asked.whole("size", -1, 0, 2**50)
    exchange = await _with_data(desk, request)
    with READING.place(desk):
        file = await asyncio.to_thread(lambda: _stretch(exchange, at, size))
    return FilesResponse(desk, [file], media_type=BYTES, headers=attachment(exchange.id, ".bin"))


async def exchange_bytes(desk: Desk, request: Request) -> Response:
    """All PDUs of the exchange that one side sent, as they were: of the requestor of the association by default."""
    asked = Asked(request, "side")
    sides = {role.value: role for role in Role}
    side = asked.text("side") or Role.REQUESTOR.value
    if side not in sides:
        raise ApiError(400, "bad-parameter", f"side: there are {' and '.join(sides)}.")
    exchange = _recorded(await found(desk, request.path_params["id"]))
    if is_large(exchange):
        text = f"The exchange has more than {MOST_READ} bytes; download the recording, or see its data set."
        raise ApiError(413, "too-large", text)
    with READING.place(desk):
        detail = await asyncio.to_thread(lambda: read_exchange(exchange))
    sent = b"".join(pdu.raw for pdu in detail.pdus if pdu.seen.sender is sides[side])
    return Response(sent, media_type=BYTES, headers=attachment(f"{exchange.id}-{side}", ".bin"))


async def _with_data(desk: Desk, request: Request) -> Exchange:
    exchange = await found(desk, request.path_params["id"])
    if not exchange.size:
        text = f"The request of exchange {exchange.id}, a {exchange.service}, has no data set."
        raise ApiError(404, "no-dataset", text)
    return _recorded(exchange)


def _recorded(exchange: Exchange) -> Exchange:
    if exchange.place is None:
        text = f"The bytes of exchange {exchange.id} were not recorded; with --memory it needs --recordings FOLDER."
        raise ApiError(404, "not-recorded", text)
    return exchange


def _encoding(exchange: Exchange) -> Encoding:
    return Encoding.of(exchange.context.transfer_syntax if exchange.context else "")


def _head(exchange: Exchange) -> bytes:
    syntax = exchange.context.transfer_syntax if exchange.context else ""
    one = exchange.association
    sender = one.calling if exchange.asked_by_us is one.by_us else one.called
    return encode_head(FileMeta(exchange.sop_class, exchange.sop_instance, syntax, sender))


def _spooled(exchange: Exchange, head: bytes = b"") -> tuple[IO[bytes], int]:
    """The data set in a file of its own, so that whoever reads slowly holds no thread. In a thread."""
    file = temporary()
    try:
        file.write(head)
        size = data_of(exchange, file)
        _refuse_less(size, exchange.size)
        file.seek(0)
    except BaseException:
        file.close()
        raise
    return file, len(head) + size


def _refuse_less(size: int, wanted: int) -> None:
    if size < wanted:
        raise RecordingError(f"The recording has {size} of the {wanted} bytes of this data set: the rest is gone.")


def _stretch(exchange: Exchange, at: int, size: int) -> tuple[IO[bytes], int]:
    """A part of the data set, of a deflated one after inflating; see `_spooled`."""
    file, whole = _spooled(exchange)
    if _encoding(exchange).deflated:
        with file:
            inflated = unpacked(file.read(MOST_READ), _encoding(exchange)).view
        file, whole = temporary(), len(inflated)
        file.write(inflated)
    if at > whole:
        file.close()
        raise ApiError(416, "out-of-range", f"The data set has {whole} bytes.")
    file.seek(at)
    return file, whole - at if size < 0 else min(size, whole - at)


class _Begin(Sink):
    """Takes how a data set begins, as much of it as JSON is made of."""

    def __init__(self) -> None:
        self.data = bytearray()

    def write(self, data: bytes | memoryview, /) -> None:
        """Take them, or do not."""
        self.data += data[: max(0, MOST_READ - len(self.data))]


def _model(exchange: Exchange, bulk: str) -> tuple[dict[str, Any], list[str]]:
    begin = _Begin()
    data_of(exchange, begin)
    opened = unpacked(bytes(begin.data), _encoding(exchange))
    model, problems = convert(bytes(begin.data), _encoding(exchange))
    _lead(model, opened.view, bulk)
    cut = [f"only the first {MOST_READ} bytes were read"] if exchange.size > MOST_READ else []
    return model, [*cut, *problems]


def _lead(model: dict[str, Any], view: memoryview, bulk: str) -> None:
    """What a BulkDataURI says of the place of an element becomes a path that leads to the bytes of its value."""
    waiting = [model]
    while waiting:
        for element in waiting.pop().values():
            if place := element.get("BulkDataURI"):
                at, size = map(int, place.removeprefix("#byte=").split("&size="))
                element["BulkDataURI"] = f"{bulk}?at={at + _head_length(view[at : at + 8])}&size={size}"
            elif element["vr"] == "SQ":
                waiting += element.get("Value", ())


def _head_length(begin: memoryview) -> int:
    """Bytes before the value of an element (PS3.5 7.1.2); the value of encapsulated pixel data begins with an item."""
    if bytes(begin[:4]) == _ITEM:
        return 0
    return 12 if bytes(begin[4:6]) in _LONG else 8


ROUTES: Final = (
    Route(
        "GET",
        "/exchanges/{id}/dataset",
        dataset_json,
        "The data set of the request in DICOM JSON; long values have a BulkDataURI to their bytes.",
        (ID,),
        answers=(Answer(200, "One data set (PS3.18 F.2).", DICOM_JSON),),
    ),
    Route(
        "GET",
        "/exchanges/{id}/dataset.dcm",
        dataset_file,
        "The data set of the request as a DICOM file.",
        (ID,),
        answers=(Answer(200, "The bytes that came, behind the head of PS3.10.", DICOM),),
    ),
    Route(
        "GET",
        "/exchanges/{id}/dataset/bytes",
        dataset_bytes,
        "The data set of the request as it was encoded, or a part of it.",
        (ID, Parameter("at", "The first byte.", whole(0)), Parameter("size", "How many; all unless said.", whole(0))),
        answers=(Answer(200, "The bytes.", BYTES),),
    ),
    Route(
        "GET",
        "/exchanges/{id}/bytes",
        exchange_bytes,
        "All PDUs of the exchange that one side of the association sent.",
        (ID, Parameter("side", "Which; the requestor unless said.", {"enum": ["requestor", "acceptor"]})),
        answers=(Answer(200, "The bytes as they were sent.", BYTES),),
    ),
)
