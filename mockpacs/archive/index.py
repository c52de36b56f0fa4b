"""The index's tables: which attributes of an instance can be searched, and in which column each of them lives.

``INDEXED`` is the one table everybody reads: the models below are made from it, the header reader extracts what it
names, the query side offers it as keys. The index never holds anything that the stored files could not give back.

Every attribute column is TEXT: NULL says the attribute was absent, ``""`` that it had zero length; several values are
joined by a backslash; text is decoded to Unicode and trimmed by the rules of its VR; US is written in decimal.
The models carry no database: ``database.Index.rows(query)`` runs a query.
"""

from __future__ import annotations

import unicodedata
from enum import StrEnum
from typing import NamedTuple

import peewee


class Level(StrEnum):
    """The four levels of the information model (PS3.4 C.6.1.1), in the words of (0008,0052)."""

    PATIENT = "PATIENT"
    STUDY = "STUDY"
    SERIES = "SERIES"
    IMAGE = "IMAGE"


class Indexed(NamedTuple):
    """One attribute of the index: ``column`` of the model of ``level`` holds the attribute ``tag``."""

    level: Level
    column: str
    tag: int
    vr: str


def _at(level: Level, *rows: tuple[str, int, str]) -> tuple[Indexed, ...]:
    return tuple(Indexed(level, *row) for row in rows)


INDEXED: tuple[Indexed, ...] = (
    *_at(
        Level.PATIENT,
        ("patient_id", 0x00100020, "LO"),
        ("issuer_of_patient_id", 0x00100021, "LO"),
        ("patient_name", 0x00100010, "PN"),
        ("patient_birth_date", 0x00100030, "DA"),
        ("patient_birth_time", 0x00100032, "TM"),
        ("patient_sex", 0x00100040, "CS"),
        ("other_patient_ids", 0x00101000, "LO"),
        ("other_patient_names", 0x00101001, "PN"),
        ("ethnic_group", 0x00102160, "SH"),
        ("patient_comments", 0x00104000, "LT"),
    ),
    *_at(
        Level.STUDY,
        ("study_instance_uid", 0x0020000D, "UI"),
        ("study_date", 0x00080020, "DA"),
        ("study_time", 0x00080030, "TM"),
        ("accession_number", 0x00080050, "SH"),
        ("study_id", 0x00200010, "SH"),
        ("study_description", 0x00081030, "LO"),
        ("referring_physician_name", 0x00080090, "PN"),
        ("name_of_physicians_reading_study", 0x00081060, "PN"),
        ("admitting_diagnoses_description", 0x00081080, "LO"),
        ("patient_age", 0x00101010, "AS"),
        ("patient_size", 0x00101020, "DS"),
        ("patient_weight", 0x00101030, "DS"),
        ("occupation", 0x00102180, "SH"),
        ("additional_patient_history", 0x001021B0, "LT"),
    ),
    *_at(
        Level.SERIES,
        ("series_instance_uid", 0x0020000E, "UI"),
        ("modality", 0x00080060, "CS"),
        ("series_number", 0x00200011, "IS"),
        ("series_date", 0x00080021, "DA"),
        ("series_time", 0x00080031, "TM"),
        ("series_description", 0x0008103E, "LO"),
        ("body_part_examined", 0x00180015, "CS"),
        ("protocol_name", 0x00181030, "LO"),
        ("patient_position", 0x00185100, "CS"),
        ("laterality", 0x00200060, "CS"),
        ("manufacturer", 0x00080070, "LO"),
        ("manufacturer_model_name", 0x00081090, "LO"),
        ("institution_name", 0x00080080, "LO"),
        ("institutional_department_name", 0x00081040, "LO"),
        ("station_name", 0x00081010, "SH"),
        ("performing_physician_name", 0x00081050, "PN"),
        ("operators_name", 0x00081070, "PN"),
        ("performed_procedure_step_start_date", 0x00400244, "DA"),
        ("performed_procedure_step_start_time", 0x00400245, "TM"),
        ("performed_procedure_step_id", 0x00400253, "SH"),
        ("performed_procedure_step_description", 0x00400254, "LO"),
    ),
    *_at(
        Level.IMAGE,
        ("sop_instance_uid", 0x00080018, "UI"),
        ("sop_class_uid", 0x00080016, "UI"),
        ("instance_number", 0x00200013, "IS"),
        ("image_type", 0x00080008, "CS"),
        ("content_date", 0x00080023, "DA"),
        ("content_time", 0x00080033, "TM"),
        ("acquisition_date", 0x00080022, "DA"),
        ("acquisition_time", 0x00080032, "TM"),
        ("acquisition_number", 0x00200012, "IS"),
        ("number_of_frames", 0x00280008, "IS"),
        ("rows", 0x00280010, "US"),
        ("columns", 0x00280011, "US"),
        ("bits_allocated", 0x00280100, "US"),
        ("photometric_interpretation", 0x00280004, "CS"),
        ("completion_flag", 0x0040A491, "CS"),
        ("verification_flag", 0x0040A493, "CS"),
    ),
)


