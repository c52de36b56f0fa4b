"""Sets of answers: keywords and values, DICOM files, DICOM JSON; what they are on the wire, what is wrong with them."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydicom import Dataset, FileMetaDataset, dcmread
from pydicom.config import disable_value_validation

from mockpacs.errors import ScenarioError
from mockpacs.scenario.answers import AnswerSet, read_sets
from mockpacs.wire.dataset import (
    DEFLATED,
    EXPLICIT_BIG,
    EXPLICIT_LITTLE,
    IMPLICIT_LITTLE,
    Encoding,
    encode_element,
    encode_sequence,
    items,
    scan,
)
from mockpacs.wire.part10 import FileMeta, encode_head
from mockpacs.written.kinds import Refused
from mockpacs.written.yaml_file import Mapping, parse
from tests.archive.asking import read, written
from tests.conftest import wheel_files

ENCODINGS = [IMPLICIT_LITTLE, EXPLICIT_LITTLE, EXPLICIT_BIG, DEFLATED]
IDS = ["implicit", "explicit", "big", "deflated"]
EXPLICIT = "1.2.840.10008.1.2.1"


def yaml(text: str) -> Any:
    return parse(text, "s.yaml", ("!bytes",))


def sets(text: str, folder: Path = Path()) -> dict[str, AnswerSet]:
    node = yaml(text)
    assert isinstance(node, Mapping)
    return read_sets({name: (value, folder) for name, value in node.items()})


def only(answers: AnswerSet, encoding: Encoding = EXPLICIT_LITTLE) -> Dataset:
    (data,) = answers.encoded(encoding)
    return read(data, encoding)


def saved(path: Path, dataset: Dataset, encoding: Encoding = EXPLICIT_LITTLE) -> Path:
    """A Part 10 file of a data set, in one of the uncompressed transfer syntaxes."""
    syntaxes = dict(
        zip(ENCODINGS, ("1.2.840.10008.1.2", EXPLICIT, "1.2.840.10008.1.2.2", f"{EXPLICIT}.99"), strict=True)
    )
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = syntaxes[encoding]
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = "1.2.3", "1.2.3.4"
    dataset.file_meta = meta
    dataset.save_as(path, enforce_file_format=True)
    return path


# keywords and values


@pytest.mark.parametrize("encoding", ENCODINGS, ids=IDS)
def test_values_are_written_as_their_vr_asks_in_every_encoding(encoding: Encoding) -> None:
    answers = AnswerSet.of(
        yaml("""
        PatientName: Doe^Jane
        (0010,0020): P1
        00080020: 20200131
        ModalitiesInStudy: [CT, MR]
        NumberOfFrames: 12
        PatientWeight: [70.5, ]
        Rows: 512
        PixelAspectRatio: 1\\2
        FloatingPointValue: 1.5
        EventTimeOffset: -2.25
        ReferencePixelX0: -7
        SimpleFrameList: [1, 70000]
        FrameIncrementPointer: [FrameTime, "(0018,1065)"]
        AccessionNumber:
        StudyID: ""
        RequestAttributesSequence: { RequestedProcedureID: R1, ScheduledProtocolCodeSequence: [{ CodeValue: A }, {}] }
        ReferencedSeriesSequence: []
        """),
    )

    dataset = only(answers, encoding)

    assert str(dataset.PatientName) == "Doe^Jane"
    assert (dataset.PatientID, dataset.StudyDate, dataset.Rows) == ("P1", "20200131", 512)
    assert list(dataset.ModalitiesInStudy) == ["CT", "MR"]
    assert (dataset.NumberOfFrames, dataset.PatientWeight, list(dataset.PixelAspectRatio)) == (12, 70.5, [1, 2])
    assert (dataset.FloatingPointValue, dataset.EventTimeOffset) == (1.5, -2.25)
    assert (dataset.ReferencePixelX0, list(dataset.SimpleFrameList)) == (-7, [1, 70000])
    assert list(dataset.FrameIncrementPointer) == [0x00181063, 0x00181065]
    assert dataset.AccessionNumber == dataset.StudyID == ""
    (item,) = dataset.RequestAttributesSequence
    assert item.RequestedProcedureID == "R1"
    assert [len(code) for code in item.ScheduledProtocolCodeSequence] == [1, 0]
    assert len(dataset.ReferencedSeriesSequence) == 0


def test_python_lists_of_dictionaries_are_answers_too() -> None:
    answers = AnswerSet.of(
        [
            {"PatientID": "P1", "Rows": 2, "PatientWeight": 1.5, 0x0020000D: "1.2"},
            {"PatientID": None, "OtherPatientIDs": ["A", "B"]},
        ]
    )

    one, other = (read(data) for data in answers.encoded(EXPLICIT_LITTLE))
    assert (one.PatientID, one.Rows, one.PatientWeight, one.StudyInstanceUID) == ("P1", 2, 1.5, "1.2")
    assert (other.PatientID, list(other.OtherPatientIDs)) == ("", ["A", "B"])
    assert len(answers) == 2


def test_a_data_set_of_pydicom_is_an_answer() -> None:
    dataset = Dataset()
    dataset.PatientName, dataset.Rows = "Müller^Jörg", 7
    dataset.SpecificCharacterSet = "ISO_IR 192"

    assert only(AnswerSet.of([dataset])) == dataset


def test_text_that_is_not_ascii_is_labelled_as_utf_8() -> None:
    dataset = only(
        AnswerSet.of({"PatientName": "山田^太郎", "RequestAttributesSequence": {"ReasonForTheRequestedProcedure": "Ü"}})
    )

    assert dataset.SpecificCharacterSet == "ISO_IR 192"
    assert str(dataset.PatientName) == "山田^太郎"
    assert dataset.RequestAttributesSequence[0].ReasonForTheRequestedProcedure == "Ü"
    assert "SpecificCharacterSet" not in only(AnswerSet.of({"PatientName": "Doe"}))


@pytest.mark.parametrize(
    ("label", "raw"),
    [
        ("ISO_IR 100", b"M\xfcller"),
        ("ISO_IR 192", "Müller".encode()),
        ("ISO_IR 6", "Müller".encode()),
        ("", "Müller".encode()),
    ],
)
def test_text_is_written_in_the_character_set_that_is_named_or_lies_in_utf_8(label: str, raw: bytes) -> None:
    (data,) = AnswerSet.of({"SpecificCharacterSet": label, "PatientID": "Müller"}).encoded(EXPLICIT_LITTLE)

    elements = scan(data, EXPLICIT_LITTLE).elements
    assert bytes(elements[0x00080005].value).decode().strip() == label
    assert bytes(elements[0x00100020].value).rstrip() == raw


def test_an_item_may_have_a_character_set_of_its_own() -> None:
    item = {"SpecificCharacterSet": "ISO_IR 100", "CodeMeaning": "Ü"}
    (data,) = AnswerSet.of({"PatientName": "Ü", "ProcedureCodeSequence": item}).encoded(EXPLICIT_LITTLE)

    elements = scan(data, EXPLICIT_LITTLE).elements
    assert bytes(elements[0x00100010].value) == "Ü".encode()
    assert bytes(items(elements[0x00081032], EXPLICIT_LITTLE)[0][0x00080104].value) == b"\xdc "


def test_a_private_attribute_can_have_items() -> None:
    answers = AnswerSet.of({"(0009,0010)": "MOCK", "(0009,1001)": [{"CodeValue": "A"}]})

    assert only(answers)[0x00091001].value[0].CodeValue == "A"


def test_bytes_are_written_as_they_are() -> None:
    answers = AnswerSet.of(
        yaml('{ PatientName: !bytes "4d fc", Rows: !bytes "01", RedPaletteColorLookupTableData: "0001" }')
    )

    elements = scan(answers.encoded(EXPLICIT_LITTLE)[0], EXPLICIT_LITTLE).elements
    assert [bytes(element.value) for element in elements.values()] == [b"M\xfc", b"\1 ", b"\0\1"]
    assert AnswerSet.of({"PatientName": b"M\xfc"}).encoded(EXPLICIT_LITTLE) == [b"\x10\0\x10\0PN\2\0M\xfc"]


def test_a_value_too_long_for_its_vr_is_written_as_un() -> None:
    (data,) = AnswerSet.of({"PatientID": "x" * 70_000}).encoded(EXPLICIT_LITTLE)

    element = scan(data, EXPLICIT_LITTLE).elements[0x00100020]
    assert (element.vr, len(element.value)) == ("UN", 70_000)


def test_each_encoding_is_made_once() -> None:
    answers = AnswerSet.of({"PatientID": "P1"})

    assert answers.encoded(EXPLICIT_LITTLE) is answers.encoded(EXPLICIT_LITTLE)
    assert answers.encoded(DEFLATED) != answers.encoded(EXPLICIT_LITTLE)
    assert zlib.decompress(answers.encoded(DEFLATED)[0], -15) == answers.encoded(EXPLICIT_LITTLE)[0]


def test_usual_keywords_and_values_do_not_load_pydicom() -> None:
    code = (
        "import sys\n"
        "from mockpacs.scenario.answers import AnswerSet\n"
        "from mockpacs.wire.dataset import EXPLICIT_LITTLE\n"
        "AnswerSet.of({'PatientName': 'Müller', 'Rows': '7', 'StudyInstanceUID': '1.2'}).encoded(EXPLICIT_LITTLE)\n"
        "assert 'pydicom' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


# DICOM files


@pytest.mark.parametrize("target", ENCODINGS, ids=IDS)
@pytest.mark.parametrize("source", ENCODINGS, ids=IDS)
def test_files_are_answered_in_every_encoding_without_pixels_and_bulk(
    source: Encoding, target: Encoding, tmp_path: Path
) -> None:
    dataset = Dataset()
    dataset.SpecificCharacterSet, dataset.PatientName = "ISO_IR 100", "Müller^Jörg"
    dataset.Rows, dataset.EventTimeOffset, dataset.FrameIncrementPointer = 512, 1.5, 0x00181063
    item = Dataset()
    item.CodeValue, item.Rows = "C", 300
    dataset.ProcedureCodeSequence = [item, Dataset()]
    dataset.add_new(0x00091001, "UN", b"\1\2\3\4")
    kept = read(written(dataset, target), target)
    dataset.BitsAllocated, dataset.PixelRepresentation = 8, 0
    kept.BitsAllocated, kept.PixelRepresentation = 8, 0
    dataset.EncapsulatedDocument = bytes(64_002)
    dataset.PixelData = bytes(100)
    path = saved(tmp_path / "a.dcm", dataset, source)

    assert only(AnswerSet.of(str(path.name), tmp_path), target) == kept


def test_what_is_left_out_is_left_out_of_items_too(tmp_path: Path) -> None:
    icon = Dataset()
    icon.Rows, icon.BitsAllocated, icon.PixelRepresentation, icon.PixelData = 1, 8, 0, bytes(4)
    icon.add_new(0x00091001, "UN", bytes(64_002))
    dataset = Dataset()
    dataset.IconImageSequence = [icon]
    path = saved(tmp_path / "a.dcm", dataset)
    assert len(only(AnswerSet.of(path, tmp_path))) == 0, "the sequence itself is bulk"

    del icon[0x00091001]
    (item,) = only(AnswerSet.of(saved(tmp_path / "b.dcm", dataset), tmp_path)).IconImageSequence
    assert [element.keyword for element in item] == ["Rows", "BitsAllocated", "PixelRepresentation"]


def test_group_lengths_are_left_out(tmp_path: Path) -> None:
    data = encode_element(0x00100000, "UL", b"\12\0\0\0", EXPLICIT_LITTLE)
    data += encode_element(0x00100020, "LO", b"P1", EXPLICIT_LITTLE)
    (tmp_path / "a.dcm").write_bytes(data)

    assert AnswerSet.of("a.dcm", tmp_path).encoded(EXPLICIT_LITTLE) == [data[12:]]


@pytest.mark.parametrize("encoding", [EXPLICIT_LITTLE, EXPLICIT_BIG], ids=["explicit", "big"])
def test_items_of_unknown_vr_are_implicit_and_come_out_as_the_answer_is_encoded(
    encoding: Encoding, tmp_path: Path
) -> None:
    """PS3.5 6.2.2: UN of undefined length is a sequence in implicit VR little endian."""
    order = "<" if encoding.little_endian else ">"
    syntax = EXPLICIT if encoding.little_endian else "1.2.840.10008.1.2.2"
    inner = encode_element(0x00280010, "US", b"\7\1", IMPLICIT_LITTLE)
    data = struct.pack(f"{order}HH2sHL", 0x0009, 0x1001, b"UN", 0, 0xFFFFFFFF)
    data += struct.pack("<HHL", 0xFFFE, 0xE000, len(inner)) + inner + struct.pack("<HHL", 0xFFFE, 0xE0DD, 0)
    (tmp_path / "a.dcm").write_bytes(encode_head(FileMeta("1.2", "1.3", syntax)) + data)

    (item,) = only(AnswerSet.of("a.dcm", tmp_path), EXPLICIT_BIG)[0x00091001].value
    assert item.Rows == 0x0107


@pytest.mark.parametrize("levels", [20, 2000])
def test_a_file_nested_too_deeply_is_cut_there(levels: int, tmp_path: Path) -> None:
    data = b""
    for _ in range(levels):
        data = encode_sequence(0x00081032, [data], EXPLICIT_LITTLE)
    (tmp_path / "a.dcm").write_bytes(data)

    (answer,) = AnswerSet.of("a.dcm", tmp_path).encoded(EXPLICIT_LITTLE)
    assert (answer == data) is (levels == 20)


def test_bytes_of_text_come_as_they_are_in_the_file(tmp_path: Path) -> None:
    dataset = Dataset()
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.add_new(0x00100020, "LO", b"\xfc\xff lies ")
    path = saved(tmp_path / "a.dcm", dataset)

    (data,) = AnswerSet.of(path, tmp_path).encoded(EXPLICIT_BIG)
    assert bytes(scan(data, EXPLICIT_BIG).elements[0x00100020].value) == b"\xfc\xff lies "


UNREADABLE = ("meta_missing_tsyntax.dcm", "rtplan_truncated.dcm")
REAL = [path for path in wheel_files("**/*.dcm") if path.name not in UNREADABLE]


@pytest.mark.filterwarnings("ignore::UserWarning")  # of pydicom, about what is odd in these files
@pytest.mark.parametrize("path", REAL, ids=lambda path: path.name)
def test_real_files_are_answers(path: Path) -> None:
    answers = AnswerSet.of(path, path.parent)
    judge = dcmread(path, stop_before_pixels=True)
    for encoding in ENCODINGS:
        found = read(answers.encoded(encoding)[0], encoding)
        assert found.get("SOPInstanceUID") == judge.get("SOPInstanceUID")
        assert found.get("PatientID") == judge.get("PatientID")
        assert {element.tag for element in found} <= {element.tag for element in judge}


@pytest.mark.parametrize("path", [path for path in wheel_files("**/*.dcm") if path.name in UNREADABLE])
def test_half_a_file_is_no_answer(path: Path) -> None:
    with pytest.raises(Refused, match="not a DICOM file"):
        AnswerSet.of(path, path.parent)


def test_a_file_without_meta_information_is_read(tmp_path: Path) -> None:
    dataset = Dataset()
    dataset.PatientID = "P1"
    (tmp_path / "bare").write_bytes(written(dataset, IMPLICIT_LITTLE))

    assert only(AnswerSet.of("bare", tmp_path)).PatientID == "P1"


def test_a_glob_gives_files_in_the_order_of_their_names(tmp_path: Path) -> None:
    (tmp_path / "deep" / "er").mkdir(parents=True)
    for name in ("b.dcm", "a.dcm", "deep/c.dcm", "deep/er/d.dcm", "e.txt"):
        dataset = Dataset()
        dataset.PatientID = name
        saved(tmp_path / name, dataset)

    def ids(pattern: Any) -> list[str]:
        return [read(data).PatientID for data in AnswerSet.of(pattern, tmp_path).encoded(EXPLICIT_LITTLE)]

    assert ids("*.dcm") == ["a.dcm", "b.dcm"]
    assert ids("**/*.dcm") == ["a.dcm", "b.dcm", "deep/c.dcm", "deep/er/d.dcm"]
    assert ids(str(tmp_path / "deep" / "*.dcm")) == ["deep/c.dcm"]
    assert ids(["e.txt", "?.dcm"]) == ["e.txt", "a.dcm", "b.dcm"]


def test_a_folder_with_brackets_in_its_name_is_only_a_folder(tmp_path: Path) -> None:
    folder = tmp_path / "[1]"
    folder.mkdir()
    saved(folder / "a.dcm", Dataset())

    assert len(AnswerSet.of("*.dcm", folder)) == 1


# DICOM JSON


@pytest.mark.parametrize("encoding", ENCODINGS, ids=IDS)
def test_dicom_json_is_read_as_pydicom_reads_it(encoding: Encoding, tmp_path: Path) -> None:
    dataset = Dataset()
    dataset.PatientName, dataset.SpecificCharacterSet = "Yamada^Tarou=山田^太郎=やまだ^たろう", "ISO_IR 192"
    dataset.OtherPatientNames = ["A^B", "C^D"]
    dataset.Rows, dataset.FrameIncrementPointer, dataset.EventTimeOffset = 9, [0x00181063, 0x00181065], 0.5
    dataset.PatientWeight, dataset.SeriesNumber, dataset.AccessionNumber = "70.50", "3", ""
    dataset.StudyTime, dataset.EncapsulatedDocument = "1200", b"\1\2\3\4"
    item = Dataset()
    item.CodeValue = "C"
    dataset.ProcedureCodeSequence = [item, Dataset()]
    model = dataset.to_json_dict()
    (tmp_path / "a.json").write_text(json.dumps([model, {}]), encoding="utf-8")

    first, second = AnswerSet.of("a.json", tmp_path).encoded(encoding)

    assert read(first, encoding) == dataset
    assert len(read(second, encoding)) == 0


def test_numbers_of_json_stay_as_they_were_written(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"00101030": {"vr": "DS", "Value": [70.50, null, 1e3]}}', encoding="utf-8")

    (data,) = AnswerSet.of("a.json", tmp_path).encoded(EXPLICIT_LITTLE)
    assert bytes(scan(data, EXPLICIT_LITTLE).elements[0x00101030].value) == b"70.50\\\\1e3"


def test_values_that_json_keeps_elsewhere_and_pixels_are_left_out(tmp_path: Path) -> None:
    model = {
        "00100020": {"vr": "LO", "Value": ["P1"]},
        "00420011": {"vr": "OB", "BulkDataURI": "http://x/1"},
        "7FE00010": {"vr": "OW", "InlineBinary": "AAAA"},
        "00420010": {"vr": "ST", "Value": ["x" * 64_001]},
        "00091001": {"vr": "UN", "InlineBinary": "AAAA" * 21_334},
        "00080000": {"vr": "UL", "Value": [10]},
    }
    (tmp_path / "a.JSON").write_text(json.dumps(model), encoding="utf-8")

    assert [element.keyword for element in only(AnswerSet.of("a.JSON", tmp_path))] == ["PatientID"]


# what is wrong


def problems(text: str, folder: Path) -> list[str]:
    with pytest.raises(ScenarioError) as told:
        sets(text, folder)
    return str(told.value).splitlines()


def test_everything_that_is_wrong_is_told_at_once_with_its_place(tmp_path: Path) -> None:
    lines = problems(
        """
