"""What real servers get wrong in queries, one test for each: pynetdicom asks, and reads the bytes of the answers."""

from __future__ import annotations

from typing import Any

import pytest
from pydicom import Dataset

from mockpacs import MockPACS
from tests.interop.collection import numbers, uid
from tests.interop.scu import PATIENT_ROOT, STUDY_ROOT, Answer, ask, keys

SUCCESS, PENDING, PENDING_WARNING = 0x0000, 0xFF00, 0xFF01


def studies(pacs: MockPACS, *, extended: bytes | None = None, **wanted: Any) -> str:
    """The numbers of the studies that are found, in order."""
    answer = ask(pacs, keys("STUDY", **{"StudyInstanceUID": "", **wanted}), extended=extended)
    assert answer.final.Status == SUCCESS
    assert {status for status, _ in answer.matches} <= {PENDING}
    return " ".join(sorted(map(numbers, answer.identifiers)))


def test_there_is_one_response_per_entity_and_not_per_instance(archive_to_ask: MockPACS) -> None:
    patients = ask(archive_to_ask, keys("PATIENT", PatientID="P1", PatientName=""), model=PATIENT_ROOT)
    assert len(patients.matches) == 1
    assert studies(archive_to_ask, StudyInstanceUID=uid(1), ModalitiesInStudy="") == "1"


def test_an_empty_key_finds_everything(archive_to_ask: MockPACS) -> None:
    assert studies(archive_to_ask, PatientName="", StudyDate="", AccessionNumber="", StudyDescription="") == "1 2 3 4 5"


@pytest.mark.parametrize(("key", "found"), [("ACC_1", "1"), ("ACC%1", "3"), ("%", ""), ("50%", "5"), ("A_C_1", "")])
def test_underscores_and_percent_signs_are_no_wild_cards(archive_to_ask: MockPACS, key: str, found: str) -> None:
    assert studies(archive_to_ask, AccessionNumber=key) == found


def test_case_counts_in_everything_but_names_of_people(archive_to_ask: MockPACS) -> None:
    assert studies(archive_to_ask, StudyDescription="Thorax") == "1 5"
    assert studies(archive_to_ask, StudyDescription="thorax") == "3"
    assert studies(archive_to_ask, StudyDescription="T*") == "1 5"
    assert studies(archive_to_ask, PatientName="smithe^JANE") == "4"


def test_a_list_of_uids_finds_each_of_them_even_a_long_one(archive_to_ask: MockPACS) -> None:
    assert studies(archive_to_ask, StudyInstanceUID=[uid(5), uid(1), "1.2.3"]) == "1 5"
    many = [uid(9, number) for number in range(1500)]
    assert studies(archive_to_ask, StudyInstanceUID=[*many, uid(2), uid(3)]) == "2 3"


@pytest.mark.parametrize("keyword", ["AccessionNumber", "StudyDescription", "PatientID", "PatientName"])
def test_a_backslash_in_a_text_key_is_no_accident(archive_to_ask: MockPACS, keyword: str) -> None:
    assert studies(archive_to_ask, **{keyword: ["A1", "A2"]}) == ""


@pytest.mark.parametrize("keyword", ["StudyDescription", "AccessionNumber", "PatientName", "StudyDate", "StudyTime"])
def test_a_lone_star_also_finds_who_has_no_value(archive_to_ask: MockPACS, keyword: str) -> None:
    raw = keys("STUDY", StudyInstanceUID="")
    raw.add_new(keyword, {"StudyDate": "DA", "StudyTime": "TM"}.get(keyword, "LO"), "")
    raw[keyword]._value = "*"  # pydicom validates what it is given
    answer = ask(archive_to_ask, raw)
    assert sorted(map(numbers, answer.identifiers)) == ["1", "2", "3", "4", "5"]


@pytest.mark.parametrize(
    "name", ["Smith^John", "Smith^John^^", "SMITH^JOHN^", "smith^john^^^", "Smith^John==", "Smith^J*", "Smith^John^*"]
)
def test_trailing_carets_and_missing_groups_make_no_other_name(archive_to_ask: MockPACS, name: str) -> None:
    assert studies(archive_to_ask, PatientName=name) == "1 2 3"


@pytest.mark.parametrize(
    ("key", "found"),
    [
        ("0930", "1"),
        ("093000", "1"),
        ("093000.000000", "1"),
        ("2230", "2"),
        ("223000.0", "2"),
        ("09-10", "1 3"),
        ("0930-1045", "1 3"),
        ("22-", "2 4"),
        ("-0930", "1"),
        ("2359-", "4"),
        ("23-01", ""),  # never across midnight
    ],
)
def test_times_are_compared_by_meaning(archive_to_ask: MockPACS, key: str, found: str) -> None:
    assert studies(archive_to_ask, StudyTime=key) == found


