"""Who opened a connection whose beginning was not captured: guessed from the first bytes, then from the ports."""

from __future__ import annotations

from struct import Struct
from typing import Final

from mockpacs.wire import PduType, Role

_PORTS: Final = Struct(">HH")
_HEADER: Final = Struct(">BBI")
_DICOM_PORTS: Final = frozenset((104, 2761, 2762, 4242, 11112))
_COMMAND_FIELD: Final = b"\x00\x00\x00\x01\x02\x00\x00\x00"  # (0000,0100), two bytes
_LONGEST_GROUP: Final = 300
"""Bytes in which the command field is looked for; only UIDs and lengths stand before it."""
_RESPONSE: Final = 0x8000
_EVENT_REPORT: Final = 0x0100
_SENT_BY: Final = {
    PduType.ASSOCIATE_RQ: Role.REQUESTOR,
    PduType.ASSOCIATE_AC: Role.ACCEPTOR,
    PduType.ASSOCIATE_RJ: Role.ACCEPTOR,
    PduType.RELEASE_RQ: Role.REQUESTOR,
    PduType.RELEASE_RP: Role.ACCEPTOR,
}


def sender_of(data: bytes | memoryview, key: bytes) -> Role:
    """The role of who sent this payload, the first one seen of its connection; ``key`` ends with its ports."""
    return _by_content(bytes(data[:_LONGEST_GROUP])) or _by_ports(*_PORTS.unpack(key[-4:]))


def _by_content(data: bytes) -> Role | None:
    if len(data) < _HEADER.size:
        return None
    pdu_type, reserved, length = _HEADER.unpack_from(data)
    if reserved or length > 1 << 28:
        return None
    if pdu_type == PduType.P_DATA_TF:
        return _by_command(data)
    return _SENT_BY.get(pdu_type)


def _by_command(data: bytes) -> Role | None:
    """Who sends responses normally accepted the association; event reports go either way."""
    is_command = len(data) > 11 and data[11] & 1
    at = data.find(_COMMAND_FIELD, 12)
    if not is_command or at < 0 or at + 10 > len(data):
        return None
    field = data[at + 8] | data[at + 9] << 8
    if field & ~_RESPONSE == _EVENT_REPORT:
        return None
    return Role.ACCEPTOR if field & _RESPONSE else Role.REQUESTOR


def _by_ports(source: int, target: int) -> Role:
    """The acceptor has the port that is known for DICOM, or else the lower one."""
    if (source in _DICOM_PORTS) != (target in _DICOM_PORTS):
        return Role.ACCEPTOR if source in _DICOM_PORTS else Role.REQUESTOR
    return Role.ACCEPTOR if source < target else Role.REQUESTOR
