"""One pass over a recording: its events become the records of the timeline and the steps of a tape."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Final

from mockpacs.replay.association import Source, TapedAssociation
from mockpacs.replay.blob import Spool
from mockpacs.replay.taping import Allowance, Taping
from mockpacs.traffic.capture.event import Chunk, Closed, Event, Missing, Opened
from mockpacs.traffic.capture.reader import Reader
from mockpacs.traffic.comment import connection_of, is_secure
from mockpacs.traffic.exchange import Association, Exchange, Notice, Record
from mockpacs.traffic.filter import Filter, select
from mockpacs.traffic.recording.recording import Recording
from mockpacs.traffic.recording.timeline import Timeline
from mockpacs.traffic.selection import Heads
from mockpacs.traffic.subject import user_of
from mockpacs.wire import Role

_LEFT_OUT: Final = "left out"


class Pass:
    """Of one recording; `run` it, then ask for what it found."""

    def __init__(self, recording: Recording, spool: Spool, wanted: Filter | None) -> None:
        self._recording = recording
        self._spool = spool
        self._wanted = wanted
        self._allowance = Allowance()
        self._tapings: list[Taping] = []
        self._open: dict[int, Taping] = {}
        self._exchanges: dict[int, list[Exchange]] = defaultdict(list)
        self._notices: dict[int, list[Notice]] = defaultdict(list)
        self._chosen: set[tuple[int, int]] = set()
        self._part = -1
        self.problems: list[str] = []
        self.left_out = ""

    def run(self) -> None:
        """Read everything. Raises RecordingError."""
        wanted = self._wanted
        if wanted is None:
            for record in self._records(None):
                self._keep(record)
            return
        heads = Heads(wanted.tags)
        for record in select(self._kept(heads), wanted, heads.values):
            if isinstance(record, Exchange):
                self._chosen.add((record.association.number, record.number))
            elif record.association is not None:
                self._chosen.add((record.association.number, 0))

    def associations(self) -> tuple[TapedAssociation, ...]:
        """What was taped, in the order opened."""
        taped = [self._taped(taping) for taping in self._tapings if not taping.is_left_out]
        return tuple(taped if self._wanted is None else self._wanted_of(taped))

    def _records(self, heads: Heads | None) -> Iterator[Record]:
        """The records of the timeline; the tapings are told of every event."""
        recording = self._recording
        timeline = Timeline(ours=recording.ours, on_request=heads.on_request if heads else None)
        path = None
        with Reader(*recording.parts) as reader:
            for event in reader.end():
                if reader.path is not path:
                    path = reader.path
                    timeline.begin_part(path)
                    self._part += 1
                yield from timeline.feed(event)
                self._take(event)
            self.problems += reader.problems
        yield from timeline.finish()
        for taping in self._open.values():
            taping.finish()
        if refused := self._allowance.refused:
            self.problems.append(f"{refused} bytes that are no PDUs were not kept: there are too many of them")

    def _kept(self, heads: Heads) -> Iterator[Record]:
        for record in self._records(heads):
            self._keep(record)
            yield record
            heads.forget(record)

    def _keep(self, record: Record) -> None:
        if isinstance(record, Exchange):
            self._exchanges[record.association.number].append(record)
        elif record.association is not None:
            self._notices[record.association.number].append(record)
        elif _LEFT_OUT in record.text:
            self.left_out = record.text

    def _take(self, event: Event) -> None:
        number = event.flow.number
        taping = self._open.get(number)
        if type(event) is Opened:
            if taping is not None:
                taping.finish()
            taping = Taping(event, self._recording.ours, self._spool, self._allowance, self._part)
            self._open[number] = taping
            self._tapings.append(taping)
        elif taping is None:
            return
        elif type(event) is Chunk:
            taping.take(event, self._part)
        elif type(event) is Missing:
            taping.miss(event)
        elif type(event) is Closed:
            taping.close(event, self._part)

    # what becomes of it

    def _taped(self, taping: Taping) -> TapedAssociation:
        opened, conversation = taping.opened, taping.conversation
        number = opened.flow.number
        exchanges = sorted(self._exchanges.get(number, ()), key=lambda one: one.number)
        association = _association(taping)
        known = connection_of(opened.comments)
        return TapedAssociation(
            number,
            association,
            opened.when,
            conversation.request,
            conversation.answer,
            taping.steps(exchanges),
            tuple(exchanges),
            taping.cause or _cause(number, exchanges),
            opened.from_start and not (known and known[1]) and taping.is_closed and not taping.was_cut,
            taping.ours,
            tuple(self._notices.get(number, ())),
            frozenset(one.number for one in exchanges if self._wanted is None or (number, one.number) in self._chosen),
            taping.unsent,
            Source(
                self._recording.parts,
                taping.stretch,
                taping.ours is not None and opened.from_start,
                taping.sides_swapped,
            ),
        )

    def _wanted_of(self, taped: list[TapedAssociation]) -> Iterator[TapedAssociation]:
        numbers = {number for number, _ in self._chosen}
        for one in taped:
            if one.number in numbers or int(one.cause.partition(".")[0] or -1) in numbers:
                yield one


def _association(taping: Taping) -> Association:
    """As the timeline tells of it, with all that was said about who is who."""
    flow, request = taping.opened.flow, taping.conversation.request
    address, server = flow.requestor, flow.acceptor
    if taping.sides_swapped:
        address, server = server, address
    return Association(
        flow.number,
        address,
        request.calling if request else "",
        request.called if request else "",
        user_of(request.user.user_identity) if request else "",
        is_secure(taping.opened.comments),
        "" if taping.ours is Role.ACCEPTOR else server,
        taping.cause,
        taping.by_us,
    )


def _cause(number: int, exchanges: list[Exchange]) -> str:
    """In a capture of others: the C-MOVE that a C-STORE on this connection names."""
    causes = (one.cause for one in exchanges if one.cause)
    return next((cause for cause in causes if not cause.startswith(f"{number}.")), "")
