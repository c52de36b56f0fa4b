"""What can be chosen about an archive. Every choice is the standard's reading unless somebody says otherwise."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Durability(StrEnum):
    """What an acknowledged instance survives.

    NORMAL: the death of the process at any moment. FULL: the death of the machine too; every file, its directory and
    every transaction are then forced to the disk before the answer, which costs milliseconds per batch.
    """

    NORMAL = "normal"
    FULL = "full"


class OnDuplicate(StrEnum):
    """What happens to an instance whose SOP Instance UID is stored already with other bytes."""

    KEEP = "keep"
    REPLACE = "replace"
    REFUSE = "refuse"


class Reaction(StrEnum):
    """How to answer a data set that is not what it should be. The bytes are kept by WARN and ACCEPT."""

    WARN = "warn"
    ACCEPT = "accept"
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True)
class ArchiveOptions:
    """The choices of an archive.

    ``duplicate_status`` is what KEEP answers: 0xB000 or 0x0000. ``unreadable``: the bytes stop making sense somewhere
    (WARN: B007, REFUSE: C000). ``mismatch``: the data set lacks its UIDs or contradicts the command (WARN: B007,
    REFUSE: A900; PS3.4 Table B.2-1). ``busy_timeout_seconds``: how long a locked index is waited for before A700.
    """

    durability: Durability = Durability.NORMAL
    on_duplicate: OnDuplicate = OnDuplicate.KEEP
    duplicate_status: int = 0xB000
    unreadable: Reaction = Reaction.WARN
    mismatch: Reaction = Reaction.WARN
    busy_timeout_seconds: float = 5.0
