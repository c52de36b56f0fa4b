"""Who brings instances to a peer, as a retrieve sees it. What a peer does is a value; nothing here knows a network."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, TypeAlias


class Kind(NamedTuple):
    """What an instance needs of a presentation context."""

    sop_class: str
    transfer_syntax: str


@dataclass(frozen=True, slots=True)
class SubOperation:
    """One instance of a retrieve whose turn has come."""

    number: int
    """Counted from 1."""
    of: int
    """How many there are."""
    kind: Kind
    """As it is stored."""
    sop_instance: str

    @property
    def is_last(self) -> bool:
        """Whether none follows."""
        return self.number == self.of


class Delivery(NamedTuple):
    """What became of one sub-operation."""

    status: int | None
    """Of the C-STORE response; None when there was none, or nothing was sent."""
    why: str = ""
    """Why it failed, for a person."""


Awaited: TypeAlias = Callable[[], Delivery]
"""Waits for what becomes of a sub-operation whose data set has been sent."""


class Undeliverable(Exception):  # noqa: N818  it is an answer, not an error of the program
    """A sub-operation cannot be done; the text says why, for a person."""


class Courier(Protocol):
    """Brings instances to one peer, one after the other. Called from the thread of a retrieve; its methods block.

    The order is: `open` once; for each sub-operation `decide`, `accepts`, `send`; `close` in the end, always.
    """

    def open(self, kinds: Sequence[Kind]) -> None:
        """What will be sent. Nothing fails here: whether the peer can be reached is told by `accepts`."""

    def decide(self, sub: SubOperation) -> Delivery | None:
        """Its turn has come: what a scenario says has become of it, None when it is to be done."""

    def accepts(self, kind: Kind) -> Sequence[str]:
        """The transfer syntaxes in which an instance of this SOP class can be sent. Raises `Undeliverable`."""

    def send(self, sub: SubOperation, transfer_syntax: str, blocks: Iterable[bytes]) -> Awaited:
        """C-STORE this data set; what is returned is called to wait for the response.

        ``blocks`` is read in the caller's thread. What it raises is raised: before the first block nothing was sent;
        later the association is lost, as half a data set has left.
        """

    def close(self) -> None:
        """Nothing more is sent: an association that was opened for this is released."""


Couriers: TypeAlias = Callable[[str], Courier | None]


def no_courier(_destination: str) -> None:
    """There is nobody who would go anywhere."""
