"""What a rule waits for: the conditions of ``when``."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Final, Self

from pydantic import Field, model_validator

from mockpacs.scenario.command_element import home_of, is_command_element
from mockpacs.scenario.part import Part
from mockpacs.scenario.values import (
    ByteCount,
    Count,
    Event,
    Many,
    Positive,
    Service,
    Status,
    Text,
    Unknown,
    _tag,
    one_of,
    scalar,
)
from mockpacs.written.kinds import Refused, quoted
from mockpacs.written.numbers import Whole

PRESENCE = ("present", "absent", "empty", "universal")
LEVELS = ("PATIENT", "STUDY", "SERIES", "IMAGE")
LAST: Final = -1
"""The mark of the last sub-operation, whatever its number."""


class Moment(StrEnum):
    """The moments of an exchange at which a rule can act. An event has only one: `REQUEST`."""

    REQUEST = "request"
    RECEIVED = "received"
    PDU = "pdu"
    SUB_OPERATION = "sub-operation"
    BEFORE_RESPONSE = "before-response"
    RESPONSE = "response"
    BETWEEN_RESPONSES = "between-responses"
    AFTER_RESPONSE = "after-response"


def _place(value: Any) -> int:
    if value == "last" or value == LAST:
        return LAST
    try:
        return int(Whole(1, 2**31 - 1).read(value))
    except Refused:
        raise Unknown(f"{quoted(value)} is not the number of a sub-operation, nor last", value, ("last",)) from None


class At(Part):
    """A moment: a word, or a place in what is being received or retrieved."""

    noun: ClassVar[str] = "a moment"
    unknown: ClassVar[str] = "moment"
    key: ClassVar[str] = "moment"
    moment: Annotated[
        Moment,
        *scalar(
            lambda value: Moment(one_of(*(m for m in Moment if m not in (Moment.RECEIVED, Moment.PDU)))(value)),
            {"enum": [str(m) for m in Moment if m not in (Moment.RECEIVED, Moment.PDU)]},
        ),
    ] = Field(
        Moment.REQUEST,
        description=(
            "request: the request is complete and its turn has come; sub-operation: the turn of an instance of a "
            "retrieve has come and nothing of it was sent; before-response: the honest answer is known and "
            "nothing of it has left; response: it is about to leave; between-responses: a pending response has left; "
            "after-response: the final response has left"
        ),
    )
    received: ByteCount | None = Field(
        None, description="that many bytes of the data set have come; noticed at the end of a fragment"
    )
    pdu: Positive | None = Field(
        None, description="that many fragments (PDVs) of the message have come; most senders put one into a P-DATA-TF"
    )

    sub_operation: (
        Annotated[int, *scalar(_place, {"anyOf": [{"type": "integer", "minimum": 1}, {"enum": ["last"]}]})] | None
    ) = Field(None, alias="sub-operation", description="the turn of that sub-operation has come: a number, or last")

    @model_validator(mode="before")
    @classmethod
    def _no_list(cls, value: Any) -> Any:
        if isinstance(value, list | tuple):
            raise ValueError("a rule has one moment; write a rule for each")  # noqa: TRY004  pydantic collects these
        return value

    @model_validator(mode="after")
    def _one(self) -> Self:
        if len(self.model_fields_set) > 1:
            raise ValueError("a rule has one moment: request, received, pdu, ...; write a rule for each")
        return self

    @property
    def when(self) -> Moment:
        """Which moment it is."""
        if self.received is not None:
            return Moment.RECEIVED
        if self.sub_operation is not None:
            return Moment.SUB_OPERATION
        return Moment.PDU if self.pdu is not None else self.moment

    @property
    def mark(self) -> int:
        """Bytes or PDUs after which it is there, the number of a sub-operation or `LAST`; 0 for the other moments."""
        return self.received or self.pdu or self.sub_operation or 0


def _pattern(value: Any) -> re.Pattern[str]:
    if isinstance(value, re.Pattern):
        return value
    try:
        return re.compile(str(value))
    except re.error as error:
        raise ValueError(f"{quoted(value)} is not a regular expression: {error}") from error


Regex = Annotated[re.Pattern[str], *scalar(_pattern, {"title": "regular expression", "type": ["string", "number"]})]
Texts = Annotated[tuple[Text, ...], Many]


class Words(Part):
    """A text, a pattern, or several of them: any will do. ``*`` and ``?`` stand for any characters and one."""

    noun: ClassVar[str] = "a condition"
    unknown: ClassVar[str] = "condition"
    key: ClassVar[str] = "in"
    in_: Texts = Field((), alias="in", description="one of these, globs allowed")
    not_: Words | None = Field(None, alias="not", description="anything but this")
    matches: Regex | None = Field(None, description="a regular expression that the whole text matches")


class Attribute(Part):
    """What the value of an attribute must be. All keys that are written must hold."""

    noun: ClassVar[str] = "a condition"
    unknown: ClassVar[str] = "condition"
    key: ClassVar[str] = "in"
    in_: Texts = Field(
        (), alias="in", description="one of these, after DICOM trimming; * and ? are globs over the text"
    )
    not_: Attribute | None = Field(None, alias="not", description="anything but this")
    matches: Regex | None = Field(None, description="a regular expression that a whole value matches")
    gt: Text | None = Field(None, description="greater than: numbers by value, dates and times as text")
    lt: Text | None = Field(None, description="less than")
    between: Annotated[tuple[Text, ...], Field(min_length=2, max_length=2)] | None = Field(
        None, description="from the first to the second, both included"
    )
    size: Count | None = Field(None, description="the number of values, or of items of a sequence")
    presence: Annotated[str, *scalar(one_of(*PRESENCE), {"enum": list(PRESENCE)})] | None = Field(
        None, description="present, absent, empty (zero length), or universal (zero length or a lone *)"
    )
    item: Attributes | None = Field(None, description="conditions on one item of a sequence")

    @model_validator(mode="before")
    @classmethod
    def _told_apart(cls, value: Any) -> Any:
        """``absent`` is a presence, ``{Modality: MR}`` is an item."""
        if value is None:
            raise ValueError("a value is missing here; for zero length write empty")
        if isinstance(value, str) and value in PRESENCE and getattr(value, "tag", "") == "":
            return {"presence": value}
        if isinstance(value, dict) and "item" not in value:
            item = {key: one for key, one in value.items() if is_attribute(key)}
            return {"item": item, **{key: one for key, one in value.items() if key not in item}} if item else value
        return value


def is_attribute(key: Any) -> bool:
    """Whether a key of a condition is an attribute of an item, not a word of the language."""
    return not isinstance(key, str) or key[:1].isupper() or key[:1].isdigit() or key.startswith("(")


def _attribute(value: Any) -> int:
    tag: int = _tag(value)
    if is_command_element(tag):
        raise ValueError(home_of(tag))
    return tag


Attributes = dict[Annotated[int, *scalar(_attribute, {"title": "attribute", "type": ["string", "number"]})], Attribute]


class States(Part):
    """Named states and the values they must have."""

    noun: ClassVar[str] = "state"
    model_config = Part.model_config | {"extra": "allow"}
    __pydantic_extra__: dict[str, Words]

    @property
    def wanted(self) -> dict[str, Words]:
        """The conditions by the name of the state."""
        return self.__pydantic_extra__


def _level(value: Any) -> str:
    return one_of(*LEVELS)(str(value).upper())


class When(Part):
    """The conditions of a rule; all must hold."""

    noun: ClassVar[str] = "when"
    unknown: ClassVar[str] = "condition"
    service: Annotated[tuple[Service, ...], Many] = Field((), description="DIMSE services, or any")
    event: Annotated[tuple[Event, ...], Many] = Field(
        (), description="what happens to a connection or an association rather than in an exchange"
    )
    at: At = Field(At(), description="the moment inside an exchange, default: request")
    calling: Words | None = Field(None, description="calling AE title")
    called: Words | None = Field(None, description="called AE title")
    peer: Words | None = Field(None, description="address of the peer, without port")
    sop_class: Words | None = Field(
        None,
        description="SOP class (of an association: one that was proposed; at sub-operation: of the instance) by name, "
        "keyword or UID",
    )
    transfer_syntax: Words | None = Field(None, description="transfer syntax, the same way")
    destination: Words | None = Field(None, description="AE title of the move destination (C-MOVE)")
    model: Words | None = Field(None, description="query model: the SOP class of a C-FIND, C-GET or C-MOVE")
    level: Annotated[
        tuple[Annotated[str, *scalar(_level, {"enum": [*LEVELS, *map(str.lower, LEVELS)]})], ...], Many
    ] = Field((), description="Query/Retrieve Level of the identifier")
    query: Attributes = Field({}, description="conditions on the attributes of an identifier")
    dataset: Attributes = Field({}, description="conditions on the attributes of a data set")
    status: Annotated[tuple[Status, ...], Many] = Field(
        (), description="status of the response, at before-response, response, between-responses and after-response"
    )
    state: States = Field(
        default_factory=lambda: States.model_validate({}), description="values that named states must have"
    )

    @property
    def is_known_otherwise(self) -> bool:
        """Whether something else says what it is about."""
        return False

    @model_validator(mode="after")
    def _meets_something(self) -> Self:
        if not self.service and not self.event and not self.is_known_otherwise:
            raise ValueError("a service (C-STORE, any, ...) or an event (associate, release, ...) is missing here")
        if self.service and self.event:
            raise ValueError("it is about a service or about an event, not about both")
        if self.event and self.at.model_fields_set:
            raise ValueError("an event has no moments: at belongs to a service")
        return self


Words.model_rebuild()
Attribute.model_rebuild()
