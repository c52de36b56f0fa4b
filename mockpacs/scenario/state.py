"""The named states of a scenario: a value for each key, the start value where nothing was set."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from mockpacs.scenario.case import Case, KeyReader, key_reader
from mockpacs.scenario.counters import Key, Keyed
from mockpacs.scenario.model import StateSpec

if TYPE_CHECKING:
    from mockpacs.scenario.rule import Change


class _Kept:
    """One state."""

    def __init__(self, start: str, key: KeyReader) -> None:
        self.start = start
        self.key = key
        self.values: Keyed[str] = Keyed()


class States:
    """All states. One that was not declared is kept for the whole scenario, and is empty at the start."""

    def __init__(self, specs: Mapping[str, StateSpec]) -> None:
        self._kept = {name: _Kept(spec.start, key_reader(spec.per)) for name, spec in specs.items()}

    def of(self, name: str, case: Case) -> str:
        """The value that a case meets."""
        kept = self._kept.get(name)
        if kept is None:
            return ""
        value = kept.values.get(kept.key(case))
        return kept.start if value is None else value

    def change(self, name: str, case: Case, change: Change) -> None:
        """What a rule does to a state when it fires."""
        if change.all is not None:
            self.set(name, change.all)
        elif change.value is not None:
            self.set(name, change.value, self._known(name).key(case))

    def value(self, name: str, key: Key | None = None) -> str:
        """The value of a key; without one, that of all keys which have none of their own."""
        kept = self._kept.get(name)
        if kept is None:
            return ""
        value = kept.values.get("" if key is None else key)
        return kept.start if value is None else value

    def values(self) -> dict[str, dict[Key | None, str]]:
        """All states: the value of each key that has one of its own, under None that of all others."""
        return {name: {None: kept.start, **dict(kept.values.items())} for name, kept in self._kept.items()}

    def set(self, name: str, value: str, key: Key | None = None) -> None:
        """Give a key a new value; without one, all keys: those that are known and those to come."""
        kept = self._known(name)
        if key is None:
            kept.start = value
            kept.values.clear()
        else:
            kept.values.put(key, value)

    def forget(self, association: int) -> None:
        """An association ended."""
        for kept in self._kept.values():
            kept.values.forget(association)

    def _known(self, name: str) -> _Kept:
        if name not in self._kept:
            self._kept[name] = _Kept("", key_reader("scenario"))
        return self._kept[name]
