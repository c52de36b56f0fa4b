"""Answers that are no proper ones: what a lenient client reads, or none does. They are known here by their bytes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from mockpacs.replay.association import TapedAssociation
from mockpacs.replay.server.heard import Asked
from mockpacs.replay.step import Noise, Said
from mockpacs.scenario.moments import QUERIES
from mockpacs.traffic.message import PduRead
from mockpacs.wire import Command, PDataTF, Role, decode_command
from mockpacs.wire.dataset import Encoding, scan
from mockpacs.wire.seen import PduSeen

MOST: Final = 256 << 10
"""Bytes of an answer that a rule sends as they were."""
_RESPONSE: Final = 0x8000
_LONGEST: Final = 1 << 20
_WITHOUT_MESSAGES: Final = (1, 2, 3, 5, 6, 7)


def find_odd(taped: TapedAssociation, asked: Sequence[Asked]) -> list[str]:
    """Give odd answers their bytes; sentences about those that are too long for it."""
    odd = _odd_by_steps(taped, asked)
    odd += [
        one
        for one in asked
        if (one not in odd and _has_several_ends(one)) or any(_is_odd(one, said) for said in one.responses)
    ]
    if not odd:
        return []
    notes = []
    answers = _answers(taped)
    for one in odd:
        raw = answers.get(id(one.request), b"")
        if len(raw) > MOST:
            notes.append(f"{one.id} {one.service}: an odd answer of {len(raw)} bytes is too long to be sent as it was")
        else:
            one.raw = raw
    return notes


def _odd_by_steps(taped: TapedAssociation, asked: Sequence[Asked]) -> list[Asked]:
    """Those with bytes that are no message, or with a response that answers nothing, behind their request."""
    by_request = {id(one.request): one for one in asked}
    latest: Asked | None = None
    found: list[Asked] = []
    for step in taped.steps:
        if isinstance(step, Said) and step.sender is Role.REQUESTOR:
            latest = by_request.get(id(step), latest)
            continue
        is_stray = isinstance(step, Noise) or (
            isinstance(step, Said) and not step.exchange and not step.command.is_request
        )
        if is_stray and step.sender is Role.ACCEPTOR and latest is not None and latest not in found:
            found.append(latest)
    return found


def _has_several_ends(asked: Asked) -> bool:
    """Whether something followed what should have been the last response."""
    return any(said not in asked.pending for said in asked.responses[:-1])


def _is_odd(asked: Asked, said: Said) -> bool:
    """Whether a response contradicts its request, or cannot be read."""
    request, command = asked.request.command, said.command
    if command.status is None or said.context.context_id != asked.request.context.context_id:
        return True
    if command.field != request.field | _RESPONSE or not said.is_whole:
        return True
    if command.message_id_responded_to != request.message_id or (command.has_dataset and said.data is None):
        return True
    own = request.affected_sop_class or request.requested_sop_class
    named = command.affected_sop_class or command.requested_sop_class
    if named and own and named != own:
        return True
    if asked.service not in QUERIES or said.data is None:
        return False
    return not scan(said.data.head(_LONGEST), Encoding.of(said.context.transfer_syntax)).complete


def _answers(taped: TapedAssociation) -> dict[int, bytes]:
    """What the server sent between each request and the next, without what belongs to an end; by the request."""
    requests = [said for said in taped.messages() if said.sender is Role.REQUESTOR and said.command.is_request]
    said = iter([one for one in requests if one.command.service != "C-CANCEL"])
    current: Said | None = None
    found: dict[int, bytearray] = {}
    command = bytearray()
    for read in taped.pdus():
        if read.seen.sender is Role.ACCEPTOR:
            if current is not None and _is_of_an_answer(read):
                found.setdefault(id(current), bytearray()).extend(read.raw)
            continue
        if isinstance(read.seen, PduSeen) and isinstance(read.seen.pdu, PDataTF):
            for pdv in read.seen.pdu.pdvs:
                if not pdv.is_command:
                    continue
                command += pdv.data
                if pdv.is_last:
                    current = next(said, current) if _is_request(bytes(command)) else current
                    command.clear()
    return {key: bytes(raw) for key, raw in found.items()}


def _is_of_an_answer(read: PduRead) -> bool:
    """Whether it is no PDU that opens or ends an association."""
    return not (isinstance(read.seen, PduSeen) and read.seen.pdu_type in _WITHOUT_MESSAGES)


def _is_request(data: bytes) -> bool:
    command = decode_command(data)
    return isinstance(command, Command) and command.is_request and command.service != "C-CANCEL"
