"""Judging a data set by what it says about itself and what the command said: a status of PS3.4 Table B.2-1. Pure."""

from __future__ import annotations

from typing import Final, NamedTuple

from mockpacs.archive.header import SOP_CLASS_UID, SOP_INSTANCE_UID, Reading
from mockpacs.archive.options import ArchiveOptions, Reaction
from mockpacs.archive.rows import SERIES_INSTANCE_UID, STUDY_INSTANCE_UID
from mockpacs.wire.part10 import FileMeta
from mockpacs.wire.status import CANNOT_UNDERSTAND, DOES_NOT_MATCH, DOES_NOT_MATCH_WARNING, SUCCESS

COMMENT_AT_MOST: Final = 64  # (0000,0902) is an LO

_IDENTITY: Final = (
    (SOP_CLASS_UID, "SOP Class UID"),
    (SOP_INSTANCE_UID, "SOP Instance UID"),
    (STUDY_INSTANCE_UID, "Study Instance UID"),
    (SERIES_INSTANCE_UID, "Series Instance UID"),
)


class Verdict(NamedTuple):
    """How a data set deserves to be answered by what it says about itself."""

    status: int
    comment: str = ""
    offending: tuple[int, ...] = ()


_GOOD: Final = Verdict(SUCCESS)


def judge(meta: FileMeta, reading: Reading, options: ArchiveOptions) -> Verdict:
    """What the options say about a data set that came with these UIDs in its command (PS3.4 Table B.2-1)."""
    if reading.problem:
        if options.unreadable is Reaction.ACCEPT:
            return _GOOD
        refuse = options.unreadable is Reaction.REFUSE
        status = CANNOT_UNDERSTAND if refuse else DOES_NOT_MATCH_WARNING
        return Verdict(status, f"Unreadable: {reading.problem}"[:COMMENT_AT_MOST])
    if options.mismatch is Reaction.ACCEPT:
        return _GOOD
    complaint = _complaint(meta, reading)
    if complaint is None:
        return _GOOD
    status = DOES_NOT_MATCH if options.mismatch is Reaction.REFUSE else DOES_NOT_MATCH_WARNING
    return Verdict(status, complaint[0], (complaint[1],))


def _complaint(meta: FileMeta, reading: Reading) -> tuple[str, int] | None:
    for tag, name in _IDENTITY:
        if not reading.value(tag):
            return f"The data set has no {name}", tag
    if reading.value(SOP_INSTANCE_UID) != meta.sop_instance:
        return "SOP Instance UID of data set and command differ", SOP_INSTANCE_UID
    if reading.value(SOP_CLASS_UID) != meta.sop_class:
        return "SOP Class UID of data set and command differ", SOP_CLASS_UID
    return None
