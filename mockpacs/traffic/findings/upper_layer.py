"""Checks of the upper layer (PS3.8 9): PDUs in the wrong state, too long, half; reserved values; the end."""

from __future__ import annotations

from typing import Final

from mockpacs.traffic.dump.naming import PDU_NAMES
from mockpacs.traffic.findings.ledger import Ledger
from mockpacs.traffic.findings.speaker import Speaker
from mockpacs.traffic.findings.words import other
from mockpacs.wire import Abort, AssociateAC, AssociateRJ, Malformed, PduType, Role
from mockpacs.wire.conversation import Conversation
from mockpacs.wire.framer import MAX_UNLIMITED_LENGTH
from mockpacs.wire.pdu import FIXED_BODY_LENGTH
from mockpacs.wire.seen import GapSeen, JunkSeen, PduSeen

_HEADER_LENGTH: Final = 6
_TLS: Final = (b"\x16\x03", b"\x15\x03")
_CLAUSES: Final = {1: "9.3.2", 2: "9.3.3", 3: "9.3.4", 4: "9.3.5.1", 5: "9.3.6", 6: "9.3.7", 7: "9.3.8"}
# PS3.8 Table 9-21: the reasons of each source; all else is reserved.
_REASONS: Final = {1: (1, 2, 3, 7), 2: (1, 2), 3: (1, 2)}


