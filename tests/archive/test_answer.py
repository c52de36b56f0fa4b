"""Answers as pydicom reads them: every encoding, every character set file of the pydicom wheel, odd values."""

from __future__ import annotations

from pathlib import Path

import pydicom
import pytest
from pydicom.data import get_charset_files

from mockpacs.archive import Archive, fields, query
from mockpacs.archive.columns import COLUMNS
from mockpacs.archive.fields import Nested, Raw, Text
from mockpacs.archive.model import Model
from mockpacs.archive.query import QueryOptions
from mockpacs.wire.dataset import DEFLATED, EXPLICIT_BIG, EXPLICIT_LITTLE, IMPLICIT_LITTLE, Encoding, encode_element
from tests.archive.asking import PLAIN, Filled, dataset_of, filled, identifier, read

ENCODINGS = [IMPLICIT_LITTLE, EXPLICIT_LITTLE, EXPLICIT_BIG, DEFLATED]
CHARSET_FILES = {Path(path).stem: path for path in get_charset_files("*.dcm")}


@pytest.mark.parametrize("encoding", ENCODINGS, ids=str)
@pytest.mark.parametrize("name", ["Smith^John", "Odd^Name", "B\u00fcc^J\u00e9r\u00f4me"])
def test_columns_and_header_elements_come_back_in_every_encoding(encoding: Encoding, name: str) -> None:
    archive = Filled()
    steps = [{"RequestedProcedureID": "R1", "ReferencedFrameNumber": "7"}]
    header = dataset_of({"KVP": "120", "SmallestImagePixelValue": 5, "RequestAttributesSequence": steps})
    header[0x00280106].VR = "US"
    archive.add(
        {
            "PatientName": name,
            "StudyInstanceUID": "1.2",
            "SeriesInstanceUID": "1.3",
            "Rows": "512",
            "ImageType": "A\\B",
        },
        header,
    )
    keys = {"StudyInstanceUID": "1.2", "SeriesInstanceUID": "1.3", "PatientName": "", "Rows": 512, "ImageType": ["B"]}
    more = {
        "KVP": "",
        "RequestAttributesSequence": [{"RequestedProcedureID": ""}],
        "InstanceNumber": "",
        "SOPClassUID": "",
    }
    (match,) = archive.matches("IMAGE", {**keys, **more}, encoding=encoding)
    answer = read(match.dataset, encoding)
    assert (answer.PatientName, answer.Rows, answer.ImageType, answer.KVP) == (name, 512, ["A", "B"], 120)
    assert answer.RequestAttributesSequence[0].RequestedProcedureID == "R1"
    assert answer["InstanceNumber"].VM == 0
    assert answer.SOPClassUID == "1.2.840.10008.5.1.4.1.1.2"
    assert match.complete


@pytest.mark.parametrize("encoding", ENCODINGS, ids=str)
def test_answers_from_the_index_alone_come_back_in_every_encoding(encoding: Encoding) -> None:
    archive = filled(
        [{"PatientName": "Smith^John", "StudyInstanceUID": "1.2.3", "StudyDate": "20210304", "StudyID": ""}]
    )
    keys = {
        "PatientName": "",
        "StudyInstanceUID": "",
        "StudyDate": "",
        "StudyID": "",
        "NumberOfStudyRelatedInstances": "",
    }
    (match,) = archive.matches("STUDY", keys, encoding=encoding)
    answer = read(match.dataset, encoding)
    assert (answer.PatientName, answer.StudyInstanceUID, answer.StudyDate) == ("Smith^John", "1.2.3", "20210304")
    assert (answer["StudyID"].VM, answer.NumberOfStudyRelatedInstances) == (0, 1)
    assert "SpecificCharacterSet" not in answer


@pytest.mark.parametrize(
    ("own", "asked", "name", "label"),
    [
        ("ISO_IR 100", "ISO_IR 100", "B\u00fcc", "ISO_IR 100"),
        ("ISO_IR 100", "ISO_IR 192", "B\u00fcc", "ISO_IR 192"),
        ("ISO_IR 100", None, "B\u00fcc", "ISO_IR 100"),
        ("ISO_IR 144", "ISO_IR 100", "\u041b\u044e\u043ace", "ISO_IR 144"),
        ("ISO_IR 100", "ISO_IR 144", "B\u00fcc", "ISO_IR 100"),
        ("\\ISO 2022 IR 87", "ISO_IR 100", "Yamada=\u5c71\u7530", "\\ISO 2022 IR 87"),
        ("UNHEARD OF", "NOR THIS", "B\u00fcc", "ISO_IR 192"),
        ("ISO_IR 100", "ISO_IR 100", "Plain", None),
    ],
)  # fmt: skip
def test_the_character_set_is_the_query_s_if_it_can_say_the_text_else_the_entity_s_else_utf_8(
    own: str, asked: str | None, name: str, label: str | None
) -> None:
    archive = filled([{"PatientName": name, "SpecificCharacterSet": own}])
    data = _asked_in(asked)
    (match,) = query.find(archive.index, archive.files, data, EXPLICIT_LITTLE, Model.STUDY_ROOT, PLAIN)
    answer = read(match.dataset)
    assert str(answer.PatientName) == name
    found = answer.get("SpecificCharacterSet")
    assert ("\\".join(found) if isinstance(found, pydicom.multival.MultiValue) else found) == label


