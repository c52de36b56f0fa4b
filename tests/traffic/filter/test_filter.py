"""The filter: what each term finds and what it leaves, what is an error and where, and that its document is true."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockpacs.errors import FilterError
from mockpacs.traffic.exchange import Answer, Association, Exchange, Notice
from mockpacs.traffic.filter import Filter, no_values, select
from mockpacs.traffic.filter.difference import differences
from mockpacs.traffic.filter.keys import KEYS, MOMENTS
from mockpacs.wire import AcceptedContext, Command

MANUAL = Path(__file__).parents[3] / "docs" / "filter.md"
CT = "1.2.840.10008.5.1.4.1.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"
NOON = time.mktime((2025, 3, 31, 12, 0, 0, 0, 0, -1))
PEER = Association(2, "10.0.0.7:50000", "CT1", "MOCKPACS", "jane", secure=True, server="10.0.0.9:104")
STORE = Exchange(
    PEER,
    3,
    "C-STORE",
    0xA700,
    "CT 1.2.3  524 kB",
    "Out of memory",
    NOON,
    0.05,
    size=1_000_000,
    answers=(Answer(0xA700, 1, 0.05, 0.05),),
    command=Command({0x0002: CT, 0x0110: 7, 0x0600: "DEST", 0x1000: "1.2.3", 0x0901: (1, 2), 0x5555: b"ab"}),
    context=AcceptedContext(1, CT, EXPLICIT),
    rule="Full Disk",
    fault="held back 2 s",
)
FIND = Exchange(
    Association(4, "[::1]:11112"),
    1,
    "C-FIND",
    0,
    "STUDY",
    "",
    NOON + 60,
    2.0,
    answers=(Answer(0xFF00, 5, 0.1, 1.0), Answer(0xFF01, 1, 1.1, 1.1), Answer(0, 1, 2.0, 2.0)),
)
LOST = replace(FIND, status=None, answers=(), number=2)
VALUES: dict[int, Sequence[str]] = {
    0x00100010: ("Doe^John^^=山田^太郎",),
    0x00100020: ("P1",),
    0x00080008: ("ORIGINAL", "PRIMARY"),
    0x00080020: ("20240131",),
    0x00080030: ("123045.5",),
    0x00100030: ("1970.05.06",),
    0x00180050: ("5.00",),
    0x00200013: ("12",),
    0x00280010: ("nonsense",),
    0x00081030: (),
    0x0020000D: ("1.2.3.4",),
}


def values(exchange: Exchange, tag: int) -> Sequence[str] | None:
    return VALUES.get(tag)


def unasked(exchange: Exchange, tag: int) -> Sequence[str] | None:
    raise AssertionError("no data set is needed for this")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "  ",
        "service:C-STORE",
        "service:c_store",
        "service:store",
        "SERVICE:C-*",
        "service:C-ECHO,C-STORE",
        "-service:C-ECHO",
        "status:failed",
        "status:failure",
        "status:A700",
        "status:a7xx",
        "status:0xA7??",
        "status:A700H",
        "status:out-of-resources",
        "status:out-*",
        "status:*",
        "-status:none",
        "-status:success,warning,pending,cancel",
        "calling:CT*",
        "calling:CT?",
        "calling:*T*1",
        "-calling:ct1",
        "called:MOCKPACS",
        "address:10.0.0.7",
        "address:10.0.0.7:50000",
        "address:10.0.*",
        "server:10.0.0.9",
        "user:jane",
        "secure:yes",
        "-secure:no",
        "subject:ct",
        "subject:CT*kB",
        "-subject:CT*MB",
        'subject:"524 kb"',
        'comment:"out of"',
        "rule:*",
        'rule:"full disk"',
        "-rule:full",
        "fault:held",
        "2",
        "2.3",
        "1..2",
        "..2",
        "2..",
        "2.1..2.3",
        "2.1..3",
        "9,2.3",
        "-2.4",
        "association:2",
        "association:<=2",
        "number:3",
        "size:1MB",
        "size:>=1MB",
        "size:<1MiB",
        "size:1000000",
        "size:0.5MB..1MB",
        "-size:>1MB",
        "duration:>=50ms",
        "duration:<0.1",
        "duration:..1m",
        "responses:1",
        "message-id:7",
        "message_id:7..9",
        "-message-id:8",
        f"sop-class:{CT}",
        "sop-class:1.2.840.10008.*",
        "sop-class:CTImageStorage",
        'sop-class:"ct image storage"',
        "sop-class:CT*",
        "-sop-class:MRImageStorage",
        "sop-instance:1.2.3",
        "sop-instance:1.2.3,1.2.4",
        f"syntax:{EXPLICIT}",
        "syntax:ExplicitVRLittleEndian",
        "-syntax:JPEG*",
        "MoveDestination:DEST",
        "(0000,0110):7",
        "00000901:2",
        "00005555:6162",
        '00000200:""',
        "after:12:00",
        "after:12:00:00",
        "-before:12:00",
        "before:12:00:00.5",
        "after:2025-03-31",
        "before:2025-04-01",
        "after:2025-03-31T12:00",
        'after:"2025-03-31 12:00" before:2025-03-31T12:01',
        "after:2025-01-01T00:00Z",
        "after:1h",
        "-before:1h",
        "before:30s",
        "PatientID:P1",
        "patientid:P*",
        "(0010,0020):P1",
        "00100020:P2,P1",
        "-PatientID:p1",
        "PatientName:DOE^JOHN",
        "PatientName:doe^*",
        "PatientName:山田^太郎",
        "PatientName:doe^john^*^*",
        "-PatientName:doe",
        "ImageType:PRIMARY",
        "StudyDate:20240131",
        "StudyDate:2024-01-31",
        "StudyDate:202401*",
        "StudyDate:2023..2024",
        "StudyDate:>2023",
        "StudyDate:>=2024",
        "StudyDate:=2024",
        "StudyDate:<=2024",
        "-StudyDate:>2024",
        "-StudyDate:<2024",
        "StudyTime:12:30..12:31",
        "PatientBirthDate:1970-05-06",
        "SliceThickness:5",
        "SliceThickness:>4.5",
        "SliceThickness:5..6",
        "SliceThickness:5.*",
        "InstanceNumber:12",
        "-InstanceNumber:1,2",
        "-Rows:>0",
        'StudyDescription:""',
        'AccessionNumber:""',
        "-AccessionNumber:*",
        "( calling:MR or calling:CT1 )",
        "(calling:MR or calling:CT1)",
        "calling:MR or calling:CT1 service:C-STORE OR 9",
        "-( calling:MR or service:C-ECHO )",
        "( ( 2 ) )",
    ],
)
def test_a_filter_finds_what_it_says(text: str) -> None:
    assert Filter.parse(text, now=NOON + 60).matches(STORE, values)


@pytest.mark.parametrize(
    "text",
    [
        "service:C-FIND",
        "-service:C-STORE",
        "status:success",
        "status:none",
        "status:A701",
        "status:pending",
        "calling:CT",
        "calling:ct1",
        'calling:""',
        "secure:no",
        "subject:MR",
        'rule:""',
        "3",
        "2.4",
        "2.4..",
        "size:>1MB",
        "duration:>50ms",
        "sop-class:MRImageStorage",
        "after:12:00:01",
        "before:12:00",
        "before:2025-03-31",
        "after:5m",
        "PatientID:p1",
        "PatientID:*2",
        "-PatientName:doe*",
        "StudyDate:<2024",
        "StudyDate:>2024",
        "SliceThickness:>5",
        "AccessionNumber:*",
        "calling:CT1 service:C-ECHO",
        "calling:CT1 ( 3 or 4 )",
        "-( calling:MR or service:C-STORE )",
    ],
)
def test_a_filter_leaves_what_it_does_not_say(text: str) -> None:
    assert not Filter.parse(text, now=NOON + 600).matches(STORE, values)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("status:pending", [FIND]),
        ("status:FF01", [FIND]),
        ("status:FFxx", [FIND]),
        ("status:pending-with-warning", [FIND]),
        ("status:success", [FIND]),
        ("status:none", [LOST]),
        ("status:failed", [LOST]),
        ("-status:*", [LOST]),
        ("responses:>5", [FIND]),
        ("address:::1", [FIND, LOST]),
        ("address:[::1]", [FIND, LOST]),
        ("user:*", []),
        ('server:""', [FIND, LOST]),
        ("message-id:0..", []),
        ("syntax:*", []),
    ],
)
def test_queries_are_found_by_any_pending_answer_and_by_none(text: str, found: list[Exchange]) -> None:
    assert list(select([FIND, LOST], Filter.parse(text))) == found


def test_the_data_set_is_only_asked_for_when_all_else_is_met() -> None:
    wanted = Filter.parse("PatientID:P1 service:C-ECHO")

    assert wanted.tags == {0x00100020}
    assert not wanted.matches(STORE, unasked)
    assert Filter.parse("PatientID:P1 or service:C-STORE").matches(STORE, unasked)
    assert Filter.parse("service:C-STORE MoveDestination:DEST").tags == frozenset()


def test_the_words_of_a_command_line_are_one_filter() -> None:
    assert Filter.parse(["2", "service:C-STORE", "-status:success"]).text == "2 service:C-STORE -status:success"
    assert Filter.parse([]).matches(STORE, unasked)


def test_a_time_of_day_is_meant_on_the_day_of_the_first_record() -> None:
    late, next_day = replace(STORE, started=NOON + 11.5 * 3600), replace(STORE, started=NOON + 13 * 3600)
    records = [STORE, late, next_day]

    assert list(select(records, Filter.parse("after:23:00"))) == [late, next_day]
    assert list(select(records, Filter.parse("before:02:00"))) == []
    assert list(select(records[1:], Filter.parse("-before:23:00"))) == [late, next_day]


def test_without_a_recording_a_time_of_day_is_meant_on_the_day_of_each_exchange() -> None:
    wanted = Filter.parse("after:11:00")

    assert wanted.matches(STORE)
    assert wanted.matches(replace(STORE, started=NOON + 24 * 3600))
    assert not wanted.matches(replace(STORE, started=NOON + 13 * 3600))


def test_a_recording_may_claim_any_time() -> None:
    assert not Filter.parse("before:12:00").matches(replace(STORE, started=1e300))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", True),
        ("2", True),
        ("association:1..3 calling:CT* called:MOCKPACS", True),
        ("address:10.0.0.7 after:11:00 before:13:00", True),
        ("-3", True),
        ("calling:MR or 2", True),
        ("status:failed or 2", True),
        ("3", False),
        ("2.1", False),
        ("before:11:00", False),
        ("status:failed", False),
        ("-status:failed", False),
        ("-( status:failed or 3 )", False),
        ("2 PatientID:P1", False),
        ("-PatientID:P1", False),
        ("MoveDestination:X", False),
    ],
)
def test_notices_are_found_by_who_and_when_only(text: str, found: bool) -> None:
    notice = Notice(NOON, "aborted", "gone", PEER)

    assert Filter.parse(text).matches_notice(notice) is found
    assert list(select([notice], Filter.parse(text))) == [notice] * found


@pytest.mark.parametrize(
    ("text", "found"),
    [("leg:9.1", True), ("leg:9", True), ("leg:*", True), ('leg:""', False), ("leg:9.2", False), ("-leg:9.2", True)],
)
def test_a_notice_of_an_association_of_ours_is_found_by_what_it_was_for(text: str, found: bool) -> None:
    ours = Association(10, "127.0.0.1:40000", "MOCKPACS", "STORE", cause="9.1", by_us=True)

    assert Filter.parse(text).matches_notice(Notice(NOON, "aborted", "gone", ours)) is found
    assert Filter.parse("leg:us").matches_notice(Notice(NOON, "aborted", "gone", replace(ours, cause="")))
    assert Filter.parse('leg:""').matches_notice(Notice(NOON, "aborted", "gone", PEER))


def test_a_notice_without_an_association_has_no_number_and_no_title() -> None:
    notice = Notice(NOON, "trouble", "disk full")

    assert Filter.parse("-2 -calling:*").matches_notice(notice)
    assert not Filter.parse("1..").matches_notice(notice)


@pytest.mark.parametrize(
    ("text", "column", "words"),
    [
        ("sevice:C-STORE", 1, 'unknown key "sevice"; did you mean "service"?'),
        ("2 PatentID:P1", 3, 'did you mean "PatientID"?'),
        ("zzzzqqq:1", 1, 'unknown key "zzzzqqq"'),
        ("status:fialed", 8, 'did you mean "failed"?'),
        ("status:success,out-of-resorces", 16, 'did you mean "out-of-resources"?'),
        ('status:""', 8, "no status"),
        ("sop-class:CTImageStorag", 11, 'did you mean "CTImageStorage"?'),
        ("syntax:ExplicitVR", 8, "Transfer Syntax"),
        ("size:>1XB", 6, "kB, MB, GB"),
        ("size:..", 6, "a range"),
        ("size:-1", 6, "number of bytes"),
        ("duration:fast", 10, "ms"),
        ("responses:1.5", 11, "whole number"),
        ("message-id:" + "9" * 30, 12, "whole number"),
        ("after:25:00", 7, "time of day"),
        ("after:5", 7, "5m"),
        ("after:2025-13-01", 7, "2025-03-31"),
        ("StudyDate:>", 11, "comparison"),
        ("StudyDate:x..y", 11, "comparison"),
        ("Rows:>many", 6, "a number"),
        ("secure:maybe", 8, "yes nor no"),
        ("service:", 9, 'service:""'),
        ("service:a,", 11, "value is missing"),
        (":x", 1, "key is missing"),
        ('rule:"x', 6, "not closed"),
        ('2 rule:"x"y', 11, "blank or a comma"),
        ('"two words"', 1, "after its key"),
        ("DOE", 1, "no term"),
        ("2,", 3, "no term"),
        ("1.2.3", 1, "no term"),
        ("..", 1, "no term"),
        ("- 2", 1, "minus"),
        ("2 -", 3, "minus"),
        ("( 2 or 3", 1, "not closed"),
        ("2 )", 3, "closes nothing"),
        ("()", 2, "missing"),
        ("2 or", 5, "missing"),
        ("or 2", 1, "missing"),
        ("(" * 30 + "2" + ")" * 30, 21, "deep"),
        ("2 " * 40_000, 65_537, "65536 characters"),
    ],
)
def test_what_cannot_be_understood_is_shown_with_its_place(text: str, column: int, words: str) -> None:
    with pytest.raises(FilterError) as caught:
        Filter.parse(text)

    sentence, shown, caret = str(caught.value).split("\n")
    assert words in sentence
    assert caught.value.column == column
    assert caret.strip() == "^"
    place = caret.index("^")
    assert shown[place : place + 1] == text[column - 1 : column].strip()
    assert len(shown) < 300


def test_the_caret_stands_right_below_text_that_had_to_be_made_harmless() -> None:
    with pytest.raises(FilterError) as caught:
        Filter.parse("rule:\x1b\x07 sevice:x")

    _, shown, caret = str(caught.value).split("\n")
    assert shown.isprintable()
    assert shown[caret.index("^") :] == "sevice:x"


def test_what_an_exchange_misses_is_told_term_by_term() -> None:
    wanted = Filter.parse("service:C-STORE status:success ( 3 or 4 ) -calling:CT1 -( 2 or 3 )")

    assert wanted.unmet(STORE) == ("status:success", "( 3 or 4 )", "-calling:CT1", "-( 2 or 3 )")
    assert Filter.parse("status:success").unmet(STORE) == ("status:success",)


@pytest.mark.parametrize("pattern", ["*a*a*a*a*a*a*a*b", "?*" * 30 + "b"])
def test_a_pattern_cannot_be_made_to_hang(pattern: str) -> None:
    assert not Filter.parse(f"subject:{pattern}").matches(replace(STORE, subject="a" * 5000))


@pytest.mark.parametrize(
    ("pattern", "text", "found"),
    [
        ("a*b", "ab", True),
        ("a*a", "a", False),
        ("*ab*ab*", "xabxab", True),
        ("*ab*ab", "xab", False),
        ("a?c*", "abcd", True),
        ("a?", "a", False),
        ("?", "", False),
        ("a.c", "abc", False),
        ("[a]*", "a", False),
        ("**", "", False),
        ("a*\n", "a\nb\n", True),
    ],
)
def test_wild_cards_are_those_of_dicom(pattern: str, text: str, found: bool) -> None:
    peer = replace(PEER, calling=text)

    assert Filter.parse(f'calling:"{pattern}"').matches(replace(STORE, association=peer)) is found


WORDS = ["service:", "PatientID:", "-", "(", ")", "or", '"', ",", "..", ">", "*", "2", "2.1", " ", "status:A7xx", "x:y"]


@given(st.one_of(st.text(), st.lists(st.sampled_from(WORDS), max_size=12).map("".join)))
def test_any_text_is_a_filter_or_an_error_with_a_place(text: str) -> None:
    try:
        wanted = Filter.parse(text)
    except FilterError as problem:
        column = problem.column
    else:
        column = 1
        assert wanted.matches(STORE, values) in (True, False)
        assert wanted.matches_notice(Notice(NOON, "closed", "", None)) in (True, False)
    assert 1 <= column <= len(text) + 1


def examples() -> list[str]:
    blocks = re.findall(r"^```filter\n(.*?)^```$", MANUAL.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.splitlines()]


def test_there_are_examples() -> None:
    assert len(examples()) >= 10


@pytest.mark.parametrize("example", examples())
def test_every_example_of_the_manual_is_a_filter(example: str) -> None:
    assert Filter.parse(example).text == example


@pytest.mark.parametrize("key", [*KEYS, *MOMENTS])
def test_every_key_is_in_the_manual(key: str) -> None:
    assert f"\n| `{key}` | " in MANUAL.read_text(encoding="utf-8")


def test_the_manual_has_no_key_that_does_not_exist() -> None:
    section = MANUAL.read_text(encoding="utf-8").partition("## Keys")[2].partition("##")[0]

    assert set(re.findall(r"^\| `([a-z-]+)` \|", section, re.MULTILINE)) == {*KEYS, *MOMENTS}
    keys = re.findall(r"`([a-zA-Z-]+):[^` ]+`", MANUAL.read_text(encoding="utf-8"))
    assert [key for key in keys if key not in ("key", "-key")]
    for key in keys:
        if key.lstrip("-") != "key":
            assert key.lstrip("-") in {*KEYS, *MOMENTS} or Filter.parse(f"{key}:*").tags


@pytest.mark.parametrize(
    ("wanted", "matches"),
    [
        ("rule:slow", True),
        ("rule:FULL", True),
        ('rule:"a, b"', True),
        ('rule:"slow, a, b, full"', True),
        ("rule:fu*", True),
        ("rule:*", True),
        ("rule:x,full", True),
        ("-rule:full", False),
        ('rule:"b, a"', False),
        ("rule:low", False),
        ('rule:""', False),
    ],
)
def test_one_of_several_rules_is_found(wanted: str, matches: bool) -> None:
    assert Filter.parse(wanted).matches(replace(STORE, rule="Slow, a, b, full")) is matches


def test_a_service_that_is_none_is_told_instead_of_being_counted_as_never() -> None:
    with pytest.raises(FilterError, match='"C-STOR" is no service; did you mean "C-STORE"'):
        Filter.parse("service:C-STOR")


LEG = replace(STORE, asked_by_us=True, cause="3.1")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("leg:3.1", [LEG]),
        ("leg:3", [LEG]),
        ("leg:3.*", [LEG]),
        ("leg:3.1,3.2", [LEG]),
        ("leg:3.11", []),
        ("leg:1", []),
        ("leg:*", [LEG, replace(LEG, cause="")]),
        ("leg:us", [replace(LEG, cause="")]),
        ('leg:""', [STORE]),
        ("-leg:*", [STORE]),
        ("-leg:3.1", [replace(LEG, cause=""), STORE]),
        ("service:C-STORE", [LEG, replace(LEG, cause=""), STORE]),
    ],
)
def test_what_we_asked_is_found_by_what_for(text: str, found: list[Exchange]) -> None:
    every = [LEG, replace(LEG, cause=""), STORE]

    assert [one for one in every if Filter.parse(text).matches(one)] == found
    assert Filter.parse(text).asks_for_legs is ("leg" in text)


def test_a_sub_operation_between_others_is_a_leg_too() -> None:
    assert Filter.parse("leg:3.1").matches(replace(LEG, asked_by_us=False))


@pytest.mark.parametrize("text", ["leg:yes", "leg:C-MOVE", "leg:3.1.2", "leg:>3"])
def test_what_is_no_exchange_has_no_legs(text: str) -> None:
    with pytest.raises(FilterError, match=r"is no exchange: 3\.1 for its sub-operations"):
        Filter.parse(text)


def test_what_keeps_a_leg_from_being_one_is_said() -> None:
    said = [differences(Filter.parse("leg:3.2"), one, no_values)[0].received for one in (STORE, LEG)]

    assert said == ["no leg: a peer asked", '"3.1"']
