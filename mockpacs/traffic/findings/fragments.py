"""Checks of how messages are cut into fragments (PS3.8 E.1), and the raw command sets for the checks of their encoding.

It follows the fragments itself, as what `Conversation` tells of a command set is no longer in bytes.
"""

from __future__ import annotations

from typing import NamedTuple

from mockpacs.traffic.findings.ledger import Ledger
from mockpacs.wire import NO_DATA_SET, PDV, AssociateAC, PDataTF, Role, Tag
from mockpacs.wire.command_set import decode_elements
from mockpacs.wire.conversation import Conversation
from mockpacs.wire.malformed import Malformed
from mockpacs.wire.message import MAX_COMMAND_LENGTH
from mockpacs.wire.seen import PduSeen


class RawCommand(NamedTuple):
    """A command set as it was sent."""

    start: int
    """Where the PDU that completes it begins."""
    context_id: int
    data: bytes


class Fragments:
    """The messages of one side."""

    def __init__(self, ledger: Ledger, sender: Role) -> None:
        self._ledger = ledger
        self._sender = sender
        self._context_id: int | None = None
        self._held = bytearray()
        self._awaits_data = False
        self._blamed: set[int] = set()
        self.is_lost = False
        """Whether something is missing, so that what comes may be the rest of a message."""

    @property
    def is_mid_message(self) -> bool:
        """Whether a message has begun and not ended."""
        return self._context_id is not None and not self.is_lost

    def forget(self, *, is_lost: bool) -> None:
        """Begin anew: with the next command set, or, when nothing is missing, with the next fragment."""
        self._context_id, self._awaits_data, self.is_lost = None, False, is_lost
        self._held.clear()

    def pdu(self, seen: PduSeen, pdata: PDataTF, conversation: Conversation) -> list[RawCommand]:
        """Take a P-DATA-TF, return the command sets that it completes."""
        done: list[RawCommand] = []
        has_ended = False
        for pdv in pdata.pdvs:
            if self.is_lost and not (pdv.is_command and not self._held):
                continue
            self.is_lost = False
            if has_ended:
                self._add("mixed-messages", seen, "a P-DATA-TF with fragments of more than one message")
                has_ended = False
            self._check(seen, pdv, conversation)
            if self.is_lost and not pdv.is_command:
                continue
            self.is_lost = False
            raw = self._take(seen, pdv)
            if raw is not None:
                done.append(raw)
            has_ended |= self._context_id is None
        return done

    def _take(self, seen: PduSeen, pdv: PDV) -> RawCommand | None:
        """Follow the message: after a command set with data set its data, then the next command set."""
        if not pdv.is_command:
            if self._held:
                self._add("interleaved-messages", seen, "a data set fragment in the middle of a command set")
            elif not self._awaits_data:
                self._add("data-set-unexpected", seen, "a data set fragment that no command set announced", "PS3.7 E.1")
            if pdv.is_last or not self._awaits_data:
                self.forget(is_lost=False)
            return None
        if self._awaits_data:
            text = "a command set where the data set of the one before should go on"
            if self._context_id is not None:
                self._add("data-set-missing", seen, text, "PS3.7 E.1")
            self.forget(is_lost=False)
        self._context_id = pdv.context_id
        if len(self._held) + len(pdv.data) > MAX_COMMAND_LENGTH:
            self.forget(is_lost=True)
            return None
        self._held += pdv.data
        if not pdv.is_last:
            return None
        raw = RawCommand(seen.start, pdv.context_id, bytes(self._held))
        self._held.clear()
        elements = decode_elements(raw.data)
        announced = {} if isinstance(elements, Malformed) else elements
        self._awaits_data = announced.get(Tag.DATA_SET_TYPE, NO_DATA_SET) != NO_DATA_SET
        if isinstance(elements, Malformed):
            self.is_lost = True  # nobody knows whether a data set follows
        if not self._awaits_data:
            self._context_id = None
        return raw

    def _check(self, seen: PduSeen, pdv: PDV, conversation: Conversation) -> None:
        context_id, current = pdv.context_id, self._context_id
        if len(pdv.data) % 2:
            what = "command set" if pdv.is_command else "data set"
            self._add("odd-fragment", seen, f"a fragment of a {what} with {len(pdv.data)} bytes, an odd number")
        if current is not None and context_id != current:
            text = f"a fragment on presentation context {context_id} in the middle of a message on {current}"
            self._add("interleaved-messages", seen, text)
            self.forget(is_lost=True)
        if conversation.joined_late or not isinstance(conversation.answer, AssociateAC) or context_id in self._blamed:
            return
        if context_id not in conversation.accepted:
            self._blamed.add(context_id)
            why = "was refused" if context_id in conversation.proposed else "was never proposed"
            self._add("context-not-accepted", seen, f"a message on presentation context {context_id}, which {why}")

    def _add(self, check: str, seen: PduSeen, text: str, clause: str = "") -> None:
        self._ledger.add(check, self._sender, text, clause=clause, position=seen.start)