def _asked_in(character_set: str | None) -> bytes:
    keys = {"PatientName": ""}
    if character_set is None:
        return identifier("STUDY", keys)
    label = encode_element(0x00080005, "CS", character_set.encode(), EXPLICIT_LITTLE)
    return label + identifier("STUDY", keys)


@pytest.mark.parametrize("stem", sorted(CHARSET_FILES))
@pytest.mark.parametrize("encoding", [EXPLICIT_LITTLE, EXPLICIT_BIG], ids=str)
def test_a_utf_8_query_finds_the_name_of_every_character_set_file(stem: str, encoding: Encoding) -> None:
    stored = pydicom.dcmread(CHARSET_FILES[stem], stop_before_pixels=True)
    name = str(stored.get("PatientName", ""))
    keys = {"PatientName": name, "SpecificCharacterSet": "ISO_IR 192"}
    with Archive.open(None) as archive:  # one for each: some of the files share a patient's ID
        assert [added.problem for added in archive.take(Path(CHARSET_FILES[stem]))] == [""]
        asked = identifier("STUDY", keys, encoding)
        (match,) = archive.find(asked, encoding, Model.STUDY_ROOT, PLAIN)
        other = identifier("STUDY", {**keys, "PatientName": name + "X"}, encoding)
        assert list(archive.find(other, encoding, Model.STUDY_ROOT, PLAIN)) == []
    assert str(read(match.dataset, encoding).PatientName or "").rstrip("^=") == name.rstrip("^=")


@pytest.mark.parametrize("stem", sorted(CHARSET_FILES))
def test_what_files_say_in_their_character_set_comes_back_in_utf_8(stem: str) -> None:
    path = Path(CHARSET_FILES[stem])
    stored = pydicom.dcmread(path, stop_before_pixels=True)
    archive = Filled()
    archive.add({"StudyInstanceUID": "1.2", "SeriesInstanceUID": "1.3"})
    offset = _data_offset(path)
    archive.files.files["file1"] = (path.read_bytes()[offset:], Encoding.of(stored.file_meta.TransferSyntaxUID))
    keys = {"StudyInstanceUID": "1.2", "SeriesInstanceUID": "1.3", "SpecificCharacterSet": "ISO_IR 192"}
    texts = {
        element.keyword: element.value
        for element in stored
        if element.VR in ("LO", "SH", "LT", "PN", "ST", "UT")
        and element.keyword
        and element.tag not in {*COLUMNS, 0x00080201}
    }
    sequences = {element.keyword: [] for element in stored if element.VR == "SQ" and element.keyword}
    (answer,) = archive.ask("IMAGE", {**keys, **dict.fromkeys(texts, ""), **sequences})
    assert {keyword: answer[keyword].value or "" for keyword in texts} == {
        key: value or "" for key, value in texts.items()
    }
    for keyword in sequences:
        assert [_names(item) for item in answer[keyword].value] == [_names(item) for item in stored[keyword].value]


def _names(item: pydicom.Dataset) -> list[str]:
    return [str(element.value).rstrip("=^") for element in item.iterall() if element.VR == "PN"]


def _label(dataset: pydicom.Dataset) -> str:
    found = dataset.get("SpecificCharacterSet", "")
    return "\\".join(found) if isinstance(found, pydicom.multival.MultiValue) else found or ""


def _data_offset(path: Path) -> int:
    with path.open("rb") as file:
        pydicom.filereader.read_preamble(file, False)
        pydicom.filereader._read_file_meta_info(file)
        return file.tell()


def test_a_value_too_long_for_its_vr_is_written_as_un() -> None:
    archive = filled([{"StudyDescription": "X" * 70_000, "StudyInstanceUID": "1.2"}])
    (match,) = archive.matches("STUDY", {"StudyDescription": ""})
    data = match.dataset
    assert b"\x08\x00\x30\x10UN\0\0\x70\x11\x01\x00" in data


def test_numbers_of_the_index_that_are_none_become_zero_length() -> None:
    archive = filled([{"StudyInstanceUID": "1.2", "SeriesInstanceUID": "1.3", "Rows": "70000"}])
    (answer,) = archive.ask("IMAGE", StudyInstanceUID="1.2", SeriesInstanceUID="1.3", Rows=None)
    assert answer["Rows"].VM == 0


def test_an_archive_without_a_title_returns_it_empty() -> None:
    archive = filled([{"StudyInstanceUID": "1.2"}])
    (match,) = archive.matches("STUDY", {}, options=QueryOptions())
    assert read(match.dataset)["RetrieveAETitle"].VM == 0


@pytest.mark.parametrize("encoding", ENCODINGS[:3], ids=str)
def test_fields_are_written_in_ascending_order(encoding: Encoding) -> None:
    item = (Text(0x00401001, "SH", "R\u00e9"), Raw(0x00280010, "US", b"\1\1"))
    data = fields.encode([Nested(0x00400275, (item,)), Text(0x00100010, "PN", "A")], encoding, ["ISO_IR 100"])
    answer = read(data, encoding)
    assert [element.keyword for element in answer] == [
        "SpecificCharacterSet",
        "PatientName",
        "RequestAttributesSequence",
    ]
    assert answer.RequestAttributesSequence[0].RequestedProcedureID == "R\u00e9"
    assert answer.RequestAttributesSequence[0].Rows == 257
