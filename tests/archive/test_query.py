"""Queries against an index in memory: levels, traps other servers fall into, sequences, limits, the SQL in front."""

from __future__ import annotations

import itertools
from pathlib import Path

import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mockpacs.archive import attributes, matching, prefilter, query, selection
from mockpacs.archive.columns import COLUMNS
from mockpacs.archive.database import Index
from mockpacs.archive.identifier import Key, parse
from mockpacs.archive.index import Level
from mockpacs.archive.matching import Rules
from mockpacs.archive.model import DEPTH, Model
from mockpacs.archive.query import QueryOptions
from mockpacs.errors import IdentifierError
from mockpacs.wire.dataset import EXPLICIT_LITTLE, encode_element
from mockpacs.wire.dataset import IMPLICIT_LITTLE as IMPLICIT
from mockpacs.wire.dictionary import tag_of, vr_of
from tests.archive.asking import CT, PLAIN, Filled, dataset_of, filled, identifier, read, written

SMITH = {"PatientID": "P1", "PatientName": "Smith^John", "StudyInstanceUID": "1.2.1", "SeriesInstanceUID": "1.3.1"}
JONES = {
    "PatientID": "P2",
    "PatientName": "Jones^Ann=\u5c71\u7530",
    "StudyInstanceUID": "1.2.3",
    "SeriesInstanceUID": "1.3.4",
    "SpecificCharacterSet": "ISO_IR 192",
}
HEAD = {
    "StudyDate": "20210304",
    "StudyTime": "093000",
    "AccessionNumber": "A1",
    "StudyDescription": "Head",
    "Modality": "CT",
}


@pytest.fixture
def archive() -> Filled:
    """Two patients, three studies, four series, six instances."""
    return filled(
        [
            {**SMITH, **HEAD, "InstanceNumber": "1"},
            {**SMITH, **HEAD, "InstanceNumber": "2"},
            {**SMITH, **HEAD, "SeriesInstanceUID": "1.3.2", "Modality": "SR", "InstanceNumber": "1"},
            {**SMITH, "StudyInstanceUID": "1.2.2", "SeriesInstanceUID": "1.3.3", "StudyDate": "20220101",
             "Modality": "MR"},
            {**JONES, "StudyDate": "20220601", "StudyTime": "2230", "AccessionNumber": "A_1", "Modality": "CT"},
            JONES,
        ]
    )  # fmt: skip


# ---- levels ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "level", "keys", "count"),
    [
        (Model.PATIENT_ROOT, "PATIENT", {}, 2),
        (Model.PATIENT_ROOT, "STUDY", {"PatientID": "P1"}, 2),
        (Model.PATIENT_ROOT, "SERIES", {"PatientID": "P1", "StudyInstanceUID": "1.2.1"}, 2),
        (Model.PATIENT_ROOT, "IMAGE", {key: SMITH[key] for key in SMITH if key != "PatientName"}, 2),
        (Model.STUDY_ROOT, "STUDY", {}, 3),
        (Model.STUDY_ROOT, "SERIES", {"StudyInstanceUID": "1.2.1"}, 2),
        (Model.STUDY_ROOT, "IMAGE", {"StudyInstanceUID": "1.2.1", "SeriesInstanceUID": "1.3.1"}, 2),
        (Model.PATIENT_STUDY_ONLY, "PATIENT", {}, 2),
        (Model.PATIENT_STUDY_ONLY, "STUDY", {"PatientID": "P2"}, 1),
    ],
)  # fmt: skip
def test_there_is_one_answer_per_entity_at_every_level(
    archive: Filled, model: Model, level: str, keys: dict[str, str], count: int
) -> None:
    assert len(archive.matches(level, keys, model=model)) == count


