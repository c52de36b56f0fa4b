from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mockpacs.errors import LocalProtocolError
from mockpacs.wire import (
    APPLICATION_CONTEXT,
    PDV,
    Abort,
    AssociateAC,
    AssociateRJ,
    AssociateRQ,
    ContextAnswer,
    Malformed,
    PDataTF,
    Pdu,
    PduType,
    ProposedContext,
    UserInformation,
    decode_pdu,
    encode_pdu,
)
from mockpacs.wire.item import item
from tests.wire.samples import CT, EXPLICIT, IMPLICIT, PDUS, RQ

FIXED = b"\0\1\0\0" + b"CALLED".ljust(16) + b"CALLING".ljust(16) + bytes(32)
CONTEXT = item(0x10, APPLICATION_CONTEXT.encode())
USER = item(0x50, item(0x51, b"\0\0\x40\0"))


def roundtrip(pdu: Pdu) -> Pdu | Malformed:
    raw = encode_pdu(pdu)
    assert int.from_bytes(raw[2:6], "big") == len(raw) - 6
    return decode_pdu(raw[0], raw[6:])


@pytest.mark.parametrize("name", PDUS)
def test_what_is_encoded_is_decoded(name: str) -> None:
    assert roundtrip(PDUS[name]) == PDUS[name]


@pytest.mark.parametrize(
    ("pdu", "raw"),
    [
        (AssociateRJ(1, 2, 2), "03 00 00000004 00 01 02 02"),
        (PDUS["release-rq"], "05 00 00000004 00000000"),
        (PDUS["release-rp"], "06 00 00000004 00000000"),
        (Abort(2, 6), "07 00 00000004 0000 02 06"),
        (
            PDataTF((PDV(5, True, True, b"ab"), PDV(5, False, False, b"c"))),
            "04 00 0000000F 00000004 05 03 6162 00000003 05 00 63",
        ),
    ],
)
def test_short_pdus_are_encoded_as_the_standard_prints_them(pdu: Pdu, raw: str) -> None:
    assert encode_pdu(pdu) == bytes.fromhex(raw)


uids = st.from_regex(r"[1-9][0-9.]{0,20}[0-9]", fullmatch=True)
titles = st.text("ABC_ 09", max_size=16).map(str.strip)


@given(
    titles,
    titles,
    st.lists(st.builds(ProposedContext, st.integers(0, 255), uids, st.lists(uids, max_size=3).map(tuple)), max_size=4),
    st.integers(0, 0xFFFFFFFF),
)
@settings(max_examples=50, deadline=None)
def test_any_proposal_is_decoded_to_what_was_encoded(
    called: str, calling: str, contexts: list[ProposedContext], length: int
) -> None:
    rq = AssociateRQ(called, calling, tuple(contexts), UserInformation(length))
    assert roundtrip(rq) == rq


@given(st.lists(st.builds(PDV, st.integers(0, 255), st.booleans(), st.booleans(), st.binary(max_size=9)), min_size=1))
@settings(max_examples=50, deadline=None)
def test_any_fragments_are_decoded_to_what_was_encoded(pdvs: list[PDV]) -> None:
    assert roundtrip(PDataTF(tuple(pdvs))) == PDataTF(tuple(pdvs))


def test_the_data_of_a_pdv_is_a_view_and_not_a_copy() -> None:
    body = bytearray(encode_pdu(PDataTF((PDV(1, False, True, b"data"),)))[6:])
    decoded = decode_pdu(PduType.P_DATA_TF, body)
    assert isinstance(decoded, PDataTF)
    body[-1] = 0
    assert decoded.pdvs[0].data == b"dat\0"


