"""What an exchange is about, from its request alone."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mockpacs.traffic.identifier import describe_identifier
from mockpacs.traffic.subject import modality_of, subject_of, user_of
from mockpacs.wire import AcceptedContext, Command, UserIdentity
from mockpacs.wire.dataset import (
    EXPLICIT_BIG,
    EXPLICIT_LITTLE,
    IMPLICIT_LITTLE,
    Encoding,
    deflate,
    encode_element,
    encode_sequence,
)
from tests.archive.asking import identifier
from tests.net.wire_client import ct_image
from tests.wire.samples import CT, ECHO_RQ, EXPLICIT, STORE_RQ

ENCODINGS = (EXPLICIT_LITTLE, IMPLICIT_LITTLE, EXPLICIT_BIG)
DEFLATED = "1.2.840.10008.1.2.1.99"


def context(syntax: str = EXPLICIT) -> AcceptedContext:
    return AcceptedContext(1, CT, syntax)


def key(tag: int, vr: str, value: str, encoding: Encoding = EXPLICIT_LITTLE) -> bytes:
    return encode_element(tag, vr, value.encode(), encoding)


def study(encoding: Encoding = EXPLICIT_LITTLE) -> bytes:
    return key(0x00080052, "CS", "STUDY", encoding)


IDENTIFIERS = {
    "keys": study() + key(0x00080020, "DA", "2020-") + key(0x00080030, "TM", "") + key(0x00100010, "PN", "DOE*"),
    "escape": study() + key(0x00100020, "LO", "\x1b[31mred"),
    "universal": study() + key(0x00100010, "PN", "*"),
    "list": study() + key(0x0020000D, "UI", "1.2\\1.3"),
    "long": study() + key(0x0020000D, "UI", "\\".join(["1.2.3"] * 60)),
    "private": study() + key(0x00090010, "LO", "ACME") + key(0x00091001, "LO", "X"),
    "number": study() + encode_element(0x00280010, "US", b"\0\2", EXPLICIT_LITTLE),
    "sequence": study()
    + encode_sequence(0x00400275, [key(0x00080050, "SH", "") + key(0x00401001, "SH", "R1")], EXPLICIT_LITTLE),
    "items": study() + encode_sequence(0x00400275, [b"", b""], EXPLICIT_LITTLE),
    "nothing": b"",
    "cut": study()[:-2],
    "utf-8": key(0x00080005, "CS", "ISO_IR 192") + study() + key(0x00100010, "PN", "MÜLLER*"),
    "flood": study() + b"".join(key(0x00110100 + n, "LO", "") for n in range(2001)),
}


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (identifier("STUDY", PatientName="DOE*", StudyDate="2020-", StudyTime=""),
         "STUDY StudyDate=2020- PatientName=DOE*"),
        (identifier("STUDY", PatientID="\x1b[31mred"), "STUDY PatientID=\\x1b[31mred"),
        (identifier("SERIES", RequestAttributesSequence=[{"RequestedProcedureID": "R1", "AccessionNumber": ""}]),
         "SERIES RequestAttributesSequence[RequestedProcedureID=R1]"),
        (b"", "(no level)"),
        (study()[:-2], "(no level) ((0008,0052) says 6 bytes, 4 are left)"),
        (identifier("STUDY", RequestAttributesSequence=[{}, {}]),
         "STUDY (RequestAttributesSequence has 2 items, a key has one)"),
    ],
)  # fmt: skip
def test_the_log_shows_the_level_and_the_keys_that_match(data: bytes, line: str) -> None:
    assert describe_identifier(data, EXPLICIT_LITTLE) == line


def test_the_log_line_has_a_bounded_length() -> None:
    data = identifier("STUDY", PatientID="X" * 60_000, AccessionNumber="Y" * 60_000, StudyInstanceUID=["1.2"] * 10_000)
    assert len(describe_identifier(data, EXPLICIT_LITTLE)) <= 200


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_an_identifier_reads_the_same_in_every_encoding(encoding: Encoding) -> None:
    data = study(encoding) + key(0x00100010, "PN", "DOE*", encoding)
    assert describe_identifier(data, encoding) == "STUDY PatientName=DOE*"


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200), st.sampled_from(ENCODINGS))
def test_no_identifier_makes_it_raise(data: bytes, encoding: Encoding) -> None:
    assert len(describe_identifier(data, encoding)) <= 200


@pytest.mark.parametrize("syntax", [EXPLICIT, DEFLATED])
def test_an_instance_is_named_by_modality_uid_and_size(syntax: str) -> None:
    head = ct_image() if syntax == EXPLICIT else deflate(ct_image())
    assert subject_of(STORE_RQ, context(syntax), head, 524_288) == "CT 1.2.3.4.5  524 kB"


@pytest.mark.parametrize(
    "head",
    [b"", b"\xff" * 40, ct_image()[:20], encode_sequence(0x00080060, [b""], EXPLICIT_LITTLE)],
    ids=["nothing", "garbage", "cut", "a sequence"],
)
def test_an_instance_that_does_not_say_its_modality_has_a_question_mark(head: bytes) -> None:
    assert modality_of(head, context()) == ""
    assert subject_of(STORE_RQ, context(), head, 7) == "? 1.2.3.4.5  7 B"


def test_an_echo_is_about_nothing() -> None:
    assert subject_of(ECHO_RQ, context(), b"", 0) == ""


def test_a_query_without_an_identifier_is_about_nothing() -> None:
    assert subject_of(Command({0x0100: 0x0020}), context(), b"", 0) == ""


@pytest.mark.parametrize(
    ("identity", "user"),
    [
        (None, ""),
        (UserIdentity(1, False, b"ada"), "ada"),
        (UserIdentity(2, False, b"ada", b"secret"), "ada"),
        (UserIdentity(3, False, b"ticket"), "Kerberos ticket"),
        (UserIdentity(5, False, b"token"), "JSON web token"),
        (UserIdentity(9, False, b"?"), "type 9"),
    ],
)
def test_a_user_is_named_without_secrets(identity: UserIdentity | None, user: str) -> None:
    assert user_of(identity) == user
