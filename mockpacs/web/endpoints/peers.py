"""Peers: who may be called, and where. A C-MOVE names its destination by the AE title only."""

from __future__ import annotations

import asyncio
import json
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from mockpacs.control.desk import Desk
from mockpacs.errors import ConfigurationError, StartError
from mockpacs.web.asked import Asked, body_text
from mockpacs.web.errors import ApiError
from mockpacs.web.json_response import JsonResponse
from mockpacs.web.route import Answer, Body, Parameter, Route, Schema
from mockpacs.written.kinds import Refused, quoted
from mockpacs.written.peer import Peer, PeerKind


async def all_peers(desk: Desk, request: Request) -> Response:
    """All peers, those of the configuration first."""
    Asked(request)
    return JsonResponse({"peers": [_told(peer) for peer in desk.peers]})


async def one_peer(desk: Desk, request: Request) -> Response:
    """One peer."""
    Asked(request)
    aet = request.path_params["aet"]
    try:
        return JsonResponse(_told(desk.peers[aet]))
    except ConfigurationError as error:
        raise _unknown(error) from error


async def set_peer(desk: Desk, request: Request) -> Response:
    """A peer from now on, in the place of one that has the title; what is on its way goes on."""
    Asked(request)
    peer = _read(request.path_params["aet"], await body_text(request))
    is_new = peer.aet not in desk.peers
    try:
        await asyncio.to_thread(desk.peers.add, peer)  # certificates are read from the disk
    except StartError as error:
        raise ApiError(422, "bad-peer", f"{error}.") from error
    return JsonResponse(_told(peer), 201 if is_new else 200)


async def remove_peer(desk: Desk, request: Request) -> Response:
    """A peer no longer."""
    Asked(request)
    try:
        desk.peers.remove(request.path_params["aet"])
    except ConfigurationError as error:
        raise _unknown(error) from error
    return JsonResponse({"removed": 1})


def _told(peer: Peer) -> dict[str, Any]:
    return {
        "aet": peer.aet,
        "host": peer.host,
        "port": peer.port,
        "transfer_syntaxes": list(peer.transfer_syntaxes),
        "tls": peer.tls,
        "tls_ca": None if peer.tls_ca is None else str(peer.tls_ca),
        "tls_verify": peer.tls_verify,
    }


def _unknown(error: ConfigurationError) -> ApiError:
    text = str(error)
    return ApiError(404, "no-such-peer", f"{text[:1].upper()}{text[1:]}{'' if text.endswith('?') else '.'}")


def _read(aet: str, text: str) -> Peer:
    """The peer of a body, which may repeat the title of the path."""
    try:
        body = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ApiError(400, "bad-json", f"The body is not JSON; a peer is written {_EXAMPLE}.") from error
    if not isinstance(body, dict):
        raise ApiError(400, "bad-body", f"A peer is written {_EXAMPLE}.")
    problems: list[str] = []
    if body.setdefault("aet", aet) != aet:
        problems.append(f"aet: {quoted(body['aet'])} is not the title in the path, {quoted(aet)}")
    try:
        peer = PeerKind().read({**body, "aet": aet})
    except Refused as no:
        problems += [sentence for _, sentence in no.problems]
    if problems:
        raise ApiError(422, "bad-peer", "\n".join(problems))
    return peer


_EXAMPLE: Final = '{"host": "127.0.0.1", "port": 11113}'
_AET: Final = Parameter("aet", "The AE title of the peer.", place="path")
_ONE: Final = "`aet`, `host`, `port`, `transfer_syntaxes`, `tls`, `tls_ca`, `tls_verify`."
_NONE: Final = Answer(404, "Code `no-such-peer`.")
_WRONG: Final = Answer(422, "Code `bad-peer`: what is wrong, a line each; nothing was changed.")
_PROPERTIES: Final[Schema] = {
    "aet": {"type": "string"},
    "host": {"type": "string"},
    "port": {"type": "integer", "minimum": 1, "maximum": 65535},
    "transfer_syntaxes": {"type": "array", "items": {"type": "string"}},
    "tls": {"type": "boolean"},
    "tls_ca": {"type": ["string", "null"]},
    "tls_verify": {"enum": ["name", "chain", "none"]},
}
_BODY: Final = Body(
    f"Where it listens, and how it is spoken to: {_EXAMPLE}.",
    schema={"type": "object", "required": ["host", "port"], "properties": _PROPERTIES, "additionalProperties": False},
)

ROUTES: Final = (
    Route("GET", "/peers", all_peers, "The peers that may be called.", answers=(Answer(200, f"`peers`, each {_ONE}"),)),
    Route("GET", "/peers/{aet:path}", one_peer, "One peer.", (_AET,), answers=(Answer(200, _ONE), _NONE)),
    Route(
        "PUT",
        "/peers/{aet:path}",
        set_peer,
        "Adds a peer, or replaces the one of that title.",
        (_AET,),
        _BODY,
        (Answer(200, f"It was replaced: {_ONE}"), Answer(201, f"It is new: {_ONE}"), _WRONG),
    ),
    Route(
        "DELETE",
        "/peers/{aet:path}",
        remove_peer,
        "Takes a peer away: a C-MOVE to it is then answered with A801.",
        (_AET,),
        answers=(Answer(200, "How many were `removed`."), _NONE),
    ),
)
