"""What was done, in a few words for a line of a log: ``A700``, ``delay 2.0 s, reset``, ``lie message_id 4242``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

from mockpacs.scenario.condition import Moment
from mockpacs.scenario.decision import Act, Decision
from mockpacs.scenario.ending import ABORT_REASONS, ABORT_SOURCES, REASONS, RESULTS, SOURCES
from mockpacs.scenario.lie import Lie
from mockpacs.scenario.step import Step
from mockpacs.wire import Tag

_UNTOLD: Final = frozenset({"comment", "offending", "error_id", "delay", "status", "store"})
"""Keys whose effect is seen in the line anyway, or that are told apart."""


def told(decision: Decision, moment: Moment = Moment.REQUEST) -> str:
    """All acts of a decision; a sub-operation that gets a status is not done, be it Success."""
    return ", ".join(text for act in decision.acts for text in told_act(act, moment))


def told_act(act: Act, moment: Moment = Moment.REQUEST) -> Iterator[str]:
    """One act, in the order in which it is done."""
    step = act.step
    if act.delay_seconds:
        yield f"delay {_seconds(act.delay_seconds)}"
    if moment is Moment.SUB_OPERATION and act.status is not None:
        yield f"not sent: {act.status:04X}"
    elif act.status:  # not 0000: that is no fault
        yield f"status {act.status:04X}"
    if step.store is not None:
        yield "stored" if step.store else "not stored"
    for name in Step.model_fields:
        if name in step.given and name not in _UNTOLD:
            yield _TELLERS.get(name, _key)(name, getattr(step, name))


def _key(name: str, value: Any) -> str:
    return name.replace("_", "-")


def _abort(_name: str, value: Any) -> str:
    return " ".join(["abort", _word(value.source, ABORT_SOURCES), _word(value.reason, ABORT_REASONS)])


def _reject(_name: str, value: Any) -> str:
    result, source = (
        _word(number, {w: n for n, w in enumerate(words, 1)})
        for number, words in ((value.result, RESULTS), (value.source, SOURCES))
    )
    reason = _word(value.reason, REASONS.get(value.source, {}))
    return f"reject {result} {source} {reason}"


def _word(number: int, words: dict[str, int]) -> str:
    return next((word for word, known in words.items() if known == number), str(number))


def _lie(_name: str, value: Lie) -> str:
    return f"lie {' '.join(_written(value))}"


def _written(value: Any) -> Iterable[str]:
    for name in sorted(value.model_fields_set):
        said = getattr(value, name)
        if name == "remove" and isinstance(value, Lie):
            said = tuple(map(Tag, said))
        written = type(value).model_fields[name].alias or name
        yield written if said is True else f"{written} {_short(said)}"


def _short(value: Any) -> str:
    if isinstance(value, tuple):
        return "+".join(map(_short, value))
    if isinstance(value, Tag):
        return value.name.lower().replace("_", "-")
    return str(value).lower() if isinstance(value, bool) else str(value)[:40]


def _bytes(count: int) -> str:
    return "1 byte" if count == 1 else f"{count} bytes"


def _seconds(value: float) -> str:
    return f"{value * 1000:.0f} ms" if value < 1 else f"{value:.1f} s"


_TELLERS: Final[Mapping[str, Callable[[str, Any], str]]] = {
    "abort": _abort,
    "reject": _reject,
    "lie": _lie,
    "send": lambda _, value: f"send {_bytes(len(value))}",
    "truncate": lambda _, value: f"truncate after {value.after}",
    "corrupt": lambda _, value: f"corrupt {_bytes(value.bytes) if value.bytes else f'byte {value.offset}'}",
    "drip": lambda _, value: f"drip {value.bytes} B every {_seconds(value.every)}",
    "bandwidth": lambda _, value: f"bandwidth {value} B/s",
    "close": lambda _, value: "half-close" if value.how == "half" else "close",
    "destination": lambda _, value: f"destination {value}",
    "wait": lambda _, value: f"wait for {value.until}",
    "call": lambda _, value: f"call {value}",
    "refuse": lambda _, value: f"refuse for {_seconds(value.seconds)}",
    "answer": lambda _, value: f"answer {value}" if isinstance(value, str) else "answer of the rule",
    "pending": lambda _, value: f"pending {' '.join(_written(value))}".rstrip(),
}
