"""One connection of a recording while it is read: what was seen on it becomes exchanges and notices.

The counterpart of `mockpacs.net.acceptor` for an observer: where both say something, they say the same.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from mockpacs.traffic.capture.event import Chunk, Closed, Missing, Opened
from mockpacs.traffic.exchange import Association, Record
from mockpacs.traffic.recording import words
from mockpacs.traffic.recording.blocks import Blocks
from mockpacs.traffic.recording.exchanges import Exchanges, Moves, OnRequest, PlaceOf
from mockpacs.traffic.recording.hearing import Hearing
from mockpacs.traffic.recording.herald import Herald
from mockpacs.traffic.recording.pairing import OTHER
from mockpacs.traffic.recording.remarks import Remarks
from mockpacs.traffic.subject import user_of
from mockpacs.wire import Abort, AssociateAC, AssociateRJ, AssociateRQ, Malformed, Pdu, ReleaseRP, ReleaseRQ, Role
from mockpacs.wire.conversation import Conversation
from mockpacs.wire.seen import CommandSeen, DataSeen, GapSeen, JunkSeen, NonsenseSeen, PduSeen, Seen

_PATIENCE: Final = 32 << 20
"""Bytes without a PDU in them, after which a connection whose begin was not captured is taken for something else."""
_LAST_PDU_TYPE: Final = 7
_TLS_HANDSHAKE: Final = 0x16


class Session:
    """A connection. ``out`` takes the records; ``ours`` is None in a capture of others.

    In a recording of ours it is the side we usually were: a connection that we opened says so itself.
    """

    def __init__(
        self,
        opened: Opened,
        out: list[Record],
        ours: Role | None,
        place_of: PlaceOf,
        on_request: OnRequest | None,
        moves: Moves,
    ) -> None:
        self.flow = flow = opened.flow
        self.is_left_out = False
        """Whether it has turned out not to be DICOM: nothing of it is told."""
        self.is_done = False
        """Whether all is told."""
        self.is_tls = False
        self._opened = opened
        self._remarks = Remarks(opened.comments)
        cause = self._remarks.outgoing
        is_outgoing = ours is not None and cause is not None
        self._ours = ours = Role.REQUESTOR if is_outgoing else ours
        association = Association(
            flow.number,
            flow.requestor,
            secure=self._remarks.is_secure,
            server="" if ours is Role.ACCEPTOR else flow.acceptor,
            cause=cause if is_outgoing and cause else "",
            by_us=ours is Role.REQUESTOR,
        )
        self._herald = herald = Herald(out, ours, self._remarks, association)
        # a server of ours takes an odd request for what it is; in a capture of others it may be anything
        self._conversation = Conversation(from_start=ours is not None and opened.from_start)
        self._blocks = {Role.REQUESTOR: Blocks(), Role.ACCEPTOR: Blocks()}
        self._exchanges = Exchanges(
            association, self._blocks, self._remarks, herald.tell, place_of, on_request, ours, moves
        )
        self._when = opened.when
        self._size = 0
        self._is_begun = False
        self._hearing = Hearing(ours if opened.from_start else None)
        self._releasing: Role | None = None
        self._over_since: float | None = None
        self._first_fin: Closed | None = None
        self._closed: Closed | None = None

    # what the capture says

    def take(self, chunk: Chunk, base: int = 0) -> None:
        """Bytes of one side. ``base`` is added to the offsets of the chunk."""
        sender, self._when = chunk.sender, chunk.when
        self._herald.when = chunk.when
        if self._herald.is_in_doubt and self._is_something_else(chunk):
            return
        remarks = self._remarks
        if chunk.comments:
            remarks.take(chunk.comments)
        if chunk.data and self._closed is None:
            self._blocks[sender].add(chunk.sequence, len(chunk.data), base + chunk.offset, base + chunk.end)
            for seen in self._conversation.feed(sender, chunk.data):
                self._see(seen)
            if not remarks.is_numbered:
                self._exchanges.learn_numbers()
        if remarks.notices:
            self._herald.quote()
            if self._closed is not None and not self._herald.owes_peer:
                self.settle()

    def miss(self, missing: Missing) -> None:
        """Bytes that are not in the capture."""
        self._when = self._herald.when = missing.when
        self._blocks[missing.sender].skip(missing.sequence, missing.size)
        for seen in self._conversation.gap(missing.sender, missing.size):
            self._see(seen)

    def is_closed_by(self, closed: Closed) -> bool:
        """Whether nobody speaks any more: both sent a FIN. After ours we do not listen."""
        if closed.how != "fin" or closed.sender is self._ours:
            return True
        first, self._first_fin = self._first_fin, self._first_fin or closed
        if first is not None and first.sender is not closed.sender:
            return True
        self._remarks.take(closed.comments)
        return False

    def close(self, closed: Closed) -> None:
        """The connection is gone, or the capture is."""
        if self._closed is not None:
            return
        self._remarks.take(closed.comments)
        self._closed = closed = self._first_fin or closed
        self._when = self._herald.when = closed.when
        for seen in self._conversation.finish():
            self._see(seen)
        if self._herald.is_in_doubt:
            self.is_left_out = True
            return
        if self._over_since is None:
            self._tell_close(closed)
        self._herald.quote()
        if self._remarks.unsent:
            self._herald.note("trouble", f"{self._remarks.unsent} bytes at the end did not leave", detail=True)
        if closed.how == "cut" or not self._herald.owes_peer:
            self.settle()

    def settle(self) -> None:
        """Nothing more is said about it: tell the rest."""
        self._herald.settle()
        self._exchanges.end(self._when if self._over_since is None else self._over_since)
        self.is_done = True

    # what the conversation saw

    def _see(self, seen: Seen) -> None:
        if type(seen) is DataSeen:
            self._exchanges.see_data(seen, self._when)
        elif type(seen) is PduSeen:
            self._see_pdu(seen)
        elif type(seen) is CommandSeen:
            self._see_command(seen)
        elif isinstance(seen, NonsenseSeen | JunkSeen | GapSeen):
            self._see_trouble(seen)

    def _see_pdu(self, seen: PduSeen) -> None:
        blocks, pdu = self._blocks[seen.sender], seen.pdu
        blocks.pdu_start, blocks.pdu_end = seen.start, seen.end
        if isinstance(pdu, Malformed):
            return  # `NonsenseSeen` follows
        if self._herald.is_in_doubt:
            self._prove()
        if seen.pdu_type != 4:
            blocks.needed = seen.end
            if self._hearing.takes(seen.sender, pdu):
                self._see_control(seen.sender, pdu)
            else:
                self._exchanges.interrupt(seen.sender, self._when)

    def _see_control(self, sender: Role, pdu: Pdu) -> None:
        """Anything but data."""
        match pdu:
            case AssociateRQ() if not self._is_begun:
                self._is_begun = True
                self._meet(pdu)
            case AssociateAC():
                self._is_begun = True
                self._herald.announce("opened", words.opened(self._conversation.request, pdu), sender)
            case AssociateRJ():
                self._end(sender, "rejected", words.rejected(pdu, self._conversation.request, self._ours))
            case ReleaseRQ():
                self._releasing = self._releasing or sender
            case ReleaseRP():
                self._end(sender, "released", "released")
            case Abort():
                self._end(sender, "aborted", words.aborted(self._true(sender), pdu, self._ours))

    def _see_command(self, seen: CommandSeen) -> None:
        sender, command = seen.sender, seen.command
        blocks, context = self._blocks[sender], self._conversation.context(seen.context_id)
        if why := self._objection(seen):
            self._exchanges.interrupt(sender, self._when)
            late = self._over_since is not None
            self._herald.note("trouble", f"{words.name(command)} came from {self._side(sender)} {why}", detail=late)
        elif not command.is_request and not self._hearing.hears(sender):
            self._exchanges.interrupt(sender, self._when)
        elif not self._exchanges.see_command(seen, context, self._when, is_heard=self._hearing.hears(sender)):
            is_late = not self._opened.from_start or self._remarks.is_continued
            by_us = sender is self._ours
            text = words.unasked(command, self._ours, before=is_late, by_us=by_us)
            if is_late or self._over_since is not None:
                self._herald.note("trouble", text, detail=True)
            else:
                self._herald.announce("trouble", text, sender)
        blocks.needed = blocks.pdu_start

    def _objection(self, seen: CommandSeen) -> str:
        """Why a message is none: nobody looks at it. Of what others did nothing is known but what is seen."""
        is_by_peer = self._ours not in (None, seen.sender)
        is_awaited = seen.command.is_request or (is_by_peer and self._exchanges.awaits(seen))
        if self._over_since is not None and is_awaited:
            return "after the end of the association"
        if self._releasing is seen.sender and is_awaited:
            return "after its release request"
        if not is_by_peer:
            return ""
        if not self._hearing.hears(seen.sender) or seen.context_id in self._conversation.accepted:
            return ""
        self._hearing.end(seen.sender)
        return f"on presentation context {seen.context_id}, which was not accepted"

    def _see_trouble(self, seen: NonsenseSeen | JunkSeen | GapSeen) -> None:
        who, size = self._side(seen.sender), seen.end - seen.start
        self._exchanges.interrupt(seen.sender, self._when)
        if not isinstance(seen, GapSeen):
            self._hearing.end(seen.sender)
        match seen:
            case NonsenseSeen():
                self._blocks[seen.sender].needed = seen.start
                sent = "we sent" if who == "us" else f"{who} sent"
                self._herald.note("trouble", f"what {sent} makes no message: {seen.why}")
            case JunkSeen() if seen.why.startswith("half a PDU"):
                self._herald.note("trouble", f"{seen.why}, sent by {who}")
            case JunkSeen():
                self._herald.note("trouble", f"{size} bytes from {who} are no PDU: {seen.why}")
            case GapSeen():
                self._herald.note("trouble", f"{size} bytes from {who} are missing in the capture")

    def _meet(self, request: AssociateRQ) -> None:
        met = self._herald.association
        if self._conversation.sides_swapped and self._ours is None:  # where the SYN is not there, the sides are guessed
            met = replace(met, address=met.server, server=met.address)
            self._exchanges.sides_swapped = True
        user = user_of(request.user.user_identity)
        met = replace(met, calling=request.calling, called=request.called, user=user)
        self._herald.association = self._exchanges.association = met

    # whether it is DICOM at all

    def _is_something_else(self, chunk: Chunk) -> bool:
        """Whether to look no further: the first byte of a PDU is its type (PS3.8 9.3.1)."""
        if not self._size and self._opened.from_start and chunk.data:
            self.is_left_out = not 0 < chunk.data[0] <= _LAST_PDU_TYPE
            self.is_tls = chunk.data[0] == _TLS_HANDSHAKE
        self._size += len(chunk.data)
        self.is_left_out = self.is_left_out or self._size > _PATIENCE
        return self.is_left_out

    def _prove(self) -> None:
        """The first PDU: it is DICOM."""
        self._herald.believe()
        if not self._opened.from_start:
            self._herald.note("opened", words.JOINED)

    # what is told

    def _end(self, sender: Role, kind: str, text: str) -> None:
        """The end of the association; what follows changes nothing about it."""
        if self._over_since is None:
            self._over_since = self._when
            self._herald.announce(kind, text, sender)

    def _tell_close(self, closed: Closed) -> None:
        """The connection ended and the association had not."""
        if closed.how == "cut":
            self._herald.note("closed", words.CUT)
        elif self._remarks.has_ending:
            return
        elif self._is_begun or not self._opened.from_start:
            sender = closed.sender
            text = words.vanished(sender and self._true(sender), closed.how, self._ours)
            self._herald.announce("aborted", text, sender)
        else:
            self._herald.note("closed", words.SILENT, detail=True)

    def _side(self, sender: Role) -> str:
        return words.side(self._true(sender), self._ours)

    def _true(self, sender: Role) -> Role:
        """Which side that is, once it is known who asked for the association."""
        return OTHER[sender] if self._conversation.sides_swapped and self._ours is None else sender
