"""What is stored, level by level. It is asked for with a query, so it shows what a client would see."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal, NamedTuple

import typer

if TYPE_CHECKING:
    from mockpacs.archive import Archive
    from mockpacs.wire.dataset import Encoding

Level = Literal["patient", "study", "series", "instance"]
QUERY_LEVELS = {"patient": "PATIENT", "study": "STUDY", "series": "SERIES", "instance": "IMAGE"}


class Key(NamedTuple):
    """One column: an attribute, its keyword (the JSON key) and its heading."""

    tag: int
    vr: str
    keyword: str
    heading: str


_PATIENT_ID = Key(0x00100020, "LO", "PatientID", "patient")
_PATIENT_NAME = Key(0x00100010, "PN", "PatientName", "name")
_STUDY = Key(0x0020000D, "UI", "StudyInstanceUID", "study")
_SERIES = Key(0x0020000E, "UI", "SeriesInstanceUID", "series")
_MODALITY = Key(0x00080060, "CS", "Modality", "modality")

KEYS: dict[Level, tuple[Key, ...]] = {
    "patient": (
        _PATIENT_ID,
        _PATIENT_NAME,
        Key(0x00100030, "DA", "PatientBirthDate", "born"),
        Key(0x00100040, "CS", "PatientSex", "sex"),
        Key(0x00201200, "IS", "NumberOfPatientRelatedStudies", "studies"),
        Key(0x00201204, "IS", "NumberOfPatientRelatedInstances", "instances"),
    ),
    "study": (
        _PATIENT_ID,
        _PATIENT_NAME,
        Key(0x00080020, "DA", "StudyDate", "date"),
        Key(0x00080061, "CS", "ModalitiesInStudy", "modalities"),
        Key(0x00081030, "LO", "StudyDescription", "description"),
        Key(0x00201206, "IS", "NumberOfStudyRelatedSeries", "series"),
        Key(0x00201208, "IS", "NumberOfStudyRelatedInstances", "instances"),
        _STUDY,
    ),
    "series": (
        _PATIENT_ID,
        _STUDY,
        Key(0x00200011, "IS", "SeriesNumber", "number"),
        _MODALITY,
        Key(0x0008103E, "LO", "SeriesDescription", "description"),
        Key(0x00201209, "IS", "NumberOfSeriesRelatedInstances", "instances"),
        _SERIES,
    ),
    "instance": (
        _PATIENT_ID,
        _SERIES,
        Key(0x00200013, "IS", "InstanceNumber", "number"),
        Key(0x00080016, "UI", "SOPClassUID", "SOP class"),
        Key(0x00083002, "UI", "AvailableTransferSyntaxUID", "transfer syntax"),
        Key(0x00080018, "UI", "SOPInstanceUID", "instance"),
    ),
}


def as_json_lines(archive: Archive, level: Level) -> None:
    """One object per line; the keys are DICOM keywords."""
    keywords = [key.keyword for key in KEYS[level]]
    for row in rows(archive, level):
        typer.echo(json.dumps(dict(zip(keywords, row, strict=True))))


def as_text(archive: Archive, level: Level) -> None:
    """Lines with tabs between the columns, for other programs."""
    from mockpacs.wire.text import printable

    typer.echo("\t".join(key.heading for key in KEYS[level]))
    for row in rows(archive, level):
        typer.echo("\t".join(printable(value) for value in row))


def as_table(archive: Archive, level: Level) -> None:
    """A table for a terminal."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from mockpacs.wire.text import printable

    table = Table(box=None, pad_edge=False)
    for key in KEYS[level]:
        table.add_column(
            key.heading,
            justify="right" if key.vr == "IS" else "left",
            overflow="fold" if key.vr == "UI" else "ellipsis",
        )
    for row in rows(archive, level):
        table.add_row(*(Text(printable(value)) for value in row))  # Text: what a peer wrote is not rich's markup
    Console().print(table)


def rows(archive: Archive, level: Level) -> Iterator[list[str]]:
    """The values of the columns, several values of one attribute joined by a backslash."""
    from mockpacs.archive import Model, QueryOptions
    from mockpacs.wire.dataset import Encoding, scan
    from mockpacs.wire.text import decode, values

    explicit = Encoding.of("1.2.840.10008.1.2.1")
    identifier = _identifier(level, explicit)
    for match in archive.find(identifier, explicit, Model.PATIENT_ROOT, QueryOptions(relational=True)):
        found = scan(match.dataset, explicit).elements
        character_set = decode(found[0x00080005].value).strip() if 0x00080005 in found else ""
        yield [
            "\\".join(values(found[key.tag].value, key.vr, character_set)) if key.tag in found else ""
            for key in KEYS[level]
        ]


def _identifier(level: Level, encoding: Encoding) -> bytes:
    from mockpacs.wire.dataset import encode_element

    asked = [(0x00080052, "CS", QUERY_LEVELS[level].encode())] + [(key.tag, key.vr, b"") for key in KEYS[level]]
    return b"".join(encode_element(tag, vr, value, encoding) for tag, vr, value in sorted(asked))
