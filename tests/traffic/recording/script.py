"""Hand-made connections, as the events a capture reader gives, made of what the encoders of `mockpacs.wire` write."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mockpacs.traffic.capture.event import Chunk, Closed, Event, Flow, Missing, Opened
from mockpacs.traffic.exchange import Exchange, Notice, Record
from mockpacs.traffic.recording.timeline import Timeline
from mockpacs.wire import (
    AssociateAC,
    AssociateRQ,
    Command,
    CommandField,
    ContextAnswer,
    Pdu,
    ProposedContext,
    ReleaseRP,
    ReleaseRQ,
    Role,
    Tag,
    UserInformation,
    Value,
    cut,
    encode_command,
    encode_pdu,
    request,
    response_to,
)

SCU, SCP = Role.REQUESTOR, Role.ACCEPTOR
VERIFICATION = "1.2.840.10008.1.1"
CT = "1.2.840.10008.5.1.4.1.1.2"
FIND = "1.2.840.10008.5.1.4.1.2.2.1"
MOVE = "1.2.840.10008.5.1.4.1.2.2.2"
GET = "1.2.840.10008.5.1.4.1.2.2.3"
COMMITMENT = "1.2.840.10008.1.20.1"
MPPS = "1.2.840.10008.3.1.2.3.3"
EXPLICIT = "1.2.840.10008.1.2.1"

SYNTAXES = {1: VERIFICATION, 3: CT, 5: FIND, 7: MOVE, 9: GET, 11: COMMITMENT, 13: MPPS}
_CONTEXT = {syntax: number for number, syntax in SYNTAXES.items()}
REQUEST = AssociateRQ(
    "MOCKPACS",
    "CT1",
    tuple(ProposedContext(number, syntax, (EXPLICIT,)) for number, syntax in SYNTAXES.items()),
    UserInformation(16384, "1.2.3"),
)
ANSWER = AssociateAC(
    "MOCKPACS",
    "CT1",
    tuple(ContextAnswer(number, 0, EXPLICIT) for number in SYNTAXES),
    UserInformation(16384, "1.2.4"),
)
INSTANCE = "1.2.840.99.1.2.3.4.5.6.7"


def ask(
    field: CommandField,
    message_id: int,
    syntax: str,
    data: bytes | None = None,
    elements: dict[int, Value] | None = None,
) -> bytes:
    """A request as it is sent."""
    return message(syntax, command(field, message_id, syntax, data, elements), data)


def command(
    field: CommandField,
    message_id: int,
    syntax: str,
    data: bytes | None = None,
    elements: dict[int, Value] | None = None,
) -> Command:
    named: dict[int, Value] = {Tag.AFFECTED_SOP_CLASS: syntax, **(elements or {})}
    return request(field, message_id, has_dataset=data is not None, elements=named)


def message(syntax: str, said: Command, data: bytes | None = None, longest: int = 16384) -> bytes:
    return b"".join(cut(_CONTEXT[syntax], encode_command(said), data, longest))


def answer(
    field: CommandField,
    message_id: int,
    syntax: str,
    status: int = 0,
    data: bytes | None = None,
    elements: dict[int, Value] | None = None,
) -> bytes:
    """The response to a request, as it is sent."""
    said = response_to(
        command(field, message_id, syntax), status, has_dataset=data is not None, elements=elements or {}
    )
    return message(syntax, said, data)


def echo(message_id: int = 1) -> bytes:
    return ask(CommandField.C_ECHO_RQ, message_id, VERIFICATION)


def echoed(message_id: int = 1, status: int = 0) -> bytes:
    return answer(CommandField.C_ECHO_RQ, message_id, VERIFICATION, status)


def store(message_id: int, data: bytes, instance: str = INSTANCE) -> bytes:
    return ask(CommandField.C_STORE_RQ, message_id, CT, data, {Tag.AFFECTED_SOP_INSTANCE: instance})


def stored(message_id: int, status: int = 0, comment: str = "") -> bytes:
    elements: dict[int, Value] = {Tag.ERROR_COMMENT: comment} if comment else {}
    return answer(CommandField.C_STORE_RQ, message_id, CT, status, elements=elements)


def cancel(message_id: int, syntax: str = FIND) -> bytes:
    elements: dict[int, Value] = {
        Tag.COMMAND_FIELD: CommandField.C_CANCEL_RQ,
        Tag.MESSAGE_ID_RESPONDED_TO: message_id,
        Tag.DATA_SET_TYPE: 0x0101,
    }
    return message(syntax, Command(elements))


class Line:
    """One connection. What is said on it are events of its script, one millisecond after the other."""

    def __init__(self, script: Script, flow: Flow, sequences: tuple[int, int]) -> None:
        self.script = script
        self.flow = flow
        self.sequence = dict(zip((SCU, SCP), sequences, strict=True))

    def say(self, sender: Role, *pieces: bytes | Pdu, comment: str = "", longest: int = 65_480) -> Line:
        data = b"".join(piece if isinstance(piece, bytes) else encode_pdu(piece) for piece in pieces)
        for start in range(0, len(data), longest):
            part = data[start : start + longest]
            offset, end = self.script.block(len(part))
            comments = [comment] if comment and start + longest >= len(data) else []
            chunk = Chunk(self.flow, sender, self.script.tick(), self.sequence[sender], part, offset, end, comments)
            self.script.events.append(chunk)
            self._go_on(sender, len(part))
        return self

    def associate(self, rq: AssociateRQ = REQUEST, ac: AssociateAC = ANSWER) -> Line:
        return self.say(SCU, rq).say(SCP, ac)

    def release(self) -> Line:
        return self.say(SCU, ReleaseRQ()).say(SCP, ReleaseRP()).close(SCU).close(SCP)

    def remark(self, sender: Role, *comments: str) -> Line:
        """A packet without bytes."""
        offset, end = self.script.block(0)
        chunk = Chunk(self.flow, sender, self.script.tick(), self.sequence[sender], b"", offset, end, comments)
        self.script.events.append(chunk)
        return self

    def lose(self, sender: Role, size: int) -> Line:
        self.script.events.append(Missing(self.flow, sender, self.script.tick(), self.sequence[sender], size))
        self._go_on(sender, size)
        return self

    def close(self, sender: Role | None = SCU, how: str = "fin", *comments: str) -> Line:
        offset, end = self.script.block(0)
        self.script.events.append(Closed(self.flow, self.script.tick(), sender, how, offset, end, comments))
        return self

    def _go_on(self, sender: Role, size: int) -> None:
        self.sequence[sender] = (self.sequence[sender] + size) & 0xFFFFFFFF


class Script:
    """A capture in the making."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.size = 100
        self.clock = 1_000_000.0
        self._count = 0

    def open(
        self, *comments: str, number: int = 0, from_start: bool = True, sequences: tuple[int, int] = (1, 1)
    ) -> Line:
        self._count += 1
        flow = Flow(number or self._count, f"10.0.0.1:{50000 + self._count}", "10.0.0.2:11112")
        offset, _ = self.block(0)
        self.events.append(Opened(flow, self.tick(), offset, comments, from_start))
        return Line(self, flow, sequences)

    def block(self, size: int) -> tuple[int, int]:
        offset, self.size = self.size, self.size + 84 + size
        return offset, self.size

    def tick(self) -> float:
        self.clock += 0.001
        return self.clock


def records(script: Script | Sequence[Event], ours: Role | None = SCP) -> list[Record]:
    """What a timeline makes of it."""
    timeline = Timeline(ours=ours)
    events = script.events if isinstance(script, Script) else script
    return [record for event in events for record in timeline.feed(event)] + timeline.finish()


def exchanges(of: Iterable[Record]) -> list[Exchange]:
    return [record for record in of if isinstance(record, Exchange)]


def notices(of: Iterable[Record]) -> list[tuple[str, str]]:
    """Kind and text of the notices."""
    return [(record.kind, record.text) for record in of if isinstance(record, Notice)]
