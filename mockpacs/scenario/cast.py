"""The rules and states by which one exchange is decided from begin to end, whatever changes meanwhile."""

from __future__ import annotations

from typing import NamedTuple

from mockpacs.scenario.arrangement import Arrangement
from mockpacs.scenario.condition import Moment
from mockpacs.scenario.state import States


class Cast(NamedTuple):
    """What `Engine.cast` was at some moment. Its rules go on counting."""

    arranged: Arrangement
    states: States

    def concerns(self, kind: str) -> bool:
        """Whether any rule is about this service or event."""
        return kind in self.arranged.buckets

    def moments(self, kind: str) -> frozenset[Moment]:
        """The moments of this service at which a rule can act."""
        return self.arranged.moments.get(kind, frozenset())

    def marks(self, kind: str) -> tuple[tuple[Moment, int], ...]:
        """The bytes and PDUs of a data set that rules wait for: of each moment the lowest first."""
        return self.arranged.marks.get(kind, ())

    def wants_data(self, kind: str) -> bool:
        """Whether a rule or an expectation looks at the data set of this service."""
        return kind in self.arranged.data_kinds

    @property
    def tags(self) -> frozenset[int]:
        """The attributes of data sets that rules and expectations look at: `DataFacts` is faster when it knows them."""
        return self.arranged.tags
