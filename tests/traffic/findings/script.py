"""Sessions to inspect: who says which bytes, one after the other, in an association that nobody can fault."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import TypeAlias

from mockpacs.traffic.capture.event import Chunk, Closed, Event, Flow, Missing, Opened
from mockpacs.traffic.findings.finding import Finding
from mockpacs.traffic.findings.inspect import inspect
from mockpacs.wire import (
    Abort,
    AssociateAC,
    AssociateRQ,
    Command,
    CommandField,
    ContextAnswer,
    ProposedContext,
    ReleaseRP,
    ReleaseRQ,
    Role,
    RoleSelection,
    Tag,
    UserInformation,
    Value,
    cut,
    encode_command,
    encode_pdu,
    request,
    response_to,
)
from mockpacs.wire.dataset import EXPLICIT_LITTLE, IMPLICIT_LITTLE, Encoding, encode_element, encode_sequence

CT = "1.2.840.10008.5.1.4.1.1.2"
FIND = "1.2.840.10008.5.1.4.1.2.1.1"
MOVE = "1.2.840.10008.5.1.4.1.2.1.2"
GET = "1.2.840.10008.5.1.4.1.2.1.3"
ECHO = "1.2.840.10008.1.1"
IMPLICIT = "1.2.840.10008.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"
INSTANCE = "1.2.3.4.5"

F = CommandField
REQUESTOR, ACCEPTOR = Role.REQUESTOR, Role.ACCEPTOR
Step: TypeAlias = tuple[Role, bytes]
Missed: TypeAlias = tuple[Role, int]

USER = UserInformation(16384, "1.2.3.4", "SAMPLE_1", roles=(RoleSelection(CT, scu=True, scp=True),))
RQ = AssociateRQ(
    "PACS",
    "CT1",
    (
        ProposedContext(1, CT, (EXPLICIT, IMPLICIT)),
        ProposedContext(3, FIND, (IMPLICIT,)),
        ProposedContext(5, ECHO, (IMPLICIT,)),
        ProposedContext(7, MOVE, (IMPLICIT,)),
        ProposedContext(9, GET, (IMPLICIT,)),
        ProposedContext(11, CT, (IMPLICIT,)),
    ),
    USER,
)
AC = AssociateAC(
    "PACS",
    "CT1",
    (
        ContextAnswer(1, 0, EXPLICIT),
        ContextAnswer(3, 0, IMPLICIT),
        ContextAnswer(5, 0, IMPLICIT),
        ContextAnswer(7, 0, IMPLICIT),
        ContextAnswer(9, 0, IMPLICIT),
        ContextAnswer(11, 3, IMPLICIT),
    ),
    replace(USER, implementation_class_uid="1.2.3.5"),
)
RELEASE: list[Step] = [(REQUESTOR, encode_pdu(ReleaseRQ())), (ACCEPTOR, encode_pdu(ReleaseRP()))]
ABORT: Step = (REQUESTOR, encode_pdu(Abort(0, 0)))

ECHO_RQ = request(F.C_ECHO_RQ, 1, elements={Tag.AFFECTED_SOP_CLASS: ECHO})
STORE_RQ = request(
    F.C_STORE_RQ,
    2,
    has_dataset=True,
    elements={Tag.AFFECTED_SOP_CLASS: CT, Tag.AFFECTED_SOP_INSTANCE: INSTANCE, Tag.PRIORITY: 0},
)
FIND_RQ = request(F.C_FIND_RQ, 3, has_dataset=True, elements={Tag.AFFECTED_SOP_CLASS: FIND, Tag.PRIORITY: 0})
MOVE_RQ = request(
    F.C_MOVE_RQ,
    4,
    has_dataset=True,
    elements={Tag.AFFECTED_SOP_CLASS: MOVE, Tag.PRIORITY: 0, Tag.MOVE_DESTINATION: "STORE"},
)
GET_RQ = request(F.C_GET_RQ, 5, has_dataset=True, elements={Tag.AFFECTED_SOP_CLASS: GET, Tag.PRIORITY: 0})
COUNTS: dict[int, Value] = {0x1020: 1, 0x1021: 1, 0x1022: 0, 0x1023: 0}


def data_set(*elements: tuple[int, str, str | bytes], encoding: Encoding = EXPLICIT_LITTLE) -> bytes:
    """A data set in the order it is given; text is Latin 1."""
    raw = ((tag, vr, value.encode("latin-1") if isinstance(value, str) else value) for tag, vr, value in elements)
    return b"".join(encode_element(tag, vr, value, encoding) for tag, vr, value in raw)


def sequence(tag: int, *contents: bytes, encoding: Encoding = EXPLICIT_LITTLE) -> bytes:
    return encode_sequence(tag, contents, encoding)


IMAGE_ELEMENTS: tuple[tuple[int, str, str | bytes], ...] = (
    (0x00080016, "UI", CT),
    (0x00080018, "UI", INSTANCE),
    (0x00080020, "DA", "20240131"),
    (0x00080030, "TM", "101500.25"),
    (0x00080060, "CS", "CT"),
    (0x00100010, "PN", "Doe^Jane"),
    (0x00100020, "LO", "P1"),
)
IMAGE = data_set(*IMAGE_ELEMENTS, (0x7FE00010, "OW", b"\0\1" * 50))
KEYS = data_set(
    (0x00080052, "CS", "STUDY"),
    (0x00100010, "PN", "D*"),
    (0x00100020, "LO", "P1"),
    (0x0020000D, "UI", ""),
    encoding=IMPLICIT_LITTLE,
)
MATCH = data_set(
    (0x00080052, "CS", "STUDY"),
    (0x00080054, "AE", "PACS"),
    (0x00100010, "PN", "Doe^Jane"),
    (0x00100020, "LO", "P1"),
    (0x0020000D, "UI", "1.2.3"),
    encoding=IMPLICIT_LITTLE,
)
STUDY = data_set(
    (0x00080052, "CS", "STUDY"), (0x00100020, "LO", "P1"), (0x0020000D, "UI", "1.2.3"), encoding=IMPLICIT_LITTLE
)


def message(sender: Role, context_id: int, command: Command | bytes, data: bytes | None = None) -> Step:
    """One message in P-DATA-TF PDUs of the usual size."""
    raw = encode_command(command) if isinstance(command, Command) else command
    return sender, b"".join(cut(context_id, raw, data, 16384))


def asks(context_id: int, command: Command | bytes, data: bytes | None = None) -> Step:
    return message(REQUESTOR, context_id, command, data)


def answers(
    context_id: int,
    command: Command,
    status: int,
    data: bytes | None = None,
    elements: Mapping[int, Value | None] | None = None,
) -> Step:
    """The acceptor's response; ``elements`` None takes one away."""
    response = response_to(command, status, has_dataset=data is not None)
    return message(ACCEPTOR, context_id, changed(response, elements or {}), data)


