"""Who may associate: user identities of all types, called and calling titles."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest
from pynetdicom.pdu_primitives import UserIdentityNegotiation

from mockpacs import MockPACS
from tests.interop import phantom, scu
from tests.interop.programs import Ran, run

VERIFICATION = ("1.2.840.10008.1.1", ["1.2.840.10008.1.2"])
TICKET = b"\x60\x82\x01\x00 a ticket \xff"
USERS = (
    "ann",
    "bob:s3cret",
    f"kerberos=base64:{base64.b64encode(TICKET).decode()}",
    "saml=<Assertion>me</Assertion>",
    "jwt=eyJhbGciOiJub25lIn0.e30.",
)


@pytest.fixture(scope="module", params=["check", "require"])
def guarded(request: pytest.FixtureRequest) -> Iterator[MockPACS]:
    with MockPACS(users=USERS, user_identity=request.param) as pacs:
        yield pacs


def identity(kind: int, primary: bytes, secondary: bytes = b"", *, response: bool = False) -> UserIdentityNegotiation:
    item = UserIdentityNegotiation()
    item.user_identity_type = kind
    item.positive_response_requested = response
    item.primary_field = primary
    item.secondary_field = secondary
    return item


RIGHT = {
    "a name": (1, b"ann", b""),
    "a name with a passcode nobody asked for": (2, b"ann", b"whatever"),
    "a name and its passcode": (2, b"bob", b"s3cret"),
    "a Kerberos ticket": (3, TICKET, b""),
    "a SAML assertion": (4, b"<Assertion>me</Assertion>", b""),
    "a JSON web token": (5, b"eyJhbGciOiJub25lIn0.e30.", b""),
}
WRONG = {
    "an unknown name": (1, b"eve", b""),
    "a name without its passcode": (1, b"bob", b""),
    "a wrong passcode": (2, b"bob", b"guess"),
    "another ticket": (3, TICKET[:-1], b""),
    "an assertion as a token": (5, b"<Assertion>me</Assertion>", b""),
    "another assertion": (4, b"<Assertion>you</Assertion>", b""),
    "another token": (5, b"eyJhbGciOiJub25lIn0.e31.", b""),
}


@pytest.mark.parametrize(("kind", "primary", "secondary"), RIGHT.values(), ids=RIGHT)
@pytest.mark.parametrize("response", [False, True], ids=["quietly", "with a response"])
def test_who_is_known_comes_in_with(
    guarded: MockPACS, kind: int, primary: bytes, secondary: bytes, *, response: bool
) -> None:
    item = identity(kind, primary, secondary, response=response)
    association = scu.associate(guarded, VERIFICATION, ext_neg=[item])
    assert association.is_established
    assert association.send_c_echo().Status == 0x0000
    answer = association.acceptor.user_identity
    association.release()
    assert (answer is not None) == response  # PS3.7 D.3.3.7.2: only when asked for
    assert answer is None or answer.server_response == b""


@pytest.mark.parametrize(("kind", "primary", "secondary"), WRONG.values(), ids=WRONG)
def test_who_is_not_known_stays_out_with(guarded: MockPACS, kind: int, primary: bytes, secondary: bytes) -> None:
    assert scu.rejection(guarded, VERIFICATION, ext_neg=[identity(kind, primary, secondary)]) == (1, 1, 1)


def test_a_missing_identity_is_refused_only_when_one_is_required(guarded: MockPACS) -> None:
    expected = (1, 1, 1) if guarded.options.user_identity == "require" else None
    assert scu.rejection(guarded, VERIFICATION) == expected


def test_without_users_every_identity_comes_in() -> None:
    with MockPACS() as pacs:
        association = scu.associate(pacs, VERIFICATION, ext_neg=[identity(2, b"eve", b"x", response=True)])
        assert association.is_established
        association.release()


def storescu(pacs: MockPACS, tmp_path: Path, *arguments: object) -> Ran:
    (path,) = phantom.write(tmp_path, [phantom.instance()])
    return run("storescu", "-v", *arguments, pacs.host, pacs.port, path)


def test_storescu_shows_each_type_of_identity(guarded: MockPACS, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_bytes(b"eyJhbGciOiJub25lIn0.e30.")
    ticket = tmp_path / "ticket"
    ticket.write_bytes(TICKET)
    assertion = tmp_path / "assertion"
    assertion.write_bytes(b"<Assertion>me</Assertion>")
    known: list[tuple[object, ...]] = [
        ("-usr", "ann"),
        ("-usr", "bob", "-pwd", "s3cret"),
        ("-usr", "bob", "-pwd", "s3cret", "-rsp"),
        ("-kt", ticket),
        ("--saml", assertion),
        ("--jwt", token, "-rsp"),
    ]
    for shown in known:
        ran = storescu(guarded, tmp_path / "sent", *shown)
        assert "Received Store Response (Success)" in ran.text, (shown, ran.text)
    for shown in (("-usr", "eve"), ("-usr", "bob", "-pwd", "guess"), ("-usr", "bob", "-epw"), ("--jwt", assertion)):
        ran = storescu(guarded, tmp_path / "sent", *shown)
        assert ran.status != 0
        assert "Association Rejected" in ran.text, (shown, ran.text)


@pytest.mark.parametrize(
    ("called", "calling", "reason"),
    [
        ("MOCKPACS", "WS1", ""),
        ("OTHER-1", "WS22", ""),
        ("mockpacs", "WS1", "Called AE Title Not Recognized"),
        ("THIRD", "WS1", "Called AE Title Not Recognized"),
        ("MOCKPACS", "EVIL", "Calling AE Title Not Recognized"),
        ("MOCKPACS", "xWS1", "Calling AE Title Not Recognized"),
    ],
)
def test_echoscu_comes_in_by_its_titles(called: str, calling: str, reason: str) -> None:
    with MockPACS(called_aets=("MOCKPACS", "OTHER-?"), calling_aets=("WS*",)) as pacs:
        ran = run("echoscu", "-v", "-aec", called, "-aet", calling, pacs.host, pacs.port)
    assert (ran.status == 0) == (not reason), ran.text
    assert reason in ran.text


def test_any_titles_come_in_when_nothing_is_said() -> None:
    with MockPACS() as pacs:
        ran = run("echoscu", "-aec", "SIXTEEN LETTERS!", "-aet", "x", pacs.host, pacs.port)
    assert ran.status == 0, ran.text
