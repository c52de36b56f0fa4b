"""From a term as it was written to a term that can be asked: keys are looked up, bare numbers understood."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

from mockpacs.traffic.exchange import Exchange, Notice
from mockpacs.traffic.filter import attribute as filter_attribute
from mockpacs.traffic.filter import number as filter_number
from mockpacs.traffic.filter import status as filter_status
from mockpacs.traffic.filter import time as filter_time
from mockpacs.traffic.filter.keys import KEYS, MOMENTS, Key
from mockpacs.traffic.filter.syntax import MisreadError, Value, Written, nearest
from mockpacs.traffic.filter.term import IdSpan, Span, Term
from mockpacs.traffic.filter.text import has_wildcard
from mockpacs.wire.text import printable

_END: Final = r"[0-9]{1,9}(?:\.[0-9]{1,9})?"
_BARE: Final = re.compile(rf"({_END})|({_END})\.\.({_END})?|\.\.({_END})")
_BEYOND: Final = 10**10


class Meaning:
    """Knows what the time is, and of which day a time of day is meant; `term` does the work."""

    def __init__(self, now: float, day_of: float | None) -> None:
        self._now = now
        self._day_of = day_of

    def term(self, written: Written) -> Term:
        """The term with its meaning; raises `MisreadError`."""
        if not written.key:
            return _bare(written)
        name = written.key.lower().replace("_", "-")
        if name in MOMENTS:
            return self._moment(name, written)
        if key := KEYS.get(name):
            return _known(name, key, written)
        tag = filter_attribute.tag_named(written.key)
        if tag is None:
            raise MisreadError(_unknown(written.key), written.at)
        return _attribute(tag, written)

    def _moment(self, name: str, written: Written) -> Term:
        moments = [filter_time.moment(value, self._now, self._day_of) for value in written.values]
        by_clock = any(moment.when is None for moment in moments)
        is_after = name == "after"
        spans = tuple(
            Span(moment.when, None) if is_after else Span(None, moment.when, with_high=False) for moment in moments
        )
        accepts = filter_time.after(moments) if is_after else filter_time.before(moments)
        return Term(
            name,
            written.text,
            accepts,
            lambda exchange, values: accepts(exchange.started),
            lambda notice: accepts(notice.when),
            () if by_clock else spans,
            by_clock=by_clock,
        )


def _known(name: str, key: Key, written: Written) -> Term:
    spans = filter_number.spans(written.values, key.number) if key.number else ()
    accepts: Callable[[Any], bool] = filter_number.accepts(spans) if spans else key.read(written.values)
    of_exchange = filter_status.of_exchange(accepts) if name == "status" else _fetched(accepts, key.fetch)
    return Term(
        name,
        written.text,
        accepts,
        lambda exchange, values: of_exchange(exchange),
        _of_notice(accepts, key.fetch_notice),
        spans,
        literals=_literals(written) if key.is_exact else (),
    )


def _literals(written: Written) -> tuple[str, ...]:
    texts = tuple(value.text for value in written.values)
    return () if any(map(has_wildcard, texts)) else texts


def _fetched(accepts: Callable[[Any], bool], fetch: Callable[[Exchange], Any]) -> Callable[[Exchange], bool]:
    return lambda exchange: accepts(fetch(exchange))


def _of_notice(
    accepts: Callable[[Any], bool], fetch: Callable[[Notice], Any] | None
) -> Callable[[Notice], bool] | None:
    return (lambda notice: accepts(fetch(notice))) if fetch else None


def _attribute(tag: int, written: Written) -> Term:
    accepts = filter_attribute.accepts(tag, written.values)
    if tag >> 16 == 0:
        fetch = filter_attribute.in_command(tag)
        return Term("command", written.text, accepts, lambda exchange, values: accepts(fetch(exchange)))
    return Term("attribute", written.text, accepts, lambda exchange, values: accepts(values(exchange, tag)), tag=tag)


def _bare(written: Written) -> Term:
    """``2`` is an association, ``2.1`` an exchange; a notice belongs to an association, never to an exchange."""
    found = [_id_span(value) for value in written.values]
    if not any("." in value.text.replace("..", " ") for value in written.values):
        spans = tuple(
            Span(span.low[0] if span.low[0] else None, span.high[0] if span.high[0] < _BEYOND else None)
            for span in found
        )
        key = KEYS["association"]
        accepts = filter_number.accepts(spans)
        return Term(
            "association",
            written.text,
            accepts,
            lambda exchange, values: accepts(exchange.association.number),
            _of_notice(accepts, key.fetch_notice),
            spans,
        )

    def is_one(exchange: tuple[int, int]) -> bool:
        return any(low <= exchange <= high for low, high in found)

    return Term(
        "exchange",
        written.text,
        is_one,
        lambda exchange, values: is_one((exchange.association.number, exchange.number)),
        ids=tuple(found),
    )


def _id_span(value: Value) -> IdSpan:
    found = _BARE.fullmatch(value.text)
    if not found:
        raise MisreadError(_no_term(value.text), value.at)
    single, low, high, upto = found.groups()
    first, last = single or low, single or high or upto
    return IdSpan(_id(first, 0) if first else (0, 0), _id(last, _BEYOND) if last else (_BEYOND, _BEYOND))


def _id(text: str, otherwise: int) -> tuple[int, int]:
    association, _, number = text.partition(".")
    return int(association), int(number) if number else otherwise


def _no_term(word: str) -> str:
    """What to say of a word without a colon; it may be a key that lost it, or the rest of a value with a blank."""
    shown = printable(word, 40)
    near = nearest(word, [*KEYS, *MOMENTS]) if word else ""
    return f'"{shown}" is no term: key:value, key:"two words", 2 for an association or 2.1 for an exchange{near}'


def _unknown(key: str) -> str:
    near = nearest(key, [*KEYS, *MOMENTS]) or nearest(key, _keywords())
    return f'unknown key "{printable(key, 40)}"{near}'


def _keywords() -> list[str]:
    from mockpacs.wire.dictionary import keyword_of

    return [keyword_of(tag) for tag in filter_attribute.keywords().values()]
