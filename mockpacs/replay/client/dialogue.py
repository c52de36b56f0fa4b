"""What is said on one live association: requests on their way, what the peer answers, and what it asks itself."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from collections.abc import Callable
from itertools import count
from typing import Final

from mockpacs.net.partner import Ended, Heard, Partner
from mockpacs.replay.client.outgoing import Outgoing
from mockpacs.replay.client.recorded import PENDING_STATUSES, Answers, Asked
from mockpacs.traffic.comment import message
from mockpacs.wire import AcceptedContext, AssociateAC, AssociateRJ, Command, Tag, Value, encode_command, response_to

_MESSAGE_IDS: Final = 0xFFFF
_KEPT_AT_MOST: Final = 64 << 20
"""Bytes of matches of one query that are kept to be compared."""
# What a response has from the request it answers, or from how it is encoded.
_OF_THE_REQUEST: Final = frozenset(
    (
        Tag.GROUP_LENGTH,
        Tag.AFFECTED_SOP_CLASS,
        Tag.AFFECTED_SOP_INSTANCE,
        Tag.COMMAND_FIELD,
        Tag.MESSAGE_ID_RESPONDED_TO,
        Tag.DATA_SET_TYPE,
    )
)


class Request:
    """A request of ours and what was answered so far."""

    __slots__ = (
        "clock",
        "command",
        "context",
        "final",
        "kept",
        "matches",
        "message_id",
        "number",
        "responses",
        "seconds",
    )

    def __init__(self, number: int, message_id: int, command: Command, context: AcceptedContext) -> None:
        self.number = number
        """Of the recorded exchange."""
        self.message_id = message_id
        self.command = command
        self.context = context
        self.responses = 0
        """Pending ones."""
        self.matches: list[Heard] = []
        self.kept = 0
        self.final: Command | None = None
        self.clock = time.perf_counter()
        self.seconds = 0.0


class Dialogue:
    """The ear of a partner. One coroutine at a time may `wait`."""

    def __init__(self, answers: Answers, titles: str) -> None:
        """``answers``: to what the peer asks; ``titles``: for the comments of a recording."""
        self._loop = asyncio.get_running_loop()
        self._answers = answers
        self._titles = titles
        self.partner: Partner | None = None
        """Set as soon as there is one."""
        self.answer: AssociateAC | AssociateRJ | None = None
        self.end: Ended | None = None
        self.requests: dict[int, Request] = {}
        """By the number of the recorded exchange."""
        self.asked_by_peer: Counter[str] = Counter()
        """By service."""
        self.unexpected = 0
        """Responses to nothing."""
        self._by_id: dict[int, Request] = {}
        self._ids = count()
        self._count = 0  # of exchanges, whoever asks
        self._is_sending = False
        self._replies: deque[tuple[int, bytes, bytes | None]] = deque()  # while a long message is on its way
        self._wanted: Callable[[], bool] | None = None
        self._waiter: asyncio.Future[bool] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._heard_at = 0.0

    @property
    def open_requests(self) -> int:
        """How many wait for their final response."""
        return len(self._by_id)

    def next_id(self) -> int:
        """A message id that is free."""
        while (number := next(self._ids) % _MESSAGE_IDS + 1) in self._by_id:
            pass
        return number

    async def ask(self, number: int, context: AcceptedContext, out: Outgoing, seconds: float) -> bool:
        """Send a request; returns when it has left. False when the peer takes nothing of it for so many seconds."""
        message_id = out.command.message_id or 0
        asked = Request(number, message_id, out.command, context)
        self.requests[number] = asked
        self._count += 1
        self._by_id[message_id] = asked
        return await self.say(context, out, seconds)

    async def say(self, context: AcceptedContext, out: Outgoing, seconds: float) -> bool:
        """The same of a message that has no answer of its own, or whose answer is awaited already."""
        partner = self._partner
        partner.remark(self._comment(out.command, self._count))
        if out.data is None or isinstance(out.data, bytes):
            partner.send(context.context_id, out.encoded, out.data)
            return True
        self._is_sending = True
        try:
            if not await partner.send_blocks(context.context_id, out.encoded, out.data, seconds):
                return False
        finally:
            self._is_sending = False
        while self._replies:
            partner.send(*self._replies.popleft())
        return True

    async def wait(self, wanted: Callable[[], bool], seconds: float) -> bool:
        """Return when this is true, or the association has ended: whether it is true. False after so many seconds in
        which nothing was heard.
        """
        if wanted() or self.end is not None:
            return wanted()
        self._wanted = wanted
        self._waiter = self._loop.create_future()
        self._heard_at = self._loop.time()
        self._timer = self._loop.call_at(self._heard_at + seconds, self._give_up, seconds)
        try:
            return await self._waiter
        finally:
            self._timer.cancel()
            self._wanted = self._waiter = self._timer = None

    # what the partner reports

    def answered(self, answer: AssociateAC | AssociateRJ) -> None:
        """The association is there, or is not."""
        self.answer = answer
        self._look()

    def heard(self, message: Heard) -> None:
        """A message of the peer."""
        self._heard_at = self._loop.time()
        if message.command.is_request:
            self._reply(message)
        else:
            self._take(message)
        self._look()

    def ended(self, end: Ended) -> None:
        """Nothing more is heard."""
        self.end = end
        self._look()

    def _look(self) -> None:
        waiter, wanted = self._waiter, self._wanted
        if waiter is None or wanted is None or waiter.done():
            return
        if wanted():
            waiter.set_result(True)
        elif self.end is not None:
            waiter.set_result(False)

    def _give_up(self, seconds: float) -> None:
        until = self._heard_at + seconds
        if until > self._loop.time():
            self._timer = self._loop.call_at(until, self._give_up, seconds)
        elif self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(False)

    def _take(self, heard: Heard) -> None:
        command = heard.command
        asked = self._by_id.get(command.message_id_responded_to or 0)
        if asked is None:
            self.unexpected += 1
            return
        if command.status in PENDING_STATUSES:
            asked.responses += 1
            if command.has_dataset and asked.kept + heard.size <= _KEPT_AT_MOST:
                asked.kept += heard.size
                asked.matches.append(heard)
            return
        asked.final = command
        asked.seconds = time.perf_counter() - asked.clock
        del self._by_id[asked.message_id]

    def _reply(self, heard: Heard) -> None:
        """A request of the peer is answered as the recorded one was."""
        command = heard.command
        if command.service == "C-CANCEL":
            return
        self.asked_by_peer[command.service] += 1
        self._count += 1
        number = self._count
        recorded = self._answers.take(command)
        if recorded is not None and recorded.answer is None:
            return
        response, data = _response(command, heard.context, recorded)
        self._partner.remark(self._comment(response, number))
        reply = (heard.context.context_id, encode_command(response), data)
        if self._is_sending:
            self._replies.append(reply)
        else:
            self._partner.send(*reply)

    @property
    def _partner(self) -> Partner:
        assert self.partner is not None
        return self.partner

    def _comment(self, command: Command, number: int) -> str:
        return message(f"{self._partner.number}.{number}", command.field.name.replace("_", "-"), self._titles)


def _response(command: Command, context: AcceptedContext, recorded: Asked | None) -> tuple[Command, bytes | None]:
    """The recorded answer for a live request; success for what was not asked in the recording."""
    if recorded is None or recorded.answer is None:
        return response_to(command, 0), None
    said = recorded.answer
    elements: dict[int, Value] = {
        tag: value for tag, value in said.command.elements.items() if tag not in _OF_THE_REQUEST
    }
    is_same = context.transfer_syntax == said.context.transfer_syntax
    data = said.data.read() if said.data is not None and said.is_whole and is_same else None
    return response_to(command, 0, has_dataset=data is not None, elements=elements), data
