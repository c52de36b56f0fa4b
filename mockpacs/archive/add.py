"""Taking files from a disk into an archive: Part 10 files, bare data sets, and folders of them.

The bytes of the data set are kept as they are; a file that cannot be taken is reported, never raised.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from mockpacs.archive.header import SOP_CLASS_UID, SOP_INSTANCE_UID, read_data
from mockpacs.archive.ingest import Stored, Writer
from mockpacs.archive.spool import Spool
from mockpacs.wire.part10 import PREFIX, FileMeta, Head, decode_head, guess_transfer_syntax

_MEDIA_STORAGE_DIRECTORY: Final = "1.2.840.10008.1.3.10"
_START: Final = 1 << 16
_BLOCK: Final = 1 << 20
_IN_MEMORY: Final = 4 << 20
_PER_BATCH: Final = 64


@dataclass(frozen=True, slots=True)
class Added:
    """What became of one file: the answer a C-STORE would have got, and ``problem``, "" when the archive has it."""

    path: Path
    stored: Stored | None = None
    problem: str = ""


def add(writer: Writer, new_spool: Callable[[FileMeta], Spool], path: Path) -> Iterator[Added]:
    """Add a file, or every file below a folder, in the order of their names."""
    batch: list[tuple[Path, Spool]] = []
    for file in _files(path):
        taken = _read(file, new_spool)
        if isinstance(taken, str):
            yield Added(file, None, taken)
            continue
        batch.append((file, taken))
        if len(batch) >= _PER_BATCH or sum(spool.buffered for _, spool in batch) > _IN_MEMORY:
            yield from _store(writer, batch)
            batch = []
    yield from _store(writer, batch)


def _files(path: Path) -> Iterator[Path]:
    if not path.is_dir():
        yield path
        return
    for folder, folders, names in os.walk(path):
        folders.sort()
        yield from (Path(folder, name) for name in sorted(names))


def _store(writer: Writer, batch: list[tuple[Path, Spool]]) -> Iterator[Added]:
    answers = writer.store([spool for _, spool in batch]) if batch else []
    for (path, _), stored in zip(batch, answers, strict=True):
        yield Added(path, stored, "" if stored.path else stored.comment or f"refused with status {stored.status:04X}")


def _read(path: Path, new_spool: Callable[[FileMeta], Spool]) -> Spool | str:
    try:
        with path.open("rb") as file:
            start = file.read(_START)
            head = _head(start)
            if isinstance(head, str):
                return head
            spool = new_spool(head.meta)
            spool.append(start[head.data_offset :])
            _copy(file, spool)
            return spool
    except OSError as refused:
        return f"cannot be read: {refused.strerror}"


def _copy(file: BinaryIO, spool: Spool) -> None:
    while block := file.read(_BLOCK):
        spool.append(block)
        if spool.buffered > _IN_MEMORY:
            spool.spill()


def _head(start: bytes) -> Head | str:
    """Where the data set of a file begins and what it is, or why it is none."""
    head = decode_head(start)
    if head is None:
        offset = len(PREFIX) if start[128:132] == b"DICM" else 0
        head = Head(FileMeta("", "", ""), offset)
    data = start[head.data_offset :]
    transfer_syntax = head.meta.transfer_syntax or guess_transfer_syntax(data)
    if not transfer_syntax:
        return "not a DICOM file"
    meta = head.meta._replace(transfer_syntax=transfer_syntax)
    if meta.sop_class == _MEDIA_STORAGE_DIRECTORY:
        return "a DICOMDIR, not an instance"
    if not (meta.sop_class and meta.sop_instance):
        reading = read_data(data, meta)
        meta = meta._replace(
            sop_class=meta.sop_class or reading.value(SOP_CLASS_UID) or "",
            sop_instance=meta.sop_instance or reading.value(SOP_INSTANCE_UID) or "",
        )
    if not meta.sop_instance:
        return "a DICOM file without a SOP Instance UID"
    return Head(meta, head.data_offset)
