"""What is known of a taped association before it is played: its exchanges as answered, and what the peer asked."""

from __future__ import annotations

from collections import defaultdict, deque
from typing import Final, NamedTuple

from mockpacs.replay.association import TapedAssociation
from mockpacs.replay.step import Control, Ending, Said, Step
from mockpacs.traffic.exchange import Exchange
from mockpacs.wire import Abort, AssociateRJ, Command, ReleaseRP, ReleaseRQ, Role
from mockpacs.wire.status import PENDING, PENDING_WITH_WARNING

PENDING_STATUSES: Final = (PENDING, PENDING_WITH_WARNING)


class Asked(NamedTuple):
    """A request of the peer: a sub-operation of a C-GET, an event report."""

    command: Command
    answer: Said | None
    """What the client answered; None when it did not."""


class Recorded:
    """One association, looked through once."""

    def __init__(self, taped: TapedAssociation) -> None:
        self.exchanges: dict[int, Exchange] = {exchange.number: exchange for exchange in taped.exchanges}
        self.matches: dict[int, list[Said]] = defaultdict(list)
        """The pending responses that have a data set, by exchange."""
        self.responses: dict[int, Said] = {}
        """The final responses, by exchange."""
        self.asked_by_peer: list[Asked] = []
        answers: dict[int, Said] = {}
        asked: list[Said] = []
        for said in taped.messages():
            is_request, is_client = said.command.is_request, said.sender is Role.REQUESTOR
            if is_request and not is_client:
                asked.append(said)
            elif not is_request and is_client:
                answers[said.exchange] = said
            elif not is_request and said.command.status in PENDING_STATUSES:
                if said.data is not None:
                    self.matches[said.exchange].append(said)
            elif not is_request:
                self.responses[said.exchange] = said
        self.asked_by_peer = [Asked(said.command, answers.get(said.exchange)) for said in asked]
        self.end = end_of(taped)
        self.unanswered_association_seconds = _unanswered_association(taped)
        """How long the client waited for an answer to its association request that did not come; None when one came."""
        self.unanswered_release_seconds = _unanswered_release(taped)
        """How long the client waited for an answer to its release request that did not come; None when one came."""

    def answers(self) -> Answers:
        """A fresh list of what the client answers."""
        return Answers(self.asked_by_peer)


class Answers:
    """What the recorded client answered to requests of the peer; each is used once."""

    def __init__(self, asked: list[Asked]) -> None:
        self._by_instance: dict[tuple[str, str], deque[Asked]] = defaultdict(deque)
        self._by_service: dict[str, deque[Asked]] = defaultdict(deque)
        self._used: set[int] = set()
        for one in asked:
            service = one.command.service
            self._by_instance[service, _instance(one.command)].append(one)
            self._by_service[service].append(one)

    def take(self, command: Command) -> Asked | None:
        """What was asked about the same instance; else the next of the same service; None beyond the recording."""
        service = command.service
        for queue in (self._by_instance.get((service, _instance(command))), self._by_service.get(service)):
            while queue:
                one = queue.popleft()
                if id(one) not in self._used:
                    self._used.add(id(one))
                    return one
        return None


class End(NamedTuple):
    """How an association of a recording ended."""

    how: str
    """rejected, released, aborted, closed, reset; "" when the capture ended before."""
    by_peer: bool

    def __str__(self) -> str:
        if not self.how:
            return "not captured"
        return f"{self.how} by the {'server' if self.by_peer else 'client'}"


def end_of(taped: TapedAssociation) -> End:
    """The first of the steps that ended it."""
    if isinstance(taped.answer, AssociateRJ):
        return End("rejected", True)
    found = End("", False)
    for step in taped.steps:
        found = _end(step)
        if found.how:
            break
    return found


def _unanswered_association(taped: TapedAssociation) -> float | None:
    if taped.answer is not None or taped.request is None:
        return None
    ends = (step for step in taped.steps if isinstance(step, Control | Ending) and step.sender is not None)
    first = next(ends, None)
    return None if first is None or first.sender is Role.ACCEPTOR else first.when - taped.opened


def _unanswered_release(taped: TapedAssociation) -> float | None:
    asked_at: float | None = None
    for step in taped.steps:
        if not isinstance(step, Control | Ending):
            continue
        if asked_at is not None:
            return step.when - asked_at if step.sender is Role.REQUESTOR else None
        if isinstance(step, Control) and isinstance(step.pdu, ReleaseRQ) and step.sender is Role.REQUESTOR:
            asked_at = step.when
    return None


def _end(step: Step) -> End:
    if isinstance(step, Control):
        by_peer = step.sender is Role.ACCEPTOR
        if isinstance(step.pdu, Abort):
            return End("aborted", by_peer)
        if isinstance(step.pdu, ReleaseRP):  # a request alone ends nothing: it may be answered with A-ABORT
            return End("released", not by_peer)
    if isinstance(step, Ending) and step.sender is not None:
        return End("reset" if step.how == "reset" else "closed", step.sender is Role.ACCEPTOR)
    return End("", False)


def _instance(command: Command) -> str:
    return command.affected_sop_instance or command.requested_sop_instance or ""
