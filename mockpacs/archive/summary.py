"""What is in an archive, counted and listed for people."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from mockpacs.archive.database import Index


@dataclass(frozen=True, slots=True)
class Counts:
    """How much is stored; ``bytes`` are those of the files."""

    patients: int
    studies: int
    series: int
    instances: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Listed:
    """One study; attributes that are absent are ""."""

    patient_id: str
    patient_name: str
    study_instance_uid: str
    study_date: str
    study_description: str
    modalities: tuple[str, ...]
    series: int
    instances: int
    bytes: int


_COUNTS: Final = """
    SELECT (SELECT count(*) FROM patient), (SELECT count(*) FROM study), (SELECT count(*) FROM series),
           count(*), coalesce(sum(size), 0) FROM instance
"""
_STUDIES: Final = """
    SELECT study.id, coalesce(patient.patient_id, ''), coalesce(patient_name, ''), coalesce(study_instance_uid, ''),
           coalesce(study_date, ''), coalesce(study_description, '')
    FROM study JOIN patient ON patient.id = study.patient
    ORDER BY patient.patient_id, study_date, study.id
"""
_OF_STUDY: Final = """
    SELECT count(DISTINCT series.id), count(instance.id), coalesce(sum(size), 0), group_concat(DISTINCT modality)
    FROM series JOIN instance ON instance.series = series.id WHERE series.study = ?
"""


def counts(index: Index) -> Counts:
    """Count everything."""
    return Counts(*next(index.rows(_COUNTS)))


def studies(index: Index) -> Iterator[Listed]:
    """Every study, by patient and date."""
    for study, patient, name, uid, date, description in index.rows(_STUDIES):
        series, instances, size, modalities = next(index.rows(_OF_STUDY, (study,)))
        names = tuple(sorted(filter(None, (modalities or "").split(","))))
        yield Listed(patient, name, uid, date, description, names, series, instances, size)