@pytest.mark.parametrize(
    ("field", "title"),
    [
        (b"STORESCP        ", "STORESCP"),
        (b"  STORESCP      ", "STORESCP"),
        (b"STORESCP\0\0\0\0\0\0\0\0", "STORESCP"),
        (b"STORESCP\0garbage", "STORESCP"),
        (b"STORE SCP\0      ", "STORE SCP"),
        (b" " * 16, ""),
        (b"\0" * 16, ""),
        (b"M\xfcnchen\x1b[31m    ", "M\xfcnchen\x1b[31m"),
    ],
)
def test_ae_titles_are_decoded_whatever_they_are_padded_with(field: bytes, title: str) -> None:
    rq = decode_pdu(1, b"\0\1\0\0" + field + field + bytes(32) + CONTEXT + USER)
    assert isinstance(rq, AssociateRQ)
    assert (rq.called, rq.calling) == (title, title)


def test_reserved_bytes_and_spare_version_bits_are_not_looked_at() -> None:
    raw = bytearray(encode_pdu(RQ))
    raw[1] = 0xFF
    raw[6:8] = b"\xff\xff"
    raw[8:10] = b"\xff\xff"
    raw[42:74] = b"\xff" * 32
    rq = decode_pdu(raw[0], bytes(raw[6:]))
    assert rq == AssociateRQ(RQ.called, RQ.calling, RQ.contexts, RQ.user, protocol_version=0xFFFF)
    assert decode_pdu(7, b"\xff\xff\x02\x06") == Abort(2, 6)
    assert decode_pdu(3, b"\xff\x01\x01\x07") == AssociateRJ(1, 1, 7)


def test_unknown_items_are_skipped_wherever_they_stand() -> None:
    unknown = item(0x99, b"what")
    context = item(
        0x20, b"\1\0\0\0" + unknown + item(0x30, CT.encode()) + unknown + item(0x40, IMPLICIT.encode()) + unknown
    )
    rq = decode_pdu(1, FIXED + unknown + CONTEXT + unknown + context + unknown + USER + unknown)
    assert rq == AssociateRQ("CALLED", "CALLING", (ProposedContext(1, CT, (IMPLICIT,)),), UserInformation(16384))


def test_uids_may_be_padded() -> None:
    context = item(0x20, b"\1\0\0\0" + item(0x30, CT.encode() + b"\0") + item(0x40, IMPLICIT.encode() + b"\0 "))
    rq = decode_pdu(1, FIXED + item(0x10, APPLICATION_CONTEXT.encode() + b"\0") + context + USER)
    assert rq == AssociateRQ("CALLED", "CALLING", (ProposedContext(1, CT, (IMPLICIT,)),), UserInformation(16384))


def test_a_context_without_transfer_syntax_or_without_abstract_syntax_is_decoded() -> None:
    bare = item(0x20, b"\1\0\0\0" + item(0x30, CT.encode()))
    anonymous = item(0x20, b"\3\0\0\0" + item(0x40, IMPLICIT.encode()))
    rq = decode_pdu(1, FIXED + CONTEXT + bare + anonymous + USER)
    assert isinstance(rq, AssociateRQ)
    assert rq.contexts == (ProposedContext(1, CT, ()), ProposedContext(3, "", (IMPLICIT,)))


def test_a_refused_context_needs_no_transfer_syntax() -> None:
    ac = decode_pdu(2, FIXED + CONTEXT + item(0x21, b"\1\0\3\0") + item(0x21, b"\3\0\4\0" + item(0x40, b"")) + USER)
    assert isinstance(ac, AssociateAC)
    assert ac.contexts == (ContextAnswer(1, 3), ContextAnswer(3, 4))


def test_items_that_are_missing_leave_what_they_say_empty() -> None:
    assert decode_pdu(1, FIXED) == AssociateRQ("CALLED", "CALLING", (), UserInformation(), application_context="")


def test_contexts_that_repeat_their_transfer_syntaxes_are_decoded_like_those_that_do_not() -> None:
    syntaxes = tuple(f"1.2.840.10008.1.2.4.{number}" for number in range(38))
    same = [ProposedContext(2 * i + 1, f"{CT}.{i}", syntaxes) for i in range(64)]
    turned = [ProposedContext(2 * i + 1, f"{CT}.{i}", syntaxes[i - 64 :] + syntaxes[: i - 64]) for i in range(64, 128)]
    rq = AssociateRQ("CALLED", "CALLING", (*same, *turned))
    assert roundtrip(rq) == rq


