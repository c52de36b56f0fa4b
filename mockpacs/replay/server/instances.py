"""The instances that a recorded server brought for C-GET and C-MOVE, for the archive of the one that replays it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from mockpacs.archive import Archive, FileMeta, Spool
from mockpacs.replay.association import TapedAssociation
from mockpacs.replay.blob import Blob
from mockpacs.replay.server.heard import Asked
from mockpacs.wire import Role
from mockpacs.wire.status import Category, category_of

_PER_BATCH: Final = 64
_IN_MEMORY: Final = 4 << 20


@dataclass(frozen=True, slots=True)
class Instance:
    """One, as it was sent."""

    id: str
    """The retrieve that brought it."""
    meta: FileMeta
    data: Blob
    is_stand_in: bool = False
    """Whether it only stands for one that was not brought; it is never sent."""


def assign(asked: Sequence[Asked], legs: Iterable[TapedAssociation]) -> None:
    """Give each C-MOVE what its legs brought."""
    by_id = {one.id: one for one in asked}
    by_originator = {(one.calling, one.request.command.message_id): one for one in asked if one.service == "C-MOVE"}
    for leg in legs:
        causes = {one.number: one.cause for one in leg.exchanges}
        owners: dict[int, Asked] = {}
        for said in leg.messages():
            command = said.command
            if command.service != "C-STORE":
                continue
            if command.is_request and said.sender is Role.REQUESTOR:
                originator = (command.move_originator_aet or "", command.move_originator_message_id)
                owner = by_id.get(causes.get(said.exchange, "") or leg.cause) or by_originator.get(originator)
                if owner is not None and owner.service == "C-MOVE":
                    owners[said.exchange] = owner
                    owner.brought.append(said)
            elif said.exchange in owners:
                owners[said.exchange].brought_statuses.append(command.status or 0)


def filled(instances: Iterable[Instance], archive: Archive) -> Iterator[str]:
    """Store them; yields a sentence about each that is refused."""
    batch: list[tuple[Instance, Spool]] = []
    size = 0
    for instance in instances:
        spool = archive.spool(instance.meta)
        for block in instance.data.blocks():
            spool.append(block)
        batch.append((instance, spool))
        size += instance.data.size
        if len(batch) >= _PER_BATCH or size > _IN_MEMORY:
            yield from _stored(batch, archive)
            batch, size = [], 0
    yield from _stored(batch, archive)


def _stored(batch: Sequence[tuple[Instance, Spool]], archive: Archive) -> Iterator[str]:
    answers = archive.store([spool for _, spool in batch])
    for (instance, _), stored in zip(batch, answers, strict=True):
        if category_of(stored.status) not in (Category.SUCCESS, Category.WARNING):
            yield f"{instance.id}: {instance.meta.sop_instance} is not kept: {stored.comment}"
