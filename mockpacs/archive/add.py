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

NewSpool = Callable[[FileMeta], Spool]

NOT_DICOM: Final = "not a DICOM file"
DIRECTORY: Final = "a DICOMDIR, not an instance"
_MEDIA_STORAGE_DIRECTORY: Final = "1.2.840.10008.1.3.10"
_START: Final = 1 << 16
_BLOCK: Final = 1 << 20
_IN_MEMORY: Final = 4 << 20
_PER_BATCH: Final = 64


@dataclass(frozen=True, slots=True)
class Added:
    """What became of one file: the answer a C-STORE would have got, and ``problem``, "" when the archive has it.

    ``sop_instance`` is "" when the file is none of an instance.
    """

    path: Path
    stored: Stored | None = None
    problem: str = ""
    sop_instance: str = ""


def take(writer: Writer, new_spool: NewSpool, path: Path) -> Iterator[Added]:
    """Take a file, or every file below a folder, in the order of their names."""
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
    for (path, spool), stored in zip(batch, answers, strict=True):
        yield Added(path, stored, problem(stored), spool.meta.sop_instance)


def problem(stored: Stored) -> str:
    """Why the archive does not have an instance, "" when it has."""
    return "" if stored.path else stored.comment or f"refused with status {stored.status:04X}"


def _read(path: Path, new_spool: NewSpool) -> Spool | str:
    try:
        with path.open("rb") as file:
            return spooled(file, new_spool)
    except OSError as refused:
        return f"cannot be read: {refused.strerror}"


def spooled(file: BinaryIO, new_spool: NewSpool) -> Spool | str:
    """What a file holds, read to its end in bounded memory, or why it cannot be taken. Raises what ``file`` raises."""
    start = _start(file)
    head = _head(start)
    if isinstance(head, str):
        return head
    spool = new_spool(head.meta)
    try:
        spool.append(start[head.data_offset :])
        while block := file.read(_BLOCK):
            spool.append(block)
            if spool.buffered > _IN_MEMORY:
                spool.spill()
    except BaseException:
        spool.discard()
        raise
    return spool


def _start(file: BinaryIO) -> bytes:
    """The beginning, whole: what is not a file on a disk may give less than it is asked for."""
    start = b""
    while len(start) < _START and (more := file.read(_START - len(start))):
        start += more
    return start


def _head(start: bytes) -> Head | str:
    """Where the data set of a file begins and what it is, or why it is none."""
    head = decode_head(start)
    if head is None:
        offset = len(PREFIX) if start[128:132] == b"DICM" else 0
        head = Head(FileMeta("", "", ""), offset)
    data = start[head.data_offset :]
    transfer_syntax = head.meta.transfer_syntax or guess_transfer_syntax(data)
    if not transfer_syntax:
        return NOT_DICOM
    meta = head.meta._replace(transfer_syntax=transfer_syntax)
    if meta.sop_class == _MEDIA_STORAGE_DIRECTORY:
        return DIRECTORY
    if not (meta.sop_class and meta.sop_instance):
        reading = read_data(data, meta)
        meta = meta._replace(
            sop_class=meta.sop_class or reading.value(SOP_CLASS_UID) or "",
            sop_instance=meta.sop_instance or reading.value(SOP_INSTANCE_UID) or "",
        )
    if not meta.sop_instance:
        return "a DICOM file without a SOP Instance UID"
    return Head(meta, head.data_offset)
