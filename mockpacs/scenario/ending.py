"""Steps that end an association or a connection, or keep it waiting (PS3.8 9.3.4, 9.3.8)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Final

from pydantic import Field, model_validator

from mockpacs.scenario.part import Part
from mockpacs.scenario.values import Duration, Text, Unknown, one_of, scalar
from mockpacs.written.kinds import quoted

RESULTS: Final = ("permanent", "transient")
SOURCES: Final = ("user", "acse", "presentation")
ABORT_SOURCES: Final = {"user": 0, "provider": 2}
ABORT_REASONS: Final = {
    "not-specified": 0,
    "unrecognized-pdu": 1,
    "unexpected-pdu": 2,
    "unrecognized-parameter": 4,
    "unexpected-parameter": 5,
    "invalid-parameter": 6,
}
REASONS: Final = {
    1: {
        "no-reason": 1,
        "application-context-not-supported": 2,
        "calling-ae-not-recognized": 3,
        "called-ae-not-recognized": 7,
    },
    2: {"no-reason": 1, "protocol-version-not-supported": 2},
    3: {"temporary-congestion": 1, "local-limit-exceeded": 2},
}
"""The reasons of an A-ASSOCIATE-RJ by its source (PS3.8 Table 9-21)."""
_ALL_REASONS: Final = {name: code for reasons in REASONS.values() for name, code in reasons.items()}


def numbered(value: Any, words: Sequence[str] | dict[str, int], *, first: int = 1) -> int:
    """One of a few words, or any number of one byte."""
    known = words if isinstance(words, dict) else {word: number for number, word in enumerate(words, first)}
    if value in known:
        return known[value]
    text = str(value)
    if not isinstance(value, bool) and re.fullmatch("[0-9]{1,3}", text) and int(text) <= 255:
        return int(text)
    raise Unknown(f"{quoted(value)} is not one of {', '.join(known)}, nor a number up to 255", text, known)


def byte(words: Sequence[str] | dict[str, int], *, first: int = 1) -> Any:
    """The annotation of such a number."""
    schema = {"anyOf": [{"enum": list(words)}, {"type": "integer", "minimum": 0, "maximum": 255}]}
    return scalar(lambda value: numbered(value, words, first=first), schema)


class Reject(Part):
    """A-ASSOCIATE-RJ: names of PS3.8 Table 9-21, or any numbers."""

    noun: ClassVar[str] = "reject"
    key: ClassVar[str] = "result"
    is_enough: ClassVar[bool] = True
    result: Annotated[int, *byte(RESULTS)] = Field(1, description="permanent (the default) or transient")
    source: Annotated[int, *byte(SOURCES)] = Field(
        1, description="user, acse or presentation; default: user, or that of the reason"
    )
    reason: Annotated[int, *byte(_ALL_REASONS)] = Field(1, description="a reason of that source; default: no-reason")

    @model_validator(mode="before")
    @classmethod
    def _of_its_source(cls, value: Any) -> Any:
        """A reason by name belongs to a source, which need not be written then."""
        reason = value.get("reason") if isinstance(value, dict) else None
        if not isinstance(reason, str) or reason not in _ALL_REASONS:
            return value
        homes = [source for number, source in enumerate(SOURCES, 1) if reason in REASONS[number]]
        written = value.get("source")
        if written is None:
            return {**value, "source": homes[0]}
        if written in SOURCES and written not in homes:
            raise ValueError(f"{reason} is a reason of {homes[0]}, not of {written}; for anything else write numbers")
        return value


class Abort(Part):
    """A-ABORT: names of PS3.8 9.3.8, or any numbers."""

    noun: ClassVar[str] = "abort"
    key: ClassVar[str] = "source"
    is_enough: ClassVar[bool] = True
    source: Annotated[int, *byte(ABORT_SOURCES)] = Field(
        0, description="user or provider; default: user, with a reason provider"
    )
    reason: Annotated[int, *byte(ABORT_REASONS)] = Field(
        0, description="a reason of the provider; default: not-specified"
    )

    @model_validator(mode="before")
    @classmethod
    def _with_a_reason(cls, value: Any) -> Any:
        """Only a provider gives reasons."""
        if isinstance(value, dict) and value.get("reason") is not None and value.get("source") is None:
            return {**value, "source": "provider"}
        return value


class Close(Part):
    """FIN. ``half``: only our direction ends, what the peer sends is still read and answered by nobody."""

    noun: ClassVar[str] = "close"
    key: ClassVar[str] = "how"
    is_enough: ClassVar[bool] = True
    how: Annotated[str, *scalar(one_of("whole", "half"), {"enum": ["whole", "half"]})] = Field(
        "whole", description="whole, or half: our direction only"
    )


class Refuse(Part):
    """RST, then a closed port: connecting is refused for that time."""

    noun: ClassVar[str] = "refuse"
    key: ClassVar[str] = "seconds"
    is_enough: ClassVar[bool] = True
    seconds: Duration = Field(0.0, description="how long nobody listens")


class Wait(Part):
    """Say nothing until the peer does something."""

    noun: ClassVar[str] = "wait"
    key: ClassVar[str] = "until"
    is_enough: ClassVar[bool] = True
    until: Annotated[str, *scalar(one_of("cancel", "end"), {"enum": ["cancel", "end"]})] = Field(
        "cancel", description="cancel: a C-CANCEL for this request, or the end of the association"
    )
    max: Duration | None = Field(None, description="no longer than that")


class Tls(Part):
    """What a connection meets as TLS, whatever the server is configured to."""

    noun: ClassVar[str] = "tls"
    key: ClassVar[str] = "handshake"
    handshake: Annotated[str, *scalar(one_of("stall", "plain"), {"enum": ["stall", "plain"]})] | None = Field(
        None, description="stall: the client's hello is never answered; plain: no TLS on this connection"
    )
    certificate: Text | None = Field(None, description="certificate chain (PEM) to show, relative to the scenario")
    private_key: Text | None = Field(None, alias="key", description="its private key (PEM)")
