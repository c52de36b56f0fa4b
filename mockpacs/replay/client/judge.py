"""What of a played association is not as it was recorded."""

from __future__ import annotations

from collections import Counter
from typing import Final

from mockpacs.replay.association import TapedAssociation
from mockpacs.replay.client.dialogue import Dialogue, Request
from mockpacs.replay.client.recorded import End, Recorded
from mockpacs.replay.client.report import Report, status_text
from mockpacs.replay.step import Gap, Noise, Said
from mockpacs.traffic.exchange import Exchange, counts_of
from mockpacs.traffic.render import shortened
from mockpacs.wire import AssociateAC, AssociateRJ, Command, Role
from mockpacs.wire.dictionary import uid_name

_COUNTED: Final = ("C-FIND", "C-GET", "C-MOVE")


class Judge:
    """Of one association."""

    def __init__(self, taped: TapedAssociation, recorded: Recorded, report: Report) -> None:
        self._taped = taped
        self._recorded = recorded
        self._report = report
        self._missed: set[int] = set()
        self._why_given_up = ""

    def miss(self, said: Said, why: str) -> None:
        """A message was not played."""
        if said.command.service != "C-CANCEL":
            self._missed.add(said.exchange)
        self._report.miss(self._where(said.exchange), what_of(said.command), why)

    def noise(self, step: Noise | Gap) -> None:
        """Something of the client that is no message."""
        if isinstance(step, Gap):
            self._report.note(f"{self._taped.number}: {step.size} bytes of the client were not captured")
        else:
            why = f"{step.why}; --fidelity pdu or bytes sends it"
            self._report.miss(str(self._taped.number), f"{len(step.raw)} bytes", why)

    def nothing_to_say(self) -> None:
        """There was no association, and none was asked for in words that can be understood."""
        steps = [step for step in self._taped.steps if isinstance(step, Noise) and step.sender is Role.REQUESTOR]
        for step in steps:
            self.noise(step)
        if not steps:
            self._report.note(f"{self._taped.number}: nothing was said on the connection; it is not opened")

    def gave_up(self, why: str) -> None:
        """The peer did not do its part."""
        self._why_given_up = why

    def all(self, dialogue: Dialogue) -> None:
        """Everything is over: compare."""
        if not self._is_answered_alike(dialogue):
            return
        for said in self._taped.messages():
            if said.sender is Role.REQUESTOR and said.command.is_request and said.command.service != "C-CANCEL":
                self._request(said, dialogue)
        self._peer_requests(dialogue)
        self._end(dialogue)

    def _is_answered_alike(self, dialogue: Dialogue) -> bool:
        """Whether there was an association, as in the recording."""
        answer, end = self._taped.answer, self._recorded.end
        then = _answer(answer) if answer else f"no answer, {end}" if end.how else ""  # a cut recording does not know
        now = _answer(dialogue.answer) if dialogue.answer else self._no_answer(dialogue)
        is_accepted = isinstance(dialogue.answer, AssociateAC)
        is_alike = not then or then == now or (is_accepted and not answer and self._has_messages)
        if not is_alike:
            self._differ("association", then, now)
        if is_accepted:
            return is_alike
        count = sum(
            said.sender is Role.REQUESTOR and said.command.is_request and said.command.service != "C-CANCEL"
            for said in self._taped.messages()
        )
        if not end.how:
            self._cut()
        if count:
            what = f"{count} request{'' if count == 1 else 's'}"
            self._report.miss(str(self._taped.number), what, "there was no association")
        return False

    @property
    def _has_messages(self) -> bool:
        """Whether there was an association, though its answer was not captured."""
        return any(True for _ in self._taped.messages())

    def _no_answer(self, dialogue: Dialogue) -> str:
        if self._why_given_up or dialogue.end is None:
            return self._why_given_up or "no answer"
        return f"no answer, {End(dialogue.end.how, dialogue.end.by_peer)}"

    def _cut(self) -> None:
        self._report.note(f"{self._taped.number}: the recording ends before the association does; played up to there")

    def _request(self, said: Said, dialogue: Dialogue) -> None:
        number = said.exchange
        if not number or number in self._missed:  # without a number: said when nobody listened any more
            return
        asked = dialogue.requests.get(number)
        if asked is None:
            why = dialogue.end.why if dialogue.end else "the association was over"
            self._report.miss(self._where(number), what_of(said.command), self._why_given_up or why)
            return
        if asked.final is not None:
            self._report.time(asked.seconds)
        exchange = self._recorded.exchanges.get(number)
        if exchange is not None:
            self._compare(exchange, asked)

    def _compare(self, exchange: Exchange, asked: Request) -> None:
        service = exchange.service
        now = asked.final.status if asked.final else None
        was_cut = exchange.status is None and not self._taped.is_whole
        if now != exchange.status and not was_cut:
            self._tell(exchange, asked, status_text(exchange.status, service), self._text(now, service))
        if service not in _COUNTED or was_cut:
            return
        if service == "C-FIND":
            then = exchange.responses - (exchange.status is not None)
            if then != asked.responses:
                self._tell(exchange, asked, _matches(then), _matches(asked.responses))
            return
        counts = counts_of(asked.final) if asked.final else None
        if counts != exchange.counts and asked.final is not None and exchange.status is not None:
            self._tell(exchange, asked, _sub_operations(exchange.counts), _sub_operations(counts))

    def _tell(self, exchange: Exchange, asked: Request, then: str, now: str) -> None:
        self._report.differ(exchange.id, what_of(asked.command), then, now)

    def _peer_requests(self, dialogue: Dialogue) -> None:
        then = Counter(one.command.service for one in self._recorded.asked_by_peer if one.command.service != "C-CANCEL")
        for service in then | dialogue.asked_by_peer:
            if then[service] != dialogue.asked_by_peer[service] and (self._taped.is_whole or then[service]):
                self._differ(
                    f"{service} of the server", f"{then[service]} times", f"{dialogue.asked_by_peer[service]} times"
                )

    def _end(self, dialogue: Dialogue) -> None:
        then = self._recorded.end
        if self._why_given_up:
            self._differ("end", str(then), self._why_given_up)
            return
        if not then.how:
            self._cut()
        if dialogue.end is None:
            return
        now = End(dialogue.end.how, dialogue.end.by_peer)
        if now != then and (then.how or now.by_peer):
            self._differ("end", str(then), str(now))

    def _text(self, status: int | None, service: str) -> str:
        return self._why_given_up if status is None and self._why_given_up else status_text(status, service)

    def _differ(self, what: str, recorded: str, live: str) -> None:
        self._report.differ(str(self._taped.number), what, recorded, live)

    def _where(self, exchange: int) -> str:
        return f"{self._taped.number}.{exchange}" if exchange > 0 else str(self._taped.number)


def what_of(command: Command) -> str:
    """``C-STORE CT Image Storage 1.2.840.11361...``"""
    sop_class = command.affected_sop_class or command.requested_sop_class or ""
    instance = command.affected_sop_instance or command.requested_sop_instance or ""
    return " ".join(
        part for part in (command.service, uid_name(sop_class) if sop_class else "", shortened(instance)) if part
    )


def _answer(answer: AssociateAC | AssociateRJ) -> str:
    if isinstance(answer, AssociateRJ):
        return f"rejected (result {answer.result}, source {answer.source}, reason {answer.reason})"
    return "accepted"


def _matches(count: int) -> str:
    return f"{count} match{'' if count == 1 else 'es'}"


def _sub_operations(counts: tuple[int, int, int] | None) -> str:
    if counts is None:
        return "no sub-operations"
    return "{} completed, {} failed, {} warned".format(*counts)
