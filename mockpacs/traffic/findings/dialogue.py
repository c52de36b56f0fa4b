"""Checks of requests and responses together: pairing, roles, how many may be outstanding (PS3.7 7.5, D.3.3)."""

from __future__ import annotations

from typing import Final

from mockpacs.traffic.dump.naming import message_name
from mockpacs.traffic.findings.commands import check_command, clause_of, service_clause
from mockpacs.traffic.findings.ledger import Ledger
from mockpacs.traffic.findings.operations import Operation, Operations
from mockpacs.traffic.findings.sub_operations import RETRIEVES, sums
from mockpacs.traffic.findings.words import other, quoted
from mockpacs.wire import AssociateAC, Command, Role
from mockpacs.wire.conversation import Conversation
from mockpacs.wire.seen import CommandSeen
from mockpacs.wire.status import PENDING, PENDING_WITH_WARNING

_CANCELLABLE: Final = frozenset({"C-FIND", "C-MOVE", "C-GET"})
# The Affected SOP Class UID of these is the UPS Push SOP Class, whatever the context is for (PS3.4 CC.2).
_UPS: Final = "1.2.840.10008.5.1.4.34.6"
_SOP_CLASS_CLAUSES: Final = {
    "C-FIND": "PS3.4 C.4.1.1.1",
    "C-MOVE": "PS3.4 C.4.2.1.1",
    "C-GET": "PS3.4 C.4.3.1.1",
}


