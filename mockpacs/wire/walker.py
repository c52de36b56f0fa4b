"""One direction of a recorded stream into PDUs with their positions; unlike `Framer` it goes on after nonsense.

What is no PDU is told as junk, and the next PDU is looked for behind it. Which bytes come together makes no difference
to what is told. It holds at most one PDU, never raises on bytes and judges no PDU that is whole.
"""

from __future__ import annotations

import re
from enum import Enum
from struct import Struct
from typing import NamedTuple, TypeAlias

from mockpacs.wire.framer import MAX_UNLIMITED_LENGTH
from mockpacs.wire.machine import Role
from mockpacs.wire.pdu import FIXED_BODY_LENGTH, PduType
from mockpacs.wire.plausible import find, may_be_first
from mockpacs.wire.seen import JUNK_KEPT, GapSeen, JunkSeen

_HEADER = Struct(">BxI")
_HEADER_LENGTH = _HEADER.size
MAX_HELD = MAX_UNLIMITED_LENGTH + _HEADER_LENGTH
"""The longest PDU that is put together, in bytes, header included."""

_BROKEN = "the rest of a PDU of which bytes were not captured"
_HEADLESS = "no PDU begins here: what came before was not captured"
_GUESSES = {
    "a TLS handshake": re.compile(rb"\x16\x03"),
    "HTTP": re.compile(rb"(GET|PUT|POST|HEAD|DELETE|OPTIONS|PATCH|CONNECT|TRACE|PRI) |HTTP/"),
    "SSH": re.compile(rb"SSH-"),
    "HL7": re.compile(rb"\x0bMSH"),
    "a DICOM file": re.compile(rb".{128}DICM", re.DOTALL),
}


class Frame(NamedTuple):
    """A whole PDU, not decoded. ``body`` is what follows the header, a view that is valid only until more is fed."""

    start: int
    end: int
    pdu_type: int
    body: memoryview | bytes


Found: TypeAlias = Frame | JunkSeen | GapSeen


class _Mode(Enum):
    START = "nothing is known yet, it may be the middle of something"
    SYNCED = "a PDU is expected to begin here"
    SKIPPING = "the rest of a PDU of known length is passed over"
    LOST = "the next PDU is looked for"


