"""What happens to the bytes of an answer on their way out: cut short, changed, slowed down.

Pure and seeded: the same answer, fault and seed give the same operations, whatever was drawn before.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

from mockpacs.wire.operation import Operation, Wait, Write

_TOGETHER: Final = 1 << 20
"""Bytes that are written at once when nothing slows them down."""
_TICKS_PER_SECOND: Final = 20
"""Pieces in which a bandwidth is kept: one for every 50 ms."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What is done to an answer; by default nothing. Places and counts are over all of its bytes, whatever its PDUs."""

    truncate_after: int | None = None
    """How many bytes are sent of it. More than it has changes nothing."""
    corrupt_offset: int | None = None
    """Place of a byte that is changed, from 0. A place that is not sent changes nothing."""
    corrupt_xor: int = 0xFF
    """What a changed byte is combined with; 0 changes nothing."""
    corrupt_bytes: int = 0
    """How many bytes are changed at different places drawn by the seed, out of those that are sent; at most all."""
    seed: int = 0
    """What is drawn with; any integer."""
    drip_bytes: int = 0
    """Bytes in a piece when it goes out in small pieces; 0: it does not."""
    drip_every_seconds: float = 0.2
    """Time from one piece to the next."""
    bandwidth: int = 0
    """Bytes in a second at most; 0: as fast as it goes."""

    @property
    def is_slow(self) -> bool:
        """Whether it takes its time: when the connection ends meanwhile, some of the answer has not left."""
        return bool(self.drip_bytes or self.bandwidth)


def operations(pdus: Sequence[bytes], fault: Fault) -> Iterator[Operation]:
    """Yield what to do to send an answer with this fault: `Write` and, with drip or bandwidth, `Wait`.

    One piece is made at a time: a large answer that drips takes no more memory than the answer. All writes together are
    the answer, truncated and corrupted; nothing at all of an answer that is truncated to nothing.
    """
    size = sum(map(len, pdus))
    if fault.truncate_after is not None:
        size = min(size, fault.truncate_after)
    return paced(_corrupted(_truncated(pdus, size), _places(size, fault), fault.corrupt_xor), fault)


def paced(parts: Iterable[bytes | memoryview], fault: Fault) -> Iterator[Operation]:
    """Yield the pieces of some bytes and the waits of drip and bandwidth: nothing else of the fault counts.

    The first piece goes at once. Dripping pauses between pieces. A bandwidth gives each piece, also the last, the time
    it takes: so it is kept over many short answers. With both, pieces are those of the drip and pauses the longer.
    """
    owed: float | None = None
    for piece in _pieces(parts, _piece_size(fault)):
        if owed is not None:
            yield Wait(max(owed, fault.drip_every_seconds) if fault.drip_bytes else owed)
        yield Write(piece)
        if fault.bandwidth:
            owed = len(piece) / fault.bandwidth
        elif fault.drip_bytes:
            owed = 0.0
    if fault.bandwidth and owed:
        yield Wait(owed, is_rest=True)


def _piece_size(fault: Fault) -> int:
    if fault.drip_bytes:
        return fault.drip_bytes
    return max(fault.bandwidth // _TICKS_PER_SECOND, 1) if fault.bandwidth else _TOGETHER


def _pieces(parts: Iterable[bytes | memoryview], size: int) -> Iterator[bytes]:
    """Yield the same bytes in pieces of this size, the last may be shorter."""
    held: list[memoryview] = []
    room = size
    for part in parts:
        rest = memoryview(part)
        while len(rest) >= room:
            yield b"".join((*held, rest[:room]))
            rest, room = rest[room:], size
            held.clear()
        if rest:
            held.append(rest)
            room -= len(rest)
    if held:
        yield b"".join(held)


def _truncated(pdus: Iterable[bytes], size: int) -> Iterator[memoryview]:
    for pdu in pdus:
        yield memoryview(pdu)[:size]
        size -= min(len(pdu), size)


def _places(size: int, fault: Fault) -> list[int]:
    """Return the places of the bytes to change, in order; drawn by Floyd's method: each place once, no second try."""
    drawn: set[int] = set()
    for last in range(max(size - fault.corrupt_bytes, 0), size):
        place = _draw(fault.seed, last)
        drawn.add(last if place in drawn else place)
    if fault.corrupt_offset is not None:
        drawn.add(fault.corrupt_offset)
    return sorted(drawn)


def _draw(seed: int, last: int) -> int:
    """Draw a place from 0 to ``last``."""
    digest = blake2b(b"corrupt %d" % last, key=blake2b(b"%d" % seed).digest(), digest_size=16).digest()
    return int.from_bytes(digest, "big") % (last + 1)


def _corrupted(parts: Iterable[memoryview], places: list[int], xor: int) -> Iterator[bytes | memoryview]:
    start = 0
    for part in parts:
        end = start + len(part)
        here = places[bisect_left(places, start) : bisect_left(places, end)]
        if here:
            changed = bytearray(part)
            for place in here:
                changed[place - start] ^= xor
            yield bytes(changed)
        else:
            yield part
        start = end
