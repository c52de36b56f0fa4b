from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mockpacs.errors import LocalProtocolError
from mockpacs.wire import (
    AsynchronousOperations,
    CommonExtendedNegotiation,
    ExtendedNegotiation,
    RoleSelection,
    UserIdentity,
    UserInformation,
)
from mockpacs.wire.item import ItemError, item
from mockpacs.wire.user_information import decode_user_information, encode_user_information
from tests.wire.samples import CT, FIND, FULL_USER

LENGTH = item(0x51, b"\0\0\x40\0")

# each sub-item as the standard draws it, and what it says: read in both directions
CASES: dict[str, tuple[str, UserInformation]] = {
    "maximum length": ("51 00 0004 00003FFE", UserInformation(16382)),
    "no limit": ("51 00 0004 00000000", UserInformation(0)),
    "implementation class": (
        "51 00 0004 00004000 52 00 0005 312E322E33",
        UserInformation(16384, implementation_class_uid="1.2.3"),
    ),
    "implementation version": (
        "51 00 0004 00004000 55 00 0002 5631",
        UserInformation(16384, implementation_version_name="V1"),
    ),
    "asynchronous operations": (
        "51 00 0004 00004000 53 00 0004 0003 0000",
        UserInformation(16384, asynchronous_operations=AsynchronousOperations(3, 0)),
    ),
    "role selection": (
        "51 00 0004 00004000 54 00 0007 0003 312E32 00 01 54 00 0007 0003 312E33 01 00",
        UserInformation(
            16384, roles=(RoleSelection("1.2", scu=False, scp=True), RoleSelection("1.3", scu=True, scp=False))
        ),
    ),
    "extended negotiation": (
        "51 00 0004 00004000 56 00 0007 0003 312E32 01 00",
        UserInformation(16384, extended=(ExtendedNegotiation("1.2", b"\1\0"),)),
    ),
    "common extended negotiation": (
        "51 00 0004 00004000 57 00 0015 0003 312E32 0003 312E33 0009 0003 312E34 0002 3132",
        UserInformation(16384, common_extended=(CommonExtendedNegotiation("1.2", "1.3", ("1.4", "12")),)),
    ),
    "user identity": (
        "51 00 0004 00004000 58 00 000B 02 01 0003 616461 0002 7077",
        UserInformation(16384, user_identity=UserIdentity(2, True, b"ada", b"pw")),
    ),
    "user identity response": (
        "51 00 0004 00004000 59 00 0004 0002 6F6B",
        UserInformation(16384, identity_response=b"ok"),
    ),
    "unknown": ("51 00 0004 00004000 FE 00 0002 6869", UserInformation(16384, unknown=((0xFE, b"hi"),))),
}


@pytest.mark.parametrize("name", CASES)
def test_every_sub_item_is_decoded_and_encoded_as_the_standard_draws_it(name: str) -> None:
    raw, user = CASES[name]
    assert decode_user_information(bytes.fromhex(raw)) == user
    assert encode_user_information(user) == bytes.fromhex(raw)


def test_everything_at_once_survives_both_directions() -> None:
    assert decode_user_information(encode_user_information(FULL_USER)) == FULL_USER


small = st.binary(max_size=12)
uids = st.from_regex(r"[1-9][0-9.]{0,20}[0-9]", fullmatch=True)
users = st.builds(
    UserInformation,
    st.integers(0, 0xFFFFFFFF),
    uids,
    st.sampled_from(["", "V_1"]),
    st.none() | st.builds(AsynchronousOperations, st.integers(0, 65535), st.integers(0, 65535)),
    st.lists(st.builds(RoleSelection, uids, st.booleans(), st.booleans()), max_size=3).map(tuple),
    st.lists(st.builds(ExtendedNegotiation, uids, small), max_size=2).map(tuple),
    st.lists(st.builds(CommonExtendedNegotiation, uids, uids, st.lists(uids, max_size=2).map(tuple)), max_size=2).map(
        tuple
    ),
    st.none() | st.builds(UserIdentity, st.integers(0, 255), st.booleans(), small, small),
    st.none() | small,
    st.lists(st.tuples(st.integers(0x60, 0xFF), small), max_size=2).map(tuple),
)


@given(users)
@settings(max_examples=60, deadline=None)
def test_any_user_information_is_decoded_to_what_was_encoded(user: UserInformation) -> None:
    assert decode_user_information(encode_user_information(user)) == user


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (0x51, b"\0\0\x40"),
        (0x51, b"\0\0\0\x40\0"),
        (0x53, b"\0\1"),
        (0x54, b""),
        (0x54, b"\0\x09" + b"1.2" + b"\1\1"),
        (0x54, b"\0\3" + b"1.2" + b"\1"),
        (0x56, b"\0"),
        (0x56, b"\0\x101.2"),
        (0x57, b"\0\0031.2"),
        (0x57, b"\0\0031.2\0\0031.3\0\x09"),
        (0x57, b"\0\0031.2\0\0031.3\0\4\0\0061."),
        (0x58, b""),
        (0x58, b"\1"),
        (0x58, b"\1\0\0\5abc"),
        (0x58, b"\1\0\0\3abc\0\5d"),
        (0x59, b"\0\5abc"),
    ],
)
def test_a_sub_item_that_cannot_be_read_is_kept_and_skipped(kind: int, value: bytes) -> None:
    user = decode_user_information(item(kind, value) + LENGTH)
    assert user == UserInformation(16384, unknown=((kind, value),))


def test_what_some_senders_leave_out_at_the_end_is_empty() -> None:
    user = decode_user_information(LENGTH + item(0x57, b"\0\0031.2\0\0031.3") + item(0x58, b"\1\0\0\3ada"))
    assert user.common_extended == (CommonExtendedNegotiation("1.2", "1.3"),)
    assert user.user_identity == UserIdentity(1, False, b"ada")
    assert user.unknown == ()


@pytest.mark.parametrize("data", [b"\x51\0\0", b"\x51\0\0\x05\0\0\x40\0", LENGTH + b"\0"])
def test_sub_items_that_do_not_fit_make_the_whole_item_unreadable(data: bytes) -> None:
    with pytest.raises(ItemError, match="user information"):
        decode_user_information(data)


def test_nothing_at_all_says_nothing() -> None:
    assert decode_user_information(b"") == UserInformation()


def test_a_field_that_is_too_long_is_refused_with_a_sentence() -> None:
    for user in (
        UserInformation(user_identity=UserIdentity(4, primary=bytes(65536))),
        UserInformation(extended=(ExtendedNegotiation(FIND, bytes(65536)),)),
    ):
        with pytest.raises(LocalProtocolError, match="65535 is the most"):
            encode_user_information(user)


def test_secrets_are_not_shown() -> None:
    shown = repr(
        UserInformation(roles=(RoleSelection(CT, True, True),), user_identity=UserIdentity(2, True, b"ada", b"pw"))
    )
    assert CT in shown
    assert "ada" not in shown
    assert "pw" not in shown
