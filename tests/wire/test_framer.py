from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mockpacs.wire import Framer, Malformed, PduType, encode_pdu
from mockpacs.wire.framer import MAX_ASSOCIATE_LENGTH, MAX_UNLIMITED_LENGTH
from tests.wire.samples import PDUS

STREAM = b"".join(map(encode_pdu, PDUS.values()))
FRAMES = [(raw[0], raw[6:]) for raw in map(encode_pdu, PDUS.values())]


def header(pdu_type: int, length: int) -> bytes:
    return bytes((pdu_type, 0)) + length.to_bytes(4, "big")


def feed(framer: Framer, *chunks: bytes) -> list[tuple[int, bytes] | Malformed]:
    """Feed through one shared buffer that is overwritten after every call, as a socket's is."""
    got: list[tuple[int, bytes] | Malformed] = []
    for chunk in chunks:
        buffer = bytearray(chunk)
        for frame in framer.feed(memoryview(buffer)):
            got.append(frame if isinstance(frame, Malformed) else (frame[0], bytes(frame[1])))
        buffer[:] = b"\xee" * len(buffer)
    return got


def single_bytes(data: bytes) -> list[bytes]:
    return [data[i : i + 1] for i in range(len(data))]


@pytest.mark.parametrize("name", PDUS)
def test_a_pdu_is_found_whole_byte_by_byte_and_with_a_tail(name: str) -> None:
    raw = encode_pdu(PDUS[name])
    expected = [(raw[0], raw[6:])]
    assert feed(Framer(16384), raw) == expected
    assert feed(Framer(16384), *single_bytes(raw)) == expected
    framer = Framer(16384)
    assert feed(framer, raw + raw[:8]) == expected
    assert feed(framer, raw[8:]) == expected


@given(cuts=st.lists(st.integers(0, len(STREAM)), max_size=12))
@settings(max_examples=60, deadline=None)
def test_it_does_not_matter_where_a_stream_is_cut(cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(STREAM)]
    chunks = [STREAM[a:b] for a, b in pairwise(edges)]
    assert feed(Framer(16384), *chunks) == FRAMES


def test_the_body_of_a_whole_pdu_is_not_copied() -> None:
    buffer = bytearray(encode_pdu(PDUS["p-data-tf"]))
    ((_, body),) = Framer(16384).feed(memoryview(buffer))
    buffer[6] ^= 0xFF
    assert body[0] == buffer[6]


def test_the_body_of_a_held_pdu_survives_the_next_feed_of_another() -> None:
    raw = encode_pdu(PDUS["p-data-tf"])
    framer = Framer(16384)
    framer.feed(raw[:9])
    ((_, body),) = framer.feed(raw[9:])
    framer.feed(raw[:9])
    assert bytes(body) == raw[6:]


def test_an_empty_chunk_changes_nothing() -> None:
    framer = Framer(16384)
    assert feed(framer, b"", STREAM[:3], b"", STREAM[3:], b"") == FRAMES


def test_a_pdu_with_an_empty_body_is_a_pdu() -> None:
    assert feed(Framer(16384), *single_bytes(header(4, 0) * 2)) == [(4, b""), (4, b"")]


@pytest.mark.parametrize(
    "first", [b"GET / HTTP/1.1\r\n", b"\x16\x03\x01\x02\x00\x01\x00", b"\0\0\0\0\0\0", b"\x08\0\0\0\0\x04"]
)
def test_an_unknown_pdu_type_is_told_once_and_then_nothing_more(first: bytes) -> None:
    for chunks in ([first + STREAM], [*single_bytes(first), STREAM]):
        (told,) = feed(Framer(16384), *chunks)
        assert isinstance(told, Malformed)
        assert (told.pdu_type, told.reason) == (first[0], 1)
        assert f"{first[0]:02X}H is unknown" in told.why


def test_what_is_before_an_unknown_pdu_type_is_still_handed_out() -> None:
    *frames, told = feed(Framer(16384), STREAM + b"\x99")
    assert frames == FRAMES
    assert isinstance(told, Malformed)


@pytest.mark.parametrize(
    ("advertised", "pdu_type", "most"),
    [
        (16384, PduType.P_DATA_TF, 129 * 1024),  # tolerance: senders that ignore the negotiation
        (1 << 20, PduType.P_DATA_TF, (1 << 20) + 1024),  # tolerance: senders that count their headers
        (0, PduType.P_DATA_TF, MAX_UNLIMITED_LENGTH),
        (16384, PduType.ASSOCIATE_RQ, MAX_ASSOCIATE_LENGTH),
        (16384, PduType.ASSOCIATE_AC, MAX_ASSOCIATE_LENGTH),
        (16384, PduType.ASSOCIATE_RJ, 4),
        (16384, PduType.RELEASE_RQ, 4),
        (16384, PduType.RELEASE_RP, 4),
        (16384, PduType.ABORT, 4),
    ],
)
def test_every_pdu_type_has_its_limit_which_its_header_is_enough_to_break(
    advertised: int, pdu_type: PduType, most: int
) -> None:
    assert feed(Framer(advertised), header(pdu_type, most)) == []
    for too_long in (most + 1, 0xFFFFFFFF):
        whole, pieces = header(pdu_type, too_long), single_bytes(header(pdu_type, too_long))
        for chunks in ([whole], pieces):
            (told,) = feed(Framer(advertised), *chunks)
            assert isinstance(told, Malformed)
            assert (told.pdu_type, told.reason) == (pdu_type, 6)
            assert str(too_long) in told.why


def test_a_long_pdu_in_small_chunks_holds_what_came_and_no_more() -> None:
    framer = Framer(1 << 20)
    body = bytes(range(256)) * 4096
    raw = header(4, len(body)) + body
    for offset in range(0, len(raw) - 1000, 1000):
        assert framer.feed(raw[offset : offset + 1000]) == []
        assert len(framer._held) == offset + 1000
    ((_, got),) = framer.feed(raw[len(raw) // 1000 * 1000 :])
    assert got == body
    assert len(framer._held) == 0
