"""What to say when other exchanges came than were wanted: those that match, the nearest and what they miss, the rest.

One text for whoever waits and whoever verifies, so that it is learnt once. Loaded when there is something to say.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from heapq import nsmallest
from typing import Final

from mockpacs.errors import MockpacsError
from mockpacs.traffic.exchange import Exchange, Notice
from mockpacs.traffic.filter import Filter, no_values
from mockpacs.traffic.filter.difference import Difference, differences, parts_of
from mockpacs.traffic.filter.term import Node, Term, Values, compile_test, terms
from mockpacs.traffic.render import line, number_of
from mockpacs.wire.text import printable

_MATCHING: Final = 5
_NEAREST: Final = 3
_LAST: Final = 5
_NOTICES: Final = 3
_KINDS: Final = 8
"""How many of each are shown."""
_LOOKED_AT: Final = 1000
"""Exchanges among which the nearest is looked for, the latest; and of these, whose data sets are read for it."""
_READ: Final = 50
_WIDEST: Final = 44
"""An expected text that is longer does not move the column of the others."""
_LONGEST_FILTER: Final = 300
_TROUBLES: Final = ("rejected", "aborted", "closed", "trouble")


def exchanges_that(match: Filter | Callable[[Exchange], bool], count: int, words: str = "") -> str:
    """``2 exchanges that match service:C-STORE``; ``words``: instead of the number."""
    noun = f"{words} exchange{'' if count == 1 else 's'}" if words else number_of(count, "exchange")
    verb = "matches" if count == 1 else "match"
    if not isinstance(match, Filter):
        return f"{noun} that {verb} the function"
    return f"{noun} that {verb} {printable(match.text, _LONGEST_FILTER)}" if match.text.strip() else noun


def what_came(
    match: Filter | Callable[[Exchange], bool],
    found: Sequence[Exchange],
    kept: Sequence[Exchange],
    notices: Sequence[Notice],
    *,
    are_too_many: bool = False,
    dropped: int = 0,
    values: Values = no_values,
    legs: Sequence[Exchange] = (),
    legs_by: str = "",
) -> str:
    """Lines about what came.

    ``found``: what matches; when ``are_too_many`` nothing else is of interest. ``kept``: all there is; ``dropped``: how
    many are not known any more. ``values``: attributes of data sets, which are read for a few. ``legs``: what we asked
    ourselves, which does not count unless it is said as ``legs_by`` does.
    """
    lines = []
    if dropped:
        lines.append(f"{number_of(dropped, 'older exchange')} made room in memory and did not count.")
    if not are_too_many and (remark := legs_that_match(match, legs, legs_by, values)):
        lines.append(remark)
    if not kept:
        return "\n".join([*lines, *_nothing(notices)])
    if found:
        lines += ["These match:", *(f"  {line(exchange)}" for exchange in found[:_MATCHING])]
        if len(found) > _MATCHING:
            lines.append(f"  and {len(found) - _MATCHING} more")
    if are_too_many:
        return "\n".join(lines)
    matching = set(map(id, found))
    others = [exchange for exchange in kept if id(exchange) not in matching]
    if isinstance(match, Filter):
        near = _nearest(match, others, _readable(values))
        if found or any(not _is_another(missed) for _, missed in near):
            near = [pair for pair in near if not _is_another(pair[1])]
        if near:
            lines.append("The nearest of the others:" if found else "The nearest:")
            lines += [text for exchange, missed in near for text in _missed(exchange, missed)]
        shown = {id(exchange) for exchange, _ in near}
        lines += _besides([exchange for exchange in others if id(exchange) not in shown])
    elif others:
        lines += ["The last of the others:" if found else "The last:"]
        lines += [f"  {line(exchange)}" for exchange in others[-_LAST:]]
        lines += _besides(others[:-_LAST])
    return "\n".join([*lines, *_troubles(notices)])


def legs_that_match(
    match: Filter | Callable[[Exchange], bool], legs: Sequence[Exchange], legs_by: str, values: Values = no_values
) -> str:
    """``4 sub-operations of mockpacs itself match; leg="*" counts them``, "" when none does.

    Without a filter nobody asks for what they are, and a function alone has no key that would count them.
    """
    if getattr(match, "asks_for_legs", True) or (isinstance(match, Filter) and not match.text.strip()):
        return ""
    looked_at, test = legs[-_LOOKED_AT:], _test_of(match, _readable(values))
    matching = [leg for leg in looked_at if test(leg)]
    if not matching:
        return ""
    least = "at least " if len(looked_at) < len(legs) else ""
    noun = "sub-operation" if all(leg.cause for leg in matching) else "request"
    verb, them = ("matches", "it") if len(matching) == 1 else ("match", "them")
    return f"{least}{number_of(len(matching), noun)} of mockpacs itself {verb}; {legs_by} counts {them}"


def _test_of(match: Filter | Callable[[Exchange], bool], values: Values) -> Callable[[Exchange], bool]:
    if isinstance(match, Filter):
        return lambda exchange: match.matches(exchange, values)

    def test(exchange: Exchange) -> bool:
        try:
            return bool(match(exchange))
        except Exception:  # noqa: BLE001 - somebody else's code, which was not made for what it is asked about here
            return False

    return test


def _nearest(
    wanted: Filter, others: Sequence[Exchange], values: Values
) -> list[tuple[Exchange, tuple[Difference, ...]]]:
    """Those that miss fewest terms, the latest first among equals. Another service is more of a miss than the rest."""
    cheap = [
        (compile_test(part), _weight(part))
        for part in parts_of(wanted.node)
        if not any(term.tag for term in terms(part))
    ]

    def distance(exchange: Exchange) -> float:
        return sum(weight for test, weight in cheap if not test(exchange, values))

    some = nsmallest(_READ if wanted.tags else _NEAREST, reversed(others[-_LOOKED_AT:]), key=distance)
    near = [(exchange, differences(wanted, exchange, values)) for exchange in some]
    near = [pair for pair in near if pair[1]]
    return nsmallest(_NEAREST, near, key=lambda pair: len(pair[1]) + _is_another(pair[1]) / 2)


def _is_another(missed: Sequence[Difference]) -> bool:
    """Whether it is another service: worth showing only when there is nothing else."""
    return any(one.key == "service" for one in missed)


def _weight(part: Node) -> float:
    return 1.5 if isinstance(part, Term) and part.key == "service" else 1.0


def _readable(values: Values) -> Values:
    """What cannot be read any more must not hide what there is to say."""

    def read(exchange: Exchange, tag: int) -> Sequence[str] | None:
        try:
            return values(exchange, tag)
        except MockpacsError:
            return None

    return read


def _missed(exchange: Exchange, missed: Sequence[Difference]) -> Iterator[str]:
    """The exchange, and below it a line for each term: expected, got."""
    yield f"  {line(exchange)}"
    key_width = max(len(one.key) for one in missed)
    width = max((len(one.expected) for one in missed if len(one.expected) <= _WIDEST), default=0)
    for one in missed:
        key = f"{one.key:<{key_width}}  " if key_width else ""
        hint = f" ({one.hint})" if one.hint else ""
        yield f"      {key}expected {one.expected:<{width}}  got {one.received}{hint}"


def summary(exchanges: Sequence[Exchange]) -> str:
    """What came, counted by what it was and how it ended: ``2 x C-ECHO success, 1 x C-STORE out-of-resources``."""
    counts = Counter((exchange.service, exchange.status_name) for exchange in exchanges).most_common()
    said = [f"{count} x {service} {status}" for (service, status), count in counts[:_KINDS]]
    more = sum(count for _, count in counts[_KINDS:])
    return f"{', '.join(said)}{f' and {more} more' if more else ''}"


def _besides(rest: Sequence[Exchange]) -> Iterator[str]:
    if rest:
        yield f"Besides: {summary(rest)}"


def _nothing(notices: Sequence[Notice]) -> Iterator[str]:
    """No exchange at all: then what happened on the way to one is all there is."""
    if not notices:
        yield "There was no exchange at all: nobody connected. Does the client have this host and port?"
        return
    yield "There was no exchange at all. What happened:"
    yield from (f"  {line(notice)}" for notice in notices[-_LAST:])


def _troubles(notices: Sequence[Notice]) -> Iterator[str]:
    """Associations that came to nothing, which may be where the missing ones are."""
    found = [notice for notice in notices if notice.kind in _TROUBLES and not notice.detail]
    if found:
        yield "And:"
        yield from (f"  {line(notice)}" for notice in found[-_NOTICES:])
