"""A stored instance, for whoever sends it on: what it is, and its data set, byte for byte as it was received."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from mockpacs.archive.database import Index
from mockpacs.archive.store import Files
from mockpacs.errors import StorageError
from mockpacs.wire.part10 import FileMeta

_SELECT: Final = (
    "SELECT sop_class_uid, sop_instance_uid, transfer_syntax_uid, source_aet, path, size, data_offset "
    "FROM instance WHERE sop_instance_uid = ?"
)


@dataclass(frozen=True, slots=True)
class StoredInstance:
    """Where an instance is. The file is opened when the bytes are asked for, and may be gone by then: StorageError."""

    meta: FileMeta
    path: str
    size: int
    """Bytes of the data set."""
    data_offset: int
    files: Files

    def blocks(self, block_size: int = 1 << 18) -> Iterator[bytes]:
        """The data set in pieces of at most ``block_size`` bytes."""
        try:
            with self.files.open(self.path) as file:
                file.seek(self.data_offset)
                while block := file.read(block_size):
                    yield block
        except OSError as refused:
            raise StorageError(f"The stored file {self.path} cannot be read: {refused.strerror}.") from refused

    def read(self) -> bytes:
        """The whole data set."""
        return b"".join(self.blocks(max(self.size, 1)))


def stored_instance(index: Index, files: Files, sop_instance: str) -> StoredInstance | None:
    """Look an instance up by its SOP Instance UID."""
    row = next(index.rows(_SELECT, (sop_instance,)), None)
    if row is None:
        return None
    sop_class, sop_instance, transfer_syntax, source_aet, path, size, data_offset = row
    meta = FileMeta(sop_class, sop_instance, transfer_syntax, source_aet)
    return StoredInstance(meta, path, size - data_offset, data_offset, files)
