"""Narrowing a query in SQL: from a key to a condition that no matching row fails, though others may pass it.

The predicates of ``matching`` decide; a condition only has to be cheap, use an index where there is one, and never
lose a match. Values are always parameters, never part of the SQL text.
"""

from __future__ import annotations

import json
from typing import Final, NamedTuple

from mockpacs.archive import dates, matching, names, ranges, wildcards
from mockpacs.archive.columns import (
    COLUMNS,
    MODALITIES_IN_STUDY,
    NAME_KEYS,
    SOP_CLASSES_IN_STUDY,
    Column,
)
from mockpacs.archive.identifier import Key
from mockpacs.archive.matching import Rules

_LAST: Final = "\U0010ffff"
"""Appended to a prefix it sorts after every text with that prefix."""

_EXACT_VRS: Final = frozenset(("AE", "AS", "CS", "LO", "LT", "SH", "ST", "UI"))


class Condition(NamedTuple):
    """An SQL condition with its parameters."""

    sql: str
    parameters: tuple[str, ...]


def condition(key: Key, rules: Rules, *, not_as_stored: frozenset[str] = frozenset()) -> Condition | None:
    """The condition of a key that is answered from the index; None when SQL cannot help.

    ``not_as_stored``: VRs whose values are not compared as they are stored (in another timezone, or together with
    another attribute), so that nothing can be said about them here.
    """
    column = COLUMNS[key.tag]
    if matching.is_universal(key.values) or column.vr in not_as_stored:
        return None
    if column.computed:
        return _children(key, rules)
    if matching.asks_for_empty(key.values, rules):
        return Condition(f"({column.sql} IS NULL OR {column.sql} = '')", ())
    found = _known(key, column, [value for value in key.values if value])
    if found is None or not rules.unknown_matches:
        return found
    return Condition(f"({found.sql} OR {column.sql} IS NULL OR {column.sql} = '')", found.parameters)


def one_of(sql: str, wanted: list[str]) -> Condition:
    """Equality with any of the values. However many, they are one parameter: SQLite allows 32 766 of them."""
    if len(wanted) == 1:
        return Condition(f"{sql} = ?", (wanted[0],))
    return Condition(f"{sql} IN (SELECT value FROM json_each(?))", (json.dumps(wanted),))


def _known(key: Key, column: Column, wanted: list[str]) -> Condition | None:
    """The condition for entities that have a value."""
    if key.tag in NAME_KEYS:
        return _any([_name(NAME_KEYS[key.tag], value) for value in wanted])
    if column.vr == "DA":
        return _any([_date(column.sql, value) for value in wanted])
    if column.vr == "TM":
        return _any([_time(column.sql, value) for value in wanted])
    if column.vr not in _EXACT_VRS:
        return None
    wild = column.vr in matching.WILDCARD_VRS
    if column.single and not (wild and any(map(wildcards.has_wildcard, wanted))):
        return one_of(column.sql, wanted)
    return _any([_text(column, value, wild=wild) for value in wanted])


def _any(conditions: list[Condition | None]) -> Condition | None:
    """Any of them; None as soon as one of them says nothing."""
    known = [found for found in conditions if found is not None]
    if len(known) < len(conditions) or len(known) > 100:  # SQLite's expressions are 1000 deep at most
        return None
    return Condition(
        "(" + " OR ".join(found.sql for found in known) + ")",
        tuple(parameter for found in known for parameter in found.parameters),
    )


def _text(column: Column, value: str, *, wild: bool) -> Condition | None:
    if column.single and column.searched:
        prefix = wildcards.literal_prefix(value)
        if prefix == value:
            return Condition(f"{column.sql} = ?", (value,))
        if prefix:
            return _between(column.sql, prefix, prefix + _LAST)
    return _contains(column.sql, wildcards.longest_literal(value) if wild else value)


def _contains(sql: str, literal: str) -> Condition | None:
    return Condition(f"instr({sql}, ?) > 0", (literal,)) if literal else None


def _between(sql: str, first: str, last: str) -> Condition:
    return Condition(f"({sql} >= ? AND {sql} < ?)", (first, last))


def _name(sql: str, value: str) -> Condition | None:
    """A name in a column of folded names, where the groups are joined by equals signs.

    ASCII in a key of one group is looked for in the alphabetic group, the beginning of the column, unless that is empty
    (see ``names.predicate``). Other text may be in any group: the column is read from end to end, in SQL.
    """
    groups = names.groups(value)
    first = groups[0]
    if not first or not first.isascii():
        return _contains(sql, max((_plain(group) for group in groups), key=len))
    prefix = wildcards.literal_prefix(first).rstrip("^")  # Smith^* finds Smith
    if prefix == first:
        found: list[Condition | None] = [one_of(sql, [first]), _between(sql, first + "=", first + "=" + _LAST)]
    elif prefix:
        found = [_between(sql, prefix, prefix + _LAST)]
    else:
        return _contains(sql, _plain(first))
    if len(groups) == 1:
        found.append(_between(sql, "=", "=" + _LAST))
    return _any(found)


def _plain(pattern: str) -> str:
    """The longest literal of a pattern within one component."""
    return max((wildcards.longest_literal(component) for component in pattern.split("^")), key=len)


def _date(sql: str, value: str) -> Condition | None:
    """A date or a range of dates, also where they are stored as ``YYYY.MM.DD``, which sorts before all of its year."""
    ends = ranges.bounds("DA", value)
    if ends is None:
        whole = dates.day(value)
        plain = value.replace(".", "")
        if whole is None or len(plain) < 8:
            return one_of(sql, [value])
        return one_of(sql, [plain, f"{plain[:4]}.{plain[4:6]}.{plain[6:]}"])
    if ranges.between("DA", ends) is None:
        return Condition("0", ())
    first, last = (end.replace(".", "") for end in ends)
    upper = (last + _LAST) if last else _LAST
    if not first:
        return _between(sql, "0", upper)
    year = first[:4]
    return _any([_between(sql, first, upper), _between(sql, year + ".", year + "/")])


def _time(sql: str, value: str) -> Condition | None:
    """A time or a range of times, by the hour, which every form of a time begins with."""
    ends = ranges.bounds("TM", value) or ranges.Bounds(value, value)
    if ranges.between("TM", ends) is None:
        return one_of(sql, [value])
    return _between(f"substr({sql}, 1, 2)", ends.first[:2], ends.last[:2] + _LAST)


def _children(key: Key, rules: Rules) -> Condition | None:
    """ModalitiesInStudy and SOPClassesInStudy, asked of the children; counters are left to the predicate."""
    wanted = [value for value in key.values if value]
    if rules.unknown_matches or matching.asks_for_empty(key.values, rules):
        return None
    if key.tag == MODALITIES_IN_STUDY and not any(map(wildcards.has_wildcard, wanted)):
        inner = one_of("e.modality", wanted)
        return Condition(f'"study"."id" IN (SELECT e.study FROM series AS e WHERE {inner.sql})', inner.parameters)
    if key.tag == SOP_CLASSES_IN_STUDY:
        inner = one_of("i.sop_class_uid", wanted)
        source = "instance AS i JOIN series AS e ON e.id = i.series"
        return Condition(f'"study"."id" IN (SELECT e.study FROM {source} WHERE {inner.sql})', inner.parameters)
    return None
