"""Messages and their fragments (PS3.7 6.3, PS3.8 Annex E): assembling what arrives, cutting what leaves.

A data set is never assembled here: its fragments are handed on as they come, so its size does not matter.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from struct import Struct

from mockpacs.errors import LocalProtocolError
from mockpacs.wire.command import decode_command
from mockpacs.wire.happening import CommandReceived, DataReceived
from mockpacs.wire.malformed import AbortReason, Malformed
from mockpacs.wire.pdata import PDV
from mockpacs.wire.pdu import PduType

MAX_COMMAND_LENGTH = 1 << 20
"""The longest command set accepted by default, in bytes."""

MIN_PDU_LENGTH = 7
"""The smallest maximum length that can carry data: six bytes are the PDV's own header (PS3.8 9.3.5.1)."""

MAX_FRAGMENT_PDU_LENGTH = 128 * 1024
"""The longest P-DATA-TF sent, in bytes, also when the peer allows more or sets no limit."""

_PDU_AND_PDV = Struct(">BxIIBB")
_COMMAND = 0x01
_LAST = 0x02


class Assembler:
    """Takes PDVs in order and says what they complete. After a `Malformed` it is not to be used any more."""

    __slots__ = ("_awaits_data", "_context_id", "_contexts", "_held", "_max_command_length", "_start", "position")

    def __init__(self, contexts: Container[int], max_command_length: int = MAX_COMMAND_LENGTH) -> None:
        """``contexts``: the identifiers of the accepted presentation contexts."""
        self._contexts = contexts
        self._max_command_length = max_command_length
        self._context_id: int | None = None
        self._held = bytearray()
        self._awaits_data = False
        self._start = 0
        self.position = 0
        """Bytes of the stream before the PDU whose PDVs are added; whoever adds them keeps it."""

    @property
    def is_mid_message(self) -> bool:
        """Whether fragments of the current message are still to come."""
        return self._context_id is not None

    def add(self, pdv: PDV) -> CommandReceived | DataReceived | Malformed | None:
        """Take the next PDV. None: nothing is complete yet, or the fragment was empty."""
        context_id, is_command, is_last, data = pdv
        if context_id != self._context_id:
            if self._context_id is not None:
                return _nonsense(f"context {context_id} in the middle of a message of context {self._context_id}")
            if context_id not in self._contexts:
                return _nonsense(f"presentation context {context_id} was not accepted")
        if is_command:
            return self._add_command(context_id, is_last, data)
        if not self._awaits_data:
            return _nonsense("a data set fragment before its command set", AbortReason.UNEXPECTED_PARAMETER)
        if is_last:
            self._context_id, self._awaits_data = None, False
        elif not data:
            return None
        return DataReceived(context_id, data, is_last)

    def _add_command(
        self, context_id: int, is_last: bool, data: bytes | bytearray | memoryview
    ) -> CommandReceived | Malformed | None:
        if self._awaits_data:
            return _nonsense("a command set before the end of a data set", AbortReason.UNEXPECTED_PARAMETER)
        if len(self._held) + len(data) > self._max_command_length:
            return _nonsense(f"a command set of more than {self._max_command_length} bytes")
        if not self._held:
            self._start = self.position
        if self._held or not is_last:
            self._held += data
            self._context_id = context_id
            if not is_last:
                return None
            data, self._held = self._held, bytearray()
        command = decode_command(data)
        if isinstance(command, Malformed):
            return command
        self._awaits_data = command.has_dataset
        self._context_id = context_id if self._awaits_data else None
        return CommandReceived(context_id, command, self._start)


def can_carry_data(max_pdu_length: int) -> bool:
    """Whether a peer that advertises this maximum length can be sent anything (0 is no limit)."""
    return max_pdu_length == 0 or max_pdu_length >= MIN_PDU_LENGTH


def cut(context_id: int, command: bytes, data: bytes | memoryview | None, max_pdu_length: int) -> list[bytes]:
    """Cut one message into complete P-DATA-TF PDUs; command and data set in PDUs of their own.

    ``data`` None is no data set, empty is an empty one. Raises `LocalProtocolError` when ``max_pdu_length`` (in bytes,
    of the receiver, 0 is no limit) is 1 to 6.
    """
    room = _room(max_pdu_length)
    pdus = _fragments(context_id, _COMMAND, command, room)
    return pdus if data is None else pdus + _fragments(context_id, 0, data, room)


def cut_stream(
    context_id: int, command: bytes, blocks: Iterable[bytes | memoryview], max_pdu_length: int
) -> Iterator[bytes]:
    """Cut a message whose data set comes in blocks of any size; the same PDUs as `cut`, one at a time.

    Holds one block and one fragment. Raises as `cut` does.
    """
    room = _room(max_pdu_length)
    yield from _fragments(context_id, _COMMAND, command, room)
    rest = b""
    for block in blocks:
        view = memoryview(rest + block if rest else block)
        # one fragment is always kept back, as only the next block tells whether it is the last
        whole = max(len(view) - 1, 0) // room * room
        for offset in range(0, whole, room):
            yield _fragment(context_id, 0, view[offset : offset + room])
        rest = bytes(view[whole:])
    yield _fragment(context_id, _LAST, rest)


def _room(max_pdu_length: int) -> int:
    """Return how many bytes of a message fit into one PDU: an even number, as PS3.7 Annex F wants, if it can be."""
    if not can_carry_data(max_pdu_length):
        raise LocalProtocolError(f"a maximum PDU length of {max_pdu_length} cannot carry data, {MIN_PDU_LENGTH} can")
    room = min(max_pdu_length or MAX_FRAGMENT_PDU_LENGTH, MAX_FRAGMENT_PDU_LENGTH) - 6
    return room if room == 1 else room & ~1


def _fragments(context_id: int, control: int, data: bytes | memoryview, room: int) -> list[bytes]:
    length = len(data)
    if length <= room:
        return [_fragment(context_id, control | _LAST, data)]
    view = memoryview(data)
    last = (length - 1) // room * room
    pdus = [_fragment(context_id, control, view[offset : offset + room]) for offset in range(0, last, room)]
    pdus.append(_fragment(context_id, control | _LAST, view[last:]))
    return pdus


def _fragment(context_id: int, control: int, data: bytes | memoryview) -> bytes:
    length = len(data)
    return b"".join((_PDU_AND_PDV.pack(PduType.P_DATA_TF, length + 6, length + 2, context_id, control), data))


def _nonsense(why: str, reason: AbortReason = AbortReason.INVALID_PARAMETER) -> Malformed:
    return Malformed(PduType.P_DATA_TF, why, reason)
