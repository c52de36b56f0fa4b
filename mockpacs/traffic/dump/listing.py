"""Records as a list grouped by association: who and when, the exchanges below it, how it ended.

Associations overlap. The oldest that goes on is printed as it comes, the others wait until it is over.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from mockpacs.traffic.dump.line import Line, Tone
from mockpacs.traffic.exchange import Association, Exchange, Notice, Record
from mockpacs.traffic.render import LONGEST_NOTICE, clock, columns, duration, told
from mockpacs.wire.text import printable

MOST_WAITING: Final = 20_000
"""Lines that wait for an association that does not end; beyond that it is left to go on further below."""
_ENDINGS: Final = frozenset(("released", "aborted", "rejected", "closed"))
_NO_TLS: Final = "TLS failed"
"""How the notice begins of a connection that ended before its TLS stood; see `mockpacs.net.requestor`."""
_TONES: Final = {
    "released": Tone.FAINT,
    "closed": Tone.FAINT,
    "trouble": Tone.WARNING,
    "aborted": Tone.BAD,
    "rejected": Tone.BAD,
    "failure": Tone.BAD,
    "warning": Tone.WARNING,
    "cancel": Tone.WARNING,
}


class Listing:
    """Takes records in their order and says which lines can be printed now."""

    def __init__(self, *, details: bool = False, every: bool = False) -> None:
        """``details``: also what is of interest rarely, see `Notice.detail`; ``every``: also silent associations."""
        self._details = details
        self._every = every
        self._groups: dict[int, _Group] = {}
        self._ended: set[int] = set()  # associations of which nothing but what is late can follow
        self._waiting = 0

    def add(self, record: Record) -> Iterator[Line]:
        """The next record."""
        one = record.association
        if one is None:
            if isinstance(record, Notice):
                yield from self.finish()
                yield notice_line(record)
            return
        ended = self._ended - {one.number}
        if ended:
            self._ended -= ended
            for number in ended & self._groups.keys():
                self._groups[number].is_over = True
            yield from self._proceed()
        group = self._groups.get(one.number)
        if group is None:
            group = self._groups[one.number] = _Group(record, is_told=self._every)
        before = len(group.lines)
        group.add(record, details=self._details)
        if group.has_ended:
            self._ended.add(one.number)
        self._waiting += len(group.lines) - before
        if next(iter(self._groups.values())) is group:
            yield from self._take(group)
        elif self._waiting > MOST_WAITING:
            yield from self.finish()

    def finish(self) -> Iterator[Line]:
        """Everything that waits. What comes later of an association that goes on gets a head of its own."""
        for group in self._groups.values():
            yield from self._take(group)
            yield from group.ending
        self._groups.clear()
        self._ended.clear()

    def _proceed(self) -> Iterator[Line]:
        """Print what is over from the front on, and what is there of the next."""
        while self._groups:
            number, group = next(iter(self._groups.items()))
            yield from self._take(group)
            if not group.is_over:
                return
            yield from group.ending
            del self._groups[number]

    def _take(self, group: _Group) -> list[Line]:
        lines, group.lines = group.lines, []
        self._waiting -= len(lines)
        if lines and not group.has_head:
            group.has_head = True
            lines.insert(0, group.head)
        return lines


class _Group:
    """The lines of one association."""

    def __init__(self, first: Record, *, is_told: bool) -> None:
        self._is_told = is_told
        self.head = _head(first)
        self.has_head = False
        self.lines: list[Line] = []
        self.has_ended = False
        """Whether its end is known; something about it may still follow."""
        self.is_over = False
        """Whether nothing follows."""
        self._ending: list[Line] = []
        self._tells_end = False

    @property
    def ending(self) -> list[Line]:
        """How it ended, when something of it is shown or the end itself is worth a line."""
        if self.has_head:
            return self._ending
        return [self.head, *self._ending] if self._tells_end else []

    def add(self, record: Record, *, details: bool) -> None:
        """One more record of this association."""
        if isinstance(record, Exchange):
            self.lines.append(exchange_line(record))
        elif record.kind == "opened":
            self.head = _head(record)
        elif record.kind in _ENDINGS and not self.has_ended:
            self.has_ended = True
            self._ending = [notice_line(record, indent="  ")]
            # one that was opened for a retrieve is missed when it brought nothing: its contexts may say why
            has_cause = record.association is not None and bool(record.association.cause)
            self._tells_end = self._is_told or details or not record.detail or has_cause
            if record.text.startswith(_NO_TLS):
                self.head = _head(record)
        elif details or not record.detail:
            self.lines.append(notice_line(record, indent="  "))


def exchange_line(exchange: Exchange, *, indent: str = "  ") -> Line:
    """One line about an exchange whose association is known to the reader."""
    took = f" {duration(exchange.seconds)}"
    text = columns(
        (0, clock(exchange.started)),
        (14, exchange.id),
        (21, exchange.service),
        (31, exchange.status_name),
        (44, told(exchange)),
        (94 - len(took), took),
    )
    tone = Tone.MARK if exchange.rule or exchange.fault else _TONES.get(exchange.category, Tone.PLAIN)
    return Line(indent + text, tone)


def notice_line(notice: Notice, *, indent: str = "") -> Line:
    """One line about anything else."""
    return Line(
        f"{indent}{clock(notice.when)}  {printable(notice.text, LONGEST_NOTICE)}", _TONES.get(notice.kind, Tone.PLAIN)
    )


def _head(record: Record) -> Line:
    """``association 3  14:02:03.123  127.0.0.1:50312  CT1 > MOCKPACS  TLS  2 of 3 contexts accepted``."""
    one = record.association
    assert one is not None
    when = record.started if isinstance(record, Exchange) else record.when
    parts = [f"association {one.number}", clock(when), printable(one.address), _titles(one)]
    if isinstance(record, Notice) and record.text.startswith(_NO_TLS) and not one.calling:
        parts.append("TLS handshake failed, nothing was said")
    elif one.secure:
        parts.append("TLS")
    if one.user:
        parts.append(f"user {printable(one.user, 40)}")
    if isinstance(record, Notice) and record.kind == "opened":
        parts.append(printable(record.text.rpartition(", ")[2], 60))
    if one.cause:
        parts.append(f"<- {one.cause}")
    return Line("  ".join(part for part in parts if part), Tone.HEAD)


def _titles(one: Association) -> str:
    server = f" at {printable(one.server)}" if one.server else ""
    if one.calling or one.called:
        return f"{printable(one.calling, 16)} > {printable(one.called, 16)}{server}"
    return server.strip()
