"""Requests and data sets for the tests of the services, encoded by pydicom."""

from __future__ import annotations

from typing import Any

from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset

from mockpacs.archive import Archive, FileMeta
from mockpacs.services.request import Request
from mockpacs.wire import AcceptedContext, CommandField, Tag, request

CT = "1.2.840.10008.5.1.4.1.1.2"
STUDY_ROOT = "1.2.840.10008.5.1.4.1.2.2.1"
IMPLICIT = "1.2.840.10008.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"


def encoded(dataset: Dataset, *, implicit: bool = False) -> bytes:
    file = DicomBytesIO()
    file.is_little_endian, file.is_implicit_VR = True, implicit
    write_dataset(file, dataset)
    return file.getvalue()


def ct(instance: str, **attributes: Any) -> bytes:
    dataset = Dataset()
    dataset.SOPClassUID, dataset.SOPInstanceUID, dataset.Modality = CT, instance, "CT"
    dataset.PatientName, dataset.PatientID = "Doe^Jane", "P1"
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = "1.2.3", "1.2.3.4"
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    return encoded(dataset)


def identifier(level: str = "STUDY", *, implicit: bool = False, **keys: Any) -> bytes:
    dataset = Dataset()
    dataset.QueryRetrieveLevel = level
    for keyword, value in keys.items():
        setattr(dataset, keyword, value)
    return encoded(dataset, implicit=implicit)


def store_request(
    archive: Archive, data: bytes, instance: str, *, sop_class: str = CT, context: str = CT, syntax: str = EXPLICIT
) -> Request:
    """A C-STORE whose data set has arrived in a spool."""
    command = request(
        CommandField.C_STORE_RQ,
        1,
        has_dataset=True,
        elements={Tag.AFFECTED_SOP_CLASS: sop_class, Tag.AFFECTED_SOP_INSTANCE: instance},
    )
    spool = archive.spool(FileMeta(context, instance, syntax, "SCU"))
    spool.append(data)
    return Request(command, AcceptedContext(1, context, syntax), spool)


def find_request(data: bytes | None, *, model: str = STUDY_ROOT, syntax: str = EXPLICIT, **more: Any) -> Request:
    """A C-FIND."""
    command = request(CommandField.C_FIND_RQ, 1, has_dataset=True, elements={Tag.AFFECTED_SOP_CLASS: model})
    return Request(command, AcceptedContext(5, model, syntax), data, **more)
