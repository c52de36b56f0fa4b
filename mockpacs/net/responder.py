"""The responses of one association: encoded, queued, commented in the recording; and the report of an exchange."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Protocol

from mockpacs.net.environment import Environment
from mockpacs.net.incoming import Incoming
from mockpacs.net.link import Link
from mockpacs.services.request import Outcome, SubOperations
from mockpacs.traffic.comment import message, titles
from mockpacs.traffic.exchange import Association, Exchange, Notice, Place, counts_of
from mockpacs.wire import Command, Tag, Value, encode_command, encode_response, response_to
from mockpacs.wire.lie import Lies, lied
from mockpacs.wire.status import UNRECOGNIZED_OPERATION, name_of
from mockpacs.wire.text import printable

_COMMENT_LENGTH = 64
"""Characters of an Error Comment (0000,0902), VR LO."""
_MOST_COUNTED = 0xFFFF
"""What fits an element of VR US."""


class Sender(Protocol):
    """What answering needs of its association."""

    @property
    def can_send(self) -> bool:
        """Whether responses may still be sent."""

    def send(self, context_id: int, command: bytes, data: bytes | None) -> None:
        """Queue one message."""

    def flush(self) -> None:
        """Write what is queued."""


class Responder:
    """Says what was decided, to the peer, to the recording and to whoever observes."""

    def __init__(self, environment: Environment, association: Association, link: Link, sender: Sender) -> None:
        self._environment = environment
        self._association = association
        self._link = link
        self._track = link.track
        self._titles = titles(association.calling, association.called)
        self._sender = sender

    def note_request(self, incoming: Incoming) -> None:
        """A comment on a request that is complete."""
        if self._track is not None:
            self._track.about_received(message(self._name(incoming), f"{incoming.command.service}-RQ", self._titles))

    def respond(self, incoming: Incoming, outcome: Outcome) -> None:
        """Queue one response (PS3.7 9.3): what the request determines, and what the outcome explains."""
        self.note_answer(incoming, outcome)
        context_id, has_dataset = incoming.context.context_id, outcome.data is not None
        if outcome.is_plain:
            command = encode_response(incoming.command, outcome.status, has_dataset=has_dataset)
        else:
            command = encode_command(response(incoming.command, outcome))
        self._sender.send(context_id, command, outcome.data)

    def note_answer(self, incoming: Incoming, outcome: Outcome) -> None:
        """Count a response; a comment in the recording, on the response. What is too long for the peer is told us."""
        status = outcome.status
        incoming.note_response(status)
        if outcome.counts is not None and len(outcome.comment) > _COMMENT_LENGTH:  # why sub-operations failed
            self._tell_whole(incoming, outcome.comment)
        if self._track is not None:
            service = incoming.command.service
            result = f"{status:04X} {name_of(status, service)}"
            name, decided = f"{service}-RSP", incoming.decided
            self._track.about_sending(
                message(self._name(incoming), name, self._titles, result, rule=decided.rule, fault=decided.fault)
            )

    def note_pending(self, incoming: Incoming, sent: int) -> None:
        """One comment for the pending responses that leave together."""
        if sent and self._track is not None:
            name, decided = f"{incoming.command.service}-RSP", incoming.decided
            self._track.about_sending(
                message(
                    self._name(incoming),
                    name,
                    self._titles,
                    f"{sent} x pending",
                    rule=decided.rule,
                    fault=decided.fault,
                )
            )

    def note_no_answer(self, incoming: Incoming) -> None:
        """A comment on what is sent next: the rule because of which this request gets no answer."""
        decided = incoming.decided
        if self._track is not None and decided.rule:
            name = f"{incoming.command.service}-RQ"
            self._track.about_sending(
                message(self._name(incoming), name, self._titles, rule=decided.rule, fault=decided.fault)
            )

    def report(
        self, incoming: Incoming, final: Outcome | None, why_not: str = "the association ended before the answer"
    ) -> None:
        """Tell the exchange to whoever observes."""
        self._environment.observe(
            Exchange(
                association=self._association,
                number=incoming.number,
                service=incoming.command.service,
                status=final.status if final else None,
                subject=incoming.subject,
                comment=as_sent(final.comment) if final else why_not,
                started=incoming.started,
                seconds=time.perf_counter() - incoming.started_clock,
                size=incoming.size,
                answers=incoming.answers.all(),
                command=incoming.command,
                context=incoming.context,
                rule=incoming.decided.rule,
                fault=incoming.decided.fault,
                place=self._place(incoming),
                counts=counts_of(response(incoming.command, final)) if final and final.counts else None,
            )
        )

    def trouble(self, incoming: Incoming, error: Exception) -> None:
        """Something of ours failed."""
        text = f"{incoming.command.service} failed in the server: {type(error).__name__}: {error}"
        self._environment.observe(Notice(time.time(), "trouble", text, self._association))

    def _tell_whole(self, incoming: Incoming, comment: str) -> None:
        text = f"{incoming.command.service} {self._name(incoming)}: {comment}"
        if self._track is not None:
            self._track.about_sending(f"{self._association.number} trouble: {printable(text)}")
        self._environment.observe(Notice(time.time(), "trouble", text, self._association))

    def _name(self, incoming: Incoming) -> str:
        return f"{self._association.number}.{incoming.number}"

    def _place(self, incoming: Incoming) -> Place | None:
        if self._track is None or incoming.place is None:
            return None
        self._track.settle()  # when the association ended in what is being looked at, that is not in the file yet
        # what the peer does not take yet is recorded when it leaves: then the end is not known
        return self._track.ended(incoming.place) if self._link.stalled_since is None else incoming.place


def response(request: Command, outcome: Outcome) -> Command:
    """The command set of a response."""
    elements: dict[int, Value] = {}
    if outcome.comment:
        elements[Tag.ERROR_COMMENT] = as_sent(outcome.comment)
    if outcome.offending:
        elements[Tag.OFFENDING_ELEMENT] = outcome.offending
    if outcome.error_id is not None:
        elements[Tag.ERROR_ID] = outcome.error_id
    if outcome.attributes:
        elements[Tag.ATTRIBUTE_IDENTIFIER_LIST] = outcome.attributes
    if outcome.counts is not None:
        elements |= _counters(outcome.counts)
    return response_to(request, outcome.status, has_dataset=outcome.data is not None, elements=elements)


def as_told(request: Command, outcome: Outcome, lies: Lies) -> Outcome:
    """An outcome with the counters that the peer was told: those of a lie, where there is one."""
    if outcome.counts is None or lies == Lies():
        return outcome
    counted = counts_of(lied(response(request, outcome), lies))
    return replace(outcome, counts=None if counted is None else SubOperations(*counted))


def _counters(counts: SubOperations) -> dict[int, Value]:
    """Those that are there; a number that does not fit its element says as much as it can."""
    said = {
        Tag.REMAINING_SUB_OPERATIONS: counts.remaining,
        Tag.COMPLETED_SUB_OPERATIONS: counts.completed,
        Tag.FAILED_SUB_OPERATIONS: counts.failed,
        Tag.WARNING_SUB_OPERATIONS: counts.warning,
    }
    return {tag: min(number, _MOST_COUNTED) for tag, number in said.items() if number is not None}


def as_sent(comment: str) -> str:
    """An Error Comment as the peer gets it."""
    return comment.encode("ascii", "replace")[:_COMMENT_LENGTH].decode("ascii").strip(" ")


def nobody(incoming: Incoming) -> Outcome:
    """The answer where no service has one."""
    comment = f"{incoming.command.service} is not served on this presentation context"
    return Outcome(UNRECOGNIZED_OPERATION, comment=comment)
