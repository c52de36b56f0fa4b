"""The bytes that a recorded client sent, as acts in their order: what to send, what to wait for, how to end."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from mockpacs.replay.association import TapedAssociation
from mockpacs.replay.client.milestones import Milestone, Milestones
from mockpacs.traffic.capture.event import Chunk, Closed, Missing
from mockpacs.wire import Command, PduType, Role
from mockpacs.wire.conversation import Conversation
from mockpacs.wire.seen import CommandSeen

_HEADER_LENGTH: Final = 6
_LONGEST_PDU: Final = 64 << 20


@dataclass(frozen=True, slots=True)
class Send:
    """Bytes of the client."""

    when: float
    data: bytes
    is_pdu: bool
    """Whether they are one PDU, as far as its header can be believed."""


@dataclass(frozen=True, slots=True)
class Asks:
    """The client has said a request; its PDUs are sent after this."""

    context_id: int
    command: Command


@dataclass(frozen=True, slots=True)
class Reached:
    """The peer has said something."""

    when: float
    milestone: Milestone


@dataclass(frozen=True, slots=True)
class End:
    """A side closed the connection; ``cut``: the recording ended."""

    when: float
    by_client: bool
    how: Literal["fin", "reset", "cut"]


@dataclass(frozen=True, slots=True)
class Lost:
    """Bytes of the client that were not captured."""

    when: float
    size: int


Act: TypeAlias = Send | Asks | Reached | End | Lost


def acts(taped: TapedAssociation, *, by_pdu: bool) -> Iterator[Act]:
    """What happened, in order. ``by_pdu``: the client's bytes PDU by PDU, where they are PDUs; otherwise as captured.

    Raises RecordingError when the recording cannot be read any more.
    """
    source = taped.source
    if source is None:
        return
    client = Role.ACCEPTOR if source.sides_swapped else Role.REQUESTOR
    server = Role.REQUESTOR if source.sides_swapped else Role.ACCEPTOR
    conversation, milestones = Conversation(from_start=source.from_start), Milestones(server)
    framing = Framing() if by_pdu else None
    for event in source.events():
        if isinstance(event, Chunk):
            when, data = event.when, bytes(event.data)
            if event.sender is client:
                for seen in conversation.feed(client, data):
                    if isinstance(seen, CommandSeen) and seen.sender is client and seen.command.is_request:
                        yield Asks(seen.context_id, seen.command)
                pieces = framing.feed(data) if framing else [(data, False)]
                yield from (Send(when, piece, is_pdu) for piece, is_pdu in pieces if piece)
                continue
            if framing and (rest := framing.flush()):
                yield Send(when, rest, False)
            for milestone in milestones.of(conversation.feed(server, data)):
                yield Reached(when, milestone)
        elif isinstance(event, Missing):
            conversation.gap(event.sender, event.size)
            if event.sender is client:
                yield Lost(event.when, event.size)
        elif isinstance(event, Closed):
            if framing and (rest := framing.flush()):
                yield Send(event.when, rest, False)
            yield End(event.when, event.sender is client, event.how)  # type: ignore[arg-type]


class Framing:
    """Cuts bytes into PDUs, by what their headers say. What is no PDU, and all behind it, is passed on as it is."""

    def __init__(self) -> None:
        self._held = bytearray()
        self._rest = 0  # of a PDU of which the beginning was passed on
        self._is_lost = False

    def feed(self, data: bytes) -> Iterator[tuple[bytes, bool]]:
        """Pieces, and whether each is a PDU."""
        if self._rest:
            piece, data = data[: self._rest], data[self._rest :]
            self._rest -= len(piece)
            yield piece, False
        self._held += data
        while self._held and not self._is_lost:
            if not 1 <= self._held[0] <= PduType.ABORT:
                self._is_lost = True
                break
            if len(self._held) < _HEADER_LENGTH:
                return
            end = _HEADER_LENGTH + int.from_bytes(self._held[2:6], "big")
            if end > _LONGEST_PDU:
                self._is_lost = True
                break
            if len(self._held) < end:
                return
            yield bytes(self._held[:end]), True
            del self._held[:end]
        if self._is_lost:
            yield bytes(self._held), False
            self._held.clear()

    def flush(self) -> bytes:
        """The beginning of a PDU that is not whole: the other side said something after it, or nothing follows."""
        held, self._held = bytes(self._held), bytearray()
        if len(held) >= _HEADER_LENGTH:
            self._rest = _HEADER_LENGTH + int.from_bytes(held[2:6], "big") - len(held)
        elif held:
            self._is_lost = True
        return held
