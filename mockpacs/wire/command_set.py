"""The elements of command sets: implicit VR little endian, group 0000, whatever the data set has (PS3.7 6.3.1).

Decoding keeps what it does not know as bytes and raises on nothing a peer sends; text is Latin 1, so any byte survives.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from enum import IntEnum
from struct import Struct
from typing import TypeAlias

from mockpacs.errors import LocalProtocolError
from mockpacs.wire.malformed import AbortReason, Malformed

Value: TypeAlias = int | str | bytes | tuple[int, ...]
"""US and UL are int, UI, AE and LO str without padding, AT and multiple US tuples; all else, and misfits, bytes."""


class Tag(IntEnum):
    """The elements of a command set (PS3.7 E.1)."""

    GROUP_LENGTH = 0x0000
    AFFECTED_SOP_CLASS = 0x0002
    REQUESTED_SOP_CLASS = 0x0003
    COMMAND_FIELD = 0x0100
    MESSAGE_ID = 0x0110
    MESSAGE_ID_RESPONDED_TO = 0x0120
    MOVE_DESTINATION = 0x0600
    PRIORITY = 0x0700
    DATA_SET_TYPE = 0x0800
    STATUS = 0x0900
    OFFENDING_ELEMENT = 0x0901
    ERROR_COMMENT = 0x0902
    ERROR_ID = 0x0903
    AFFECTED_SOP_INSTANCE = 0x1000
    REQUESTED_SOP_INSTANCE = 0x1001
    EVENT_TYPE = 0x1002
    ATTRIBUTE_IDENTIFIER_LIST = 0x1005
    ACTION_TYPE = 0x1008
    REMAINING_SUB_OPERATIONS = 0x1020
    COMPLETED_SUB_OPERATIONS = 0x1021
    FAILED_SUB_OPERATIONS = 0x1022
    WARNING_SUB_OPERATIONS = 0x1023
    MOVE_ORIGINATOR_AET = 0x1030
    MOVE_ORIGINATOR_MESSAGE_ID = 0x1031


class CommandField(IntEnum):
    """What a message is (PS3.7 E.1-1)."""

    C_STORE_RQ = 0x0001
    C_STORE_RSP = 0x8001
    C_GET_RQ = 0x0010
    C_GET_RSP = 0x8010
    C_FIND_RQ = 0x0020
    C_FIND_RSP = 0x8020
    C_MOVE_RQ = 0x0021
    C_MOVE_RSP = 0x8021
    C_ECHO_RQ = 0x0030
    C_ECHO_RSP = 0x8030
    N_EVENT_REPORT_RQ = 0x0100
    N_EVENT_REPORT_RSP = 0x8100
    N_GET_RQ = 0x0110
    N_GET_RSP = 0x8110
    N_SET_RQ = 0x0120
    N_SET_RSP = 0x8120
    N_ACTION_RQ = 0x0130
    N_ACTION_RSP = 0x8130
    N_CREATE_RQ = 0x0140
    N_CREATE_RSP = 0x8140
    N_DELETE_RQ = 0x0150
    N_DELETE_RSP = 0x8150
    C_CANCEL_RQ = 0x0FFF

    @property
    def service(self) -> str:
        """The name of the DIMSE service: ``C-STORE``, ``N-EVENT-REPORT``, also ``C-CANCEL``."""
        return _SERVICES[self]


FIELDS = {int(member): member for member in CommandField}
_SERVICES = {member: member.name.rpartition("_")[0].replace("_", "-") for member in CommandField}


_ELEMENT = Struct("<HHI")
_US = Struct("<H")
_AT = Struct("<HH")
_GROUP_LENGTH = Struct("<HHII")


def encode_elements(elements: Mapping[int, Value]) -> bytes:
    """Encode a command set: ascending tags, even lengths, the right group length (PS3.7 6.3.1).

    Raises `LocalProtocolError` when a value cannot be encoded.
    """
    parts: list[bytes] = [b""]
    length = 0
    for tag, value in sorted(elements.items()):
        if tag == Tag.GROUP_LENGTH:
            continue
        raw = _encode_value(tag, value)
        parts += (_ELEMENT.pack(0, tag, len(raw)), raw)
        length += 8 + len(raw)
    parts[0] = _GROUP_LENGTH.pack(0, Tag.GROUP_LENGTH, 4, length)
    return b"".join(parts)


def decode_elements(raw: bytes) -> dict[int, Value] | Malformed:
    """Decode a command set. The group length is not trusted, nor required; unknown elements are bytes."""
    elements: dict[int, Value] = {}
    unpack, offset, end = _ELEMENT.unpack_from, 0, len(raw)
    while offset < end:
        start = offset + 8
        if start > end:
            return malformed(f"{end - offset} bytes are left over after the last element")
        group, tag, length = unpack(raw, offset)
        offset = start + length
        if group or offset > end:
            return malformed(f"element ({group:04X},{tag:04X}) of {length} bytes does not belong or does not fit")
        decode = _DECODERS.get(tag)
        elements[tag] = decode(raw[start:offset]) if decode else raw[start:offset]
    return elements


def malformed(why: str) -> Malformed:
    """Return what to say of a command set that is none."""
    return Malformed(4, f"command set: {why}", AbortReason.INVALID_PARAMETER)


def _decode_us(raw: bytes) -> Value:
    if len(raw) == 2:
        return raw[0] | raw[1] << 8
    return raw


def _decode_ul(raw: bytes) -> Value:
    return int.from_bytes(raw, "little") if len(raw) == 4 else raw


def _decode_text(raw: bytes) -> Value:
    return raw.decode("latin-1").strip(" \0")


def _decode_at(raw: bytes) -> Value:
    if len(raw) % 4:
        return raw
    return tuple(group << 16 | element for group, element in _AT.iter_unpack(raw))


def _encode_value(tag: int, value: Value) -> bytes:
    """Encode by the type of the value and, for numbers, by the tag: US, except AT and the one UL."""
    try:
        if isinstance(value, int):
            return _US.pack(value) if _DECODERS.get(tag, _decode_us) is _decode_us else value.to_bytes(4, "little")
        if isinstance(value, tuple):
            if _DECODERS.get(tag) is _decode_at:
                return b"".join(_AT.pack(x >> 16, x & 0xFFFF) for x in value)
            return b"".join(map(_US.pack, value))
    except (ArithmeticError, ValueError, TypeError, struct.error) as problem:
        raise LocalProtocolError(f"element (0000,{tag:04X}) cannot hold {value!r}") from problem
    raw = value.encode("latin-1", "replace") if isinstance(value, str) else value
    return raw if len(raw) % 2 == 0 else raw + (b"\0" if tag in _UIDS else b" ")


_UIDS = frozenset(
    {Tag.AFFECTED_SOP_CLASS, Tag.REQUESTED_SOP_CLASS, Tag.AFFECTED_SOP_INSTANCE, Tag.REQUESTED_SOP_INSTANCE}
)
_DECODERS: dict[int, Callable[[bytes], Value]] = {
    **dict.fromkeys(map(int, Tag), _decode_us),
    **dict.fromkeys(map(int, _UIDS), _decode_text),
    Tag.GROUP_LENGTH: _decode_ul,
    Tag.MOVE_DESTINATION: _decode_text,
    Tag.ERROR_COMMENT: _decode_text,
    Tag.MOVE_ORIGINATOR_AET: _decode_text,
    Tag.OFFENDING_ELEMENT: _decode_at,
    Tag.ATTRIBUTE_IDENTIFIER_LIST: _decode_at,
}
