"""What goes into a service and what comes out: values, no sockets, no waiting."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple, Protocol

from mockpacs.archive import Spool
from mockpacs.services.courier import Couriers, no_courier
from mockpacs.wire import AcceptedContext, Command


def never() -> bool:
    """A request nobody can cancel."""
    return False


class SubOperations(NamedTuple):
    """The counters of a C-GET or C-MOVE response (PS3.7 9.3.3.2, 9.3.4.2)."""

    completed: int
    failed: int
    warning: int
    remaining: int | None = None
    """Only in pending and cancelled responses; a final one must not have it (PS3.4 C.4.2.1.6)."""


@dataclass(slots=True)
class Request:
    """One complete DIMSE request. ``data``: a Spool for a C-STORE, the encoded data set for others, or None."""

    command: Command
    context: AcceptedContext
    data: Spool | bytes | None = None
    agreed: Mapping[str, bytes] = field(default_factory=dict)
    """Service-class application information agreed on by extended negotiation, by SOP class UID (PS3.7 D.3.3.5)."""
    cancelled: Callable[[], bool] = never
    couriers: Couriers = no_courier
    """Who brings instances to a move destination, or with "" back to who asked; None: nobody goes there."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One response: status, what explains it, and the data set if there is one."""

    status: int
    data: bytes | None = None
    comment: str = ""
    """Error Comment (0000,0902); cut to 64 characters on the wire."""
    offending: tuple[int, ...] = ()
    """Offending Element (0000,0901)."""
    error_id: int | None = None
    """Error ID (0000,0903)."""
    attributes: tuple[int, ...] = ()
    """Attribute Identifier List (0000,1005)."""
    counts: SubOperations | None = None
    """How far the sub-operations of a retrieve are."""

    @property
    def is_plain(self) -> bool:
        """Whether the response explains nothing: only what the request determines, and the status."""
        if self.comment or self.offending or self.attributes:
            return False
        return self.error_id is None and self.counts is None


class Lane(Enum):
    """Where a service may run."""

    LOOP = "loop"
    """At once, in the event loop: one outcome, computed in microseconds."""
    WRITER = "writer"
    """In the one thread that writes the archive, together with what else is waiting there."""
    READER = "reader"
    """In one of a few threads, its outcomes taken in batches."""
    RETRIEVER = "retriever"
    """In a thread of its own, which waits for peers; each outcome is taken as soon as it is there."""


class Service(Protocol):
    """Something that answers requests of one kind."""

    lane: Lane

    def answer(self, request: Request) -> Iterable[Outcome]:
        """The responses, the final one last. Never raises for what a peer sent."""
        ...


class WritingService(Service, Protocol):
    """A service of the writer's lane: it answers all waiting requests in one transaction, each with one outcome."""

    def answer_all(self, requests: Sequence[Request]) -> list[Outcome]:
        """One outcome for each request, in order; what they say has happened when this returns."""
        ...

    def answer_at_once(self, request: Request) -> Outcome | None:
        """As ``answer_all`` for one request, but None, with nothing done, when it would have to wait for somebody."""
        ...

    def tidy(self) -> None:
        """Housekeeping that may take long; called now and then, in any thread, beside ``answer_all``."""
