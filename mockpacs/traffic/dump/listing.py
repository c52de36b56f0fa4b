"""Records as a list grouped by association: who and when, the exchanges below it, how it ended.

Associations overlap. The oldest that goes on is printed as it comes, the others wait until it is over.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from mockpacs.traffic.dump.line import Line, Tone
from mockpacs.traffic.exchange import Association, Exchange, Notice, Record
from mockpacs.traffic.render import clock, duration, number_of
from mockpacs.wire.text import printable

MOST_WAITING: Final = 20_000
"""Lines that wait for an association that does not end; beyond that it is left to go on further below."""
_ENDINGS: Final = frozenset(("released", "aborted", "rejected", "closed"))
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

    def __init__(self, *, details: bool = False) -> None:
        """``details``: also what is of interest rarely, see `Notice.detail`."""
        self._details = details
        self._groups: dict[int, _Group] = {}
        self._waiting = 0

    def add(self, record: Record, *, is_wanted: bool = True) -> Iterator[Line]:
        """The next record. An association is shown when something of it is wanted; how it ended is shown then too."""
        one = record.association
        if one is None:
            if is_wanted and isinstance(record, Notice):
                yield from self.finish()
                yield notice_line(record)
            return
        ended = [number for number, group in self._groups.items() if group.has_ended and number != one.number]
        for number in ended:
            self._groups[number].is_over = True
        if ended:
            yield from self._proceed()
        group = self._groups.get(one.number)
        if group is None:
            group = self._groups[one.number] = _Group(record)
        before = len(group.lines)
        group.add(record, is_wanted=is_wanted, details=self._details)
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

    def __init__(self, first: Record) -> None:
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

    def add(self, record: Record, *, is_wanted: bool, details: bool) -> None:
        """One more record of this association."""
        if isinstance(record, Exchange):
            if is_wanted:
                self.lines.append(exchange_line(record))
            return
        if record.kind == "opened":
            self.head = _head(record)
        elif record.kind in _ENDINGS and not self.has_ended:
            self.has_ended = True
            self._ending = [notice_line(record, indent="  ")]
            self._tells_end = is_wanted and not record.detail
        elif is_wanted and (details or not record.detail):
            self.lines.append(notice_line(record, indent="  "))


def exchange_line(exchange: Exchange, *, indent: str = "  ") -> Line:
    """One line about an exchange whose association is known to the reader."""
    subject = printable(exchange.subject, 120)
    if exchange.service == "C-FIND" and exchange.status is not None:
        subject = f"{subject}  {number_of(exchange.responses - 1, 'match')}".lstrip()  # all but the final response
    parts = [subject]
    if exchange.comment:
        parts.append(printable(exchange.comment, 100))
    if exchange.rule:
        parts.append(f'rule "{printable(exchange.rule, 60)}"')
    if exchange.fault:
        parts.append(f'fault "{printable(exchange.fault, 80)}"')
    told = "  ".join(part for part in parts if part)
    head = f"{indent}{clock(exchange.started)}  {exchange.id:<6} {exchange.service:<9} {exchange.status_name:<12} "
    tone = Tone.MARK if exchange.rule or exchange.fault else _TONES.get(exchange.category, Tone.PLAIN)
    return Line(f"{head}{told:<42} {duration(exchange.seconds):>7}", tone)


def notice_line(notice: Notice, *, indent: str = "") -> Line:
    """One line about anything else."""
    return Line(f"{indent}{clock(notice.when)}  {printable(notice.text)}", _TONES.get(notice.kind, Tone.PLAIN))


def _head(record: Record) -> Line:
    """``association 3  14:02:03.123  127.0.0.1:50312  CT1 > MOCKPACS  TLS  2 of 3 contexts accepted``."""
    one = record.association
    assert one is not None
    when = record.started if isinstance(record, Exchange) else record.when
    parts = [f"association {one.number}", clock(when), printable(one.address), _titles(one)]
    if one.secure:
        parts.append("TLS")
    if one.user:
        parts.append(f"user {printable(one.user, 40)}")
    if isinstance(record, Notice) and record.kind == "opened":
        parts.append(printable(record.text.rpartition(", ")[2]))
    return Line("  ".join(part for part in parts if part), Tone.HEAD)


def _titles(one: Association) -> str:
    server = f" at {printable(one.server)}" if one.server else ""
    if one.calling or one.called:
        return f"{printable(one.calling, 16)} > {printable(one.called, 16)}{server}"
    return server.strip()
