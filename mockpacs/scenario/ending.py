"""Steps that end an association or a connection, or keep it waiting (PS3.8 9.3.4, 9.3.8)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Final

from pydantic import BeforeValidator, Field, WithJsonSchema

from mockpacs.scenario.part import Part
from mockpacs.scenario.values import Duration, Text, one_of, scalar
from mockpacs.written.kinds import nearest, quoted

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
    if not isinstance(value, bool) and text.isdigit() and int(text) <= 255:
        return int(text)
    raise ValueError(f"{quoted(value)} is not one of {', '.join(known)}, nor a number up to 255{nearest(text, known)}")


def _byte(words: Sequence[str] | dict[str, int]) -> Any:
    return (
        BeforeValidator(lambda value: numbered(value, words)),
        WithJsonSchema({"anyOf": [{"enum": list(words)}, {"type": "integer", "minimum": 0, "maximum": 255}]}),
    )


class Reject(Part):
    """A-ASSOCIATE-RJ: names of PS3.8 Table 9-21, or any numbers."""

    result: Annotated[int, *_byte(RESULTS)] = Field(1, description="permanent or transient")
    source: Annotated[int, *_byte(SOURCES)] = Field(1, description="user, acse or presentation")
    reason: Annotated[int, *_byte(_ALL_REASONS)] = Field(1, description="a reason of that source")
    key: ClassVar[str] = "result"


class Abort(Part):
    """A-ABORT: names of PS3.8 9.3.8, or any numbers."""

    key: ClassVar[str] = "source"
    source: Annotated[int, *_byte(ABORT_SOURCES)] = Field(0, description="user or provider")
    reason: Annotated[int, *_byte(ABORT_REASONS)] = Field(0, description="a reason of the provider")


class Close(Part):
    """FIN. ``half``: only our direction ends, what the peer sends is still read and answered by nobody."""

    key: ClassVar[str] = "how"
    how: Annotated[str, *scalar(one_of("whole", "half"), {"enum": ["whole", "half"]})] = Field(
        "whole", description="whole, or half: our direction only"
    )


class Refuse(Part):
    """RST, then a closed port: connecting is refused for that time."""

    key: ClassVar[str] = "seconds"
    seconds: Duration = Field(0.0, description="how long nobody listens")


class Wait(Part):
    """Say nothing until the peer does something."""

    key: ClassVar[str] = "until"
    until: Annotated[str, *scalar(one_of("cancel", "end"), {"enum": ["cancel", "end"]})] = Field(
        "cancel", description="cancel: a C-CANCEL for this request, or the end of the association"
    )
    max: Duration | None = Field(None, description="no longer than that")


class Tls(Part):
    """What a connection meets as TLS, whatever the server is configured to."""

    key: ClassVar[str] = "handshake"
    handshake: Annotated[str, *scalar(one_of("stall", "plain"), {"enum": ["stall", "plain"]})] | None = Field(
        None, description="stall: the client's hello is never answered; plain: no TLS on this connection"
    )
    certificate: Text | None = Field(None, description="certificate chain (PEM) to show, relative to the scenario")
    private_key: Text | None = Field(None, alias="key", description="its private key (PEM)")
