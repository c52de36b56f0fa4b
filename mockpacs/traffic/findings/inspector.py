"""All checks of one association: it is told what was seen, in order, and says what the standard has against it."""

from __future__ import annotations

from typing import Final

from mockpacs.traffic.exchange import Association
from mockpacs.traffic.findings.acceptance import check_answer
from mockpacs.traffic.findings.associate_items import check_items
from mockpacs.traffic.findings.association import check_protocol, check_request
from mockpacs.traffic.findings.command_encoding import check_encoding as check_command_encoding
from mockpacs.traffic.findings.data_sets import can_be_read, check_encoding
from mockpacs.traffic.findings.dialogue import Dialogue
from mockpacs.traffic.findings.finding import Finding
from mockpacs.traffic.findings.fragments import Fragments, RawCommand
from mockpacs.traffic.findings.identifiers import check_match, check_stored
from mockpacs.traffic.findings.identifiers import check_request as check_identifier
from mockpacs.traffic.findings.ledger import MOST_OF_A_KIND, Ledger
from mockpacs.traffic.findings.texts import check_texts
from mockpacs.traffic.findings.upper_layer import UpperLayer
from mockpacs.wire import AcceptedContext, AssociateAC, AssociateRQ, Command, CommandField, PDataTF, ReleaseRP, Role
from mockpacs.wire.conversation import Conversation
from mockpacs.wire.seen import CommandSeen, GapSeen, JunkSeen, NonsenseSeen, PduSeen, Seen
from mockpacs.wire.status import PENDING, PENDING_WITH_WARNING

DATA_KEPT: Final = 64 * 1024
"""Bytes of a data set that are worth giving to `Inspector.see_data`."""

_HEAD_KEPT: Final = (1 << 20) + 6
_QUERYING: Final = frozenset({"C-FIND", "C-MOVE", "C-GET"})


