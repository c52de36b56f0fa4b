"""A scenario: one file of the language."""

from __future__ import annotations

import re
from typing import Annotated, Any, ClassVar, Self

from pydantic import Field, model_validator

from mockpacs.scenario.condition import When
from mockpacs.scenario.part import Part
from mockpacs.scenario.rule import Rule
from mockpacs.scenario.values import Integer, Per, Text, scalar
from mockpacs.written.kinds import quoted

VERSION = 1


def _version(value: Any) -> int:
    if str(value) == str(VERSION):
        return VERSION
    raise ValueError(f"{quoted(value)} is a language version this mockpacs does not know; it reads mockpacs: {VERSION}")


class StateSpec(Part):
    """A named state."""

    noun: ClassVar[str] = "a state"
    key: ClassVar[str] = "start"
    start: Text = Field(description="value at the beginning")
    per: Per = Field("scenario", description="what it is kept by: scenario, association, calling-ae, or an attribute")


class Count(Part):
    """How often: a number, ``2..4``, ``3..`` or ``..5``."""

    noun: ClassVar[str] = "a count"
    key: ClassVar[str] = "text"
    text: Text = Field(description="3, 2..4, 3.. for that many or more, ..5 for that many or fewer")

    @property
    def bounds(self) -> tuple[int, int | None]:
        """The least and the most, None for no end."""
        low, dots, high = self.text.partition("..")
        if not dots:
            return int(low), int(low)
        return int(low or 0), int(high) if high else None

    @model_validator(mode="after")
    def _readable(self) -> Self:
        if not re.fullmatch(r"[0-9]{1,9}(\.\.([0-9]{1,9})?)?|\.\.[0-9]{1,9}", self.text):
            raise ValueError(f"{quoted(self.text)} is not a count: 3, 2..4, 3.. or ..5")
        return self


class Expectation(When):
    """What must have happened at the end: conditions as in ``when``, and how often."""

    noun: ClassVar[str] = "an expectation"
    name: Text = Field("", description="shown when it is not met")
    rule: Text | None = Field(
        None, description="name of the rule that fired; without service and event it is about what the rule is about"
    )
    count: Count = Field(Count(text="1.."), description="3, 2..4, 3.. or ..5; default: at least once")
    per: Per = Field("scenario", description="counted by: the count must hold for each key that was seen")

    @property
    def is_known_otherwise(self) -> bool:
        """Whether it is about what a rule is about."""
        return self.rule is not None


class Scenario(Part):
    """A scenario file."""

    mockpacs: Annotated[int, *scalar(_version, {"const": VERSION})] = Field(description="version of the language: 1")
    name: Text = Field("", description="shown in the terminal and in test failures")
    about: Text = Field("", description="what it shows, and what a good client does")
    seed: Integer | None = Field(None, description="of everything that is drawn; without it 0")
    server: dict[str, Any] = Field({}, description="options of the server, as in a configuration file")
    data: dict[str, Any] = Field({}, description="named sets of answers: DICOM files, DICOM JSON, or keyword: value")
    state: dict[str, StateSpec] = Field({}, description="named states")
    rules: tuple[Rule, ...] = Field((), description="the first that fits decides")
    expect: tuple[Expectation, ...] = Field((), description="checks made at the end")
