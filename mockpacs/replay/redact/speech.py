"""What one side of a connection says, PDU by PDU, written anew."""

from __future__ import annotations

from collections import deque
from typing import Final

from mockpacs.replay.redact.associate import redacted_association
from mockpacs.replay.redact.command import redacted_command
from mockpacs.replay.redact.data_set import DataSet
from mockpacs.replay.redact.fragments import Frame, Part, Slot
from mockpacs.replay.redact.report import Report
from mockpacs.replay.redact.rules import Rules
from mockpacs.wire import (
    PDV,
    AssociateAC,
    AssociateRQ,
    CommandField,
    Encoding,
    Malformed,
    PduType,
    Role,
    decode_command,
    decode_pdu,
)
from mockpacs.wire.dataset import EXPLICIT_LITTLE
from mockpacs.wire.item import ItemError
from mockpacs.wire.message import MAX_COMMAND_LENGTH, MAX_FRAGMENT_PDU_LENGTH
from mockpacs.wire.pdata import decode_pdvs
from mockpacs.wire.seen import GapSeen, JunkSeen
from mockpacs.wire.walker import Frame as Found
from mockpacs.wire.walker import Walker

_HEADER_LENGTH: Final = 6
_PDV_HEADER_LENGTH: Final = 6
_BOTH: Final = 3
"""The bits of a PDV that have a meaning: command, and last fragment."""
_FIXED: Final = 4
"""Bytes of the body of an A-RELEASE, A-ABORT or A-ASSOCIATE-RJ."""


class Hole(int):
    """So many bytes that were sent were not captured."""


Said = bytes | Hole


class Contexts:
    """The presentation contexts of an association, as far as they are needed to read data sets."""

    def __init__(self) -> None:
        self._proposed: dict[int, str] = {}
        self._accepted: dict[int, str] = {}
        self.titles = ("", "")
        """Calling and called AE title, as they were."""
        self.room = dict.fromkeys(Role, 0)
        """Bytes of the longest PDU each side may send, 0 when it is not known."""

    def learn(self, pdu_type: int, body: memoryview | bytes) -> None:
        """The body of an A-ASSOCIATE-RQ or -AC."""
        pdu = decode_pdu(pdu_type, body)
        if isinstance(pdu, AssociateRQ):
            self.titles = pdu.calling, pdu.called
            self.room[Role.ACCEPTOR] = _room(pdu.user.max_pdu_length)
            self._proposed = {one.context_id: (*one.transfer_syntaxes, "")[0] for one in reversed(pdu.contexts)}
        elif isinstance(pdu, AssociateAC):
            self.room[Role.REQUESTOR] = _room(pdu.user.max_pdu_length)
            self._accepted = {one.context_id: one.transfer_syntax for one in pdu.contexts if not one.result}

    def encoding(self, context_id: int) -> Encoding:
        """How data sets on a context are encoded; a guess where it is not known."""
        syntax = self._accepted.get(context_id) or self._proposed.get(context_id)
        return Encoding.of(syntax) if syntax else EXPLICIT_LITTLE


def _header(data: bytes) -> bytes:
    """The head of a PDU, with that of its first PDV; without what is more likely text than a length."""
    pdu_type, length = data[:1], data[2:_HEADER_LENGTH]
    if len(length) < 4 or length.isalnum():
        return pdu_type + bytes(len(data[1:2])) + b"\xff" * len(length)
    header = pdu_type + b"\0" + length
    pdv = data[_HEADER_LENGTH : _HEADER_LENGTH + _PDV_HEADER_LENGTH]
    if pdu_type[0] == PduType.P_DATA_TF and len(pdv) == _PDV_HEADER_LENGTH and pdv[:4] <= length and pdv[5] <= _BOTH:
        header += pdv
    return header


def _room(max_pdu_length: int) -> int:
    return min(max_pdu_length or MAX_FRAGMENT_PDU_LENGTH, MAX_FRAGMENT_PDU_LENGTH)


