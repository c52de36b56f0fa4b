"""From what happened on the TCP connections of a capture to the records people look at, in the order they complete.

Memory is bounded by the connections that are open at one time, not by the length of the capture.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from mockpacs.traffic.capture.event import Chunk, Closed, Event, Missing, Opened
from mockpacs.traffic.exchange import Notice, Place, Record
from mockpacs.traffic.recording.exchanges import Moves, OnRequest
from mockpacs.traffic.recording.session import Session
from mockpacs.traffic.render import number_of
from mockpacs.wire import Role

_PART: Final = 1 << 48
"""Offsets of all parts in one number: no file is that long."""
_MOST_CLOSING: Final = 1000


class Timeline:
    """Takes events, gives records. Tell it of every file with `begin_part` before the first event of that file."""

    def __init__(self, *, ours: Role | None = None, on_request: OnRequest | None = None) -> None:
        """``ours``: which side of the connections we were, None in a capture of others.

        Of a capture of others, connections on which no PDU is seen are left out, and counted.
        """
        self._ours = ours
        self._on_request = on_request
        self._sessions: dict[int, Session] = {}
        self._closing: dict[int, Session] = {}  # of these, closed, but something is still to be said
        self._moves: Moves = {}  # of others, which are open
        self._out: list[Record] = []
        self._parts: list[Path] = []
        self._base = 0
        self._when = 0.0
        self.left_out = 0
        """Connections that had nothing to do with DICOM."""
        self._secret = 0

    @property
    def open_connections(self) -> int:
        """How many are held."""
        return len(self._sessions)

    @property
    def path(self) -> Path | None:
        """The file that was begun last."""
        return self._parts[-1] if self._parts else None

    def begin_part(self, path: Path) -> None:
        """The events that follow come from this file."""
        self._base = len(self._parts) * _PART
        self._parts.append(path)

    def feed(self, event: Event) -> list[Record]:
        """What this event completes; the list is the caller's."""
        number = event.flow.number
        session = self._sessions.get(number)
        self._when = event.when
        if type(event) is Opened:
            if session is not None:
                self._end(number, session)
            place_of, out = self._place_of, self._out
            self._sessions[number] = Session(event, out, self._ours, place_of, self._on_request, self._moves)
        elif session is not None:
            if type(event) is Chunk:
                session.take(event, self._base)
            elif type(event) is Missing:
                session.miss(event)
            elif type(event) is Closed and session.is_closed_by(event):
                session.close(event)
                self._closing[number] = session
            if session.is_done or session.is_left_out:
                self._forget(number, session)
            elif len(self._closing) > _MOST_CLOSING:
                self._end(*next(iter(self._closing.items())))
        if not self._out:
            return []
        records = self._out[:]
        self._out.clear()
        return records

    def finish(self) -> list[Record]:
        """The end of the capture: what was still open."""
        for number, session in list(self._sessions.items()):
            self._end(number, session)
        if self.left_out:
            text = f"{number_of(self.left_out, 'connection')} without DICOM left out"
            if self._secret:
                text += f", {self._secret} of them TLS"
            self._out.append(Notice(self._when, "closed", text, detail=True))
        records, self._out[:] = self._out[:], []
        return records

    def _end(self, number: int, session: Session) -> None:
        """Nothing more comes of a connection, closed or not."""
        session.close(Closed(session.flow, self._when, None, "cut", 0, 0, ()))
        if not session.is_left_out and not session.is_done:
            session.settle()
        self._forget(number, session)

    def _forget(self, number: int, session: Session) -> None:
        self._sessions.pop(number, None)
        self._closing.pop(number, None)
        self.left_out += session.is_left_out
        self._secret += session.is_tls

    def _place_of(self, offset: int, end: int, requestor: int, acceptor: int) -> Place:
        part, offset = divmod(offset, _PART)
        last_part, end = divmod(end, _PART)
        path = self._parts[part] if self._parts else Path()
        last = self._parts[last_part] if last_part != part else None
        return Place(path, offset, end, requestor, acceptor, last)
