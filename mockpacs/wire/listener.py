"""What one side says, message by message, for an observer: like `Assembler`, but it goes on after what makes none.

A message of which something is missing is dropped and told once; what remains of it is passed over up to the next
command set. Whether a context was accepted is not its business. It holds one command set.
"""

from __future__ import annotations

from collections.abc import Iterable

from mockpacs.wire.command import decode_command
from mockpacs.wire.machine import Role
from mockpacs.wire.malformed import Malformed
from mockpacs.wire.message import MAX_COMMAND_LENGTH
from mockpacs.wire.pdata import PDV
from mockpacs.wire.seen import CommandSeen, DataSeen, NonsenseSeen, Seen

# the element a command set begins with: Command Group Length (0000,0000), UL (PS3.7 9.3)
_GROUP_LENGTH = b"\0\0\0\0\4\0\0\0"


class Listener:
    """Takes the PDVs of one direction in order. It begins as one who comes in late: see `attend`."""

    __slots__ = ("_awaits_data", "_context_id", "_end", "_held", "_is_deaf", "_is_in_doubt", "_sender", "_start")

    def __init__(self, sender: Role) -> None:
        self._sender = sender
        self._start = self._end = 0
        self._context_id: int | None = None
        self._held = bytearray()
        self._awaits_data = False
        self._is_deaf = True
        """Whether data set fragments without a command are passed over in silence."""
        self._is_in_doubt = True
        """Whether the command set that begins next, or has begun, may lack its beginning."""

    def attend(self) -> None:
        """Say that what comes next is the beginning of a message: the association was seen to begin."""
        self._drop(is_deaf=False, is_in_doubt=False)

    def forget(self) -> None:
        """Drop what was begun, and pass over what may be the rest of it."""
        self._drop(is_deaf=True, is_in_doubt=True)

    def miss(self, seen: list[Seen], why: str) -> None:
        """Say that bytes are missing; a message that was begun is nonsense."""
        if self._context_id is not None:
            self._complain(seen, why)
        self.forget()

    def take(self, start: int, end: int, pdvs: Iterable[PDV], seen: list[Seen]) -> None:
        """Take the PDVs of the P-DATA-TF between ``start`` and ``end``, add to ``seen`` what they complete."""
        for pdv in pdvs:
            context_id, is_command, is_last, data = pdv
            if is_command:
                self._add_command(pdv, start, end, seen)
            elif self._awaits_data and context_id == self._context_id:
                self._end = end
                if is_last:
                    self._context_id, self._awaits_data = None, False
                elif not data:
                    continue
                seen.append(DataSeen(self._sender, end, context_id, data, is_last))
            else:
                self._pass_over(context_id, start, end, seen)

    def _add_command(self, pdv: PDV, start: int, end: int, seen: list[Seen]) -> None:
        context_id, _, is_last, data = pdv
        if self._awaits_data:
            self._complain(seen, "a command set before the end of a data set")
            self._drop(is_deaf=True, is_in_doubt=False)
        elif self._context_id not in (None, context_id):
            self._complain(seen, self._interleaved(context_id))
            self._drop(is_deaf=True, is_in_doubt=True)
        self._begin(context_id, start)
        self._end = end
        if len(self._held) + len(data) > MAX_COMMAND_LENGTH:
            self._complain(seen, f"a command set of more than {MAX_COMMAND_LENGTH} bytes")
            self._drop(is_deaf=True, is_in_doubt=not is_last)
        elif is_last and not self._held:
            self._end_command(data, seen)
        else:
            self._held += data
            if is_last:
                self._end_command(self._held, seen)

    def _begin(self, context_id: int, start: int) -> None:
        if self._context_id is None:
            self._context_id, self._start = context_id, start

    def _end_command(self, data: bytes | bytearray | memoryview, seen: list[Seen]) -> None:
        context_id = self._context_id or 0
        if self._is_in_doubt and not _is_whole(data):
            self._drop(is_deaf=True, is_in_doubt=False)
            return
        command = decode_command(data)
        self._is_in_doubt = False
        if isinstance(command, Malformed):
            self._complain(seen, command.why)
            self._drop(is_deaf=True, is_in_doubt=False)
            return
        seen.append(CommandSeen(self._sender, self._start, self._end, context_id, command))
        self._drop(is_deaf=False, is_in_doubt=False)
        if command.has_dataset:
            self._context_id, self._awaits_data = context_id, True

    def _pass_over(self, context_id: int, start: int, end: int, seen: list[Seen]) -> None:
        """A data set fragment that continues nothing."""
        is_in_command = False
        if self._context_id is None:
            self._start = start
            why = "a data set fragment before its command set"
        elif context_id != self._context_id:
            is_in_command = not self._awaits_data
            why = self._interleaved(context_id)
        else:
            is_in_command = True
            why = "a data set fragment before the end of its command set"
        self._end = end
        if self._context_id is not None or not self._is_deaf:
            self._complain(seen, why)
        # a command set never follows a data set fragment in its middle, unless it was in its middle before
        self._drop(is_deaf=True, is_in_doubt=is_in_command)

    def _complain(self, seen: list[Seen], why: str) -> None:
        if not self._is_in_doubt:
            seen.append(NonsenseSeen(self._sender, self._start, self._end, why))

    def _interleaved(self, context_id: int) -> str:
        return f"context {context_id} in the middle of a message of context {self._context_id}"

    def _drop(self, *, is_deaf: bool, is_in_doubt: bool) -> None:
        self._context_id = None
        self._held = bytearray()
        self._awaits_data = False
        self._is_deaf = is_deaf
        self._is_in_doubt = is_in_doubt


def _is_whole(data: bytes | bytearray | memoryview) -> bool:
    """Whether a command set begins at its beginning and is as long as it says."""
    return bytes(data[:8]) == _GROUP_LENGTH and int.from_bytes(data[8:12], "little") == len(data) - 12