@pytest.mark.parametrize(
    ("model", "level", "keys", "offending"),
    [
        (Model.STUDY_ROOT, None, {}, 0x00080052),
        (Model.STUDY_ROOT, "", {}, 0x00080052),
        (Model.STUDY_ROOT, "PATIENT", {}, 0x00080052),
        (Model.STUDY_ROOT, "study", {}, 0x00080052),
        (Model.PATIENT_STUDY_ONLY, "SERIES", {"PatientID": "P1", "StudyInstanceUID": "1.2.1"}, 0x00080052),
        (Model.PATIENT_ROOT, "STUDY", {}, 0x00100020),
        (Model.PATIENT_ROOT, "STUDY", {"PatientID": "P*"}, 0x00100020),
        (Model.PATIENT_ROOT, "STUDY", {"PatientID": ["P1", "P2"]}, 0x00100020),
        (Model.STUDY_ROOT, "SERIES", {"StudyInstanceUID": ""}, 0x0020000D),
        (Model.STUDY_ROOT, "SERIES", {"StudyInstanceUID": ["1.2.1", "1.2.2"]}, 0x0020000D),
        (Model.STUDY_ROOT, "IMAGE", {"StudyInstanceUID": "1.2.1"}, 0x0020000E),
    ],
)  # fmt: skip
def test_what_the_model_does_not_allow_is_refused_with_the_offending_element(
    archive: Filled, model: Model, level: str | None, keys: dict[str, str], offending: int
) -> None:
    with pytest.raises(IdentifierError) as refused:
        archive.matches(level, keys, model=model)
    assert (refused.value.status, refused.value.offending) == (0xA900, (offending,))


def test_an_answer_has_what_was_asked_and_the_unique_keys_above(archive: Filled) -> None:
    (answer,) = archive.ask("SERIES", StudyInstanceUID="1.2.2", Modality="", SeriesNumber="", InstanceAvailability="")
    assert {element.keyword: str(element.value or "") for element in answer} == {
        "QueryRetrieveLevel": "SERIES",
        "RetrieveAETitle": "MOCKPACS",
        "InstanceAvailability": "ONLINE",
        "Modality": "MR",
        "StudyInstanceUID": "1.2.2",
        "SeriesNumber": "",
    }


def test_a_key_below_the_level_is_not_returned_and_the_status_says_so(archive: Filled) -> None:
    matches = archive.matches("STUDY", {"StudyInstanceUID": "1.2.1", "SeriesInstanceUID": "", "InstanceNumber": ""})
    assert [match.complete for match in matches] == [False]
    assert "SeriesInstanceUID" not in read(matches[0].dataset)


def test_supported_keys_alone_give_pending_without_warning(archive: Filled) -> None:
    assert all(match.complete for match in archive.matches("STUDY", {"StudyDate": "", "PatientName": ""}))


def test_the_patient_is_searched_at_study_level_of_the_study_root(archive: Filled) -> None:
    assert archive.values("STUDY", "StudyInstanceUID", PatientName="smith*") == ["1.2.1", "1.2.2"]


# ---- traps ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("keys", "found"),
    [
        pytest.param({}, ["1.2.1", "1.2.2", "1.2.3"], id="empty keys find everything"),
        pytest.param({"AccessionNumber": "A_1"}, ["1.2.3"], id="an underscore is no wild card"),
        pytest.param({"AccessionNumber": "A%"}, [], id="a percent sign is no wild card"),
        pytest.param({"AccessionNumber": "a1"}, [], id="text is case-sensitive"),
        pytest.param({"AccessionNumber": "A1' OR '1'='1"}, [], id="quotes are text"),
        pytest.param({"AccessionNumber": ["A1", "A2"]}, ["1.2.1"], id="a backslash in a text key"),
        pytest.param({"AccessionNumber": "A?1"}, ["1.2.3"], id="a question mark in an indexed column"),
        pytest.param({"AccessionNumber": "A*1"}, ["1.2.1", "1.2.3"], id="a star may stand for nothing"),
        pytest.param({"StudyInstanceUID": ["1.2.1", "1.2.3", "9"]}, ["1.2.1", "1.2.3"], id="a list of UIDs"),
        pytest.param({"StudyDescription": "*"}, ["1.2.1", "1.2.2", "1.2.3"], id="a lone star finds what has no value"),
        pytest.param({"StudyDescription": "H*"}, ["1.2.1"], id="a star with text does not"),
        pytest.param({"PatientName": "SMITH^JOHN^^"}, ["1.2.1", "1.2.2"], id="trailing carets"),
        pytest.param({"PatientName": "Jones^Ann"}, ["1.2.3"], id="missing component groups"),
        pytest.param({"PatientName": "\u5c71*", "SpecificCharacterSet": "GB18030"}, ["1.2.3"], id="ideographic text"),
        pytest.param({"StudyTime": "09-10"}, ["1.2.1"], id="times by meaning"),
        pytest.param({"StudyTime": "223000"}, ["1.2.3"], id="precision of times"),
        pytest.param({"StudyDate": "20220101-"}, ["1.2.2", "1.2.3"], id="open ranges"),
        pytest.param({"StudyDate": "-20211231"}, ["1.2.1"], id="ranges open at the beginning"),
        pytest.param({"ModalitiesInStudy": "SR"}, ["1.2.1"], id="one of the modalities"),
        pytest.param({"ModalitiesInStudy": ["SR", "MR"]}, ["1.2.1", "1.2.2"], id="a list of modalities"),
        pytest.param({"ModalitiesInStudy": "?R"}, ["1.2.1", "1.2.2"], id="modalities with wild cards"),
        pytest.param({"SOPClassesInStudy": CT}, ["1.2.1", "1.2.2", "1.2.3"], id="SOP classes"),
        pytest.param({"NumberOfStudyRelatedInstances": "3"}, ["1.2.1"], id="a counter as a key"),
    ],
)  # fmt: skip
def test_trap(archive: Filled, keys: dict[str, str], found: list[str]) -> None:
    keys = {"StudyInstanceUID": "", **keys}
    assert [str(answer.StudyInstanceUID) for answer in archive.ask("STUDY", keys)] == found