def name_key(text: str) -> str:
    """A person name as it is compared: ``Smith^John^^`` and ``SMITH^John`` have the same key (PS3.5 6.2.1).

    Spaces around components, trailing empty components and trailing empty component groups go; case is folded.
    """
    text = unicodedata.normalize("NFC", text).casefold()
    if "\\" in text:
        return "\\".join(name_key(value) for value in text.split("\\"))
    groups = ("^".join(part.strip() for part in group.split("^")).rstrip("^") for group in text.split("="))
    return "=".join(groups).rstrip("=")


class Patient(peewee.Model):
    """A patient. ``key``: PatientID, a backslash and its issuer; without a PatientID ``?`` and the name."""

    key = peewee.TextField(unique=True)
    name_key = peewee.TextField(null=True, index=True)
    character_set = peewee.TextField(null=True)


class Study(peewee.Model):
    """A study. ``key``: the Study Instance UID, or ``?`` and the id of the patient.

    A study belongs to the patient of the first instance stored; a later instance of the same study that names another
    patient joins the study where it is (PS3.4 C.6.1 knows one patient per study).
    """

    patient = peewee.ForeignKeyField(Patient, column_name="patient", backref="studies")
    key = peewee.TextField(unique=True)
    referring_key = peewee.TextField(null=True, index=True)
    character_set = peewee.TextField(null=True)


class Series(peewee.Model):
    """A series; it stays with its first study. ``key``: the Series Instance UID, or ``?`` and the id of the study."""

    study = peewee.ForeignKeyField(Study, column_name="study", backref="series", index=False)
    key = peewee.TextField(unique=True)
    character_set = peewee.TextField(null=True)


class Instance(peewee.Model):
    """A stored instance, and where its bytes are: the data set begins at ``data_offset`` of the file ``path``.

    ``path`` is relative to the storage directory; ``size`` counts the bytes of the whole file; ``stored_at`` is in
    seconds since 1970, UTC. The SOP UIDs are those of the file meta information, i.e. of the C-STORE command.
    """

    series = peewee.ForeignKeyField(Series, column_name="series", backref="instances", index=False)
    sop_instance_uid = peewee.TextField(unique=True)
    transfer_syntax_uid = peewee.TextField()
    path = peewee.TextField()
    size = peewee.IntegerField()
    data_offset = peewee.IntegerField()
    character_set = peewee.TextField(null=True)
    source_aet = peewee.TextField()
    stored_at = peewee.FloatField()


MODELS: dict[Level, type[peewee.Model]] = {
    Level.PATIENT: Patient,
    Level.STUDY: Study,
    Level.SERIES: Series,
    Level.IMAGE: Instance,
}

# What is searched directly has an index of its own. The others serve twice: they find the children of an entity and
# answer ModalitiesInStudy, SOPClassesInStudy and the counters without touching the wide tables.
_SEARCHED: tuple[tuple[Level, tuple[str, ...]], ...] = (
    (Level.PATIENT, ("patient_id",)),
    (Level.STUDY, ("study_instance_uid",)),
    (Level.STUDY, ("study_date",)),
    (Level.STUDY, ("accession_number",)),
    (Level.STUDY, ("study_id",)),
    (Level.SERIES, ("study", "modality")),
    (Level.SERIES, ("series_instance_uid",)),
    (Level.SERIES, ("modality",)),
    (Level.IMAGE, ("series", "sop_class_uid", "size")),
    (Level.IMAGE, ("sop_class_uid",)),
)

for _level, _column, _tag, _vr in INDEXED:
    if _column not in MODELS[_level]._meta.fields:
        MODELS[_level]._meta.add_field(_column, peewee.TextField(null=True))

for _level, _columns in _SEARCHED:
    MODELS[_level].add_index(*(getattr(MODELS[_level], _column) for _column in _columns))
