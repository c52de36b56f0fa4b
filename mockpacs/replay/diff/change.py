"""What is not the same in two recordings, as values."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Topic(StrEnum):
    """What a difference is about, where it is no attribute: the words that can be ignored."""

    ATTRIBUTE = "attribute"
    """An element of a command set or a data set; it is ignored by its keyword."""
    TITLES = "titles"
    CONTEXTS = "contexts"
    ROLES = "roles"
    EXTENDED = "extended"
    USER = "user"
    WINDOW = "window"
    MAX_PDU = "max-pdu"
    ENDING = "ending"
    ORDER = "order"
    PROGRESS = "progress"
    TRANSFER_SYNTAX = "transfer-syntax"
    VR = "vr"
    NOISE = "noise"
    TIMES = "times"
    PRESENCE = "presence"
    IMPLEMENTATION = "implementation"
    ADDRESSES = "addresses"
    MESSAGE_IDS = "message-ids"
    GROUP_LENGTHS = "group-lengths"
    RENAMED_UIDS = "renamed-uids"


class Change(NamedTuple):
    """One difference. The texts are for a person, and can be shown."""

    where: str
    """``request``, ``match 3``, ``response``, ``acceptor``; "" where there is but one place."""
    name: str
    """``Status``, ``RequestAttributesSequence[1].ScheduledProcedureStepID``, ``maximum PDU length``"""
    before: str | None
    """In the first recording; None when it is not there."""
    after: str | None
    """In the second one."""
    topic: Topic = Topic.ATTRIBUTE
    tag: int | None = None
    note: str = ""
    """What the texts do not show: where bytes begin to differ, and the like."""
    sop_class: str = ""
    """Of which SOP class something was negotiated, by its name."""
    uids: tuple[tuple[str, str], ...] = ()
    """The UIDs that are not equal, when nothing else is; as renamed they may be the same."""
