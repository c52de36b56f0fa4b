"""Which response belongs to which request of an association (PS3.7 7.5), seen from outside: either side may ask.

A request is known by who sent it and its Message ID; of two that share it, the oldest is answered first. Memory is
bounded by the open requests, and those by `MOST_OPEN`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from mockpacs.traffic.answers import Answers
from mockpacs.traffic.subject import head_size
from mockpacs.wire import AcceptedContext, Command, Role

MOST_OPEN: Final = 10_000
"""Requests of one association that wait for an answer; beyond that the oldest is given up."""

OTHER: Final = {Role.REQUESTOR: Role.ACCEPTOR, Role.ACCEPTOR: Role.REQUESTOR}


class Asked:
    """A request and what came of it so far. Positions are those of `Blocks`, offsets those of the file."""

    __slots__ = (
        "answers",
        "asked_at",
        "cause",
        "command",
        "context",
        "end",
        "final",
        "head",
        "head_size",
        "heard_from",
        "is_answering",
        "is_arriving",
        "is_heard",
        "is_heard_whole",
        "is_whole",
        "move",
        "number",
        "offset",
        "sender",
        "size",
        "started",
        "subject",
    )

    def __init__(self, number: int, sender: Role, context: AcceptedContext, command: Command, started: float) -> None:
        self.number = number
        self.sender = sender
        self.context = context
        self.command = command
        self.started = started
        self.answers = Answers()
        self.size = 0
        self.head_size = head_size(command)
        self.head = bytearray()
        """How its data set begins, until `subject` is made of it: so many bytes at most."""
        self.subject = ""
        self.is_whole = not command.has_dataset
        """Whether its data set came to its end, if it has one."""
        self.is_heard = True
        """Whether its receiver still listened."""
        self.is_arriving = False
        """Whether its data set is still coming."""
        self.is_answering = False
        """Whether the data set of a response of it is still coming."""
        self.final: Command | None = None
        self.cause: Asked | None = None
        """The C-GET of the other side of which it is a sub-operation."""
        self.move = ""
        """The id of the C-MOVE of another association of which it is one."""
        self.offset = self.end = 0
        self.asked_at = 0
        """TCP sequence number, in what its sender sent, of its first PDU."""
        self.heard_from = 0
        """Position, in what the other side sent, from which on there are whole PDUs and all its responses,
        and no response with its Message ID that answers another request."""
        self.is_heard_whole = False


class Pairing:
    """The open requests of one association, in their order."""

    __slots__ = ("_by_id", "_open", "count")

    def __init__(self) -> None:
        self.count = 0
        """How many requests there were."""
        self._open: dict[int, Asked] = {}
        self._by_id: dict[tuple[Role, int | None], list[Asked]] = {}

    def __len__(self) -> int:
        return len(self._open)

    def __iter__(self) -> Iterator[Asked]:
        return iter(list(self._open.values()))

    def ask(self, sender: Role, context: AcceptedContext, command: Command, when: float) -> Asked:
        """A request whose command set is complete."""
        self.count += 1
        asked = Asked(self.count, sender, context, command, when)
        self._open[asked.number] = asked
        self._by_id.setdefault((sender, command.message_id), []).append(asked)
        return asked

    def is_shared(self, asked: Asked) -> bool:
        """Whether its Message ID is that of another request of its sender that is open."""
        return len(self._by_id[asked.sender, asked.command.message_id]) > 1

    def answered_by(self, sender: Role, context_id: int, command: Command) -> Asked | None:
        """The request that a response answers; of several the oldest on the context and of the service of the response.

        None when nobody asked, or when that has its final answer already.
        """
        waiting = self._by_id.get((OTHER[sender], command.message_id_responded_to))
        if not waiting:
            return None
        if len(waiting) == 1:
            return waiting[0] if waiting[0].final is None else None
        found = None
        for asked in waiting:
            if asked.final is not None:
                continue
            if asked.context.context_id == context_id and asked.command.service == command.service:
                return asked
            found = found or asked
        return found

    def oldest_too_many(self) -> Asked | None:
        """The request to give up, None while there are not too many."""
        return next(iter(self._open.values())) if len(self._open) > MOST_OPEN else None

    def drop(self, asked: Asked) -> None:
        """It is over."""
        del self._open[asked.number]
        key = (asked.sender, asked.command.message_id)
        waiting = self._by_id[key]
        waiting.remove(asked)
        if not waiting:
            del self._by_id[key]
