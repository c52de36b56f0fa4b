"""A request that passes a proxy under a scenario, what was decided about it, and the facts a rule is asked with."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from mockpacs.scenario.condition import Moment
from mockpacs.scenario.facts import DataFacts
from mockpacs.scenario.stimulus import Facts, Stimulus
from mockpacs.scenario.tampering import HONEST
from mockpacs.wire import AcceptedContext, Command
from mockpacs.wire.dataset import Encoding

if TYPE_CHECKING:
    from mockpacs.scenario.cast import Cast
    from mockpacs.scenario.decision import Act
    from mockpacs.traffic.exchange import Association

_FAR_HEAD: Final = 4 << 20
"""Bytes of a data set in which rules look for attributes."""
_TOO_LONG_FOR_A_UID: Final = 65
_AT_RESPONSES: Final = frozenset(
    (Moment.BEFORE_RESPONSE, Moment.RESPONSE, Moment.BETWEEN_RESPONSES, Moment.AFTER_RESPONSE)
)


class Asked:
    """One request of the client."""

    def __init__(self, number: int, context: AcceptedContext, command: Command, cast: Cast) -> None:
        """``number``: which exchange of its association, counted from 1; ``cast``: the rules that decide about it."""
        self.number = number
        self.context = context
        self.command = command
        self.cast = cast
        self.size = 0
        self.fragments = 1  # the command set is one
        self.marks = list(cast.marks(command.service))
        self.rule = ""
        self.fault = ""
        self.tint = HONEST
        """What is changed in how all its responses look."""
        self.answer: Act | None = None
        """The words of a rule for the final response."""
        self.parting: list[tuple[Act, str]] = []
        """What happens after it, with the rule."""
        self.later: list[tuple[tuple[Act, ...], str]] = []
        self.is_silenced = False
        """Whether no more of its responses are passed on."""
        self.has_begun = False
        """Whether a response has come."""
        self.is_reported = False
        self.noted = ("", "")
        """Rule and fault that are in a comment of the recording."""
        self._head = bytearray()
        self._wants_data = cast.wants_data(command.service)

    @property
    def service(self) -> str:
        """C-STORE, ..."""
        return self.command.service

    @property
    def is_watched(self) -> bool:
        """Whether anything may be done to its responses: they are looked at when they are whole."""
        return (
            self.is_silenced
            or self.noted != (self.rule, self.fault)
            or self.answer is not None
            or bool(self.parting)
            or not self.tint.is_none
            or not _AT_RESPONSES.isdisjoint(self.cast.moments(self.service))
        )

    def append(self, data: memoryview | bytes) -> None:
        """A fragment of its data set."""
        self.fragments += 1
        self.size += len(data)
        if self._wants_data and (wanted := _FAR_HEAD - len(self._head)) > 0:
            self._head += data[:wanted]

    def reached(self) -> list[tuple[Moment, int]]:
        """The moments in the middle of its data set that are there now, each once."""
        found = [
            (moment, mark)
            for moment, mark in self.marks
            if (self.size if moment is Moment.RECEIVED else self.fragments) >= mark
        ]
        self.marks = [one for one in self.marks if one not in found]
        return found

    def decided(self, rule: str, fault: str) -> None:
        """A rule fired; what is told already is not told again."""
        for name in rule.split(", "):
            if name not in self.rule.split(", "):
                self.rule = f"{self.rule}, {name}" if self.rule else name
        if fault and f", {fault}, " not in f", {self.fault}, ":
            self.fault = f"{self.fault}, {fault}" if self.fault else fault

    def cue(self, association: Association, moment: Moment, *, mark: int = 0, status: int | None = None) -> Stimulus:
        """One moment of its exchange."""
        command, context = self.command, self.context
        return Stimulus(
            command.service,
            moment,
            mark,
            association=association.number,
            exchange=self.number,
            calling=association.calling,
            called=association.called,
            destination=command.move_destination or "",
            peer=association.address.rpartition(":")[0].strip("[]"),
            sop_classes=(command.affected_sop_class or command.requested_sop_class or context.abstract_syntax,),
            transfer_syntaxes=(context.transfer_syntax,),
            sop_instance=(command.affected_sop_instance or command.requested_sop_instance or "")[:_TOO_LONG_FOR_A_UID],
            status=status,
            when=time.monotonic(),
            dataset=self._facts() if command.has_dataset else None,
        )

    def _facts(self) -> Callable[[], Facts | None]:
        def read() -> Facts | None:
            return DataFacts(bytes(self._head), Encoding.of(self.context.transfer_syntax), self.cast.tags)

        return read
