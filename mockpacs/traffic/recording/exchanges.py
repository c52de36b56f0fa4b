"""From the messages of one association to its exchanges: the counterpart of `mockpacs.net.dialogue` for an observer.

Of a data set only its beginning is held, and that until it is complete.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from mockpacs.traffic.exchange import Association, Exchange, Place, counts_of
from mockpacs.traffic.recording import words
from mockpacs.traffic.recording.blocks import Blocks
from mockpacs.traffic.recording.pairing import OTHER, Asked, Pairing
from mockpacs.traffic.recording.remarks import Remarks
from mockpacs.traffic.subject import subject_of
from mockpacs.wire import AcceptedContext, Role
from mockpacs.wire.seen import CommandSeen, DataSeen
from mockpacs.wire.status import PENDING, PENDING_WITH_WARNING

OnRequest = Callable[[Exchange, bytes], None]
"""Told of each request when its data set ended: the exchange without an answer yet, and how the data set begins."""
Moves = dict[tuple[str, int | None], str]
"""The ids of C-MOVE exchanges of others, by the title of who asked for them and their Message ID."""
PlaceOf = Callable[[int, int, int, int], Place]
"""Makes a `Place` of an offset, an end, and the sequence numbers of requestor and acceptor."""

_PENDING: Final = frozenset((PENDING, PENDING_WITH_WARNING))
_RETRIEVES: Final = frozenset(("C-GET", "C-MOVE"))


class Exchanges:
    """The exchanges of one association; ``tell`` takes each when it is complete."""

    def __init__(
        self,
        association: Association,
        blocks: Mapping[Role, Blocks],
        remarks: Remarks,
        tell: Callable[[Exchange], None],
        place_of: PlaceOf,
        on_request: OnRequest | None,
        ours: Role | None,
        moves: Moves,
    ) -> None:
        """``ours``: which side we were, None in a capture of others; ``moves``: those open on any association."""
        self.association = association
        self.sides_swapped = False
        """Whether it was the acceptor, as it seemed, who asked for the association."""
        self._blocks = blocks
        self._remarks = remarks
        self._tell = tell
        self._place_of = place_of
        self._on_request = on_request
        self._ours = ours
        self._moves = moves
        self._pairing = Pairing()
        self._gets: list[Asked] = []  # open: what the other side stores meanwhile are their sub-operations
        self._arriving: dict[Role, Asked | None] = {Role.REQUESTOR: None, Role.ACCEPTOR: None}
        self._unnumbered: list[tuple[Asked, bytes]] = []  # complete, but nobody was told of them
        self._completed = 0

    def see_command(self, seen: CommandSeen, context: AcceptedContext, when: float, *, is_heard: bool = True) -> bool:
        """A request, a response or a C-CANCEL-RQ. False for a response that answers nothing.

        A request that was not heard is only told when it is answered all the same.
        """
        sender, command = seen.sender, seen.command
        self.interrupt(sender, when)
        if not command.is_request:
            return self._see_response(seen, when)
        if command.service == "C-CANCEL":
            return True  # no exchange of its own: what it did is seen in the answers
        blocks = self._blocks[sender]
        asked = self._pairing.ask(sender, context, command, when)
        asked.is_heard = is_heard
        asked.offset = blocks.offset(seen.start)
        asked.end = blocks.end_of_block
        asked.asked_at = blocks.sequence(seen.start)
        other = self._blocks[OTHER[sender]]
        asked.heard_from = other.pdu_end
        asked.is_heard_whole = other.pdu_end == other.end and not self._pairing.is_shared(asked)
        if command.service == "C-GET":
            self._gets.append(asked)
        elif command.service == "C-MOVE":
            if self._ours is None:
                self._moves[self.association.calling, command.message_id] = f"{self.association.number}.{asked.number}"
        elif command.service == "C-STORE":
            self._find_cause(asked)
        if command.has_dataset:
            self._arriving[sender] = asked
            asked.is_arriving = True
        else:
            self._complete(asked)
        if too_many := self._pairing.oldest_too_many():
            self._finish(too_many, when, words.GIVEN_UP)
        return True

    def _find_cause(self, asked: Asked) -> None:
        """The C-GET of the other side that is open; in a capture of others, the C-MOVE that a C-STORE names."""
        command = asked.command
        if self._gets:
            asked.cause = next(
                (one for one in self._gets if one.sender is not asked.sender and one.final is None), None
            )
        if self._moves and command.move_originator_aet is not None:
            asked.move = self._moves.get((command.move_originator_aet, command.move_originator_message_id), "")

    def see_data(self, seen: DataSeen, when: float) -> None:
        """A fragment of the data set of a request or a response."""
        sender, _, _, data, is_last = seen
        asked = self._arriving[sender]
        if asked is None:
            return  # of a message that belongs to nothing
        asked.end = max(asked.end, self._blocks[sender].end_of_block)
        if is_last:
            self._arriving[sender] = None
        if asked.sender is not sender:  # a response
            if is_last:
                asked.is_answering = False
                self._finish_if_over(asked, when)
            return
        asked.size += len(data)
        if (wanted := asked.head_size - len(asked.head)) > 0:
            asked.head += data[:wanted]
        if is_last:
            asked.is_whole, asked.is_arriving = True, False
            self._complete(asked)
            self._finish_if_over(asked, when)

    def interrupt(self, sender: Role, when: float) -> None:
        """No more comes of the data set this sender was at, whole or not."""
        asked, self._arriving[sender] = self._arriving[sender], None
        if asked is None:
            return
        if asked.sender is sender:
            asked.is_arriving = False
            self._complete(asked)
        else:
            asked.is_answering = False
        self._finish_if_over(asked, when)

    def awaits(self, seen: CommandSeen) -> bool:
        """Whether a response answers an open request."""
        return self._pairing.answered_by(seen.sender, seen.context_id, seen.command) is not None

    def learn_numbers(self) -> None:
        """All that a packet brought was seen, and its comments were read."""
        if self._remarks.learn(self._completed) and self._on_request is not None:
            self._tell_requests(self._on_request)

    def end(self, when: float) -> None:
        """The association is over: what is open will not be answered."""
        for asked in self._pairing:
            self._finish(asked, when, words.ENDED if asked.is_whole else words.ENDED_WITHIN)

    def _see_response(self, seen: CommandSeen, when: float) -> bool:
        sender, context_id, command = seen.sender, seen.context_id, seen.command
        asked = self._pairing.answered_by(sender, context_id, command)
        if asked is None:
            return False
        blocks = self._blocks[sender]
        if not asked.is_heard_whole:
            asked.is_heard_whole = True
            asked.heard_from = seen.start
        status = command.status
        if status is not None:
            asked.answers.add(status, when - asked.started)
        asked.end = max(asked.end, blocks.end_of_block)
        if command.has_dataset:
            self._arriving[sender] = asked
            asked.is_answering = True
        if status not in _PENDING:
            asked.final = command
            self._finish_if_over(asked, when)
        return True

    def _complete(self, asked: Asked) -> None:
        """All of a request is known: say what it is about, let the beginning of its data set go."""
        head = bytes(asked.head)
        asked.subject = subject_of(asked.command, asked.context, head, asked.size)
        self._completed = asked.number
        if self._on_request is not None and asked.is_heard:
            self._unnumbered.append((asked, head))
            if self._remarks.is_numbered:
                self._tell_requests(self._on_request)
        asked.head = bytearray()

    def _tell_requests(self, on_request: OnRequest) -> None:
        requests, self._unnumbered = self._unnumbered, []
        for asked, head in requests:
            on_request(self._exchange(asked, self._remarks.number(asked.number), 0.0, ""), head)

    def _finish_if_over(self, asked: Asked, when: float) -> None:
        if asked.final is not None and not (asked.is_arriving or asked.is_answering):
            self._finish(asked, when, "")

    def _finish(self, asked: Asked, when: float, why_not: str) -> None:
        if asked.is_arriving:
            self._complete(asked)
        if asked.is_arriving or asked.is_answering:
            self._arriving[asked.sender if asked.is_arriving else OTHER[asked.sender]] = None
        final = asked.final
        if final is not None:
            why_not = words.WITHOUT_STATUS if final.status is None else ""
        comment = (final.error_comment if final else "") or why_not
        if self._unnumbered and self._on_request is not None:
            self._tell_requests(self._on_request)
        self._pairing.drop(asked)
        if asked in self._gets:
            self._gets.remove(asked)
        elif self._moves and asked.command.service == "C-MOVE":
            self._moves.pop((self.association.calling, asked.command.message_id), None)
        if final is None and not asked.is_heard:
            return
        number = self._remarks.number(asked.number)
        decided = self._remarks.decided(number)
        self._tell(self._exchange(asked, number, when - asked.started, comment, *decided))

    def _exchange(
        self, asked: Asked, number: int, seconds: float, comment: str, rule: str = "", fault: str = ""
    ) -> Exchange:
        return Exchange(
            self.association,
            number,
            asked.command.service,
            asked.final.status if asked.final else None,
            asked.subject,
            comment,
            asked.started,
            seconds,
            asked.size,
            asked.answers.all(),
            asked.command,
            asked.context,
            rule,
            fault,
            self._place(asked),
            asked.sender is self._ours,
            self._cause(asked),
            counts_of(asked.final) if asked.final and asked.command.service in _RETRIEVES else None,
        )

    def _cause(self, asked: Asked) -> str:
        """The exchange it is a sub-operation of."""
        if asked.cause is not None:
            return f"{self.association.number}.{self._remarks.number(asked.cause.number)}"
        return asked.move or (self.association.cause if asked.sender is self._ours else "")

    def _place(self, asked: Asked) -> Place:
        heard_at = self._blocks[OTHER[asked.sender]].sequence(asked.heard_from)
        if (asked.sender is Role.REQUESTOR) is not self.sides_swapped:
            return self._place_of(asked.offset, asked.end, asked.asked_at, heard_at)
        return self._place_of(asked.offset, asked.end, heard_at, asked.asked_at)
