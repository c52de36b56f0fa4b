"""C-GET and C-MOVE: the Query/Retrieve service class, retrieve half, as SCP (PS3.4 Annexes C, Y and Z).

What is to be sent comes from the archive, a courier brings it, a tally counts. Nothing here knows a network.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Final, Literal

from mockpacs.archive import Archive, Model, Selected, StoredInstance
from mockpacs.errors import IdentifierError, StorageError
from mockpacs.services import bulk_data, conversion
from mockpacs.services.ahead import Ahead, Turn
from mockpacs.services.conversion import Prepared
from mockpacs.services.courier import Courier, Delivery, Kind, SubOperation, Undeliverable
from mockpacs.services.request import Lane, Outcome, Request
from mockpacs.services.sub_operations import UNABLE_TO_PERFORM, Tally
from mockpacs.wire import Encoding
from mockpacs.wire.status import DOES_NOT_MATCH

COMPOSITE_ROOT_MOVE: Final = "1.2.840.10008.5.1.4.1.2.4.2"
"""Composite Instance Root Retrieve - MOVE (PS3.4 Y.6)."""
COMPOSITE_ROOT_GET: Final = "1.2.840.10008.5.1.4.1.2.4.3"
"""Composite Instance Root Retrieve - GET (PS3.4 Y.6)."""
WITHOUT_BULK_DATA_GET: Final = "1.2.840.10008.5.1.4.1.2.5.3"
"""Composite Instance Retrieve Without Bulk Data - GET (PS3.4 Z.6)."""

UNABLE_TO_CALCULATE: Final = 0xA701
"""Refused, out of resources, unable to calculate the number of matches."""
UNKNOWN_DESTINATION: Final = 0xA801
"""Refused, move destination unknown."""

# PS3.4 C.5.2.1.1, C.5.3.1.1, byte by byte: relational retrieval, enhanced multi-frame image conversion.
_DONE: Final = bytes((1, 0))
_UNKNOWN_KIND: Final = Kind("", "")


def agree(proposed: bytes) -> bytes:
    """The answer to extended negotiation: a 1 where one was proposed and is done, as many bytes as were proposed."""
    answer = bytes(int(wish == 1 and can == 1) for wish, can in zip(proposed, _DONE, strict=False))
    return answer or b"\0"


@dataclass(frozen=True, slots=True)
class RetrieveOptions:
    """How retrieves are done."""

    transcode: bool = False
    """Decompress what a peer does not take compressed; otherwise it counts as failed."""
    pending_interval: float = 0.0
    """Seconds between two pending responses at least; 0: one after each sub-operation."""


@dataclass(slots=True)
class RetrieveService:
    """Sends what a request asks for through a courier; a C-CANCEL ends it between two sub-operations."""

    archive: Archive
    model: Model | None
    """None: the Composite Instance Root model, where only SOP Instance UIDs select."""
    service: Literal["C-GET", "C-MOVE"]
    options: RetrieveOptions
    bulk_data: bool = True
    """False: data sets are sent without the attributes of PS3.4 Table Z.1-1."""
    clock: Callable[[], float] = time.monotonic
    lane: Lane = Lane.RETRIEVER

    def answer(self, request: Request) -> Iterable[Outcome]:
        """Pending outcomes with counters, then a final one with them (PS3.4 C.4.2.3.1, C.4.3.3.1)."""
        courier = self._courier(request)
        if isinstance(courier, Outcome):
            yield courier
            return
        with closing(courier):
            selected = self._selected(request)
            if isinstance(selected, Outcome):
                yield selected
                return
            yield from self._perform(request, courier, selected)

    def _courier(self, request: Request) -> Courier | Outcome:
        if self.service == "C-GET":
            return request.couriers("") or Outcome(UNABLE_TO_PERFORM, comment="Nothing can be sent on this association")
        # An empty title must not get as far as the couriers: to them it means back on the same association.
        destination = (request.command.move_destination or "").strip(" \0")
        if not destination:
            return Outcome(UNKNOWN_DESTINATION, comment="No move destination came with the request")
        return request.couriers(destination) or Outcome(
            UNKNOWN_DESTINATION, comment=f"Unknown move destination {destination}"
        )

    def _selected(self, request: Request) -> Selected | Outcome:
        if not isinstance(request.data, bytes):
            return Outcome(DOES_NOT_MATCH, comment="No identifier came with the request")
        relational = request.agreed.get(request.context.abstract_syntax, b"")[:1] == b"\1"
        encoding = Encoding.of(request.context.transfer_syntax)
        try:
            # Of the models that know SOP Instance UIDs alone the one without bulk data has no level FRAME (PS3.4 Z.3).
            return self.archive.retrieve(
                request.data, encoding, self.model, relational=relational, frames=self.model is None and self.bulk_data
            )
        except IdentifierError as error:
            return Outcome(error.status, comment=str(error), offending=error.offending)
        except StorageError as error:
            return Outcome(UNABLE_TO_CALCULATE, comment=str(error))

    def _perform(self, request: Request, courier: Courier, selected: Selected) -> Iterator[Outcome]:
        tally, pace = Tally(len(selected)), _Pace(self.options.pending_interval, self.clock)
        encoding = Encoding.of(request.context.transfer_syntax)
        courier.open([Kind(*pair) for pair in selected.kinds])
        with closing(Ahead(_numbered(selected))) as instances:
            for sub, instance in instances:
                if request.cancelled():
                    yield tally.cancelled(encoding)
                    return
                tally.add(sub.sop_instance, self._deliver(courier, sub, instance, instances))
                if tally.remaining and pace.is_due():
                    yield tally.pending()
        yield tally.final(encoding)

    def _deliver(
        self, courier: Courier, sub: SubOperation, instance: StoredInstance | StorageError | None, instances: Ahead
    ) -> Delivery:
        decided = courier.decide(sub)
        if decided is not None:
            return decided
        if instance is None:
            return Delivery(None, "deleted meanwhile")
        if isinstance(instance, StorageError):
            return Delivery(None, str(instance))
        try:
            prepared = self._prepared(instance, courier.accepts(sub.kind))
            blocks = instances.blocks_of(prepared, instance)
            response = courier.send(sub, prepared.transfer_syntax, blocks)
        except (Undeliverable, StorageError, OSError) as error:
            return Delivery(None, str(error))
        if self.bulk_data:
            instances.look()  # while the peer takes this one
        return response()

    def _prepared(self, instance: StoredInstance, accepted: Sequence[str]) -> Prepared:
        if self.bulk_data:
            return conversion.prepared(instance, accepted, transcode=self.options.transcode)
        return bulk_data.prepared(instance, accepted)


def _numbered(selected: Selected) -> Iterator[Turn]:
    """The sub-operations in order."""
    for number, (uid, instance) in enumerate(selected, 1):
        kind = _UNKNOWN_KIND
        if isinstance(instance, StoredInstance):
            kind = Kind(instance.sop_class, instance.transfer_syntax)
        yield SubOperation(number, len(selected), kind, uid), instance


class _Pace:
    """When the next pending response is due."""

    def __init__(self, interval_seconds: float, clock: Callable[[], float]) -> None:
        self._interval = interval_seconds
        self._clock = clock
        self._last: float | None = None

    def is_due(self) -> bool:
        """Whether to send one now; the answer yes counts as having sent it."""
        if not self._interval:
            return True
        now = self._clock()
        if self._last is not None and now - self._last < self._interval:
            return False
        self._last = now
        return True
