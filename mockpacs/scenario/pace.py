"""Steps about time and bytes: delays, dripping, truncation, corruption."""

from __future__ import annotations

from typing import Annotated, ClassVar, Self

from pydantic import Field, model_validator

from mockpacs.scenario.part import Part
from mockpacs.scenario.values import Byte, ByteCount, Count, Duration, Positive, scalar
from mockpacs.written.kinds import quoted


def _spread(value: object) -> float:
    try:
        number = float(str(value))
    except ValueError:
        number = -1.0
    if 0 <= number <= 10:
        return number
    raise ValueError(
        f"{quoted(value)} is not a spread: the standard deviation of the logarithm, from 0 to 10, such as 0.4"
    )


class Delay(Part):
    """A time: fixed, ``between`` two, or around a ``median`` (log-normal, as real servers are)."""

    noun: ClassVar[str] = "delay"
    key: ClassVar[str] = "seconds"
    seconds: Duration | None = Field(None, description="exactly this")
    median: Duration | None = Field(None, description="half of the delays are shorter")
    spread: Annotated[float, *scalar(_spread, {"title": "number", "type": ["number", "string"]})] = Field(
        0.5,
        description="standard deviation of the logarithm: 0.4 puts two thirds between 0.67 and 1.5 times the median",
    )
    max: Duration | None = Field(None, description="no delay is longer")
    between: Annotated[tuple[Duration, ...], Field(min_length=2, max_length=2)] | None = Field(
        None, description="evenly drawn from this to that"
    )

    @model_validator(mode="after")
    def _one(self) -> Self:
        if len([one for one in (self.seconds, self.median, self.between) if one is not None]) != 1:
            raise ValueError("a delay is a time (2s), or has a median, or is between two times")
        if self.between and self.between[0] > self.between[1]:
            raise ValueError("the first time of between is longer than the second")
        return self


class Drip(Part):
    """Small pieces with pauses."""

    noun: ClassVar[str] = "drip"
    is_enough: ClassVar[bool] = True
    bytes: Positive = Field(1, description="bytes in a piece")
    every: Duration = Field(0.2, description="time from one piece to the next; default: 200ms")


class Truncate(Part):
    """What is cut off: the PDUs of the answer end early, their lengths say otherwise."""

    noun: ClassVar[str] = "truncate"
    key: ClassVar[str] = "after"
    after: ByteCount = Field(0, description="bytes of the answer that are sent")


class Corrupt(Part):
    """Bytes that are changed, at a place or at places drawn by the seed."""

    noun: ClassVar[str] = "corrupt"
    offset: Count | None = Field(None, description="place in the bytes of the answer, from 0")
    xor: Byte = Field(0xFF, description="what the byte is combined with; default: ff")
    bytes: Positive | None = Field(None, description="how many bytes at drawn places")

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.offset is None) == (self.bytes is None):
            raise ValueError("corrupt needs an offset (and perhaps xor), or a number of bytes")
        return self