def test_all_modalities_are_returned_whichever_was_asked_for(archive: Filled) -> None:
    (answer,) = archive.ask("STUDY", ModalitiesInStudy="SR", SOPClassesInStudy="")
    assert answer.ModalitiesInStudy == ["CT", "SR"]
    assert answer.SOPClassesInStudy == CT


def test_counters_count(archive: Filled) -> None:
    names = ["NumberOfPatientRelatedStudies", "NumberOfPatientRelatedSeries", "NumberOfPatientRelatedInstances"]
    (patient,) = archive.ask("STUDY", dict.fromkeys(names, ""), StudyInstanceUID="1.2.1")
    assert [int(patient[name].value) for name in names] == [2, 3, 4]
    names = ["NumberOfStudyRelatedSeries", "NumberOfStudyRelatedInstances"]
    (study,) = archive.ask("STUDY", dict.fromkeys(names, ""), StudyInstanceUID="1.2.1")
    assert [int(study[name].value) for name in names] == [2, 3]
    assert archive.values("SERIES", "NumberOfSeriesRelatedInstances", StudyInstanceUID="1.2.1") == ["2", "1"]


def test_an_unknown_value_matches_only_when_the_archive_is_told_so(archive: Filled) -> None:
    options = QueryOptions(unknown_values="match")
    assert archive.values("STUDY", "StudyInstanceUID", StudyDescription="Head") == ["1.2.1"]
    found = archive.values("STUDY", "StudyInstanceUID", StudyDescription="Head", AccessionNumber="A1", options=options)
    assert found == ["1.2.1", "1.2.2"]


# ---- what extended negotiation adds ---------------------------------------------------------------------------------


def test_dates_and_times_are_one_range_once_that_was_agreed() -> None:
    archive = filled(
        {"StudyInstanceUID": f"1.{day}.{hour}", "StudyDate": f"200607{day:02}", "StudyTime": f"{hour:02}"}
        for day, hour in itertools.product((5, 6, 7), (9, 12, 19))
    )
    keys = {"StudyDate": "20060705-20060707", "StudyTime": "1000-1800"}
    combined = QueryOptions(combined_datetime=True)
    assert archive.values("STUDY", "StudyInstanceUID", keys) == ["1.5.12", "1.6.12", "1.7.12"]
    assert archive.values("STUDY", "StudyInstanceUID", keys, options=combined) == [
        "1.5.12", "1.5.19", "1.6.9", "1.6.12", "1.6.19", "1.7.9", "1.7.12"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("dates", "times", "found"),
    [
        ("20060706-", "1000-", ["1.6.12", "1.6.19", "1.7.9", "1.7.12", "1.7.19"]),
        ("-20060706", "-1000", ["1.5.9", "1.5.12", "1.5.19", "1.6.9"]),
        ("2006-20060705", "1000-1000", ["1.5.9"]),
        ("20060706", "1000-1300", ["1.6.12"]),
        ("20060706-", "-1000", ["1.6.9", "1.7.9"]),
    ],
)  # fmt: skip
def test_only_ranges_of_the_same_form_are_combined(dates: str, times: str, found: list[str]) -> None:
    archive = filled(
        {"StudyInstanceUID": f"1.{day}.{hour}", "StudyDate": f"200607{day:02}", "StudyTime": f"{hour:02}"}
        for day, hour in itertools.product((5, 6, 7), (9, 12, 19))
    )
    options = QueryOptions(combined_datetime=True)
    keys = {"StudyDate": dates, "StudyTime": times}
    assert archive.values("STUDY", "StudyInstanceUID", keys, options=options) == found


