"""Comparing files and index both ways. Only looks: nothing is changed, whatever it finds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from mockpacs.archive.catalogue import Entry, Progress, read_entry
from mockpacs.archive.database import Index
from mockpacs.archive.index import INDEXED, Level
from mockpacs.archive.rows import SERIES_INSTANCE_UID
from mockpacs.archive.store import Files


class FindingKind(StrEnum):
    """What can be wrong with a stored instance."""

    FILE_MISSING = "file missing"
    NOT_INDEXED = "not indexed"
    NOT_AN_INSTANCE = "not an instance"
    SIZE_DIFFERS = "size differs"
    UIDS_DIFFER = "UIDs differ"
    ATTRIBUTES_DIFFER = "attributes differ"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class Finding:
    """One disagreement; ``path`` is relative to the storage directory, ``text`` a sentence."""

    kind: FindingKind
    path: str
    text: str


# The UIDs of the command count, not those of the data set; those are compared with the file meta information.
_COMPARED: Final = tuple(
    at for at in INDEXED if at.level is Level.IMAGE and at.column not in ("sop_instance_uid", "sop_class_uid")
)
_ROW: Final = (
    "SELECT instance.path, size, data_offset, transfer_syntax_uid, sop_class_uid, series_instance_uid, "
    + ", ".join(f'"{at.column}"' for at in _COMPARED)
    + " FROM instance JOIN series ON series.id = instance.series WHERE sop_instance_uid = ?"
)


def verify(index: Index, files: Files, progress: Progress | None = None) -> Iterator[Finding]:
    """Every disagreement between files and index, while it is found.

    An instance that is being stored meanwhile may show up as one. Attributes of series, study and patient are those of
    the first instance stored, so that later instances may rightly say something else: they are not compared.
    """
    total = next(index.rows("SELECT count(*) FROM instance"))[0] if progress else 0
    done = 0
    for folder, _ in files.series_folders():
        for path in files.paths_in(folder):
            yield from _check_file(index, files, path)
            done += 1
            if progress:
                progress(done, max(done, total))
    for path, sop_instance in index.rows("SELECT path, sop_instance_uid FROM instance ORDER BY id"):
        if files.facts(path) is None:
            yield Finding(FindingKind.FILE_MISSING, path, f"The index has instance {sop_instance}, its file is gone.")


def _check_file(index: Index, files: Files, path: str) -> Iterator[Finding]:
    entry = read_entry(files, path)
    if entry is None:
        yield Finding(FindingKind.NOT_AN_INSTANCE, path, "The file has no readable file meta information.")
        return
    row = next(index.rows(_ROW, (entry.meta.sop_instance,)), None)
    if row is None:
        yield Finding(FindingKind.NOT_INDEXED, path, f"The index does not know instance {entry.meta.sop_instance}.")
    elif row[0] != path:
        yield Finding(FindingKind.NOT_INDEXED, path, f"The index has instance {entry.meta.sop_instance} at {row[0]}.")
    else:
        yield from _compare(entry, row[1:])


def _compare(entry: Entry, row: tuple[Any, ...]) -> Iterator[Finding]:
    size, data_offset, transfer_syntax, sop_class, series, *values = row
    path, reading = entry.file.path, entry.reading
    if (size, data_offset) != (entry.file.size, entry.file.data_offset):
        text = f"The file has {entry.file.size} bytes, the index says {size}."
        yield Finding(FindingKind.SIZE_DIFFERS, path, text)
    if (sop_class, transfer_syntax) != (entry.meta.sop_class, entry.meta.transfer_syntax):
        text = "SOP class or transfer syntax of the file are not those of the index."
        yield Finding(FindingKind.UIDS_DIFFER, path, text)
    if (reading.value(SERIES_INSTANCE_UID) or "") != (series or ""):
        yield Finding(FindingKind.UIDS_DIFFER, path, f"The index has the instance in series {series}.")
    differing = [at.column for at, value in zip(_COMPARED, values, strict=True) if reading.value(at.tag) != value]
    if differing:
        yield Finding(FindingKind.ATTRIBUTES_DIFFER, path, f"The file says otherwise about {', '.join(differing)}.")
    if reading.problem:
        yield Finding(FindingKind.UNREADABLE, path, f"The data set is not readable to its end: {reading.problem}.")
