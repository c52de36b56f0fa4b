"""Real input: every file inside the wheels of pydicom and pynetdicom, and how each can be sent.

What cannot be sent, or only with help, is listed by name with the reason. A file that is in no list is sent as it is.
"""

from __future__ import annotations

import gzip
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.util import find_spec
from pathlib import Path

from pydicom import dcmread
from pydicom.uid import UID, ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom.dsutils import split_dataset

CT = "1.2.840.10008.5.1.4.1.1.2"
MR = "1.2.840.10008.5.1.4.1.1.4"
SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
RT_IMAGE = "1.2.840.10008.5.1.4.1.1.481.1"
RT_STRUCTURE_SET = "1.2.840.10008.5.1.4.1.1.481.3"
RT_ION_PLAN = "1.2.840.10008.5.1.4.1.1.481.8"
MEDIA_STORAGE_DIRECTORY = "1.2.840.10008.1.3.10"

_DIRECTORY = "a DICOMDIR: its SOP class is of media storage, there is no network service for it"
_OTHER = "not DICOM"
NOT_SENT = {
    "dicomdirtests/DICOMDIR": _DIRECTORY,
    "dicomdirtests/DICOMDIR-bigEnd": _DIRECTORY,
    "dicomdirtests/DICOMDIR-empty.dcm": _DIRECTORY,
    "dicomdirtests/DICOMDIR-implicit": _DIRECTORY,
    "dicomdirtests/DICOMDIR-nooffset": _DIRECTORY,
    "dicomdirtests/DICOMDIR-nopatient": _DIRECTORY,
    "dicomdirtests/DICOMDIR-reordered": _DIRECTORY,
    "dicomdirtests/TINY_ALPHA/DICOMDIR": _DIRECTORY,
    "dicomdirtests/TINY_ALPHA/README": _OTHER,
    "dicomdirtests/README.txt": _OTHER,
    "FileInfo.txt": _OTHER,
    "README.txt": _OTHER,
    "crayons.icc": _OTHER,
    "rtplan.dump": _OTHER,
    "rtstruct.dump": _OTHER,
    "test1.json": _OTHER,
    "test_PN.json": _OTHER,
}
"""Files that no client could send, and why."""

IMPLICIT, EXPLICIT, BIG = ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian

ADOPTED = {
    "ExplVR_BigEndNoMeta.dcm": (RT_ION_PLAN, BIG, "no file meta information"),
    "ExplVR_LitEndNoMeta.dcm": (RT_ION_PLAN, EXPLICIT, "no file meta information"),
    "no_meta.dcm": (CT, EXPLICIT, "no file meta information"),
    "rtstruct.dcm": (RT_STRUCTURE_SET, IMPLICIT, "no file meta information"),
    "empty_charset_LEI.dcm": (SECONDARY_CAPTURE, IMPLICIT, "file meta information without UIDs"),
    "meta_missing_tsyntax.dcm": (SECONDARY_CAPTURE, IMPLICIT, "file meta information without a transfer syntax"),
    "nested_priv_SQ.dcm": (SECONDARY_CAPTURE, IMPLICIT, "file meta information with empty UIDs"),
    "CTImageStorage_bad_meta.dcm": (CT, EXPLICIT, "file meta information without a SOP class"),
    "zipMR.gz": (MR, EXPLICIT, "compressed with gzip"),
}
"""Files that lack what a client needs: the class and transfer syntax the test says for them, and why."""


@dataclass(frozen=True)
class Input:
    """A file and what a client says about it on the wire. ``data`` is the data set, byte by byte as in the file."""

    path: Path
    name: str
    sop_class: UID
    sop_instance: UID
    transfer_syntax: UID
    data: bytes

    @cached_property
    def instance_in_data_set(self) -> str:
        """The SOP Instance UID inside the data set: not always that of the file meta information."""
        with silence():
            found = dcmread(self.path, specific_tags=["SOPInstanceUID"], stop_before_pixels=True)
        return str(found.get("SOPInstanceUID", ""))


@contextmanager
def silence() -> Iterator[None]:
    """Among these files are many that pydicom has to say something about; that is not what is tested."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def folders() -> list[Path]:
    """Where the wheels keep their files."""
    inside = {"pydicom": ("data/test_files", "data/charset_files"), "pynetdicom": ("tests/dicom_files",)}
    found = []
    for package, names in inside.items():
        spec = find_spec(package)
        assert spec is not None
        assert spec.origin is not None
        found += [Path(spec.origin).parent / name for name in names]
    return found


def all_files() -> Iterator[tuple[str, Path]]:
    """Every file, DICOM or not, with its name below its folder."""
    for folder in folders():
        for path in sorted(folder.rglob("*")):
            if path.is_file() and path.suffix not in (".py", ".pyc"):
                yield path.relative_to(folder).as_posix(), path


@cache
def inputs() -> tuple[Input, ...]:
    """Everything that a client can send as it is."""
    return tuple(_read(name, path) for name, path in all_files() if name not in NOT_SENT and name not in ADOPTED)


@cache
def named(name: str) -> Input:
    """One input."""
    return next(each for each in inputs() if each.name == name)


def adopted() -> list[Input]:
    """The files that need help, with the help they need."""
    paths = dict(all_files())
    made = []
    for number, (name, (sop_class, syntax, _)) in enumerate(ADOPTED.items(), 1):
        instance = UID(f"1.2.826.0.1.3680043.9.7999.{number}")
        made.append(Input(paths[name], name, UID(sop_class), instance, syntax, _data_set(paths[name])))
    return made


def waves(of: Iterable[Input]) -> list[list[Input]]:
    """The same files in as few groups as possible in which no SOP Instance UID occurs twice, in file or data set."""
    groups: list[list[Input]] = []
    seen: list[set[str]] = []
    for each in of:
        uids = {each.sop_instance, each.instance_in_data_set}
        at = next((number for number, others in enumerate(seen) if others.isdisjoint(uids)), len(groups))
        if at == len(groups):
            groups.append([])
            seen.append(set())
        groups[at].append(each)
        seen[at] |= uids
    return groups


def _read(name: str, path: Path) -> Input:
    with silence():
        meta, offset = split_dataset(path)
        uids = (meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID, meta.TransferSyntaxUID)
    return Input(path, name, *uids, path.read_bytes()[offset:])


def _data_set(path: Path) -> bytes:
    raw = path.read_bytes()
    if path.suffix == ".gz":
        raw = gzip.decompress(raw)
    if raw[128:132] != b"DICM":
        return raw
    at = 132  # behind the last element of group 0002, whose length a damaged file does not say
    while raw[at : at + 2] == b"\2\0":
        long = raw[at + 4 : at + 6] in (b"OB", b"UN", b"OW", b"SQ", b"UT")
        size = raw[at + 8 : at + 12] if long else raw[at + 6 : at + 8]
        at += (12 if long else 8) + int.from_bytes(size, "little")
    return raw[at:]
