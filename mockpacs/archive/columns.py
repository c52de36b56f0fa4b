"""What the index can say about an attribute: SQL expressions for columns, counters and lists over children."""

from __future__ import annotations

from typing import Final, NamedTuple

from mockpacs.archive.index import INDEXED, Level


class Column(NamedTuple):
    """A value of the index as an SQL expression over the tables of its level and above.

    ``single``: the attribute has one value at most (PS3.6), so a backslash in it is part of that value, and equality is
    equality of the column. ``searched``: there is an SQL index on it. ``computed``: it is no column but a subquery.
    """

    level: Level
    sql: str
    vr: str
    single: bool = False
    searched: bool = False
    computed: bool = False


TABLE: Final = {Level.PATIENT: "patient", Level.STUDY: "study", Level.SERIES: "series", Level.IMAGE: "instance"}
"""The table of each level; the one below refers to it in a column of the same name."""

PATIENT_NAME: Final = 0x00100010
REFERRING_PHYSICIAN: Final = 0x00080090
MODALITIES_IN_STUDY: Final = 0x00080061
SOP_CLASSES_IN_STUDY: Final = 0x00080062

NAME_KEYS: Final = {PATIENT_NAME: '"patient"."name_key"', REFERRING_PHYSICIAN: '"study"."referring_key"'}
"""Names that have a column with their folded form, and an index on it."""

_SEARCHED: Final = frozenset(
    (
        "patient_id",
        "study_instance_uid",
        "study_date",
        "accession_number",
        "study_id",
        "series_instance_uid",
        "modality",
        "sop_class_uid",
        "sop_instance_uid",
    )
)
_SEVERAL: Final = frozenset(
    (
        "other_patient_ids",
        "other_patient_names",
        "name_of_physicians_reading_study",
        "admitting_diagnoses_description",
        "performing_physician_name",
        "operators_name",
        "image_type",
    )
)


def _count(source: str, condition: str) -> str:
    return f"(SELECT CAST(count(*) AS TEXT) FROM {source} WHERE {condition})"


def _list(column: str, source: str) -> str:
    """The different values of a column over the children of a study, sorted, joined by backslashes."""
    return (
        f"(SELECT group_concat(v, char(92)) FROM (SELECT DISTINCT {column} AS v FROM {source} "
        f'WHERE e.study = "study"."id" AND {column} <> \'\' ORDER BY 1))'
    )


_SERIES_OF_STUDIES: Final = "study AS s JOIN series AS e ON e.study = s.id"
_INSTANCES_OF_SERIES: Final = "series AS e JOIN instance AS i ON i.series = e.id"

_COMPUTED: Final = {
    0x00201200: Column(Level.PATIENT, _count("study AS s", 's.patient = "patient"."id"'), "IS"),
    0x00201202: Column(Level.PATIENT, _count(_SERIES_OF_STUDIES, 's.patient = "patient"."id"'), "IS"),
    0x00201204: Column(
        Level.PATIENT,
        _count(f"{_SERIES_OF_STUDIES} JOIN instance AS i ON i.series = e.id", 's.patient = "patient"."id"'),
        "IS",
    ),
    0x00201206: Column(Level.STUDY, _count("series AS e", 'e.study = "study"."id"'), "IS"),
    0x00201208: Column(Level.STUDY, _count(_INSTANCES_OF_SERIES, 'e.study = "study"."id"'), "IS"),
    0x00201209: Column(Level.SERIES, _count("instance AS i", 'i.series = "series"."id"'), "IS"),
    MODALITIES_IN_STUDY: Column(Level.STUDY, _list("e.modality", "series AS e"), "CS"),
    SOP_CLASSES_IN_STUDY: Column(Level.STUDY, _list("i.sop_class_uid", _INSTANCES_OF_SERIES), "UI"),
    0x00083002: Column(Level.IMAGE, '"instance"."transfer_syntax_uid"', "UI"),
}
"""What no single column holds, by tag: computed only when somebody asks."""

COLUMNS: Final[dict[int, Column]] = {
    row.tag: Column(
        row.level,
        f'"{TABLE[row.level]}"."{row.column}"',
        row.vr,
        single=row.column not in _SEVERAL,
        searched=row.column in _SEARCHED,
    )
    for row in INDEXED
} | {tag: column._replace(computed=True) for tag, column in _COMPUTED.items()}
