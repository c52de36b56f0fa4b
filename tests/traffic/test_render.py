"""Records as text and as JSON; text of a peer can harm neither a terminal nor a log."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import datetime

import pytest

from mockpacs.traffic.exchange import Answer, Association, Exchange, Notice
from mockpacs.traffic.render import as_json, clock, columns, duration, iso_time, legs_line, line, size
from mockpacs.wire import CommandField, Tag, request

PEER = Association(3, "127.0.0.1:50000", "STORESCU", "PACS", "jane")
ONCE = (Answer(0, 1, 0.0123, 0.0123),)
STORED = Exchange(
    PEER,
    2,
    "C-STORE",
    0,
    "CT 1.2.3  524 kB",
    "",
    1_700_000_000.25,
    0.0123,
    size=524_000,
    answers=(Answer(0, 1, 0.0123, 0.0123),),
)
NASTY = "\x1b]0;pwned\x07\r\n<b>\u202e"


def test_an_exchange_is_one_line_with_who_what_and_how_long() -> None:
    text = line(STORED)

    assert text.split() == [
        clock(STORED.started),
        "3.2",
        "C-STORE",
        "STORESCU",
        "success",
        *["CT", "1.2.3", "524", "kB", "12", "ms"],
    ]


def test_what_a_scenario_decided_follows_the_comment() -> None:
    text = line(replace(STORED, comment="disk full", rule='a "b"', fault="cut\x1b[2J"))

    assert 'disk full  rule "a "b""  fault "cut\\x1b[2J"  12 ms' in text


LEG = Exchange(
    Association(4, "127.0.0.1:40000", "MOCKPACS", "STORE", server="127.0.0.1:104", cause="3.1", by_us=True),
    2,
    "C-STORE",
    0xA700,
    "CT 1.2.3  524 kB",
    "disk full",
    0.0,
    0.0123,
    asked_by_us=True,
    cause="3.1",
)


def test_a_leg_names_whom_we_asked_and_what_for() -> None:
    words = line(LEG).split()

    assert words[1:6] == ["4.2", "C-STORE", ">", "STORE", "out-of-resources"]
    assert "524 kB  disk full  <- 3.1  12 ms" in line(LEG)


def test_a_leg_on_the_association_of_the_peer_names_the_peer() -> None:
    assert " > STORESCU " in line(replace(LEG, association=PEER))


def test_legs_that_went_well_are_a_detail() -> None:
    assert not LEG.detail
    assert replace(LEG, status=0).detail
    assert replace(LEG, status=0xB000).detail
    assert not replace(LEG, status=None).detail
    assert not replace(LEG, status=0, asked_by_us=False).detail
    assert not replace(LEG, status=0, cause="").detail, "what a test asked is no detail"


def test_a_leg_as_json_says_so() -> None:
    told = as_json(LEG)

    assert (told["asked_by_us"], told["cause"], told["peer"]) == (True, "3.1", "127.0.0.1:104")
    assert not {"asked_by_us", "cause", "sub_operations"} & as_json(STORED).keys()


def test_a_notice_about_an_association_of_ours_says_so() -> None:
    notice = Notice(0.0, "rejected", "association rejected by STORE", LEG.association)

    assert line(notice).split()[1:4] == ["4", ">", "STORE"]
    assert as_json(notice)["opened_by_us"] is True
    assert as_json(notice)["cause"] == "3.1"
    assert not {"opened_by_us", "cause"} & as_json(replace(notice, association=PEER)).keys()


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        ((10, 2, 0), "10 completed, 2 failed"),
        ((0, 2, 1), "2 failed, 1 with a warning"),
        ((0, 0, 0), "0 completed"),
        ((3, 0, 1), "3 completed, 1 with a warning"),
    ],
)
def test_a_retrieve_is_told_with_its_sub_operations(counts: tuple[int, int, int], words: str) -> None:
    retrieve = Exchange(PEER, 1, "C-MOVE", 0xB000, "STUDY > WS", "", 0.0, 1.0, counts=counts)

    assert f"STUDY > WS  {words} " in line(retrieve)
    assert as_json(retrieve)["sub_operations"] == dict(zip(("completed", "failed", "warning"), counts, strict=True))


def test_a_comment_follows_the_subject_and_no_answer_is_said() -> None:
    lost = Exchange(PEER, 3, "C-FIND", None, "", "the association ended", 0.0, 1.0)

    assert "no answer the association ended" in line(lost)


@pytest.mark.parametrize(
    ("status", "responses", "words"),
    [
        (0, 1, "STUDY  0 matches"),
        (0, 2, "STUDY  1 match "),
        (0xFE00, 9, "STUDY  8 matches"),
        (None, 3, "STUDY  comment"),
    ],
)
def test_a_query_is_told_with_the_matches_that_were_sent(status: int | None, responses: int, words: str) -> None:
    comment = "" if status is not None else "comment"
    query = Exchange(
        PEER, 3, "C-FIND", status, "STUDY", comment, 0.0, 1.0, answers=(Answer(0xFF00, responses, 0.1, 1.0),)
    )

    assert words in line(query)


def test_columns_stand_below_each_other() -> None:
    other = Exchange(PEER, 12, "C-ECHO", 0xA700, "short", "", 1_700_000_001.0, 0.0004)

    assert line(STORED).index("C-STORE") == line(other).index("C-ECHO")
    assert line(STORED).index("STORESCU") == line(other).rindex("STORESCU")


@pytest.mark.parametrize("cells", ["aaaa", "aaaaaaaa", "aaaaaaaaaaaa", "山田^", "e\u0301aaa"])
def test_what_is_too_long_for_its_column_moves_only_what_it_must(cells: str) -> None:
    text = columns((0, "1.1"), (5, cells), (12, ""), (14, "end"))
    wide = sum(mark in "山田" for mark in cells) - cells.count("\u0301")

    assert text.endswith(f"{cells} end" if len(cells) > 8 else "end")
    assert len(text) + wide == max(17, 5 + len(cells) + 4)


def test_long_titles_and_statuses_leave_the_durations_below_each_other() -> None:
    long = replace(STORED, association=replace(PEER, calling="A-TITLE-OF-16-CH"), status=0xB000)

    assert line(long).rindex("12 ms") == line(STORED).rindex("12 ms")


@pytest.mark.parametrize(
    ("peer", "who"),
    [(PEER, "STORESCU"), (Association(3, "127.0.0.1:50000"), "127.0.0.1:50000"), (None, "")],
)
def test_a_notice_names_the_peer_as_well_as_it_is_known(peer: Association | None, who: str) -> None:
    text = line(Notice(0.0, "closed", "gone", peer))

    assert text.startswith(clock(0.0))
    assert text.endswith("gone")
    assert who in text


@pytest.mark.parametrize(
    "record",
    [
        Exchange(Association(1, NASTY, NASTY, NASTY, NASTY), 1, "C-STORE", 0, NASTY, NASTY, 0.0, 0.0),
        Notice(0.0, "aborted", NASTY, Association(1, NASTY, NASTY, NASTY, NASTY)),
        Notice(0.0, "aborted", NASTY, Association(1, NASTY)),
    ],
)
def test_text_of_a_peer_is_made_harmless(record: Exchange | Notice) -> None:
    assert line(record).isprintable()
    assert "\n" not in json.dumps(as_json(record))


def test_a_line_stays_a_line_however_much_the_peer_says() -> None:
    much = "x" * 100_000
    record = Exchange(Association(1, much, much, much), 1, "C-STORE", 0, much, much, 0.0, 0.0)

    assert len(line(record)) < 300
    assert len(line(Notice(0.0, "aborted", much, PEER))) < 500


@pytest.mark.parametrize("when", [1e19, -1e19, 9e17, 1e12])
def test_a_moment_that_no_calendar_has_is_no_error(when: float) -> None:
    assert line(Notice(when, "closed", "gone")).split() == ["--:--:--.---", "gone"]
    assert as_json(Notice(when, "closed", "gone"))["time"] == f"@{when:.0f}"


def test_an_exchange_as_json_has_numbers_where_numbers_are_meant() -> None:
    said = as_json(STORED)

    assert json.loads(json.dumps(said)) == said
    assert {name: said[name] for name in said if name != "time"} == {
        "event": "exchange",
        "id": "3.2",
        "association": 3,
        "peer": "127.0.0.1:50000",
        "calling": "STORESCU",
        "called": "PACS",
        "exchange": 2,
        "service": "C-STORE",
        "status": "0000",
        "status_name": "success",
        "subject": "CT 1.2.3  524 kB",
        "comment": "",
        "milliseconds": 12.3,
        "bytes": 524_000,
        "responses": 1,
    }


def test_json_has_message_id_uids_rule_and_fault_when_there_are_any() -> None:
    command = request(
        CommandField.C_STORE_RQ, 7, elements={Tag.AFFECTED_SOP_CLASS: "1.2", Tag.AFFECTED_SOP_INSTANCE: "3"}
    )
    said = as_json(replace(STORED, command=command, rule="full", fault="late"))

    assert {name: said[name] for name in said.keys() - as_json(STORED).keys()} == {
        "message_id": 7,
        "sop_class": "1.2",
        "sop_instance": "3",
        "rule": "full",
        "fault": "late",
    }


def test_an_exchange_without_answer_has_no_status_in_json() -> None:
    assert as_json(Exchange(PEER, 1, "C-FIND", None, "", "", 0.0, 0.0))["status"] is None


def test_a_notice_as_json_says_its_kind_and_the_peer_only_when_there_is_one() -> None:
    assert as_json(Notice(0.0, "trouble", "disk full")) == {
        "event": "trouble",
        "time": iso_time(0.0),
        "text": "disk full",
    }
    assert as_json(Notice(0.0, "closed", "gone", PEER))["association"] == 3


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (9_940, "9.9 kB"),
        (9_990, "10 kB"),
        (524_000, "524 kB"),
        (999_499, "999 kB"),
        (999_700, "1.0 MB"),
        (1_048_000, "1.0 MB"),
        (2_000_000_000, "2.0 GB"),
        (999_700_000_000, "1.0 TB"),
        (5_500_000_000_000, "5.5 TB"),
    ],
)
def test_sizes_are_read_at_a_glance(count: int, text: str) -> None:
    assert size(count) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0.0 ms"),
        (0.0004, "0.4 ms"),
        (0.0099, "9.9 ms"),
        (0.00996, "10 ms"),
        (0.4, "400 ms"),
        (0.9996, "1.0 s"),
        (61.0, "61.0 s"),
    ],
)
def test_durations_are_read_at_a_glance(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize("when", [0.0, 1_700_000_000.25, 1_720_000_000.999_999])
def test_times_are_local_with_offset_and_never_jump_to_the_next_second(when: float) -> None:
    text = iso_time(when)
    read = datetime.fromisoformat(text)

    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d", text)
    assert 0 <= when - read.timestamp() < 0.001
    assert clock(when) == text[11:23]


UID = "1.2.826.0.1.3680043.8.498.45787841905188114249779154115847483245"


@pytest.mark.parametrize("service", ["C-MOVE", "C-GET", "C-FIND"])
def test_uids_of_a_retrieve_are_shortened_for_people_only(service: str) -> None:
    subject = f"SERIES StudyInstanceUID={UID} SeriesInstanceUID={UID}\\1.2.3.4 > STORE"
    retrieve = Exchange(PEER, 1, service, 0xA801, subject, "Unknown move destination", 0.0, 1.0)

    shown = f"SERIES StudyInstanceUID={UID[:17]}... SeriesInstanceUID={UID[:17]}...\\1.2.3.4 > STORE"
    assert shown in line(retrieve)
    assert len(line(retrieve)) < 200
    assert as_json(retrieve)["subject"] == subject


def test_what_merely_looks_like_a_uid_is_left_alone() -> None:
    subject = f"STUDY PatientID=A{UID} StudyDate=20240101-20240202"

    assert subject in line(Exchange(PEER, 1, "C-MOVE", 0, subject, "", 0.0, 1.0))


@pytest.mark.parametrize("status", [0, 0xA700, 0xA801, 0xA702, 0xB000, None])
def test_there_is_a_blank_behind_every_status(status: int | None) -> None:
    retrieve = Exchange(PEER, 1, "C-MOVE", status, "STUDY > STORE", "", 0.0, 1.0)

    assert f"{retrieve.status_name} " in line(retrieve)
    assert line(retrieve).index(retrieve.status_name) == line(STORED).index("success")


def test_legs_that_ended_the_same_way_are_a_line() -> None:
    good = replace(LEG, status=0, started=1_700_000_000.25)

    assert legs_line([good, good]).split() == [
        clock(good.started),
        *["C-STORE", ">", "STORE", "success", "2", "sub-operations", "<-", "3.1"],
    ]
    assert legs_line([good]).index("> STORE") == line(good).index("> STORE")
    assert legs_line([good]).index("1 sub-operation  <-") == line(good).index("CT 1.2.3")


def test_a_duration_is_never_negative_in_json() -> None:
    assert as_json(replace(STORED, seconds=-0.00006))["milliseconds"] == 0.0
