"""What the upper layer reports: the indications and confirmations of PS3.8 7 as values, in the order they happened."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from mockpacs.wire.command import Command
from mockpacs.wire.pdu import AssociateAC, AssociateRJ, AssociateRQ


@dataclass(frozen=True, slots=True)
class AssociateRequested:
    """The peer asks for an association; answer with `accept` or `reject`."""

    rq: AssociateRQ


@dataclass(frozen=True, slots=True)
class AssociateRefused:
    """The machine itself rejected a request, because it cannot speak its protocol version (PS3.8 9.2, AE-6)."""

    rq: AssociateRQ
    rj: AssociateRJ


@dataclass(frozen=True, slots=True)
class AssociateAccepted:
    """The peer accepted our request."""

    ac: AssociateAC


@dataclass(frozen=True, slots=True)
class AssociateRejected:
    """The peer rejected our request."""

    rj: AssociateRJ


class CommandReceived(NamedTuple):
    """A complete command set; when ``command.has_dataset``, `DataReceived` follow up to one that ``is_last``."""

    context_id: int
    command: Command
    start: int = 0
    """How many bytes came before the first PDU of the message."""


class DataReceived(NamedTuple):
    """A fragment of the data set of the last command; ``data`` is valid only until the next ``receive``."""

    context_id: int
    data: memoryview | bytes
    is_last: bool


@dataclass(frozen=True, slots=True)
class ReleaseRequested:
    """The peer asks for the release; responses may still be sent before `answer_release`."""


@dataclass(frozen=True, slots=True)
class ReleaseConfirmed:
    """The peer answered our release request."""


@dataclass(frozen=True, slots=True)
class Aborted:
    """The association is gone, orderly release excepted; `source` and `reason` as in PS3.8 9.3.8.

    ``by_peer``: its A-ABORT or its closing of the connection; otherwise we aborted because of what it sent.
    ``why`` is a sentence for a log.
    """

    source: int
    reason: int
    by_peer: bool
    why: str


@dataclass(frozen=True, slots=True)
class TransportClosed:
    """The transport connection is closed; reported once, and the last thing to happen."""


Happening: TypeAlias = (
    AssociateRequested
    | AssociateRefused
    | AssociateAccepted
    | AssociateRejected
    | CommandReceived
    | DataReceived
    | ReleaseRequested
    | ReleaseConfirmed
    | Aborted
    | TransportClosed
)
