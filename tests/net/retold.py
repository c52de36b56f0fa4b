"""The judge between a server and its recording: both must tell the same. Every server of this folder stands before it.

Where they may differ is said here, and why.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from mockpacs.traffic.exchange import Association, Exchange, Notice, Record
from mockpacs.traffic.message import Message
from mockpacs.traffic.recording.detail import read_exchange
from mockpacs.traffic.recording.recording import Recording
from mockpacs.wire.text import printable

_CLOCKS_SECONDS = 0.5
"""The recorder looks at the wall clock once, the server each time: a clock that is put right meanwhile tells."""
_PATIENCE_SECONDS = 20.0
"""How long a busy machine may take from writing a packet to looking at it."""
_MOST_READ_BACK = 6
"""Exchanges of a server whose bytes are read back: each means to open the file."""
_LONGEST_COMMENT = 30_000
_LONGEST_READ_BACK = 1 << 20
_ONLY_SEEN = (
    # the live server ends an association over these, and tells that; an observer also tells what was wrong
    r"what (we|the peer) sent makes no message: .*",
    r"half a PDU.*, sent by the peer",
    r"\d+ bytes from the peer are no PDU: .*",
    # the live server ignores these: nobody is there any more to be answered
    r"[CN]-[A-Z-]+ came from the peer (after .*|on presentation .*)",
    r"[CN]-[A-Z-]+ answers .*|[CN]_\w+ came, but nothing was asked; ignored",
    # the peer was gone, or we had not begun, before the other half of a PDU of ours left
    r"half a PDU.*, sent by us",
    r"\d+ bytes at the end did not leave",
    # the A-ABORT of a server that stops did not leave
    r"aborted by us: the transport connection closed without a release .*",
    # a connection on which nothing was said is no news for the live server
    r"closed without a word",
)


def differences(live: Sequence[Record], path: Path) -> list[str]:
    """What a server that has stopped reported and its recording does not say, or the other way round."""
    recording = Recording.open(path)
    read = list(recording.records())
    found = [*recording.problems, *_in_rules(live, read)]
    touched = {one.association.number for one in live if one.association is not None and _is_played(one)}
    live, read = ([one for one in some if _number(one) not in touched] for some in (live, read))
    told, retold = _exchanges(live), _exchanges(read)
    found += [f"{name} was reported, and is not in the recording" for name in told.keys() - retold.keys()]
    found += [f"{name} was not reported, and is in the recording" for name in retold.keys() - told.keys()]
    both = [name for name in told if name in retold]
    for name in both:
        found += _in_facts(told[name], retold[name])
        found += _in_times(told[name], retold[name])
    ids = Counter(_message_id(told[name]) for name in both)
    # which of several answers with the same Message ID is meant is told by their order; the server knows only its own
    unmistakable = [
        name for name in both if ids[_message_id(told[name])] == 1 and _length(told[name]) < _LONGEST_READ_BACK
    ]
    for name in _some(unmistakable):
        found += _in_bytes(told[name], retold[name])
    answered = {name for name in both if told[name].status is not None and retold[name].status is not None}
    if _order(live, answered) != _order(read, answered):
        found.append("the exchanges of an association are in another order")
    return [*found, *_in_notices(live, read)]


def _is_played(one: Record) -> bool:
    """Whether a rule of a scenario was at work: what then crosses the wire may be anything but what it seems."""
    return bool(one.rule) if isinstance(one, Exchange) else one.kind == "scenario"


def _number(one: Record) -> int | None:
    return one.association.number if one.association is not None else None


def _in_rules(live: Sequence[Record], read: Sequence[Record]) -> Iterator[str]:
    """Which rules fired, and what they did, is told by both."""
    retold = _exchanges(read)
    for name, told in _exchanges(live).items():
        other = retold.get(name)
        if other is not None and (other.rule, other.fault) != (told.rule, told.fault):
            yield f"{name} {told.rule!r} {told.fault!r}, in the recording {other.rule!r} {other.fault!r}"
    said = {text for one in read if isinstance(one, Notice) and one.kind == "scenario" for text in [one.text]}
    for one in live:
        if isinstance(one, Notice) and one.kind == "scenario" and one.association and printable(one.text) not in said:
            yield f"only reported: {one.text}"


def _in_facts(told: Exchange, retold: Exchange) -> Iterator[str]:
    """All of an exchange but its times and its place."""
    for name in told.__dataclass_fields__:
        one, other = getattr(told, name), getattr(retold, name)
        if name in ("started", "seconds", "place") or (_is_ahead(told, retold) and name in ("status", "comment")):
            continue
        if _is_cut(told, retold) and name in ("size", "subject", "comment"):
            continue
        if name == "answers":
            one, other = ([answer[:2] for answer in answers] for answers in (one, other))
            if retold.status is None and retold.responses <= told.responses:
                continue  # the server counts what it said, also when the peer had taken no more of it at the end
        if one != other:
            yield f"{told.id} {told.service} {name}: {one!r:.300}, in the recording {other!r:.300}"


def _is_ahead(told: Exchange, retold: Exchange) -> bool:
    """Whether an answer was given and waited for the peer, and the connection ended before it left."""
    return retold.status is None and not _is_placed(told)


def _is_cut(told: Exchange, retold: Exchange) -> bool:
    """Whether the connection ended while a data set of ours waited for the peer: how much of it left is seen there."""
    return told.asked_by_us and told.status is None and retold.status is None and told.size > retold.size


def _in_times(told: Exchange, retold: Exchange) -> Iterator[str]:
    """Bytes are recorded before they are looked at, and before they leave."""
    late = told.started - retold.started
    if not -_CLOCKS_SECONDS < late < _PATIENCE_SECONDS:
        yield f"{told.id} started: {told.started}, in the recording {retold.started}"
    if retold.seconds < 0 or (_is_placed(told) and retold.seconds > told.seconds + late + _CLOCKS_SECONDS):
        yield f"{told.id} took {told.seconds} s, in the recording {retold.seconds}"
    for answer in retold.answers:
        if not 0 <= answer.first <= answer.last:
            yield f"{told.id} has times in the recording that cannot be: {answer}"


def _in_bytes(told: Exchange, retold: Exchange) -> Iterator[str]:
    """Both places lead to the same messages."""
    if told.place is None or retold.place is None:
        yield f"{told.id} has no place: {told.place}, {retold.place}"
        return
    messages = read_exchange(retold).messages
    if not messages or messages[0].command != told.command:
        yield f"{told.id} is not at {retold.place}"
    if _is_placed(told):
        found = read_exchange(told).messages
        if told.asked_by_us and told.status is None:
            found = found[: len(messages)]  # an answer that came too late may be in the same bytes
        if found != messages:
            yield f"{told.id} at {told.place}: {_short(found)}, not as at {retold.place}: {_short(messages)}"


def _is_placed(told: Exchange) -> bool:
    """Otherwise the peer took nothing when the answer was given: it was recorded later, when it left."""
    return told.place is not None and told.place.end > 0


def _in_notices(live: Sequence[Record], read: Sequence[Record]) -> Iterator[str]:
    silent = {one.association.number for one in read if one.association and _is_silent(one.association)}
    told, retold = Counter(_notices(live, silent)), Counter(_notices(read, silent))
    yield from (f"only reported: {notice}" for notice in told - retold)
    yield from (
        f"only in the recording: {notice}"
        for notice in retold - told
        if not any(re.fullmatch(text, notice[2]) for text in _ONLY_SEEN)
    )


def _is_silent(one: Association) -> bool:
    """Whether we opened it and never got as far as to say who we are."""
    return one.by_us and not one.calling


def _notices(records: Iterable[Record], silent: Container[int]) -> Iterator[tuple[object, str, str, bool]]:
    """Those about a connection: what else happens in a server is in no recording."""
    for one in records:
        if isinstance(one, Notice) and (who := one.association) is not None:
            text = printable(one.text)[:_LONGEST_COMMENT]  # in the file it is one line
            if (
                text.startswith("TLS failed") or who.number in silent
            ):  # whoever spoke DICOM without TLS was not understood by the server
                who = replace(who, calling="", called="", user="")
            yield who, one.kind, text, one.detail


def _order(records: Iterable[Record], answered: set[str]) -> dict[tuple[int, bool], list[int]]:
    """By association and who asked: what happens on several at once has no order that both could know, nor what never
    happened.
    """
    found: dict[tuple[int, bool], list[int]] = defaultdict(list)
    for one in records:
        if isinstance(one, Exchange) and one.id in answered:
            found[one.association.number, one.asked_by_us].append(one.number)
    return found


def _exchanges(records: Iterable[Record]) -> dict[str, Exchange]:
    return {one.id: one for one in records if isinstance(one, Exchange)}


def _length(told: Exchange) -> int:
    """Bytes of the recording between begin and end."""
    return max(told.place.end - told.place.offset, 0) if told.place else 0


def _some(names: list[str]) -> list[str]:
    """The first and the last."""
    half = _MOST_READ_BACK // 2
    return names if len(names) <= _MOST_READ_BACK else [*names[:half], *names[-half:]]


def _message_id(one: Exchange) -> tuple[int, bool, int | None]:
    """What tells the requests of an association apart, as long as it does."""
    return one.association.number, one.asked_by_us, one.command.message_id if one.command else None


def _short(messages: list[Message]) -> str:
    return ", ".join(f"{one.command.field.name} {one.when} {len(one.data or b'')} {one.is_whole}" for one in messages)
