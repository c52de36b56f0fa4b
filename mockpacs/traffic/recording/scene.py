"""The bytes of one connection read back: what the conversation saw, together with the bytes it saw it in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from mockpacs.traffic.capture.event import Chunk, Event, Missing
from mockpacs.wire import (
    AssociateAC,
    AssociateRQ,
    ContextAnswer,
    ProposedContext,
    Role,
    decode_pdu,
    encode_pdu,
)
from mockpacs.wire.conversation import Conversation
from mockpacs.wire.seen import GapSeen, JunkSeen, NonsenseSeen, PduSeen, Seen
from mockpacs.wire.walker import MAX_HELD

_HEADER_LENGTH: Final = 6
_HELD_AT_MOST: Final = 2 * MAX_HELD
# who has seen an association begin takes the messages that follow for whole, however odd they are
_INTRODUCTION: Final = {
    Role.REQUESTOR: encode_pdu(AssociateRQ("", "", (ProposedContext(1, "1.2", ("1.2",)),))),
    Role.ACCEPTOR: encode_pdu(AssociateAC("", "", (ContextAnswer(1, 0, "1.2"),))),
}


class Scene(NamedTuple):
    """Something that was seen. A PDU in it is a copy, its data are valid for as long as somebody holds them."""

    when: float
    """Seconds since 1970, of the packet that completed it."""
    seen: Seen
    raw: bytes
    """The bytes of a PDU, or of what is none; of very long junk only its end. Nothing for what a PDU carries."""


def scenes(told: Iterable[Event], *, from_message: bool = False, keep_raw: bool = True) -> Iterator[Scene]:
    """What was seen in the events of one connection. ``from_message``: they begin with a message.

    Without ``keep_raw`` nothing is copied: PDUs and their data are valid until the next scene is asked for.
    """
    conversation = Conversation()
    sides = {Role.REQUESTOR: _Bytes(), Role.ACCEPTOR: _Bytes()}
    if from_message:
        for sender, pdu in _INTRODUCTION.items():
            conversation.feed(sender, pdu)
            sides[sender].skip(len(pdu))
    when = 0.0
    for event in told:
        if type(event) is Chunk:
            if keep_raw:
                sides[event.sender].add(event.data)
            found = conversation.feed(event.sender, event.data)
        elif type(event) is Missing:
            sides[event.sender].skip(event.size)
            found = conversation.gap(event.sender, event.size)
        else:
            continue
        when = event.when
        for seen in found:
            yield _scene(when, seen, sides) if keep_raw else Scene(when, seen, b"")
    for seen in conversation.finish():
        yield _scene(when, seen, sides) if keep_raw else Scene(when, seen, b"")


def _scene(when: float, seen: Seen, sides: dict[Role, _Bytes]) -> Scene:
    if isinstance(seen, PduSeen):
        raw = sides[seen.sender].take(seen.start, seen.end)
        pdu = decode_pdu(seen.pdu_type, memoryview(raw)[_HEADER_LENGTH:])
        return Scene(when, seen._replace(pdu=pdu), raw)
    if isinstance(seen, JunkSeen | NonsenseSeen | GapSeen):
        return Scene(when, seen, sides[seen.sender].take(seen.start, seen.end))
    return Scene(when, seen, b"")


class _Bytes:
    """The last bytes of one side, by position."""

    __slots__ = ("_held", "_start")

    def __init__(self) -> None:
        self._held = bytearray()
        self._start = 0

    def add(self, data: bytes | memoryview) -> None:
        self._held += data
        if (surplus := len(self._held) - _HELD_AT_MOST) > 0:
            self._forget(surplus)

    def skip(self, size: int) -> None:
        self._start += len(self._held) + size
        self._held.clear()

    def take(self, start: int, end: int) -> bytes:
        """Those between two positions that are still there; what is before them is forgotten."""
        if start > self._start:
            self._forget(min(start - self._start, len(self._held)))
        return bytes(memoryview(self._held)[max(start - self._start, 0) : max(end - self._start, 0)])

    def _forget(self, count: int) -> None:
        del self._held[:count]
        self._start += count
