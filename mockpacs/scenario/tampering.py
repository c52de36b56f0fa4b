"""What acts change in an answer on its way: the lies it tells and the faults of its bytes, in the words of the wire."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import Any, Final

from mockpacs.scenario.decision import Act
from mockpacs.wire.fault import Fault
from mockpacs.wire.lie import Lies


@dataclass(frozen=True, slots=True)
class Tampering:
    """Lies and faults of one answer; of several acts that say something about the same, the last counts."""

    lies: Lies = field(default_factory=Lies)
    fault: Fault = field(default_factory=Fault)

    @property
    def is_none(self) -> bool:
        """Whether the answer leaves as it is."""
        return self == HONEST

    def and_(self, other: Tampering) -> Tampering:
        """Both."""
        if other.is_none or self.is_none:
            return self if other.is_none else other
        return Tampering(_merged(self.lies, other.lies), _merged(self.fault, other.fault))


HONEST: Final = Tampering()


def tampering_of(act: Act | None) -> Tampering:
    """What an act changes."""
    if act is None or not act.step.given & _CHANGES:
        return HONEST
    step = act.step
    lies = Lies(**{name: getattr(step.lie, name) for name in step.lie.model_fields_set}) if step.lie else Lies()
    said: dict[str, Any] = {}
    if step.truncate:
        said["truncate_after"] = step.truncate.after
    if step.corrupt:
        said |= {"corrupt_offset": step.corrupt.offset, "corrupt_xor": step.corrupt.xor}
        said |= {"corrupt_bytes": step.corrupt.bytes or 0, "seed": act.seed}
    if step.drip:
        said |= {"drip_bytes": step.drip.bytes, "drip_every_seconds": step.drip.every}
    if step.bandwidth:
        said["bandwidth"] = step.bandwidth
    return Tampering(lies, Fault(**said))


_CHANGES: Final = frozenset({"lie", "truncate", "corrupt", "drip", "bandwidth"})


def _merged(first: Any, second: Any) -> Any:
    """The first with what the second says."""
    unsaid = type(first)()
    names = [one.name for one in fields(second)]
    said = {name: getattr(second, name) for name in names if getattr(second, name) != getattr(unsaid, name)}
    return replace(first, **said)
