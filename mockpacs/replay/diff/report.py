"""A comparison as lines for a person and as mappings for JSON, grouped by association and exchange."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from mockpacs.replay.diff.change import Change
from mockpacs.replay.diff.compare import AssociationPair, Comparison, ExchangePair
from mockpacs.replay.tape import TapedAssociation
from mockpacs.traffic.dump.line import Line, Tone
from mockpacs.traffic.exchange import Exchange
from mockpacs.traffic.render import number_of
from mockpacs.wire.text import printable

MOST_CHANGES: Final = 40
"""Differences of an exchange that are shown unless more is asked for."""
MOST_LONE: Final = 10
"""The same for exchanges of an association that has no counterpart."""
_ONE_LINE: Final = 110
_ABSENT: Final = "(absent)"


def lines(comparison: Comparison, names: tuple[str, str], *, details: bool = False) -> Iterator[Line]:
    """All the lines. ``names``: of the two recordings; ``details``: nothing is left out, renamed UIDs are listed."""
    for pair in comparison.associations:
        if not pair.is_same:
            yield from _association(pair, names, details=details)
    if details and comparison.renamed:
        yield Line("renamed UIDs", Tone.HEAD)
        yield from (Line(f"  {printable(one)} -> {printable(other)}") for one, other in comparison.renamed)
    yield Line(summary(comparison))


def summary(comparison: Comparison) -> str:
    """``2 of 14 exchanges differ, 1 only in the first; 3 UIDs are renamed``."""
    exchanges = list(comparison.exchanges)
    paired = [one for one in exchanges if one.left and one.right]
    different = sum(not one.is_same for one in paired)
    associations = sum(bool(pair.changes) for pair in comparison.associations)
    verb = "differs" if different == 1 else "differ"
    parts = [f"{different} of {number_of(len(paired), 'exchange')} {verb}" if different else ""]
    parts += [f"{number_of(associations, 'association')} negotiated or ended otherwise" if associations else ""]
    for which, pairs in (
        ("first", [pair for pair in comparison.associations if pair.right is None]),
        ("second", [pair for pair in comparison.associations if pair.left is None]),
    ):
        alone = sum((one.right if which == "first" else one.left) is None for one in exchanges)
        words = [number_of(len(pairs), "association")] if pairs else []
        words += [number_of(alone, "exchange")] if alone else []
        parts.append(f"{' and '.join(words)} only in the {which}" if words else "")
    told = ", ".join(filter(None, parts)) or f"no difference in {number_of(len(paired), 'exchange')}"
    renamed = len(comparison.renamed)
    return f"{told}; {number_of(renamed, 'UID')} {'is' if renamed == 1 else 'are'} renamed" if renamed else told


def as_json(comparison: Comparison) -> Iterator[dict[str, Any]]:
    """An object for each association and each exchange that is not the same, and one for the whole at the end."""
    for pair in comparison.associations:
        about = {"a": pair.left and pair.left.number, "b": pair.right and pair.right.number}
        if pair.changes or pair.left is None or pair.right is None:
            one = pair.left or pair.right
            assert one is not None
            titles = {"calling": one.association.calling, "called": one.association.called}
            yield {"event": "association", **about, **titles, "differences": _changes(pair.changes)}
        for exchange in pair.exchanges:
            if not exchange.is_same:
                yield _exchange_json(exchange)
    exchanges = list(comparison.exchanges)
    yield {
        "event": "summary",
        "same": comparison.is_same,
        "exchanges": sum(one.left is not None and one.right is not None for one in exchanges),
        "different": sum(bool(one.changes) for one in exchanges),
        "only_in_a": sum(one.right is None for one in exchanges),
        "only_in_b": sum(one.left is None for one in exchanges),
        "renamed": dict(comparison.renamed),
        "text": summary(comparison),
    }


def _exchange_json(pair: ExchangePair) -> dict[str, Any]:
    one = pair.left or pair.right
    assert one is not None
    return {
        "event": "exchange",
        "a": pair.left and pair.left.id,
        "b": pair.right and pair.right.id,
        "service": one.service,
        "sop_class": one.sop_class or None,
        "subject": one.subject,
        "differences": _changes(pair.changes),
    }


def _changes(changes: Sequence[Change]) -> list[dict[str, Any]]:
    found = []
    for change in changes:
        about = {
            "where": change.where or None,
            "name": change.name,
            "tag": None if change.tag is None else f"{change.tag:08X}",
            "sop_class": change.sop_class or None,
            "topic": change.topic.value,
            "note": change.note or None,
        }
        known = {name: value for name, value in about.items() if value is not None}
        found.append({**known, "a": change.before, "b": change.after})
    return found


def _association(pair: AssociationPair, names: tuple[str, str], *, details: bool) -> Iterator[Line]:
    yield Line(_head(pair, names), Tone.HEAD if pair.left and pair.right else Tone.BAD)
    for change, others in _gathered(pair.changes):
        yield from _change(change, "  ", others, details=details)
    if pair.left is None or pair.right is None:
        yield from _lone(pair, details=details)
        return
    for exchange in pair.exchanges:
        if not exchange.is_same:
            yield from _exchange(exchange, names, details=details)


def _lone(pair: AssociationPair, *, details: bool) -> Iterator[Line]:
    """What was asked on an association that has no counterpart."""
    asked = [one.left or one.right for one in pair.exchanges]
    shown = asked if details else asked[:MOST_LONE]
    yield from (Line(f"  {one.id}  {_said(one)}", Tone.BAD) for one in shown if one is not None)
    yield from _rest(len(asked) - len(shown), "exchange", "  ")


def _rest(count: int, noun: str, indent: str) -> Iterator[Line]:
    if count:
        yield Line(f"{indent}and {number_of(count, noun)} more; -v shows all", Tone.FAINT)


def _gathered(changes: Sequence[Change]) -> Iterator[tuple[Change, list[str]]]:
    """What is the same for several SOP classes is told once, with the names of the others."""
    found: dict[Change, list[str]] = {}
    firsts: dict[Change, Change] = {}
    for change in changes:
        first = firsts.setdefault(change._replace(sop_class="") if change.sop_class else change, change)
        others = found.setdefault(first, [])
        if change is not first:
            others.append(change.sop_class)
    yield from found.items()


def _head(pair: AssociationPair, names: tuple[str, str]) -> str:
    one = pair.left or pair.right
    assert one is not None
    number = " | ".join(_number(each) for each in (pair.left, pair.right))
    titles = f"{printable(one.association.calling, 16)} > {printable(one.association.called, 16)}"
    only = "" if pair.left and pair.right else f"  only in {names[0] if pair.left else names[1]}"
    return f"association {number}  {titles}{only}"


def _number(one: TapedAssociation | None) -> str:
    return "-" if one is None else str(one.number)


def _exchange(pair: ExchangePair, names: tuple[str, str], *, details: bool) -> Iterator[Line]:
    one = pair.left or pair.right
    assert one is not None
    number = " | ".join(each.id if each else "-" for each in (pair.left, pair.right))
    text = f"  {number}  {_said(one)}"
    if pair.left is None or pair.right is None:
        yield Line(f"{text}  only in {names[0] if pair.left else names[1]}", Tone.BAD)
        return
    yield Line(text, Tone.HEAD)
    shown = pair.changes if details else pair.changes[:MOST_CHANGES]
    for change in shown:
        yield from _change(change, "    ")
    yield from _rest(len(pair.changes) - len(shown), "difference", "    ")


def _said(exchange: Exchange) -> str:
    return f"{exchange.service}  {printable(exchange.subject, 120)}".rstrip()


def _change(change: Change, indent: str, others: Sequence[str] = (), *, details: bool = False) -> Iterator[Line]:
    """On one line where it fits, else the two values below one another; ``others``: SOP classes with the same one."""
    where = f"{change.where}: " if change.where else ""
    note = f"  ({change.note})" if change.note else ""
    name = f"{where}{printable(change.name, 300)}"
    if change.sop_class:
        classes = ", ".join((change.sop_class, *others) if details else (change.sop_class,))
        name += f" for {printable(classes)}"
        name += f" and {len(others)} more" if others and not details else ""
    if change.before is None and change.after is None:
        yield Line(f"{indent}{name}{note}", Tone.WARNING)
        return
    before, after = (_ABSENT if text is None else text for text in (change.before, change.after))
    text = f"{indent}{name}  {before} -> {after}{note}"
    if len(text) <= _ONE_LINE:
        yield Line(text, Tone.WARNING)
        return
    yield Line(f"{indent}{name}{note}", Tone.WARNING)
    yield Line(f"{indent}  - {before}", Tone.BAD)
    yield Line(f"{indent}  + {after}", Tone.MARK)
