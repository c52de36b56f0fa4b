"""Small made-up instances, written by pydicom."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from pydicom import Dataset, dcmwrite
from pydicom.dataset import FileMetaDataset
from pydicom.filewriter import write_file_meta_info
from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import AE
from pynetdicom.association import Association
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.dsutils import encode
from pynetdicom.pdu_primitives import SOPClassExtendedNegotiation
from pynetdicom.presentation import PresentationContext

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


def associate(pacs: Any, *contexts: tuple[str, Any], **how: Any) -> Association:
    """An association of pynetdicom: pairs of an abstract syntax and its transfer syntaxes."""
    entity = AE(ae_title=how.pop("calling", "PYNETDICOM"))
    entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = 20
    for abstract_syntax, transfer_syntaxes in contexts:
        entity.add_requested_context(abstract_syntax, transfer_syntaxes)
    return entity.associate(pacs.host, pacs.port, ae_title=how.pop("called", pacs.aet), **how)


def store(pacs: Any, *instances: Dataset) -> list[int]:
    """Send with pynetdicom on one association; the statuses."""
    syntaxes = [ExplicitVRLittleEndian, ImplicitVRLittleEndian]
    association = associate(pacs, *((uid, syntaxes) for uid in dict.fromkeys(made.SOPClassUID for made in instances)))
    assert association.is_established
    try:
        return [association.send_c_store(made).Status for made in instances]
    finally:
        association.release()


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


def send_bytes(association: Association, context: PresentationContext, sop_instance: str, data: bytes) -> C_STORE:
    """A C-STORE of any bytes; pynetdicom itself does not send what it cannot read. The response."""
    request = C_STORE()
    request.MessageID = 7
    request.Priority = 0
    request.AffectedSOPClassUID = context.abstract_syntax
    request.AffectedSOPInstanceUID = UID(sop_instance)
    request.DataSet = BytesIO(data)
    association._reactor_checkpoint.clear()  # as its own send_c_store does: the answer is ours to read
    try:
        association.dimse.send_msg(request, context.context_id)
        _, response = association.dimse.get_msg(block=True)
    finally:
        association._reactor_checkpoint.set()
    assert isinstance(response, C_STORE), "no answer in time"
    assert response.MessageIDBeingRespondedTo == 7
    return response


PATIENT_ROOT, STUDY_ROOT, PATIENT_STUDY = (f"1.2.840.10008.5.1.4.1.2.{model}.1" for model in (1, 2, 3))


def keys(level: str, **values: Any) -> Dataset:
    """An identifier; keywords are its keys, None is an empty one."""
    made = Dataset()
    made.QueryRetrieveLevel = level
    for keyword, value in values.items():
        setattr(made, keyword, value)
    return made


@dataclass(frozen=True, slots=True)
class Answer:
    """What pynetdicom received: pairs of a pending status and an identifier, then the final response."""

    matches: list[tuple[int, Dataset]]
    final: Dataset
    agreed: bytes | None
    """The application information of extended negotiation."""

    @property
    def identifiers(self) -> list[Dataset]:
        return [identifier for _, identifier in self.matches]


def ask(pacs: Any, identifier: Dataset, *, model: str = STUDY_ROOT, extended: bytes | None = None) -> Answer:
    """C-FIND by pynetdicom on an association of its own, with extended negotiation if there is something to offer."""
    items = []
    if extended is not None:
        offer = SOPClassExtendedNegotiation()
        offer.sop_class_uid = UID(model)
        offer.service_class_application_information = extended
        items.append(offer)
    association = associate(pacs, (model, ExplicitVRLittleEndian), ext_neg=items)
    assert association.is_established
    try:
        *pending, final = association.send_c_find(identifier, model)
    finally:
        association.release()
    matches = [(status.Status, found) for status, found in pending]
    return Answer(matches, final[0], association.acceptor.sop_class_extended.get(UID(model)))
