"""Replacements under a key: the same for the same, of the same length, and never what it was."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockpacs.replay.redact.disguise import Disguise
from mockpacs.replay.redact.words import Words

DISGUISE = Disguise(b"a key")
TEXT = st.binary(min_size=1, max_size=80)


@given(TEXT)
def test_text_keeps_its_length_and_becomes_ascii(raw: bytes) -> None:
    hidden = DISGUISE.text(raw, "")
    assert len(hidden) == len(raw)
    assert hidden.isascii() or not any(byte >= 0x80 for byte in hidden)
    for old, new in zip(raw, hidden, strict=True):
        if chr(old).isascii() and chr(old).isalnum():
            assert new != old
            assert chr(new).isdigit() == chr(old).isdigit()


@given(st.text("ABCdef0123", min_size=1, max_size=12), st.text("ABCdef0123", min_size=1, max_size=12))
def test_different_text_stays_different(one: str, other: str) -> None:
    if one != other:
        assert DISGUISE.text(one.encode(), "") != DISGUISE.text(other.encode(), "")


def test_a_wildcard_still_finds_what_it_found() -> None:
    name, key = DISGUISE.text(b"DOE^JOHN", ""), DISGUISE.text(b"DOE*", "")
    assert key.endswith(b"*")
    assert name.startswith(key[:-1])
    assert DISGUISE.text(b"doe^john", "").upper() == name


def test_components_are_the_same_wherever_they_stand() -> None:
    family, _, given_name = DISGUISE.text(b"DOE^JOHN", "").partition(b"^")
    assert DISGUISE.text(b"JOHN^DOE^^", "") == given_name + b"^" + family + b"^^"
    assert DISGUISE.text(b"DOE\\JOHN", "") == family + b"\\" + given_name


@pytest.mark.parametrize(
    ("raw", "character_set"),
    [
        ("Buc^Jérôme".encode("latin-1"), "ISO_IR 100"),
        ("Люкceмбypг".encode("iso8859_5"), "ISO_IR 144"),
        ("Wang^XiaoDong=王^小东".encode(), "ISO_IR 192"),
        ("Wang^XiaoDong=王^小东".encode("gb18030"), "GB18030"),
        ("Zhang^XiaoDong=张^小东^^".encode("gbk"), "GBK"),
        (b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B=\x1b$B$d$^$@\x1b(B^\x1b$B$?$m$&\x1b(B", "\\ISO 2022 IR 87"),
        (b"Hong^Gildong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7", "\\ISO 2022 IR 149"),
    ],
)
def test_delimiters_stay_where_they_are_in_any_character_set(raw: bytes, character_set: str) -> None:
    hidden = DISGUISE.text(raw, character_set)
    assert len(hidden) == len(raw)
    assert hidden.isascii()
    assert b"\x1b" not in hidden
    # bytes that look like delimiters and are a part of a character are letters now
    assert re.fullmatch(rb"[A-Za-z0-9^=]+", hidden)
    assert hidden.count(b"=") == (2 if b"$d$" in raw else raw.count(b"="))


def test_another_key_is_another_disguise() -> None:
    assert Disguise(b"another").text(b"DOE^JOHN", "") != DISGUISE.text(b"DOE^JOHN", "")
    assert Disguise(b"a key").uid("1.2.826.0.1.3680043.8.498.1") == DISGUISE.uid("1.2.826.0.1.3680043.8.498.1")


@given(st.integers(1, 64), st.integers(0, 10**60))
def test_a_uid_becomes_one_of_the_same_length(size: int, number: int) -> None:
    uid = f"1.2.{number}"[:size].rstrip(".")
    new = DISGUISE.uid(uid)
    assert len(new) == len(uid)
    if "." in uid:
        assert new != uid
        assert re.fullmatch(r"[0-2](\.(0|[1-9][0-9]*))+", new)
        assert len(uid) > 7 or new.count(".") == uid.count(".")


def test_uids_of_any_length_are_told_apart() -> None:
    disguise = Disguise(b"k")
    short = [f"1.2.{number}" for number in range(60)]
    assert len({disguise.uid(uid) for uid in short}) == len(short)
    assert len(disguise.uid("1.2." + "9" * 300)) == 304


@pytest.mark.parametrize("uid", ["1.2.840.10008.1.1", "1.2.840.10008.5.1.4.1.1.2", ""])
def test_uids_of_the_standard_stay(uid: str) -> None:
    assert DISGUISE.uid(uid) == uid


def test_dates_are_shifted_and_what_was_between_them_stays() -> None:
    assert -4000 <= DISGUISE.shift <= -400
    first, last = (DISGUISE.date("20260112-20260131") or "").split("-")
    assert int(last) > int(first)
    assert DISGUISE.date("20260112") == first
    assert DISGUISE.date("-20260131") == f"-{last}"
    assert DISGUISE.date("2026.01.12") == f"{first[:4]}.{first[4:6]}.{first[6:]}"
    assert DISGUISE.moment("20260112140500.123456+0100") == f"{first}140500.123456+0100"
    assert DISGUISE.moment("20260112140500-0500") == f"{first}140500-0500"
    assert len(DISGUISE.moment("202601") or "") == 6
    assert DISGUISE.date("") == ""


@pytest.mark.parametrize("text", ["20261399", "DOE^JOHN", "2026", "tomorrow"])
def test_what_is_no_date_is_none(text: str) -> None:
    assert DISGUISE.date(text) is None


def test_births_are_of_people_long_dead_and_in_no_order() -> None:
    births = [DISGUISE.birth_date(f"19700{month}01") or "" for month in range(1, 10)]
    assert len(set(births)) == 9
    assert all("1800" <= birth < "1900" for birth in births)
    assert births != sorted(births)


def test_early_dates_go_the_other_way() -> None:
    assert (DISGUISE.date("00010101") or "") > "0001"


def test_addresses_stay_of_their_family_and_apart() -> None:
    hosts = [f"10.0.{number // 256}.{number % 256}" for number in range(500)]
    new = [DISGUISE.host(host) for host in hosts]
    assert len(set(new)) == 500
    assert all(host.startswith(("198.18.", "198.19.")) for host in new)
    assert DISGUISE.host("fe80::1%eth0").startswith("2001:db8:")
    assert DISGUISE.host("::ffff:10.0.0.0") == f"::ffff:{new[0]}"
    assert DISGUISE.address("10.0.0.0:104") == f"{new[0]}:104"
    assert DISGUISE.address("[::1]:104") == f"[{DISGUISE.host('::1')}]:104"
    assert DISGUISE.host("nonsense") == "0.0.0.0"


def test_known_words_are_found_in_text() -> None:
    words = Words(DISGUISE)
    words.add(b"DOE^JOHN")
    words.add(b"4711")
    words.add(b"12")
    words.add_title("PACS")
    words.gathered()
    doe, john = DISGUISE.text(b"Doe", "").decode(), DISGUISE.text(b"JOHN", "").decode()
    number = DISGUISE.text(b"4711", "").decode()
    assert words.scrub_text("Doe, JOHN (4711/12)") == f"{doe}, {john} ({number}/12)"
    assert words.scrub_text("DOEL 47110") == "DOEL 47110"
    title = DISGUISE.text(b"PACS", "")
    assert words.scrub_name(b"MYPACS_10") == b"MY" + title + b"_10"
    assert words.scrub(b"MYPACS") == b"MYPACS"


def test_many_words_are_looked_for_in_one_go() -> None:
    words = Words(DISGUISE)
    for number in range(3000):
        words.add(f"PAT{number:06}".encode())
    words.gathered()
    assert words.scrub(b"see PAT002999.") == b"see " + DISGUISE.text(b"PAT002999", "") + b"."