def test_times_are_compared_in_the_timezone_of_the_query_once_that_was_agreed() -> None:
    archive = Filled()
    late = {"StudyDate": "20210304", "StudyTime": "2330"}
    archive.add(late, dataset_of({"TimezoneOffsetFromUTC": "-0100"}), StudyInstanceUID="1.1")
    archive.add(late, dataset_of({}), StudyInstanceUID="1.2")
    keys = {"StudyDate": "20210305", "StudyTime": "0000-0100", "TimezoneOffsetFromUTC": "+0000"}
    assert archive.ask("STUDY", keys) == []
    matches = archive.matches("STUDY", {**keys, "StudyInstanceUID": ""}, options=QueryOptions(timezone_adjustment=True))
    (answer,) = [read(match.dataset) for match in matches]
    assert (answer.StudyInstanceUID, answer.StudyDate, answer.TimezoneOffsetFromUTC) == ("1.1", "20210304", "-0100")


def test_relational_queries_need_no_keys_above_and_may_have_keys_below(archive: Filled) -> None:
    options = QueryOptions(relational=True)
    assert len(archive.matches("IMAGE", {"SOPInstanceUID": ""}, options=options)) == 6
    assert archive.values("STUDY", "StudyInstanceUID", Modality="CT", options=options) == ["1.2.1", "1.2.3"]
    assert archive.values("SERIES", "SeriesInstanceUID", InstanceNumber="2", options=options) == ["1.3.1"]


def test_the_empty_key_finds_entities_without_a_value_once_that_was_agreed(archive: Filled) -> None:
    options = QueryOptions(empty_value=True)
    assert archive.values("STUDY", "StudyInstanceUID", StudyDescription='""', options=options) == ["1.2.2", "1.2.3"]


def test_several_modalities_are_all_wanted_once_that_was_agreed(archive: Filled) -> None:
    options = QueryOptions(multiple_value=True)
    keys = {"ModalitiesInStudy": ["CT", "SR"]}
    assert archive.values("STUDY", "StudyInstanceUID", keys) == ["1.2.1", "1.2.3"]
    assert archive.values("STUDY", "StudyInstanceUID", keys, options=options) == ["1.2.1"]


# ---- attributes that are only in the files --------------------------------------------------------------------------


def procedure(number: str, step: str) -> dict[str, object]:
    return {
        "ScheduledProcedureStepID": step,
        "RequestedProcedureID": number,
        "RequestedProcedureDescription": "CT head",
    }


@pytest.fixture
def stored() -> Filled:
    archive = Filled()
    first = dataset_of(
        {
            "InstitutionName": "Charit\u00e9",
            "SpecificCharacterSet": "ISO_IR 100",
            "AdmissionID": "V77",
            "KVP": "120",
            "RequestAttributesSequence": [procedure("R1", "S1"), procedure("R1", "S2"), procedure("R2", "S1")],
        }
    )
    block = first.private_block(0x0009, "ACME", create=True)
    block.add_new(0x01, "LO", "secret")
    archive.add(SMITH, first)
    archive.add({**SMITH, "SeriesInstanceUID": "1.3.9"}, dataset_of({}))
    archive.add({**SMITH, "StudyInstanceUID": "1.2.9", "SeriesInstanceUID": "1.3.99"}, dataset_of({"KVP": "80"}))
    return archive


