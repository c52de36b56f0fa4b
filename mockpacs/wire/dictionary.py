"""The data dictionary: VR and keyword of a tag (PS3.6). The usual attributes stand here, the others come from pydicom.

pydicom costs 180 ms to import, so only somebody who asks for an unusual tag pays it.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final


def vr_of(tag: int) -> str:
    """The dictionary's VR of a tag, the first where there is a choice; UL for group length, LO for private creators."""
    if tag & 0xFFFF == 0:
        return "UL"
    if tag >> 16 & 1:
        return "LO" if 0x10 <= tag & 0xFFFF <= 0xFF else "UN"
    return _entry(tag)[0]


def keyword_of(tag: int) -> str:
    """The dictionary's keyword of a tag, "" when it has none."""
    return _entry(tag)[1]


def name_of(tag: int) -> str:
    """What to call a tag in a sentence: its keyword, else (gggg,eeee)."""
    return keyword_of(tag) or f"({tag >> 16:04X},{tag & 0xFFFF:04X})"


@lru_cache(maxsize=4096)
def _entry(tag: int) -> tuple[str, str]:
    usual = USUAL.get(tag)
    if usual:
        return usual
    from pydicom.datadict import dictionary_VR, keyword_for_tag

    try:
        return dictionary_VR(tag)[:2], keyword_for_tag(tag)
    except KeyError:
        return "UN", ""


@lru_cache(maxsize=1024)
def uid_name(uid: str) -> str:
    """What PS3.6 Annex A calls a UID; the UID itself when it is not there."""
    from pydicom._uid_dict import UID_dictionary

    known = UID_dictionary.get(uid)
    return known[0] if known else uid


@lru_cache(maxsize=4096)
def tag_of(keyword: str) -> int | None:
    """The tag of a dictionary keyword, None when there is none."""
    for tag, (_, known) in USUAL.items():
        if known == keyword:
            return tag
    from pydicom.datadict import tag_for_keyword

    return tag_for_keyword(keyword)


# The attributes that queries and archives are made of, so that the dictionary is loaded for the others only.
USUAL: Final[dict[int, tuple[str, str]]] = {
    int(tag, 16): (vr, keyword)
    for tag, vr, keyword in (
        line.split()
        for line in """
        00080005 CS SpecificCharacterSet
        00080008 CS ImageType
        00080012 DA InstanceCreationDate
        00080013 TM InstanceCreationTime
        00080016 UI SOPClassUID
        00080018 UI SOPInstanceUID
        00080020 DA StudyDate
        00080021 DA SeriesDate
        00080022 DA AcquisitionDate
        00080023 DA ContentDate
        0008002A DT AcquisitionDateTime
        00080030 TM StudyTime
        00080031 TM SeriesTime
        00080032 TM AcquisitionTime
        00080033 TM ContentTime
        00080050 SH AccessionNumber
        00080052 CS QueryRetrieveLevel
        00080053 CS QueryRetrieveView
        00080054 AE RetrieveAETitle
        00080056 CS InstanceAvailability
        00080060 CS Modality
        00080061 CS ModalitiesInStudy
        00080062 UI SOPClassesInStudy
        00080070 LO Manufacturer
        00080080 LO InstitutionName
        00080090 PN ReferringPhysicianName
        00080201 SH TimezoneOffsetFromUTC
        00081010 SH StationName
        00081030 LO StudyDescription
        00081032 SQ ProcedureCodeSequence
        0008103E LO SeriesDescription
        00081048 PN PhysiciansOfRecord
        00081050 PN PerformingPhysicianName
        00081060 PN NameOfPhysiciansReadingStudy
        00081070 PN OperatorsName
        00081090 LO ManufacturerModelName
        00081115 SQ ReferencedSeriesSequence
        00083001 SQ AlternateRepresentationSequence
        00083002 UI AvailableTransferSyntaxUID
        00100010 PN PatientName
        00100020 LO PatientID
        00100021 LO IssuerOfPatientID
        00100030 DA PatientBirthDate
        00100032 TM PatientBirthTime
        00100040 CS PatientSex
        00101000 LO OtherPatientIDs
        00101001 PN OtherPatientNames
        00101002 SQ OtherPatientIDsSequence
        00101010 AS PatientAge
        00101020 DS PatientSize
        00101030 DS PatientWeight
        00102160 SH EthnicGroup
        001021B0 LT AdditionalPatientHistory
        00104000 LT PatientComments
        00180015 CS BodyPartExamined
        00181030 LO ProtocolName
        00185100 CS PatientPosition
        0020000D UI StudyInstanceUID
        0020000E UI SeriesInstanceUID
        00200010 SH StudyID
        00200011 IS SeriesNumber
        00200012 IS AcquisitionNumber
        00200013 IS InstanceNumber
        00200052 UI FrameOfReferenceUID
        00200060 CS Laterality
        00201200 IS NumberOfPatientRelatedStudies
        00201202 IS NumberOfPatientRelatedSeries
        00201204 IS NumberOfPatientRelatedInstances
        00201206 IS NumberOfStudyRelatedSeries
        00201208 IS NumberOfStudyRelatedInstances
        00201209 IS NumberOfSeriesRelatedInstances
        00204000 LT ImageComments
        00280002 US SamplesPerPixel
        00280004 CS PhotometricInterpretation
        00280008 IS NumberOfFrames
        00280010 US Rows
        00280011 US Columns
        00280100 US BitsAllocated
        00400244 DA PerformedProcedureStepStartDate
        00400245 TM PerformedProcedureStepStartTime
        00400253 SH PerformedProcedureStepID
        00400254 LO PerformedProcedureStepDescription
        00400275 SQ RequestAttributesSequence
        """.strip().splitlines()
    )
}
