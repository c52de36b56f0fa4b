"""What happened, as frozen records: an Exchange is a request with its responses, a Notice all else worth a line.

A server makes them while it answers, a recording gives them back: both are read by the same code.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from mockpacs.wire import AcceptedContext, Command
from mockpacs.wire.status import category_of, name_of

if TYPE_CHECKING:  # 180 ms, paid by who asks for a data set
    from pydicom.dataset import Dataset


@dataclass(frozen=True, slots=True)
class Association:
    """One connection and who asked for what on it, as far as is known. Titles are as they were written, unpadded."""

    number: int
    """Which connection of this run, or of this recording, counted from 1."""
    address: str
    """host:port of who opened it."""
    calling: str = ""
    called: str = ""
    user: str = ""
    """The user name, or the kind of token, of the user identity that came, "" without one; never a secret."""
    secure: bool = False
    """Whether TLS was spoken; a recording has it in clear."""
    server: str = ""
    """host:port of who accepted it; "" where that is us."""
    cause: str = ""
    """The exchange it was opened for, as ``3.1``: the C-MOVE that brings its instances there; "" for none."""
    by_us: bool = False
    """Whether it was us who opened it; ``calling`` is our title then, and ``called`` that of the peer."""


class Answer(NamedTuple):
    """Responses with the same status that followed one another; times are seconds after the request was complete."""

    status: int
    times: int
    first: float
    last: float


@dataclass(frozen=True, slots=True)
class Place:
    """Where the bytes of an exchange are in a recording. What is read from ``offset`` on begins with whole PDUs."""

    path: Path
    offset: int
    """Bytes from the begin of the file to the block that holds the first byte."""
    end: int
    """Bytes from the begin of the file, or of ``last``, to the end of the block that holds the last byte."""
    requestor: int
    """TCP sequence number, in what the requestor of the association sent, of the first PDU of the exchange."""
    acceptor: int
    """The same in what the acceptor sent."""
    last: Path | None = None
    """The later part of the recording in which the exchange ends; None when it ends in ``path``."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """One DIMSE request and what was answered (PS3.7 7.5)."""

    association: Association
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
    answers: tuple[Answer, ...] = ()
    """The responses in order, equal ones together: a query with 2000 matches has two."""
    command: Command | None = None
    """The command set of the request."""
    context: AcceptedContext | None = None
    """The presentation context it came on."""
    rule: str = ""
    """The rule of the scenario that decided, "" when the server behaved by the standard."""
    fault: str = ""
    """What was done to the answer on its way, "" for nothing."""
    place: Place | None = None
    """Where its bytes are, None without a recording."""
    asked_by_us: bool = False
    """Whether we sent the request: a sub-operation of a retrieve, or what a test asked a peer."""
    cause: str = ""
    """The C-GET or C-MOVE it is a sub-operation of, as ``3.1``; "" for none."""
    counts: tuple[int, int, int] | None = None
    """Sub-operations completed, failed and with a warning, as the final response says (PS3.7 9.3.3.2, 9.3.4.2);
    None where it says nothing of them."""

    @property
    def id(self) -> str:
        """``2.1``: the first exchange of the second association; what `mockpacs show` takes."""
        return f"{self.association.number}.{self.number}"

    @property
    def detail(self) -> bool:
        """True for what is only shown when more is asked for (-v): a sub-operation that did what it was to do."""
        return self.asked_by_us and bool(self.cause) and self.category in ("success", "warning")

    @property
    def responses(self) -> int:
        """How many responses there were."""
        return sum(answer.times for answer in self.answers)

    @property
    def status_name(self) -> str:
        """The name of the status for this service; "no answer" when there was none."""
        return "no answer" if self.status is None else name_of(self.status, self.service)

    @property
    def category(self) -> str:
        """success, warning, pending, cancel or failure (PS3.7 Annex C); failure when nothing was answered."""
        return "failure" if self.status is None else str(category_of(self.status))

    @property
    def duration(self) -> float:
        """Seconds from the complete command set of the request to the last response."""
        return self.seconds

    @property
    def sop_class(self) -> str:
        """The SOP class the request names, "" when none."""
        command = self.command
        return (command.affected_sop_class or command.requested_sop_class or "") if command else ""

    @property
    def sop_instance(self) -> str:
        """The SOP instance the request names, "" when none."""
        command = self.command
        return (command.affected_sop_instance or command.requested_sop_instance or "") if command else ""

    @property
    def dataset(self) -> Dataset | None:
        """The data set of the request; None when it had none.

        It is read from the recording every time, so ask once and keep it. One of more than 256 MiB comes without what
        stands behind its first 64 MiB, and without its pixel data. Raises `RecordingError` where it cannot be read.
        """
        from mockpacs.traffic.recording.dataset import dataset_of

        return dataset_of(self)

    @property
    def matches(self) -> list[Dataset]:
        """The data sets of the pending responses: what a query found. They are read as `dataset` is."""
        from mockpacs.traffic.recording.dataset import matches_of

        return matches_of(self)


def counts_of(response: Command) -> tuple[int, int, int] | None:
    """Sub-operations completed, failed and with a warning, as a response counts them; None when it counts none."""
    counters = (
        response.completed_sub_operations,
        response.failed_sub_operations,
        response.warning_sub_operations,
    )
    if counters == (None, None, None):
        return None
    completed, failed, warning = (counter or 0 for counter in counters)
    return completed, failed, warning


@dataclass(frozen=True, slots=True)
class Notice:
    """Not an exchange: an association refused or aborted, a rule that acted on it, trouble on our side."""

    when: float
    """Wall clock, seconds since 1970."""
    kind: str
    """opened, released, rejected, aborted, closed, scenario (a rule acted on an event), peers (changed), trouble"""
    text: str
    association: Association | None = None
    detail: bool = False
    """True for what is only shown when more is asked for (-v)."""


Record = Exchange | Notice
