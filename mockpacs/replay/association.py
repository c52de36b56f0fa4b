"""An association of a tape: how it was negotiated, what was said on it, and how it ended."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mockpacs.replay.step import Said, Step
from mockpacs.replay.taping import Stretch
from mockpacs.replay.watch import Watch
from mockpacs.traffic.capture.event import Chunk, Event, Missing
from mockpacs.traffic.capture.excerpt import excerpt
from mockpacs.traffic.capture.reader import events
from mockpacs.traffic.exchange import Association, Exchange, Notice, Place
from mockpacs.traffic.message import PduRead
from mockpacs.traffic.recording.pairing import OTHER
from mockpacs.wire import AssociateAC, AssociateRJ, AssociateRQ, Malformed, Role, decode_pdu
from mockpacs.wire.seen import JunkSeen, PduSeen, Seen

_HEADER_LENGTH = 6


@dataclass(frozen=True, slots=True)
class Source:
    """Where the bytes of a connection are."""

    parts: Sequence[Path]
    stretch: Stretch
    from_start: bool
    """Whether the first byte of either side begins a PDU, however odd it is."""
    sides_swapped: bool

    def events(self) -> Iterator[Event]:
        """What happened on the connection. Raises RecordingError when a file cannot be read any more."""
        stretch, flow = self.stretch, self.stretch.opened.flow
        first, last = self.parts[stretch.first_part], self.parts[stretch.last_part]
        if first != last:
            parts = self.parts[stretch.first_part : stretch.last_part + 1]
            return (event for event in events(*parts) if event.flow.number == flow.number)
        requestor, acceptor = (stretch.sequences.get(role, 0) for role in (Role.REQUESTOR, Role.ACCEPTOR))
        return excerpt(Place(first, stretch.opened.offset, stretch.end, requestor, acceptor), flow)


@dataclass(frozen=True, slots=True)
class TapedAssociation:
    """All of one connection. In a capture that begins in its middle the roles of the sides may be guessed."""

    number: int
    """Which connection of the recording, as `mockpacs show` has it."""
    association: Association
    opened: float
    """Seconds since 1970."""
    request: AssociateRQ | None
    """None when it was not captured, or never came."""
    answer: AssociateAC | AssociateRJ | None
    steps: tuple[Step, ...]
    """What was said and done after the negotiation, in the order it was seen."""
    exchanges: tuple[Exchange, ...]
    """By number."""
    cause: str
    """``3.1``: the C-MOVE it brings the instances of, or what else a connection of ours was opened for; "" for none."""
    is_whole: bool
    """Whether its begin and its end were captured; what is missing in between is a `Gap`."""
    ours: Role | None
    """Which side we were, None in a capture of others."""
    notices: tuple[Notice, ...] = ()
    """What else was told of it."""
    chosen: frozenset[int] = frozenset()
    """The numbers of the exchanges that the filter wants; all without a filter."""
    unsent: int = 0
    """In a recording of ours: how many of the last bytes that we said did not leave."""
    source: Source | None = field(default=None, repr=False, compare=False)

    def messages(self) -> Iterator[Said]:
        """The steps that are messages."""
        return (step for step in self.steps if isinstance(step, Said))

    def pdus(self) -> Iterator[PduRead]:
        """All its PDUs raw, A-ASSOCIATE and A-RELEASE included, and bytes that are none, each byte once, in order.

        They are read from the recording again. Raises RecordingError when that cannot be done any more.
        """
        if self.source is None:
            return
        watch = Watch(from_start=self.source.from_start)
        when = self.opened
        for event in self.source.events():
            if isinstance(event, Chunk):
                seen = watch.take(event)
            elif isinstance(event, Missing):
                seen = watch.miss(event)
            else:
                continue
            when = event.when
            yield from self._read(when, seen, watch)
            watch.settle(event.sender, seen)
        yield from self._read(when, watch.conversation.finish(), watch)

    def _read(self, when: float, seen: list[Seen], watch: Watch) -> Iterator[PduRead]:
        is_swapped = self.source is not None and self.source.sides_swapped
        for one in seen:
            if not isinstance(one, PduSeen | JunkSeen):
                continue
            raw = watch.raw(one.sender, one.start, one.end)
            if isinstance(one, PduSeen) and not isinstance(one.pdu, Malformed):
                one = one._replace(pdu=decode_pdu(one.pdu_type, memoryview(raw)[_HEADER_LENGTH:]))
            yield PduRead(when, one._replace(sender=OTHER[one.sender]) if is_swapped else one, raw)
