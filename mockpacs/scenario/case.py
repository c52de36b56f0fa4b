"""A stimulus while it is looked at: what is found out about it is found out once, and only when somebody asks."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TypeAlias

from mockpacs.scenario.counters import Key
from mockpacs.scenario.values import PER_WORDS
from mockpacs.wire.dictionary import tag_of

if TYPE_CHECKING:
    from mockpacs.scenario.state import States
    from mockpacs.scenario.stimulus import Facts, Stimulus

PADDING: Final = " \0"
"""What is not significant at the ends of a value (PS3.5 6.2)."""

_SOP_CLASS: Final = 0x00080016
_SOP_INSTANCE: Final = 0x00080018


class Case:
    """A stimulus with the states it meets."""

    __slots__ = ("_facts", "called", "calling", "is_read", "occurrence", "states", "stimulus", "who")

    def __init__(self, stimulus: Stimulus, states: States, who: str = "", occurrence: int = 0) -> None:
        """``who`` asks, and how often the same has asked: for draws."""
        self.stimulus = stimulus
        self.states = states
        self.who = who
        self.occurrence = occurrence
        self.calling = stimulus.calling.strip(PADDING)
        self.called = stimulus.called.strip(PADDING)
        self.is_read = False
        """Whether somebody has looked at the data set."""
        self._facts: Facts | None = None

    @property
    def destination(self) -> str:
        """Where a C-MOVE sends to."""
        return self.stimulus.destination.strip(PADDING)

    @property
    def facts(self) -> Facts | None:
        """The data set, None without one."""
        if not self.is_read:
            self.is_read = True
            self._facts = self.stimulus.dataset() if self.stimulus.dataset else None
        return self._facts


def identity(stimulus: Stimulus) -> str:
    """Who asks, as far as it does not depend on the order of associations."""
    came = stimulus
    return "\0".join((came.kind, came.moment, str(came.mark), came.calling, came.sop_instance))


KeyReader: TypeAlias = Callable[[Case], Key]


def key_reader(per: str) -> KeyReader:
    """What something is counted or kept by. What has no such attribute shares the key ""."""
    if per in PER_WORDS:
        return _WORDS[per]
    tag = _tag(per)

    def attribute(case: Case) -> Key:
        stimulus = case.stimulus
        if tag == _SOP_INSTANCE and stimulus.sop_instance:
            return stimulus.sop_instance
        classes = stimulus.instance_classes or stimulus.sop_classes
        if tag == _SOP_CLASS and classes and not stimulus.is_event:
            return classes[0]
        facts = case.facts
        return "\\".join(facts.values(tag) or ()) if facts else ""

    return attribute


def key_tag(per: str, kind: str) -> int:
    """The attribute that a key is read from in the data set of a service; 0 when the data set is not needed for it."""
    if per in PER_WORDS:
        return 0
    tag = _tag(per)
    return 0 if kind == "C-STORE" and tag in (_SOP_INSTANCE, _SOP_CLASS) else tag


def is_lasting(per: str) -> bool:
    """Whether a key means the same in every run: not the number of an association."""
    return per not in ("association", "exchange")


def _tag(per: str) -> int:
    return int(per[1:5] + per[6:10], 16) if per.startswith("(") else tag_of(per) or 0


_WORDS: Final[dict[str, KeyReader]] = {
    "scenario": lambda case: "",
    "association": lambda case: case.stimulus.association,
    "exchange": lambda case: (case.stimulus.association, case.stimulus.exchange),
    "calling-ae": lambda case: case.calling,
}
