"""What a rule does: the keys of a step. A mapping is one step, a list several, a bare word the key of that name.

Within one step the order is fixed: the delay, the answer, the bytes of ``send``, then how it ends.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Final

from pydantic import BeforeValidator, Field

from mockpacs.scenario.ending import Abort, Close, Refuse, Reject, Tls, Wait, byte
from mockpacs.scenario.lie import Lie
from mockpacs.scenario.pace import Corrupt, Delay, Drip, Truncate
from mockpacs.scenario.part import Part
from mockpacs.scenario.values import (
    ByteCount,
    Count,
    Duration,
    Flag,
    Hex,
    Many,
    Number8,
    Number16,
    Rate,
    Status,
    Tag,
    Text,
    one_of,
    scalar,
)
from mockpacs.written.kinds import quoted
from mockpacs.written.numbers import Size

RESULTS: Final = (
    "accepted",
    "user-rejection",
    "no-reason",
    "abstract-syntax-not-supported",
    "transfer-syntaxes-not-supported",
)
"""What can become of a presentation context (PS3.8 Table 9-18), from 0."""


DESTINATION_ENDS: Final = ("refuse", "abort", "reset")
"""What can become of the association to the destination of a C-MOVE."""


def _destination_end(value: Any) -> str:
    if isinstance(value, str) and value not in DESTINATION_ENDS and value != value.lower():
        told = f"{quoted(value)} is not one of {', '.join(DESTINATION_ENDS)}"
        raise ValueError(f"{told}; which destination it is, is a condition: write destination under when")
    return one_of(*DESTINATION_ENDS)(value)


Set = Annotated[dict[Tag, Any], Field(description="keyword: value")]


class Pending(Part):
    """The pending responses of a query or a retrieve: which matches, how many, how changed, how fast."""

    noun: ClassVar[str] = "pending"
    is_enough: ClassVar[bool] = True
    source: Text | None = Field(
        None, alias="from", description="a set of answers under data; without it the matches of the archive"
    )
    skip: Count = Field(0, description="leave out the first n")
    take: Count | None = Field(None, description="send at most n")
    set: Set = Field({}, description="attributes to change or add in each; an empty value is zero length")
    remove: Annotated[tuple[Tag, ...], Many] = Field((), description="attributes to leave out of each")
    status: Status | None = Field(None, description="instead of FF00 or FF01")
    remaining: Number16 | None = Field(None, description="Number of Remaining Sub-operations in each (retrieve)")
    every: Duration | None = Field(None, description="time from one to the next")
    forever: Flag = Field(False, description="again and again, until a cancel or the end of the association")
    cut: ByteCount | None = Field(None, description="bytes missing at the end of each identifier")


class Context(Part):
    """What is answered to presentation contexts (PS3.8 9.3.3.2)."""

    noun: ClassVar[str] = "contexts"
    sop_class: Annotated[tuple[Text, ...], Many] = Field(
        ("*",), description="of the proposal: name, keyword, UID, glob"
    )
    transfer_syntax: Annotated[tuple[Text, ...], Many] = Field(
        (),
        description="the first of these that was proposed; a UID or a name is taken also when none was; "
        "implicit, explicit",
    )
    result: Annotated[int, *byte(RESULTS, first=0)] | None = Field(
        None,
        description="accepted, user-rejection, no-reason, abstract-syntax-not-supported, "
        "transfer-syntaxes-not-supported, or any number",
    )
    id: Number8 | None = Field(None, description="answer with this identifier instead of the proposed one")
    omit: Flag = Field(False, description="do not answer at all")


class Accept(Part):
    """How an association is accepted (PS3.8 9.3.3)."""

    noun: ClassVar[str] = "accept"
    is_enough: ClassVar[bool] = True
    max_pdu: (
        Annotated[
            int, *scalar(Size(0, 2**32 - 1).read, {"title": "bytes", "type": ["string", "integer"], "examples": [4096]})
        ]
        | None
    ) = Field(None, description="maximum length we advertise, in bytes; 0 is no limit")
    contexts: tuple[Context, ...] | None = Field(
        None, description="answers to the proposed contexts, the first that fits; what fits none is refused"
    )
    called: Text | None = Field(None, description="called AE title in the answer")
    calling: Text | None = Field(None, description="calling AE title in the answer")


class Step(Part):
    """One step; the keys that are written are done in a fixed order."""

    noun: ClassVar[str] = "a step"
    unknown: ClassVar[str] = "step"
    in_python: ClassVar[frozenset[str]] = frozenset({"call"})
    # time
    delay: Delay | None = Field(None, description="time before the rest of the step")
    wait: Wait | None = Field(None, description="wait for the peer: cancel or end (of the association)")
    # answers
    status: Annotated[tuple[Status, ...], Many] = Field(
        (),
        description="status of the answer; of several one is drawn; at sub-operation: that of its C-STORE, by "
        "which it is counted, without being sent",
    )
    comment: Text | None = Field(
        None, description="Error Comment (0000,0902), 64 characters on the wire; at sub-operation: why it failed"
    )
    offending: Annotated[tuple[Tag, ...], Many] = Field((), description="Offending Element (0000,0901)")
    error_id: Number16 | None = Field(None, description="Error ID (0000,0903)")
    pending: Pending | None = Field(None, description="the pending responses before the final one")
    answer: Any | None = Field(None, description="a set of answers under data, or a list of {keyword: value}")
    store: Flag | None = Field(
        None, description="whether a C-STORE is kept; without it: yes with success and warnings, no with failures"
    )
    call: Text | None = Field(None, description="a Python function answers, by the name it was given; not in files")
    nothing: Flag = Field(False, description="no response")
    # association
    accept: Accept | None = Field(None, description="accept the association, on these terms")
    reject: Reject | None = Field(None, description="A-ASSOCIATE-RJ")
    abort: Abort | None = Field(None, description="A-ABORT")
    destination: Annotated[str, *scalar(_destination_end, {"enum": list(DESTINATION_ENDS)})] | None = Field(
        None,
        description="the association to the move destination: refuse (as if it had been rejected), abort or reset; "
        "this sub-operation and the remaining ones fail",
    )
    # transport
    close: Close | None = Field(None, description="FIN; half: and go on reading")
    reset: Flag = Field(False, description="RST")
    silence: Flag = Field(False, description="the connection stays, nothing more is said")
    stop_reading: Flag = Field(False, alias="stop-reading", description="take nothing more from the peer")
    refuse: Refuse | None = Field(None, description="RST, and nobody listens on the port for that time")
    tls: Tls | None = Field(None, description="at connect: what this connection meets as TLS")
    # pace
    drip: Drip | None = Field(None, description="send in small pieces with pauses")
    bandwidth: Rate | None = Field(
        None, description="send no faster; at associate and connect: for the whole association"
    )
    # bytes
    send: Hex | None = Field(None, description='any bytes: !bytes "99 00 00 00"')
    truncate: Truncate | None = Field(None, description="leave out bytes of the answer's PDUs")
    corrupt: Corrupt | None = Field(None, description="change bytes of the answer's PDUs")
    # lies
    lie: Lie | None = Field(None, description="answers that are right but for one detail")

    @property
    def given(self) -> frozenset[str]:
        """The keys that say something, in Python's spelling: ``store: false`` does, others that are false do not."""
        values = ((name, getattr(self, name)) for name in self.model_fields_set)
        said = frozenset(name for name, value in values if value is not None and value is not False and value != ())
        return said if self.store is None else said | {"store"}

    @property
    def answers(self) -> bool:
        """Whether the step sends an answer: it says what is in it, or changes how it looks."""
        return bool(self.given & (ANSWERS | {"store"} | CHANGES))


ANSWERS: Final = frozenset({"status", "comment", "offending", "error_id", "pending", "answer", "call"})
"""Keys that say what an answer is."""
CHANGES: Final = frozenset({"lie", "truncate", "corrupt", "drip", "bandwidth"})
"""Keys that change how an answer looks on the wire."""
ENDINGS: Final = frozenset({"abort", "close", "reset", "silence", "stop_reading", "refuse"})
"""Keys after which no more answer is given."""


def as_steps(value: Any) -> Any:
    """A word, a mapping or a list of both, as a list of mappings."""
    return tuple(_as_step(one) for one in (value if isinstance(value, list | tuple) else (value,)))


def _as_step(value: Any) -> Any:
    if isinstance(value, str):
        if value == "half-close":
            return {"close": "half"}
        return {value: True}  # an unknown word becomes an unknown key, and is told as one
    return value


Steps = Annotated[tuple[Step, ...], BeforeValidator(as_steps)]
