"""The capture format of Wireshark, and ours: blocks, with sections and interfaces that say how to read packets.

Format: draft-ietf-opsawg-pcapng. Unknown blocks and options are skipped; damage is skipped up to the next whole block.
"""

from __future__ import annotations

import re
import struct
from bisect import bisect_right
from collections.abc import Iterator
from struct import Struct
from typing import Final, NamedTuple

from mockpacs.traffic.capture.options import COMMENT, comments_of, options_of
from mockpacs.traffic.capture.packet import Packet, Problems
from mockpacs.traffic.pcapng import ENHANCED_PACKET, INTERFACE_DESCRIPTION, SECTION_HEADER, USER_APPLICATION

MAGIC: Final = SECTION_HEADER.to_bytes(4, "big")
"""How such a file begins, in either byte order."""

_OBSOLETE_PACKET: Final = 2
_SIMPLE_PACKET: Final = 3
_APPLICATION: Final = 4
_RESOLUTION: Final = 9
_OFFSET: Final = 14
_LITTLE_MAGIC: Final = 0x4D  # the first byte of the byte order magic
_SHORTEST_BLOCK: Final = 12
_LONGEST_BLOCK: Final = 16 << 20
_LONGEST_SEARCH: Final = 64 << 20
_HEAD_LENGTH: Final = 28  # of a packet block, enhanced or obsolete
_DAMAGED: Final = "its block is damaged"
_BARE_TAIL: Final = 16  # one option of four bytes (ours says the direction), the end of options, the block length


class _Interface(NamedTuple):
    link: int
    longest: int
    """Bytes captured of a packet, 0 when there is no limit."""
    ticks: int
    """Of its clock, per second."""
    seconds: int
    """To be added to its times."""


class _Words:
    """How one byte order is read."""

    def __init__(self, order: str) -> None:
        self.order = order
        self.head = Struct(order + "II").unpack_from
        self.length = Struct(order + "I").unpack_from
        self.enhanced = Struct(order + "8xIIIII").unpack_from
        self.obsolete = Struct(order + "8xHxxIIII").unpack_from
        self.simple = Struct(order + "8xI").unpack_from
        self.seconds = Struct(order + "q").unpack
        self.interface = Struct(order + "8xHxxI").unpack_from
        kinds = (ENHANCED_PACKET, SECTION_HEADER, INTERFACE_DESCRIPTION, _SIMPLE_PACKET)
        self.block = re.compile(b"|".join(re.escape(Struct(order + "I").pack(kind)) for kind in kinds))


_BIG: Final = _Words(">")
_LITTLE: Final = _Words("<")


class _Layout(NamedTuple):
    """How to read the blocks from ``offset`` on."""

    offset: int
    words: _Words
    interfaces: tuple[_Interface, ...]
    is_ours: bool
    """A recording of ours: what holds for its first packet holds for all."""


