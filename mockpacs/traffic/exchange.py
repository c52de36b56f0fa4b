"""What happened, as frozen records: an Exchange is a request with its responses, a Notice all else worth a line."""

from __future__ import annotations

from dataclasses import dataclass

from mockpacs.wire.status import category_of, name_of


@dataclass(frozen=True, slots=True)
class Peer:
    """Who is at the other end, as far as is known. Titles are as the peer wrote them, padding removed."""

    number: int
    """Which connection of this run, counted from 1."""
    address: str
    """host:port"""
    calling: str = ""
    called: str = ""
    user: str = ""
    """The user name, or the kind of token, of the user identity that came, "" without one; never a secret."""
    secure: bool = False


@dataclass(frozen=True, slots=True)
class Exchange:
    """One DIMSE request and what was answered (PS3.7 7.5)."""

    peer: Peer
    number: int
    """Which exchange of its association, counted from 1."""
    service: str
    """C-ECHO, C-STORE, C-FIND, N-..."""
    status: int | None
    """The final status; None when no final response was sent."""
    subject: str
    """What it was about, for a person: "CT 1.2.826...  524 kB", "STUDY PatientName=DOE*  2 matches"."""
    comment: str
    """The Error Comment that was sent, or why there was no answer."""
    started: float
    """Wall clock when the command set of the request was complete, seconds since 1970."""
    seconds: float
    """From then to the last response."""
    size: int = 0
    """Bytes of the request's data set."""
    responses: int = 1

    @property
    def status_name(self) -> str:
        """The name of the status for this service; "no answer" when there was none."""
        return "no answer" if self.status is None else name_of(self.status, self.service)

    @property
    def category(self) -> str:
        """success, warning, pending, cancel or failure (PS3.7 Annex C); failure when nothing was answered."""
        return "failure" if self.status is None else str(category_of(self.status))


@dataclass(frozen=True, slots=True)
class Notice:
    """Not an exchange: an association refused or aborted, bytes that are not DICOM, trouble on our side."""

    when: float
    """Wall clock, seconds since 1970."""
    kind: str
    """opened, released, rejected, aborted, closed, trouble"""
    text: str
    peer: Peer | None = None
    detail: bool = False
    """True for what is only shown when more is asked for (-v)."""


Record = Exchange | Notice