class Speech:
    """One direction. Feed it what was sent; it gives back what stands for it, PDU by PDU."""

    def __init__(self, sender: Role, contexts: Contexts, rules: Rules, report: Report, where: str) -> None:
        """``where``: what to call the connection in a sentence."""
        self._sender = sender
        self._walker = Walker(sender)
        self._contexts = contexts
        self._rules = rules
        self._report = report
        self._where = where
        self._queue: deque[Frame | Said] = deque()
        self._command: Part | None = None
        self._command_bytes = bytearray()
        self._awaited: tuple[int, bool] | None = None  # the context a data set is to come on, whether it is an instance
        self._data: tuple[int, Part, DataSet] | None = None

    def feed(self, data: bytes | memoryview) -> list[Said]:
        """The next bytes; what is ready now."""
        return self._take(self._walker.feed(data))

    def gap(self, size: int) -> list[Said]:
        """Bytes that were not captured."""
        return self._take(self._walker.gap(size))

    def finish(self) -> list[Said]:
        """Nothing more comes: the rest."""
        found = self._take(self._walker.finish())
        self._break_off()
        return [*found, *self._ready()]

    def _take(self, found: list[Found | JunkSeen | GapSeen]) -> list[Said]:
        for one in found:
            if isinstance(one, Found):
                self._pdu(one)
            else:
                self._break_off()
                self._queue.append(Hole(one.end - one.start) if isinstance(one, GapSeen) else self._junk(one))
        return self._ready()

    def _ready(self) -> list[Said]:
        """Everything up to the first PDU for which there are no bytes yet."""
        out: list[Said] = []
        queue = self._queue
        while queue:
            first = queue[0]
            if not isinstance(first, Frame):
                out.append(first)
            elif first.is_ready:
                out += first.encoded()
            else:
                break
            queue.popleft()
        return out

    def _junk(self, junk: JunkSeen) -> bytes:
        """Zeros; of half a PDU, or of one too long, the header stays, as it says what this was."""
        kept = _header(junk.data) if junk.why.startswith(("half a PDU", "PDU of type")) else b""
        self._report.other["bytes that are no PDU"] += junk.end - junk.start - len(kept)
        return kept + bytes(junk.end - junk.start - len(kept))

    def _pdu(self, found: Found) -> None:
        pdu_type, body = found.pdu_type, found.body
        header = bytes((pdu_type, 0)) + len(body).to_bytes(4, "big")
        if pdu_type == PduType.P_DATA_TF:
            try:
                pdvs = decode_pdvs(memoryview(body))
            except ItemError as error:
                self._break_off()
                self._trouble(str(error))
                kept = _header(header + bytes(body[:_PDV_HEADER_LENGTH]))
                self._queue.append(kept + bytes(_HEADER_LENGTH + len(body) - len(kept)))
                return
            frame = Frame()
            self._queue.append(frame)
            for pdv in pdvs:
                self._fragment(pdv, frame)
            return
        self._break_off()
        if pdu_type in (PduType.ASSOCIATE_RQ, PduType.ASSOCIATE_AC):
            self._contexts.learn(pdu_type, body)
            new = redacted_association(bytes(body), self._rules, self._report, self._where)
        else:
            new = bytes(body[:_FIXED]) + bytes(max(len(body) - _FIXED, 0))
        self._queue.append(header + new)

    def _fragment(self, pdv: PDV, frame: Frame) -> None:
        if pdv.is_command:
            self._of_command(pdv, frame)
        else:
            self._of_data_set(pdv, frame)

    def _of_command(self, pdv: PDV, frame: Frame) -> None:
        if self._data is not None:
            self._end_data(is_whole=False)
        self._awaited = None
        part = self._command = self._command or Part()
        frame.add(Slot(part, pdv.context_id, True, len(pdv.data)))
        self._command_bytes += pdv.data
        if pdv.is_last or len(self._command_bytes) > MAX_COMMAND_LENGTH:
            self._end_command(pdv.context_id, is_whole=pdv.is_last)

    def _end_command(self, context_id: int, *, is_whole: bool) -> None:
        part, raw = self._command, bytes(self._command_bytes)
        self._command, self._command_bytes = None, bytearray()
        if part is None:
            return
        part.ready += self._redacted_command(raw) if is_whole else bytes(len(raw))
        part.end(is_whole=is_whole)
        command = decode_command(raw) if is_whole else None
        if command is None or isinstance(command, Malformed):
            return
        self._report.messages += 1
        if command.has_dataset:
            self._awaited = context_id, command.field is CommandField.C_STORE_RQ

    def _redacted_command(self, raw: bytes) -> bytes:
        return redacted_command(raw, self._rules, self._report, self._where)

    def _of_data_set(self, pdv: PDV, frame: Frame) -> None:
        if self._data is None or self._data[0] != pdv.context_id:
            self._begin_data(pdv.context_id)
        assert self._data is not None
        _, part, data_set = self._data
        frame.add(Slot(part, pdv.context_id, False, len(pdv.data)))
        part.ready += data_set.feed(pdv.data)
        if pdv.is_last:
            self._end_data(is_whole=True)

    def _begin_data(self, context_id: int) -> None:
        """A data set after its command set; any other is none that could be read."""
        self._break_off_data()
        awaited, self._awaited = self._awaited, None
        is_known = awaited is not None and awaited[0] == context_id
        data_set = DataSet(
            self._contexts.encoding(context_id),
            self._rules,
            self._report,
            is_instance=is_known and awaited is not None and awaited[1],
            where=self._where,
        )
        if not is_known:
            data_set.problem = "a data set without its beginning"
        self._data = context_id, Part(self._contexts.room[self._sender]), data_set

    def _end_data(self, *, is_whole: bool) -> None:
        if self._data is None:
            return
        _, part, data_set = self._data
        self._data = None
        part.ready += data_set.finish(is_whole=is_whole)
        part.end(is_whole=is_whole)
        self._report.data_sets += 1
        if data_set.problem:
            self._trouble(f"a data set was overwritten with zeros, or the rest of it: {data_set.problem}")

    def _break_off_data(self) -> None:
        if self._data is not None:
            self._end_data(is_whole=False)

    def _break_off(self) -> None:
        """Whatever was begun does not go on."""
        self._end_command(0, is_whole=False)
        self._break_off_data()
        self._awaited = None

    def _trouble(self, why: str) -> None:
        self._report.trouble(f"{self._where}: {why}")
