"""One connection of a recording while it is read: what was seen on it becomes the steps of its association."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final, Literal, NamedTuple, cast

from mockpacs.replay.attribution import Attribution
from mockpacs.replay.blob import Blob, Filling, Spool
from mockpacs.replay.step import Control, Ending, Gap, Noise, Said, Step
from mockpacs.replay.watch import Watch
from mockpacs.traffic import comment
from mockpacs.traffic.capture.event import Chunk, Closed, Missing, Opened
from mockpacs.traffic.exchange import Exchange
from mockpacs.traffic.recording.pairing import OTHER
from mockpacs.wire import (
    AcceptedContext,
    AssociateAC,
    AssociateRJ,
    AssociateRQ,
    Command,
    Malformed,
    PDataTF,
    Role,
)
from mockpacs.wire.seen import CommandSeen, DataSeen, GapSeen, JunkSeen, NonsenseSeen, PduSeen, Seen

_PATIENCE: Final = 32 << 20
"""Bytes without a PDU in them, after which a connection of others is taken for something else, as the timeline does."""
_LAST_PDU_TYPE: Final = 7


class Allowance:
    """How many bytes of noise are kept, of all connections together."""

    def __init__(self, size: int = 64 << 20) -> None:
        self._left = size
        self.refused = 0
        """Bytes that were not kept."""

    def grant(self, raw: bytes) -> bytes:
        """The bytes, or none when there were too many."""
        if len(raw) > self._left:
            self.refused += len(raw)
            return b""
        self._left -= len(raw)
        return raw


@dataclass(slots=True)
class _Begun:
    """A message whose end may still come."""

    when: float
    sender: Role
    context: AcceptedContext
    command: Command
    started: float
    request: int
    """The number that `Attribution` gives the request it belongs to, 0 for none."""
    filling: Filling | None = None
    blob: Blob | None = None
    is_whole: bool = False


class _Mark(NamedTuple):
    """Where bytes stand that are not complete: their first, and how many steps are before it."""

    position: int
    step: int


@dataclass(slots=True)
class Stretch:
    """Which bytes of the recording a connection is in."""

    opened: Opened
    first_part: int
    last_part: int
    end: int = 0
    sequences: dict[Role, int] = field(default_factory=dict)
    """The first of each side, as far as they were seen."""

    def reach(self, part: int, end: int) -> None:
        """It goes on to this byte; what came out of order does not end it sooner."""
        self.last_part, self.end = max((self.last_part, self.end), (part, end))


class Taping:
    """A connection. Senders are as the flow has them: `steps` puts right what was guessed wrong."""

    def __init__(self, opened: Opened, ours: Role | None, spool: Spool, allowance: Allowance, part: int) -> None:
        """``ours``: which side we usually were, None in a capture of others; ``part``: which file this is in."""
        self.opened = opened
        cause = comment.outgoing_of(opened.comments) if ours is not None else None
        self.by_us = cause is not None
        self.cause = cause or ""
        self.ours: Role | None = Role.REQUESTOR if self.by_us else ours
        self.stretch = Stretch(opened, part, part)
        self.is_closed = False
        self.was_cut = False
        self.unsent = 0
        from_start = ours is not None and opened.from_start
        self._watch = Watch(from_start=from_start)
        self.conversation = self._watch.conversation
        self.attribution = Attribution(self.conversation, self.ours, from_start=opened.from_start)
        self._spool = spool
        self._allowance = allowance
        self._when = opened.when
        self._steps: list[_Begun | Control | Noise | Gap | Ending] = []
        self._current: dict[Role, _Begun | None] = {Role.REQUESTOR: None, Role.ACCEPTOR: None}
        self._malformed: tuple[Role, int] | None = None
        self._heard = {Role.REQUESTOR: opened.when, Role.ACCEPTOR: opened.when}
        self._marks: dict[Role, _Mark] = {}
        self._size = 0
        self._is_proven = ours is not None
        self._is_asked = self._is_answered = False
        self.is_left_out = False
        """Whether it has turned out not to be DICOM."""

    def take(self, chunk: Chunk, part: int) -> None:
        """Bytes of one side."""
        if chunk.comments:
            self.unsent += comment.unsent_of(chunk.comments)
        if not chunk.data or self.is_left_out or not (self._is_proven or self._may_be(chunk)):
            return
        self._when = self._heard[chunk.sender] = chunk.when
        self._reach(chunk.sender, chunk.sequence, part, chunk.end)
        seen = self._watch.take(chunk)
        self._see_all(seen)
        self._watch.settle(chunk.sender, seen)
        self._mark(chunk.sender)

    def miss(self, missing: Missing) -> None:
        """Bytes that are not in the capture."""
        if self.is_left_out:
            return
        self._when = missing.when
        self.stretch.sequences.setdefault(missing.sender, missing.sequence)
        seen = self._watch.miss(missing)
        self._see_all(seen)
        self._watch.settle(missing.sender, seen)
        self._mark(missing.sender)

    def close(self, closed: Closed, part: int) -> None:
        """A side closed the connection, or the capture is over."""
        self.unsent += comment.unsent_of(closed.comments)
        self._when = closed.when
        if closed.how == "cut":
            self.finish()
        self.is_closed = True
        self.was_cut = closed.how == "cut"
        self.stretch.reach(part, closed.end)
        how = cast(Literal["fin", "reset", "cut"], closed.how)
        self._steps.append(Ending(closed.when, closed.sender, how))

    def finish(self) -> None:
        """Nothing more comes of it."""
        for seen in self.conversation.finish():
            self._end_command(seen.sender, seen.start if isinstance(seen, JunkSeen) else None)
            self._see_all([seen])
            self._watch.settle(seen.sender, [seen])
        for sender in Role:
            self._end_command(sender, None)
            self._interrupt(sender)
        if not self._is_proven:
            self.is_left_out = True

    def steps(self, exchanges: list[Exchange]) -> tuple[Step, ...]:
        """What was done, with the numbers of these exchanges. To be asked once, when all is over."""
        swapped = self.sides_swapped
        known = self.attribution.settle(exchanges, sides_swapped=swapped)
        return tuple(_step(step, known, swapped=swapped) for step in self._steps)

    @property
    def sides_swapped(self) -> bool:
        """Whether the connection, whose begin was not captured, was opened by the other side."""
        return self.conversation.sides_swapped and self.ours is None

    # what the conversation saw

    def _see_all(self, seen: list[Seen]) -> None:
        for one in seen:
            if type(one) is DataSeen:
                self._see_data(one)
            elif type(one) is PduSeen:
                self._see_pdu(one)
            elif type(one) is CommandSeen:
                self._see_command(one)
            elif isinstance(one, GapSeen):
                self._interrupt(one.sender)
                self._steps.append(Gap(self._when, one.sender, one.end - one.start))
            elif isinstance(one, JunkSeen | NonsenseSeen):
                self._see_nonsense(one)

    def _see_pdu(self, seen: PduSeen) -> None:
        sender, pdu = seen.sender, seen.pdu
        if isinstance(pdu, Malformed):
            self._malformed = (sender, seen.end)  # `NonsenseSeen` follows
            return
        self._is_proven = True
        if isinstance(pdu, PDataTF):
            return
        if isinstance(pdu, AssociateRQ | AssociateAC | AssociateRJ):
            if not self._is_in_turn(sender, pdu):
                raw = self._watch.raw(sender, seen.start, seen.end)
                self._make_noise(sender, raw, f"an {_NAMES[type(pdu)]} out of turn")
        else:
            self._steps.append(Control(self._when, sender, pdu))
        self.attribution.see_control(sender, pdu)

    def _is_in_turn(self, sender: Role, pdu: AssociateRQ | AssociateAC | AssociateRJ) -> bool:
        """Whether this is the request or the answer that the conversation goes by."""
        if isinstance(pdu, AssociateRQ):
            is_first, self._is_asked = not self._is_asked, True
            return is_first
        requestor = Role.ACCEPTOR if self.conversation.sides_swapped else Role.REQUESTOR
        if self._is_answered or sender is requestor:
            return False
        self._is_answered = True
        return True

    def _see_command(self, seen: CommandSeen) -> None:
        sender, command = seen.sender, seen.command
        self._interrupt(sender)
        context = self.conversation.context(seen.context_id)
        asked_at = self._watch.sequence(sender, seen.start)
        asked = self.attribution.see_command(seen, context, self._when, asked_at)
        begun = _Begun(self._when, sender, context, command, self._when, asked.number if asked else 0)
        self._steps.append(begun)
        if command.has_dataset:
            begun.filling = Filling(self._spool)
            self._current[sender] = begun
        else:
            begun.is_whole = True

    def _see_data(self, seen: DataSeen) -> None:
        begun = self._current[seen.sender]
        if begun is None or begun.filling is None:
            return
        begun.when = self._when
        begun.filling.add(seen.data)
        if seen.is_last:
            begun.is_whole = True
            self._interrupt(seen.sender)

    def _see_nonsense(self, seen: JunkSeen | NonsenseSeen) -> None:
        """A message that was begun has its own step: what is said of it here is only why it has no end."""
        sender, is_open = seen.sender, self._current[seen.sender] is not None
        self._interrupt(sender)
        self.attribution.see_nonsense(sender)
        is_pdu, self._malformed = self._malformed == (sender, seen.end), None
        has_bytes = is_pdu or isinstance(seen, JunkSeen) or not is_open
        raw = self._watch.raw(sender, seen.start, seen.end) if has_bytes else b""
        self._make_noise(sender, raw, seen.why, seen.start if isinstance(seen, JunkSeen) else None)

    def _make_noise(self, sender: Role, raw: bytes, why: str, start: int | None = None) -> None:
        """``start``: where it begins, when that may have come long before it was known to be noise."""
        noise = Noise(self._heard[sender], sender, self._allowance.grant(raw), why)
        mark = self._marks.pop(sender, None)
        if mark is None or mark.position != start:
            self._steps.append(noise)
            return
        self._steps.insert(mark.step, noise)
        for role, other in self._marks.items():
            if other.step > mark.step:
                self._marks[role] = other._replace(step=other.step + 1)
        self._marks[sender] = _Mark(start + len(raw), mark.step + 1)  # half a PDU may follow

    def _mark(self, sender: Role) -> None:
        """Remember where what is not complete stands among the steps: it may turn out to be noise."""
        position, known = self._watch.open_at(sender), self._marks.get(sender)
        if position is None:
            self._marks.pop(sender, None)
        elif known is None or known.position != position:
            self._marks[sender] = _Mark(position, len(self._steps))

    def _end_command(self, sender: Role, end: int | None) -> None:
        """The PDUs of a command set whose last fragment did not come, up to a position, are noise."""
        start = self._watch.open_at(sender)
        if start is not None and (end is None or start < end):
            raw = self._watch.raw(sender, start, self._watch.end(sender) if end is None else end)
            self._make_noise(sender, raw, "a command set without its end", start)

    def _interrupt(self, sender: Role) -> None:
        """No more comes of the message of this side."""
        begun, self._current[sender] = self._current[sender], None
        if begun is not None and begun.filling is not None:
            begun.blob, begun.filling = begun.filling.blob(), None

    def _reach(self, sender: Role, sequence: int, part: int, end: int) -> None:
        self.stretch.sequences.setdefault(sender, sequence)
        self.stretch.reach(part, end)

    def _may_be(self, chunk: Chunk) -> bool:
        """Whether to look any further: the first byte of a PDU is its type (PS3.8 9.3.1)."""
        if not self._size and self.opened.from_start:
            self.is_left_out = not 0 < chunk.data[0] <= _LAST_PDU_TYPE
        self._size += len(chunk.data)
        self.is_left_out = self.is_left_out or self._size > _PATIENCE
        return not self.is_left_out


def _step(step: _Begun | Control | Noise | Gap | Ending, known: dict[int, Exchange], *, swapped: bool) -> Step:
    if not isinstance(step, _Begun):
        return step if not swapped or step.sender is None else replace(step, sender=OTHER[step.sender])
    exchange, command = known.get(step.request), step.command
    if exchange is not None and exchange.command == command:
        command = exchange.command  # one of two that are equal: a third of the memory of a tape
    sender, number = OTHER[step.sender] if swapped else step.sender, exchange.number if exchange else 0
    return Said(step.when, sender, step.context, command, step.blob, step.is_whole, number, step.started)


_NAMES: Final = {AssociateRQ: "A-ASSOCIATE-RQ", AssociateAC: "A-ASSOCIATE-AC", AssociateRJ: "A-ASSOCIATE-RJ"}
