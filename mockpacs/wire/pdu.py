"""The seven PDUs of the upper layer and their codec (PS3.8 9.3): bytes to values and back.

`decode` never raises on what a peer sent: nonsense is a `Malformed`. `encode` raises `LocalProtocolError` on ours.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from struct import Struct
from typing import TypeAlias

from mockpacs.errors import LocalProtocolError
from mockpacs.wire.associate import (
    APPLICATION_CONTEXT,
    AssociateAC,
    AssociateRJ,
    AssociateRQ,
    ContextAnswer,
    ProposedContext,
    decode_ac,
    decode_rq,
    encode_ac,
    encode_rq,
)
from mockpacs.wire.item import ItemError
from mockpacs.wire.malformed import AbortReason, AbortSource, Malformed
from mockpacs.wire.pdata import PDV, PDataTF, decode_pdvs, encode_pdvs

__all__ = [
    "APPLICATION_CONTEXT",
    "PDV",
    "Abort",
    "AbortReason",
    "AbortSource",
    "AssociateAC",
    "AssociateRJ",
    "AssociateRQ",
    "ContextAnswer",
    "Malformed",
    "PDataTF",
    "Pdu",
    "PduType",
    "ProposedContext",
    "ReleaseRP",
    "ReleaseRQ",
    "decode",
    "encode",
]

_HEADER = Struct(">BxI")
FIXED_BODY_LENGTH = 4
"""The length of the body of A-ASSOCIATE-RJ, A-RELEASE-RQ, A-RELEASE-RP and A-ABORT, in bytes."""


class PduType(IntEnum):
    """The first byte of a PDU (PS3.8 9.3.1)."""

    ASSOCIATE_RQ = 1
    ASSOCIATE_AC = 2
    ASSOCIATE_RJ = 3
    P_DATA_TF = 4
    RELEASE_RQ = 5
    RELEASE_RP = 6
    ABORT = 7


@dataclass(frozen=True, slots=True)
class ReleaseRQ:
    """A-RELEASE-RQ (PS3.8 9.3.6)."""


@dataclass(frozen=True, slots=True)
class ReleaseRP:
    """A-RELEASE-RP (PS3.8 9.3.7)."""


@dataclass(frozen=True, slots=True)
class Abort:
    """A-ABORT (PS3.8 9.3.8); see `AbortSource` and `AbortReason`."""

    source: int = 0
    reason: int = 0


Pdu: TypeAlias = AssociateRQ | AssociateAC | AssociateRJ | PDataTF | ReleaseRQ | ReleaseRP | Abort


def encode(pdu: Pdu) -> bytes:
    """Encode a whole PDU, header included. Raises `LocalProtocolError` when a value does not fit its field."""
    try:
        pdu_type, body = _encode(pdu)
    except (ValueError, struct.error) as problem:
        raise LocalProtocolError(f"{type(pdu).__name__} has a value that does not fit: {problem}") from problem
    return _HEADER.pack(pdu_type, len(body)) + body


def decode(pdu_type: int, body: bytes | memoryview) -> Pdu | Malformed:
    """Decode the body of a PDU (what follows its 6 byte header). Data of PDVs are views into ``body``."""
    decoder = _DECODERS.get(pdu_type)
    if decoder is None:
        return Malformed(pdu_type, f"PDU type {pdu_type:02X}H is unknown", AbortReason.UNRECOGNIZED_PDU)
    try:
        return decoder(body)
    except ItemError as problem:
        return Malformed(pdu_type, str(problem), AbortReason.INVALID_PARAMETER)


def _encode(pdu: Pdu) -> tuple[PduType, bytes]:
    match pdu:
        case AssociateRQ():
            return PduType.ASSOCIATE_RQ, encode_rq(pdu)
        case AssociateAC():
            return PduType.ASSOCIATE_AC, encode_ac(pdu)
        case AssociateRJ(result, source, reason):
            return PduType.ASSOCIATE_RJ, bytes((0, result, source, reason))
        case PDataTF(pdvs):
            return PduType.P_DATA_TF, encode_pdvs(pdvs)
        case ReleaseRQ():
            return PduType.RELEASE_RQ, bytes(FIXED_BODY_LENGTH)
        case ReleaseRP():
            return PduType.RELEASE_RP, bytes(FIXED_BODY_LENGTH)
        case Abort(source, reason):
            return PduType.ABORT, bytes((0, 0, source, reason))


def _fixed(body: bytes | memoryview, name: str) -> bytes:
    if len(body) != FIXED_BODY_LENGTH:
        raise ItemError(f"{name}: {len(body)} bytes, it has {FIXED_BODY_LENGTH}")
    return bytes(body)


def _decode_rj(body: bytes | memoryview) -> AssociateRJ:
    return AssociateRJ(*_fixed(body, "A-ASSOCIATE-RJ")[1:])


def _decode_release_rq(body: bytes | memoryview) -> ReleaseRQ:
    _fixed(body, "A-RELEASE-RQ")
    return ReleaseRQ()


def _decode_release_rp(body: bytes | memoryview) -> ReleaseRP:
    _fixed(body, "A-RELEASE-RP")
    return ReleaseRP()


def _decode_abort(body: bytes | memoryview) -> Abort:
    return Abort(*_fixed(body, "A-ABORT")[2:])


_DECODERS: dict[int, Callable[[bytes | memoryview], Pdu]] = {
    PduType.ASSOCIATE_RQ: lambda body: decode_rq(bytes(body)),
    PduType.ASSOCIATE_AC: lambda body: decode_ac(bytes(body)),
    PduType.ASSOCIATE_RJ: _decode_rj,
    PduType.P_DATA_TF: lambda body: PDataTF(tuple(decode_pdvs(memoryview(body)))),
    PduType.RELEASE_RQ: _decode_release_rq,
    PduType.RELEASE_RP: _decode_release_rp,
    PduType.ABORT: _decode_abort,
}
