"""P-DATA-TF PDUs cut as those they replace: each takes as many bytes of the new message as it had of the old one.

A message that became shorter ends in an earlier fragment; one that became longer in a longer one, where the receiver
takes that, and else in more of them.
"""

from __future__ import annotations

from collections import Counter
from struct import Struct
from typing import Final, NamedTuple

from mockpacs.wire.pdata import PDV, encode_pdvs
from mockpacs.wire.pdu import PduType

_HEADER: Final = Struct(">BxI")
_PDV_HEADER_LENGTH: Final = 6
_LEAST: Final = 2
"""Bytes of a fragment, where those of the old message had none."""


class Part:
    """A command set or a data set that is being written."""

    __slots__ = ("has_last", "is_closed", "is_done", "ready", "room", "slots", "widest")

    def __init__(self, room: int = 0) -> None:
        """``room``: bytes of the longest PDU that the receiver takes, 0 when it is not known."""
        self.room = room
        self.ready = bytearray()
        """Bytes that were not sent yet."""
        self.is_done = False
        """Whether no more are added."""
        self.has_last = False
        """Whether its end was seen: the last fragment says so."""
        self.is_closed = False
        """Whether nothing more of it is to be sent."""
        self.slots = 0
        """Fragments of the old message that wait."""
        self.widest = 0

    def end(self, *, is_whole: bool) -> None:
        """Nothing is added any more."""
        self.is_done, self.has_last = True, is_whole


class Slot(NamedTuple):
    """The place of a fragment."""

    part: Part
    context_id: int
    is_command: bool
    size: int


class Frame:
    """The place of a PDU."""

    __slots__ = ("_slots",)

    def __init__(self) -> None:
        self._slots: list[Slot] = []

    def add(self, slot: Slot) -> None:
        """A fragment that was in it."""
        self._slots.append(slot)
        slot.part.slots += 1
        slot.part.widest = max(slot.part.widest, slot.size)

    @property
    def is_ready(self) -> bool:
        """Whether there are bytes for all its fragments, and it is known whether each is the last."""
        needed = Counter[Part]()
        for slot in self._slots:
            needed[slot.part] += slot.size
        return all(part.is_done or len(part.ready) > size for part, size in needed.items())

    def encoded(self) -> list[bytes]:
        """The PDU, nothing when no bytes are left for it, several when there are too many."""
        pdus: list[bytes] = []
        pdvs: list[PDV] = []
        size = sum(_PDV_HEADER_LENGTH + slot.size for slot in self._slots)
        for slot in self._slots:
            part = slot.part
            part.slots -= 1
            if part.is_closed:
                continue
            is_last = part.is_done and not part.slots
            pdv = _taken(slot, max(part.room - size, 0) if is_last else 0)
            if pdv.data or pdv.is_last or not slot.size:
                pdvs.append(pdv)
            if is_last and not part.is_closed:  # before anything that follows in this PDU
                pdus.append(_pdu(pdvs))
                pdvs = []
                while not part.is_closed:
                    pdus.append(_pdu([_taken(slot._replace(size=max(part.widest, _LEAST)))]))
        return [*pdus, _pdu(pdvs)] if pdvs else pdus


def _taken(slot: Slot, more: int = 0) -> PDV:
    """As many bytes as there were, and so many more."""
    part, size = slot.part, slot.size + more
    data = bytes(part.ready[:size])
    del part.ready[:size]
    part.is_closed = part.is_done and not part.ready
    return PDV(slot.context_id, slot.is_command, part.is_closed and part.has_last, data)


def _pdu(pdvs: list[PDV]) -> bytes:
    body = encode_pdvs(tuple(pdvs))
    return _HEADER.pack(PduType.P_DATA_TF, len(body)) + body
