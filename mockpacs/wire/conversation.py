"""Both directions of a connection as an observer sees them: PDUs, contexts, commands, data sets, and what is none.

It judges nothing: a command on a context that was refused is a command all the same. It never raises on bytes and holds
one PDU and one command set for each direction.
"""

from __future__ import annotations

from collections.abc import Mapping

from mockpacs.wire.listener import Listener
from mockpacs.wire.machine import AcceptedContext, Role
from mockpacs.wire.pdu import AssociateAC, AssociateRJ, AssociateRQ, Malformed, PDataTF, ProposedContext, decode
from mockpacs.wire.seen import NonsenseSeen, PduSeen, Seen
from mockpacs.wire.walker import MAX_HELD, Found, Frame, Walker


class Conversation:
    """What two sides say to one another. Feed the bytes of both in the order they were captured."""

    def __init__(
        self,
        *,
        accepted: Mapping[int, AcceptedContext] | None = None,
        max_held: int = MAX_HELD,
        from_start: bool = False,
    ) -> None:
        """``accepted``: the presentation contexts, to begin in the middle of an association whose negotiation is known.

        ``max_held``: the longest PDU that is put together, in bytes; a longer one is junk. ``from_start``: nothing was
        said on the connection before.
        """
        self.request: AssociateRQ | None = None
        self.answer: AssociateAC | AssociateRJ | None = None
        self.proposed: Mapping[int, ProposedContext] = {}
        """By identifier; of several with one identifier the first is meant."""
        self.accepted: Mapping[int, AcceptedContext] = dict(accepted or {})
        """By identifier; an answer to what was not proposed is none, unless the proposal was not seen."""
        self.joined_late = False
        """Whether there were PDUs before, or instead of, an A-ASSOCIATE-RQ: contexts are not known."""
        self.sides_swapped = False
        """Whether the side that was thought to be the acceptor asked for the association."""
        self._knows_contexts = accepted is not None
        self._requestor = Role.REQUESTOR
        self._walkers = {role: Walker(role, max_held, from_start=from_start) for role in Role}
        self._listeners = {role: Listener(role) for role in Role}

    def feed(self, sender: Role, data: bytes | memoryview) -> list[Seen]:
        """Take the next bytes of one side, return what they complete, in order.

        The data of PDVs are views, into ``data`` where the PDU lies whole in it; valid until the next call or until the
        caller reuses ``data``.
        """
        seen: list[Seen] = []
        self._take_all(sender, self._walkers[sender].feed(data), seen)
        return seen

    def gap(self, sender: Role, size: int) -> list[Seen]:
        """Say that ``size`` bytes of one side are missing here."""
        seen: list[Seen] = []
        self._take_all(sender, self._walkers[sender].gap(size), seen)
        if size > 0:
            self._listeners[sender].miss(seen, "the rest of the message was not captured")
        return seen

    def finish(self) -> list[Seen]:
        """Say that nothing follows from either side; return what was waiting for more."""
        seen: list[Seen] = []
        for sender, walker in self._walkers.items():
            self._take_all(sender, walker.finish(), seen)
        return seen

    def context(self, context_id: int) -> AcceptedContext:
        """The context of that identifier; without syntaxes when it was not accepted or that was not seen."""
        return self.accepted.get(context_id) or AcceptedContext(context_id, "", "")

    def _take_all(self, sender: Role, found: list[Found], seen: list[Seen]) -> None:
        after_junk = False
        for one in found:
            if not isinstance(one, Frame):
                seen.append(one)
                after_junk = True
                continue
            if after_junk:
                self._listeners[sender].miss(seen, "bytes that are no PDU came in the middle of a message")
                after_junk = False
            self._take(sender, one, seen)

    def _take(self, sender: Role, frame: Frame, seen: list[Seen]) -> None:
        start, end, pdu_type, body = frame
        pdu = decode(pdu_type, body)
        seen.append(PduSeen(sender, start, end, pdu_type, pdu))
        if isinstance(pdu, PDataTF):
            self._listeners[sender].take(start, end, pdu.pdvs, seen)
        elif isinstance(pdu, Malformed):
            seen.append(NonsenseSeen(sender, start, end, pdu.why))
            self._listeners[sender].forget()
        elif isinstance(pdu, AssociateRQ):
            self._ask(sender, pdu)
        elif isinstance(pdu, AssociateAC | AssociateRJ):
            self._reply(sender, pdu)
        if self.request is None and not self._knows_contexts:
            self.joined_late = True

    def _ask(self, sender: Role, rq: AssociateRQ) -> None:
        """Learn what is proposed; a second request on a connection means nothing (PS3.8 9.2, AA-8)."""
        if self.request is not None:
            return
        self.request, self._requestor = rq, sender
        self.sides_swapped = sender is Role.ACCEPTOR
        self.joined_late = False
        self.proposed = {context.context_id: context for context in reversed(rq.contexts)}
        for listener in self._listeners.values():
            listener.attend()
        self._agree()

    def _reply(self, sender: Role, answer: AssociateAC | AssociateRJ) -> None:
        """Learn what is accepted; only the first answer counts, and only when it is the other side's."""
        if self.answer is None and sender is not self._requestor:
            self.answer = answer
            self._agree()

    def _agree(self) -> None:
        if not isinstance(self.answer, AssociateAC):
            return
        accepted = {}
        for one in self.answer.contexts:
            proposal = self.proposed.get(one.context_id)
            if one.result == 0 and (proposal or self.request is None):
                abstract_syntax = proposal.abstract_syntax if proposal else ""
                accepted[one.context_id] = AcceptedContext(one.context_id, abstract_syntax, one.transfer_syntax)
        self.accepted = accepted
