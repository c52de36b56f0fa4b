"""One exchange in full, read back from the bytes between the begin and the end of its place; and all of an association.

Which messages belong to an exchange is decided as in the timeline: by `Pairing`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from mockpacs.traffic.capture.event import Event, Flow
from mockpacs.traffic.capture.excerpt import excerpt
from mockpacs.traffic.capture.reader import events
from mockpacs.traffic.exchange import Exchange
from mockpacs.traffic.message import Message, PduRead
from mockpacs.traffic.recording.pairing import Asked, Pairing
from mockpacs.traffic.recording.scene import Scene, scenes
from mockpacs.wire import AcceptedContext, Command, Role
from mockpacs.wire.seen import CommandSeen, DataSeen, JunkSeen, NonsenseSeen, PduSeen
from mockpacs.wire.status import PENDING, PENDING_WITH_WARNING


class Detail(NamedTuple):
    """An exchange with everything that was said in it."""

    exchange: Exchange
    messages: list[Message]
    """The request first, a C-CANCEL-RQ where it came; responses with their data sets."""
    pdus: list[PduRead]
    """Those that carry these messages, and what was between them and no PDU, in the order they were whole."""


class Sink(Protocol):
    """Takes bytes: a file that is open for writing."""

    def write(self, data: bytes | memoryview, /) -> object:
        """Take them; they are valid during the call only."""


def read_exchange(exchange: Exchange) -> Detail:
    """Read an exchange back from its place. Without a place there are no messages and no PDUs.

    Raises RecordingError when the file cannot be read any more.
    """
    reading = _Reading(exchange)
    for scene in scenes(_excerpt(exchange), from_message=True):
        reading.see(scene)
    return reading.detail()


def data_of(exchange: Exchange, sink: Sink) -> int:
    """Write the data set of the request as it was encoded, piece by piece; returns how many bytes it has.

    Fewer than ``exchange.size`` when the recording does not have all of them. Raises RecordingError when the file
    cannot be read any more, and what the sink raises.
    """
    size, members, is_ours = 0, _Members(exchange), False
    for _, seen, _ in scenes(_excerpt(exchange), from_message=True, keep_raw=False):
        if isinstance(seen, CommandSeen):
            is_first = members.asked is None and members.has(seen)
            if is_first or seen.sender is members.sender:
                if is_ours:
                    break  # the next message of the sender: the data set was cut short
                is_ours = is_first
        elif isinstance(seen, DataSeen) and is_ours and seen.sender is members.sender:
            sink.write(seen.data)
            size += len(seen.data)
            if seen.is_last:
                break
    return size


def read_association(parts: Sequence[Path], number: int) -> Iterator[PduRead]:
    """All PDUs of one connection of a recording and all that is none, A-ASSOCIATE and A-RELEASE included, as they came.

    One PDU is held at a time. Raises RecordingError when a file cannot be read as a recording.
    """
    for when, seen, raw in scenes(event for event in events(*parts) if event.flow.number == number):
        if isinstance(seen, PduSeen | JunkSeen | NonsenseSeen):
            yield PduRead(when, seen, raw)


def _excerpt(exchange: Exchange) -> Iterator[Event]:
    place, one = exchange.place, exchange.association
    if place is None:
        return iter(())
    return excerpt(place, Flow(0, one.address, one.server))


class _Members:
    """Which messages of an association belong to one exchange, when they are shown from its request on."""

    def __init__(self, exchange: Exchange) -> None:
        self._command = exchange.command
        self._context = exchange.context
        self._pairing = Pairing()
        self.asked: Asked | None = None

    @property
    def sender(self) -> Role | None:
        """Who asked, None until the request was seen."""
        return self.asked.sender if self.asked else None

    def context(self, context_id: int) -> AcceptedContext:
        """The context of a message: of others than the exchange's nothing is known."""
        known = self._context
        return known if known and known.context_id == context_id else AcceptedContext(context_id, "", "")

    def has(self, seen: CommandSeen) -> bool:
        """Whether this message belongs to the exchange; to be asked of every message once."""
        sender, context_id, command = seen.sender, seen.context_id, seen.command
        if not command.is_request:
            return self._has_response(sender, context_id, command)
        if command.service == "C-CANCEL":
            asked = self.asked
            return asked is not None and (asked.sender, asked.command.message_id) == (
                sender,
                command.message_id_responded_to,
            )
        asked = self._pairing.ask(sender, self.context(context_id), command, 0.0)
        if self.asked is None and command == self._command:
            self.asked = asked
        return self.asked is asked

    def _has_response(self, sender: Role, context_id: int, command: Command) -> bool:
        asked = self._pairing.answered_by(sender, context_id, command)
        if asked is None:
            return False
        if command.status not in (PENDING, PENDING_WITH_WARNING):
            asked.final = command
        return asked is self.asked


