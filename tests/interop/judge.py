"""What is on the disk of an archive, read without any code of mockpacs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pydicom.uid import UID
from pynetdicom.dsutils import split_dataset

from tests.interop.inputs import silence
from tests.interop.programs import mockpacs

Content = tuple[str, str, str, bytes]


@dataclass(frozen=True, slots=True)
class OnDisk:
    """A Part 10 file taken apart: what its file meta information says, and its data set byte by byte."""

    path: Path
    sop_class: UID
    sop_instance: UID
    transfer_syntax: UID
    source_aet: str
    data: bytes

    @property
    def content(self) -> Content:
        """What must be the same wherever the file is."""
        return self.sop_class, self.sop_instance, self.transfer_syntax, self.data


def read(path: Path) -> OnDisk:
    """One Part 10 file."""
    raw = path.read_bytes()
    assert raw[128:132] == b"DICM", path
    with silence():
        meta, offset = split_dataset(path)
        assert meta.FileMetaInformationVersion == b"\0\1"
        uids = (meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID, meta.TransferSyntaxUID)
        return OnDisk(path, *uids, str(meta.get("SourceApplicationEntityTitle", "")), raw[offset:])


def stored(storage: Path) -> dict[str, OnDisk]:
    """Everything in the archive below a storage directory, by SOP Instance UID."""
    return by_instance((storage / "archive").rglob("*.dcm"))


def exported(recording: Path, folder: Path) -> Counter[Content]:
    """What ``mockpacs export --objects`` takes out of a recording."""
    ran = mockpacs("export", recording, "--objects", folder)
    assert ran.status == 0, ran.text
    return Counter(read(path).content for path in folder.iterdir())


def by_instance(paths: Iterable[Path]) -> dict[str, OnDisk]:
    """Part 10 files by SOP Instance UID; none may occur twice."""
    files = [read(path) for path in paths]
    found = {str(file.sop_instance): file for file in files}
    assert len(found) == len(files)
    return found
