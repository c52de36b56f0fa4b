"""pynetdicom on both ends of a retrieve: it asks, and it receives, on the same association or as a move destination."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from pydicom import Dataset
from pydicom.uid import ExplicitVRLittleEndian
from pynetdicom import AE, evt
from pynetdicom.association import Association
from pynetdicom.presentation import build_role

from tests.interop.scu import associate

Pair = tuple[str, str]
"""A SOP class and a transfer syntax."""

MOVE, GET = "1.2.840.10008.5.1.4.1.2.{}.2", "1.2.840.10008.5.1.4.1.2.{}.3"
STUDY_ROOT_MOVE, STUDY_ROOT_GET = MOVE.format(2), GET.format(2)
COMPOSITE_MOVE, COMPOSITE_GET = MOVE.format(4), GET.format(4)


@dataclass(frozen=True, slots=True)
class Arrival:
    """One C-STORE request as a receiver had it."""

    sop_class: str
    sop_instance: str
    transfer_syntax: str
    data: bytes
    association: int
    """Counted from 1."""
    message_id: int
    priority: int
    originator: tuple[str | None, int | None]
    """Move Originator Application Entity Title and Message ID."""

    @property
    def content(self) -> tuple[str, str, str, bytes]:
        """As `judge.OnDisk` has it."""
        return self.sop_class, self.sop_instance, self.transfer_syntax, self.data


Behaviour = Callable[[int, evt.Event], int]
"""What a receiver does with its n-th C-STORE, counted from 1: the status. It may abort the association before."""


def take(_number: int, _event: evt.Event) -> int:
    """Success."""
    return 0x0000


@dataclass(slots=True)
class Receiver:
    """Keeps what arrives."""

    behaviour: Behaviour = take
    arrivals: list[Arrival] = field(default_factory=list)
    associations: int = 0
    releases: int = 0
    aborts: int = 0
    calling: list[str] = field(default_factory=list)
    port: int = 0
    _numbers: dict[Any, int] = field(default_factory=dict)

    def handlers(self) -> list[Any]:
        """For pynetdicom."""
        return [
            (evt.EVT_ACCEPTED, self._accepted),
            (evt.EVT_RELEASED, self._released),
            (evt.EVT_ABORTED, self._aborted),
            (evt.EVT_C_STORE, self._stored),
        ]

    @property
    def contents(self) -> Counter[tuple[str, str, str, bytes]]:
        return Counter(arrival.content for arrival in self.arrivals)

    @property
    def sop_instances(self) -> list[str]:
        return [arrival.sop_instance for arrival in self.arrivals]

    def _accepted(self, event: evt.Event) -> None:
        self.associations += 1
        self._numbers[event.assoc] = self.associations
        self.calling.append(event.assoc.requestor.ae_title)

    def _released(self, _event: evt.Event) -> None:
        self.releases += 1

    def _aborted(self, _event: evt.Event) -> None:
        self.aborts += 1

    def _stored(self, event: evt.Event) -> int:
        request: Any = event.request
        self.arrivals.append(
            Arrival(
                str(request.AffectedSOPClassUID),
                str(request.AffectedSOPInstanceUID),
                str(event.context.transfer_syntax),
                request.DataSet.getvalue(),
                self._numbers.get(event.assoc, 0),
                request.MessageID,
                request.Priority,
                (request.MoveOriginatorApplicationEntityTitle, request.MoveOriginatorMessageID),
            )
        )
        return self.behaviour(len(self.arrivals), event)


@contextmanager
def receiving(pairs: Iterable[Pair], behaviour: Behaviour = take, **how: Any) -> Iterator[Receiver]:
    """A move destination that takes these SOP classes in these transfer syntaxes, at a port of its own.

    ``only_from``: the calling AE title it insists on; ``ssl_context`` for TLS.
    """
    entity = AE(ae_title="RECEIVER")
    entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = 20
    entity.require_calling_aet = [name] if (name := how.pop("only_from", "")) else []
    for sop_class, syntax in pairs:
        entity.add_supported_context(sop_class, syntax)
    receiver = Receiver(behaviour)
    server: Any = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=receiver.handlers(), **how)
    receiver.port = server.server_address[1]
    try:
        yield receiver
    finally:
        server.shutdown()


@dataclass(frozen=True, slots=True)
class Ended:
    """How a retrieve ended: all responses, the final one last."""

    responses: list[Dataset]
    identifier: Dataset | None

    @property
    def final(self) -> Dataset:
        return self.responses[-1]

    @property
    def status(self) -> int:
        return int(self.final.Status)

    @property
    def counts(self) -> tuple[int, int, int]:
        """Completed, failed and with a warning; what is missing counts as -1."""
        return counters(self.final)

    @property
    def failed_list(self) -> list[str]:
        """Failed SOP Instance UID List; [] when no identifier came."""
        value = self.identifier.FailedSOPInstanceUIDList if self.identifier else []
        return [value] if isinstance(value, str) else list(value or [])


def counters(response: Dataset) -> tuple[int, int, int]:
    names = ("Completed", "Failed", "Warning")
    completed, failed, warning = (int(response.get(f"NumberOf{name}Suboperations", -1)) for name in names)
    return completed, failed, warning


Spectator = Callable[[Association, Dataset], None]
"""Looks at each response as it comes, and may do something about it."""


def move(pacs: Any, identifier: Dataset, destination: str, model: str = STUDY_ROOT_MOVE, **how: Any) -> Ended:
    """C-MOVE on an association of its own. ``spectator`` sees each response; the rest as pynetdicom has it."""
    spectator = how.pop("spectator", None)
    request = {name: how.pop(name) for name in ("msg_id", "priority") if name in how}
    association = associate(pacs, (model, ExplicitVRLittleEndian), **how)
    assert association.is_established
    try:
        return _ended(association, association.send_c_move(identifier, destination, model, **request), spectator)
    finally:
        association.release()


def get(
    pacs: Any, identifier: Dataset, pairs: Sequence[Pair], model: str = STUDY_ROOT_GET, **how: Any
) -> tuple[Ended, Receiver]:
    """C-GET on an association of its own that proposes a context for each pair: how it ended, and what arrived.

    ``roles``: the SOP classes for which the role of an SCP is proposed, all by default; ``behaviour`` as a receiver's.
    """
    spectator = how.pop("spectator", None)
    receiver = Receiver(how.pop("behaviour", take))
    roles = how.pop("roles", dict.fromkeys(sop_class for sop_class, _ in pairs))
    request = {name: how.pop(name) for name in ("msg_id", "priority") if name in how}
    association = associate(
        pacs,
        (model, ExplicitVRLittleEndian),
        *((sop_class, [syntax]) for sop_class, syntax in pairs),
        ext_neg=[*(build_role(sop_class, scp_role=True) for sop_class in roles), *how.pop("ext_neg", [])],
        evt_handlers=[(evt.EVT_C_STORE, receiver._stored)],
        **how,
    )
    assert association.is_established
    try:
        return _ended(association, association.send_c_get(identifier, model, **request), spectator), receiver
    finally:
        association.release()


def _ended(association: Association, answers: Iterator[Any], spectator: Spectator | None) -> Ended:
    responses, last = [], None
    for response, identifier in answers:
        responses.append(response)
        last = identifier
        if spectator is not None:
            spectator(association, response)
    return Ended(responses, last)


def at_once(*works: Callable[[], Any]) -> list[Any]:
    """What each returns; all run at the same time, each in a thread of its own. What one raises is raised."""
    done: dict[int, Any] = {}
    errors: list[BaseException] = []

    def do(number: int, work: Callable[[], Any]) -> None:
        try:
            done[number] = work()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=do, args=each, daemon=True) for each in enumerate(works)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    for error in errors:
        raise error
    return [done[number] for number in range(len(works))]
