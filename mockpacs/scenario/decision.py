"""What a scenario answers: the rules that fired and what is to be done, everything that was left to chance drawn."""

from __future__ import annotations

from dataclasses import dataclass

from mockpacs.scenario.step import ENDINGS, Step


@dataclass(frozen=True, slots=True)
class Act:
    """One step with what was open in it decided."""

    step: Step
    delay_seconds: float = 0.0
    status: int | None = None
    """The code of the status, None when the step names none."""
    seed: int = 0
    """For what can only be drawn when the bytes are there: `Step.corrupt`."""
    is_change: bool = False
    """Of a rule that continues: it changes how the answers look, and is none itself."""

    @property
    def answers(self) -> bool:
        """Whether an answer is sent."""
        return self.step.answers and not self.is_change

    @property
    def ends(self) -> bool:
        """Whether the association or the connection ends here, or falls silent."""
        return bool(self.step.given & ENDINGS)


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do instead of, or before, behaving by the standard."""

    rule: str
    """The names of the rules that fired, in the order of the file, separated by a comma and a blank."""
    acts: tuple[Act, ...]
    later: tuple[Act, ...] = ()
    """What happens on its own after the answer."""