class Inspector:
    """Looks at one association.

    It holds the requests that wait for an answer, for each side a command set and the association PDU, and no data set.
    """

    def __init__(
        self,
        association: Association,
        *,
        from_start: bool = True,
        is_continued: bool = False,
        most_of_a_kind: int = MOST_OF_A_KIND,
    ) -> None:
        """``from_start``: whether the connection was seen to open; else what may have been before excuses much.

        ``is_continued``: the association is known from its start, but not every request (a later part of a recording).
        """
        self._ledger = Ledger(association, most_of_a_kind)
        self._upper_layer = UpperLayer(self._ledger, from_start=from_start)
        self._dialogue = Dialogue(self._ledger, is_whole=from_start and not is_continued)
        self._fragments = {role: Fragments(self._ledger, role) for role in Role}
        self._raw: dict[Role, list[RawCommand]] = {role: [] for role in Role}
        self._heads: dict[Role, bytearray | None] = {role: bytearray() if from_start else None for role in Role}
        self._last_pdu: dict[Role, PduSeen | None] = dict.fromkeys(Role)
        self._relational: frozenset[str] = frozenset()
        if not from_start:
            for fragments in self._fragments.values():
                fragments.forget(is_lost=True)

    @property
    def association(self) -> Association:
        """The association, with titles once they are known."""
        return self._ledger.association

    def hear(self, sender: Role, data: bytes | memoryview) -> None:
        """Take the bytes themselves, before `see` tells what they are.

        Only the association PDUs are kept: what decoding forgives in them can be seen in nothing else. Without it these
        few checks say nothing.
        """
        head = self._heads[sender]
        if head is not None and len(head) < _HEAD_KEPT:
            head += data[: _HEAD_KEPT - len(head)]

    def see(self, seen: Seen, conversation: Conversation, when: float) -> list[Finding]:
        """Take the next thing that was seen, return what is wrong with it."""
        self._ledger.when = when
        if self._upper_layer.is_tls:
            return []
        match seen:
            case PduSeen():
                self._see_pdu(seen, conversation)
            case CommandSeen():
                number = self._dialogue.command(seen, conversation)
                self._check_raw(seen.sender, number)
            case NonsenseSeen():
                self._see_nonsense(seen)
            case JunkSeen():
                self._see_break(seen.sender, is_lost=True)
                self._upper_layer.junk(seen, conversation)
            case GapSeen():
                self._see_break(seen.sender, is_lost=True)
                self._upper_layer.gap(seen)
                self._dialogue.gap()
        return self._ledger.take()

    def see_data(
        self, sender: Role, context: AcceptedContext, command: Command, data: bytes, is_whole: bool, when: float
    ) -> list[Finding]:
        """Take the data set of the last command of a side, or its head: ``is_whole`` says whether there was more."""
        self._ledger.when = when
        operation = self._dialogue.current[sender]
        number = operation.number if operation else 0

        def add(check: str, text: str, clause: str) -> None:
            self._ledger.add(check, sender, text, clause=clause, exchange=number, position=self._position(sender))

        if not can_be_read(context.transfer_syntax):
            return []
        contents = check_encoding(data, context.transfer_syntax, is_whole=is_whole, add=add)
        check_texts(contents, is_key=command.is_request and command.service in _QUERYING, add=add)
        if command.field is CommandField.C_STORE_RQ and contents.elements:
            check_stored(command, contents, add)
        if operation is None:
            return self._ledger.take()
        if command.is_request and command.service in _QUERYING:
            is_relational = context.abstract_syntax in self._relational
            check_identifier(operation, contents, context.abstract_syntax, is_relational=is_relational, add=add)
        elif command.field is CommandField.C_FIND_RSP and command.status in (PENDING, PENDING_WITH_WARNING):
            check_match(operation, contents, context.abstract_syntax, add)
        return self._ledger.take()

    def closed(self, how: str, sender: Role | None, when: float) -> list[Finding]:
        """Take the end of the connection: ``how`` is fin, reset or cut, ``sender`` who did it."""
        self._ledger.when = when
        self._upper_layer.closed(how, sender)
        return self._ledger.take()

    def end(self, when: float) -> list[Finding]:
        """Nothing more comes of this connection."""
        self._ledger.when = when
        self._upper_layer.end()
        self._ledger.sum_up()
        return self._ledger.take()

    def _see_pdu(self, seen: PduSeen, conversation: Conversation) -> None:
        sender = seen.sender
        self._last_pdu[sender] = seen
        self._raw[sender].clear()
        self._upper_layer.pdu(seen, conversation)
        head, self._heads[sender] = self._heads[sender], None
        match seen.pdu:
            case PDataTF():
                self._raw[sender] = self._fragments[sender].pdu(seen, seen.pdu, conversation)
            case AssociateRQ() | AssociateAC():
                self._see_associate(seen, seen.pdu, conversation, head)
            case ReleaseRP():
                self._dialogue.released(sender, seen.start)
        if seen.pdu_type in (5, 6) and self._fragments[sender].is_mid_message:
            self._ledger.add("unfinished-message", sender, "a release in the middle of a message", position=seen.start)
            self._fragments[sender].forget(is_lost=False)

    def _see_associate(
        self, seen: PduSeen, pdu: AssociateRQ | AssociateAC, conversation: Conversation, head: bytearray | None
    ) -> None:
        def add(check: str, text: str, clause: str) -> None:
            self._ledger.add(check, seen.sender, text, clause=clause, position=seen.start)

        check_protocol(pdu, "PS3.8 9.3.2" if isinstance(pdu, AssociateRQ) else "PS3.8 9.3.3", add)
        if isinstance(pdu, AssociateRQ):
            check_request(pdu, add)
        else:
            check_answer(pdu, conversation.request, add)
            self._relational = frozenset(one.sop_class for one in pdu.user.extended if one.information[:1] == b"\x01")
        if head is not None and seen.start == 0 and len(head) >= seen.end:
            check_items(seen.pdu_type, bytes(head[: seen.end]), add)
        if not (self.association.calling or self.association.called):
            self._ledger.name(pdu.calling, pdu.called)

    def _see_nonsense(self, seen: NonsenseSeen) -> None:
        """A message that `Conversation` could not read; what was found in its bytes already says more."""
        last = self._last_pdu[seen.sender]
        is_lost = self._fragments[seen.sender].is_lost
        self._check_raw(seen.sender, 0)
        self._fragments[seen.sender].forget(is_lost=True)
        if last is None or last.end != seen.end:
            return  # it is about what is missing, not about what was sent
        self._upper_layer.nonsense(seen.sender)
        if not is_lost and not self._ledger.found_since(seen.sender, seen.start):
            self._ledger.add("message-unreadable", seen.sender, seen.why, position=seen.start)

    def _see_break(self, sender: Role, *, is_lost: bool) -> None:
        self._last_pdu[sender] = None
        self._heads[sender] = None
        self._raw[sender].clear()
        self._fragments[sender].forget(is_lost=is_lost)

    def _check_raw(self, sender: Role, number: int) -> None:
        """Look at the bytes of the command set that was told just now."""
        if not self._raw[sender]:
            return
        raw = self._raw[sender].pop(0)

        def add(check: str, text: str) -> None:
            clause = "PS3.7 E.1" if check == "command-element" else ""
            self._ledger.add(check, sender, text, clause=clause, exchange=number, position=raw.start)

        check_command_encoding(raw.data, add)

    def _position(self, sender: Role) -> int:
        last = self._last_pdu[sender]
        return last.start if last else 0
