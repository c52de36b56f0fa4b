"""Names in every character set of the wheel: stored, found by UTF-8 and by their own bytes, and given back right."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread

from mockpacs import MockPACS
from tests.conftest import wheel_files
from tests.interop.programs import findscu, run
from tests.interop.scu import ask, keys

pytestmark = pytest.mark.filterwarnings("ignore")  # pydicom has something to say about most of these files

# One study each. The others have no UIDs, or are a file of this list again with the same UID.
LEFT_OUT = {"chrSQEncoding.dcm", "chrSQEncoding1.dcm", "chrFrenMulti.dcm", "chrJapMultiExplicitIR6.dcm"}
FILES = [path for path in wheel_files("chr*.dcm") if path.name not in LEFT_OUT]


def expected(path: Path) -> Dataset:
    made = dcmread(path)
    made.decode()
    return made


@pytest.fixture(scope="module")
def pacs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MockPACS]:
    with MockPACS() as serving:
        ran = run("dcmsend", "-v", serving.host, serving.port, *FILES)
        assert ran.text.count("Response (Success)") == len(FILES), ran.text
        yield serving


def test_the_files_bring_single_byte_multi_byte_and_extended_character_sets() -> None:
    terms = set()
    for path in FILES:
        said = expected(path).get("SpecificCharacterSet", "")
        terms |= {said} if isinstance(said, str) else set(said)
    assert terms >= {"ISO_IR 100", "ISO_IR 126", "ISO_IR 127", "ISO_IR 138", "ISO_IR 144", "ISO_IR 192", "GB18030"}
    assert terms >= {"ISO 2022 IR 13", "ISO 2022 IR 87", "ISO 2022 IR 149"}


def name_found_by(pacs: MockPACS, path: Path, identifier: Dataset) -> str:
    """The name in the answer for the study of a file, the only one that matches."""
    answer = ask(pacs, identifier)
    (match,) = [match for match in answer.identifiers if match.StudyInstanceUID == expected(path).StudyInstanceUID]
    match.decode()
    return str(match.PatientName)


@pytest.mark.parametrize("path", FILES, ids=[path.name for path in FILES])
def test_a_name_comes_back_as_it_is(pacs: MockPACS, path: Path) -> None:
    study = expected(path)
    found = name_found_by(pacs, path, keys("STUDY", StudyInstanceUID=study.StudyInstanceUID, PatientName=""))
    assert found == str(study.PatientName)
    assert "?" not in found


@pytest.mark.parametrize("path", FILES, ids=[path.name for path in FILES])
def test_a_name_is_found_by_a_query_in_utf_8(pacs: MockPACS, path: Path) -> None:
    study = expected(path)
    identifier = keys("STUDY", StudyInstanceUID="", PatientName=str(study.PatientName))
    identifier.SpecificCharacterSet = "ISO_IR 192"
    assert name_found_by(pacs, path, identifier) == str(study.PatientName)


@pytest.mark.parametrize("path", FILES, ids=[path.name for path in FILES])
def test_a_name_is_found_by_a_query_in_its_own_character_set(pacs: MockPACS, path: Path) -> None:
    """The bytes of the file are the bytes of the query: pydicom does not encode them again."""
    stored = dcmread(path)
    identifier = keys("STUDY", StudyInstanceUID="")
    identifier.SpecificCharacterSet = stored.SpecificCharacterSet
    identifier.PatientName = stored.PatientName
    assert name_found_by(pacs, path, identifier) == str(expected(path).PatientName)


@pytest.mark.parametrize("path", FILES, ids=[path.name for path in FILES])
def test_a_part_of_a_name_is_found_with_a_wild_card(pacs: MockPACS, path: Path) -> None:
    name = expected(path).PatientName
    group = name.ideographic or name.alphabetic
    identifier = keys("STUDY", StudyInstanceUID="", PatientName=group[:1] + "*")
    identifier.SpecificCharacterSet = "ISO_IR 192"
    assert name_found_by(pacs, path, identifier) == str(name)


def test_findscu_reads_the_names_too(pacs: MockPACS, tmp_path: Path) -> None:
    found = findscu(pacs, tmp_path, "-S", ["QueryRetrieveLevel=STUDY", "StudyInstanceUID", "PatientName"])
    for match in found.matches:
        match.decode()
    assert sorted(str(match.PatientName) for match in found.matches) == sorted(
        str(expected(path).PatientName) for path in FILES
    )


def test_an_answer_says_a_character_set_that_is_defined(pacs: MockPACS) -> None:
    answer = ask(pacs, keys("STUDY", StudyInstanceUID="", PatientName=""))
    defined = {"", "GB18030", "GBK", "ISO_IR 192"}
    for number in (6, 13, 87, 100, 101, 109, 110, 126, 127, 138, 144, 148, 149, 159, 166, 58):
        defined |= {f"ISO_IR {number}", f"ISO 2022 IR {number}"}
    assert answer.identifiers
    for match in answer.identifiers:
        terms = match.get("SpecificCharacterSet", "")
        assert set([terms] if isinstance(terms, str) else terms) <= defined
