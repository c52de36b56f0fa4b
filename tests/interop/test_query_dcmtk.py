"""DCMTK's findscu asks in all models, at all levels, with every kind of matching; pydicom reads the answers."""

from __future__ import annotations

from pathlib import Path

import pytest

from mockpacs import MockPACS
from tests.interop.collection import numbers, uid
from tests.interop.programs import findscu

S1, S4 = f"StudyInstanceUID={uid(1)}", f"StudyInstanceUID={uid(4)}"
P1, P3 = "PatientID=P1", "PatientID=P3"

QUESTIONS: dict[str, tuple[str, str, list[str], str]] = {
    # what is asked: model, level, keys, who answers
    "all patients": ("-P", "PATIENT", ["PatientID"], "P1 P2 P3 P5"),
    "a patient's studies": ("-P", "STUDY", [P1, "StudyInstanceUID"], "1 2"),
    "a patient's series": ("-P", "SERIES", [P1, S1, "SeriesInstanceUID"], "1.1 1.2"),
    "a patient's images": ("-P", "IMAGE", [P1, S1, f"SeriesInstanceUID={uid(1, 1)}", "SOPInstanceUID"], "1.1.1 1.1.2"),
    "another patient's study": ("-P", "STUDY", ["PatientID=P2", S1], ""),
    "all studies": ("-S", "STUDY", ["StudyInstanceUID"], "1 2 3 4 5"),
    "a study's series": ("-S", "SERIES", [S1, "SeriesInstanceUID"], "1.1 1.2"),
    "a series' images": ("-S", "IMAGE", [S1, f"SeriesInstanceUID={uid(1, 2)}", "SOPInstanceUID"], "1.2.1"),
    "patients only": ("-O", "PATIENT", ["PatientID"], "P1 P2 P3 P5"),
    "studies of patients only": ("-O", "STUDY", [P1, "StudyInstanceUID"], "1 2"),
    "a patient by ID": ("-P", "PATIENT", ["PatientID=P3"], "P3"),
    "a patient by wild card": ("-P", "PATIENT", ["PatientID=P*", "PatientName=smith^*"], "P1 P2"),
    "an accession number": ("-S", "STUDY", ["AccessionNumber=ACC_1"], "1"),
    "a question mark is one character": ("-S", "STUDY", ["AccessionNumber=ACC?1"], "1 2 3"),
    "a star is any number": ("-S", "STUDY", ["AccessionNumber=A*1"], "1 2 3"),
    "a star in the middle of nothing": ("-S", "STUDY", ["AccessionNumber=AC*C_1"], "1"),
    "a day": ("-S", "STUDY", ["StudyDate=20210615"], "2"),
    "a range of days": ("-S", "STUDY", ["StudyDate=20210101-20210615"], "1 2"),
    "from a day on": ("-S", "STUDY", ["StudyDate=20210615-"], "2 3"),
    "up to a day": ("-S", "STUDY", ["StudyDate=-20210101"], "1 4"),
    "a range of times": ("-S", "STUDY", ["StudyTime=0930-1100"], "1 3"),
    "a list of UIDs": ("-S", "STUDY", [f"StudyInstanceUID={uid(1)}\\{uid(4)}\\1.2.3"], "1 4"),
    "a list of series": ("-S", "SERIES", [S1, f"SeriesInstanceUID={uid(1, 2)}\\{uid(4, 1)}"], "1.2"),
    "a modality of a series": ("-S", "SERIES", [S1, "Modality=MR"], "1.2"),
    "modalities in study": ("-S", "STUDY", ["ModalitiesInStudy=MR"], "1 4"),
    "one of two modalities": ("-S", "STUDY", ["ModalitiesInStudy=US\\MR"], "1 3 4"),
    "an instance number": ("-S", "IMAGE", [S1, f"SeriesInstanceUID={uid(1, 1)}", "InstanceNumber=2"], "1.1.2"),
    "a number by meaning": ("-S", "IMAGE", [S1, f"SeriesInstanceUID={uid(1, 1)}", "SliceThickness=1.5"], "1.1.1"),
    "a value of several": ("-S", "IMAGE", [S1, f"SeriesInstanceUID={uid(1, 1)}", "ImageType=DERIVED"], "1.1.2"),
    "one of a patient's other IDs": ("-P", "PATIENT", ["0010,1000=X2"], "P3"),
    "a sequence": ("-S", "STUDY", ["ProcedureCodeSequence[0].CodeValue=T1"], "4"),
    "two keys in a sequence": (
        "-S",
        "STUDY",
        ["ProcedureCodeSequence[0].CodeValue=T2", "ProcedureCodeSequence[0].CodingSchemeDesignator=99B"],
        "4",
    ),
    "two keys met by two items": (
        "-S",
        "STUDY",
        ["ProcedureCodeSequence[0].CodeValue=T2", "ProcedureCodeSequence[0].CodingSchemeDesignator=99A"],
        "",
    ),
    "an empty sequence": ("-S", "STUDY", ["ProcedureCodeSequence"], "1 2 3 4 5"),
    "a SOP class": ("-S", "STUDY", ["SOPClassesInStudy=1.2.840.10008.5.1.4.1.1.4"], "1 4"),
    "several keys at once": ("-S", "STUDY", ["PatientName=Smith^John", "StudyDate=2021*", "ModalitiesInStudy=CT"], ""),
    "several keys of several kinds": (
        "-S",
        "STUDY",
        ["PatientName=S*", "StudyDate=2021-", "ModalitiesInStudy=CT", "AccessionNumber=ACC*"],
        "1 2",
    ),
    "what is not there": ("-S", "STUDY", ["PatientName=Nobody"], ""),
    "a level of no entity": ("-S", "SERIES", ["StudyInstanceUID=1.2.3", "SeriesInstanceUID"], ""),
}


