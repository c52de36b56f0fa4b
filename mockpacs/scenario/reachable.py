"""Which rules can never fire, because an earlier one takes all that they wait for. Conservative: in doubt, a rule can.

A rule takes all that meets its conditions when nothing but them holds it back, and nobody looks further after it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from mockpacs.scenario.condition import At, Attribute, Moment, When, Words
from mockpacs.scenario.moments import listed, services_of
from mockpacs.scenario.pattern import glob, has_glob
from mockpacs.scenario.rule import Rule

MOST_COMPARED: Final = 100
"""Takers with conditions that a rule is compared with: a file of thousands of rules shall be read in a moment."""


def unreachable(rules: Sequence[Rule]) -> Iterator[tuple[int, tuple[int, ...], str]]:
    """Indices of rules that can never fire, the rules that are in their way, and what those take: "every C-STORE"."""
    takers: list[int] = []
    room = MOST_COMPARED
    for index, rule in enumerate(rules):
        in_the_way = _in_the_way(rule, rules, takers)
        if in_the_way:
            is_all = all(_is_open(rules[taker].when) for taker in in_the_way)
            what = f"every {listed(_kinds(rule.when), 'and every')}" if is_all else "all that it waits for"
            yield index, in_the_way, what
        elif _takes_all(rule) and (room or _is_open(rule.when)):
            takers.append(index)
            room -= not _is_open(rule.when)


def _takes_all(rule: Rule) -> bool:
    is_limited = (
        rule.nth is not None
        or rule.times is not None
        or rule.limit is not None
        or (rule.chance is not None and rule.chance < 1)
    )
    return not (rule.continue_ or is_limited or (rule.sequence is not None and rule.at_end == "pass"))


def _in_the_way(rule: Rule, rules: Sequence[Rule], takers: Sequence[int]) -> tuple[int, ...]:
    """The first rule for each service or event of this one that takes it all; nothing when one has none."""
    found: dict[int, None] = {}
    open_kinds = set(services_of(rule.when) or rule.when.event)
    for taker in takers:
        when = rules[taker].when
        taken = open_kinds & set(services_of(when) or when.event)
        if taken and implies(rule.when, when):
            found[taker] = None
            open_kinds -= taken
            if not open_kinds:
                return tuple(found)
    return ()


def _kinds(when: When) -> tuple[str, ...]:
    return ("exchange",) if "any" in when.service else (*when.service, *when.event)


def _is_open(when: When) -> bool:
    return when.model_fields_set <= {"service", "event", "at"}


def implies(one: When, other: When) -> bool:
    """Whether all that meets one set of conditions meets the other too, services and events aside."""
    if bool(one.event) != bool(other.event) or not _is_within(one.at, other.at):
        return False
    return (
        all(_words_imply(getattr(one, key), getattr(other, key)) for key in _WORDS)
        and _is_narrower(one.level, other.level)
        and _is_narrower(one.status, other.status)
        and _all_imply(one.query, other.query)
        and _all_imply(one.dataset, other.dataset)
        and all(_words_imply(one.state.wanted.get(name), words) for name, words in other.state.wanted.items())
    )


def _is_within(one: At, other: At) -> bool:
    """Whether a moment is the same; any sub-operation is one of them all."""
    is_any = other.when is Moment.SUB_OPERATION and not other.mark
    return one.when is other.when and (is_any or one.mark == other.mark)


_WORDS: Final = ("calling", "called", "peer", "destination", "sop_class", "transfer_syntax", "model")


def _is_narrower(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    return not other or (bool(one) and set(one) <= set(other))


def _all_imply(one: dict[int, Attribute], other: dict[int, Attribute]) -> bool:
    return all(tag in one and _attribute_implies(one[tag], attribute) for tag, attribute in other.items())


def _words_imply(one: Words | None, other: Words | None) -> bool:
    if other is None or one == other:
        return True
    if one is None or other.not_ != one.not_ or other.matches != one.matches:
        return False
    return "in_" not in other.model_fields_set or _covers(one.in_, other.in_)


def _attribute_implies(one: Attribute, other: Attribute) -> bool:
    if one == other:
        return True
    said = {name for name in other.model_fields_set if getattr(other, name) is not None}
    if any(getattr(one, name) != getattr(other, name) for name in said - {"in_"}):
        return False
    return "in_" not in said or _covers(one.in_, other.in_)


def _covers(texts: tuple[str, ...], globs: tuple[str, ...]) -> bool:
    """Whether each text of one condition is met by the other. Texts that are globs must be there as they are."""
    return bool(texts) and all(
        any(text == other or other == "*" or (not has_glob(text) and glob(other)(text)) for other in globs)
        for text in texts
    )
