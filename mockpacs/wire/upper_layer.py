"""One association, seen from one side (PS3.8 9.2): received bytes in, happenings and PDUs to write out.

It owns no socket and no clock, and `receive` never raises: a peer's nonsense is answered with A-ABORT and reported.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from mockpacs.errors import LocalProtocolError
from mockpacs.wire.command import Command, encode_command
from mockpacs.wire.framer import HEADER_LENGTH, Framer
from mockpacs.wire.happening import Happening, TransportClosed
from mockpacs.wire.machine import AcceptedContext, Machine, Role
from mockpacs.wire.malformed import AbortReason, AbortSource, Malformed
from mockpacs.wire.message import MAX_COMMAND_LENGTH, cut, cut_stream
from mockpacs.wire.pdu import Abort, AssociateAC, AssociateRJ, AssociateRQ, PduType, decode
from mockpacs.wire.state_table import TRANSITIONS, Event, State

__all__ = ["AcceptedContext", "Role", "State", "UpperLayer"]

_EVENT_OF_PDU: dict[int, Event] = {
    PduType.ASSOCIATE_RQ: Event.ASSOCIATE_RQ_PDU,
    PduType.ASSOCIATE_AC: Event.ASSOCIATE_AC_PDU,
    PduType.ASSOCIATE_RJ: Event.ASSOCIATE_RJ_PDU,
    PduType.RELEASE_RQ: Event.RELEASE_RQ_PDU,
    PduType.RELEASE_RP: Event.RELEASE_RP_PDU,
    PduType.ABORT: Event.ABORT_PDU,
}
# without a transport connection nothing can be received (PS3.8 table 9-10)
_DEAF = frozenset({State.STA1, State.STA4})


class UpperLayer:
    """One association. What the state does not allow raises `LocalProtocolError`.

    An acceptor calls `transport_opened` first; a requestor calls `request`, connects, then calls `transport_opened`.
    After every call: write `data_to_send`, then close the transport if `should_close`, and let the ARTIM timer run
    exactly while `artim_running` (anew whenever `artim_starts` has grown); when it runs out call `artim_expired`.
    """

    def __init__(self, role: Role, *, max_pdu_length: int, max_command_length: int = MAX_COMMAND_LENGTH) -> None:
        """``max_pdu_length``: the maximum length we advertise, in bytes, 0 for no limit; see `Framer`."""
        self._machine = Machine(role, max_command_length)
        self._framer = Framer(max_pdu_length)
        self._is_open = False
        self._is_streaming = False
        self._position = 0

    # what happens to the transport connection

    def transport_opened(self) -> None:
        """Say that the transport connection is there."""
        is_acceptor = self._machine.role is Role.ACCEPTOR
        self._machine.step(Event.TRANSPORT_INDICATED if is_acceptor else Event.TRANSPORT_CONFIRMED)
        self._is_open = True

    def receive(self, data: bytes | memoryview) -> list[Happening]:
        """Take received bytes and say what they mean; nothing of ``data`` is kept, but `DataReceived` shows it."""
        machine = self._machine
        for frame in self._framer.feed(data):
            if machine.state in _DEAF:
                break
            if isinstance(frame, Malformed):
                machine.step(Event.INVALID_PDU, frame)
                break
            pdu_type, body = frame
            start, self._position = self._position, self._position + HEADER_LENGTH + len(body)
            if pdu_type == PduType.P_DATA_TF:
                machine.assembler.position = start
                machine.step(Event.P_DATA_PDU, body)
                continue
            pdu = decode(pdu_type, body)
            machine.step(Event.INVALID_PDU if isinstance(pdu, Malformed) else _EVENT_OF_PDU[pdu_type], pdu)
        return self._take_happenings()

    def transport_closed(self) -> list[Happening]:
        """Say that the transport connection is gone, whoever closed it, or did not open. Harmless when repeated."""
        if self._machine.state is not State.STA1:
            self._machine.step(Event.TRANSPORT_CLOSED)
        if self._is_open:
            self._machine.happenings.append(TransportClosed())
        self._is_open = False
        return self._take_happenings()

    def artim_expired(self) -> list[Happening]:
        """Say that the ARTIM timer ran out; when it is not running any more, nothing happens."""
        if self._machine.artim_running:
            self._machine.step(Event.ARTIM_EXPIRED)
        return self._take_happenings()

    def data_to_send(self) -> list[bytes]:
        """Return the PDUs to write, each whole, in order; each is returned once."""
        pdus, self._machine.out = self._machine.out, []
        return pdus

    # what the user of the association asks for

    def request(self, rq: AssociateRQ) -> None:
        """Ask for an association as soon as the transport connection is there."""
        if self._machine.role is not Role.REQUESTOR:
            raise LocalProtocolError("an acceptor does not request an association")
        self._machine.step(Event.ASSOCIATE_REQUEST, rq)

    def accept(self, ac: AssociateAC) -> None:
        """Accept the association that was asked for; what it advertises counts where it is more than we said before."""
        self._machine.step(Event.ASSOCIATE_ACCEPT, ac)
        self._framer.allow(ac.user.max_pdu_length)

    def reject(self, rj: AssociateRJ) -> None:
        """Reject the association that was asked for."""
        self._machine.step(Event.ASSOCIATE_REJECT, rj)

    def abort(self, source: int = AbortSource.SERVICE_USER, reason: int = AbortReason.NOT_SPECIFIED) -> None:
        """Abort the association; `is_associated` says whether there is one."""
        self._machine.step(Event.ABORT_REQUEST, Abort(source, reason))

    def release(self) -> None:
        """Ask for the release of the association."""
        self._machine.step(Event.RELEASE_REQUEST)

    def answer_release(self) -> None:
        """Agree to the release the peer asked for."""
        self._machine.step(Event.RELEASE_RESPONSE)

    def send(self, context_id: int, command: Command, data: bytes | memoryview | None = None) -> None:
        """Send a message, cut to what the peer takes; ``data`` None is a message without data set.

        `LocalProtocolError` also for a context that was not accepted, for a command that says otherwise about its data
        set, and when the peer's maximum length cannot carry any data.
        """
        if command.has_dataset is (data is None):
            raise LocalProtocolError(f"{command.field.name} and its data set contradict each other (0000,0800)")
        self.send_encoded(context_id, encode_command(command), data)

    def send_encoded(self, context_id: int, command: bytes, data: bytes | memoryview | None = None) -> None:
        """Send a message whose command set is encoded already, as for thousands of equal pending responses."""
        self._check_send(context_id)
        self._machine.step(Event.P_DATA_REQUEST, cut(context_id, command, data, self.peer_max_pdu_length))

    def send_pdus(self, pdus: list[bytes]) -> None:
        """Send P-DATA-TF PDUs that `cut` or `cut_stream` made; those of one message before any other is sent."""
        self._machine.step(Event.P_DATA_REQUEST, pdus)

    def send_stream(self, context_id: int, command: bytes, blocks: Iterable[bytes | memoryview]) -> Iterator[int]:
        """Send a message whose data set comes in blocks: each step queues one PDU and yields its length in bytes.

        Write `data_to_send` between the steps and memory stays bounded. No other message may be sent before the end.
        """
        self._check_send(context_id)
        return self._stream(cut_stream(context_id, command, blocks, self.peer_max_pdu_length))

    # what one may ask

    @property
    def role(self) -> Role:
        """Which side this is."""
        return self._machine.role

    @property
    def state(self) -> State:
        """Where the association is (PS3.8 9.2.1)."""
        return self._machine.state

    @property
    def artim_running(self) -> bool:
        """Whether the association request/reject/release timer is to run (PS3.8 9.1.5)."""
        return self._machine.artim_running

    @property
    def artim_starts(self) -> int:
        """How often that timer was started; when it grows, the time to wait begins anew."""
        return self._machine.artim_starts

    @property
    def should_close(self) -> bool:
        """Whether to close the transport connection once `data_to_send` is out."""
        return self._machine.should_close

    @property
    def accepted(self) -> Mapping[int, AcceptedContext]:
        """The presentation contexts agreed on, by identifier; empty before the association is established."""
        return self._machine.accepted

    @property
    def peer_max_pdu_length(self) -> int:
        """The maximum length the peer advertised, in bytes; 0 is no limit. See `message.can_carry_data`."""
        return self._machine.peer_max_pdu_length

    @property
    def is_associated(self) -> bool:
        """Whether there is an association, or one being negotiated, that `abort` could end."""
        return (self.state, Event.ABORT_REQUEST) in TRANSITIONS

    @property
    def can_send(self) -> bool:
        """Whether messages may be sent: the association is established, or awaits our release response (Sta6, Sta8)."""
        return (self.state, Event.P_DATA_REQUEST) in TRANSITIONS

    @property
    def is_mid_message(self) -> bool:
        """Whether the peer has begun a message and not ended it."""
        return self._machine.assembler.is_mid_message

    def _take_happenings(self) -> list[Happening]:
        happenings, self._machine.happenings = self._machine.happenings, []
        return happenings

    def _check_send(self, context_id: int) -> None:
        if self._is_streaming:
            raise LocalProtocolError("the message that is being sent has not ended")
        if self.can_send and context_id not in self._machine.accepted:
            raise LocalProtocolError(f"presentation context {context_id} was not accepted")

    def _stream(self, pdus: Iterator[bytes]) -> Iterator[int]:
        self._is_streaming = True
        try:
            for pdu in pdus:
                self._machine.step(Event.P_DATA_REQUEST, [pdu])
                yield len(pdu)
        finally:
            self._is_streaming = False
