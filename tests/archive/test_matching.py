"""One row per clause of PS3.4 C.2.2.2: a key, stored values, and whether they match."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mockpacs.archive import wildcards
from mockpacs.archive.matching import Rules, predicate

EMPTY = Rules(empty_value=True)
EVERY = Rules(multiple_value=True)
UNKNOWN = Rules(unknown_matches=True)
SENSITIVE = Rules(name_case_sensitive=True)
BERLIN = Rules(default_offset=3_600_000_000)

CLAUSES: list[tuple[str, str, str, str, bool, Rules]] = [
    # clause, VR, key, stored values, do they match, rules
    ("C.2.2.2.1 equal text matches", "LO", "Head", "Head", True, Rules()),
    ("C.2.2.2.1 text is case-sensitive", "LO", "head", "Head", False, Rules()),
    ("C.2.2.2.1 a part of the text is not enough", "LO", "Hea", "Head", False, Rules()),
    ("C.2.2.2.1 a percent sign is itself", "LO", "100%", "1000", False, Rules()),
    ("C.2.2.2.1 an underscore is itself", "SH", "A_1", "AB1", False, Rules()),
    ("C.2.2.2.1 a date by meaning", "DA", "20210304", "2021.03.04", True, Rules()),
    ("C.2.2.2.1 another date", "DA", "20210304", "20210305", False, Rules()),
    ("C.2.2.2.1 a date without its day is not that day", "DA", "202103", "20210301", False, Rules()),
    ("C.2.2.2.1 a time by meaning", "TM", "2230", "223000", True, Rules()),
    ("C.2.2.2.1 a time by meaning, the other way round", "TM", "223000.000000", "2230", True, Rules()),
    ("C.2.2.2.1 a time with colons", "TM", "22:30:00", "223000", True, Rules()),
    ("C.2.2.2.1 another time", "TM", "2230", "223001", False, Rules()),
    ("C.2.2.2.1 a date-time by meaning", "DT", "20210304", "20210304000000", True, Rules()),
    ("C.2.2.2.1 a date-time in another timezone", "DT", "20210304120000+0100", "20210304110000+0000", True, Rules()),
    ("C.2.2.2.1 a date-time with a negative offset", "DT", "20210304120000-0500", "20210304170000+0000", True, Rules()),
    (
        "C.2.2.2.1 a date-time without offset is in the query's",
        "DT",
        "20210304120000",
        "20210304110000+0000",
        True,
        BERLIN,
    ),
    ("C.2.2.2.1 an integer by meaning", "IS", "1", "+01 ", True, Rules()),
    ("C.2.2.2.1 a decimal by meaning", "DS", "1.50", "15e-1", True, Rules()),
    ("C.2.2.2.1 another integer", "IS", "1", "10", False, Rules()),
    ("C.2.2.2.1 what is no number is compared as text", "IS", "one", "one", True, Rules()),
    ("C.2.2.2.1 a binary number", "US", "512", "512", True, Rules()),
    ("C.2.2.2.1 an age", "AS", "045Y", "045Y", True, Rules()),
    ("C.2.2.2.1.1 a name in another case", "PN", "smith^john", "SMITH^John", True, Rules()),
    ("C.2.2.2.1.1 a name in another case, when case matters", "PN", "smith^john", "SMITH^John", False, SENSITIVE),
    ("C.2.2.2.1.1 trailing carets in the key", "PN", "Smith^John^^", "Smith^John", True, Rules()),
    ("C.2.2.2.1.1 trailing carets in the name", "PN", "Smith^John", "Smith^John^^^", True, Rules()),
    ("C.2.2.2.1.1 spaces around components", "PN", "Smith^John", "Smith ^ John", True, Rules()),
    ("C.2.2.2.1.1 a family name is not the whole name", "PN", "Smith", "Smith^John", False, Rules()),
    (
        "C.2.2.2.1.1 missing groups in the key",
        "PN",
        "Yamada^Tarou",
        "Yamada^Tarou=山田^太郎=やまだ^たろう",
        True,
        Rules(),
    ),
    (
        "C.2.2.2.1.1 another group than the first",
        "PN",
        "山田^太郎",
        "Yamada^Tarou=山田^太郎=やまだ^たろう",
        True,
        Rules(),
    ),
    ("C.2.2.2.1.1 all groups", "PN", "yamada^tarou=山田^太郎", "Yamada^Tarou=山田^太郎=やまだ^たろう", True, Rules()),
    ("C.2.2.2.1.1 a wrong second group", "PN", "yamada^tarou=山本^太郎", "Yamada^Tarou=山田^太郎", False, Rules()),
    ("C.2.2.2.1.1 an empty first group in the key", "PN", "=山田^太郎", "Yamada^Tarou=山田^太郎", True, Rules()),
    ("C.2.2.2.1.1 ASCII in a name without alphabetic group", "PN", "Yamada", "=Yamada", True, Rules()),
    ("C.2.2.2.1.1 a composed letter is the decomposed one", "PN", "Mu\u0308ller", "M\u00fcller", True, Rules()),
    ("C.2.2.2.2 one of a list of UIDs", "UI", "1.2\\1.3", "1.3", True, Rules()),
    ("C.2.2.2.2 none of a list of UIDs", "UI", "1.2\\1.3", "1.30", False, Rules()),
    ("C.2.2.2.2 a UID knows no wild cards", "UI", "1.*", "1.2", False, Rules()),
    ("C.2.2.2.3 zero length", "LO", "", "Head", True, Rules()),
    ("C.2.2.2.3 zero length and no value", "LO", "", "", True, Rules()),
    ("C.2.2.2.4 any characters", "LO", "H*d", "Head", True, Rules()),
    ("C.2.2.2.4 no character at all", "LO", "Head*", "Head", True, Rules()),
    ("C.2.2.2.4 exactly one character", "LO", "H?ad", "Head", True, Rules()),
    ("C.2.2.2.4 a question mark needs a character", "LO", "Head?", "Head", False, Rules()),
    ("C.2.2.2.4 wild cards are case-sensitive", "LO", "h*", "Head", False, Rules()),
    ("C.2.2.2.4 wild cards in names are not", "PN", "sm*^j*", "Smith^John", True, Rules()),
    ("C.2.2.2.4 wild cards in names, when case matters", "PN", "sm*^j*", "Smith^John", False, SENSITIVE),
    ("C.2.2.2.4 a given name that is missing", "PN", "Smith^*", "Smith", True, Rules()),
    ("C.2.2.2.4 a star across components", "PN", "S*n", "Smith^John", True, Rules()),
    ("C.2.2.2.4 ideographic text with a star", "PN", "山*", "Yamada^Tarou=山田^太郎", True, Rules()),
    ("C.2.2.2.4 a lone star is universal", "LO", "*", "", True, Rules()),
    ("C.2.2.2.4 a lone star is universal for dates too", "DA", "*", "", True, Rules()),
    ("C.2.2.2.4 two stars are not a lone one", "LO", "**", "", False, Rules()),
    ("C.2.2.2.4 wild cards in long text", "LT", "*tumour*", "a tumour\r\nor two", True, Rules()),
    ("C.2.2.2.4 no wild cards in ages", "AS", "04?Y", "045Y", False, Rules()),
    ("C.2.2.2.4 no wild cards in numbers", "IS", "1*", "10", False, Rules()),
    ("C.2.2.2.5.1 between two dates", "DA", "20210101-20211231", "20210304", True, Rules()),
    ("C.2.2.2.5.1 the first date", "DA", "20210304-20211231", "20210304", True, Rules()),
    ("C.2.2.2.5.1 the last date", "DA", "20210101-20210304", "20210304", True, Rules()),
    ("C.2.2.2.5.1 outside", "DA", "20210101-20210303", "20210304", False, Rules()),
    ("C.2.2.2.5.1 up to a date", "DA", "-20210304", "20210304", True, Rules()),
    ("C.2.2.2.5.1 after it", "DA", "-20210304", "20210305", False, Rules()),
    ("C.2.2.2.5.1 from a date on", "DA", "20210304-", "20991231", True, Rules()),
    ("C.2.2.2.5.1 before it", "DA", "20210304-", "20210303", False, Rules()),
    ("C.2.2.2.5.1 spaces around the hyphen", "DA", "20210101 - 20211231", "20210304", True, Rules()),
    ("C.2.2.2.5.1 whole years", "DA", "2020-2021", "20211231", True, Rules()),
    ("C.2.2.2.5.1 ends that are no dates", "DA", "yesterday-today", "20210304", False, Rules()),
    ("C.2.2.2.5.1 a stored value that is no date", "DA", "20210101-", "unknown", False, Rules()),
    ("C.2.2.2.5.2 hours", "TM", "09-10", "0930", True, Rules()),
    ("C.2.2.2.5.2 the last hour begins", "TM", "09-10", "100000", True, Rules()),
    ("C.2.2.2.5.2 the last hour ends", "TM", "09-10", "105959.999999", True, Rules()),
    ("C.2.2.2.5.2 after the last hour", "TM", "09-10", "11", False, Rules()),
    ("C.2.2.2.5.2 from a time on", "TM", "0930-", "2359", True, Rules()),
    ("C.2.2.2.5.2 up to a time", "TM", "-0930", "000000", True, Rules()),
    ("C.2.2.2.5.2 never across midnight", "TM", "22-03", "2330", False, Rules()),
    ("C.2.2.2.5.3 moments", "DT", "20210304-20210305", "20210305235959", True, Rules()),
    ("C.2.2.2.5.3 offsets count", "DT", "202103041200+0100-202103041300+0100", "202103041130+0000", True, Rules()),
    ("C.2.2.2.5.3 negative offsets too", "DT", "202103041200-0500-", "202103041659+0000", False, Rules()),
    ("C.2.2.2.5.3 a hyphen that makes a range is one", "DT", "2020-2021", "20210704", True, Rules()),
    ("C.2.2.2.7 the empty key finds what is empty", "LO", '""', "", True, EMPTY),
    ("C.2.2.2.7 the empty key does not find a value", "LO", '""', "Head", False, EMPTY),
    ("C.2.2.2.7 not agreed: quotation marks are text", "LO", '""', '""', True, Rules()),
    ("C.2.2.2.8 all of the values", "CS", "CT\\PT", "PT\\CT\\SR", True, EVERY),
    ("C.2.2.2.8 one is missing", "CS", "CT\\PT", "CT", False, EVERY),
    ("C.2.2.2.8 not agreed: any of the values", "CS", "CT\\PT", "CT", True, Rules()),
    ("C.2.2.2.8 not agreed: any of the names", "PN", "Smith\\Jones", "jones", True, Rules()),
    ("C.2.2.2.8 a list of UIDs stays a list", "UI", "1.2\\1.3", "1.2", True, EVERY),
    ("C.2.2.3 any stored value", "LO", "B", "A\\B\\C", True, Rules()),
    ("C.2.2.3 any stored name", "PN", "b*", "Able\\Baker", True, Rules()),
    ("C.2.2.1.2 an unknown value does not match", "LO", "Head", "", False, Rules()),
    ("C.2.2.1.2 an unknown value matches, to the letter", "LO", "Head", "", True, UNKNOWN),
    ("C.2.2.1.2 an unknown date matches, to the letter", "DA", "20210101-", "", True, UNKNOWN),
]


@pytest.mark.parametrize(
    ("vr", "key", "stored", "matches", "rules"), [row[1:] for row in CLAUSES], ids=[row[0] for row in CLAUSES]
)
def test_clause(vr: str, key: str, stored: str, matches: bool, rules: Rules) -> None:
    test = predicate(vr, _values(key, vr), rules)
    assert (test is None or test(_values(stored, vr))) is matches


def _values(text: str, vr: str) -> tuple[str, ...]:
    parts = (text,) if vr == "LT" else tuple(part.strip() for part in text.split("\\"))
    return parts if text else ()


def test_a_universal_key_needs_no_predicate() -> None:
    assert predicate("LO", (), Rules()) is None
    assert predicate("LO", ("*",), Rules()) is None
    assert predicate("PN", ("", ""), Rules()) is None


@pytest.mark.parametrize(
    ("pattern", "text", "matches"),
    [("*a*a*a*a*b", "a" * 64, False), ("*" * 100, "a" * 64, True), ("?" * 100, "a" * 64, False),
     ("*" + "?a" * 3000 + "*", "ab" * 3000, False), ("*?a*" * 1000 + "b", "a" * 4000, False)],
)  # fmt: skip
def test_hostile_patterns_do_a_bounded_number_of_steps(pattern: str, text: str, matches: bool) -> None:
    assert wildcards.compile_pattern(pattern)(text) is matches


@settings(max_examples=300, deadline=None)
@given(st.text("ab*?", max_size=8), st.text("ab", max_size=8))
def test_wild_cards_agree_with_their_definition(pattern: str, text: str) -> None:
    assert wildcards.compile_pattern(pattern)(text) is _defined(pattern, text)


def _defined(pattern: str, text: str) -> bool:
    if not pattern:
        return not text
    if pattern[0] == "*":
        return any(_defined(pattern[1:], text[at:]) for at in range(len(text) + 1))
    return bool(text) and pattern[0] in ("?", text[0]) and _defined(pattern[1:], text[1:])


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(
        ["AE", "AS", "AT", "CS", "DA", "DS", "DT", "FL", "IS", "LO", "LT", "PN", "SH", "TM", "UI", "UN", "US"]
    ),
    st.lists(st.text(max_size=12), max_size=3),
    st.lists(st.text(max_size=12), max_size=3),
)
def test_no_key_and_no_value_makes_a_predicate_raise(vr: str, key: list[str], stored: list[str]) -> None:
    test = predicate(vr, tuple(key), Rules())
    assert test is None or test(tuple(stored)) in (True, False)