def test_attributes_without_a_column_are_read_from_the_first_instance(stored: Filled) -> None:
    keys = {"AdmissionID": "V*", "InstitutionName": "Charit\u00e9", "SpecificCharacterSet": "ISO_IR 192"}
    (answer,) = stored.ask("STUDY", keys, StudyInstanceUID="")
    assert (answer.StudyInstanceUID, answer.AdmissionID, answer.InstitutionName) == ("1.2.1", "V77", "Charit\u00e9")
    assert [answer.AdmissionID or "" for answer in stored.ask("STUDY", AdmissionID="")] == ["V77", ""]


def test_files_are_not_opened_for_what_the_index_knows(stored: Filled) -> None:
    stored.ask("STUDY", PatientName="smith*", StudyDate="", ModalitiesInStudy="")
    assert stored.files.opened == 0


def test_any_attribute_of_the_header_is_a_key_of_the_image_level_and_of_no_other(stored: Filled) -> None:
    above = {"StudyInstanceUID": "1.2.9", "SeriesInstanceUID": "1.3.99"}
    assert stored.values("IMAGE", "KVP", above, KVP="80.0") == ["80"]
    assert stored.ask("IMAGE", above, KVP="120") == []
    (match, _) = stored.matches("STUDY", {"KVP": "80"})
    assert not match.complete
    assert "KVP" not in read(match.dataset)


def test_all_keys_of_a_sequence_must_match_in_one_item_and_only_such_items_return(stored: Filled) -> None:
    keys = {"StudyInstanceUID": "1.2.1", "SeriesInstanceUID": ""}
    wanted = {"RequestedProcedureID": "R1", "ScheduledProcedureStepID": "S2", "ScheduledProcedureStepDescription": ""}
    (answer,) = stored.ask("SERIES", keys, RequestAttributesSequence=[wanted])
    (item,) = answer.RequestAttributesSequence
    assert (item.RequestedProcedureID, item.ScheduledProcedureStepID) == ("R1", "S2")
    assert item["ScheduledProcedureStepDescription"].VM == 0
    assert "RequestedProcedureDescription" not in item
    nowhere = {"RequestedProcedureID": "R2", "ScheduledProcedureStepID": "S2"}
    assert stored.ask("SERIES", keys, RequestAttributesSequence=[nowhere]) == []


def test_an_empty_sequence_key_is_universal_and_returns_it_whole(stored: Filled) -> None:
    answers = stored.ask("SERIES", StudyInstanceUID="1.2.1", RequestAttributesSequence=[])
    assert [len(answer.RequestAttributesSequence) for answer in answers] == [3, 0]
    assert answers[0].RequestAttributesSequence[0].RequestedProcedureDescription == "CT head"


def test_a_private_key_is_found_by_its_creator_in_whatever_block(stored: Filled) -> None:
    keys = pydicom.Dataset()
    keys.add_new(0x00090011, "LO", "ACME")
    keys.add_new(0x00091101, "LO", "sec*")
    keys.QueryRetrieveLevel = "STUDY"
    asked = written(keys, EXPLICIT_LITTLE)
    (match,) = query.find(stored.index, stored.files, asked, EXPLICIT_LITTLE, Model.STUDY_ROOT, PLAIN)
    assert read(match.dataset)[0x00091101].value == "secret"
    assert read(match.dataset)[0x00090011].value == "ACME"


def test_a_file_that_is_gone_leaves_its_attributes_unknown(stored: Filled) -> None:
    stored.files.files.clear()
    assert [answer.AdmissionID or "" for answer in stored.ask("STUDY", AdmissionID="")] == ["", ""]
    assert stored.ask("STUDY", AdmissionID="V77") == []


# ---- limits and hostile input ---------------------------------------------------------------------------------------


def test_beyond_the_limit_the_answer_ends_with_out_of_resources(archive: Filled) -> None:
    found = query.find(
        archive.index,
        archive.files,
        identifier("STUDY"),
        EXPLICIT_LITTLE,
        Model.STUDY_ROOT,
        QueryOptions(max_results=2),
    )
    assert len(list(itertools.islice(found, 2))) == 2
    with pytest.raises(IdentifierError) as ended:
        next(found)
    assert ended.value.status == 0xA700
    assert len(archive.matches("STUDY", {}, options=QueryOptions(max_results=3))) == 3