class UpperLayer:
    """What is wrong with the PDUs of one association, and with its end."""

    def __init__(self, ledger: Ledger, *, from_start: bool) -> None:
        self._ledger = ledger
        self._speakers = {role: Speaker(role) for role in Role}
        self._half: dict[Role, JunkSeen] = {}
        # what a side says between something that was not captured and its next PDU is no fault of its own
        self._broken = set[Role]() if from_start else set(Role)
        self._tls: dict[Role, JunkSeen] = {}
        self._is_tls = False
        self._closed: tuple[Role | None, str] | None = None
        self._is_barren = False
        """Whether the association was accepted, and none of its presentation contexts."""
        if not from_start:
            self._forget()

    @property
    def is_tls(self) -> bool:
        """Whether both sides speak TLS, so that nothing can be said of what they say."""
        return self._is_tls

    def pdu(self, seen: PduSeen, conversation: Conversation) -> None:
        """Take a whole PDU."""
        self._broken.discard(seen.sender)
        sender, receiver = self._speakers[seen.sender], self._speakers[other(seen.sender)]
        if seen.pdu_type not in PDU_NAMES:
            self._unknown(seen.sender, seen.start, f"a PDU of type {seen.pdu_type:02X}H")
            receiver.hears_nonsense()
            return
        where = sender.sends(seen.pdu_type)
        if where:
            self._add("unexpected-pdu", seen, f"{PDU_NAMES[seen.pdu_type]} {where}")
        if isinstance(seen.pdu, Malformed):
            receiver.hears_nonsense()
            check = "malformed-pdv" if seen.pdu_type == PduType.P_DATA_TF else "malformed-pdu"
            self._add(check, seen, seen.pdu.why, f"PS3.8 {_CLAUSES[seen.pdu_type]}")
            return
        receiver.hears(seen.pdu_type)
        match seen.pdu:
            case Abort(source, reason):
                self._abort(seen, source, reason)
            case AssociateRJ(result, source, reason):
                self._rejection(seen, result, source, reason)
            case AssociateAC(contexts=contexts):
                self._is_barren = all(context.result for context in contexts)
            case _ if seen.pdu_type == PduType.P_DATA_TF:
                self._length(seen, conversation)

    def junk(self, seen: JunkSeen, conversation: Conversation) -> None:
        """Take bytes that are no PDU. Half a PDU waits until it is known who closed the connection."""
        if self._is_tls or seen.sender in self._broken:
            return
        if seen.data.startswith(_TLS) and seen.start == 0:
            self._tls[seen.sender] = seen  # told at the end, unless the other side speaks TLS as well
            self._is_tls = len(self._tls) == len(Role)
            return
        self._speakers[other(seen.sender)].hears_nonsense()
        if seen.data[:1] and seen.data[0] in PDU_NAMES and not _is_refused(seen.data):
            self._half[seen.sender] = seen
        elif seen.data[:1] != b"\x04" or _limit(seen.sender, conversation):  # without a limit any length is allowed
            self._unknown(seen.sender, seen.start, f"{seen.end - seen.start} bytes: {seen.why}")

    def nonsense(self, sender: Role) -> None:
        """Take a PDU whose message makes no sense: the other side may answer it with an A-ABORT."""
        self._speakers[other(sender)].hears_nonsense()

    def gap(self, seen: GapSeen) -> None:
        """Bytes are missing: who was in which state is not known any more."""
        self._broken.add(seen.sender)
        self._half.pop(seen.sender, None)
        self._forget()

    def closed(self, how: str, sender: Role | None) -> None:
        """Take the end of the connection; only who closed it first can be wrong."""
        if self._closed is not None:
            return
        self._closed = (sender, how)
        if how == "cut" or sender is None or self._is_tls:
            return
        speaker = self._speakers[sender]
        if not (speaker.is_idle or speaker.has_ended):
            words = "reset" if how == "reset" else "closed"
            text = f"the connection was {words} {speaker.where()}, without A-RELEASE or A-ABORT"
            self._ledger.add("closed-without-context" if self._is_barren else "closed-without-release", sender, text)

    def end(self) -> None:
        """Nothing more comes: halves of PDUs are judged now."""
        if not self._is_tls:
            for sender, seen in self._tls.items():
                self._unknown(sender, seen.start, "a TLS handshake, and the other side does not speak TLS")
        closer, how = self._closed or (None, "cut")
        for sender, seen in self._half.items():
            # who was told to stop, or lost the connection, could not finish
            if how != "cut" and closer is sender and not self._speakers[sender].has_ended:
                self._ledger.add("half-pdu", sender, _half(seen), position=seen.start)

    def _forget(self) -> None:
        for speaker in self._speakers.values():
            speaker.forget()

    def _unknown(self, sender: Role, position: int, text: str) -> None:
        self._ledger.add("unknown-pdu", sender, text, position=position)

    def _add(self, check: str, seen: PduSeen, text: str, clause: str = "") -> None:
        self._ledger.add(check, seen.sender, text, clause=clause, position=seen.start)

    def _abort(self, seen: PduSeen, source: int, reason: int) -> None:
        if source not in (0, 2):
            self._add("abort-reason", seen, f"A-ABORT with source {source}, which is not defined")
        elif source == 2 and reason not in (0, 1, 2, 4, 5, 6):
            self._add("abort-reason", seen, f"A-ABORT with source 2 and reason {reason}, which is not defined")

    def _rejection(self, seen: PduSeen, result: int, source: int, reason: int) -> None:
        if result not in (1, 2):
            self._add("reject-reason", seen, f"A-ASSOCIATE-RJ with result {result}, which is not defined")
        if reason not in _REASONS.get(source, ()):
            text = f"A-ASSOCIATE-RJ with source {source} and reason {reason}, which is not defined"
            self._add("reject-reason", seen, text)

    def _length(self, seen: PduSeen, conversation: Conversation) -> None:
        """The limit is what the receiver advertised; it counts the PDU without its own header (PS3.8 D.1)."""
        length, limit = seen.end - seen.start - _HEADER_LENGTH, _limit(seen.sender, conversation)
        if limit and length > limit:
            self._add("pdu-too-long", seen, f"a P-DATA-TF of {length} bytes, the receiver takes {limit}")


def _limit(sender: Role, conversation: Conversation) -> int:
    """What the receiver said it takes, in bytes; 0 for no limit, or none that is known."""
    answer, request = conversation.answer, conversation.request
    if request is None or not isinstance(answer, AssociateAC):
        return 0
    return (answer if sender is Role.REQUESTOR else request).user.max_pdu_length


def _is_refused(data: bytes) -> bool:
    """Whether the header of a PDU claims what no PDU of this type can have: it is junk, not half of one."""
    if len(data) < _HEADER_LENGTH:
        return False
    length = int.from_bytes(data[2:_HEADER_LENGTH], "big")
    is_long = data[0] in (PduType.ASSOCIATE_RQ, PduType.ASSOCIATE_AC, PduType.P_DATA_TF)
    return length > (MAX_UNLIMITED_LENGTH if is_long else FIXED_BODY_LENGTH)


def _half(seen: JunkSeen) -> str:
    name, size = PDU_NAMES[seen.data[0]], seen.end - seen.start
    if size < _HEADER_LENGTH:
        return f"the connection was closed after {size} bytes of the header of a PDU ({name})"
    whole = int.from_bytes(seen.data[2:_HEADER_LENGTH], "big") + _HEADER_LENGTH
    return f"the connection was closed after {size} of the {whole} bytes of a {name}"
