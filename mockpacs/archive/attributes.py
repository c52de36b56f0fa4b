"""Which attribute lives at which level of the information model, and where its value comes from.

A key is answered from the index, or from the header of a stored file. An attribute the index has no column for belongs
to the level that the modules of PS3.3 give it; entities above IMAGE then speak through their first instance. Nothing
here touches the index or a file.
"""

from __future__ import annotations

from enum import Enum
from typing import Final

from mockpacs.archive.columns import COLUMNS
from mockpacs.archive.index import Level
from mockpacs.archive.model import DEPTH

SPECIFIC_CHARACTER_SET: Final = 0x00080005
QUERY_RETRIEVE_LEVEL: Final = 0x00080052
QUERY_RETRIEVE_VIEW: Final = 0x00080053
RETRIEVE_AE_TITLE: Final = 0x00080054
INSTANCE_AVAILABILITY: Final = 0x00080056
TIMEZONE_OFFSET: Final = 0x00080201

CONTROL: Final = frozenset(
    (
        SPECIFIC_CHARACTER_SET,
        QUERY_RETRIEVE_LEVEL,
        QUERY_RETRIEVE_VIEW,
        RETRIEVE_AE_TITLE,
        INSTANCE_AVAILABILITY,
        TIMEZONE_OFFSET,
    )
)
"""Attributes that say something about the query or the answer and are never matched (PS3.4 C.4.1.1.3)."""

BULK_FROM: Final = 0x7FE00000
"""Pixel data and what follows it: never a key."""


class Source(Enum):
    """Where the value of a key comes from."""

    COLUMN = "a column of the index, or a count"
    HEADER = "the header of a stored file"


def source_of(tag: int, deepest: Level) -> Source | None:
    """Where an answer at a level finds an attribute; None when it cannot (PS3.4 C.2.2.1.3: the key is not supported).

    Attributes of the levels above are there too. The institution is asked for at STUDY level by many clients, although
    PS3.3 puts it into the equipment of a series, so it is answered there. Private attributes belong to no level that
    anybody could know: they are answered at every level. At IMAGE level everything but bulk data is supported.
    """
    if tag in COLUMNS and DEPTH[COLUMNS[tag].level] <= DEPTH[deepest]:
        return Source.COLUMN
    if tag >= BULK_FROM:
        return None
    level = level_of(tag)
    return Source.HEADER if level is not None and DEPTH[level] <= DEPTH[deepest] else None


def level_of(tag: int) -> Level | None:
    """The level an attribute that is read from files belongs to; None for bulk data."""
    if tag >= BULK_FROM:
        return None
    return Level.PATIENT if tag >> 16 & 1 else _LEVELS.get(tag, Level.IMAGE)


