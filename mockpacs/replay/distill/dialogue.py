"""What was said on an association, as plain values that make a page of YAML people read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from mockpacs.replay.association import TapedAssociation
from mockpacs.replay.client.recorded import PENDING_STATUSES, end_of
from mockpacs.replay.client.report import status_text
from mockpacs.replay.distill.readable import readable
from mockpacs.replay.step import Gap, Noise, Said
from mockpacs.traffic.exchange import Exchange, counts_of
from mockpacs.wire import AssociateAC, AssociateRJ, Role
from mockpacs.wire.dictionary import uid_name

Name = Callable[[Said], str]
"""Where the instance that a message brought is, "" when it is nowhere."""

_LONGEST: Final = 64 << 10
"""Bytes of a data set that is shown."""
_MATCHES: Final = 50
"""Matches of one query that are shown."""
_SLOW_SECONDS: Final = 0.1
"""What took less is not worth a word."""
_RESULTS: Final = {
    1: "refused by the user",
    2: "refused without a reason",
    3: "abstract syntax not supported",
    4: "transfer syntaxes not supported",
}
_CLIENT, _SERVER = "client", "server"

Entry = dict[str, Any]


def association(taped: TapedAssociation, begin: float, object_of: Name) -> Entry:
    """All of one association. ``begin``: what seconds count from, seconds since 1970."""
    sides = _sides(taped)
    end = end_of(taped)
    ender = Role.ACCEPTOR if end.by_peer else Role.REQUESTOR
    found: Entry = {
        "association": taped.number,
        "calling": taped.association.calling,
        "called": taped.association.called,
        "user": taped.association.user,
        "because_of": taped.cause,
        "opened_by": sides[Role.REQUESTOR],
        "after_seconds": round(taped.opened - begin, 3),
        "answer": _answer(taped),
        "max_pdu": _max_pdu(taped, sides),
        "contexts": _contexts(taped),
        "dialogue": _Dialogue(taped, object_of, sides).entries(),
        "end": f"{end.how} by the {sides[ender]}" if end.how else "not captured",
    }
    return {key: value for key, value in found.items() if value not in ("", None, [], {})}


def _sides(taped: TapedAssociation) -> Mapping[Role, str]:
    """What to call who opened it and who accepted it."""
    if not taped.cause and not taped.association.by_us:
        return {Role.REQUESTOR: _CLIENT, Role.ACCEPTOR: _SERVER}
    if taped.cause.endswith(".0"):  # opened for a whole connection, for no exchange: the other half of a proxy
        return {Role.REQUESTOR: "proxy", Role.ACCEPTOR: _SERVER}
    return {Role.REQUESTOR: _SERVER, Role.ACCEPTOR: "destination" if taped.cause else "peer"}


def _answer(taped: TapedAssociation) -> str:
    answer = taped.answer
    if isinstance(answer, AssociateRJ):
        return f"rejected: result {answer.result}, source {answer.source}, reason {answer.reason}"
    return "accepted" if answer is not None else "none"


def _max_pdu(taped: TapedAssociation, sides: Mapping[Role, str]) -> Entry:
    found = {sides[Role.REQUESTOR]: taped.request.user.max_pdu_length} if taped.request is not None else {}
    if isinstance(taped.answer, AssociateAC):
        found[sides[Role.ACCEPTOR]] = taped.answer.user.max_pdu_length
    return found


def _contexts(taped: TapedAssociation) -> list[Entry]:
    if taped.request is None:
        return []
    answers = {one.context_id: one for one in taped.answer.contexts} if isinstance(taped.answer, AssociateAC) else {}
    found: list[Entry] = []
    for context in taped.request.contexts:
        entry: Entry = {
            "id": context.context_id,
            "abstract_syntax": uid_name(context.abstract_syntax),
            "proposed": [uid_name(syntax) for syntax in context.transfer_syntaxes],
        }
        if (answer := answers.get(context.context_id)) is not None:
            if answer.result:
                entry["refused"] = _RESULTS.get(answer.result, f"result {answer.result}")
            else:
                entry["accepted"] = uid_name(answer.transfer_syntax)
        found.append(entry)
    return found


class _Dialogue:
    """The entries of one association: one for a request with its answers, one for whatever else was sent."""

    def __init__(self, taped: TapedAssociation, object_of: Name, sides: Mapping[Role, str]) -> None:
        self._taped = taped
        self._object_of = object_of
        self._sides = sides
        self._exchanges = {exchange.number: exchange for exchange in taped.exchanges}
        self._by_number: dict[int, Entry] = {}
        self._matches: dict[int, int] = {}
        self._entries: list[Entry] = []

    def entries(self) -> list[Entry]:
        """In the order in which they began."""
        for step in self._taped.steps:
            if isinstance(step, Said):
                self._say(step)
            elif isinstance(step, Noise):
                self._nonsense(step.sender, len(step.raw), {"no_message": step.why})
            elif isinstance(step, Gap):
                self._nonsense(step.sender, step.size, {"not_captured": True})
        return self._entries

    def _say(self, said: Said) -> None:
        command = said.command
        if command.service == "C-CANCEL":
            entry = {"sent_by": self._sides[said.sender], "service": "C-CANCEL"}
            self._entries.append({**entry, "of": self._id(said.exchange)} if said.exchange else entry)
        elif command.is_request:
            self._ask(said)
        else:
            self._answer(said)

    def _nonsense(self, sender: Role, size: int, why: Entry) -> None:
        self._entries.append({"sent_by": self._sides[sender], "bytes": size, **why})

    def _ask(self, said: Said) -> None:
        entry = _request(said, self._sides[said.sender], self._object_of)
        if said.exchange:
            entry = {"exchange": self._id(said.exchange), **entry}
            self._by_number[said.exchange] = entry
            entry |= _decided(self._exchanges.get(said.exchange))
        entry["answers"] = []
        self._entries.append(entry)

    def _answer(self, said: Said) -> None:
        asked = self._by_number.get(said.exchange)
        answer = _response(said)
        if asked is None:
            self._entries.append({"sent_by": self._sides[said.sender], "service": said.command.service, **answer})
            return
        answers: list[Entry] = asked["answers"]
        if said.data is not None and said.command.status in PENDING_STATUSES:
            count = self._matches[said.exchange] = self._matches.get(said.exchange, 0) + 1
            if count > _MATCHES:
                asked["more_matches"] = count - _MATCHES
                return
        if said.data is not None:
            answer["dataset"] = _shown(said)
        elif answers and {**answers[-1], "times": 1} == {**answer, "times": 1}:
            answers[-1]["times"] = answers[-1].get("times", 1) + 1
            return
        answers.append(answer)

    def _id(self, exchange: int) -> str:
        return f"{self._taped.number}.{exchange}"


def _request(said: Said, sender: str, object_of: Name) -> Entry:
    command = said.command
    found: Entry = {"asked_by": sender, "service": command.service}
    details: Entry = {
        "sop_class": _uid(command.affected_sop_class or command.requested_sop_class),
        "sop_instance": command.affected_sop_instance or command.requested_sop_instance,
        "destination": command.move_destination,
        "transfer_syntax": _uid(said.context.transfer_syntax) if said.data is not None else "",
    }
    found |= {key: value for key, value in details.items() if value}
    if said.data is None:
        return found
    if not said.is_whole:
        found["dataset"] = f"({said.data.size} bytes, without its end)"
    elif name := object_of(said):
        found["object"] = name
    else:
        found["dataset"] = _shown(said)
    return found


def _decided(exchange: Exchange | None) -> Entry:
    """How long it took, and the rule that decided it in a server of ours."""
    if exchange is None:
        return {}
    found: Entry = {"seconds": round(exchange.seconds, 3)} if exchange.seconds >= _SLOW_SECONDS else {}
    found |= {"rule": exchange.rule} if exchange.rule else {}
    return {**found, "fault": exchange.fault} if exchange.fault else found


def _response(said: Said) -> Entry:
    command = said.command
    found: Entry = {"status": status_text(command.status, command.service)}
    if command.error_comment:
        found["comment"] = command.error_comment
    if (counts := counts_of(command)) is not None:
        found["sub_operations"] = dict(zip(("completed", "failed", "warning"), counts, strict=True))
    return found


def _shown(said: Said) -> Any:
    """A data set as far as people read them."""
    assert said.data is not None
    if said.data.size > _LONGEST:
        return f"({said.data.size} bytes)"
    return readable(said.data.read(), said.context.transfer_syntax)


def _uid(uid: str | None) -> str:
    return uid_name(uid) if uid else ""
