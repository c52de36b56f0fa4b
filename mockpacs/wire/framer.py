"""From a stream of bytes to PDUs: finds where each ends, keeps the partial one, holds never more than one PDU.

Limits are checked on the six header bytes, before anything is kept. A-ASSOCIATE PDUs may have 1 MiB, the short PDUs
their four bytes. For P-DATA-TF the advertised maximum length plus a tolerance counts: senders that miscount the headers
or ignore the negotiation and send the 16 to 128 KiB they always send are served; beyond that is an attack or an error.
"""

from __future__ import annotations

from struct import Struct

from mockpacs.wire.malformed import AbortReason, Malformed
from mockpacs.wire.pdu import FIXED_BODY_LENGTH, PduType

MAX_ASSOCIATE_LENGTH = 1 << 20
"""The longest A-ASSOCIATE-RQ or -AC accepted, in bytes: room for 128 contexts with 200 transfer syntaxes each."""

MAX_UNLIMITED_LENGTH = 16 << 20
"""The longest P-DATA-TF accepted, in bytes, when the advertised maximum length is 0 (no limit)."""

_TOLERANCE = 1024
_TOLERATED = 128 * 1024 + _TOLERANCE
HEADER_LENGTH = 6
"""PDU type, a reserved byte and the length of what follows, in bytes (PS3.8 9.3.1)."""
_HEADER = Struct(">BxI")
# one byte is all there is to guess from when a peer sends byte by byte
_GUESSES = {0x16: "a TLS handshake", **dict.fromkeys(b"CDGHOPT", "an HTTP request")}


class Framer:
    """Cuts a byte stream into PDUs; says nothing more after the first `Malformed`."""

    __slots__ = ("_held", "_limits", "_needed", "_poisoned")

    def __init__(self, max_length: int) -> None:
        """``max_length``: the maximum length we advertised, in bytes; 0 is no limit."""
        self._limits = _limits(max_length)
        self._held = bytearray()
        self._needed = HEADER_LENGTH
        self._poisoned = False

    def allow(self, max_length: int) -> None:
        """What we advertised in the end: P-DATA-TF may be longer from here on, never shorter."""
        if (limits := _limits(max_length)) > self._limits:
            self._limits = limits

    def feed(self, data: memoryview | bytes) -> list[tuple[int, memoryview] | Malformed]:
        """Take received bytes, return (PDU type, body) of each PDU that is complete now.

        A body is a view, into ``data`` where the PDU lies whole in it; valid until the next call or until the
        caller reuses ``data``.
        """
        frames: list[tuple[int, memoryview] | Malformed] = []
        if self._poisoned:
            return frames
        view = memoryview(data)
        offset, end = self._top_up(view, frames) if self._held else 0, len(view)
        while offset < end and not self._poisoned:
            start = offset + HEADER_LENGTH
            if start > end:
                self._hold(view[offset:], HEADER_LENGTH, frames)
                break
            pdu_type, length = _HEADER.unpack_from(view, offset)
            if pdu_type > PduType.ABORT or length > self._limits[pdu_type]:
                frames.append(self._refuse(pdu_type, length))
                break
            if start + length > end:
                self._hold(view[offset:], HEADER_LENGTH + length, frames)
                break
            offset = start + length
            frames.append((pdu_type, view[start:offset]))
        return frames

    def _hold(self, rest: memoryview, needed: int, frames: list[tuple[int, memoryview] | Malformed]) -> None:
        """Copy the beginning of a PDU, as the caller's buffer is going to be reused."""
        if not 0 < rest[0] <= PduType.ABORT:
            frames.append(self._refuse(rest[0], 0))
            return
        self._held += rest
        self._needed = needed

    def _top_up(self, view: memoryview, frames: list[tuple[int, memoryview] | Malformed]) -> int:
        """Add to the held PDU what it lacks, hand it out when complete; return how much of ``view`` was used."""
        held = self._held
        used = min(self._needed - len(held), len(view))
        held += view[:used]
        if len(held) == HEADER_LENGTH and self._needed == HEADER_LENGTH:
            pdu_type, length = _HEADER.unpack_from(held)
            if length > self._limits[pdu_type]:
                frames.append(self._refuse(pdu_type, length))
                return used
            self._needed += length
            more = view[used : used + length]
            held += more
            used += len(more)
        if len(held) == self._needed:
            # the view keeps the old bytearray alive; a new one, because one with a view cannot grow
            self._held, self._needed = bytearray(), HEADER_LENGTH
            frames.append((held[0], memoryview(held)[HEADER_LENGTH:]))
        return used

    def _refuse(self, pdu_type: int, length: int) -> Malformed:
        self._poisoned = True
        self._held = bytearray()
        if not 0 < pdu_type <= PduType.ABORT:
            guess = f"; perhaps {_GUESSES[pdu_type]}" if pdu_type in _GUESSES else ""
            why = f"PDU type {pdu_type:02X}H is unknown{guess}"
            return Malformed(pdu_type, why, AbortReason.UNRECOGNIZED_PDU)
        why = f"PDU of type {pdu_type:02X}H claims {length} bytes, {self._limits[pdu_type]} is the limit"
        return Malformed(pdu_type, why, AbortReason.INVALID_PARAMETER)


def _limits(max_length: int) -> tuple[int, ...]:
    """The longest body by PDU type."""
    associate, short = MAX_ASSOCIATE_LENGTH, FIXED_BODY_LENGTH
    data = max(max_length + _TOLERANCE, _TOLERATED) if max_length else MAX_UNLIMITED_LENGTH
    return (-1, associate, associate, short, data, short, short, short)
