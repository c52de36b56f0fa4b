"""What a scenario is asked about: one moment of one exchange, or one event of a connection, and the facts of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from mockpacs.scenario.condition import Moment


class Facts(Protocol):
    """The attributes of a data set, read when somebody asks."""

    def values(self, tag: int) -> Sequence[str] | None:
        """The values as text, trimmed; empty for zero length, None for an attribute that is absent."""

    def items(self, tag: int) -> Sequence[Facts] | None:
        """The items of a sequence, None when there is none."""


@dataclass(slots=True)
class Stimulus:
    """The facts of one moment. What is not known is empty, and no condition on it holds."""

    kind: str
    """The DIMSE service (C-STORE), or the event (associate)."""
    moment: Moment = Moment.REQUEST
    mark: int = 0
    """At `Moment.RECEIVED` bytes of the data set, at `Moment.PDU` PDUs: those the moment stands for."""
    association: int = 0
    exchange: int = 0
    calling: str = ""
    called: str = ""
    peer: str = ""
    """Address without port."""
    sop_classes: tuple[str, ...] = ()
    """UIDs: of a request one, of an association request those that are proposed."""
    transfer_syntaxes: tuple[str, ...] = ()
    sop_instance: str = ""
    status: int | None = None
    """Of the response, at the moments that have one."""
    when: float = 0.0
    """Monotonic clock, seconds; only limits look at it. 0: the clock of the engine is asked."""
    dataset: Callable[[], Facts | None] | None = None
    """The data set or identifier, as far as it has come; None without one."""
    refused: tuple[str, ...] = ()
    """UIDs: of an association that came about, the SOP classes of which no context was accepted."""

    @property
    def is_event(self) -> bool:
        """Whether this is an event, not a moment of an exchange."""
        return self.kind[:2] not in ("C-", "N-")