class Dialogue:
    """The DIMSE messages of one association."""

    def __init__(self, ledger: Ledger, *, is_whole: bool) -> None:
        """``is_whole``: every request is going to be seen, so that a response without one is to blame."""
        self._ledger = ledger
        self._position = 0
        self._sender = Role.REQUESTOR
        self.operations = Operations()
        self.operations.is_whole = is_whole
        self.current: dict[Role, Operation | None] = dict.fromkeys(Role)
        """To which exchange the last message of each side belongs."""

    def command(self, seen: CommandSeen, conversation: Conversation) -> int:
        """Take a command set; return the number of its exchange, 0 for none."""
        self._position, self._sender = seen.start, seen.sender
        command = seen.command
        if not command.is_request:
            operation = self._response(seen)
        elif command.service == "C-CANCEL":
            operation = self._cancel(command)
        else:
            operation = self._request(seen, conversation)
        self.current[seen.sender] = operation
        number = operation.number if operation else 0
        abstract_syntax = conversation.context(seen.context_id).abstract_syntax

        def add(check: str, text: str, clause: str) -> None:
            self._add(check, text, clause, number)

        check_command(command, abstract_syntax, add)
        return number

    def gap(self) -> None:
        """Bytes are missing: there may have been requests and responses among them."""
        self.operations.is_whole = False

    def released(self, sender: Role, position: int) -> None:
        """A side confirms the release: it owes no responses any more (PS3.7 A.4)."""
        if not self.operations.is_whole:
            return
        for operation in self.operations.of(other(sender)):
            name = message_name(operation.command.field)
            text = f"the release is confirmed, {name} {operation.command.message_id} was not answered"
            self._ledger.add("unanswered-request", sender, text, exchange=operation.number, position=position)

    def _request(self, seen: CommandSeen, conversation: Conversation) -> Operation:
        command, sender = seen.command, seen.sender
        operation, replaced = self.operations.begin(sender, seen.context_id, command)
        number = operation.number
        if replaced is not None and self.operations.is_whole:
            text = f"{message_name(command.field)} with Message ID {command.message_id}, which is outstanding"
            self._add("message-id-reused", text, f"{service_clause(command.service)}.1", number)
        if conversation.request is not None and isinstance(conversation.answer, AssociateAC):
            if self.operations.is_whole:
                self._check_window(sender, number, conversation)
            self._check_role(operation, conversation)
        self._check_sop_class(operation, conversation)
        return operation

    def _check_window(self, sender: Role, number: int, conversation: Conversation) -> None:
        answer = conversation.answer
        window = answer.user.asynchronous_operations if isinstance(answer, AssociateAC) else None
        limit = 1
        if window is not None:
            limit = window.invoked if sender is Role.REQUESTOR else window.performed
        outstanding = sum(1 for _ in self.operations.of(sender))
        if limit and outstanding > limit:
            text = f"{outstanding} requests are outstanding, {limit} may be"
            self._add("window-exceeded", text, "", number)

    def _check_role(self, operation: Operation, conversation: Conversation) -> None:
        """The requestor is SCU and the acceptor SCP, unless role selection says otherwise (PS3.7 D.3.3.4)."""
        sop_class = conversation.context(operation.context_id).abstract_syntax
        request, answer = conversation.request, conversation.answer
        if not sop_class or request is None or not isinstance(answer, AssociateAC):
            return
        service = operation.command.service
        # notifications come from the SCP, everything else from the SCU
        is_scu = (operation.sender is Role.REQUESTOR) is not (service == "N-EVENT-REPORT")
        scu, scp = True, False
        if any(role.sop_class == sop_class for role in request.user.roles):
            scu, scp = next(((r.scu, r.scp) for r in answer.user.roles if r.sop_class == sop_class), (scu, scp))
        if not (scu if is_scu else scp):
            role = "SCU" if is_scu else "SCP"
            text = f"{service} by the {operation.sender.value}: the requestor is not {role} of {quoted(sop_class)}"
            self._add("role-not-negotiated", text, "", operation.number)

    def _check_sop_class(self, operation: Operation, conversation: Conversation) -> None:
        """Normalized services are exempt: they have Meta SOP Classes, whose contexts carry many SOP classes."""
        abstract_syntax = conversation.context(operation.context_id).abstract_syntax
        command = operation.command
        named = command.affected_sop_class
        if not abstract_syntax or not named or not command.service.startswith("C-") or abstract_syntax.startswith(_UPS):
            return
        if named != abstract_syntax:
            text = f"{message_name(command.field)} for {quoted(named)} on a context for {quoted(abstract_syntax)}"
            clause = _SOP_CLASS_CLAUSES.get(command.service, "PS3.7 D.3.2")
            self._add("sop-class-of-context", text, clause, operation.number)

    def _cancel(self, command: Command) -> Operation | None:
        """A cancel may meet the final response on its way; for what was never asked there is no excuse."""
        message_id = command.message_id_responded_to or 0
        operation = self.operations.outstanding(self._sender, message_id)
        known = operation or self.operations.finished(self._sender, message_id)
        if known is None:
            if self.operations.is_whole:
                text = f"C-CANCEL-RQ for Message ID {message_id}, which no request has"
                self._add("cancel-of-nothing", text, "PS3.7 9.3.2.3", 0)
        elif known.command.service not in _CANCELLABLE:
            text = f"C-CANCEL-RQ for Message ID {message_id}, which is a {message_name(known.command.field)}"
            self._add("cancel-of-nothing", text, "PS3.7 9.3.2.3", known.number)
        return known

    def _response(self, seen: CommandSeen) -> Operation | None:
        command, asker = seen.command, other(seen.sender)
        message_id, name = command.message_id_responded_to or 0, message_name(seen.command.field)
        operation = self.operations.outstanding(asker, message_id)
        if operation is None:
            finished = self.operations.finished(asker, message_id)
            if finished is not None and self.operations.is_whole:
                text = f"{name} to Message ID {message_id}, which had its final response"
                self._add("response-after-final", text, service_clause(finished.command.service), finished.number)
            elif self.operations.is_whole:
                text = f"{name} to Message ID {message_id}, which no outstanding request has{self._others(asker)}"
                self._add("response-to-nothing", text, clause_of(command.field), 0)
            return finished
        if operation.command.service != command.service:
            text = f"{name} to a {message_name(operation.command.field)} (Message ID {message_id})"
            self._add("response-service", text, clause_of(command.field), operation.number)
        else:
            self._compare(operation, command, name)
        if operation.context_id != seen.context_id:
            text = f"{name} on presentation context {seen.context_id}, the request came on {operation.context_id}"
            self._add("response-context", text, "", operation.number)
        if command.service in RETRIEVES and operation.command.service == command.service:
            for text, clause in sums(operation.counted, command):
                self._add("sub-operation-sums", text, clause, operation.number)
            operation.counted = command
        if command.status not in (PENDING, PENDING_WITH_WARNING):
            self.operations.finish(operation)
        return operation

    def _others(self, asker: Role) -> str:
        waiting = [str(operation.command.message_id) for operation in self.operations.of(asker)]
        return f" (outstanding: {', '.join(waiting[:5])})" if waiting else ""

    def _compare(self, operation: Operation, response: Command, name: str) -> None:
        """What a response repeats of its request is equal; an N-CREATE may leave the instance to the SCP."""
        request = operation.command
        pairs = (
            ("SOP class", request.affected_sop_class or request.requested_sop_class, response.affected_sop_class),
            (
                "SOP instance",
                request.affected_sop_instance or request.requested_sop_instance,
                response.affected_sop_instance,
            ),
        )
        for what, asked, answered in pairs:
            if asked and answered and asked != answered:
                text = f"{name} for {what} {quoted(answered)}, the request was for {quoted(asked)}"
                self._add("response-differs", text, f"{service_clause(request.service)}", operation.number)

    def _add(self, check: str, text: str, clause: str, number: int) -> None:
        self._ledger.add(check, self._sender, text, clause=clause, exchange=number, position=self._position)