class _Begun:
    """A message while its data set is coming."""

    def __init__(self, seen: CommandSeen, when: float, context: AcceptedContext) -> None:
        self.sender = seen.sender
        self.command = seen.command
        self.context = context
        self.when = when
        self.data = bytearray()
        self.is_whole = not seen.command.has_dataset

    def message(self) -> Message:
        data = bytes(self.data) if self.command.has_dataset else None
        return Message(self.when, self.sender, self.context, self.command, data, self.is_whole)


class _Reading:
    """Collects what belongs to an exchange."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._members = _Members(exchange)
        self._begun: list[_Begun] = []
        self._current: dict[Role, _Begun | None] = {}
        self._pdus: dict[tuple[Role, int, bool], PduRead] = {}  # by where they end, and whether they are PDUs at all
        self._wanted: set[tuple[Role, int]] = set()  # the PDUs of the exchange, by where they end
        self._recent: dict[Role, list[tuple[int, int]]] = {Role.REQUESTOR: [], Role.ACCEPTOR: []}

    def see(self, scene: Scene) -> None:
        """The next thing that was seen."""
        when, seen, raw = scene
        if isinstance(seen, PduSeen):
            self._pdus[seen.sender, seen.end, True] = PduRead(when, seen, raw)
            self._recent[seen.sender].append((seen.start, seen.end))
        elif isinstance(seen, CommandSeen):
            self._see_command(seen, when)
        elif isinstance(seen, DataSeen):
            self._see_data(seen, when)
        elif isinstance(seen, JunkSeen | NonsenseSeen):
            self._pdus[seen.sender, seen.end, False] = PduRead(when, seen, raw)
            self._current[seen.sender] = None
        else:
            self._current[seen.sender] = None

    def detail(self) -> Detail:
        """All of it."""
        every = self._pdus.values()
        pdus = [pdu for pdu in every if not isinstance(pdu.seen, PduSeen) or self._is_wanted(pdu.seen)]
        return Detail(self._exchange, [begun.message() for begun in self._begun], pdus)

    def _is_wanted(self, seen: PduSeen) -> bool:
        return (seen.sender, seen.end) in self._wanted

    def _see_command(self, seen: CommandSeen, when: float) -> None:
        sender, recent = seen.sender, self._recent[seen.sender]
        self._current[sender] = None
        if self._members.has(seen):
            begun = _Begun(seen, when, self._members.context(seen.context_id))
            self._begun.append(begun)
            self._current[sender] = begun
            self._wanted.update((sender, end) for start, end in recent if start >= seen.start)
        self._decide(sender)

    def _decide(self, sender: Role) -> None:
        """Forget all PDUs of a side but the last, in which the next message may begin, unless they are wanted.

        Between the first and the last message of a C-GET there are all the instances it brings.
        """
        recent = self._recent[sender]
        for _, end in recent[:-1]:
            if (sender, end) not in self._wanted:
                self._pdus.pop((sender, end, True), None)
        del recent[:-1]

    def _see_data(self, seen: DataSeen, when: float) -> None:
        self._decide(seen.sender)
        begun = self._current.get(seen.sender)
        if begun is None:
            return
        begun.data += seen.data
        begun.when = when
        begun.is_whole = seen.is_last
        self._wanted.add((seen.sender, seen.end))
        if seen.is_last:
            self._current[seen.sender] = None
