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
    """At `Moment.RECEIVED` bytes of the data set, at `Moment.PDU` PDUs: those the moment stands for.

    At `Moment.SUB_OPERATION` which one it is, counted from 1.
    """
    of: int = 0
    """At `Moment.SUB_OPERATION` how many there are."""
    association: int = 0
    exchange: int = 0
    calling: str = ""
    called: str = ""
    peer: str = ""
    """Address without port."""
    sop_classes: tuple[str, ...] = ()
    """UIDs: of a request one, of an association request those that are proposed."""
    transfer_syntaxes: tuple[str, ...] = ()
    """UIDs, the same way; at `Moment.SUB_OPERATION` that in which the instance is stored."""
    sop_instance: str = ""
    """That the command names; at `Moment.SUB_OPERATION` the one whose turn it is."""
    instance_classes: tuple[str, ...] = ()
    """UID: at `Moment.SUB_OPERATION` the SOP class of the instance; `sop_classes` are those of the request."""
    status: int | None = None
    """Of the response, at the moments that have one."""
    when: float = 0.0
    """Monotonic clock, seconds; only limits look at it. 0: the clock of the engine is asked."""
    dataset: Callable[[], Facts | None] | None = None
    """The data set or identifier, as far as it has come; None without one."""
    refused: tuple[str, ...] = ()
    """UIDs: of an association that came about, the SOP classes of which no context was accepted."""
    destination: str = ""
    """Move Destination of a C-MOVE (PS3.7 9.1.4.1.5)."""

    @property
    def slot(self) -> tuple[Moment, int]:
        """Where the rules about it are kept: those about any sub-operation together, in their order."""
        return self.moment, 0 if self.moment is Moment.SUB_OPERATION else self.mark

    @property
    def is_event(self) -> bool:
        """Whether this is an event, not a moment of an exchange."""
        return self.kind[:2] not in ("C-", "N-")
