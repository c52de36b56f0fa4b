"""A message that is right but for the details it is told to be wrong in: what is not lied about is as `cut` makes it.

Pure: a command and its data set in, P-DATA-TF PDUs out. Nothing is refused for being wrong.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from struct import Struct
from typing import Final

from mockpacs.errors import LocalProtocolError
from mockpacs.wire.command import Command, Tag, Value, encode_command
from mockpacs.wire.message import MAX_FRAGMENT_PDU_LENGTH, MIN_PDU_LENGTH, can_carry_data
from mockpacs.wire.pdata import PDV, encode_pdvs
from mockpacs.wire.pdu import PduType

_HEADER: Final = Struct(">BxI")
_LENGTH: Final = Struct(">I")
_PDV_HEADER_LENGTH: Final = 6
_GROUP_LENGTH_ELEMENT: Final = 12
"""Bytes that (0000,0000) takes, the first of every command set."""


@dataclass(frozen=True, slots=True)
class Lies:
    """What is wrong in a message; by default nothing. None is the truth."""

    message_id: int | None = None
    """Message ID Being Responded To (0000,0120); of a request its Message ID (0000,0110)."""
    command_field: int | None = None
    """Command Field (0000,0100)."""
    sop_class: str | None = None
    """Affected SOP Class UID (0000,0002): any text."""
    sop_instance: str | None = None
    """Affected SOP Instance UID (0000,1000): any text."""
    dataset_type: int | None = None
    """Command Data Set Type (0000,0800); whether a data set follows stays as it is."""
    remove: tuple[int, ...] = ()
    """Elements of the command set that are left out, also those that another lie gives a value."""
    remaining: int | None = None
    """Number of Remaining Sub-operations (0000,1020)."""
    completed: int | None = None
    """Number of Completed Sub-operations (0000,1021)."""
    failed: int | None = None
    """Number of Failed Sub-operations (0000,1022)."""
    warning: int | None = None
    """Number of Warning Sub-operations (0000,1023)."""
    no_dataset: bool = False
    """The data set does not follow; the command set says what it said."""
    context_id: int | None = None
    """Presentation context of all PDVs."""
    last_fragment: bool | None = None
    """False: no PDV is said to be the last of its set; True: each is."""
    command_bit: bool | None = None
    """False: the command set is said to be data; True: the data set is said to be command."""
    dataset_first: bool = False
    """The data set is sent before the command set."""
    pdv_size: int | None = None
    """Bytes of the message in a PDV. More than fits the peer's maximum makes PDUs longer than the peer allows."""
    pdvs_per_pdu: int | None = None
    """PDVs in a P-DATA-TF, of the command set and of the data set, as far as they fit the peer's maximum.

    Without ``pdv_size`` the PDVs are made so short that as many fit, and a message of fewer PDVs is cut into about as
    many: two of a message with a short data set are its command set and its data set in one PDU, two of a message
    without one are the halves of the command set.
    """
    pdv_length: int | None = None
    """Length that the first PDV claims; the length of its PDU stays right."""
    pdu_length: int | None = None
    """Length that the first PDU claims."""
    pdu_type: int | None = None
    """Type of all PDUs."""
    repeat: int = 1
    """How often the message is sent."""
    cut: int | None = None
    """Bytes that are missing at the end of the data set; lengths and fragments are those of what is left."""


def tell(command: Command, data: bytes | None, context_id: int, max_pdu_length: int, lies: Lies) -> list[bytes]:
    """Return the complete P-DATA-TF PDUs of a message with these lies; without any, those of `cut`.

    ``data`` None is no data set. Raises `LocalProtocolError` when a number does not fit its element, and when
    ``max_pdu_length`` (of the receiver, 0 is no limit) is 1 to 6, unless ``pdv_size`` says how to cut nevertheless.
    """
    sets = [(True, _command_set(command, lies))]
    if data is not None and not lies.no_dataset:
        sets.append((False, data[: max(len(data) - (lies.cut or 0), 0)]))
    limit = min(max_pdu_length or MAX_FRAGMENT_PDU_LENGTH, MAX_FRAGMENT_PDU_LENGTH)
    if lies.pdv_size is not None:
        size = lies.pdv_size
    elif can_carry_data(max_pdu_length):
        size = _pdv_size([len(content) for _, content in sets], limit, lies.pdvs_per_pdu or 1)
    else:
        raise LocalProtocolError(f"a maximum PDU length of {max_pdu_length} cannot carry data, {MIN_PDU_LENGTH} can")
    if lies.dataset_first:
        sets.reverse()
    pdvs = [
        PDV(
            context_id if lies.context_id is None else lies.context_id,
            is_command if lies.command_bit is None else lies.command_bit,
            is_last if lies.last_fragment is None else lies.last_fragment,
            piece,
        )
        for is_command, content in sets
        for is_last, piece in _pieces(content, size)
    ]
    return _pdus(_grouped(pdvs, lies.pdvs_per_pdu or 1, limit), lies) * lies.repeat


