"""One rule: when, what, and how often."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Self

from pydantic import BeforeValidator, Field, model_validator

from mockpacs.scenario.condition import When
from mockpacs.scenario.part import Part
from mockpacs.scenario.step import Steps, as_steps
from mockpacs.scenario.values import (
    Flag,
    LimitValue,
    NthValue,
    Per,
    Percent,
    Positive,
    Text,
    one_of,
    scalar,
)


def as_sequence(value: Any) -> Any:
    """Steps of several answers: each a word, a step, or a list of steps."""
    return tuple(as_steps(one) for one in value) if isinstance(value, list | tuple) else (as_steps(value),)


class Change(Part):
    """A new value of a state: for the key of this exchange, or for ``all`` keys."""

    noun: ClassVar[str] = "a change of a state"
    key: ClassVar[str] = "value"
    value: Text | None = Field(None, description="for the key of what fired the rule")
    all: Text | None = Field(None, description="for all keys at once")

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.value is None) == (self.all is None):
            raise ValueError("a change of a state is a value, or {all: value}")
        return self


class Rule(Part):
    """One rule. The first in the file whose conditions all hold decides."""

    noun: ClassVar[str] = "a rule"
    name: Text = Field("", description="shown wherever the rule fires; default: its place in the file")
    when: When = Field(description="all conditions must hold")
    then: Steps | None = Field(None, description="what to do: a word, one step, or a list of steps")
    sequence: Annotated[tuple[Steps, ...], BeforeValidator(as_sequence)] | None = Field(
        None, description="one answer per match, in order"
    )
    at_end: Annotated[
        str, *scalar(one_of("last", "loop", "pass", "fail"), {"enum": ["last", "loop", "pass", "fail"]})
    ] = Field(
        "last",
        description="after a sequence: last repeats its last answer, loop begins anew, pass lets later rules decide, "
        "fail answers 0110 and is told as a failed expectation",
    )
    per: Per = Field(
        "scenario",
        description="what is counted by: scenario, association, exchange, calling-ae, or an attribute (SOPInstanceUID)",
    )
    nth: NthValue | None = Field(None, description="3, 2..4, 5.. or every 10: counts what meets when, per key")
    times: Positive | None = Field(None, description="fires n times per key, then the rule is spent")
    chance: Percent | None = Field(None, description="how likely it fires; drawn by the seed")
    limit: LimitValue | None = Field(None, description="20/minute: that many pass per key; what is beyond meets over")
    over: Steps | None = Field(None, description="what happens beyond the limit")
    set: dict[Text, Change] = Field({}, description="state changes made when the rule fires")
    later: Steps | None = Field(None, description="steps that run on their own after the answer")
    continue_: Flag = Field(False, alias="continue", description="apply, and look further")

    @model_validator(mode="after")
    def _does_something(self) -> Self:
        if self.then is not None and self.sequence is not None:
            raise ValueError("a rule has then or sequence, not both")
        if self.limit is not None and self.over is None:
            raise ValueError("limit needs over: what happens beyond it")
        if self.over is not None and self.limit is None:
            raise ValueError("over needs a limit")
        if self.limit is not None and (self.then is not None or self.sequence is not None):
            raise ValueError("a rule with a limit only says what happens over it; write another rule for the rest")
        if self.then is None and self.sequence is None and self.over is None and not self.set and not self.later:
            raise ValueError("a rule needs then, a sequence, over, set or later")
        if self.sequence is not None and not self.sequence:
            raise ValueError("a sequence needs at least one answer")
        if "at_end" in self.model_fields_set and self.sequence is None:
            raise ValueError("at_end belongs to a sequence")
        return self
