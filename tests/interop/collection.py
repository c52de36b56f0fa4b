"""Five patients to ask for: chosen so that each thing a query server can get wrong shows."""

from __future__ import annotations

from pydicom import Dataset

from tests.interop.phantom import ROOT, instance


def _code(value: str, scheme: str, meaning: str) -> Dataset:
    code = Dataset()
    code.CodeValue = value
    code.CodingSchemeDesignator = scheme
    code.CodeMeaning = meaning
    return code


def _instances() -> list[Dataset]:
    john = {"PatientID": "P1", "PatientName": "Smith^John", "PatientSex": "M", "PatientBirthDate": "19700102"}
    first = {**john, "StudyDate": "20210101", "StudyTime": "0930", "AccessionNumber": "ACC_1"}
    second = {**john, "StudyDate": "20210615", "StudyTime": "223000", "AccessionNumber": "ACCX1"}
    third = {"PatientID": "P2", "PatientName": "Smith^John^^", "StudyDate": "20211231", "StudyTime": "104530"}
    third |= {"AccessionNumber": "ACC%1", "StudyDescription": "thorax", "ReferringPhysicianName": "House^Gregory"}
    jane = {"PatientID": "P3", "PatientName": "SMITHE^Jane", "StudyDate": "20200229", "StudyTime": "235959.5"}
    jane |= {"AccessionNumber": "", "StudyDescription": "", "OtherPatientIDs": ["X1", "X2"]}
    jane |= {"TimezoneOffsetFromUTC": "+0100"}
    jane |= {"ProcedureCodeSequence": [_code("T1", "99A", "Chest"), _code("T2", "99B", "Neck")]}
    nobody = {"PatientID": "P5", "PatientName": "", "StudyDate": "", "StudyTime": "", "AccessionNumber": "50%"}
    return [
        instance(1, 1, 1, **first, SliceThickness="1.50", ImageType=["ORIGINAL", "PRIMARY"]),
        instance(1, 1, 2, **first, SliceThickness="2", ImageType=["DERIVED", "PRIMARY"]),
        instance(1, 2, 1, modality="MR", **first, SeriesDescription="T1 axial"),
        instance(2, 1, 1, **second, StudyDescription=None),
        instance(3, 1, 1, modality="US", **third, SeriesDate="20211231"),
        instance(4, 1, 1, modality="MR", **jane, AcquisitionDateTime="20200229235959.5+0100"),
        instance(4, 1, 2, modality="MR", **jane, AcquisitionDateTime="20200301"),
        instance(5, 1, 1, **nobody),
    ]


COLLECTION = _instances()


def uid(*numbers: int) -> str:
    """The UID of a study, series or instance by its numbers."""
    return ".".join((ROOT, *map(str, numbers)))


def numbers(match: Dataset) -> str:
    """The entity of a match by its numbers: P1 for a patient, 1 a study, 1.2 a series, 1.2.1 an instance."""
    keyword = {
        "PATIENT": "PatientID",
        "STUDY": "StudyInstanceUID",
        "SERIES": "SeriesInstanceUID",
        "IMAGE": "SOPInstanceUID",
    }[match.QueryRetrieveLevel]
    return str(match[keyword].value).removeprefix(f"{ROOT}.")