@pytest.mark.parametrize("count", [5_000, 40_000])
def test_thousands_of_uids_in_one_key_find_those_that_exist(archive: Filled, count: int) -> None:
    keys = pydicom.Dataset()
    keys.QueryRetrieveLevel = "STUDY"
    uids = "\\".join(["1.2.3", *(f"9.9.{number}" for number in range(count))]).encode()
    asked = encode_element(0x00080052, "CS", b"STUDY", IMPLICIT) + encode_element(0x0020000D, "UI", uids, IMPLICIT)
    found = list(query.find(archive.index, archive.files, asked, IMPLICIT, Model.STUDY_ROOT, PLAIN))
    assert [str(read(match.dataset, IMPLICIT).StudyInstanceUID) for match in found] == ["1.2.3"]


@pytest.mark.parametrize(
    "text", ["*" * 60_000, "*a" * 30_000 + "b", "%" * 60_000, "'" * 60_000, "\0\x1b[31m", "[", "=" * 999]
)
@pytest.mark.parametrize("keyword", ["PatientName", "StudyDescription", "AccessionNumber", "StudyDate", "StudyTime"])
def test_no_text_of_a_key_does_harm(archive: Filled, keyword: str, text: str) -> None:
    tag = tag_of(keyword)
    assert tag is not None
    level = encode_element(0x00080052, "CS", b"STUDY", EXPLICIT_LITTLE)
    key = encode_element(tag, vr_of(tag), text.encode(), EXPLICIT_LITTLE)
    asked = b"".join(sorted([level, key], key=lambda element: (element[1::-1], element[3:1:-1])))
    found = list(query.find(archive.index, archive.files, asked, EXPLICIT_LITTLE, Model.STUDY_ROOT, PLAIN))
    assert len(found) <= 3


# ---- the SQL in front of the predicates -----------------------------------------------------------------------------

NAMES = [
    "Smith^John",
    "SMITH",
    "smith^",
    "Smith^J",
    "Yamada^T=\u5c71\u7530^\u592a\u90ce",
    "=\u5c71\u7530",
    "=Smith",
    "",
    "M\u00fcller",
    "==",
]
DATES = ["20210304", "2021.03.04", "20201231", "20220101", "2021.12.31", "", "unknown", "2021"]
TIMES = ["0930", "09:30:00", "10", "235959.5", "", "noon"]
TEXTS = ["A1", "A_1", "A", "AB", "", "a1", "A1\\B2", "%", "\u5c71"]
NAME_KEYS = [
    "smith*",
    "SMITH^*",
    "*^J*",
    "Smith^John^^",
    "\u5c71*",
    "=\u5c71\u7530",
    "s?ith",
    "smith=*",
    "*=\u5c71*",
    "?",
    "m\u00fc*",
    "Smith",
]
DATE_KEYS = [
    "20210304",
    "2021.03.04",
    "20210101-",
    "-20210304",
    "2021-",
    "2020-2021",
    "20210304-20210304",
    "-2021.03.04",
    "unknown",
    "2021",
    "a-b",
]
TIME_KEYS = ["09-10", "0930", "093000.000000", "-10", "2359-", "noon", "09:30:00"]
TEXT_KEYS = ["A*", "A?1", "A1", "*1", "?", "A1\\AB", "A_1", "%", "*\u5c71*", "A1\\*B", "\u5c71", "B2"]

rows = st.fixed_dictionaries(
    {
        "PatientName": st.sampled_from(NAMES),
        "StudyDate": st.sampled_from(DATES),
        "StudyTime": st.sampled_from(TIMES),
        "AccessionNumber": st.sampled_from(TEXTS),
        "StudyDescription": st.sampled_from(TEXTS),
        "NameOfPhysiciansReadingStudy": st.sampled_from(NAMES),
        "AdmittingDiagnosesDescription": st.sampled_from(TEXTS),
        "Modality": st.sampled_from(["CT", "MR", ""]),
    }
)
keys = st.dictionaries(
    st.sampled_from(["PatientName", "StudyDate", "StudyTime", "AccessionNumber", "StudyDescription",
                     "ModalitiesInStudy", "NameOfPhysiciansReadingStudy", "AdmittingDiagnosesDescription"]),
    st.integers(0, 11), min_size=1, max_size=2,
)  # fmt: skip
ALL_RULES = [
    Rules(), Rules(unknown_matches=True), Rules(name_case_sensitive=True), Rules(empty_value=True),
    Rules(multiple_value=True),
]  # fmt: skip


