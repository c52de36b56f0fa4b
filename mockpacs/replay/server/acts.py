"""What a rule does about a recorded request: the steps that answer it again, and what rules at other moments add."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from mockpacs.replay.server.answers import Sets
from mockpacs.replay.server.choices import Choices
from mockpacs.replay.server.heard import Asked, Parting
from mockpacs.replay.server.retrieving import Fate, Slot, Stock
from mockpacs.scenario.moments import RETRIEVES
from mockpacs.scenario.values import tag_key
from mockpacs.wire import Command
from mockpacs.wire.status import (
    CANCEL,
    PENDING_WITH_WARNING,
    SUCCESS,
    Category,
    category_of,
)

_HONEST_FINALS: Final = ("0000", "B000", "A702", "FE00")
"""How a retrieve that was begun ends (PS3.4 Table C.4-2)."""
_UNKNOWN_DESTINATION: Final = "A801"
_PARTIAL, _ALL_FAILED = 0xB000, 0xA702
_COUNTED_AS: Final = {Fate.COMPLETED: "0000", Fate.WARNING: "B000", Fate.FAILED: "0110", Fate.OPEN: "0110"}
"""The status of a sub-operation that is not done, by what it was counted as."""
_PATIENCE: Final = "10s"
"""How long a retrieve that was cancelled waits for the cancel."""

Steps = tuple[dict[str, Any], ...]


@dataclass(frozen=True, slots=True)
class Addition:
    """A rule at another moment of the exchange."""

    at: str | dict[str, int]
    steps: Steps
    statuses: tuple[str, ...] = ()
    """Of the response that it is about; empty for a moment without one."""


@dataclass(frozen=True, slots=True)
class Act:
    """What is done about a request."""

    steps: Steps
    """When it is complete; nothing for one that never was."""
    additions: tuple[Addition, ...] = ()
    notes: tuple[str, ...] = field(default=(), compare=False)
    sub_operations: int = 0
    """Of a retrieve: how many it has."""


def act_of(asked: Asked, sets: Sets, stock: Stock, choices: Choices) -> Act:
    """What answers a recorded request."""
    if not asked.request.is_whole:
        return _broken_off(asked)
    if asked.raw:
        return _as_it_was(asked, choices)
    if asked.service in RETRIEVES:
        return _retrieve(asked, stock, choices)
    answer, notes = _answer(asked, sets, choices)
    final = asked.final
    if final is not None:
        return Act(_with_delay(asked, choices, answer, ending(asked.parting, choices)), (), notes)
    if asked.responses:  # matches, and then the end
        status = str(answer.get("status", "0000"))
        addition = Addition("response", ending(asked.parting, choices) or ({"nothing": True},), (status,))
        return Act(_with_delay(asked, choices, answer, ()), (addition,), notes)
    return Act(ending(asked.parting, choices) or ({"nothing": True},), (), notes)


def _with_delay(asked: Asked, choices: Choices, answer: dict[str, Any], ending: Steps) -> Steps:
    """The time until the first response, the answer, the end."""
    seconds = choices.after(asked.responses[0].started - asked.request.when) if asked.responses else 0.0
    first = {"delay": seconds, **answer} if seconds else answer
    if len(ending) == 1 and "delay" not in ending[0]:
        return ({**first, **ending[0]},)
    return (first, *ending)


def ending(parting: Parting | None, choices: Choices, *, with_noise: bool = False) -> Steps:
    """How an association or a connection ends."""
    if parting is None:
        return ()
    step: dict[str, Any] = {}
    if seconds := choices.after(parting.after_seconds):
        step["delay"] = seconds
    if parting.noise and with_noise:
        step["send"] = parting.noise
    match parting.how:
        case "abort":
            step["abort"] = {"source": parting.abort.source, "reason": parting.abort.reason}
        case "nothing":
            step["nothing"] = True
        case "half-close":
            step["close"] = "half"
        case how:
            step[how] = True
    return (step,)


def _answer(asked: Asked, sets: Sets, choices: Choices) -> tuple[dict[str, Any], tuple[str, ...]]:
    """What is in the responses to a request that is no retrieve."""
    final = asked.final
    notes: list[str] = []
    said = _words(final.command) if final is not None else {}
    if asked.service == "C-FIND":
        pending = asked.pending
        is_failure = final is not None and category_of(final.command.status or 0) is Category.FAILURE
        if pending or not is_failure:
            name = sets.of(lambda: asked.id, pending, asked.request.command.affected_sop_class or "")
            said = {"answer": name, **said}
        shape, notes = _pending(asked, choices)
        if shape:
            said["pending"] = {"from": said.pop("answer"), **shape}
        if said.get("status") == "0000":
            del said["status"]
    elif asked.service == "C-STORE" and choices.unmatched != "honest" and said:
        said["store"] = False
    elif asked.service.startswith("N-") and final is not None:
        said |= _of_instance(asked.request.command, final.command)
        if final.data is not None and final.data.size:
            name = sets.of(lambda: asked.id, [final], final.command.affected_sop_class or "")
            said = {"answer": name, **said}
    return said, tuple(notes)


def _words(command: Command) -> dict[str, Any]:
    """Status and explanations."""
    said: dict[str, Any] = {"status": f"{command.status or 0:04X}"}
    if command.error_comment:
        said["comment"] = command.error_comment
    if command.offending_elements:
        said["offending"] = [tag_key(tag) for tag in command.offending_elements]
    if command.error_id is not None:
        said["error_id"] = command.error_id
    return said


def _pending(asked: Asked, choices: Choices) -> tuple[dict[str, Any], list[str]]:
    """What is particular about the matches of a query."""
    pending, notes = asked.pending, []
    shape: dict[str, Any] = {}
    statuses = [said.command.status for said in pending]
    if pending and all(status == PENDING_WITH_WARNING for status in statuses):
        shape["status"] = f"{PENDING_WITH_WARNING:04X}"
    elif len(set(statuses)) > 1:
        notes.append(f"{asked.id} C-FIND: matches with FF00 and FF01; all are sent with FF00")
    if len(pending) > 1 and (seconds := choices.after(_every(asked))):
        shape["every"] = seconds
    return shape, notes


def _every(asked: Asked) -> float:
    first, last = asked.pending[0], asked.pending[-1]
    return (last.started - first.started) / (len(asked.pending) - 1)


def _of_instance(request: Command, response: Command) -> dict[str, Any]:
    """The instance that a server made and named (N-CREATE)."""
    named = response.affected_sop_instance
    asked_for = request.affected_sop_instance or request.requested_sop_instance
    return {"lie": {"sop_instance": named}} if named and named != asked_for else {}


# retrieves: the archive has what was brought, and the service of the archive brings it


def _retrieve(asked: Asked, stock: Stock, choices: Choices) -> Act:
    final, parting = asked.final, ending(asked.parting, choices)
    slots = stock.slots.get(asked.id)
    if slots is None:
        if final is None:
            return Act(parting or ({"nothing": True},))
        words = _words(final.command)
        if category_of(final.command.status or 0) is Category.FAILURE:
            return Act(_with_delay(asked, choices, words, parting))
        return Act(_with_delay(asked, choices, {"pending": True}, parting), _relabelled(final.command, (), asked))
    additions = _sub_operations(asked, slots, stock, parting if final is None else ())
    if final is None:
        is_done = all(slot.fate is not Fate.OPEN for slot in slots)
        if is_done:
            additions += (Addition("response", parting or ({"nothing": True},), _HONEST_FINALS),)
        parting = ()
    else:
        additions += _relabelled(final.command, slots, asked)
    steps = _with_delay(asked, choices, {"pending": True}, parting)
    return Act(steps, additions, _about_legs(asked, slots), len(slots))


def _sub_operations(asked: Asked, slots: Sequence[Slot], stock: Stock, parting: Steps) -> tuple[Addition, ...]:
    """What becomes of those that are not sent, and where it ended when it ended in the middle."""
    additions = []
    fates = {slot.fate for slot in slots}
    is_first_open = True
    if not parting and Fate.OPEN not in fates and len(fates) == 1 and not any(slot.is_sent for slot in slots):
        return (Addition("sub-operation", ({"status": _COUNTED_AS[slots[0].fate]},)),)
    for slot in slots:
        if slot.is_sent and slot.fate is not Fate.OPEN:
            continue
        step: dict[str, Any] = {"status": _COUNTED_AS[slot.fate]}
        if slot.fate is Fate.OPEN and is_first_open:
            is_first_open = False
            if asked.final is None:
                additions.append(Addition({"sub-operation": stock.place(asked, slot)}, _or_silence(parting)))
                continue
            step = {"wait": {"until": "cancel", "max": _PATIENCE}, **step}
        additions.append(Addition({"sub-operation": stock.place(asked, slot)}, (step,)))
    return tuple(additions)


def _or_silence(parting: Steps) -> Steps:
    """What an answer is left out with between two sub-operations."""
    steps = tuple({key: value for key, value in step.items() if key != "nothing"} for step in parting)
    return tuple(step for step in steps if step) or ({"silence": True},)


def _relabelled(command: Command, slots: Sequence[Slot], asked: Asked) -> tuple[Addition, ...]:
    """What the final response says otherwise than the service will, when all goes as it went."""
    fates = [slot.fate for slot in slots]
    done = tuple(fates.count(fate) for fate in (Fate.COMPLETED, Fate.FAILED, Fate.WARNING))
    remaining = fates.count(Fate.OPEN)
    status = SUCCESS if not any(done[1:]) else _ALL_FAILED if done[1] == len(fates) else _PARTIAL
    status = CANCEL if remaining else status
    step: dict[str, Any] = {}
    if command.status != status:
        step["status"] = f"{command.status or 0:04X}"
    honest_comment = any(done[1:])
    if command.error_comment or honest_comment:
        step["comment"] = command.error_comment or ""
    named = ("completed", "failed", "warning", "remaining")
    counted = (
        command.completed_sub_operations,
        command.failed_sub_operations,
        command.warning_sub_operations,
        command.remaining_sub_operations,
    )
    expected = (*done, remaining or None)
    lies = {
        name: count for name, count, known in zip(named, counted, expected, strict=True) if count not in (None, known)
    }
    if lies:
        step["lie"] = lies
    if not step:
        return ()
    statuses = [f"{status:04X}"] if not lies else list(_HONEST_FINALS)
    if asked.service == "C-MOVE" and not asked.brought:
        statuses.append(_UNKNOWN_DESTINATION)
    return (Addition("response", (step,), tuple(statuses)),)


def _about_legs(asked: Asked, slots: Sequence[Slot]) -> tuple[str, ...]:
    if asked.service != "C-MOVE" or asked.brought or any(slot.is_sent for slot in slots):
        return ()
    destination = (asked.request.command.move_destination or "").strip()
    return (f"{asked.id} C-MOVE: what went to {destination or 'its destination'} was not recorded; nothing is brought",)


# requests that were never complete, and answers that are none


def _as_it_was(asked: Asked, choices: Choices) -> Act:
    """The bytes of the answer, with the identifiers they had."""
    note = f"{asked.id} {asked.service}: what came is no proper answer; it is sent as it was, its message ID included"
    steps = _with_delay(asked, choices, {"send": asked.raw}, ending(asked.parting, choices) or ({"nothing": True},))
    return Act(steps, (), (note,))


def _broken_off(asked: Asked) -> Act:
    """The server ended it while the data set was coming."""
    size = asked.request.data.size if asked.request.data is not None else 0
    at: dict[str, int] = {"received": size} if size else {"pdu": 1}
    return Act((), (Addition(at, ending(asked.parting, Choices())),))
