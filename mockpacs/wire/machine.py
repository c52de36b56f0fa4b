"""The state machine of one association: what each action of PS3.8 tables 9-6 to 9-9 does; no bytes are read here.

Where table 9-10 answers bytes of the peer with AA-1, the A-ABORT names the service provider and a reason instead of
the service user, who has not said anything: a peer learns more from it, and PS3.8 9.3.8 has those reasons for this.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Any, NamedTuple

from mockpacs.errors import LocalProtocolError
from mockpacs.wire.happening import (
    Aborted,
    AssociateAccepted,
    AssociateRefused,
    AssociateRejected,
    AssociateRequested,
    Happening,
    ReleaseConfirmed,
    ReleaseRequested,
)
from mockpacs.wire.item import ItemError
from mockpacs.wire.malformed import AbortReason, AbortSource, Malformed
from mockpacs.wire.message import Assembler
from mockpacs.wire.pdata import decode_pdvs
from mockpacs.wire.pdu import Abort, AssociateAC, AssociateRJ, AssociateRQ, Pdu, PduType, ReleaseRP, ReleaseRQ, encode
from mockpacs.wire.state_table import TRANSITIONS, Event, State
from mockpacs.wire.user_information import UserInformation

# result permanent, source ACSE, reason protocol version not supported (PS3.8 9.3.4)
_VERSION_NOT_SUPPORTED = AssociateRJ(1, 2, 2)


class Role(Enum):
    """Who opened the association."""

    ACCEPTOR = "acceptor"
    REQUESTOR = "requestor"


class AcceptedContext(NamedTuple):
    """A presentation context both sides agreed on."""

    context_id: int
    abstract_syntax: str
    transfer_syntax: str


class Machine:
    """State, timer and queues of one association; `step` is the only way to change them."""

    def __init__(self, role: Role, max_command_length: int) -> None:
        self.role = role
        self.state = State.STA1
        self.artim_running = False
        self.artim_starts = 0
        self.should_close = False
        self.accepted: dict[int, AcceptedContext] = {}
        self.peer_max_pdu_length = 0
        self.assembler = Assembler(self.accepted, max_command_length)
        self.out: list[bytes] = []
        self.happenings: list[Happening] = []
        self._rq = AssociateRQ("", "", ())
        self._rq_pdu = b""

    def step(self, event: Event, subject: Any = None) -> None:
        """Perform what table 9-10 says; ``subject`` is what the event is about: a PDU, a body, PDUs to send.

        `LocalProtocolError` where the table has an empty cell, which no event of the peer can reach.
        """
        perform = _PERFORM.get((self.state, event))
        if perform is None:
            raise LocalProtocolError(f"{event.name} is not possible in {self.state.name} (PS3.8 table 9-10)")
        perform(self, event, subject)

    def _queue(self, pdu: Pdu) -> None:
        self.out.append(encode(pdu))

    def _await_close(self) -> None:
        self.artim_running = True
        self.artim_starts += 1
        self.state = State.STA13

    def _become_idle(self, *, should_close: bool) -> None:
        self.artim_running = False
        self.should_close = should_close
        self.state = State.STA1

    def _establish(self, ac: AssociateAC, peer: UserInformation) -> None:
        # reversed: of several contexts with one identifier the first is meant
        proposed = {context.context_id: context.abstract_syntax for context in reversed(self._rq.contexts)}
        for answer in ac.contexts:
            # an answer to what was not proposed means nothing
            if answer.result == 0 and (abstract_syntax := proposed.get(answer.context_id)) is not None:
                agreed = AcceptedContext(answer.context_id, abstract_syntax, answer.transfer_syntax)
                self.accepted[answer.context_id] = agreed
        self.peer_max_pdu_length = peer.max_pdu_length
        self.state = State.STA6

    def _receive_data(self, body: memoryview) -> None:
        """Report what the PDVs of a P-DATA-TF complete; anything wrong with them makes it an invalid PDU."""
        try:
            pdvs = decode_pdvs(body)
        except ItemError as problem:
            self.step(Event.INVALID_PDU, Malformed(PduType.P_DATA_TF, str(problem)))
            return
        add, report = self.assembler.add, self.happenings.append
        for pdv in pdvs:
            happening = add(pdv)
            if isinstance(happening, Malformed):
                self.step(Event.INVALID_PDU, happening)
                return
            if happening is not None:
                report(happening)

    def _report_abort(self, abort: Abort) -> None:
        self.happenings.append(Aborted(abort.source, abort.reason, True, _describe(abort)))

    # the actions of PS3.8 tables 9-6 to 9-9, in their order

    def _ae_1(self, _event: Event, rq: AssociateRQ) -> None:
        # encoded here, so that what cannot be sent is told to who asks for it
        self._rq, self._rq_pdu = rq, encode(rq)
        self.state = State.STA4

    def _ae_2(self, _event: Event, _subject: None) -> None:
        self.out.append(self._rq_pdu)
        self.state = State.STA5

    def _ae_3(self, _event: Event, ac: AssociateAC) -> None:
        self._establish(ac, ac.user)
        self.happenings.append(AssociateAccepted(ac))

    def _ae_4(self, _event: Event, rj: AssociateRJ) -> None:
        self.happenings.append(AssociateRejected(rj))
        self._become_idle(should_close=True)

    def _ae_5(self, _event: Event, _subject: None) -> None:
        self.artim_running = True
        self.artim_starts += 1
        self.state = State.STA2

    def _ae_6(self, event: Event, rq: AssociateRQ) -> None:
        self.artim_running = False
        # a receiver of version 1 only tests bit 0 (PS3.8 9.3.2)
        if rq.protocol_version & 1:
            self._rq = rq
            self.happenings.append(AssociateRequested(rq))
            self.state = State.STA3
        else:
            self.happenings.append(AssociateRefused(rq, _VERSION_NOT_SUPPORTED))
            self._ae_8(event, _VERSION_NOT_SUPPORTED)

    def _ae_7(self, _event: Event, ac: AssociateAC) -> None:
        self._queue(ac)
        self._establish(ac, self._rq.user)

    def _ae_8(self, _event: Event, rj: AssociateRJ) -> None:
        self._queue(rj)
        self._await_close()

    def _dt_1(self, _event: Event, pdus: list[bytes]) -> None:
        self.out += pdus

    def _dt_2(self, _event: Event, body: memoryview) -> None:
        self._receive_data(body)

    def _ar_1(self, _event: Event, _subject: None) -> None:
        self._queue(ReleaseRQ())
        self.state = State.STA7

    def _ar_2(self, _event: Event, _pdu: ReleaseRQ) -> None:
        self.happenings.append(ReleaseRequested())
        self.state = State.STA8

    def _ar_3(self, _event: Event, _pdu: ReleaseRP) -> None:
        self.happenings.append(ReleaseConfirmed())
        self._become_idle(should_close=True)

    def _ar_4(self, _event: Event, _subject: None) -> None:
        self._queue(ReleaseRP())
        self._await_close()

    def _ar_5(self, _event: Event, _subject: None) -> None:
        self._become_idle(should_close=False)

    def _ar_6(self, _event: Event, body: memoryview) -> None:
        self._receive_data(body)

    def _ar_7(self, _event: Event, pdus: list[bytes]) -> None:
        self.out += pdus

    def _ar_8(self, _event: Event, _pdu: ReleaseRQ) -> None:
        self.happenings.append(ReleaseRequested())
        self.state = State.STA9 if self.role is Role.REQUESTOR else State.STA10

    def _ar_9(self, _event: Event, _subject: None) -> None:
        self._queue(ReleaseRP())
        self.state = State.STA11

    def _ar_10(self, _event: Event, _pdu: ReleaseRP) -> None:
        self.happenings.append(ReleaseConfirmed())
        self.state = State.STA12

    def _aa_1(self, event: Event, subject: Abort | Pdu | Malformed | memoryview) -> None:
        if event is Event.ABORT_REQUEST and isinstance(subject, Abort):
            self._queue(subject)
            self._await_close()
        else:
            self._aa_8(event, subject)

    def _aa_2(self, event: Event, subject: Abort | None) -> None:
        # the standard issues no indication here; what a peer says in Sta2 is reported all the same
        if event is Event.ABORT_PDU and self.state is State.STA2 and subject is not None:
            self._report_abort(subject)
        self._become_idle(should_close=True)

    def _aa_3(self, _event: Event, abort: Abort) -> None:
        self._report_abort(abort)
        self._become_idle(should_close=True)

    def _aa_4(self, _event: Event, _subject: None) -> None:
        why = "the transport connection closed without a release"
        self.happenings.append(Aborted(AbortSource.SERVICE_PROVIDER, AbortReason.NOT_SPECIFIED, True, why))
        self._become_idle(should_close=False)

    def _aa_5(self, _event: Event, _subject: None) -> None:
        self._become_idle(should_close=False)

    def _aa_6(self, _event: Event, _subject: object) -> None:
        """Ignore the PDU: the association no longer exists."""

    def _aa_7(self, event: Event, subject: object) -> None:
        self._queue(Abort(AbortSource.SERVICE_PROVIDER, self._judge(event, subject).reason))

    def _aa_8(self, event: Event, subject: object) -> None:
        nonsense = self._judge(event, subject)
        self._queue(Abort(AbortSource.SERVICE_PROVIDER, nonsense.reason))
        self.happenings.append(Aborted(AbortSource.SERVICE_PROVIDER, nonsense.reason, False, nonsense.why))
        self._await_close()

    def _judge(self, event: Event, subject: object) -> Malformed:
        if isinstance(subject, Malformed):
            return subject
        why = f"{_PDU_NAMES[event]} was not expected in {self.state.name.capitalize()}"
        return Malformed(None, why, AbortReason.UNEXPECTED_PDU)


def _describe(abort: Abort) -> str:
    """Why, in words; the numbers are told beside it."""
    if abort.source == AbortSource.SERVICE_USER:
        return "service user"
    reasons = {int(reason): reason.name.lower().replace("_", " ") for reason in AbortReason}
    return reasons.get(abort.reason, "unknown reason")


_PDU_NAMES = {
    Event.ASSOCIATE_RQ_PDU: "A-ASSOCIATE-RQ",
    Event.ASSOCIATE_AC_PDU: "A-ASSOCIATE-AC",
    Event.ASSOCIATE_RJ_PDU: "A-ASSOCIATE-RJ",
    Event.P_DATA_PDU: "P-DATA-TF",
    Event.RELEASE_RQ_PDU: "A-RELEASE-RQ",
    Event.RELEASE_RP_PDU: "A-RELEASE-RP",
}

_PERFORM: dict[tuple[State, Event], Callable[[Machine, Event, Any], None]] = {
    cell: getattr(Machine, f"_{action.name.lower()}") for cell, action in TRANSITIONS.items()
}