@pytest.mark.parametrize(
    ("key", "found"), [("20210101-", "1 2 3"), ("-20210101", "1 4"), ("20210102-20211231", "2 3"), ("20210615", "2")]
)
def test_dates_are_compared_by_meaning_and_ranges_may_be_open(archive_to_ask: MockPACS, key: str, found: str) -> None:
    assert studies(archive_to_ask, StudyDate=key) == found


def test_moments_are_compared_by_meaning(archive_to_ask: MockPACS) -> None:
    def images(moment: str) -> str:
        wanted = keys("IMAGE", StudyInstanceUID=uid(4), SeriesInstanceUID=uid(4, 1), SOPInstanceUID="")
        wanted.AcquisitionDateTime = moment
        return " ".join(sorted(map(numbers, ask(archive_to_ask, wanted).identifiers)))

    assert images("20200229225959.5+0000") == "4.1.1"
    assert images("20200301000000-") == "4.1.2"
    assert images("-20200229235959+0000") == "4.1.1"
    assert images("20200229-20200301") == "4.1.1 4.1.2"


def test_an_optional_key_that_is_not_supported_is_not_returned_and_the_status_says_so(archive_to_ask: MockPACS) -> None:
    wanted = keys("STUDY", StudyInstanceUID=uid(1), SliceThickness="1.5")
    ((status, match),) = ask(archive_to_ask, wanted).matches
    assert status == PENDING_WARNING
    assert "SliceThickness" not in match
    wanted = keys("STUDY", StudyInstanceUID=uid(1), StudyDescription="", PatientSex="", ReferringPhysicianName="")
    ((status, match),) = ask(archive_to_ask, wanted).matches
    assert status == PENDING
    assert match.ReferringPhysicianName == ""
    assert match.PatientSex == "M"


def test_the_label_of_an_answer_fits_its_text(archive_to_ask: MockPACS) -> None:
    ((_, match),) = ask(archive_to_ask, keys("STUDY", StudyInstanceUID=uid(1), PatientName="")).matches
    assert match.get("SpecificCharacterSet", "ISO_IR 6") in ("ISO_IR 6", "ISO_IR 100", "ISO_IR 192")


def _coded(**values: str) -> Dataset:
    return keys("STUDY", StudyInstanceUID="", ProcedureCodeSequence=[_item(**values)])


def _item(**values: str) -> Dataset:
    item = Dataset()
    for keyword, value in values.items():
        setattr(item, keyword, value)
    return item


def test_a_sequence_is_matched_within_one_item_and_only_that_item_is_returned(archive_to_ask: MockPACS) -> None:
    ((_, match),) = ask(archive_to_ask, _coded(CodeValue="T?", CodingSchemeDesignator="99B", CodeMeaning="")).matches
    (item,) = match.ProcedureCodeSequence
    assert {element.keyword: element.value for element in item} == {
        "CodeValue": "T2",
        "CodingSchemeDesignator": "99B",
        "CodeMeaning": "Neck",
    }
    assert ask(archive_to_ask, _coded(CodeValue="T1", CodingSchemeDesignator="99B")).matches == []
    assert len(ask(archive_to_ask, _coded(CodeValue="")).matches) == 5


def test_modalities_in_study_and_counts_do_not_collapse_the_answer(archive_to_ask: MockPACS) -> None:
    wanted = keys("STUDY", StudyInstanceUID="", ModalitiesInStudy="CT", NumberOfStudyRelatedInstances=None)
    answer = ask(archive_to_ask, wanted)
    assert {numbers(match): match.NumberOfStudyRelatedInstances for match in answer.identifiers} == {
        "1": 3,
        "2": 1,
        "5": 1,
    }
    assert answer.identifiers[0].ModalitiesInStudy == ["CT", "MR"]


def test_the_final_response_carries_no_identifier(archive_to_ask: MockPACS) -> None:
    answer = ask(archive_to_ask, keys("STUDY", StudyInstanceUID="1.2.3"))
    assert answer.matches == []
    assert {element.keyword for element in answer.final} == {"Status"}


# Extended negotiation (PS3.4 C.5.1.1.1).

RELATIONAL, COMBINED, FUZZY, TIMEZONE, CONVERSION, EMPTY, MULTIPLE = (bytes(number) + b"\1" for number in range(7))