class Pcapng:
    """A `Parser` for pcapng."""

    __slots__ = ("_layout", "_layouts", "_lost", "_passed", "_problems", "_when", "position")

    def __init__(self, problems: Problems) -> None:
        self.position = 0
        self._problems = problems
        self._layout = _Layout(-1, _BIG, (), False)
        self._layouts = [self._layout]
        self._passed = 0  # how far the layouts are known
        self._lost: int | None = None  # where the damage begins, while looking for its end
        self._when = 0.0

    def packets(self, view: memoryview, base: int, *, final: bool) -> Iterator[Packet]:
        """See `Parser`."""
        at, size = self.position - base, len(view)
        words = self._layout.words
        while at + _SHORTEST_BLOCK <= size:
            kind, length = words.head(view, at)
            if kind == SECTION_HEADER:
                words = _words_at(view, at)
                length = words.length(view, at + 4)[0]
            end = at + length
            if end > size and not final and length <= _LONGEST_BLOCK:
                return  # wait for the rest
            if end > size or length < _SHORTEST_BLOCK or words.length(view, end - 4)[0] != length:
                at = self._recover(view, base, at, length, final=final)
                if at < 0:
                    return
                words = self._layout.words
                continue
            self.position = base + end
            if self._lost is not None:
                self._problems.say(f"bytes {self._lost} to {base + at} are damaged and were skipped")
                self._lost = None
            if kind == ENHANCED_PACKET:
                packet = self._enhanced(view, at, end, base)
            else:
                packet = self._other(view[at:end], kind, base + at)
                words = self._layout.words
            if packet is not None:
                yield packet
            at = end
        if final and at < size:
            self._say_end(base + at, is_cut=True)
            self.position = base + size

    def seek(self, view: memoryview, offset: int) -> Pcapng:
        """See `Parser`. The sections and interfaces on the way are remembered; in a file of ours there are no more."""
        at, size = self._passed, min(offset, len(view))
        while at + _SHORTEST_BLOCK <= size:
            words = self._layouts[-1].words
            kind, length = words.head(view, at)
            if kind == SECTION_HEADER:
                words = _words_at(view, at)
                length = words.length(view, at + 4)[0]
            elif kind == ENHANCED_PACKET and self._layouts[-1].is_ours:
                break
            if length < _SHORTEST_BLOCK or at + length > size:
                break
            if kind in (SECTION_HEADER, INTERFACE_DESCRIPTION):
                self._layout = self._layouts[-1]
                self._other(view[at : at + length], kind, at)
            at += length
            self._passed = at
        found = Pcapng(self._problems)
        found.position = offset
        found._layouts = self._layouts[: bisect_right(self._layouts, offset, key=lambda layout: layout.offset)]
        found._layout = found._layouts[-1]
        return found

    def _enhanced(self, view: memoryview, at: int, end: int, base: int) -> Packet | None:
        layout = self._layout
        start = at + _HEAD_LENGTH
        if start <= end - 4:
            number, high, low, captured, original = layout.words.enhanced(view, at)
            stop = start + captured
            if number < len(layout.interfaces) and stop <= end - 4:
                link, _, ticks, seconds = layout.interfaces[number]
                self._when = when = (high << 32 | low) / ticks + seconds
                return Packet(
                    *(
                        base + at,
                        base + end,
                        when,
                        link,
                        view[start:stop],
                        original if original > captured else captured,
                    ),
                    self._comments(view, stop + (-captured & 3), end),
                )
        self._problems.skip(_DAMAGED, base + at)
        return None

    def _comments(self, view: memoryview, start: int, end: int) -> tuple[str, ...]:
        """The comments of a packet block; most packets have none, and ours have one option, the direction."""
        length = end - start
        if length <= 8 or (length == _BARE_TAIL and view[start] + view[start + 1] != COMMENT):
            return ()
        return comments_of(view[start : end - 4], self._layout.words.order)

    def _other(self, block: memoryview, kind: int, offset: int) -> Packet | None:
        """A block that is no enhanced packet."""
        try:
            if kind == SECTION_HEADER:
                self._section(block, offset)
            elif kind == INTERFACE_DESCRIPTION:
                self._interface(block, offset)
            elif kind == _SIMPLE_PACKET:
                return self._simple(block, offset)
            elif kind == _OBSOLETE_PACKET:
                return self._obsolete(block, offset)
        except (struct.error, IndexError):
            self._problems.skip(_DAMAGED, offset)
        return None

    def _section(self, block: memoryview, offset: int) -> None:
        words = _words_at(block, 0)
        options = dict(options_of(block[24:-4], words.order))
        is_ours = options.get(_APPLICATION, b"").startswith(USER_APPLICATION.encode())
        self._use(_Layout(offset, words, (), is_ours))

    def _interface(self, block: memoryview, offset: int) -> None:
        words = self._layout.words
        link, longest = words.interface(block, 0)
        ticks, seconds = 10**6, 0
        for code, value in options_of(block[16:-4], words.order):
            if code == _RESOLUTION and value:
                ticks = 2 ** (value[0] & 0x7F) if value[0] & 0x80 else 10 ** value[0]
            elif code == _OFFSET and len(value) == 8:
                seconds = words.seconds(value)[0]
        # a time has 64 bits: a finer clock or a larger shift is damage, and too large for a float
        found = _Interface(link, longest, min(ticks, 2**64), seconds if abs(seconds) < 2**40 else 0)
        self._use(self._layout._replace(offset=offset, interfaces=(*self._layout.interfaces, found)))

    def _use(self, layout: _Layout) -> None:
        self._layout = layout
        if layout.offset > self._layouts[-1].offset:
            self._layouts.append(layout)

    def _simple(self, block: memoryview, offset: int) -> Packet:
        """No time, no interface: it is the first one's, and the time of the packet before."""
        if len(block) < 16:
            raise IndexError
        (original,) = self._layout.words.simple(block, 0)
        link, longest, _, _ = self._layout.interfaces[0]
        captured = min(original, longest or original, len(block) - 16)
        return Packet(offset, offset + len(block), self._when, link, block[12 : 12 + captured], original, ())

    def _obsolete(self, block: memoryview, offset: int) -> Packet:
        words = self._layout.words
        number, high, low, captured, original = words.obsolete(block, 0)
        link, _, ticks, seconds = self._layout.interfaces[number]
        self._when = (high << 32 | low) / ticks + seconds
        stop = _HEAD_LENGTH + captured
        if stop > len(block) - 4:
            raise IndexError
        comments = comments_of(block[stop + (-captured & 3) : -4], words.order)
        data = block[_HEAD_LENGTH:stop]
        return Packet(offset, offset + len(block), self._when, link, data, max(original, captured), comments)

    def _recover(self, view: memoryview, base: int, at: int, length: int, *, final: bool) -> int:
        """Where in ``view`` the next whole block begins after something that is none; -1 when none is there."""
        size = len(view)
        stop = min(size, at + _LONGEST_SEARCH)
        for found in self._layout.words.block.finditer(view, at + 1, stop):
            if _is_whole(view, found.start()):
                if self._lost is None:
                    self._lost = base + at
                return found.start()
        if final or stop < size:
            self._say_end(base + at, is_cut=length <= _LONGEST_BLOCK and at + length > size)
        elif self._lost is None:
            self._lost = base + at
        # the last bytes may be the begin of a block
        self.position = base + (size if final or stop < size else max(at + 1, size - _SHORTEST_BLOCK + 1))
        return -1

    def _say_end(self, offset: int, *, is_cut: bool) -> None:
        """From this byte on nothing can be read."""
        if is_cut and self._lost is None:
            self._problems.say(f"the file ends in the middle of the block at byte {offset}")
        else:
            lost = offset if self._lost is None else self._lost
            self._problems.say(f"the file is damaged from byte {lost} on, nothing behind it can be read")


def _words_at(view: memoryview, at: int) -> _Words:
    """The byte order of the section that begins there."""
    return _LITTLE if view[at + 8] == _LITTLE_MAGIC else _BIG


def _is_whole(view: memoryview, at: int) -> bool:
    """Whether there is a block with the same length at both ends, the packet types and headers only."""
    for words in (_BIG, _LITTLE):
        if at + _SHORTEST_BLOCK <= len(view):
            length = words.length(view, at + 4)[0]
            end = at + length
            if (
                _SHORTEST_BLOCK <= length <= _LONGEST_BLOCK
                and end <= len(view)
                and words.length(view, end - 4)[0] == length
            ):
                return True
    return False