@settings(max_examples=80, deadline=None)
@given(st.lists(rows, min_size=1, max_size=5), keys, st.sampled_from(ALL_RULES))
def test_the_sql_in_front_never_loses_a_match(
    stored_rows: list[dict[str, str]], chosen: dict[str, int], rules: Rules
) -> None:
    archive = filled(stored_rows)
    conditions, tests = [], []
    for keyword, number in chosen.items():
        tag = tag_of(keyword)
        assert tag is not None
        key = Key(tag, COLUMNS[tag].vr, tuple(_key_text(COLUMNS[tag].vr, keyword, number).split("\\")))
        found = prefilter.condition(key, rules)
        if found is not None:
            conditions.append((COLUMNS[tag].level, found))
        test = matching.predicate(key.vr, key.values, rules)
        if test is not None:
            tests.append(query._column_test(test, len(tests) + 1, COLUMNS[tag]))
        else:
            tests.append(lambda row, header: True)
    passed = set(selection.ids(archive.index, Level.STUDY, conditions))
    columns = ['"study"."id"', *(COLUMNS[tag_of(keyword) or 0].sql for keyword in chosen)]
    everything = archive.index.rows(
        f"SELECT {', '.join(columns)} FROM study JOIN patient ON patient.id = study.patient"
    )
    matching_ids = {row[0] for row in everything if all(test(row, None) for test in tests)}
    assert matching_ids <= passed


def _key_text(vr: str, keyword: str, number: int) -> str:
    if keyword == "ModalitiesInStudy":
        return ["CT", "CT\\MR", "?T", "XX"][number % 4]
    choices = {"PN": NAME_KEYS, "DA": DATE_KEYS, "TM": TIME_KEYS}.get(vr, TEXT_KEYS)
    return choices[number % len(choices)]


@pytest.mark.parametrize(
    "keys",
    [
        {"PatientID": "P1"},
        {"PatientName": "SMITH*"},
        {"PatientName": "Smith^John"},
        {"StudyInstanceUID": "1.2"},
        {"StudyInstanceUID": ["1.2", "1.3"]},
        {"AccessionNumber": "A1"},
        {"AccessionNumber": "A1*"},
        {"StudyDate": "20210101-20210107"},
        {"StudyDate": "20210304"},
        {"ModalitiesInStudy": "XX"},
        {"StudyID": "7"},
        {"ReferringPhysicianName": "House*"},
    ],
    ids=str,
)
def test_an_indexed_key_never_reads_a_whole_table(tmp_path: Path, keys: dict[str, str]) -> None:
    index = Index.open(tmp_path / "index.sqlite")
    try:
        asked = parse(identifier("STUDY", keys), EXPLICIT_LITTLE, Model.STUDY_ROOT, relational=False)
        conditions = [
            (COLUMNS[key.tag].level, found) for key in asked.keys if (found := prefilter.condition(key, Rules()))
        ]
        statement, parameters = selection.ids_statement(Level.STUDY, conditions)
        plan = [str(row[3]) for row in index.rows(f"EXPLAIN QUERY PLAN {statement}", parameters)]
    finally:
        index.close()
    assert any(step.startswith("SEARCH") for step in plan)
    assert not [step for step in plan if step.startswith("SCAN") and "json_each" not in step]


def test_every_column_has_a_level_that_its_expression_can_be_read_at() -> None:
    archive = Filled()
    for tag, column in COLUMNS.items():
        list(archive.index.rows(selection.rows_statement(column.level, [column.sql]), ("[1]",)))
        assert attributes.source_of(tag, Level.IMAGE) is attributes.Source.COLUMN
        assert DEPTH[column.level] >= 0