@pytest.mark.parametrize(("model", "level", "keys", "expected"), QUESTIONS.values(), ids=QUESTIONS)
def test_findscu_gets_exactly_the(
    archive_to_ask: MockPACS, tmp_path: Path, model: str, level: str, keys: list[str], expected: str
) -> None:
    unique = {"PATIENT": "PatientID", "STUDY": "StudyInstanceUID", "SERIES": "SeriesInstanceUID"}
    keys = [f"QueryRetrieveLevel={level}", unique.get(level, "SOPInstanceUID"), *keys]
    found = findscu(archive_to_ask, tmp_path, model, keys)
    assert " ".join(sorted(map(numbers, found.matches))) == expected
    assert len({numbers(match) for match in found.matches}) == len(found.matches)
    assert set(found.pending) <= {"Pending"}
    assert found.final == "Success"


@pytest.mark.parametrize("proposal", ["-xe", "-xb", "-xd", "-xi"])
def test_every_transfer_syntax_of_findscu_brings_the_same_answer(
    archive_to_ask: MockPACS, tmp_path: Path, proposal: str
) -> None:
    keys = ["QueryRetrieveLevel=STUDY", S4, "PatientName", "StudyDate", "NumberOfStudyRelatedInstances"]
    keys += ["ProcedureCodeSequence[0].CodeValue=T2", "ProcedureCodeSequence[0].CodeMeaning"]
    found = findscu(archive_to_ask, tmp_path, "-S", keys, proposal)
    (match,) = found.matches
    assert (match.PatientName, match.StudyDate, match.NumberOfStudyRelatedInstances) == ("SMITHE^Jane", "20200229", 2)
    (item,) = match.ProcedureCodeSequence
    assert [(element.keyword, element.value) for element in item] == [("CodeValue", "T2"), ("CodeMeaning", "Neck")]


def test_counts_and_modalities_are_those_of_each_entity(archive_to_ask: MockPACS, tmp_path: Path) -> None:
    keys = ["QueryRetrieveLevel=STUDY", "StudyInstanceUID", "ModalitiesInStudy", "SOPClassesInStudy"]
    keys += ["NumberOfStudyRelatedSeries", "NumberOfStudyRelatedInstances"]
    found = findscu(archive_to_ask, tmp_path, "-S", keys)
    counted = {
        numbers(match): (
            match.ModalitiesInStudy,
            match.NumberOfStudyRelatedSeries,
            match.NumberOfStudyRelatedInstances,
        )
        for match in found.matches
    }
    assert counted == {
        "1": (["CT", "MR"], 2, 3),
        "2": ("CT", 1, 1),
        "3": ("US", 1, 1),
        "4": ("MR", 1, 2),
        "5": ("CT", 1, 1),
    }
    counters = [f"NumberOfPatientRelated{what}" for what in ("Studies", "Series", "Instances")]
    keys = ["QueryRetrieveLevel=PATIENT", "PatientID=P1", *counters]
    (patient,) = findscu(archive_to_ask, tmp_path, "-P", keys).matches
    assert [patient[counter].value for counter in counters] == [2, 3, 4]


def test_an_answer_has_what_was_asked_and_what_belongs_to_it_and_nothing_else(
    archive_to_ask: MockPACS, tmp_path: Path
) -> None:
    keys = ["QueryRetrieveLevel=SERIES", S1, "SeriesInstanceUID", "Modality=MR", "SeriesDescription", "Laterality"]
    (match,) = findscu(archive_to_ask, tmp_path, "-S", keys).matches
    optional = {"RetrieveAETitle", "InstanceAvailability", "SpecificCharacterSet"}
    assert {element.keyword: element.value for element in match if element.keyword not in optional} == {
        "QueryRetrieveLevel": "SERIES",
        "Modality": "MR",
        "SeriesDescription": "T1 axial",
        "StudyInstanceUID": uid(1),
        "SeriesInstanceUID": uid(1, 2),
        "Laterality": "",
    }
    assert match.RetrieveAETitle == archive_to_ask.aet


WRONG: dict[str, tuple[str, list[str]]] = {
    "no level": ("-S", ["StudyInstanceUID"]),
    "a level the model does not have": ("-S", ["QueryRetrieveLevel=PATIENT", "PatientID"]),
    "a level nobody has": ("-P", ["QueryRetrieveLevel=FRAME", "PatientID"]),
    "a series without its study": ("-S", ["QueryRetrieveLevel=SERIES", "SeriesInstanceUID"]),
    "a study without its patient": ("-P", ["QueryRetrieveLevel=STUDY", "StudyInstanceUID"]),
    "images of two series": ("-S", ["QueryRetrieveLevel=IMAGE", S1, "SeriesInstanceUID=1.2\\1.3"]),
    "a series level in Patient/Study Only": ("-O", ["QueryRetrieveLevel=SERIES", P1, S1, "SeriesInstanceUID"]),
}


@pytest.mark.parametrize(("model", "keys"), WRONG.values(), ids=WRONG)
def test_findscu_is_told_that_it_cannot_ask_for(
    archive_to_ask: MockPACS, tmp_path: Path, model: str, keys: list[str]
) -> None:
    found = findscu(archive_to_ask, tmp_path, model, keys)
    assert found.matches == []
    assert found.final.startswith(("Failed: IdentifierDoesNotMatchSOPClass", "Error: DataSetDoesNotMatchSOPClass")), (
        found
    )
