"""A response on its way through a proxy, in the words of a rule; what the rule does not say stays as it was."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mockpacs.net.responder import as_sent
from mockpacs.net.source import is_final
from mockpacs.services import scripted
from mockpacs.services.request import Outcome, SubOperations
from mockpacs.wire import NO_DATA_SET, Command, Tag, Value

if TYPE_CHECKING:
    from mockpacs.scenario.decision import Act


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole response."""

    context_id: int
    command: Command
    data: bytes | None

    @property
    def outcome(self) -> Outcome:
        """What it says, as a service would."""
        command = self.command
        counters = (
            command.remaining_sub_operations,
            command.completed_sub_operations,
            command.failed_sub_operations,
            command.warning_sub_operations,
        )
        counts = None
        if counters != (None, None, None, None):
            remaining, completed, failed, warning = counters
            counts = SubOperations(completed or 0, failed or 0, warning or 0, remaining)
        return Outcome(command.status or 0, data=self.data, comment=command.error_comment or "", counts=counts)

    def is_final(self, service: str) -> bool:
        """Whether no response follows."""
        return is_final(service, self.outcome)

    def relabelled(self, act: Act) -> Answer:
        """In the words of an act, as far as it has any."""
        before = self.outcome
        after = scripted.relabelled(before, act)
        elements: dict[int, Value] = dict(self.command.elements)
        elements[Tag.STATUS] = after.status
        if after.comment != before.comment:
            elements[Tag.ERROR_COMMENT] = as_sent(after.comment)
        if after.offending:
            elements[Tag.OFFENDING_ELEMENT] = after.offending
        if after.error_id is not None:
            elements[Tag.ERROR_ID] = after.error_id
        if before.counts and after.counts and after.counts.remaining is None:
            elements.pop(Tag.REMAINING_SUB_OPERATIONS, None)
        if after.data is None:
            elements[Tag.DATA_SET_TYPE] = NO_DATA_SET
        if elements == self.command.elements:
            return self
        return replace(self, command=Command(elements), data=after.data)

    def alone(self, act: Act) -> Answer:
        """With the status of an act and nothing of what the server has found."""
        elements = {**self.command.elements, Tag.DATA_SET_TYPE: NO_DATA_SET}
        return replace(self, command=Command(elements), data=None).relabelled(act)
