"""No password is recorded, however its request is cut; nothing else is changed."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockpacs.traffic.secret import Secrets
from mockpacs.wire import AssociateRQ, ProposedContext, UserIdentity, UserInformation, encode_pdu

CONTEXT = ProposedContext(1, "1.2.840.10008.1.1", ("1.2.840.10008.1.2",))


def request(identity: UserIdentity | None) -> bytes:
    return encode_pdu(AssociateRQ("CALLING", "CALLED", (CONTEXT,), user=UserInformation(user_identity=identity)))


def hidden(data: bytes, *cuts: int) -> bytes:
    secrets = Secrets()
    edges = [0, *sorted(cuts), len(data)]
    return b"".join(bytes(secrets.hide(data[start:end])) for start, end in pairwise(edges))


@pytest.mark.parametrize(
    ("identity", "secret"),
    [
        (None, b""),
        (UserIdentity(1, False, b"jane"), b""),
        (UserIdentity(2, False, b"jane", b"open sesame"), b"open sesame"),
        (UserIdentity(2, False, b"jane", b""), b""),
        (UserIdentity(3, False, b"ticket of Kerberos"), b"ticket of Kerberos"),
        (UserIdentity(4, False, b"<saml:Assertion/>"), b"<saml:Assertion/>"),
        (UserIdentity(5, False, b"header.claims.signature"), b"header.claims.signature"),
    ],
)
def test_what_an_identity_proves_itself_with_becomes_asterisks(identity: UserIdentity | None, secret: bytes) -> None:
    sent = request(identity)
    expected = sent.replace(secret, b"*" * len(secret)) if secret else sent
    assert hidden(sent + b"\4\0\0\0") == expected + b"\4\0\0\0"
    assert hidden(sent, *range(1, len(sent))) == expected
    for cut in range(len(sent)):
        assert hidden(sent, cut) == expected


def test_what_comes_after_the_request_is_not_looked_at() -> None:
    secrets = Secrets()
    sent = request(UserIdentity(2, False, b"jane", b"open sesame"))
    secrets.hide(sent)
    assert secrets.hide(sent) is sent


@given(st.binary(max_size=300), st.lists(st.integers(0, 300), max_size=5))
def test_other_bytes_are_left_as_they_are(data: bytes, cuts: list[int]) -> None:
    cuts = [cut for cut in cuts if cut < len(data)]
    assert len(hidden(data, *cuts)) == len(data)
    if not data.startswith(b"\1"):
        assert hidden(data) == data
