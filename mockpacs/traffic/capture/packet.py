"""A packet as the file has it, before anything in it is looked at, and the notes on what could not be read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

from mockpacs.traffic.render import number_of

_MOST_SENTENCES = 20


class Packet(NamedTuple):
    """One captured packet with its link layer."""

    offset: int
    """Bytes from the begin of the file to its block."""
    end: int
    """Bytes from the begin of the file to the end of its block."""
    when: float
    """Seconds since 1970."""
    link: int
    """The link type, as https://www.tcpdump.org/linktypes.html counts them."""
    data: memoryview
    """What was captured of it; valid until the next packet is asked for."""
    size: int
    """How long it was on the wire."""
    comments: Sequence[str]


class Problems:
    """What could not be read, and why. It grows with the kinds of trouble, not with their number."""

    __slots__ = ("_said", "_skipped", "file_name")

    def __init__(self) -> None:
        self.file_name = ""
        """Named in the sentences when not empty."""
        self._said: list[str] = []
        self._skipped: dict[str, tuple[int, str]] = {}

    def skip(self, why: str, offset: int) -> None:
        """A packet at this offset was not used."""
        known = self._skipped.get(why)
        if known is None:
            self._skipped[why] = (1, f"byte {offset}{self.file_name and f' of {self.file_name}'}")
        else:
            self._skipped[why] = (known[0] + 1, known[1])

    def say(self, sentence: str) -> None:
        """Something about the file."""
        if len(self._said) < _MOST_SENTENCES:
            self._said.append(f"{self.file_name}: {sentence}" if self.file_name else sentence)

    def sentences(self) -> list[str]:
        """One for each kind of trouble, in the order they were met."""
        skipped = [
            f"{number_of(count, 'packet')} skipped: {why} ({first}{' and later' if count > 1 else ''})"
            for why, (count, first) in self._skipped.items()
        ]
        return [*self._said, *skipped]


class Parser(Protocol):
    """Finds the packets in the bytes of one file format."""

    position: int
    """Bytes from the begin of the file to what was not read yet."""

    def packets(self, view: memoryview, base: int, *, final: bool) -> Iterator[Packet]:
        """The packets that are whole in ``view``, which has byte ``base`` of the file and what follows.

        ``final``: nothing will follow; what is not whole is a problem. Otherwise it is waited for.
        """

    def seek(self, view: memoryview, offset: int) -> Parser:
        """A parser that begins at the block or record at this offset; ``view`` is the file, at least up to there."""
