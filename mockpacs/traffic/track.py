"""One connection in a recording: its bytes as synthetic TCP, decisions as comments on the packets they are about."""

from __future__ import annotations

import mmap
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mockpacs.traffic import comment, pcapng
from mockpacs.traffic.direction import Direction
from mockpacs.traffic.exchange import Place
from mockpacs.traffic.framing import Stretch
from mockpacs.traffic.pcapng import ACK, FIN, INBOUND, LONGEST_PAYLOAD, OUTBOUND, PSH, RST, SYN, Endpoints
from mockpacs.traffic.secret import Secrets

if TYPE_CHECKING:
    from mockpacs.traffic.recorder import Recorder

_ACKNOWLEDGE_AFTER: Final = 8 << 20
"""Bytes of one direction after which a packet without payload acknowledges them, as TCP would have."""


class Track:
    """A connection that is being recorded.

    What is received is staged by `received` and written by the next `sending` or `settle`: comments about it can be
    added in between, and its buffer must not be reused before.
    """

    __slots__ = (
        "_answered",
        "_answerer",
        "_at",
        "_base",
        "_cause",
        "_chunk",
        "_comments",
        "_inbound",
        "_is_ending",
        "_number",
        "_opener",
        "_outbound",
        "_owed",
        "_part",
        "_path",
        "_recorder",
        "_remarks",
        "_secrets",
        "_start",
        "_to",
        "_when",
    )

    def __init__(
        self,
        recorder: Recorder,
        number: int,
        peer: tuple[str, int],
        local: tuple[str, int],
        security: str,
        *,
        by_us: bool = False,
        cause: str = "",
    ) -> None:
        """``by_us``: we opened it, for the exchange ``cause`` when there is one; see `Recorder.track`."""
        self._recorder = recorder
        self._number = number
        self._to = _address(peer) if by_us else ""
        self._cause = cause
        self._inbound = Direction(Endpoints.between(peer, local, INBOUND))
        self._outbound = Direction(Endpoints.between(local, peer, OUTBOUND))
        self._opener, self._answerer = (self._outbound, self._inbound) if by_us else (self._inbound, self._outbound)
        self._chunk: bytes | memoryview = b""
        self._when = 0
        self._at = 0  # where the staged chunk will be in the file
        self._base = 0  # its position in the stream
        self._answered = 0  # bytes sent before it came
        self._is_ending = False
        self._owed: tuple[Direction, Direction] | None = None  # who has to acknowledge whose FIN
        self._comments: list[bytes] = []  # about the staged chunk
        self._secrets = Secrets()
        self._remarks: list[bytes] = []  # about what is sent next
        recorder.turn_page()
        self._part = recorder.part
        self._part.tenants += 1
        self._path = self._part.path  # the file with the staged chunk
        self._start = recorder.size
        self._open(comment.connection(number, _address(peer), security, by_us=by_us, cause=cause), 0, 0)

    # what the link reports

    def received(self, data: bytes | memoryview) -> bool:
        """Bytes came. False when the recording failed: they must not be looked at."""
        self._stage_chunk()
        self._turn_page()
        recorder, inbound = self._recorder, self._inbound
        if inbound.framing.first is None and not self._to:
            data = self._secrets.hide(data)
        self._chunk, self._when, self._at, self._base = data, recorder.now(), recorder.size, inbound.position
        self._path, self._answered = self._part.path, self._outbound.position
        return recorder.failure is None

    def sending(self, data: bytes | memoryview) -> bool:
        """Bytes are about to leave; everything up to here is in the file when this returns True."""
        self._stage_chunk()
        self._turn_page()
        outbound, remarks = self._outbound, self._remarks
        if self._to and outbound.framing.first is None:
            data = self._secrets.hide(data)
        self._stage(outbound, data, self._recorder.now(), remarks)
        remarks.clear()
        return self._recorder.flush()

    def settle(self) -> bool:
        """Write what is staged; the buffer of `received` may be reused."""
        self._stage_chunk()
        return self._recorder.flush()

    def closed(self, *, by_us: bool, reset: bool, unsent: int = 0) -> None:
        """One side ended the connection. ``unsent``: bytes recorded as sent that the system did not take."""
        self._stage_chunk()
        self._turn_page()
        self._is_ending = True
        ending, other = (self._outbound, self._inbound) if by_us else (self._inbound, self._outbound)
        notes = [*self._remarks, *([comment.unsent(unsent).encode()] if unsent else ())]
        self._remarks = []
        self._stage_bare(ending, other, (RST if reset else FIN) | ACK, notes)
        if not reset:
            ending.position += 1  # FIN takes a sequence number
            self._owed = other, ending

    def end(self) -> bool:
        """The connection is gone and all is said about it."""
        self._stage_chunk()
        if self._remarks and not self._owed:  # said after the last packet
            self._turn_page()
            self._owed = self._outbound, self._inbound
        self._acknowledge(self._remarks)
        self._remarks = []
        written = self._recorder.flush()
        self._part.leave()
        return written

    # what is said about it

    def about_received(self, text: str) -> None:
        """A comment on the last packet of the staged chunk, where a message ends; on what is sent next without one."""
        (self._comments if self._chunk else self._remarks).append(pcapng.comment_bytes(text))

    def about_sending(self, text: str) -> None:
        """A comment on the last packet of what is sent next."""
        self._remarks.append(pcapng.comment_bytes(text))

    def place_of(self, position: int) -> Place:
        """The place of an exchange whose request begins at ``position`` of what was received, in the last chunk or
        earlier; its end is not known yet.
        """
        framing, part, answered = self._inbound.framing, self._part.path, self._outbound.position
        if position >= self._base:
            part, offset, answered = self._path, self._at, self._answered
        elif position >= framing.start:
            offset = framing.block
        else:
            offset = self._start
        return self._place(part, offset, position, answered)

    def place_of_sending(self, waiting: int = 0) -> Place:
        """The place of an exchange whose request, of ours, is sent next, behind ``waiting`` bytes that are handed over
        but not recorded yet; its end is not known yet.
        """
        if not self._chunk:
            self._turn_page()
        framing, heard = self._inbound.framing, self._inbound.position
        offset = self._recorder.size  # what is staged, or still to come, is behind it
        if framing.start < heard and not framing.is_lost:  # a PDU is being received
            offset, heard = framing.block, framing.start
        return self._place(self._part.path, offset, heard, self._outbound.position + waiting)

    def ended(self, place: Place) -> Place:
        """The same place, ending with what was recorded last."""
        size, path = self._recorder.size, self._recorder.part.path
        last = None if path == place.path else path
        return Place(place.path, place.offset, size, place.requestor, place.acceptor, last)

    def _place(self, path: Path, offset: int, received: int, sent: int) -> Place:
        """From positions in what was received and sent to sequence numbers of requestor and acceptor."""
        requestor, acceptor = (sent, received) if self._to else (received, sent)
        return Place(path, offset, 0, requestor + 1 & 0xFFFFFFFF, acceptor + 1 & 0xFFFFFFFF)

    # blocks

    def _open(self, note: str, asked: int, answered: int) -> None:
        """Three packets: SYN, SYN-ACK, ACK; what either side sends next begins at these positions."""
        when, stage = self._recorder.now(), self._recorder.stage
        ends, back = self._opener.ends, self._answerer.ends
        stage([pcapng.syn(ends, when, asked, 0, SYN, [pcapng.comment_bytes(note)])])
        stage([pcapng.syn(back, when, answered, asked + 1, SYN | ACK, [])])
        stage(pcapng.packet(ends, when, asked + 1, answered + 1, ACK))

    def _stage_chunk(self) -> None:
        data = self._chunk
        if data:
            self._chunk = b""
            self._stage(self._inbound, data, self._when, self._comments)
            self._comments.clear()

    def _stage(self, direction: Direction, data: bytes | memoryview, when: int, comments: list[bytes]) -> None:
        """Packets of at most 64 kB, the last with the comments."""
        other = self._outbound if direction is self._inbound else self._inbound
        size, position = len(data), direction.position
        direction.framing.see(data, position, self._recorder.size)
        stage, packet, ends = self._recorder.stage, pcapng.packet, direction.ends
        if size <= LONGEST_PAYLOAD:
            stage(packet(ends, when, position + 1, other.position + 1, PSH | ACK, data, comments))
        else:
            view = memoryview(data)
            for start in range(0, size, LONGEST_PAYLOAD):
                piece = view[start : start + LONGEST_PAYLOAD]
                is_last = start + LONGEST_PAYLOAD >= size
                flags, notes = (PSH | ACK, comments) if is_last else (ACK, ())
                stage(packet(ends, when, position + start + 1, other.position + 1, flags, piece, notes))
        direction.position = position + size
        other.unacknowledged = 0
        direction.unacknowledged += size
        if direction.unacknowledged >= _ACKNOWLEDGE_AFTER:
            direction.unacknowledged = 0
            self._stage_bare(other, direction, ACK, [])

    def _stage_bare(self, direction: Direction, other: Direction, flags: int, notes: list[bytes]) -> None:
        when = self._recorder.now()
        self._recorder.stage(
            pcapng.packet(direction.ends, when, direction.position + 1, other.position + 1, flags, b"", notes)
        )

    def _acknowledge(self, notes: list[bytes]) -> None:
        """The answer to a FIN. It waits for what is said about the end: one packet more looks like a repetition."""
        if self._owed:
            self._stage_bare(*self._owed, ACK, notes)
            self._owed = None

    # going on in a new file

    def _turn_page(self) -> None:
        if self._is_ending:  # FIN has a sequence number but no byte: what is left of a connection stays together
            self._acknowledge([])
        else:
            self._recorder.turn_page()
        if self._part is not self._recorder.part:
            self._move()

    def _move(self) -> None:
        """Repeat in the new file what it takes to understand the rest: the A-ASSOCIATE PDUs and the PDUs begun.

        They are read back from the old file, which is why a connection that stands idle costs no memory for this.
        """
        recorder, old = self._recorder, self._part
        self._part = recorder.part
        self._part.tenants += 1
        start = recorder.size
        opener, answerer = self._opener, self._answerer
        with mmap.mmap(old.descriptor, 0, access=mmap.ACCESS_READ) as file:
            asked, answered = opener.begun(file), answerer.begun(file)
        self._start = start
        begin = answerer.beginning(*answered)
        note = comment.continues(self._number, old.path.name, self._to, self._cause)
        self._open(note, opener.beginning(*asked), begin)
        self._repeat(opener, *asked, begin)
        self._repeat(answerer, *answered, opener.position)
        old.leave()

    def _repeat(self, direction: Direction, first: bytes, rest: bytes, acknowledged: int) -> None:
        recorder, framing, when = self._recorder, direction.framing, self._recorder.now()
        position = direction.beginning(first, rest)
        if framing.first is not None:
            framing.first = Stretch(position, position + len(first), recorder.size)
        for data in (first, rest):
            if data is rest:
                framing.block = recorder.size
            for start in range(0, len(data), LONGEST_PAYLOAD):
                piece = data[start : start + LONGEST_PAYLOAD]
                sequence = position + start + 1
                recorder.stage(pcapng.packet(direction.ends, when, sequence, acknowledged + 1, PSH | ACK, piece))
            position += len(data)


def _address(end: tuple[str, int]) -> str:
    return f"[{end[0]}]:{end[1]}" if ":" in end[0] else f"{end[0]}:{end[1]}"
