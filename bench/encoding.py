"""The few bytes of DICOM the harness speaks itself: data elements, command sets, PDUs.

Shares nothing with mockpacs.wire on purpose: a client that measures a server must not be slowed or misled by its code.
"""

import struct
from collections.abc import Iterable

VERIFICATION = "1.2.840.10008.1.1"
CT_IMAGE_STORAGE = "1.2.840.10008.5.1.4.1.1.2"
MULTIFRAME_GRAYSCALE_BYTE_SC = "1.2.840.10008.5.1.4.1.1.7.2"
STUDY_ROOT_FIND = "1.2.840.10008.5.1.4.1.2.2.1"
EXPLICIT_LITTLE = "1.2.840.10008.1.2.1"
IMPLICIT_LITTLE = "1.2.840.10008.1.2"

APPLICATION_CONTEXT = "1.2.840.10008.3.1.1.1"
IMPLEMENTATION_CLASS = "2.25.20240607.1"

LONG_VRS = frozenset({"OB", "OW", "SQ", "UN", "UT", "OF", "OD"})
TEXT_PADDING = {"UI": b"\0", "OB": b"\0", "UN": b"\0"}

RELEASE_RQ = b"\x05\x00\x00\x00\x00\x04\x00\x00\x00\x00"

C_STORE_RQ, C_FIND_RQ, C_ECHO_RQ = 0x0001, 0x0020, 0x0030
NO_DATA_SET, HAS_DATA_SET = 0x0101, 0x0001


def element(tag: int, vr: str, value: bytes | str) -> bytes:
    """One element in explicit VR little endian, padded to even length (PS3.5 7.1.2)."""
    raw = value.encode("latin-1") if isinstance(value, str) else value
    if len(raw) % 2:
        raw += TEXT_PADDING.get(vr, b" ")
    return element_header(tag, vr, len(raw)) + raw


def element_header(tag: int, vr: str, length: int) -> bytes:
    layout = "<HH2s2xI" if vr in LONG_VRS else "<HH2sH"
    return struct.pack(layout, tag >> 16, tag & 0xFFFF, vr.encode(), length)


def uid(text: str) -> bytes:
    raw = text.encode()
    return raw + b"\0" * (len(raw) % 2)


def command_set(elements: Iterable[tuple[int, bytes]]) -> bytes:
    """A command set of (element number, value): implicit VR little endian, group length first (PS3.7 6.3.1)."""
    body = b"".join(struct.pack("<HHI", 0, number, len(value)) + value for number, value in elements)
    return struct.pack("<HHII", 0, 0, 4, len(body)) + body


def echo_rq(message_id: int = 1) -> bytes:
    return _request(VERIFICATION, C_ECHO_RQ, message_id, NO_DATA_SET)


def find_rq(message_id: int = 1) -> bytes:
    return _request(STUDY_ROOT_FIND, C_FIND_RQ, message_id, HAS_DATA_SET, [(0x0700, _us(0))])


def store_rq(sop_class: str, sop_instance: str, message_id: int = 1) -> bytes:
    return _request(sop_class, C_STORE_RQ, message_id, HAS_DATA_SET, [(0x0700, _us(0)), (0x1000, uid(sop_instance))])


def _request(
    sop_class: str, field: int, message_id: int, data_set: int, more: Iterable[tuple[int, bytes]] = ()
) -> bytes:
    elements = [
        (0x0002, uid(sop_class)),
        (0x0100, _us(field)),
        (0x0110, _us(message_id)),
        (0x0800, _us(data_set)),
        *more,
    ]
    return command_set(sorted(elements))


def _us(value: int) -> bytes:
    return struct.pack("<H", value)


def associate_rq(
    abstract_syntax: str, transfer_syntax: str = EXPLICIT_LITTLE, called: str = "ANY-SCP", max_pdu_length: int = 131072
) -> bytes:
    """An A-ASSOCIATE-RQ with one presentation context, id 1 (PS3.8 9.3.2)."""
    context = struct.pack("!B3x", 1) + _item(0x30, abstract_syntax.encode()) + _item(0x40, transfer_syntax.encode())
    user = _item(0x51, struct.pack("!I", max_pdu_length)) + _item(0x52, IMPLEMENTATION_CLASS.encode())
    items = _item(0x10, APPLICATION_CONTEXT.encode()) + _item(0x20, context) + _item(0x50, user)
    titles = called.encode().ljust(16) + b"BENCH".ljust(16)
    body = struct.pack("!HH", 1, 0) + titles + bytes(32) + items
    return struct.pack("!BxI", 1, len(body)) + body


def _item(kind: int, value: bytes) -> bytes:
    return struct.pack("!BxH", kind, len(value)) + value


def p_data(payload: bytes, *, is_command: bool, is_last: bool = True) -> bytes:
    """One P-DATA-TF of one PDV on presentation context 1 (PS3.8 9.3.5)."""
    return p_data_header(len(payload), is_command=is_command, is_last=is_last) + payload


def p_data_header(length: int, *, is_command: bool, is_last: bool) -> bytes:
    return struct.pack("!BxIIBB", 4, length + 6, length + 2, 1, is_command | is_last << 1)


def message(command: bytes, data: bytes | None, max_pdu_length: int) -> bytes:
    """All PDUs of a message, the data set cut to the peer's limit (0: no limit, PS3.8 D.1)."""
    pdus = [p_data(command, is_command=True)]
    if data is not None:
        room = (max_pdu_length or 1 << 20) - 6
        for start in range(0, len(data), room):
            pdus.append(p_data(data[start : start + room], is_command=False, is_last=start + room >= len(data)))
    return b"".join(pdus)