_PATIENT: Final = """
    00081120:ReferencedPatientSequence 00100022:TypeOfPatientID 00100024:IssuerOfPatientIDQualifiersSequence
    00100026:SourcePatientGroupIdentificationSequence 00100027:GroupOfPatientsIdentificationSequence
    00100033:PatientBirthDateInAlternativeCalendar 00100034:PatientDeathDateInAlternativeCalendar
    00100035:PatientAlternativeCalendar 00100050:PatientInsurancePlanCodeSequence
    00100101:PatientPrimaryLanguageCodeSequence 00100200:QualityControlSubject 00100212:StrainDescription
    00100213:StrainNomenclature 00100216:StrainStockSequence 00100218:StrainAdditionalInformation
    00100219:StrainCodeSequence 00100221:GeneticModificationsSequence 00101002:OtherPatientIDsSequence
    00101005:PatientBirthName 00101040:PatientAddress 00101060:PatientMotherBirthName 00101080:MilitaryRank
    00101081:BranchOfService 00101100:ReferencedPatientPhotoSequence 00102150:CountryOfResidence
    00102152:RegionOfResidence 00102154:PatientTelephoneNumbers 00102155:PatientTelecomInformation
    00102161:EthnicGroupCodeSequence 001021F0:PatientReligiousPreference 00102201:PatientSpeciesDescription
    00102202:PatientSpeciesCodeSequence 00102292:PatientBreedDescription 00102293:PatientBreedCodeSequence
    00102294:BreedRegistrationSequence 00102297:ResponsiblePerson 00102298:ResponsiblePersonRole
    00102299:ResponsibleOrganization 00120010:ClinicalTrialSponsorName 00120020:ClinicalTrialProtocolID
    00120021:ClinicalTrialProtocolName 00120030:ClinicalTrialSiteID 00120031:ClinicalTrialSiteName
    00120040:ClinicalTrialSubjectID 00120042:ClinicalTrialSubjectReadingID 00120062:PatientIdentityRemoved
    00120063:DeidentificationMethod 00120064:DeidentificationMethodCodeSequence
    00120081:ClinicalTrialProtocolEthicsCommitteeName 00120082:ClinicalTrialProtocolEthicsCommitteeApprovalNumber
    00403001:ConfidentialityConstraintOnPatientDataDescription
"""
_STUDY: Final = """
    00080051:IssuerOfAccessionNumberSequence 00080080:InstitutionName 00080081:InstitutionAddress
    00080092:ReferringPhysicianAddress 00080094:ReferringPhysicianTelephoneNumbers
    00080096:ReferringPhysicianIdentificationSequence 0008009C:ConsultingPhysicianName
    0008009D:ConsultingPhysicianIdentificationSequence 00081032:ProcedureCodeSequence
    00081040:InstitutionalDepartmentName 00081048:PhysiciansOfRecord 00081049:PhysiciansOfRecordIdentificationSequence
    00081062:PhysiciansReadingStudyIdentificationSequence 00081084:AdmittingDiagnosesCodeSequence
    00081110:ReferencedStudySequence 00101021:PatientSizeCodeSequence 00101022:PatientBodyMassIndex
    00101023:MeasuredAPDimension 00101024:MeasuredLateralDimension 00102000:MedicalAlerts 00102110:Allergies
    001021A0:SmokingStatus 001021C0:PregnancyStatus 001021D0:LastMenstrualDate 00102203:PatientSexNeutered
    00120050:ClinicalTrialTimePointID 00120051:ClinicalTrialTimePointDescription
    00120083:ConsentForClinicalTrialUseSequence 0032000A:StudyStatusID 0032000C:StudyPriorityID
    00320032:StudyVerifiedDate 00320033:StudyVerifiedTime 00320034:StudyReadDate 00320035:StudyReadTime
    00321030:ReasonForStudy 00321031:RequestingPhysicianIdentificationSequence 00321032:RequestingPhysician
    00321033:RequestingService 00321034:RequestingServiceCodeSequence 00321040:StudyArrivalDate
    00321041:StudyArrivalTime 00321050:StudyCompletionDate 00321051:StudyCompletionTime
    00321060:RequestedProcedureDescription 00321064:RequestedProcedureCodeSequence 00321066:ReasonForVisit
    00321067:ReasonForVisitCodeSequence 00321070:RequestedContrastAgent 00324000:StudyComments 00380008:VisitStatusID
    00380010:AdmissionID 00380014:IssuerOfAdmissionIDSequence 00380016:RouteOfAdmissions 00380020:AdmittingDate
    00380021:AdmittingTime 00380050:SpecialNeeds 00380060:ServiceEpisodeID 00380062:ServiceEpisodeDescription
    00380064:IssuerOfServiceEpisodeIDSequence 00380300:CurrentPatientLocation 00380400:PatientInstitutionResidence
    00380500:PatientState 00384000:VisitComments 00401001:RequestedProcedureID 00401002:ReasonForTheRequestedProcedure
    00401003:RequestedProcedurePriority 0040100A:ReasonForRequestedProcedureCodeSequence
    00401012:ReasonForPerformedProcedureCodeSequence 00402016:PlacerOrderNumberImagingServiceRequest
    00402017:FillerOrderNumberImagingServiceRequest 00402400:ImagingServiceRequestComments
"""
_SERIES: Final = """
    00080068:PresentationIntentType 00080082:InstitutionCodeSequence 0008103F:SeriesDescriptionCodeSequence
    00081041:InstitutionalDepartmentTypeCodeSequence 00081052:PerformingPhysicianIdentificationSequence
    00081072:OperatorIdentificationSequence 00081111:ReferencedPerformedProcedureStepSequence
    00081250:RelatedSeriesSequence 00102210:AnatomicalOrientationType 00120060:ClinicalTrialCoordinatingCenterName
    00120071:ClinicalTrialSeriesID 00120072:ClinicalTrialSeriesDescription 00181000:DeviceSerialNumber
    00181002:DeviceUID 00181008:GantryID 0018100A:UDISequence 00181020:SoftwareVersions 00181050:SpatialResolution
    0018106A:SynchronizationTrigger 00181200:DateOfLastCalibration 00181201:TimeOfLastCalibration
    00181204:DateOfManufacture 00181205:DateOfInstallation 00181800:AcquisitionTimeSynchronized
    00200052:FrameOfReferenceUID 00200200:SynchronizationFrameOfReferenceUID 00201040:PositionReferenceIndicator
    00280108:SmallestPixelValueInSeries 00280109:LargestPixelValueInSeries 00400241:PerformedStationAETitle
    00400242:PerformedStationName 00400243:PerformedLocation 00400250:PerformedProcedureStepEndDate
    00400251:PerformedProcedureStepEndTime 00400260:PerformedProtocolCodeSequence 00400275:RequestAttributesSequence
    00400280:CommentsOnThePerformedProcedureStep 00541000:SeriesType 300A0700:TreatmentSessionUID
"""

_LEVELS: Final = {
    int(entry[:8], 16): level
    for level, table in ((Level.PATIENT, _PATIENT), (Level.STUDY, _STUDY), (Level.SERIES, _SERIES))
    for entry in table.split()
}
