"""Comments as they are made and as they are read: what goes in comes out, and nobody else's text is taken for ours."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockpacs.traffic import comment
from mockpacs.traffic.comment import Remark
from mockpacs.wire.text import printable

NUMBERS = st.integers(1, 10**12)
NAMES = st.sampled_from(["C-STORE-RQ", "C-STORE-RSP", "C-ECHO-RQ", "C-FIND-RSP", "N-EVENT-REPORT-RQ", "C-CANCEL-RQ"])
RESULTS = st.sampled_from(["", "0000 success", "A700 refused: out of resources", "250 x pending"])
# what a grammar of quotes, backslashes and words trips over, among all else
TEXTS = st.text(st.one_of(st.sampled_from('"\\ \n\r\0'), st.characters()), max_size=40) | st.lists(
    st.sampled_from(["rule", "fault", " ", '"', "\\", " rule ", ' fault "', 'x"', "1.2 C-STORE-RQ"])
).map("".join)


@given(NUMBERS, NUMBERS, NAMES, TEXTS, TEXTS, RESULTS, TEXTS, TEXTS)
def test_a_message_is_read_as_it_was_made(
    association: int, exchange: int, name: str, calling: str, called: str, result: str, rule: str, fault: str
) -> None:
    titles = comment.titles(calling, called)
    made = comment.message(f"{association}.{exchange}", name, titles, result, rule=rule, fault=fault)

    assert made.isprintable()
    assert comment.parse(made) == Remark(association, exchange, name, printable(rule), printable(fault))


@pytest.mark.parametrize(
    ("made", "text"),
    [
        (comment.connection(3, "127.0.0.1:50312"), "connection 3 from 127.0.0.1:50312"),
        (comment.connection(4, "[::1]:50312", "TLS"), "connection 4 from [::1]:50312 TLS"),
        (comment.continues(3, "20260112-101500-2.pcapng"), "continues connection 3 of 20260112-101500-2.pcapng"),
        (
            comment.connection(4, "127.0.0.1:11113", by_us=True, cause="3.1"),
            "connection 4 to 127.0.0.1:11113 for 3.1",
        ),
        (
            comment.connection(4, "[::1]:2762", "TLS TLSv1.3", by_us=True, cause="3.1"),
            "connection 4 to [::1]:2762 for 3.1 TLS TLSv1.3",
        ),
        (comment.connection(4, "127.0.0.1:104", by_us=True), "connection 4 to 127.0.0.1:104"),
        (
            comment.continues(4, "20260112-101500.pcapng", "127.0.0.1:104", "3.1"),
            "continues connection 4 of 20260112-101500.pcapng to 127.0.0.1:104 for 3.1",
        ),
        (comment.titles("CT1", "MOCKPACS"), "CT1 > MOCKPACS"),
        (comment.message("1.2", "C-STORE-RQ", "CT1 > MOCKPACS"), "1.2 C-STORE-RQ CT1 > MOCKPACS"),
        (
            comment.message("1.2", "C-STORE-RSP", "CT1 > MOCKPACS", "0000 success"),
            "1.2 C-STORE-RSP 0000 success CT1 > MOCKPACS",
        ),
        (
            comment.message("1.2", "C-ECHO-RSP", "A > B", "0000 success", rule='the "slow" one', fault="late\n"),
            r'1.2 C-ECHO-RSP 0000 success A > B rule "the \"slow\" one" fault "late\\n"',
        ),
        (comment.unsent(1234), "unsent 1234"),
    ],
)
def test_a_comment_is_one_line_for_a_person(made: str, text: str) -> None:
    assert made == text


@given(NUMBERS, st.sampled_from(["", "TLS", "TLS TLSv1.3 TLS_AES_256_GCM_SHA384"]), TEXTS)
def test_the_number_of_a_connection_is_found_among_other_comments(number: int, security: str, name: str) -> None:
    begun = comment.connection(number, "127.0.0.1:104", security)
    continued = comment.continues(number, name)

    assert comment.connection_of(["something else", begun]) == (number, False)
    assert comment.connection_of([continued, "something else"]) == (number, True)
    assert continued.isprintable()


@given(st.lists(st.integers(0, 10**9)))
def test_what_did_not_leave_is_added_up(sizes: list[int]) -> None:
    comments = [text for size in sizes for text in (comment.unsent(size), "1 closed: unsent 5")]

    assert comment.unsent_of(comments) == sum(sizes)


@pytest.mark.parametrize(
    "title", ['a" rule "x', ' rule "x"', 'b fault "y"', '"', '\\"', "rule\nfault", "\x1b[31mred", "\u202eabc", "\udc80"]
)
def test_a_title_cannot_pass_for_a_rule_nor_harm_a_terminal(title: str) -> None:
    for titles in (comment.titles(title, "B"), comment.titles("A", title), comment.titles(title, title)):
        made = comment.message("1.1", "C-ECHO-RQ", titles)

        assert made.isprintable()
        assert comment.parse(made) == Remark(1, 1, "C-ECHO-RQ", "", "")


NONSENSE = [
    "",
    "connection",
    "connection 3",
    "connection x from y",
    "connection -1 from here",
    f"connection {'9' * 5000} from here",
    f"continues connection {'9' * 5000} of there",
    "1.2",
    "1.2 ",
    "1.2 hello",
    "1.2 c-store-rq",
    " 1.2 C-STORE-RQ",
    "1. C-STORE-RQ",
    f"{'9' * 5000}.1 C-ECHO-RQ a > b",
    f"1.{'9' * 5000} C-ECHO-RQ a > b",
    '1.2 C-STORE-RQ a > b rule "without an end',
    '1.2 C-STORE-RQ a > b rule "x" and more',
    '1.2 C-STORE-RQ a > b rule "x\\"',
    "unsent",
    "unsent many",
    "unsent 5 or 6",
    f"unsent {'9' * 5000}",
    "1 closed: it was late",
]


@pytest.mark.parametrize("text", NONSENSE)
def test_what_others_write_into_a_file_says_nothing_and_harms_nobody(text: str) -> None:
    assert comment.parse(text) is None
    assert comment.connection_of([text]) is None
    assert comment.unsent_of([text]) == 0


@given(st.text() | st.lists(st.sampled_from(["1.2 C-ECHO-RQ", ' rule "', ' fault "', '"', "\\", "\n"])).map("".join))
def test_no_text_makes_reading_fail(text: str) -> None:
    comment.parse(text)
    comment.connection_of([text])
    assert comment.unsent_of([text]) >= 0


@given(NUMBERS, st.sampled_from(["", "3.1", "12.345"]), st.sampled_from(["", "TLS", "TLS TLSv1.3 TLS_AES_256"]))
def test_what_we_opened_is_told_from_what_peers_opened(number: int, cause: str, security: str) -> None:
    address = "[::1]:104"
    ours = comment.connection(number, address, security, by_us=True, cause=cause)
    theirs = comment.connection(number, address, security)
    continued = comment.continues(number, "20260112-101500-2.pcapng", address, cause)

    assert comment.outgoing_of(["something else", ours]) == comment.outgoing_of([continued]) == cause
    assert comment.connection_of([ours]) == (number, False)
    assert comment.connection_of([continued]) == (number, True)
    assert comment.outgoing_of([theirs, comment.continues(number, "20260112-101500.pcapng")]) is None
    assert comment.is_secure([ours]) == comment.is_secure([theirs]) == bool(security)


@pytest.mark.parametrize(
    "text", ["", "connection", "connection 3 from 10.0.0.1:5 to 1.2.3.4:5", "3.1 C-STORE-RQ connection 4 to 1.2.3.4:5"]
)
def test_nothing_else_says_that_we_opened_a_connection(text: str) -> None:
    assert comment.outgoing_of([text]) is None
