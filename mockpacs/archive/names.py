"""Person names as they are compared: trailing carets and missing groups make no different name (PS3.5 6.2.1)."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable

from mockpacs.archive import wildcards
from mockpacs.archive.index import name_key


def groups(name: str, *, case_sensitive: bool = False) -> list[str]:
    """The component groups (alphabetic, ideographic, phonetic) of one name, without insignificant carets and spaces."""
    return (_normal(name) if case_sensitive else name_key(name)).split("=")


def predicate(key: str, *, case_sensitive: bool = False) -> Callable[[str], bool]:
    """A predicate for one name key, with or without wild cards (PS3.4 C.2.2.2.1.1 and C.2.2.2.4).

    A key with several groups is compared group by group, an empty group in the key is universal. A key with one group
    may match any group of the name, so that ideographic text finds the name too; text of the default repertoire is
    looked for in the alphabetic group, where PS3.5 6.2.1.2 puts it (or, when that is empty, in the others).
    """
    wanted = groups(key, case_sensitive=case_sensitive)
    compiled = [_group_predicate(group) for group in wanted]

    def same_groups(name: str) -> bool:
        stored = groups(name, case_sensitive=case_sensitive)
        stored += [""] * (len(compiled) - len(stored))
        return all(agrees is None or agrees(group) for agrees, group in zip(compiled, stored, strict=False))

    first = compiled[0]
    if first is None or len(compiled) > 1:
        return same_groups

    def any_group(name: str) -> bool:
        stored = groups(name, case_sensitive=case_sensitive)
        candidates = stored[:1] if stored[0] and wanted[0].isascii() else stored
        return any(group and first(group) for group in candidates)

    return any_group


def _group_predicate(group: str) -> Callable[[str], bool] | None:
    """None for an empty group: it is universal."""
    if not group:
        return None
    if not wildcards.has_wildcard(group):
        return group.__eq__
    matches = wildcards.compile_pattern(group)
    carets = group.count("^")
    # Smith and Smith^ are the same name, so Smith^* finds both: a missing component is given back before comparing.
    return lambda stored: matches(stored) or matches(stored + "^" * (carets - stored.count("^")))


def _normal(text: str) -> str:
    """``name_key`` without folding the case."""
    parts = ("^".join(part.strip() for part in group.split("^")).rstrip("^") for group in text.split("="))
    return unicodedata.normalize("NFC", "=".join(parts).rstrip("="))
