"""`python -m bench.big_index DIRECTORY STUDIES`: a storage directory whose index has many studies, and no files.

The rows are written by the archive's own writer, so the index has exactly the shape that storing would give it.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

from bench.encoding import CT_IMAGE_STORAGE, EXPLICIT_LITTLE
from bench.synthetic import INSTANCES_PER_STUDY, Study, study
from mockpacs.archive import Archive, FileMeta
from mockpacs.archive.header import Reading
from mockpacs.archive.rows import Rows, StoredFile
from mockpacs.wire.dataset import Element

STUDIES_PER_TRANSACTION = 1000
CHARACTER_SET = "ISO_IR 100"


def fill(directory: Path, studies: int) -> None:
    """Write the rows. `stored_at` is long ago: a start after a crash then has nothing to look for."""
    rows = Rows()
    with Archive.open(directory) as archive:
        for first in range(0, studies, STUDIES_PER_TRANSACTION):
            with archive.index.transaction() as connection:
                for number in range(first, min(first + STUDIES_PER_TRANSACTION, studies)):
                    for reading, meta, file in _instances(study(number)):
                        rows.add(connection, reading, meta, file)


def _instances(described: Study) -> Iterator[tuple[Reading, FileMeta, StoredFile]]:
    shared = {tag: _element(tag, vr, value) for tag, (vr, value) in described.attributes.items()}
    for number in range(1, INSTANCES_PER_STUDY + 1):
        sop_instance = f"{described.uid}.1.{number}"
        own = {
            0x00080018: _element(0x00080018, "UI", sop_instance),
            0x00200013: _element(0x00200013, "IS", str(number)),
        }
        reading = Reading(shared | own, little_endian=True, problem="", character_set=CHARACTER_SET)
        meta = FileMeta(CT_IMAGE_STORAGE, sop_instance, EXPLICIT_LITTLE, "BENCH")
        path = f"archive/{described.uid}/{described.uid}.1/{sop_instance}.dcm"
        yield reading, meta, StoredFile(path, 526_478, 336, 0.0)


def _element(tag: int, vr: str, value: str) -> Element:
    return Element(tag, vr, memoryview(value.encode("latin-1")), False)


if __name__ == "__main__":
    fill(Path(sys.argv[1]), int(sys.argv[2]))
