"""From the events of a capture to findings: one conversation and one inspector for each connection that is open.

Data sets are looked at as far as `DATA_KEPT`, so what is held does not depend on their size.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from mockpacs.traffic import comment
from mockpacs.traffic.capture.event import Chunk, Closed, Event, Missing, Opened
from mockpacs.traffic.exchange import Association
from mockpacs.traffic.findings.finding import Finding
from mockpacs.traffic.findings.inspector import DATA_KEPT, Inspector
from mockpacs.wire import Command, Malformed, Role
from mockpacs.wire.conversation import Conversation
from mockpacs.wire.seen import CommandSeen, DataSeen, PduSeen, Seen

_MOST_HELD: Final = 100
"""Findings of a connection that may turn out to have nothing to do with DICOM."""


def inspect(events: Iterable[Event]) -> Iterator[Finding]:
    """Look at all connections of a capture; associations have the numbers of their flows.

    In a capture of others a connection without a single PDU has nothing to do with DICOM, and nothing is said of it.
    """
    opened: dict[int, Opened] = {}  # nothing came yet: of a port scan there are very many
    watched: dict[int, _Watched] = {}
    for event in events:
        number = event.flow.number
        one = watched.get(number)
        if one is None and number in opened and not isinstance(event, Opened):
            one = watched[number] = _Watched(opened.pop(number))
        match event:
            case Opened():
                if one is None:
                    opened.setdefault(number, event)
            case Chunk():
                if one is not None:
                    yield from one.take(event)
            case Missing():
                if one is not None:
                    yield from one.miss(event)
            case Closed():
                if one is not None:
                    yield from one.close(event)
                    if one.is_over:
                        yield from one.end()
                        del watched[number]
    for one in watched.values():
        yield from one.end()


class _DataSet:
    """The head of a data set that is coming."""

    def __init__(self, command: Command) -> None:
        self.command = command
        self.head = bytearray()
        self.size = 0


class _Watched:
    """One connection."""

    def __init__(self, opened: Opened) -> None:
        flow = opened.flow
        ours = comment.connection_of(opened.comments)
        cause = comment.outgoing_of(opened.comments)
        association = Association(
            flow.number,
            flow.requestor,
            secure=comment.is_secure(opened.comments),
            server=flow.acceptor,
            cause=cause or "",
            by_us=cause is not None,
        )
        is_continued = ours is not None and ours[1]
        self._is_ours = ours is not None
        self._conversation = Conversation()
        self._inspector = Inspector(association, from_start=opened.from_start, is_continued=is_continued)
        self._coming: dict[Role, _DataSet | None] = dict.fromkeys(Role)
        self._held: list[Finding] | None = None if self._is_ours else []
        self._when = opened.when
        self._closed_by: set[Role | None] = set()
        self.is_over = False

    def take(self, chunk: Chunk) -> Iterator[Finding]:
        """Bytes of one side."""
        self._when = chunk.when
        self._inspector.hear(chunk.sender, chunk.data)
        return self._see(self._conversation.feed(chunk.sender, chunk.data))

    def miss(self, missing: Missing) -> Iterator[Finding]:
        """Bytes that are not in the capture."""
        self._when = missing.when
        self._coming[missing.sender] = None
        return self._see(self._conversation.gap(missing.sender, missing.size))

    def close(self, closed: Closed) -> Iterator[Finding]:
        """A side closed the connection, or the capture ended. We never say anything after that, others may."""
        self._when = closed.when
        self._closed_by.add(closed.sender)
        self.is_over = self._is_ours or closed.how != "fin" or len(self._closed_by) > 1
        yield from self._tell(self._inspector.closed(closed.how, closed.sender, closed.when))

    def end(self) -> Iterator[Finding]:
        """Nothing more comes."""
        yield from self._see(self._conversation.finish())
        yield from self._tell(self._inspector.end(self._when))

    def _see(self, happened: list[Seen]) -> Iterator[Finding]:
        # a loop, not a chain of generators: the views in what was seen are valid only now
        found: list[Finding] = []
        for seen in happened:
            if type(seen) is DataSeen:
                found += self._see_data(seen)
                continue
            if type(seen) is CommandSeen:
                self._coming[seen.sender] = _DataSet(seen.command) if seen.command.has_dataset else None
            elif type(seen) is PduSeen and self._held is not None and not isinstance(seen.pdu, Malformed):
                found, self._held = self._held + found, None
            found += self._inspector.see(seen, self._conversation, self._when)
        return iter(self._tell(found))

    def _see_data(self, seen: DataSeen) -> list[Finding]:
        coming = self._coming[seen.sender]
        if coming is None:
            return []
        lacking = DATA_KEPT - len(coming.head)
        if lacking > 0:
            coming.head += seen.data[:lacking]
        coming.size += len(seen.data)
        if not seen.is_last:
            return []
        self._coming[seen.sender] = None
        context = self._conversation.context(seen.context_id)
        is_whole = coming.size == len(coming.head)
        return self._inspector.see_data(seen.sender, context, coming.command, bytes(coming.head), is_whole, self._when)

    def _tell(self, found: list[Finding]) -> list[Finding]:
        """Hold back what may be about something else than DICOM."""
        if self._held is None:
            return found
        self._held = (self._held + found)[:_MOST_HELD]
        return []
