"""What a recorded server was asked on an association, what it answered, and how it ended it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final, Literal

from mockpacs.replay.association import TapedAssociation
from mockpacs.replay.step import Control, Ending, Gap, Noise, Said, Step
from mockpacs.scenario.moments import QUERIES
from mockpacs.wire import Abort, ReleaseRP, ReleaseRQ, Role
from mockpacs.wire.status import CANCEL, Category, category_of

_LONGEST_NOISE: Final = 64 << 10
"""Bytes that are no messages and are sent again; a rule holds them in hexadecimal."""


How = Literal["abort", "close", "half-close", "reset", "nothing"]


@dataclass(frozen=True, slots=True)
class Parting:
    """How the server ended an association or a connection."""

    how: How
    """nothing: it was the client who left, without having been answered."""
    after_seconds: float = 0.0
    """Since what happened before."""
    abort: Abort = field(default_factory=Abort)
    noise: bytes = b""
    """What was sent before it and is no message."""


@dataclass(slots=True, eq=False)
class Asked:
    """A request with all that the server said about it."""

    id: str
    """``2.1``: the association and the exchange, as `mockpacs show` has it."""
    request: Said
    calling: str
    responses: list[Said] = field(default_factory=list)
    brought: list[Said] = field(default_factory=list)
    """The C-STORE requests of a retrieve, on the same association or on a leg."""
    brought_statuses: list[int] = field(default_factory=list)
    """What was answered to them."""
    parting: Parting | None = None
    """How the server ended everything in this exchange or after it, None when it did not."""
    cancelled_at: int | None = None
    """How many responses there were when a C-CANCEL came, None when none did."""
    raw: bytes = b""
    """The bytes of an answer that is none, and of one that only a strange client understands."""

    @property
    def service(self) -> str:
        """C-FIND, C-STORE, N-..."""
        return self.request.command.service

    @property
    def final(self) -> Said | None:
        """The final response, None when there was none."""
        last = self.responses[-1] if self.responses else None
        return None if last is None or self._goes_on(last) else last

    @property
    def pending(self) -> list[Said]:
        """The responses before it."""
        return [said for said in self.responses if self._goes_on(said)]

    @property
    def ignores_cancel(self) -> bool:
        """Whether the server went on, although it had been told to stop."""
        final = self.final
        if self.cancelled_at is None or final is None or final.command.status == CANCEL:
            return False
        return len(self.responses) - self.cancelled_at > 1  # the last may have crossed the cancel

    def _goes_on(self, said: Said) -> bool:
        """Whether more responses follow; a service without pending responses has a last one, whatever it says."""
        status = said.command.status
        return self.service in QUERIES and status is not None and category_of(status) is Category.PENDING


@dataclass(slots=True, eq=False)
class Heard:
    """An association as the server had it."""

    taped: TapedAssociation
    asked: list[Asked] = field(default_factory=list)
    """What can be answered again, in order."""
    parting: Parting | None = None
    """How the server ended it before anything was asked, or answered the A-ASSOCIATE-RQ."""
    at_release: Parting | None = None
    """What came instead of an A-RELEASE-RP, None when it was answered, or never asked."""
    notes: list[str] = field(default_factory=list)
    """What cannot be played, a sentence each."""

    @property
    def number(self) -> int:
        """Which connection of the recording."""
        return self.taped.number

    @property
    def calling(self) -> str:
        """The AE title of the client."""
        request = self.taped.request
        return (request.calling if request is not None else self.taped.association.calling).strip(" \0")


def is_leg(taped: TapedAssociation) -> bool:
    """Whether the server opened it: to bring instances, or for another reason of its own."""
    return bool(taped.cause) or taped.association.by_us or taped.ours is Role.REQUESTOR


def heard(taped: TapedAssociation) -> Heard:
    """What the server of an association was asked, and did."""
    found = _Hearing(taped).heard()
    _depart(found)
    has_gap = any(isinstance(step, Gap) for step in taped.steps)
    _leave_out_unfinished(found, has_gap=has_gap)
    return found


class _Hearing:
    """Sorts the messages of one association."""

    def __init__(self, taped: TapedAssociation) -> None:
        self._found = Heard(taped)
        self._asked: dict[int, Asked] = {}
        self._causes = {one.number: one.cause for one in taped.exchanges if one.cause}
        self._get: Asked | None = None
        self._gets: dict[str, Asked] = {}

    def heard(self) -> Heard:
        """All requests with what belongs to them."""
        for said in self._found.taped.messages():
            if said.command.service == "C-CANCEL":
                if said.exchange in self._asked:
                    cancelled = self._asked[said.exchange]
                    cancelled.cancelled_at = len(cancelled.responses)
            elif said.exchange:  # others were not listened to any more
                self._hear(said)
        self._found.asked = list(self._asked.values())
        return self._found

    def _hear(self, said: Said) -> None:
        command, is_client = said.command, said.sender is Role.REQUESTOR
        parent = self._retrieve_of(said)
        if command.is_request and is_client:
            one = Asked(f"{self._found.number}.{said.exchange}", said, self._found.calling)
            self._asked[said.exchange] = one
            if one.service == "C-GET":
                self._get = self._gets[one.id] = one
        elif command.is_request and parent is not None:
            parent.brought.append(said)
        elif command.is_request:
            self._found.notes.append(
                f"{self._found.number}.{said.exchange} {command.service}: the server asked for it; "
                "a replayed one asks nothing"
            )
        elif is_client and parent is not None:
            parent.brought_statuses.append(command.status or 0)
        elif not is_client and said.exchange in self._asked:
            self._asked[said.exchange].responses.append(said)

    def _retrieve_of(self, said: Said) -> Asked | None:
        """The C-GET that a sub-operation on the same association belongs to."""
        if said.command.service != "C-STORE" or said.command.is_request is (said.sender is Role.REQUESTOR):
            return None
        return self._gets.get(self._causes.get(said.exchange, ""), self._get)


def _depart(found: Heard) -> None:
    """How the server ended the association, put where it belongs."""
    steps = found.taped.steps
    asks = [number for number, step in enumerate(steps) if _is_control(step, ReleaseRQ, Role.REQUESTOR)]
    ends = [number for number, step in enumerate(steps) if _ends(step) and step.sender is Role.ACCEPTOR]
    released = asks[0] if asks and not (ends and ends[0] < asks[0]) else None
    parting = _parting(found, released)
    if parting is None:
        return
    if released is not None:
        found.at_release = parting
        return
    if parting.how == "close" and asks:  # there was still somebody who said something
        parting = replace(parting, how="half-close")
    latest = found.asked[-1] if found.asked else None
    if latest is None:
        found.parting = parting
    elif not (parting.how == "nothing" and latest.final is not None):
        latest.parting = parting


def _ends(step: Step) -> bool:
    return isinstance(step, Ending) or (isinstance(step, Control) and isinstance(step.pdu, Abort))


def _parting(found: Heard, released: int | None) -> Parting | None:
    """The first that ends it after the release was asked for, or at all."""
    steps = found.taped.steps
    when = found.taped.opened
    noise = bytearray()
    for number, step in enumerate(steps):
        is_server = step.sender is Role.ACCEPTOR
        if isinstance(step, Said):
            when = max(when, step.when)
            noise.clear()
        elif isinstance(step, Noise) and is_server:
            noise += step.raw
        if released is not None and number <= released:
            when = step.when
            continue
        if isinstance(step, Control) and isinstance(step.pdu, ReleaseRP) and is_server:
            return None
        if isinstance(step, Ending) and step.how == "cut":
            return None
        if _ends(step):
            return Parting(_how(step), max(0.0, step.when - when), _abort_of(step), bytes(noise[:_LONGEST_NOISE]))
    return None


def _how(step: Step) -> How:
    if step.sender is not Role.ACCEPTOR:
        return "nothing"
    if isinstance(step, Ending):
        return "close" if step.how == "fin" else "reset"
    return "abort"


def _abort_of(step: Step) -> Abort:
    return step.pdu if isinstance(step, Control) and isinstance(step.pdu, Abort) else Abort()


def _is_control(step: Step, kind: type[ReleaseRQ], sender: Role) -> bool:
    return isinstance(step, Control) and isinstance(step.pdu, kind) and step.sender is sender


def _leave_out_unfinished(found: Heard, *, has_gap: bool) -> None:
    """What the recording does not have to its end says nothing about the server."""
    kept = []
    for one in found.asked:
        if one.final is None and one.parting is None and (has_gap or not found.taped.is_whole):
            found.notes.append(f"{one.id} {one.service}: the recording ends before its answer; it is left out")
        elif one.final is None and one.parting is None:
            one.parting = Parting("nothing")
            kept.append(one)
        elif not one.request.is_whole and (one.parting is None or one.parting.how == "nothing"):
            found.notes.append(f"{one.id} {one.service}: the client did not finish its request; it is left out")
        else:
            kept.append(one)
    found.asked = kept


def never_asked(taped: TapedAssociation) -> Parting | None:
    """How the server ended a connection on which nothing was asked; None when it did not."""
    first = taped.steps[0] if taped.steps else None
    if taped.request is not None or taped.exchanges or first is None or first.sender is not Role.ACCEPTOR:
        return None
    return _parting(Heard(taped), None)
