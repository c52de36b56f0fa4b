"""Who may associate: titles by pattern, user identities by rule."""

from __future__ import annotations

import pytest

from mockpacs.services.access import Access, Credential
from mockpacs.wire import UserIdentity

NAME = Credential((1, 2), b"jane")
PASSCODE = Credential((2,), b"john", b"secret")
TOKEN = Credential((5,), b"head.body.signature")


def identity(kind: int, primary: bytes, secondary: bytes = b"") -> UserIdentity:
    return UserIdentity(kind, False, primary, secondary)


def test_without_rules_everybody_may() -> None:
    access = Access()

    assert access.knows_called("ANYTHING")
    assert access.knows_calling("")
    assert access.admits(None)
    assert access.admits(identity(2, b"nobody", b"knows"))


@pytest.mark.parametrize(
    ("title", "is_known"),
    [("PACS", True), ("CT1", True), ("CT12", False), ("pacs", False), ("MYPACS", False), ("", False)],
)
def test_titles_are_compared_with_patterns_and_by_case(title: str, is_known: bool) -> None:
    patterns = ("PACS", "CT?")

    assert Access(called=patterns).knows_called(title) is is_known
    assert Access(calling=patterns).knows_calling(title) is is_known


def test_a_title_that_looks_like_a_pattern_is_only_a_title() -> None:
    assert not Access(called=("PACS",)).knows_called("*")


@pytest.mark.parametrize(
    ("offered", "is_admitted"),
    [
        (identity(1, b"jane"), True),
        (identity(2, b"jane", b"whatever"), True),
        (identity(2, b"john", b"secret"), True),
        (identity(2, b"john", b"Secret"), False),
        (identity(2, b"john"), False),
        (identity(1, b"john"), False),
        (identity(1, b"nobody"), False),
        (identity(5, b"head.body.signature"), True),
        (identity(4, b"head.body.signature"), False),
        (identity(3, b"jane"), False),
        (identity(9, b"jane"), False),
    ],
)
@pytest.mark.parametrize("rule", ["check", "require"])
def test_a_checked_identity_must_be_one_of_the_credentials(rule: str, offered: UserIdentity, is_admitted: bool) -> None:
    access = Access(identity=rule, credentials=(NAME, PASSCODE, TOKEN))  # type: ignore[arg-type]

    assert access.admits(offered) is is_admitted


def test_a_missing_identity_is_refused_only_when_one_is_required() -> None:
    assert Access(identity="check", credentials=(NAME,)).admits(None)
    assert not Access(identity="require", credentials=(NAME,)).admits(None)


def test_credentials_do_not_show_their_secrets() -> None:
    shown = repr(Access(credentials=(NAME, PASSCODE, TOKEN)))

    assert "secret" not in shown
    assert "signature" not in shown
