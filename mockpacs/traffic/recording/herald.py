"""Who tells the notices of one connection: in the words of the live server where the recording has them.

They are in packet comments: about what we did on the same packet or, when that ended all, on the last one; about what
the peer did on the next packet of ours. Until then what was seen is kept back.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from mockpacs.traffic.exchange import Association, Notice, Record
from mockpacs.traffic.recording import words
from mockpacs.traffic.recording.remarks import Remarks
from mockpacs.wire import Role

_MOST_HELD: Final = 16
"""Notices of a connection that may turn out to have nothing to do with DICOM."""


class Herald:
    """Puts records into ``out``. ``ours`` is which side we were, None in a capture of others."""

    def __init__(self, out: list[Record], ours: Role | None, remarks: Remarks, association: Association) -> None:
        self.association = association
        self.when = 0.0
        """The time of what is told next."""
        self.owes_peer = False
        """Whether our words about something the peer did are still to come."""
        self._out = out
        self._ours = ours
        self._remarks = remarks
        self._awaited: list[Notice] = []
        self._has_told_abort = False
        self._held: list[Record] | None = [] if ours is None else None

    @property
    def is_in_doubt(self) -> bool:
        """Whether nothing is told yet, because nothing was seen that is DICOM."""
        return self._held is not None

    def believe(self) -> None:
        """It is DICOM: tell what was kept back."""
        held, self._held = self._held or [], None
        self._out += held

    def note(self, kind: str, text: str, *, detail: bool = False) -> None:
        """Tell something that only an observer says."""
        self.tell(Notice(self.when, kind, text, self.association, detail))

    def announce(self, kind: str, text: str, by: Role | None) -> None:
        """Tell something that the live server says as well; ``by``: whose doing it is."""
        if kind == "aborted" and self._has_told_abort:
            return  # it left behind what the peer had not taken: what was said of it had left before
        notice = Notice(self.when, kind, text, self.association, words.is_detail(kind, text))
        said = self._remarks.notice(kind)
        if said is not None:
            self.tell(replace(notice, text=said))
        elif self._ours is None or by is None or (by is self._ours and kind != "aborted"):
            self.tell(notice)
        else:
            self._awaited.append(notice)
            self.owes_peer = self.owes_peer or by is not self._ours

    def quote(self) -> None:
        """Tell what the live server said, at the time when it was seen if it was."""
        said, self._remarks.notices = self._remarks.notices, []
        for kind, text in said:
            seen = next((notice for notice in self._awaited if notice.kind == kind), None)
            if seen is None:
                self._has_told_abort = self._has_told_abort or kind == "aborted"
                self.note(kind, text, detail=words.is_detail(kind, text))
            else:
                self._awaited.remove(seen)
                self.tell(replace(seen, text=text))
        self.owes_peer = self.owes_peer and bool(self._awaited)

    def settle(self) -> None:
        """Nothing more will be said: tell what was seen in our own words."""
        awaited, self._awaited = self._awaited, []
        for notice in awaited:
            self.tell(notice)

    def tell(self, record: Record) -> None:
        """Tell a record, unless it is in doubt."""
        if self._held is None:
            self._out.append(record)
        elif len(self._held) < _MOST_HELD:
            self._held.append(record)
