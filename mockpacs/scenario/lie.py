"""Lies: answers that are right but for one detail."""

from __future__ import annotations

import re
from typing import Annotated, Any, ClassVar, Final

from pydantic import Field

from mockpacs.scenario.part import Part
from mockpacs.scenario.values import (
    ByteCount,
    Flag,
    Many,
    Number8,
    Number16,
    Number32,
    Positive,
    Text,
    Unknown,
    scalar,
)
from mockpacs.wire.command import CommandField, Tag
from mockpacs.written.kinds import quoted

ELEMENTS: Final = {
    **{member.name.title().replace("_", "").replace("Sop", "SOP"): member for member in Tag},
    "AffectedSOPClassUID": Tag.AFFECTED_SOP_CLASS,
    "AffectedSOPInstanceUID": Tag.AFFECTED_SOP_INSTANCE,
    "MessageIDBeingRespondedTo": Tag.MESSAGE_ID_RESPONDED_TO,
    "CommandDataSetType": Tag.DATA_SET_TYPE,
    "CommandGroupLength": Tag.GROUP_LENGTH,
}
"""The elements of a command set by name."""


def _element(value: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and value in ELEMENTS.values():
        return int(value)
    if value in ELEMENTS:
        return int(ELEMENTS[value])
    raise Unknown(f"{quoted(value)} is not an element of a command set", value, ELEMENTS)


def _command_field(value: Any) -> int:
    named = str(value).strip().upper().replace("-", "_")
    if named in CommandField.__members__:
        return int(CommandField[named])
    number = _digits(value)
    if number is not None:
        return number
    sentence = f"{quoted(value)} is not a command field: C-STORE-RSP, or four hexadecimal digits such as 8001"
    raise Unknown(sentence, value, _COMMAND_FIELDS)


def _dataset_type(value: Any) -> int:
    number = _digits(value)
    if number is not None:
        return number
    raise ValueError(f"{quoted(value)} is not four hexadecimal digits, such as 0101")


def _digits(value: Any) -> int | None:
    """A number of 16 bits in hexadecimal digits."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 0xFFFF:
        return value
    found = re.fullmatch(r"(?:0[xX])?([0-9A-Fa-f]{1,4})[hH]?", value.strip()) if isinstance(value, str) else None
    return int(found[1], 16) if found else None


_COMMAND_FIELDS = [name.replace("_", "-") for name in CommandField.__members__]
_CODES: dict[str, Any] = {
    "title": "four hexadecimal digits",
    "type": ["string", "number"],
    "pattern": "^(0[xX])?[0-9A-Fa-f]{1,4}[hH]?$",
}


class Lie(Part):
    """What is wrong in the answer. Everything else stays right."""

    noun: ClassVar[str] = "lie"
    unknown: ClassVar[str] = "lie"
    # in the command set
    message_id: Number16 | None = Field(None, description="Message ID Being Responded To (0000,0120)")
    command_field: Annotated[int, *scalar(_command_field, {"anyOf": [{"enum": _COMMAND_FIELDS}, _CODES]})] | None = (
        Field(None, description="Command Field (0000,0100): a name (C-ECHO-RSP) or a code")
    )
    sop_class: Text | None = Field(None, description="Affected SOP Class UID (0000,0002)")
    sop_instance: Text | None = Field(None, description="Affected SOP Instance UID (0000,1000)")
    dataset_type: Annotated[int, *scalar(_dataset_type, _CODES)] | None = Field(
        None, description="Command Data Set Type (0000,0800), hexadecimal: 0101 says that no data set follows"
    )
    remove: Annotated[tuple[Annotated[int, *scalar(_element, {"enum": list(ELEMENTS)})], ...], Many] = Field(
        (), description="elements of the command set to leave out: Status, MessageIDBeingRespondedTo, ..."
    )
    remaining: Number16 | None = Field(None, description="Number of Remaining Sub-operations (0000,1020)")
    completed: Number16 | None = Field(None, description="Number of Completed Sub-operations (0000,1021)")
    failed: Number16 | None = Field(None, description="Number of Failed Sub-operations (0000,1022)")
    warning: Number16 | None = Field(None, description="Number of Warning Sub-operations (0000,1023)")
    no_dataset: Flag = Field(False, description="the data set that is announced does not follow")
    # in the fragments
    context_id: Number8 | None = Field(None, description="presentation context of the PDVs")
    last_fragment: Flag | None = Field(None, description="false: no fragment is the last one; true: each of them is")
    command_bit: Flag | None = Field(
        None, description="false: the command set is said to be data; true: data is said to be command"
    )
    dataset_first: Flag = Field(False, description="the data set is sent before the command set")
    pdv_size: Positive | None = Field(None, description="bytes of the message in a PDV")
    pdvs_per_pdu: Positive | None = Field(None, description="PDVs in one P-DATA-TF")
    pdv_length: Number32 | None = Field(None, description="length that the first PDV claims")
    # in the PDUs
    pdu_length: Number32 | None = Field(None, description="length that the first PDU claims")
    pdu_type: Number8 | None = Field(None, description="type of the PDUs")
    # of the whole answer
    repeat: Positive = Field(1, description="how often it is sent")
    cut: ByteCount | None = Field(None, description="bytes missing at the end of the data set")
