"""The instances in a recording as DICOM files: every data set that a C-STORE-RQ of either side carried, byte for byte.

They are written while the recording is read: what is held is one fragment, however large an instance is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from mockpacs.errors import RecordingError
from mockpacs.traffic.capture.event import Chunk, Closed, Event, Flow, Missing
from mockpacs.traffic.exchange import Exchange, Record
from mockpacs.traffic.object_file import ObjectFile
from mockpacs.wire import CommandField, Role
from mockpacs.wire.conversation import Conversation
from mockpacs.wire.part10 import FileMeta
from mockpacs.wire.seen import CommandSeen, DataSeen, GapSeen, JunkSeen, NonsenseSeen, Seen

Key = tuple[int, Role, int]
"""A request: the number of its connection, who sent it, and the TCP sequence number of its first PDU."""

_MASK: Final = 0xFFFFFFFF


class Exported(NamedTuple):
    """An instance: the file it was written to, or why it was not."""

    sop_instance: str
    path: Path | None
    problem: str


def keys_of(record: Record) -> Iterator[Key]:
    """The keys the request of a C-STORE may have: an exchange does not say who asked."""
    if isinstance(record, Exchange) and record.service == "C-STORE" and record.place is not None:
        yield record.association.number, Role.REQUESTOR, record.place.requestor
        yield record.association.number, Role.ACCEPTOR, record.place.acceptor


def export_objects(
    events: Iterable[Event], folder: Path, is_wanted: Callable[[Key], bool] = lambda _: True
) -> Iterator[Exported]:
    """Write the instances to a folder, which is made when missing; yields each when it is settled.

    Raises RecordingError when the disk refuses.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        why = "is no folder" if folder.exists() else f"cannot be made: {error.strerror}"
        raise RecordingError(f"{folder} {why}; instances are written into a folder") from error
    connections: dict[int, _Connection] = {}
    try:
        for event in events:
            number = event.flow.number
            connection = connections.get(number)
            if connection is None:
                if not isinstance(event, Chunk | Missing):
                    continue  # opened and closed: of a port scan there are very many
                connection = connections[number] = _Connection(event.flow, folder, is_wanted)
            yield from connection.take(event)
            if connection.is_over:
                del connections[number]
    finally:
        for connection in connections.values():
            connection.discard()


class _Arriving(NamedTuple):
    file: ObjectFile
    sop_instance: str


class _Connection:
    """What is being sent on one connection."""

    def __init__(self, flow: Flow, folder: Path, is_wanted: Callable[[Key], bool]) -> None:
        self._flow = flow
        self._folder = folder
        self._is_wanted = is_wanted
        self._conversation = Conversation()
        self._arriving: dict[Role, _Arriving] = {}
        self._position = dict.fromkeys(Role, 0)
        self._first = dict.fromkeys(Role, 0)  # the sequence number of the byte at position 0
        self._closed: set[Role] = set()

    @property
    def is_over(self) -> bool:
        """Whether neither side sends any more."""
        return len(self._closed) == len(Role)

    def take(self, event: Event) -> Iterator[Exported]:
        """What happened next."""
        match event:
            case Chunk():
                self._move(event.sender, event.sequence, len(event.data))
                for seen in self._conversation.feed(event.sender, event.data):
                    yield from self._see(seen)
            case Missing():
                self._move(event.sender, event.sequence, event.size)
                for seen in self._conversation.gap(event.sender, event.size):
                    yield from self._see(seen)
            case Closed(sender=sender, how=how):
                gone = [sender] if how == "fin" and sender is not None else list(Role)
                self._closed.update(gone)
                for role in gone:
                    yield from self._give_up(role, "the connection ended within the data set")
            case _:
                pass

    def discard(self) -> None:
        """Leave nothing half written behind."""
        for arriving in self._arriving.values():
            arriving.file.discard()

    def _move(self, sender: Role, sequence: int, size: int) -> None:
        self._first[sender] = sequence - self._position[sender]
        self._position[sender] += size

    def _see(self, seen: Seen) -> Iterator[Exported]:
        match seen:
            case DataSeen(sender=sender, data=data, is_last=is_last):
                if arriving := self._arriving.get(sender):
                    arriving.file.write(data)
                    if is_last:
                        yield self._settle(self._arriving.pop(sender))
            case CommandSeen():
                yield from self._give_up(seen.sender, "another message began within the data set")
                self._begin(seen)
            case GapSeen(sender=sender):
                yield from self._give_up(sender, "a part of the data set was not captured")
            case NonsenseSeen(sender=sender) | JunkSeen(sender=sender):
                yield from self._give_up(sender, f"nonsense within the data set: {seen.why}")
            case _:
                pass

    def _begin(self, seen: CommandSeen) -> None:
        command, sender = seen.command, seen.sender
        if command.field is not CommandField.C_STORE_RQ or not command.has_dataset:
            return
        if not self._is_wanted((self._flow.number, sender, self._first[sender] + seen.start & _MASK)):
            return
        context = self._conversation.context(seen.context_id)
        request = self._conversation.request
        title = ""
        if request is not None:
            title = request.calling if sender is Role.REQUESTOR else request.called
        instance = command.affected_sop_instance or ""
        sop_class = command.affected_sop_class or context.abstract_syntax
        meta = FileMeta(sop_class, instance, context.transfer_syntax, title)
        self._arriving[sender] = _Arriving(ObjectFile(self._folder, meta), instance)

    def _settle(self, arriving: _Arriving) -> Exported:
        path = arriving.file.finish()
        if path is None:
            return Exported(arriving.sop_instance, None, "no data set, or one whose transfer syntax is not known")
        return Exported(arriving.sop_instance, path, "")

    def _give_up(self, sender: Role, why: str) -> Iterator[Exported]:
        arriving = self._arriving.pop(sender, None)
        if arriving is not None:
            arriving.file.discard()
            yield Exported(arriving.sop_instance, None, f"{why} ({arriving.file.size} bytes of it are there)")
