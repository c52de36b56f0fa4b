"""What a rule does when it fires: its steps, ready to be handed out, with what is left to chance drawn."""

from __future__ import annotations

import math
from typing import TypeAlias

from mockpacs.scenario.decision import Act
from mockpacs.scenario.draw import Draw
from mockpacs.scenario.pace import Delay
from mockpacs.scenario.step import Step
from mockpacs.scenario.values import status_code
from mockpacs.wire.status import PROCESSING_FAILURE

Acts: TypeAlias = tuple[Act, ...]


class Plan:
    """Steps. ``purpose`` keeps the draws of two plans of one rule apart."""

    def __init__(self, steps: tuple[Step, ...], purpose: str = "then") -> None:
        self._steps = steps
        self._purposes = [f"{purpose} {number}" for number in range(len(steps))]
        self.is_random = any(map(_is_random, steps))
        self._fixed: dict[str, Acts] = {}

    def acts(self, kind: str, draw: Draw | None) -> Acts:
        """The acts for a service or event; a plan that is random needs something to draw from."""
        if self.is_random:
            purposes = zip(self._steps, self._purposes, strict=True)
            return tuple(_act(step, kind, draw, purpose) for step, purpose in purposes)
        fixed = self._fixed.get(kind)
        if fixed is None:
            fixed = self._fixed[kind] = tuple(_act(step, kind, None, "") for step in self._steps)
        return fixed


def status_of(name: str, kind: str) -> int:
    """The code of a status for a service or event."""
    code = status_code(name, kind)
    return PROCESSING_FAILURE if code is None else code


def seconds(delay: Delay, draw: Draw | None, purpose: str) -> float:
    """How long a delay is this time."""
    if delay.seconds is not None:
        return delay.seconds
    if delay.between is not None:
        shortest, longest = delay.between
        return shortest + (longest - shortest) * (draw.share(purpose) if draw else 0.5)
    deviation = delay.spread * draw.normal(purpose) if draw and delay.spread else 0.0
    drawn = (delay.median or 0.0) * math.exp(deviation)
    return drawn if delay.max is None else min(drawn, delay.max)


def _act(step: Step, kind: str, draw: Draw | None, purpose: str) -> Act:
    delay = seconds(step.delay, draw, f"{purpose} delay") if step.delay else 0.0
    status = None
    if step.status:
        place = int(draw.share(f"{purpose} status") * len(step.status)) if draw else 0
        status = status_of(step.status[place], kind)
    seed = draw.number(f"{purpose} bytes") if draw and step.corrupt else 0
    return Act(step, delay, status, seed)


def _is_random(step: Step) -> bool:
    is_delay = step.delay is not None and step.delay.seconds is None
    is_corrupt = step.corrupt is not None and step.corrupt.bytes is not None
    return is_delay or is_corrupt or len(step.status) > 1
