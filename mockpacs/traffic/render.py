"""Records as text: one line for a terminal, one mapping for JSON. Peer text is made harmless here and nowhere else."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from typing import Final

from mockpacs.traffic.exchange import Association, Exchange, Notice, Record
from mockpacs.wire.text import printable

LONGEST_NOTICE: Final = 400
"""Characters of a notice in a line: in a file from elsewhere its text may be anything."""
_LONGEST_UID: Final = 20
_UID: Final = re.compile(r"(?<![0-9A-Za-z.])[0-9]+(?:\.[0-9]+){3,}(?![0-9A-Za-z])")
_WITH_IDENTIFIER: Final = frozenset(("C-FIND", "C-GET", "C-MOVE"))


def line(record: Record) -> str:
    """One line, without colour and without a line break."""
    match record:
        case Exchange():
            return _exchange_line(record)
        case Notice():
            one = record.association
            number, who = (str(one.number), _who(one, by_us=one.by_us)) if one else ("", "")
            return columns(
                (0, clock(record.when)),
                (14, number),
                (19, who),
                (40 if one else 19, printable(record.text, LONGEST_NOTICE)),
            )


def as_json(record: Record) -> dict[str, object]:
    """A mapping for one line of JSON; durations are in milliseconds, times in ISO 8601 with offset."""
    one = record.association
    about: dict[str, object] = {}
    if one:
        peer = one.server if one.by_us else one.address
        about = {"association": one.number, "peer": peer, "calling": one.calling, "called": one.called}
    match record:
        case Exchange():
            return {
                "event": "exchange",
                "id": record.id,
                "time": iso_time(record.started),
                **about,
                "exchange": record.number,
                "service": record.service,
                "status": None if record.status is None else f"{record.status:04X}",
                "status_name": record.status_name,
                "subject": record.subject,
                "comment": record.comment,
                "milliseconds": milliseconds(record.seconds),
                "bytes": record.size,
                "responses": record.responses,
                **_known(record),
            }
        case Notice():
            by_us: dict[str, object] = {"opened_by_us": True} if one and one.by_us else {}
            cause = {"cause": one.cause} if one and one.cause else {}
            return {"event": record.kind, "time": iso_time(record.when), **about, "text": record.text, **by_us, **cause}


def told(exchange: Exchange) -> str:
    """What an exchange was about, and what is to be said of it: its sub-operations, comment, rule and fault."""
    subject = exchange.subject
    if exchange.service in _WITH_IDENTIFIER:  # its keys are written out, and UIDs would fill the line
        subject = _UID.sub(lambda uid: shortened(uid[0]), subject)
    subject = printable(subject, 120)
    if exchange.service == "C-FIND" and exchange.status is not None:
        subject = f"{subject}  {number_of(exchange.responses - 1, 'match')}".lstrip()  # all but the final response
    parts = [subject, counted(exchange.counts), printable(exchange.comment, 100)]
    if exchange.cause:
        parts.append(f"<- {exchange.cause}")
    if exchange.rule:
        parts.append(f'rule "{printable(exchange.rule, 60)}"')
    if exchange.fault:
        parts.append(f'fault "{printable(exchange.fault, 80)}"')
    return "  ".join(filter(None, parts))


def counted(counts: tuple[int, int, int] | None) -> str:
    """``10 completed, 2 failed``: the sub-operations of a retrieve, "" when nothing is known of them."""
    if counts is None:
        return ""
    completed, failed, warning = counts
    parts = [f"{completed} completed"] if completed or not (failed or warning) else []
    parts += [f"{count} {word}" for count, word in ((failed, "failed"), (warning, "with a warning")) if count]
    return ", ".join(parts)


def legs_line(legs: Sequence[Exchange]) -> str:
    """One line for sub-operations of a retrieve that ended the same way, at the time of the last."""
    last = legs[-1]
    return columns(
        (0, clock(last.started)),
        (19, last.service),
        (28, _who(last.association, by_us=True)),
        (40, last.status_name),
        (50, f"{number_of(len(legs), 'sub-operation')}  <- {last.cause}"),
    )


def columns(*cells: tuple[int, str]) -> str:
    """Texts, each where its column begins, or a blank behind the one before when that is too long; empty ones are none.

    So one long text moves those behind it no further than it must.
    """
    line = ""
    for start, text in cells:
        if text:
            line = f"{line} " if line else ""
            line += " " * (start - _width(line)) + text
    return line


def size(count: int) -> str:
    """Bytes for a person: 524 kB, 1.2 MB."""
    if count < 1000:
        return f"{count} B"
    for unit, one in (("kB", 1e3), ("MB", 1e6), ("GB", 1e9)):
        if count < one * 999.5:
            return f"{count / one:.0f} {unit}" if count >= one * 9.95 else f"{count / one:.1f} {unit}"
    return f"{count / 1e12:.1f} TB"


def shortened(uid: str) -> str:
    """A UID that leaves room for something else in a line."""
    return uid if len(uid) <= _LONGEST_UID else uid[: _LONGEST_UID - 3] + "..."


def milliseconds(seconds: float) -> float:
    """Milliseconds for JSON. Never negative: two clocks, or one that was put back, may have told the moments."""
    return max(0.0, round(seconds * 1000, 3))


def number_of(count: int, noun: str) -> str:
    """A number of things: 1 instance, 3 instances, 2 matches."""
    plural = noun if count == 1 else noun + ("es" if noun.endswith("ch") else "s")
    return f"{count} {plural}"


def duration(seconds: float) -> str:
    """A duration for a person: 0.4 ms, 12 ms, 3.2 s."""
    if seconds < 0.00995:
        return f"{seconds * 1000:.1f} ms"
    return f"{seconds * 1000:.0f} ms" if seconds < 0.9995 else f"{seconds:.1f} s"


def clock(when: float) -> str:
    """Local time of day with milliseconds; dashes for a moment that no calendar has."""
    local = _local(when)
    return f"{time.strftime('%H:%M:%S', local)}.{int(when * 1000) % 1000:03d}" if local else "--:--:--.---"


def iso_time(when: float) -> str:
    """Local time with offset, ISO 8601, milliseconds; ``@`` and seconds since 1970 where no calendar has the moment."""
    local = _local(when)
    if local is None:
        return f"@{when:.0f}"
    zone = time.strftime("%z", local)
    return time.strftime("%Y-%m-%dT%H:%M:%S", local) + f".{int(when * 1000) % 1000:03d}{zone[:3]}:{zone[3:]}"


def _local(when: float) -> time.struct_time | None:
    """Local time in the years 1 to 9999: a damaged file may have any number for a time."""
    try:
        local = time.localtime(when)
    except (OverflowError, OSError, ValueError):
        return None
    return local if 0 < local.tm_year < 10_000 else None


def _exchange_line(exchange: Exchange) -> str:
    took = f" {duration(exchange.seconds)}"
    return columns(
        (0, clock(exchange.started)),
        (14, exchange.id),
        (19, exchange.service),
        (28, _who(exchange.association, by_us=exchange.asked_by_us)),
        (40, exchange.status_name),
        (50, told(exchange)),
        (97 - len(took), took),
    )


def _who(one: Association, *, by_us: bool) -> str:
    """The peer, by its title if it has one; behind an arrow where it was us who asked it."""
    title, address = (one.called, one.server) if one.by_us else (one.calling, one.address)
    return f"{'> ' if by_us else ''}{printable(title or address, 24)}"


def _known(exchange: Exchange) -> dict[str, object]:
    """What not every exchange has."""
    counts = exchange.counts
    found = {
        "message_id": exchange.command and exchange.command.message_id,
        "sop_class": exchange.sop_class or None,
        "sop_instance": exchange.sop_instance or None,
        "rule": exchange.rule or None,
        "fault": exchange.fault or None,
        "asked_by_us": exchange.asked_by_us or None,
        "cause": exchange.cause or None,
        "sub_operations": counts and dict(zip(("completed", "failed", "warning"), counts, strict=True)),
    }
    return {name: value for name, value in found.items() if value is not None}


def _width(text: str) -> int:
    """Places on a terminal: ideographs take two, marks on the letter before none."""
    if text.isascii():
        return len(text)
    from unicodedata import category, east_asian_width

    return sum(0 if category(mark)[0] == "M" else 1 + (east_asian_width(mark) in "WF") for mark in text)
