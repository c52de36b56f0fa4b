"""Requests of ours on an association: sub-operations of a retrieve, what a test asks. One is open at a time.

More would have to be negotiated (PS3.7 D.3.3.3). Whoever asks does so in a thread of its own and waits there; cutting
into PDUs is done in that thread as well. All else happens in the event loop.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Mapping
from concurrent.futures import Future
from contextlib import closing
from functools import partial
from itertools import count
from typing import Final, NamedTuple, Protocol

from mockpacs.net.environment import Environment
from mockpacs.net.link import Link
from mockpacs.traffic.answers import Answers
from mockpacs.traffic.comment import message, titles
from mockpacs.traffic.exchange import Association, Exchange, Place, counts_of
from mockpacs.traffic.recording import words
from mockpacs.traffic.subject import head_size, subject_of
from mockpacs.wire import AcceptedContext, Command, can_carry_data, decode_command, encode_command
from mockpacs.wire.command import CommandField, Value, request
from mockpacs.wire.message import cut, cut_stream
from mockpacs.wire.status import PENDING, PENDING_WITH_WARNING, name_of

_AT_ONCE: Final = 1 << 17
"""Bytes that are handed to the event loop together: a turn of its own for each PDU cost as much as sending it.

More kept the peer waiting for its first byte: with a megabyte a study of 512 kB instances took a fifth longer.
"""
_UNTAKEN_AT_MOST: Final = 8
"""Parts of that size that are on their way before who asks has to wait."""
_ANSWER_AT_MOST: Final = 64 << 20
"""Bytes of data sets in the responses to one request that are kept; what comes beyond is dropped."""
_MESSAGE_IDS: Final = 0xFFFF
_PENDING: Final = (PENDING, PENDING_WITH_WARNING)


class Response(NamedTuple):
    """One response to a request of ours."""

    command: Command
    data: bytes | None
    """Its data set, encoded in the transfer syntax of the presentation context; None when it has none."""


class Unanswered(Exception):  # noqa: N818  it is an answer, not an error of the program
    """No final response came; the text says why, for a person."""


class Speaker(Protocol):
    """The association that is asked on."""

    @property
    def can_send(self) -> bool:
        """Whether messages may still be sent."""

    @property
    def peer_max_pdu_length(self) -> int:
        """The maximum length the peer advertised, in bytes; 0 is no limit."""

    @property
    def is_clear(self) -> bool:
        """Whether what is written goes to the link at once, behind nothing that a scenario still does."""

    def send_pdus(self, pdus: list[bytes]) -> None:
        """Queue P-DATA-TF PDUs."""

    def flush(self) -> None:
        """Write what is queued."""

    def when_taken(self, then: Callable[[], None]) -> None:
        """Call ``then`` when the peer has taken enough of what was written, or when the connection is gone."""

    def break_off(self, why: str) -> None:
        """Abort the association: half a message has left, and the rest will not."""


class _Asked:
    """A request on its way, or waiting for its responses."""

    def __init__(self, command: Command, context: AcceptedContext, cause: str) -> None:
        self.encoded = encode_command(command)
        self.command = command
        self.context = context
        self.cause = cause
        self.done: Future[list[Response]] = Future()
        self.untaken: deque[Future[None]] = deque()  # of each part that is on its way
        self.number = 0
        self.place: Place | None = None
        self.is_sent = False  # to its end
        self.head = bytearray()
        self.size = 0
        self.started = self.clock = 0.0
        self.answers = Answers()
        self.responses: list[Response] = []
        self.final: Command | None = None
        self.command_received: Command | None = None  # a response whose data set is still coming
        self.data = bytearray()
        self.kept = 0

    def look(self, blocks: Iterable[bytes]) -> Generator[bytes, None, None]:
        """The same blocks; how the data set begins is kept, to say what it is about."""
        wanted = head_size(self.command)
        try:
            for block in blocks:
                self.size += len(block)
                if len(self.head) < wanted:
                    self.head += block[: wanted - len(self.head)]
                yield block
        finally:
            if isinstance(blocks, Generator):
                blocks.close()  # now: whoever hears why it was not read to its end would keep a file open


class Asking:
    """Our half of an association's requests."""

    def __init__(
        self,
        environment: Environment,
        association: Association,
        link: Link,
        speaker: Speaker,
        number: Callable[[], int],
    ) -> None:
        """``number`` counts the exchanges of the association, whoever asks."""
        self._loop = asyncio.get_running_loop()
        self._environment = environment
        self._association = association
        self._link = link
        self._track = link.track
        self._titles = titles(association.calling, association.called)
        self._speaker = speaker
        self._number = number
        self._ids = count()
        self._current: _Asked | None = None
        self._why_over = ""

    @property
    def is_waiting(self) -> bool:
        """Whether it is the peer's turn."""
        return self._current is not None

    @property
    def is_mid_message(self) -> bool:
        """Whether a part of a message has been sent, and the rest has not: nothing else may be said."""
        return self._current is not None and not self._current.is_sent

    # in the thread of whoever asks

    def ask(
        self,
        context: AcceptedContext,
        field: CommandField,
        elements: Mapping[int, Value],
        blocks: Iterable[bytes] | None,
        *,
        cause: str = "",
    ) -> list[Response]:
        """Send a request and wait for its responses, the final one last. Raises `Unanswered`, and as `begin` does."""
        return self.begin(context, field, elements, blocks, cause=cause).result()

    def begin(
        self,
        context: AcceptedContext,
        field: CommandField,
        elements: Mapping[int, Value],
        blocks: Iterable[bytes] | None,
        *,
        cause: str = "",
    ) -> Future[list[Response]]:
        """Send a request; the responses come later, the final one last, or `Unanswered`.

        ``blocks``: its data set, None without one; ``cause``: the exchange it is a sub-operation of. Raises
        `Unanswered`. What reading the blocks raises is raised; when some of them have left the association is aborted,
        as nobody can take back half a message.
        """
        message_id = next(self._ids) % _MESSAGE_IDS + 1
        command = request(field, message_id, has_dataset=blocks is not None, elements=elements)
        asked, limit = _Asked(command, context, cause), self._speaker.peer_max_pdu_length
        if not can_carry_data(limit):
            raise Unanswered(f"the peer takes no message: its maximum PDU length is {limit}")
        if blocks is None:
            self._in_loop(partial(self._push, asked, cut(context.context_id, asked.encoded, None, limit), is_last=True))
        else:
            with closing(asked.look(blocks)) as seen:
                self._send_all(asked, cut_stream(context.context_id, asked.encoded, seen, limit))
        return asked.done

    def _send_all(self, asked: _Asked, pdus: Iterable[bytes]) -> None:
        together: list[bytes] = []
        size = 0
        has_begun = False
        try:
            for pdu in pdus:
                if size >= _AT_ONCE:
                    self._push_some(asked, together)
                    together, size, has_begun = [], 0, True
                    if asked.done.done():
                        return  # the association ended
                together.append(pdu)
                size += len(pdu)
        except BaseException as error:
            if has_begun:
                self._in_loop(partial(self._speaker.break_off, f"a data set cannot be read to its end: {error}"))
            raise
        self._in_loop(partial(self._push, asked, together, is_last=True))

    def _push_some(self, asked: _Asked, pdus: list[bytes]) -> None:
        """Hand over a part; wait while too much of what was handed over has not been taken."""
        taken: Future[None] = Future()
        asked.untaken.append(taken)

        def push() -> None:
            self._push(asked, pdus, is_last=False)
            if asked.done.done():
                heard()  # nobody will take it
            else:
                self._speaker.when_taken(heard)

        def heard() -> None:
            if not taken.done():
                taken.set_result(None)

        self._in_loop(push)
        if len(asked.untaken) > _UNTAKEN_AT_MOST:
            asked.untaken[0].result()  # it stays until then: the end of the association releases all that are there
            asked.untaken.popleft()

    def _in_loop(self, what: Callable[[], None]) -> None:
        try:
            self._loop.call_soon_threadsafe(what)
        except RuntimeError as error:  # the loop is closed
            raise Unanswered("the server stopped") from error

    # in the event loop

    def answered(self, command: Command) -> bool:
        """A response came, be it on an odd context. False when it answers nothing of ours."""
        asked = self._current
        if asked is None or asked.final is not None:
            return False
        if command.message_id_responded_to != asked.command.message_id:
            return False
        status = command.status
        if status is not None:
            asked.answers.add(status, time.perf_counter() - asked.clock)
        if self._track is not None:
            name = command.field.name.replace("_", "-")
            result = "" if status is None else f"{status:04X} {name_of(status, asked.command.service)}"
            self._track.about_received(message(self._id(asked), name, self._titles, result))
        if command.has_dataset:
            asked.command_received = command
        else:
            self._take(asked, Response(command, None))
        return True

    def take_data(self, data: memoryview | bytes, *, is_last: bool) -> bool:
        """A fragment of the data set of a response. False when none is coming."""
        asked = self._current
        if asked is None or asked.command_received is None:
            return False
        if asked.kept < _ANSWER_AT_MOST:
            asked.kept += len(data)
            asked.data += data
        if is_last:
            command, asked.command_received = asked.command_received, None
            whole, asked.data = bytes(asked.data), bytearray()
            self._take(asked, Response(command, whole))
        return True

    def end(self, why: str) -> None:
        """The association is over: nothing is answered any more."""
        self._why_over = self._why_over or why
        if self._current is not None:
            self._lose(self._current)

    def _push(self, asked: _Asked, pdus: list[bytes], *, is_last: bool) -> None:
        if self._why_over or not self._speaker.can_send:
            self._lose(asked)
            return
        if self._current is not asked:
            assert self._current is None, "one request at a time"
            self._begin(asked)
        if is_last and self._track is not None:
            name = asked.command.field.name.replace("_", "-")
            self._track.about_sending(message(self._id(asked), name, self._titles))
        self._speaker.send_pdus(pdus)
        self._speaker.flush()
        asked.is_sent = is_last
        if is_last and asked.final is not None:
            self._complete(asked)

    def _begin(self, asked: _Asked) -> None:
        self._current = asked
        asked.number, asked.started, asked.clock = self._number(), time.time(), time.perf_counter()
        if self._track is not None and self._speaker.is_clear:
            asked.place = self._track.place_of_sending(self._link.unrecorded)

    def _take(self, asked: _Asked, response: Response) -> None:
        """A final response may come before the request has left to its end: the rest of that must follow all the same,
        or the next message would begin in the middle of it.
        """
        asked.responses.append(response)
        if response.command.status not in _PENDING:
            asked.final = response.command
            if asked.is_sent:
                self._complete(asked)

    def _complete(self, asked: _Asked) -> None:
        self._current = None
        self._report(asked, asked.final)
        asked.done.set_result(asked.responses)

    def _lose(self, asked: _Asked) -> None:
        if asked.done.done():
            return
        if asked.command_received is not None:  # what it answered is known, without all of the data set
            self._take(asked, Response(asked.command_received, None))
            if asked.done.done():
                return
        for taken in asked.untaken.copy():  # at once, as who asks may be at it
            if not taken.done():
                taken.set_result(None)  # or not, as soon as we can tell: the connection may stand for a while
        if asked.final is not None:
            self._complete(asked)
            return
        why = self._why_over or "the association has ended"
        if self._current is asked:
            self._current = None
            self._report(asked, None)
        asked.done.set_exception(Unanswered(why))

    def _report(self, asked: _Asked, final: Command | None) -> None:
        command = decode_command(asked.encoded)  # with what encoding adds: as the peer and a recording have it
        assert isinstance(command, Command)
        self._environment.observe(
            Exchange(
                association=self._association,
                number=asked.number,
                service=asked.command.service,
                status=final.status if final else None,
                subject=subject_of(asked.command, asked.context, bytes(asked.head), asked.size),
                comment=_comment(asked, final),
                started=asked.started,
                seconds=time.perf_counter() - asked.clock,
                size=asked.size,
                answers=asked.answers.all(),
                command=command,
                context=asked.context,
                place=self._place(asked),
                asked_by_us=True,
                cause=asked.cause,
                counts=counts_of(final) if final else None,
            )
        )

    def _place(self, asked: _Asked) -> Place | None:
        if self._track is None or asked.place is None:
            return None
        self._track.settle()  # the response is perhaps what is being looked at, and not in the file yet
        return self._track.ended(asked.place) if self._link.stalled_since is None else asked.place

    def _id(self, asked: _Asked) -> str:
        return f"{self._association.number}.{asked.number}"


def _comment(asked: _Asked, final: Command | None) -> str:
    """What the peer said, or why it said nothing, as a recording tells it; why the association ended is a notice."""
    if final is None:
        return words.ENDED if asked.is_sent else words.ENDED_WITHIN
    return words.WITHOUT_STATUS if final.status is None else final.error_comment or ""