def lied(command: Command, lies: Lies) -> Command:
    """The command set with what the lies say of its elements."""
    elements = dict(command.elements)
    has_own_id = Tag.MESSAGE_ID in elements  # a request, but no C-CANCEL-RQ
    told: dict[int, Value | None] = {
        Tag.MESSAGE_ID if has_own_id else Tag.MESSAGE_ID_RESPONDED_TO: lies.message_id,
        Tag.COMMAND_FIELD: lies.command_field,
        Tag.AFFECTED_SOP_CLASS: _text(lies.sop_class),
        Tag.AFFECTED_SOP_INSTANCE: _text(lies.sop_instance),
        Tag.DATA_SET_TYPE: lies.dataset_type,
        Tag.REMAINING_SUB_OPERATIONS: lies.remaining,
        Tag.COMPLETED_SUB_OPERATIONS: lies.completed,
        Tag.FAILED_SUB_OPERATIONS: lies.failed,
        Tag.WARNING_SUB_OPERATIONS: lies.warning,
    }
    elements |= {tag: value for tag, value in told.items() if value is not None}
    for tag in lies.remove:
        elements.pop(tag, None)
    return Command(elements)


def _command_set(command: Command, lies: Lies) -> bytes:
    encoded = encode_command(lied(command, lies))
    return encoded[_GROUP_LENGTH_ELEMENT:] if Tag.GROUP_LENGTH in lies.remove else encoded


def _text(value: str | None) -> bytes | None:
    """Return the bytes of any text: those of a command set where it has them, else UTF-8."""
    if value is None:
        return None
    try:
        return value.encode("latin-1")
    except UnicodeEncodeError:
        return value.encode("utf-8", "replace")


def _pdv_size(lengths: list[int], limit: int, count: int) -> int:
    """Return how many bytes a PDV holds for ``count`` of them to fit a PDU; even, as PS3.7 Annex F wants, if it can be.

    ``lengths`` are those of the command set and of the data set.
    """
    least = min(2, limit - _PDV_HEADER_LENGTH)
    size = max((limit // count - _PDV_HEADER_LENGTH) & ~1, least)
    if count > len(lengths):
        share = -(-max(lengths) // (count - len(lengths) + 1))
        size = min(size, max(share + share % 2, least))
    return size


def _pieces(content: bytes, size: int) -> Iterator[tuple[bool, memoryview]]:
    """Yield what is in each PDV, and whether it is the last; an empty set is one empty PDV."""
    view, length = memoryview(content), len(content)
    for start in range(0, max(length, 1), size):
        yield start + size >= length, view[start : start + size]


def _grouped(pdvs: list[PDV], count: int, limit: int) -> Iterator[tuple[PDV, ...]]:
    """Yield the PDVs of each PDU: at most ``count``, and no more than ``limit`` allows, but always one."""
    group: list[PDV] = []
    held = 0
    for pdv in pdvs:
        length = _PDV_HEADER_LENGTH + len(pdv.data)
        if group and (len(group) == count or held + length > limit):
            yield tuple(group)
            group, held = [], 0
        group.append(pdv)
        held += length
    yield tuple(group)


def _pdus(groups: Iterator[tuple[PDV, ...]], lies: Lies) -> list[bytes]:
    pdu_type = PduType.P_DATA_TF if lies.pdu_type is None else lies.pdu_type
    pdv_length, pdu_length = lies.pdv_length, lies.pdu_length
    pdus = []
    for group in groups:
        body = encode_pdvs(group)
        length = len(body) if pdu_length is None else pdu_length
        if pdv_length is not None:
            body = _LENGTH.pack(pdv_length) + body[_LENGTH.size :]
        pdus.append(_HEADER.pack(pdu_type, length) + body)
        pdv_length = pdu_length = None  # only the first claims them
    return pdus
