"""Conditions on the attributes of a data set: compiled to functions, and told line by line."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, TypeAlias

from mockpacs.scenario.condition import Attribute
from mockpacs.scenario.hint import about_presence, about_text
from mockpacs.scenario.line import Line, either, said
from mockpacs.scenario.number import is_less
from mockpacs.scenario.pattern import any_of, matches
from mockpacs.scenario.stimulus import Facts
from mockpacs.scenario.values import tag_text
from mockpacs.wire.dictionary import vr_of

Values: TypeAlias = Sequence[str] | None
"""None: the attribute is absent; (): it has zero length."""
FactsTest: TypeAlias = Callable[[Facts], bool]
ValuesTest: TypeAlias = Callable[[Values], bool]
Conditions: TypeAlias = Mapping[int, Attribute]

_AS_TEXT: Final = frozenset(("DA", "DT", "TM"))
_PRESENCES: Final[dict[str, ValuesTest]] = {
    "present": lambda values: values is not None,
    "absent": lambda values: values is None,
    "empty": lambda values: values is not None and not values,
    "universal": lambda values: values is not None and (not values or tuple(values) == ("*",)),
}


def compiled(tag: int, wanted: Attribute) -> FactsTest:
    """Whether a data set has such an attribute. A condition that says nothing asks for an attribute that is present."""
    tests: list[FactsTest] = []
    if values_tests := [*_values_tests(vr_of(tag), wanted)]:
        tests.append(_on_values(tag, values_tests))
    if wanted.item is not None:
        tests.append(_on_items(tag, wanted.item))
    if wanted.not_ is not None:
        tests.append(_negated(compiled(tag, wanted.not_)))
    if not tests:
        return lambda facts: facts.values(tag) is not None
    return tests[0] if len(tests) == 1 else _every(tests)


def lines(path: tuple[str, ...], wanted: Conditions, facts: Facts | None) -> Iterator[Line]:
    """Each condition beside what came; of a sequence the item that meets most."""
    for tag, attribute in wanted.items():
        own = (*path, tag_text(tag))
        if facts is None:
            yield Line(own, told(attribute), "no data set", False)
            continue
        items = facts.items(tag) if attribute.item is not None else None
        if items and attribute.item and set(attribute.model_fields_set) <= {"item"}:
            told_items = [[*lines(own, attribute.item, item)] for item in items[:_MOST_ITEMS]]
            yield from max(told_items, key=lambda one: sum(line.holds for line in one))
        else:
            yield _line(own, tag, attribute, facts)


_MOST_ITEMS: Final = 100


def told(wanted: Attribute) -> str:
    """What is expected, in words."""
    return " and ".join(_told(wanted)) or "present"


def _told(wanted: Attribute) -> Iterator[str]:
    if wanted.presence is not None:
        yield wanted.presence
    if "in_" in wanted.model_fields_set:
        yield either(wanted.in_)
    if wanted.matches is not None:
        yield f"/{wanted.matches.pattern}/"
    if wanted.gt is not None:
        yield f"> {wanted.gt}"
    if wanted.lt is not None:
        yield f"< {wanted.lt}"
    if wanted.between is not None:
        yield f"{wanted.between[0]} to {wanted.between[1]}"
    if wanted.size is not None:
        yield f"{wanted.size} values" if wanted.size != 1 else "1 value"
    if wanted.item is not None:
        yield "an item with " + ", ".join(f"{tag_text(tag)} {told(one)}" for tag, one in wanted.item.items())
    if wanted.not_ is not None:
        yield f"not {told(wanted.not_)}"


def received(values: Values) -> str:
    """What came, in words."""
    if values is None:
        return "absent"
    return said(values) if values else "zero length"


def _line(path: tuple[str, ...], tag: int, wanted: Attribute, facts: Facts) -> Line:
    values = facts.values(tag)
    holds = compiled(tag, wanted)(facts)
    hint = ""
    if not holds and wanted.presence is not None:
        hint = about_presence(wanted.presence, values)
    elif not holds and values and wanted.in_ and not any(map(_one_of(vr_of(tag), wanted.in_), values)):
        hint = about_text(wanted.in_, values)
    return Line(path, told(wanted), received(values), holds, hint)


def _values_tests(vr: str, wanted: Attribute) -> Iterator[ValuesTest]:
    if wanted.presence is not None:
        yield _PRESENCES[wanted.presence]
    if "in_" in wanted.model_fields_set:
        one = _any_value(_one_of(vr, wanted.in_))
        yield one if "" not in wanted.in_ else lambda values: values == () or one(values)
    if wanted.matches is not None:
        yield _any_value(matches(wanted.matches))
    less = _text_is_less if vr in _AS_TEXT else is_less
    if (low := wanted.gt) is not None:
        yield _any_value(lambda value, low=low: less(low, value))  # type: ignore[misc]
    if (high := wanted.lt) is not None:
        yield _any_value(lambda value, high=high: less(value, high))  # type: ignore[misc]
    if wanted.between is not None:
        first, last = wanted.between
        yield _any_value(lambda value: not less(value, first) and not less(last, value))
    if (size := wanted.size) is not None:
        yield lambda values: values is not None and len(values) == size


def _one_of(vr: str, texts: Sequence[str]) -> Callable[[str], bool]:
    """Equal after trimming; the carets at the end of a name say nothing (PS3.5 6.2.1.1)."""
    if vr != "PN":
        return any_of(text.strip() for text in texts)
    test = any_of(map(_bare_name, texts))
    return lambda value: test(_bare_name(value))


def _bare_name(name: str) -> str:
    return "=".join(group.strip().rstrip("^ ") for group in name.split("=")).rstrip("=")


def _text_is_less(one: str, other: str) -> bool:
    return one < other


def _any_value(test: Callable[[str], bool]) -> ValuesTest:
    def holds(values: Values) -> bool:
        return values is not None and any(map(test, values))

    return holds


def _on_values(tag: int, tests: list[ValuesTest]) -> FactsTest:
    if len(tests) == 1:
        only = tests[0]
        return lambda facts: only(facts.values(tag))

    def holds(facts: Facts) -> bool:
        values = facts.values(tag)
        return all(test(values) for test in tests)

    return holds


def _on_items(tag: int, wanted: Conditions) -> FactsTest:
    """One item has to meet all."""
    tests = [compiled(inner, attribute) for inner, attribute in wanted.items()]

    def holds(facts: Facts) -> bool:
        return any(all(test(item) for test in tests) for item in facts.items(tag) or ())

    return holds


def _negated(test: FactsTest) -> FactsTest:
    return lambda facts: not test(facts)


def _every(tests: list[FactsTest]) -> FactsTest:
    return lambda facts: all(test(facts) for test in tests)
