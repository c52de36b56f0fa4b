"""The requests of an association that wait for their final response, on both sides; bounded."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from typing import Final

from mockpacs.wire import Command, Role

_MOST_OUTSTANDING: Final = 4096
_MOST_FINISHED: Final = 1024


class Operation:
    """A request, and what is remembered of it to judge its responses."""

    __slots__ = ("asked_keys", "command", "context_id", "counted", "level", "number", "sender")

    def __init__(self, number: int, sender: Role, context_id: int, command: Command) -> None:
        self.number = number
        """Of the exchange, counted from 1."""
        self.sender = sender
        self.context_id = context_id
        self.command = command
        self.asked_keys: frozenset[int] | None = None
        """The tags of a C-FIND identifier, None when they are not known whole."""
        self.level = ""
        """Its Query/Retrieve Level."""
        self.counted: Command | None = None
        """The last pending response of a retrieve, whose sub-operations the next one goes on counting."""


class Operations:
    """What is outstanding, by who asked and Message ID; and which were answered lately."""

    def __init__(self) -> None:
        self.count = 0
        """Requests so far: the number of the last exchange."""
        self.is_whole = True
        """Whether every request was seen and is remembered: only then is a response without one to blame."""
        self._outstanding: OrderedDict[tuple[Role, int], Operation] = OrderedDict()
        self._finished: OrderedDict[tuple[Role, int], Operation] = OrderedDict()

    def begin(self, sender: Role, context_id: int, command: Command) -> tuple[Operation, Operation | None]:
        """Take a request; return it and the outstanding one with the same Message ID, which it replaces."""
        self.count += 1
        key = (sender, command.message_id or 0)
        replaced = self._outstanding.pop(key, None)
        self._finished.pop(key, None)
        operation = self._outstanding[key] = Operation(self.count, sender, context_id, command)
        if len(self._outstanding) > _MOST_OUTSTANDING:
            self._outstanding.popitem(last=False)
            self.is_whole = False
        return operation, replaced

    def outstanding(self, sender: Role, message_id: int) -> Operation | None:
        """The request of a side that waits for its response."""
        return self._outstanding.get((sender, message_id))

    def finished(self, sender: Role, message_id: int) -> Operation | None:
        """The request of a side that had its final response already."""
        return self._finished.get((sender, message_id))

    def finish(self, operation: Operation) -> None:
        """It had its final response."""
        key = (operation.sender, operation.command.message_id or 0)
        if self._outstanding.pop(key, None) is not None:
            self._finished[key] = operation
            if len(self._finished) > _MOST_FINISHED:
                self._finished.popitem(last=False)

    def of(self, sender: Role) -> Iterator[Operation]:
        """The outstanding requests of one side, the oldest first."""
        return (operation for operation in self._outstanding.values() if operation.sender is sender)