class Walker:
    """Cuts what one side sent into PDUs, junk and gaps. Positions count from the first byte that is fed."""

    __slots__ = (
        "_held",
        "_junk",
        "_junk_start",
        "_limits",
        "_max_length",
        "_mode",
        "_needed",
        "_skip",
        "_why",
        "position",
        "sender",
    )

    def __init__(self, sender: Role, max_held: int = MAX_HELD, *, from_start: bool = False) -> None:
        """``max_held``: the longest PDU that is put together, in bytes; a longer one is junk.

        ``from_start``: nothing was said before the first byte, so that a PDU begins with it, however odd it is.
        """
        self.sender = sender
        self.position = 0
        """Bytes fed or missed so far."""
        self._max_length = long = max(max_held - _HEADER_LENGTH, FIXED_BODY_LENGTH)
        short = FIXED_BODY_LENGTH
        self._limits = (-1, long, long, short, long, short, short, short)
        self._mode = _Mode.SYNCED if from_start else _Mode.START
        self._held = bytearray()
        self._needed = _HEADER_LENGTH
        self._skip = 0
        self._junk_start = 0
        self._junk = bytearray()
        self._why = ""

    def feed(self, data: bytes | memoryview) -> list[Found]:
        """Take bytes, return what is complete now, in order. Junk is told when it has ended.

        A body is a view, into ``data`` where the PDU lies whole in it; valid until the next call or until the
        caller reuses ``data``.
        """
        found: list[Found] = []
        view = memoryview(data)
        self.position += len(view)
        if self._held and self._mode is _Mode.SYNCED:
            view = self._top_up(view, found)
        if self._held and self._mode is not _Mode.SYNCED:
            self._held += view
            self._walk_held(found)
        elif view:
            used = self._walk(view, self.position - len(view), found)
            if used < len(view):
                self._held += view[used:]
        return found

    def gap(self, size: int) -> list[Found]:
        """Say that ``size`` bytes are missing here; a PDU they belong to is junk, and its end is where to go on."""
        found: list[Found] = []
        if size <= 0:
            return found
        lacking = self._settle(found, ", the rest was not captured")
        found.append(GapSeen(self.sender, self.position, self.position + size))
        self.position += size
        self._skip = max(lacking - size, 0)
        if self._skip:
            self._lose(self.position, _BROKEN)
            self._mode = _Mode.SKIPPING
        elif lacking != size:
            self._lose(self.position, _HEADLESS)
        else:
            self._mode = _Mode.SYNCED
        return found

    def finish(self) -> list[Found]:
        """Say that nothing follows; return what was waiting for more."""
        found: list[Found] = []
        self._settle(found, "")
        self._mode, self._skip = _Mode.START, 0
        return found

    def _top_up(self, view: memoryview, found: list[Found]) -> memoryview:
        """Add to the held PDU what it lacks, tell it when complete; return what is left of ``view``."""
        held, total = self._held, len(view)
        used = min(self._needed - len(held), total)
        held += view[:used]
        if len(held) == self._needed == _HEADER_LENGTH:
            pdu_type, length = _HEADER.unpack_from(held)
            if length > self._limits[pdu_type]:
                self._lose(self.position - total + used - _HEADER_LENGTH, self._refusal(pdu_type, length))
                return view[used:]
            self._needed += length
            more = view[used : used + length]
            held += more
            used += len(more)
        if len(held) == self._needed:
            end = self.position - total + used
            found.append(Frame(end - self._needed, end, held[0], memoryview(held)[_HEADER_LENGTH:]))
            # the view keeps the old bytearray alive; a new one, because one with a view cannot grow
            self._held, self._needed = bytearray(), _HEADER_LENGTH
        return view[used:]

    def _walk_held(self, found: list[Found], *, is_all: bool = False) -> None:
        """Look through what was held because it was not clear what it is."""
        held = self._held
        with memoryview(held) as view:
            used = self._walk(view, self.position - len(held), found, is_all=is_all)
        del held[:used]

    def _walk(self, view: memoryview, base: int, found: list[Found], *, is_all: bool = False) -> int:
        """Tell what is whole in ``view``, whose first byte is at ``base``; return how much of it is done with."""
        offset, end, limits, unpack = 0, len(view), self._limits, _HEADER.unpack_from
        # copied out of what is held, so that it can shrink at its front, which costs nothing
        is_copied = view.obj is self._held
        while offset < end:
            if self._mode is not _Mode.SYNCED:
                offset, is_synced = self._synchronise(view, offset, base, found, is_all=is_all)
                if not is_synced:
                    return offset
                continue
            start = offset + _HEADER_LENGTH
            if start > end:
                if 0 < view[offset] <= PduType.ABORT:
                    self._needed = _HEADER_LENGTH
                    return offset
                self._lose(base + offset, self._refusal(view[offset], 0))
                continue
            pdu_type, length = unpack(view, offset)
            if pdu_type > PduType.ABORT or length > limits[pdu_type]:
                self._lose(base + offset, self._refusal(pdu_type, length))
                continue
            stop = start + length
            if stop > end:
                self._needed = _HEADER_LENGTH + length
                return offset
            body = view[start:stop]
            found.append(Frame(base + offset, base + stop, pdu_type, bytes(body) if is_copied else body))
            offset = stop
        return offset

    def _synchronise(
        self, view: memoryview, offset: int, base: int, found: list[Found], *, is_all: bool
    ) -> tuple[int, bool]:
        """Return (where the next PDU begins, True) and be `SYNCED`, or (as far as it is sure that none does, False)."""
        if self._mode is _Mode.START:
            verdict = may_be_first(view, self._max_length)
            if verdict is None:
                return offset, False
            if verdict:
                self._mode = _Mode.SYNCED
                return offset, True
            self._lose(base, self._refusal(view[0], _length(view)))
        if self._mode is _Mode.SKIPPING:
            at = min(offset + self._skip, len(view))
            self._skip -= at - offset
            is_found = not self._skip
        else:
            at, is_found = find(view, offset, self._max_length, is_all=is_all)
        self._junk += view[offset : min(at, offset + JUNK_KEPT - len(self._junk))]
        if is_found:
            self._tell_junk(base + at, found)
            self._mode = _Mode.SYNCED
        return at, is_found

    def _settle(self, found: list[Found], ending: str) -> int:
        """Tell what was waiting for more, which does not come; return how many bytes the PDU that broke off lacks."""
        if self._held and self._mode is not _Mode.SYNCED:
            self._walk_held(found, is_all=True)
        if not self._held:
            if self._mode in (_Mode.LOST, _Mode.SKIPPING):
                self._tell_junk(self.position, found)
            return self._skip
        held, self._held = self._held, bytearray()
        known, lacking = len(held), 0
        why = f"half a PDU: {known} bytes of its header"
        if known >= _HEADER_LENGTH:
            needed = _HEADER_LENGTH + _length(held)
            why, lacking = f"half a PDU: {known} of {needed} bytes", needed - known
        kept = bytes(held[:JUNK_KEPT])
        found.append(JunkSeen(self.sender, self.position - known, self.position, kept, why + ending))
        return lacking

    def _lose(self, start: int, why: str) -> None:
        """Begin a run of junk."""
        self._mode, self._junk_start, self._junk, self._why = _Mode.LOST, start, bytearray(), why

    def _tell_junk(self, end: int, found: list[Found]) -> None:
        """End a run of junk, if there was any."""
        if self._junk_start < end:
            guess = next((f"; perhaps {name}" for name, looks in _GUESSES.items() if looks.match(self._junk)), "")
            found.append(JunkSeen(self.sender, self._junk_start, end, bytes(self._junk), self._why + guess))

    def _refusal(self, pdu_type: int, length: int) -> str:
        """Why this is no header."""
        if not 0 < pdu_type <= PduType.ABORT:
            return f"PDU type {pdu_type:02X}H is unknown"
        limit = self._limits[pdu_type]
        if length > limit:
            return f"PDU of type {pdu_type:02X}H claims {length} bytes, {limit} is the limit"
        return f"PDU of type {pdu_type:02X}H and {length} bytes makes no sense at the beginning"


def _length(raw: bytes | bytearray | memoryview) -> int:
    """The length a header claims, 0 when it is not whole."""
    return int.from_bytes(raw[2:_HEADER_LENGTH], "big") if len(raw) >= _HEADER_LENGTH else 0