@pytest.mark.parametrize(
    ("offered", "answered"),
    [
        (b"\1", b"\1"),
        (b"\0", b"\0"),
        (b"\1\1", b"\1\1"),
        (b"\1\1\1", b"\1\1\0"),
        (b"\0\0\0\1", b"\0\0\0\1"),
        (b"\1\1\1\1\1\1\1", b"\1\1\0\1\0\1\1"),
        (b"\0\0\0\0\0\0\0", b"\0\0\0\0\0\0\0"),
    ],
)
def test_extended_negotiation_is_answered_with_what_is_done(
    archive_to_ask: MockPACS, offered: bytes, answered: bytes
) -> None:
    answer = ask(archive_to_ask, keys("STUDY", StudyInstanceUID=uid(1)), extended=offered)
    assert answer.agreed == answered


def test_nothing_is_negotiated_that_was_not_offered(archive_to_ask: MockPACS) -> None:
    assert ask(archive_to_ask, keys("STUDY", StudyInstanceUID=uid(1))).agreed is None


def images(answer: Answer) -> list[str]:
    return sorted(map(numbers, answer.identifiers))


def test_a_relational_query_needs_no_keys_of_the_levels_above(archive_to_ask: MockPACS) -> None:
    wanted = keys("IMAGE", PatientName="SMITHE^*", SOPInstanceUID="")
    assert images(ask(archive_to_ask, wanted, extended=RELATIONAL)) == ["4.1.1", "4.1.2"]
    assert ask(archive_to_ask, wanted, extended=b"\0").final.Status == 0xA900
    assert ask(archive_to_ask, wanted).final.Status == 0xA900
    wanted = keys("SERIES", PatientID="P1", Modality="CT", SeriesInstanceUID="")
    assert images(ask(archive_to_ask, wanted, model=PATIENT_ROOT, extended=RELATIONAL)) == ["1.1", "2.1"]


def test_ranges_of_date_and_time_are_combined_when_negotiated_and_only_then(archive_to_ask: MockPACS) -> None:
    wanted = {"StudyDate": "20210101-20211231", "StudyTime": "0931-1000"}
    assert studies(archive_to_ask, extended=COMBINED, **wanted) == "2"
    assert studies(archive_to_ask, **wanted) == ""
    assert studies(archive_to_ask, extended=COMBINED, StudyDate="20210101-", StudyTime="0931-") == "2 3"


def test_an_offset_from_utc_moves_what_is_compared_and_an_answer_says_its_own(archive_to_ask: MockPACS) -> None:
    """The study was made on 29 February at 23:59:59.5, one hour ahead of UTC."""
    wanted = {"StudyDate": "", "StudyTime": "2230-2300", "TimezoneOffsetFromUTC": "+0000"}
    assert studies(archive_to_ask, extended=TIMEZONE, **wanted) == "2 4"
    assert studies(archive_to_ask, extended=TIMEZONE, **{**wanted, "TimezoneOffsetFromUTC": "+0100"}) == "2"
    assert studies(archive_to_ask, **wanted) == "2"
    tokyo = keys("STUDY", StudyInstanceUID=uid(4), StudyDate="", StudyTime="", TimezoneOffsetFromUTC="+0900")
    ((_, match),) = ask(archive_to_ask, tokyo, extended=TIMEZONE).matches
    assert (match.StudyDate, match.StudyTime, match.TimezoneOffsetFromUTC) == ("20200229", "235959.5", "+0100")


def test_two_quotation_marks_find_who_has_no_value_when_negotiated(archive_to_ask: MockPACS) -> None:
    assert studies(archive_to_ask, extended=EMPTY, AccessionNumber='""') == "4"
    assert studies(archive_to_ask, extended=EMPTY, PatientName='""') == "5"
    assert studies(archive_to_ask, AccessionNumber='""') == ""


def test_several_values_all_have_to_be_there_when_negotiated(archive_to_ask: MockPACS) -> None:
    def found(*modalities: str, extended: bytes | None = None) -> str:
        return studies(archive_to_ask, ModalitiesInStudy=list(modalities), extended=extended)

    assert found("CT", "MR", extended=MULTIPLE) == "1"
    assert found("MR", "CT") == "1 2 4 5"
    assert found("CT", "US", extended=MULTIPLE) == ""


def test_fuzzy_matching_of_names_is_not_promised_and_not_done(archive_to_ask: MockPACS) -> None:
    assert studies(archive_to_ask, extended=FUZZY, PatientName="Smyth^John") == ""


def test_study_root_answers_with_the_patient_too(archive_to_ask: MockPACS) -> None:
    wanted = keys("STUDY", StudyInstanceUID=uid(2), PatientName="", PatientID="", PatientBirthDate="")
    ((_, match),) = ask(archive_to_ask, wanted, model=STUDY_ROOT).matches
    assert (match.PatientName, match.PatientID, match.PatientBirthDate) == ("Smith^John", "P1", "19700102")