one:
  - { PatientNme: A, Rows: many }
  - PatientID: [A, [B]]
    RequestAttributesSequence: text
    Modality: { CodeValue: A }
two: { ProcedureCodeSequence: [{ CodeValu: A }], Columns: 70000, PatientID: B, "(0010,0020)": C }
three:
four: missing.dcm
five: ["no*.dcm", .]
six: { PixelPaddingValue: !bytes "xx" }
""",
        tmp_path,
    )

    assert [line.split(": ", 1)[0] for line in lines] == [
        "s.yaml:3:7", "s.yaml:3:28", "s.yaml:4:5", "s.yaml:5:5", "s.yaml:6:5", "s.yaml:7:34", "s.yaml:7:59",
        "s.yaml:7:80", "s.yaml:8:1", "s.yaml:9:7", "s.yaml:10:8", "s.yaml:10:19", "s.yaml:11:27",
    ]  # fmt: skip
    text = "\n".join(lines)
    for said in (
        '"PatientNme". Did you mean "PatientName"?',
        '"many" is no number of VR US',
        "a value cannot be a list",
        "is a sequence",
        "has VR CS",
        '"CodeValu". Did you mean "CodeValue"?',
        '"70000" is no number',
        "PatientID is given twice",
        "nothing is no answer",
        "there is no such file",
        "fits no file",
        "is a folder",
        '"xx" is not bytes',
    ):
        assert said in text


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.dcm", b"", "not a DICOM file"),
        ("a.dcm", b"something else altogether", "not a DICOM file"),
        (
            "a.dcm",
            bytes(128) + b"DICM" + b"\2\0\x10\0UI\x14\x00" + b"1.2.840.10008.1.2.1\0" + b"\x10\0\x10\0PN\x20\0A",
            "32",
        ),
        ("a.json", b"{", "not JSON: line 1, column 2"),
        ("a.json", b"\xff", "not JSON: not text"),
        ("a.json", b"[" * 100_000, "nested too deeply"),
        ("a.json", b"7", "is not an object"),
        ("a.json", b'{"PatientID": {}}', '"PatientID" is not a tag'),
        ("a.json", b'{"00100020": "P1"}', "00100020"),
        ("a.json", b'{"00100020": {"vr": "long"}}', "is not a VR"),
        ("a.json", b'{"00100020": {"vr": "LO", "Value": "P1"}}', "Value is a list"),
        ("a.json", b'{"00100020": {"vr": "LO", "Value": [[1]]}}', "is not a value"),
        ("a.json", b'{"00280010": {"vr": "US", "Value": [1.5]}}', "no number of VR US"),
        ("a.json", b'{"00420011": {"vr": "OB", "InlineBinary": "%%"}}', "not base64"),
        ("a.json", b'{"00081032": {"vr": "SQ", "Value": [7]}}', "is not an object"),
    ],
)
def test_a_file_that_cannot_be_read_is_told_with_its_name(name: str, content: bytes, said: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)

    (line,) = problems(f"set: {name}", tmp_path)

    assert line.startswith(f"s.yaml:1:6: {tmp_path / name}: ")
    assert said in line


def test_in_the_middle_of_a_rule_no_files_are_read() -> None:
    with pytest.raises(Refused, match="under data"):
        AnswerSet.of(["*.dcm"])


@pytest.mark.parametrize("make", [lambda: AnswerSet.of({"PatientNme": "A"}), lambda: AnswerSet.of([1])])
def test_python_is_told_too(make: Callable[[], AnswerSet]) -> None:
    with pytest.raises(Refused):
        make()


def test_a_problem_without_a_place_names_the_set() -> None:
    with pytest.raises(ScenarioError, match=r"^data ct: "):
        read_sets({"ct": ([{"PatientNme": "A"}], Path())})


def test_an_empty_list_is_a_set_of_no_answers() -> None:
    assert len(sets("none: []")["none"]) == 0
    with disable_value_validation():
        assert sets("none: []")["none"].encoded(DEFLATED) == []
