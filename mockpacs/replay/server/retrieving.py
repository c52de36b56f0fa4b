"""What a recorded retrieve did, sub-operation by sub-operation, and what an archive must hold to do it again.

Of an instance that the server did not bring only its UID is known at best: something of that UID stands for it, and a
rule says what becomes of it instead of sending it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from mockpacs.archive import FileMeta
from mockpacs.replay.blob import Blob
from mockpacs.replay.server.heard import Asked
from mockpacs.replay.server.instances import Instance
from mockpacs.replay.step import Said
from mockpacs.scenario.facts import DataFacts
from mockpacs.wire import Command
from mockpacs.wire.dataset import EXPLICIT_LITTLE, Encoding, encode_element
from mockpacs.wire.status import CANCEL, Category, category_of

MOST_MISSING: Final = 1000
"""Sub-operations of one retrieve that are played although nothing was brought; a server may claim any number."""
_CLASS, _INSTANCE, _PATIENT, _STUDY, _SERIES = 0x00080016, 0x00080018, 0x00100020, 0x0020000D, 0x0020000E
_LEVELS: Final = (_PATIENT, _STUDY, _SERIES, _INSTANCE)
_FAILED_LIST: Final = 0x00080058
_SECONDARY_CAPTURE: Final = "1.2.840.10008.5.1.4.1.1.7"
_EXPLICIT_UID: Final = "1.2.840.10008.1.2.1"
_HEAD: Final = 1 << 20


class Fate(StrEnum):
    """What a sub-operation was counted as; ``open`` is one that never was."""

    COMPLETED = "completed"
    FAILED = "failed"
    WARNING = "warning"
    OPEN = "open"


@dataclass(slots=True)
class Slot:
    """One sub-operation."""

    fate: Fate
    said: Said | None
    """The C-STORE request, None when there was none, or none was recorded."""
    sop_instance: str

    is_sent: bool
    """Whether it is to be sent again, to end as its receiver likes."""


def slots_of(asked: Asked) -> list[Slot]:
    """The sub-operations of a retrieve in their order."""
    brought = [(said, _fate_of(asked, number)) for number, said in enumerate(asked.brought)]
    usual = [fate for _, fate in brought]
    fates = _fates(asked, usual) or usual
    answered = {id(said) for said in asked.brought[: len(asked.brought_statuses)]}
    slots: list[Slot] = []
    for fate in fates:
        if brought and (fate is brought[0][1] or (fate is Fate.OPEN and brought[0][1] is Fate.FAILED)):
            said, _ = brought.pop(0)
            uid = said.command.affected_sop_instance or ""
            slots.append(Slot(fate, said, uid, said.is_whole and bool(uid) and id(said) in answered))
        else:
            slots.append(Slot(fate, None, "", False))
    for said, fate in brought:  # the counters do not say where they belong
        free = next((slot for slot in slots if slot.said is None), None)
        uid = said.command.affected_sop_instance or ""
        if free is None:
            slots.append(Slot(fate, said, uid, said.is_whole and bool(uid)))
        else:
            free.said, free.sop_instance, free.is_sent = said, uid, said.is_whole and bool(uid)
    _name(asked, slots)
    return slots


def _fate_of(asked: Asked, number: int) -> Fate:
    if number >= len(asked.brought_statuses):
        return Fate.FAILED
    match category_of(asked.brought_statuses[number]):
        case Category.SUCCESS:
            return Fate.COMPLETED
        case Category.WARNING:
            return Fate.WARNING
    return Fate.FAILED


def _fates(asked: Asked, brought: Sequence[Fate]) -> list[Fate]:
    """As the counters of the responses tell; nothing when they do not count, or cannot be true."""
    fates: list[Fate] = []
    known = dict.fromkeys((Fate.COMPLETED, Fate.WARNING, Fate.FAILED), 0)
    total: int | None = None
    for response in asked.responses:
        command = response.command
        counted = dict(zip(known, _counters(command), strict=True))
        own = sum(counted.values()) + (command.remaining_sub_operations or 0)
        if command.completed_sub_operations is None and command.failed_sub_operations is None:
            continue
        if total not in (None, own):
            if response is asked.final:
                break  # it lies, or the others do
            return []
        total = own
        if total > MOST_MISSING + len(brought) or any(counted[fate] < known[fate] for fate in known):
            return []
        fates += [fate for fate in known for _ in range(counted[fate] - known[fate])]
        known = counted
    fates += [Fate.OPEN] * ((total or 0) - len(fates))
    if asked.final is None or asked.final.command.status == CANCEL:
        return fates
    # what no response has counted
    return [
        fate if fate is not Fate.OPEN else brought[place] if place < len(brought) else Fate.FAILED
        for place, fate in enumerate(fates)
    ]


def _counters(command: Command) -> tuple[int, int, int]:
    return (
        command.completed_sub_operations or 0,
        command.warning_sub_operations or 0,
        command.failed_sub_operations or 0,
    )


def _name(asked: Asked, slots: Sequence[Slot]) -> None:
    """UIDs for what was not brought: those that the server named as failed, or that were asked for."""
    taken = {slot.sop_instance for slot in slots}
    named = iter([uid for uid in (*_failed(asked), *_values(asked.request, _INSTANCE)) if uid not in taken])
    for slot in slots:
        if not slot.sop_instance and slot.fate in (Fate.FAILED, Fate.OPEN):
            slot.sop_instance = next(named, "")


def _failed(asked: Asked) -> Sequence[str]:
    final = asked.final
    return _values(final, _FAILED_LIST) if final is not None else ()


def _values(said: Said, tag: int) -> Sequence[str]:
    if said.data is None:
        return ()
    encoding = Encoding.of(said.context.transfer_syntax)
    return [value for value in DataFacts(said.data.head(_HEAD), encoding).values(tag) or () if value]


def _made_up(*parts: object) -> str:
    digest = hashlib.sha256(" ".join(map(str, parts)).encode()).digest()
    return f"2.25.{int.from_bytes(digest[:15], 'big')}"


Home = dict[int, str]
"""The patient, study, series and SOP Instance UID of an instance, by tag."""


class Stock:
    """The instances that the archive of a replayed server must hold, each once, in the order of the retrieves."""

    def __init__(self, asked: Iterable[Asked]) -> None:
        self.notes: list[str] = []
        self.slots: dict[str, list[Slot]] = {}
        """By the id of the retrieve."""
        self._retrieves = [
            one
            for one in asked
            if one.service in ("C-GET", "C-MOVE") and (one.brought or one.pending or _counts_any(one))
        ]
        self._wanted = {
            one.id: {tag: frozenset(_values(one.request, tag)) for tag in _LEVELS} for one in self._retrieves
        }
        self._instances: dict[str, Instance] = {}
        self._homes: dict[str, Home] = {}
        for one in self._retrieves:
            self.slots[one.id] = slots_of(one)
            self._take(one)
        for one in self._retrieves:
            self._borrow(one)
        for one in self._retrieves:
            self._stand_in(one)
        order = [slot.sop_instance for one in self._retrieves for slot in self.slots[one.id]]
        self._instances = {uid: self._instances[uid] for uid in dict.fromkeys(order)}
        self._places = {cause: self._order(slots) for cause, slots in self.slots.items()}
        self._notice_strangers()

    @property
    def instances(self) -> list[Instance]:
        """All of them."""
        return list(self._instances.values())

    def place(self, asked: Asked, slot: Slot) -> int:
        """Which sub-operation it will be, counted from 1."""
        return self._places[asked.id][slot.sop_instance]

    def _order(self, slots: Iterable[Slot]) -> dict[str, int]:
        own = {slot.sop_instance for slot in slots}
        return {uid: place for place, uid in enumerate((one for one in self._instances if one in own), 1)}

    def _take(self, asked: Asked) -> None:
        """What was brought."""
        for slot in self.slots[asked.id]:
            said = slot.said
            made = _instance(asked.id, slot) if said is not None and said.is_whole else None
            if made is not None and said is not None and slot.sop_instance not in self._instances:
                self._instances[slot.sop_instance] = made
                self._homes[slot.sop_instance] = {
                    **{tag: next(iter(_values(said, tag)), "") for tag in _LEVELS},
                    _INSTANCE: slot.sop_instance,
                }

    def _borrow(self, asked: Asked) -> None:
        """Where it was not captured what was brought: what others brought of the same study, if it is as much."""
        slots = self.slots[asked.id]
        own = {slot.sop_instance for slot in slots}
        others = iter([uid for uid in self._meeting(asked) if uid not in own])
        for slot in slots:
            if not slot.sop_instance and slot.fate in (Fate.COMPLETED, Fate.WARNING):
                slot.sop_instance = next(others, "")
                slot.is_sent = slot.fate is Fate.COMPLETED and bool(slot.sop_instance)

    def _stand_in(self, asked: Asked) -> None:
        """Something for each instance that nobody has; without it where another retrieve would bring it."""
        slots = self.slots[asked.id]
        home = self._home(asked, slots)
        kept = []
        for number, slot in enumerate(slots):
            uid = slot.sop_instance or _made_up(*sorted(map(str, self._wanted[asked.id].values())), number)
            if uid not in self._instances:
                own = {**home, _INSTANCE: uid}
                if self._is_strange(own):
                    continue
                slot.sop_instance = uid
                self._instances[uid] = _standing_in(asked.id, own)
                self._homes[uid] = own
            slot.sop_instance = uid
            kept.append(slot)
        self.slots[asked.id] = kept

    def _is_strange(self, home: Home) -> bool:
        """Whether a retrieve that did not fail would bring it."""
        return any(
            self._meets(home, one) and all(slot.is_sent for slot in self.slots[one.id]) for one in self._retrieves
        )

    def _meeting(self, asked: Asked) -> list[str]:
        return [uid for uid, home in self._homes.items() if self._meets(home, asked)]

    def _meets(self, home: Home, asked: Asked) -> bool:
        """Whether the retrieve asks for such an instance."""
        return all(not values or home[tag] in values for tag, values in self._wanted[asked.id].items())

    def _home(self, asked: Asked, slots: Sequence[Slot]) -> Home:
        """Where the retrieve will find what stands for an instance."""
        known = next((self._homes[slot.sop_instance] for slot in slots if slot.sop_instance in self._homes), {})
        home = {}
        for tag in _LEVELS:
            made_up = "" if tag == _PATIENT else _made_up(asked.id, tag)
            home[tag] = next(iter(sorted(self._wanted[asked.id][tag])), "") or known.get(tag, "") or made_up
        first = next((slot.said for slot in slots if slot.said is not None), None)
        home[_CLASS] = (first.command.affected_sop_class if first is not None else "") or _SECONDARY_CAPTURE
        return home

    def _notice_strangers(self) -> None:
        for one in self._retrieves:
            found, own = len(self._meeting(one)), len({slot.sop_instance for slot in self.slots[one.id]})
            if found > own:
                self.notes.append(
                    f"{one.id} {one.service}: {own} instances were brought, the archive will have {found}: others came "
                    "later; choose fewer associations with a filter"
                )


def _counts_any(asked: Asked) -> bool:
    return asked.final is not None and any(_counters(asked.final.command))


def _instance(cause: str, slot: Slot) -> Instance | None:
    said = slot.said
    if said is None or said.data is None or not slot.sop_instance:
        return None
    sop_class = said.command.affected_sop_class or said.context.abstract_syntax
    meta = FileMeta(sop_class, slot.sop_instance, said.context.transfer_syntax or "1.2.840.10008.1.2")
    return Instance(cause, meta, said.data)


def _standing_in(cause: str, home: Home) -> Instance:
    elements = {tag: home[tag] for tag in (_CLASS, _INSTANCE, _PATIENT, _STUDY, _SERIES)}
    data = b"".join(
        encode_element(tag, "LO" if tag == _PATIENT else "UI", text.encode("ascii", "replace"), EXPLICIT_LITTLE)
        for tag, text in elements.items()
    )
    return Instance(cause, FileMeta(home[_CLASS], home[_INSTANCE], _EXPLICIT_UID), Blob(data), is_stand_in=True)
