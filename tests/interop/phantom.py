"""Small made-up instances, written by pydicom."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydicom import Dataset, dcmwrite
from pydicom.dataset import FileMetaDataset
from pydicom.filewriter import write_file_meta_info
from pydicom.uid import UID, ExplicitVRLittleEndian
from pynetdicom.dsutils import encode

CT = "1.2.840.10008.5.1.4.1.1.2"
MR = "1.2.840.10008.5.1.4.1.1.4"
ROOT = "1.2.826.0.1.3680043.9.7999.2"


def instance(study: int = 1, series: int = 1, number: int = 1, *, modality: str = "CT", **attributes: Any) -> Dataset:
    """An instance by its numbers; keywords set attributes, None removes one."""
    made = Dataset()
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made.SOPClassUID = MR if modality == "MR" else CT
    made.SOPInstanceUID = f"{ROOT}.{study}.{series}.{number}"
    made.StudyDate = "20210101"
    made.StudyTime = "120000"
    made.AccessionNumber = f"A{study}"
    made.Modality = modality
    made.StudyDescription = "Thorax"
    made.PatientName = "Doe^Jane"
    made.PatientID = f"P{study}"
    made.StudyInstanceUID = f"{ROOT}.{study}"
    made.SeriesInstanceUID = f"{ROOT}.{study}.{series}"
    made.StudyID = str(study)
    made.SeriesNumber = str(series)
    made.InstanceNumber = str(number)
    for keyword, value in attributes.items():
        if value is None:
            delattr(made, keyword)
        else:
            setattr(made, keyword, value)
    return made


def write(folder: Path, instances: Iterable[Dataset]) -> list[Path]:
    """Part 10 files, for clients that send files."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for made in instances:
        paths.append(folder / f"{made.SOPInstanceUID}.dcm")
        dcmwrite(paths[-1], made, enforce_file_format=True)
    return paths


def encoded(made: Dataset, *, implicit: bool = False) -> bytes:
    """The data set in little endian."""
    data = encode(made, is_implicit_vr=implicit, is_little_endian=True)
    assert data is not None
    return data


def wrap(path: Path, sop_class: str, sop_instance: str, transfer_syntax: str, data: bytes) -> Path:
    """A Part 10 file around a data set that stays as it is."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = UID(sop_class)
    meta.MediaStorageSOPInstanceUID = UID(sop_instance)
    meta.TransferSyntaxUID = UID(transfer_syntax)
    meta.ImplementationClassUID = UID(f"{ROOT}.9")
    meta.FileMetaInformationVersion = b"\0\1"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.write(bytes(128) + b"DICM")
        write_file_meta_info(file, meta)
        file.write(data)
    return path
