"""Identifiers: what is read from them, what is refused, how they look in the log."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mockpacs.archive.identifier import DEEPEST_SEQUENCE, MOST_VALUES, parse
from mockpacs.archive.index import Level
from mockpacs.archive.model import Model
from mockpacs.errors import IdentifierError
from mockpacs.wire.dataset import (
    DEFLATED,
    EXPLICIT_BIG,
    EXPLICIT_LITTLE,
    IMPLICIT_LITTLE,
    Encoding,
    encode_element,
    encode_sequence,
)
from tests.archive.asking import identifier

ENCODINGS = [IMPLICIT_LITTLE, EXPLICIT_LITTLE, EXPLICIT_BIG, DEFLATED]
STUDY = encode_element(0x00080052, "CS", b"STUDY", EXPLICIT_LITTLE)
STEPS = 0x00400275


@pytest.mark.parametrize("encoding", ENCODINGS, ids=str)
def test_keys_are_read_in_every_encoding(encoding: Encoding) -> None:
    keys = {
        "PatientName": "DOE^J*",
        "StudyDate": "2020-",
        "RequestAttributesSequence": [{"RequestedProcedureID": "R1"}],
    }
    asked = parse(identifier("STUDY", keys, encoding, Rows=512), encoding, Model.STUDY_ROOT, relational=False)
    assert asked.level is Level.STUDY
    assert [(key.tag, key.vr, key.values) for key in asked.keys] == [
        (0x00080020, "DA", ("2020-",)),
        (0x00100010, "PN", ("DOE^J*",)),
        (0x00280010, "US", ("512",)),
        (STEPS, "SQ", ()),
    ]
    assert [(key.tag, key.values) for key in asked.keys[-1].items[0]] == [(0x00401001, ("R1",))]


def test_text_is_read_in_the_character_set_of_the_identifier() -> None:
    data = identifier("STUDY", PatientName="Buc^J\u00e9r\u00f4me", SpecificCharacterSet="ISO_IR 100")
    asked = parse(data, EXPLICIT_LITTLE, Model.STUDY_ROOT, relational=False)
    assert asked.character_set == "ISO_IR 100"
    assert [key.values for key in asked.keys] == [("Buc^J\u00e9r\u00f4me",)]


def test_what_speaks_about_the_query_is_no_key() -> None:
    control = {"SpecificCharacterSet": "ISO_IR 100", "TimezoneOffsetFromUTC": "+0100", "RetrieveAETitle": "X"}
    data = identifier("STUDY", control, InstanceAvailability="ONLINE", QueryRetrieveView="CLASSIC")
    asked = parse(data, EXPLICIT_LITTLE, Model.STUDY_ROOT, relational=False)
    assert asked.keys == ()
    assert asked.timezone == "+0100"


def test_group_lengths_and_padding_are_ignored() -> None:
    data = encode_element(0x00080000, "UL", bytes(4), EXPLICIT_LITTLE) + STUDY
    data += encode_element(0x00100000, "UL", bytes(4), EXPLICIT_LITTLE)
    data += encode_element(0xFFFCFFFC, "OB", bytes(8), EXPLICIT_LITTLE)
    assert parse(data, EXPLICIT_LITTLE, Model.STUDY_ROOT, relational=False).keys == ()


def test_a_level_alone_is_an_identifier() -> None:
    assert parse(STUDY, EXPLICIT_LITTLE, Model.STUDY_ROOT, relational=False).keys == ()


def test_an_odd_length_is_read_as_it_is() -> None:
    data = STUDY + b"\x10\x00\x20\x00LO\x03\x00ABC" + encode_element(0x00100040, "CS", b"M", EXPLICIT_LITTLE)
    asked = parse(data, EXPLICIT_LITTLE, Model.STUDY_ROOT, relational=False)
    assert [key.values for key in asked.keys] == [("ABC",), ("M",)]


@pytest.mark.parametrize("relational", [False, True])
def test_an_empty_identifier_lacks_its_level(relational: bool) -> None:
    with pytest.raises(IdentifierError, match="Level is missing: one of STUDY, SERIES, IMAGE") as refused:
        parse(b"", EXPLICIT_LITTLE, Model.STUDY_ROOT, relational=relational)
    assert (refused.value.status, refused.value.offending) == (0xA900, (0x00080052,))


@pytest.mark.parametrize(
    "data", [STUDY[:-1], STUDY + b"\x10\x00", b"\0" * 5, STUDY + STUDY[:9], b"GET / HTTP/1.1\r\n\r\n"]
)
def test_unreadable_bytes_are_refused_with_a_sentence(data: bytes) -> None:
    with pytest.raises(IdentifierError, match="unreadable") as refused:
        parse(data, EXPLICIT_LITTLE, Model.STUDY_ROOT, relational=False)
    assert refused.value.status == 0xC000


@pytest.mark.parametrize(
    ("depth", "offending"), [(DEEPEST_SEQUENCE + 1, (STEPS,)), (60, (STEPS,)), (300, ()), (200_000, ())]
)
def test_sequences_nested_too_deeply_are_refused(depth: int, offending: tuple[int, ...]) -> None:
    nested = b"".join(b"\x40\x00\x75\x02SQ\0\0\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff" for _ in range(depth))
    nested += b"\xfe\xff\x0d\xe0\0\0\0\0\xfe\xff\xdd\xe0\0\0\0\0" * depth
    with pytest.raises(IdentifierError, match="deeper than") as refused:
        parse(STUDY + nested, EXPLICIT_LITTLE, Model.STUDY_ROOT, relational=False)
    assert refused.value.offending == offending


def test_the_deepest_sequence_that_is_read_is_read() -> None:
    nested = b""
    for _ in range(DEEPEST_SEQUENCE):
        nested = encode_sequence(STEPS, [nested], EXPLICIT_LITTLE)
    (key,) = parse(STUDY + nested, EXPLICIT_LITTLE, Model.STUDY_ROOT, relational=False).keys
    assert key.is_universal


def test_a_sequence_key_has_one_item() -> None:
    data = identifier("STUDY", RequestAttributesSequence=[{"RequestedProcedureID": "1"}, {"RequestedProcedureID": "2"}])
    with pytest.raises(IdentifierError, match="has 2 items") as refused:
        parse(data, EXPLICIT_LITTLE, Model.STUDY_ROOT, relational=False)
    assert refused.value.offending == (STEPS,)


def test_values_that_have_to_be_tested_one_by_one_are_limited() -> None:
    names = encode_element(0x00100010, "PN", b"\\".join([b"A*"] * (MOST_VALUES + 1)), EXPLICIT_LITTLE)
    with pytest.raises(IdentifierError, match="more than 100 values") as refused:
        parse(STUDY + names, EXPLICIT_LITTLE, Model.STUDY_ROOT, relational=False)
    assert refused.value.offending == (0x00100010,)


def test_a_private_key_knows_its_creator() -> None:
    data = STUDY + encode_element(0x00090012, "LO", b"ACME", EXPLICIT_LITTLE)
    data += encode_element(0x00091201, "LO", b"X", EXPLICIT_LITTLE)
    creator, key = parse(data, EXPLICIT_LITTLE, Model.STUDY_ROOT, relational=False).keys
    assert creator.is_universal
    assert key.creator == "ACME"


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200), st.sampled_from(ENCODINGS))
def test_no_bytes_make_it_raise_anything_else(data: bytes, encoding: Encoding) -> None:
    with suppress(IdentifierError):
        parse(data, encoding, Model.STUDY_ROOT, relational=False)


def test_keys_beyond_all_reason_are_refused_without_reading_them() -> None:
    level = encode_element(0x00080052, "CS", b"STUDY", EXPLICIT_LITTLE)
    flood = level + b"".join(encode_element(0x00110000 + n, "LO", b"", EXPLICIT_LITTLE) for n in range(1, 2002))
    with pytest.raises(IdentifierError, match="2002 keys, at most 2000 are read") as refused:
        parse(flood, EXPLICIT_LITTLE, Model.STUDY_ROOT, relational=False)
    assert refused.value.status == 0xA900
