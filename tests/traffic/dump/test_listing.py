"""The list: grouped by association although associations overlap, and bounded."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from mockpacs.traffic.dump import listing
from mockpacs.traffic.dump.line import Line, Tone
from mockpacs.traffic.dump.listing import Listing, exchange_line
from mockpacs.traffic.exchange import Answer, Association, Exchange, Notice, Record

ONE = Association(1, "127.0.0.1:50001", "CT1", "MOCKPACS")
TWO = Association(2, "127.0.0.1:50002", "WS", "MOCKPACS", secure=True, user="ada")


def echo(one: Association, number: int, status: int | None = 0) -> Record:
    return Exchange(one, number, "C-ECHO", status, "", "", 1000.0, 0.001)


def notice(kind: str, one: Association | None, text: str = "", *, detail: bool = True) -> Record:
    return Notice(1000.0, kind, text or kind, one, detail)


def opened(one: Association) -> Record:
    return notice("opened", one, "associated with MOCKPACS, 2 of 3 contexts accepted")


def shown(records: Iterable[Record], *, details: bool = False) -> list[str]:
    """The lines without their times."""
    made = Listing(details=details)
    lines = [line for record in records for line in made.add(record)]
    return [_short(line) for line in [*lines, *made.finish()]]


def _short(line: Line) -> str:
    words = line.text.split()
    return " ".join(word for word in words if word.count(":") != 2 and not word.endswith("ms") and word != "1.0")


def test_an_association_has_a_head_its_exchanges_and_an_end() -> None:
    assert shown([opened(ONE), echo(ONE, 1), echo(ONE, 2), notice("released", ONE)]) == [
        "association 1 127.0.0.1:50001 CT1 > MOCKPACS 2 of 3 contexts accepted",
        "1.1 C-ECHO success",
        "1.2 C-ECHO success",
        "released",
    ]


def test_the_head_names_tls_user_and_server() -> None:
    foreign = Association(2, "10.0.0.1:1", "WS", "PACS", "ada", secure=True, server="10.0.0.2:104")
    assert shown([opened(foreign)]) == []
    assert shown([opened(foreign), echo(foreign, 1)])[0] == (
        "association 2 10.0.0.1:1 WS > PACS at 10.0.0.2:104 TLS user ada 2 of 3 contexts accepted"
    )


def test_associations_that_overlap_are_not_mixed() -> None:
    records = [opened(ONE), echo(ONE, 1), opened(TWO), echo(TWO, 1), echo(ONE, 2), notice("released", TWO)]
    records += [echo(ONE, 3), notice("released", ONE)]
    assert [line.split()[0] for line in shown(records)] == [
        *("association", "1.1", "1.2", "1.3", "released"),
        *("association", "2.1", "released"),
    ]


def test_what_is_known_only_after_the_end_stands_before_it() -> None:
    records = [opened(ONE), notice("aborted", ONE, "aborted by the peer", detail=False), echo(ONE, 1, None)]
    assert shown(records)[1:] == ["1.1 C-ECHO no answer", "aborted by the peer"]


def test_an_association_that_was_rejected_is_two_lines() -> None:
    assert shown([notice("rejected", ONE, "association rejected", detail=False)]) == [
        "association 1 127.0.0.1:50001 CT1 > MOCKPACS",
        "association rejected",
    ]


def test_a_connection_on_which_nothing_was_said_is_shown_with_details_only() -> None:
    silent = notice("closed", ONE, "closed without a word")
    assert shown([silent]) == []
    assert shown([silent], details=True)[1:] == ["closed without a word"]


def test_details_are_shown_when_asked_for() -> None:
    records = [opened(ONE), notice("trouble", ONE, "odd"), notice("trouble", ONE, "bad", detail=False)]
    assert shown(records)[1:] == ["bad"]
    assert shown(records, details=True)[1:] == ["odd", "bad"]


def test_a_notice_without_association_stands_between_the_others() -> None:
    records = [echo(ONE, 1), notice("trouble", None, "disk full", detail=False), echo(ONE, 2)]
    assert [line.split()[0] for line in shown(records)] == ["association", "1.1", "disk", "association", "1.2"]


def test_an_association_without_end_does_not_hold_back_the_others_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "MOST_WAITING", 3)
    made = Listing()
    lines = [line for record in [echo(ONE, 1), *(echo(TWO, n) for n in range(4))] for line in made.add(record)]
    assert [_short(line).split()[0] for line in lines] == [
        "association",
        "1.1",
        "association",
        "2.0",
        "2.1",
        "2.2",
        "2.3",
    ]


@pytest.mark.parametrize(
    ("status", "rule", "tone"),
    [
        (0x0000, "", Tone.PLAIN),
        (0xA700, "", Tone.BAD),
        (None, "", Tone.BAD),
        (0xB000, "", Tone.WARNING),
        (0xA700, "busy", Tone.MARK),
    ],
)
def test_the_tone_of_an_exchange_is_its_outcome_or_who_decided_it(status: int | None, rule: str, tone: Tone) -> None:
    line = exchange_line(Exchange(ONE, 1, "C-STORE", status, "CT 1.2", "", 0.0, 0.1, rule=rule))
    assert line.tone is tone
    assert ('rule "busy"' in line.text) is bool(rule)


def test_a_query_tells_its_matches_and_nothing_moves_the_cursor() -> None:
    answers = (Answer(0xFF00, 2, 0, 0), Answer(0, 1, 0, 0))
    found = Exchange(ONE, 1, "C-FIND", 0, "STUDY A\x1b[2J", "", 0.0, 0.1, answers=answers)
    assert "2 matches" in exchange_line(found).text
    assert exchange_line(found).text.isprintable()


def test_legs_stand_below_what_they_are_legs_of() -> None:
    three = Association(3, "127.0.0.1:50003", "WS", "MOCKPACS")
    four = Association(4, "127.0.0.1:40000", "MOCKPACS", "STORE", server="127.0.0.1:104", cause="3.1", by_us=True)
    leg = Exchange(four, 1, "C-STORE", 0xA700, "CT 1.2", "", 1000.0, 0.001, asked_by_us=True, cause="3.1")
    move = Exchange(three, 1, "C-MOVE", 0xB000, "STUDY > STORE", "", 1000.0, 0.001, counts=(2, 1, 0))
    records = [opened(three), opened(four), leg, notice("released", four), move, notice("released", three)]

    assert shown(records) == [
        "association 3 127.0.0.1:50003 WS > MOCKPACS 2 of 3 contexts accepted",
        "3.1 C-MOVE sub-operations-failed STUDY > STORE 2 completed, 1 failed",
        "released",
        "association 4 127.0.0.1:40000 MOCKPACS > STORE at 127.0.0.1:104 2 of 3 contexts accepted <- 3.1",
        "4.1 C-STORE out-of-resources CT 1.2 <- 3.1",
        "released",
    ]


LEG = Association(9, "127.0.0.1:40000", "MOCKPACS", "STORE", server="127.0.0.1:104", cause="9.1", by_us=True)


def test_an_association_of_a_retrieve_is_shown_though_nothing_was_asked_on_it() -> None:
    records = [opened(LEG), notice("released", LEG)]
    assert shown(records) == [
        "association 9 127.0.0.1:40000 MOCKPACS > STORE at 127.0.0.1:104 2 of 3 contexts accepted <- 9.1",
        "released",
    ]


def test_silent_associations_are_shown_when_every_one_is_wanted() -> None:
    made = Listing(every=True)
    odd = notice("trouble", ONE, "odd")
    lines = [line for record in (opened(ONE), odd, notice("released", ONE)) for line in made.add(record)]
    assert [_short(line).split()[0] for line in [*lines, *made.finish()]] == ["association", "released"]


@pytest.mark.parametrize("by_us", [True, False])
def test_where_tls_did_not_come_about_nothing_was_said(by_us: bool) -> None:
    server = "127.0.0.1:11613" if by_us else ""
    one = Association(7, "127.0.0.1:48112", secure=True, server=server, by_us=by_us)
    at = f" at {server}" if server else ""
    assert shown([notice("closed", one, "TLS failed: certificate verify failed", detail=False)]) == [
        f"association 7 127.0.0.1:48112{at} TLS handshake failed, nothing was said",
        "TLS failed: certificate verify failed",
    ]


def test_where_tls_broke_later_it_had_stood() -> None:
    assert shown([opened(TWO), echo(TWO, 1), notice("closed", TWO, "TLS failed: bad record mac")])[0] == (
        "association 2 127.0.0.1:50002 WS > MOCKPACS TLS user ada 2 of 3 contexts accepted"
    )