def changed(command: Command, elements: Mapping[int, Value | None]) -> Command:
    """A command set with elements replaced, or taken away by None."""
    return Command({tag: value for tag, value in {**command.elements, **elements}.items() if value is not None})


def pdu(pdu_type: int, body: bytes) -> bytes:
    return bytes((pdu_type, 0)) + len(body).to_bytes(4, "big") + body


def associated(*steps: Step, rq: AssociateRQ | bytes = RQ, ac: AssociateAC | bytes = AC) -> list[Step]:
    """An association up to its end."""
    asked = rq if isinstance(rq, bytes) else encode_pdu(rq)
    given = ac if isinstance(ac, bytes) else encode_pdu(ac)
    return [(REQUESTOR, asked), (ACCEPTOR, given), *steps]


def released(*steps: Step, rq: AssociateRQ | bytes = RQ, ac: AssociateAC | bytes = AC) -> list[Step]:
    """A whole association."""
    return [*associated(*steps, rq=rq, ac=ac), *RELEASE]


FLOW = Flow(1, "10.0.0.1:50000", "10.0.0.2:104")
OURS = ("connection 1 from 10.0.0.1:50000",)


def events(
    steps: Iterable[Step | Missed],
    closer: Role | None = REQUESTOR,
    how: str = "fin",
    *,
    comments: tuple[str, ...] = OURS,
    from_start: bool = True,
    piece: int = 0,
) -> Iterator[Event]:
    """The events of one connection, a second apart; a number is a gap, ``piece`` cuts the bytes again."""
    yield Opened(FLOW, 1.0, 0, comments, from_start)
    when = 2.0
    for sender, data in steps:
        when += 1
        if isinstance(data, int):
            yield Missing(FLOW, sender, when, 0, data)
            continue
        for at in range(0, len(data), piece or len(data) or 1):
            yield Chunk(FLOW, sender, when, 0, data[at : at + (piece or len(data))], 0, 0, ())
    yield Closed(FLOW, when + 1, closer, how, 0, 0, ())


def findings(steps: Iterable[Step | Missed], closer: Role | None = REQUESTOR, how: str = "fin") -> list[Finding]:
    return list(inspect(events(steps, closer, how)))
