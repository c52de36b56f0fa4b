"""The classic capture format: a header and records, in either byte order, with micro- or nanoseconds."""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct
from typing import Final, NamedTuple

from mockpacs.traffic.capture.packet import Packet, Problems

_HEADER_LENGTH: Final = 24
_LONGEST_PACKET: Final = 16 << 20


class _Variant(NamedTuple):
    order: str
    ticks: int
    """Of the clock, per second."""
    head_length: int
    """Of a record."""


# the third is what Kuznetzov's patch wrote: interface, protocol and packet type after the lengths
MAGICS: Final = {
    int(number, 16).to_bytes(4, "big" if order == ">" else "little"): _Variant(order, ticks, head_length)
    for number, ticks, head_length in (
        ("a1b2c3d4", 10**6, 16),
        ("a1b23c4d", 10**9, 16),
        ("a1b2cd34", 10**6, 24),
    )
    for order in "<>"
}
"""How such a file begins."""


class Pcap:
    """A `Parser` for pcap."""

    __slots__ = ("_link", "_problems", "_record", "_stopped", "_variant", "position")

    def __init__(self, magic: bytes, problems: Problems) -> None:
        self.position = 0
        self._variant = MAGICS[magic]
        self._record = Struct(self._variant.order + "IIII")
        self._link = -1
        self._problems = problems
        self._stopped = False

    def packets(self, view: memoryview, base: int, *, final: bool) -> Iterator[Packet]:
        """See `Parser`."""
        if not self._begin(view, base, final=final):
            return
        _, ticks, head_length = self._variant
        read, link = self._record.unpack_from, self._link
        at, size = self.position - base, len(view)
        while at + head_length <= size:
            seconds, fraction, captured, original = read(view, at)
            start = at + head_length
            end = start + captured
            if captured > _LONGEST_PACKET:
                self._stop(f"the record at byte {base + at} claims {captured} bytes; nothing behind it can be read")
                return
            if end > size:
                break
            self.position = base + end
            when = seconds + fraction / ticks
            yield Packet(base + at, base + end, when, link, view[start:end], max(original, captured), ())
            at = end
        if final and at < size:
            self._stop(f"the file ends in the middle of the record at byte {base + at}")

    def seek(self, view: memoryview, offset: int) -> Pcap:
        """See `Parser`."""
        found = Pcap(bytes(view[:4]), self._problems)
        if found._begin(view, 0, final=True):
            found.position = max(offset, _HEADER_LENGTH)
        return found

    def _begin(self, view: memoryview, base: int, *, final: bool) -> bool:
        """Read the header. False when there is nothing to read after it."""
        if self._stopped:
            return False
        if self._link < 0:
            if base + len(view) < _HEADER_LENGTH:
                if final:
                    self._stop("the file ends in the middle of its header")
                return False
            self._link = Struct(self._variant.order + "I").unpack_from(view, 20 - base)[0] & 0xFFFF
            self.position = _HEADER_LENGTH
        return True

    def _stop(self, sentence: str) -> None:
        self._problems.say(sentence)
        self._stopped = True
