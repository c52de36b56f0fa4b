"""Records as text: one line for a terminal, one mapping for JSON. Peer text is made harmless here and nowhere else."""

from __future__ import annotations

import time

from mockpacs.traffic.exchange import Exchange, Notice, Record
from mockpacs.wire.text import printable


def line(record: Record) -> str:
    """One line, without colour and without a line break."""
    match record:
        case Exchange():
            return _exchange_line(record)
        case Notice():
            one = record.association
            number = f"{one.number:<4} " if one else "     "
            who = f"{printable(one.calling or one.address, 24):<21}" if one else ""
            return f"{clock(record.when)}  {number}{who}{printable(record.text)}".rstrip()


def as_json(record: Record) -> dict[str, object]:
    """A mapping for one line of JSON; durations are in milliseconds, times in ISO 8601 with offset."""
    one = record.association
    about: dict[str, object] = {}
    if one:
        about = {"association": one.number, "peer": one.address, "calling": one.calling, "called": one.called}
    match record:
        case Exchange():
            return {
                "event": "exchange",
                "time": iso_time(record.started),
                **about,
                "exchange": record.number,
                "service": record.service,
                "status": None if record.status is None else f"{record.status:04X}",
                "status_name": record.status_name,
                "subject": record.subject,
                "comment": record.comment,
                "milliseconds": round(record.seconds * 1000, 3),
                "bytes": record.size,
                "responses": record.responses,
            }
        case Notice():
            return {"event": record.kind, "time": iso_time(record.when), **about, "text": record.text}


def size(count: int) -> str:
    """Bytes for a person: 524 kB, 1.2 MB."""
    if count < 1000:
        return f"{count} B"
    for unit, one in (("kB", 1e3), ("MB", 1e6), ("GB", 1e9)):
        if count < one * 999.5:
            return f"{count / one:.0f} {unit}" if count >= one * 9.95 else f"{count / one:.1f} {unit}"
    return f"{count / 1e12:.1f} TB"


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
    """Local time of day with milliseconds."""
    return time.strftime("%H:%M:%S", time.localtime(when)) + f".{int(when * 1000) % 1000:03d}"


def iso_time(when: float) -> str:
    """Local time with offset, ISO 8601, milliseconds."""
    local = time.localtime(when)
    zone = time.strftime("%z", local)
    return time.strftime("%Y-%m-%dT%H:%M:%S", local) + f".{int(when * 1000) % 1000:03d}{zone[:3]}:{zone[3:]}"


def _exchange_line(exchange: Exchange) -> str:
    calling = printable(exchange.association.calling, 16)
    subject = printable(exchange.subject, 120)
    if exchange.service == "C-FIND" and exchange.status is not None:
        subject = f"{subject}  {number_of(exchange.responses - 1, 'match')}".lstrip()  # all but the final response
    if exchange.comment:
        subject = f"{subject}  {printable(exchange.comment, 64)}".lstrip()
    head = f"{clock(exchange.started)}  {exchange.id:<4} {exchange.service:<8} {calling:<11} {exchange.status_name:<9} "
    return f"{head}{subject:<39} {duration(exchange.seconds):>7}"
