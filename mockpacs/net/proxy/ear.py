"""What passes through a proxy, as an observer sees it: both sides of each connection become exchanges and notices.

They are told while they happen, and in the words of who reads a capture of others: neither side is us.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final, NamedTuple

from mockpacs.traffic import comment
from mockpacs.traffic.capture.event import Chunk, Closed, Event, Flow, Opened
from mockpacs.traffic.exchange import Association, Exchange, Notice, Record
from mockpacs.traffic.recording.timeline import Timeline
from mockpacs.wire import Role

_TLS_HANDSHAKE: Final = 0x16


class Heard(NamedTuple):
    """What some bytes completed."""

    requests: Sequence[Exchange]
    """Without an answer yet."""
    records: Sequence[Record]


_NOTHING: Final = Heard((), ())


class Ear:
    """Listens to all connections of a proxy."""

    def __init__(self, observe: Callable[[Record], None]) -> None:
        """``observe`` is told every record."""
        self._observe = observe
        self._timeline = Timeline(on_request=self._take)
        self._requests: list[Exchange] = []
        self._moves: dict[str, str] = {}

    def opened(self, flow: Flow, *, security: str = "") -> None:
        """A connection; ``security`` names what its requestor speaks beside DICOM."""
        comments = (comment.connection(flow.number, flow.requestor, security),)
        self._feed(Opened(flow, time.time(), 0, comments, from_start=True))

    def hear(self, flow: Flow, sender: Role, data: bytes | memoryview, comments: Sequence[str] = ()) -> Heard:
        """Bytes pass. ``comments``: what is said of them, as in a recording."""
        left_out = self._timeline.left_out
        records = self._feed(Chunk(flow, sender, time.time(), 0, data, 0, 0, comments))
        if self._timeline.left_out != left_out:
            self._observe(_strange(flow, sender, data))
        if not (self._requests or records):
            return _NOTHING
        requests, self._requests = self._requests, []
        return Heard(requests, records)

    def ended(self, flow: Flow, sender: Role | None, how: str, comments: Sequence[str] = ()) -> bool:
        """A side ended the connection: ``fin`` or ``reset``. ``comments``: what is said of it; whether it was told."""
        return bool(self._feed(Closed(flow, time.time(), sender, how, 0, 0, comments)))

    def moves_to(self, title: str) -> list[str]:
        """The C-MOVE exchanges that are open, and whose destination has this title."""
        return [one for one, destination in self._moves.items() if destination == title]

    def _take(self, request: Exchange, _head: bytes) -> None:
        self._requests.append(request)
        if request.service == "C-MOVE" and request.command is not None:
            self._moves[request.id] = (request.command.move_destination or "").strip()

    def _feed(self, event: Event) -> Sequence[Record]:
        records: Sequence[Record] = self._timeline.feed(event)
        for record in records:
            if isinstance(record, Exchange):
                self._moves.pop(record.id, None)
                record = replace(record, place=None)
            self._observe(record)
        return records


def _strange(flow: Flow, sender: Role, data: bytes | memoryview) -> Notice:
    """Not everything that connects speaks DICOM."""
    who = f"the {sender.value}"
    guess = "; perhaps it is TLS" if data and data[0] == _TLS_HANDSHAKE else ""
    text = f"what {who} sends is no DICOM: it is forwarded as it is, and told no more{guess}"
    return Notice(time.time(), "trouble", text, Association(flow.number, flow.requestor, server=flow.acceptor))