@pytest.mark.parametrize(
    ("pdu_type", "body", "why"),
    [
        (1, FIXED[:-1], "too few"),
        (1, b"", "too few"),
        (1, FIXED + b"\x10\0\0", "left over"),
        (1, FIXED + b"\x10\0\0\x05abc", "claims 5 bytes, 3 are there"),
        (1, FIXED + item(0x20, b"\1\0\0"), "too few"),
        (1, FIXED + item(0x20, b"\1\0\0\0\x30\0\0\x09abc"), "context 1: item 30H claims 9 bytes"),
        (1, FIXED + item(0x20, b"\1\0\0\0" + item(0x30, b"1.2") + b"\x40\0\0\x02a"), "item 40H claims 2 bytes"),
        (1, FIXED + item(0x50, b"\x51\0\0\x08\0\0"), "user information: item 51H claims 8 bytes"),
        (1, FIXED + item(0x20, b"\1\0\0\0") * 129, "129 presentation contexts"),
        (2, FIXED[:20], "too few"),
        (2, FIXED + item(0x21, b"\1"), "too few"),
        (2, FIXED + item(0x21, b"\1\0\0\0\x40\0\xff\xff"), "item 40H claims 65535 bytes"),
        (3, b"\0\1\1", "3 bytes"),
        (3, b"\0\1\1\1\1", "5 bytes"),
        (4, b"", "no PDV"),
        (4, b"\0\0\0\2\1", "left over"),
        (4, b"\0\0\0\1\1\3", "claims 1 bytes"),
        (4, b"\0\0\0\0\1\3", "claims 0 bytes"),
        (4, b"\xff\xff\xff\xff\1\3", "claims 4294967295 bytes"),
        (4, b"\0\0\0\3\1\3a\0\0\0", "3 bytes are left over"),
        (4, b"\0\0\0\3\1\3a\0\0\0\4\1\3b", "claims 4 bytes, 3 are there"),
        (5, b"", "0 bytes"),
        (6, b"\0\0\0", "3 bytes"),
        (7, b"\0\0\0\0\0", "5 bytes"),
    ],
)
def test_a_body_that_lies_about_its_lengths_is_malformed(pdu_type: int, body: bytes, why: str) -> None:
    told = decode_pdu(pdu_type, memoryview(body))
    assert isinstance(told, Malformed)
    assert (told.pdu_type, told.reason) == (pdu_type, 6)
    assert why in told.why


@pytest.mark.parametrize("pdu_type", [0, 8, 255])
def test_an_unknown_pdu_type_is_malformed_with_its_own_reason(pdu_type: int) -> None:
    told = decode_pdu(pdu_type, b"abcd")
    assert isinstance(told, Malformed)
    assert told.reason == 1


@pytest.mark.parametrize(
    "pdu",
    [
        AssociateRQ("A" * 17, "B", ()),
        AssociateRQ("A", "B", (ProposedContext(256, CT, (EXPLICIT,)),)),
        AssociateRQ("A", "B", (ProposedContext(1, "1" * 70000, (EXPLICIT,)),)),
        AssociateRQ("A", "B", (), UserInformation(-1)),
        AssociateRQ("A", "B", (), protocol_version=65536),
        AssociateAC("A", "B", (ContextAnswer(1, 300),)),
        AssociateRJ(1, 2, 256),
        Abort(-1, 0),
        PDataTF((PDV(256, True, True, b""),)),
    ],
)
def test_a_value_of_ours_that_does_not_fit_is_refused_with_a_sentence(pdu: Pdu) -> None:
    with pytest.raises(LocalProtocolError, match=r"does not fit|cannot hold|is the most"):
        encode_pdu(pdu)
