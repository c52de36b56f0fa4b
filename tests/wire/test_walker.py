"""One direction of a stream: PDUs, junk and gaps, however the bytes come."""

from __future__ import annotations

from itertools import accumulate, pairwise
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mockpacs.wire import PDV, PDataTF, PduType, Role, encode_pdu
from mockpacs.wire.seen import JUNK_KEPT, GapSeen, JunkSeen
from mockpacs.wire.walker import MAX_HELD, Found, Frame, Walker
from tests.wire.samples import PDUS

SMALL = 2000
"""A limit for tests of limits: bytes of a PDU with its header."""


def p_data(*pdvs: PDV) -> bytes:
    return encode_pdu(PDataTF(pdvs))


def header(pdu_type: int, length: int) -> bytes:
    return bytes((pdu_type, 0)) + length.to_bytes(4, "big")


def feed(walker: Walker, *chunks: bytes) -> list[Found]:
    """Feed through one shared buffer that is overwritten after every call, as a file reader's is."""
    got: list[Found] = []
    for chunk in chunks:
        buffer = bytearray(chunk)
        got += plain(walker.feed(memoryview(buffer)))
        buffer[:] = b"\xee" * len(buffer)
    return got


def plain(found: list[Found]) -> list[Found]:
    return [one._replace(body=bytes(one.body)) if isinstance(one, Frame) else one for one in found]


def walk(*chunks: bytes, max_held: int = MAX_HELD) -> list[Found]:
    walker = Walker(Role.REQUESTOR, max_held)
    return feed(walker, *chunks) + plain(walker.finish())


def single_bytes(data: bytes) -> list[bytes]:
    return [data[i : i + 1] for i in range(len(data))]


def cut_at(data: bytes, cuts: list[int]) -> list[bytes]:
    return [data[a:b] for a, b in pairwise([0, *sorted(min(cut, len(data)) for cut in cuts), len(data)])]


def frames(raws: list[bytes], start: int = 0) -> list[Found]:
    """What a walker says of PDUs that follow one another from ``start`` on."""
    edges = list(accumulate(map(len, raws), initial=start))
    return [Frame(a, b, raw[0], raw[6:]) for raw, (a, b) in zip(raws, pairwise(edges), strict=True)]


def junk(start: int, data: bytes, why: str) -> JunkSeen:
    return JunkSeen(Role.REQUESTOR, start, start + len(data), data[:JUNK_KEPT], why)


IMAGE = Random(1).randbytes(600)
RAWS = [
    encode_pdu(PDUS["associate-rq"]),
    p_data(PDV(1, True, True, b"a command set" * 5)),
    p_data(PDV(1, False, False, IMAGE)),
    p_data(PDV(1, False, False, bytes(300)), PDV(1, False, True, IMAGE[:100]), PDV(3, True, True, b"command")),
    p_data(PDV(3, False, True, b"")),
    encode_pdu(PDUS["release-rq"]),
    encode_pdu(PDUS["abort"]),
]
STREAM = b"".join(RAWS)
FRAMES = frames(RAWS)
HTTP = b"GET /echo HTTP/1.1\r\nHost: pacs\r\n\r\n"
HELLO = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"


@pytest.mark.parametrize("name", PDUS)
def test_a_pdu_is_found_whole_byte_by_byte_and_with_a_tail(name: str) -> None:
    raw = encode_pdu(PDUS[name])
    assert walk(raw) == frames([raw])
    assert walk(*single_bytes(raw)) == frames([raw])
    # after a first one, as what follows another is trusted more
    assert walk(STREAM + raw) == frames([*RAWS, raw])
    half = junk(len(raw), raw[:8], f"half a PDU: 8 of {len(raw)} bytes")
    assert walk(raw + raw[:8]) == [*frames([raw]), half]
    assert walk(raw + raw[:3]) == [*frames([raw]), junk(len(raw), raw[:3], "half a PDU: 3 bytes of its header")]


def test_positions_cut_the_stream_into_what_was_seen() -> None:
    stream = HTTP + STREAM + b"\x99" * 20 + STREAM + STREAM[:40]
    found = walk(stream)
    assert [one.start for one in found[1:]] == [one.end for one in found[:-1]]
    assert (found[0].start, found[-1].end) == (0, len(stream))
    for one in found:
        raw = stream[one.start : one.end]
        if isinstance(one, Frame):
            assert raw == header(one.pdu_type, len(one.body)) + one.body
        else:
            assert isinstance(one, JunkSeen)
            assert one.data == raw


@given(cuts=st.lists(st.integers(0, 5000), max_size=12), which=st.integers(0, 4))
@settings(max_examples=150, deadline=None)
def test_it_does_not_matter_where_a_stream_is_cut(cuts: list[int], which: int) -> None:
    stream = (STREAM, HTTP + STREAM, STREAM[300:] + STREAM, STREAM + HELLO + STREAM[:-15], IMAGE + RAWS[2] * 4)[which]
    assert walk(*cut_at(stream, cuts)) == walk(stream)


@given(
    parts=st.lists(st.sampled_from([*RAWS, HTTP, IMAGE, b"\4\0\0\0", bytes(7)]) | st.binary(max_size=30), max_size=8),
    cuts=st.lists(st.integers(0, 3000), max_size=6),
)
@settings(max_examples=200, deadline=None)
def test_neither_when_garbage_is_among_the_pdus(parts: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(parts)
    expected = walk(stream, max_held=SMALL)
    assert walk(*cut_at(stream, cuts), max_held=SMALL) == expected
    assert walk(*single_bytes(stream), max_held=SMALL) == expected


@pytest.mark.parametrize(
    ("garbage", "why"),
    [
        (HTTP, "PDU type 47H is unknown; perhaps HTTP"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "PDU type 48H is unknown; perhaps HTTP"),
        (HELLO, "PDU type 16H is unknown; perhaps a TLS handshake"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "PDU type 53H is unknown; perhaps SSH"),
        (b"\x0bMSH|^~\\&|RIS", "PDU type 0BH is unknown; perhaps HL7"),
        (bytes(128) + b"DICM", "PDU type 00H is unknown; perhaps a DICOM file"),
        (b"\x99", "PDU type 99H is unknown"),
        (bytes(1000), "PDU type 00H is unknown"),
        (b"\4\0\xff\xff\xff\xff", "PDU of type 04H claims 4294967295 bytes, 16777216 is the limit"),
        (b"\1\0\x7f\xff\xff\xff", "PDU of type 01H claims 2147483647 bytes, 16777216 is the limit"),
        (b"\5\0\0\0\0\5\0\0\0\0\0", "PDU of type 05H claims 5 bytes, 4 is the limit"),
    ],
)
def test_garbage_is_told_in_one_piece_before_between_and_after_pdus(garbage: bytes, why: str) -> None:
    before = [junk(0, garbage, why), *frames(RAWS, len(garbage))]
    after = [*FRAMES, junk(len(STREAM), garbage, why)]
    between = [*after, *frames(RAWS, len(STREAM) + len(garbage))]
    for chunked in (lambda data: [data], single_bytes):
        assert walk(*chunked(garbage)) == [junk(0, garbage, why)]
        assert walk(*chunked(garbage + STREAM)) == before
        assert walk(*chunked(STREAM + garbage)) == after
        assert walk(*chunked(STREAM + garbage + STREAM)) == between


def test_only_the_beginning_of_junk_is_kept() -> None:
    garbage = Random(2).randbytes(100_000).replace(b"\0", b"\1")
    for chunks in ([garbage], [garbage[i : i + 1000] for i in range(0, len(garbage), 1000)]):
        (told,) = walk(*chunks)
        assert isinstance(told, JunkSeen)
        assert (told.start, told.end, told.data) == (0, len(garbage), garbage[:JUNK_KEPT])


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        (header(4, 0), PduType.P_DATA_TF),
        (p_data(PDV(2, True, True, b"even context")), PduType.P_DATA_TF),
        (header(4, 10) + b"\xff" * 10, PduType.P_DATA_TF),
        (b"\4\x07\0\0\0\0", PduType.P_DATA_TF),  # reserved bytes are not tested
        (header(1, 0), PduType.ASSOCIATE_RQ),
        (header(2, 30) + bytes(30), PduType.ASSOCIATE_AC),
        (header(5, 0), PduType.RELEASE_RQ),
        (header(7, 3) + b"abc", PduType.ABORT),
    ],
)
def test_behind_a_pdu_what_has_a_header_is_a_pdu_however_bad_it_is(raw: bytes, kind: PduType) -> None:
    found = walk(STREAM + raw + STREAM)
    assert found == frames([*RAWS, raw, *RAWS])
    assert found[len(RAWS)][2] == kind


@pytest.mark.parametrize(
    "first",
    [
        header(1, 72) + bytes(68) + b"\x10\0\1\0",  # neither a version nor an item that is whole
        b"\2\x99" + encode_pdu(PDUS["associate-ac"])[2:],
        encode_pdu(PDUS["associate-rj"]),
        header(5, 4) + b"\1\2\3\4",
        encode_pdu(PDUS["abort"]),
        RAWS[2],
    ],
)
def test_a_stream_may_begin_with_any_pdu_that_is_not_absurd(first: bytes) -> None:
    for chunks in ([first + STREAM], single_bytes(first + STREAM)):
        assert walk(*chunks) == frames([first, *RAWS])


@pytest.mark.parametrize(
    ("first", "why"),
    [
        (header(1, 67) + bytes(67), "PDU of type 01H and 67 bytes makes no sense at the beginning"),
        (header(1, 99) + bytes(99), "PDU of type 01H and 99 bytes makes no sense at the beginning"),
        (header(1, 1 << 21), "PDU of type 01H and 2097152 bytes makes no sense at the beginning"),
        (header(7, 0), "PDU of type 07H and 0 bytes makes no sense at the beginning"),
        (header(4, 5), "PDU of type 04H and 5 bytes makes no sense at the beginning"),
        (header(4, 5000) + bytes(30), "PDU of type 04H and 5000 bytes makes no sense at the beginning"),
        (header(4, 5000) + b"\0\0\x20\0\1\3data", "PDU of type 04H and 5000 bytes makes no sense at the beginning"),
        (p_data(PDV(2, True, True, b"even")), "PDU of type 04H and 10 bytes makes no sense at the beginning"),
        (b"\4\0\0\1", "half a PDU: 4 bytes of its header"),
        (b"\4\0\0\0\x40\0\0\0", "half a PDU: 8 of 16390 bytes"),
    ],
)
def test_a_stream_that_begins_in_the_middle_of_something_begins_with_junk(first: bytes, why: str) -> None:
    for chunks in ([first], single_bytes(first)):
        assert walk(*chunks) == [junk(0, first, why)]


@pytest.mark.parametrize("index", range(len(RAWS)))
def test_a_capture_that_begins_anywhere_is_read_from_the_next_pdu_on(index: int) -> None:
    for start in range(FRAMES[index].start + 1, FRAMES[index].end, 3):
        rest = STREAM[start:]
        whole = frames(RAWS[index + 1 :], FRAMES[index].end - start)
        for chunks in ([rest], cut_at(rest, [*range(0, len(rest), 5)])):
            told, *found = walk(*chunks)
            assert found == whole
            assert (type(told), told.start, told.end) == (JunkSeen, 0, FRAMES[index].end - start)


def test_a_group_length_in_a_data_set_is_not_taken_for_a_pdu() -> None:
    # the value 4 of an explicit length, then numbers that fit: 04 00 0000 8e01 is a PDU, 00000800 a PDV, context 5
    lure = b"\x08\0\0\0\4\0\0\0\x8e\1\0\0\x08\0\5\0\x0a\0\0\0ISO_IR 100"
    image = lure + Random(3).randbytes(4000)
    first, second = p_data(PDV(1, False, False, image)), p_data(PDV(1, False, True, image))
    stream = first[5:] + second + second
    expected = [Frame(a.start, a.end, 4, second[6:]) for a in frames([second, second], len(first) - 5)]
    assert walk(stream)[1:] == expected
    assert walk(*single_bytes(stream))[1:] == expected
    # the lure claims more than there is: what is inside is found at the end
    short = first[5:] + RAWS[1]
    assert walk(short)[1:] == frames([RAWS[1]], len(first) - 5)


@pytest.mark.parametrize(
    "tail", [b"\0", b"\0\0\0\0\0\0", b"\4\1", b"\4\1\0\0\0\x20", b"\4\0\0\0\0\5", b"\5\0\0\0\0\6", b"\1\0\0\0\0\0"]
)
def test_few_bytes_that_look_like_a_pdu_are_one_only_if_a_longer_one_follows_or_nothing(tail: bytes) -> None:
    for few in (encode_pdu(PDUS["release-rq"]), encode_pdu(PDUS["abort"]), RAWS[4], RAWS[4] + RAWS[5] + RAWS[6]):
        whole = b"\xaa" + few + tail
        for chunks in ([whole], single_bytes(whole)):
            assert walk(*chunks) == [junk(0, whole, "PDU type AAH is unknown")]
        stay = [raw for raw in (RAWS[4], RAWS[5], RAWS[6]) if raw in few]
        for chunks in ([b"\xaa" + few], single_bytes(b"\xaa" + few)):
            assert walk(*chunks)[1:] == frames(stay, 1)
        for raw in map(encode_pdu, PDUS.values()):
            for chunks in ([b"\xaa" + few + raw], single_bytes(b"\xaa" + few + raw)):
                assert walk(*chunks)[1:] == frames([*stay, raw], 1)


def test_zeros_with_specks_hold_no_pdu() -> None:
    specks = Random(4)
    label_map = bytes(specks.choices((0, 1, 2, 4, 5, 6), (95, 1, 1, 1, 1, 1), k=500_000))
    walker = Walker(Role.REQUESTOR)
    walker.gap(1)
    assert feed(walker, label_map, RAWS[2] * 2)[1:] == frames([RAWS[2]] * 2, len(label_map) + 1)


def test_whatever_was_complete_before_a_cut_is_told() -> None:
    for at in range(len(STREAM) + 1):
        found = walk(STREAM[:at])
        whole = [one for one in FRAMES if one.end <= at]
        assert found[: len(whole)] == whole
        half = [] if at in edges() else [(whole[-1].end if whole else 0, at)]
        assert [(one.start, one.end) for one in found[len(whole) :]] == half


def edges() -> set[int]:
    return {0, *(one.end for one in FRAMES)}


@pytest.mark.parametrize("index", range(len(RAWS)))
def test_after_a_gap_of_any_size_the_next_pdus_are_found_and_none_is_invented(index: int) -> None:
    first = FRAMES[index].start
    for start in {first, first + 1, first + 5, first + 6, first + 7, first + 13, FRAMES[index].end - 1}:
        for end in {*range(start + 1, len(STREAM), 29), *(edge + 1 for edge in edges()), *edges()}:
            if start < end <= len(STREAM):
                expected = [one for one in FRAMES if one.end <= start or one.start >= end]
                for rest in ([STREAM[end:]], cut_at(STREAM[end:], [*range(0, 2000, 7)])):
                    check_gap(start, end, rest, expected)


def check_gap(start: int, end: int, rest: list[bytes], expected: list[Found]) -> None:
    walker = Walker(Role.REQUESTOR)
    found = feed(walker, STREAM[:start]) + plain(walker.gap(end - start))
    found += feed(walker, *rest) + plain(walker.finish())
    assert [one for one in found if isinstance(one, Frame)] == expected, (start, end)
    assert [one for one in found if isinstance(one, GapSeen)] == [GapSeen(Role.REQUESTOR, start, end)]
    assert [one.start for one in found[1:]] == [one.end for one in found[:-1]]
    assert walker.position == len(STREAM)


def test_a_gap_within_a_pdu_costs_that_pdu_and_no_more_even_if_what_follows_looks_like_nothing() -> None:
    broken, strange = p_data(PDV(1, False, False, IMAGE)), header(4, 3) + b"abc"
    walker = Walker(Role.REQUESTOR)
    found = feed(walker, broken[:100]) + plain(walker.gap(50)) + feed(walker, broken[150:200])
    found += plain(walker.gap(20)) + feed(walker, broken[220:] + strange, STREAM)
    assert found == [
        junk(0, broken[:100], f"half a PDU: 100 of {len(broken)} bytes, the rest was not captured"),
        GapSeen(Role.REQUESTOR, 100, 150),
        junk(150, broken[150:200], "the rest of a PDU of which bytes were not captured"),
        GapSeen(Role.REQUESTOR, 200, 220),
        junk(220, broken[220:], "the rest of a PDU of which bytes were not captured"),
        *frames([strange, *RAWS], len(broken)),
    ]


def test_a_gap_that_ends_where_the_broken_pdu_ends_leaves_nothing_to_look_for() -> None:
    walker, strange = Walker(Role.REQUESTOR), header(4, 3) + b"abc"
    feed(walker, RAWS[2][:30])
    walker.gap(len(RAWS[2]) - 30)
    assert feed(walker, strange) == frames([strange], len(RAWS[2]))


def test_many_gaps_as_of_packets_that_were_cut_off_leave_the_pdus_that_are_whole() -> None:
    walker, found = Walker(Role.REQUESTOR), []
    for raw in RAWS * 3:
        found += feed(walker, raw[:150]) + plain(walker.gap(len(raw) - min(len(raw), 150)))
    whole = [one for one in frames(RAWS * 3) if one.end - one.start <= 150]
    assert [one for one in found if isinstance(one, Frame)] == whole


def test_a_gap_of_nothing_is_none() -> None:
    walker = Walker(Role.REQUESTOR)
    assert feed(walker, STREAM[:9]) == []
    assert (walker.gap(0), walker.gap(-5)) == ([], [])
    assert feed(walker, STREAM[9:]) == FRAMES


def test_a_second_finish_says_nothing_more_and_what_is_fed_then_is_a_new_beginning() -> None:
    walker = Walker(Role.REQUESTOR)
    feed(walker, STREAM + b"\x99")
    assert [type(one) for one in walker.finish()] == [JunkSeen]
    assert walker.finish() == []
    assert feed(walker, STREAM) == frames(RAWS, len(STREAM) + 1)
    # what was passed over when it ended is forgotten
    feed(walker, RAWS[2][:50])
    walker.gap(50)
    walker.finish()
    assert feed(walker, STREAM) == frames(RAWS, 2 * len(STREAM) + 101)
    walker.gap(len(RAWS[2]) - 100)
    assert [type(one) for one in feed(walker, header(4, 3) + b"abc" + RAWS[2])] == [JunkSeen, Frame]


def test_a_pdu_may_be_as_long_as_the_limit_and_no_longer() -> None:
    longest = header(4, SMALL - 6) + bytes(SMALL - 6)
    assert walk(STREAM + longest, max_held=SMALL)[-1] == frames([longest], len(STREAM))[0]
    told = walk(STREAM + header(4, SMALL - 5), max_held=SMALL)[-1]
    assert told == junk(len(STREAM), header(4, SMALL - 5), "PDU of type 04H claims 1995 bytes, 1994 is the limit")


def test_the_body_of_a_whole_pdu_is_not_copied_and_that_of_a_held_one_survives_the_next_feed() -> None:
    buffer = bytearray(STREAM)
    walker = Walker(Role.REQUESTOR)
    first, *_ = walker.feed(memoryview(buffer))
    assert isinstance(first, Frame)
    buffer[6] ^= 0xFF
    assert first.body[0] == buffer[6]
    walker.feed(RAWS[2][:9])
    (held,) = walker.feed(RAWS[2][9:])
    walker.feed(RAWS[2][:9])
    assert isinstance(held, Frame)
    assert bytes(held.body) == RAWS[2][6:]


@given(
    st.lists(
        st.binary(max_size=200)
        | st.sampled_from(
            [header(4, 1900) + b"\0\0\7\0\1\3", header(4, 1500) + b"\0\0\0\2\1\3", *RAWS, header(1, 1990)]
        )
        | st.integers(1, 300),
        max_size=40,
    )
)
@settings(max_examples=200, deadline=None)
def test_no_bytes_make_it_raise_or_hold_more_than_one_pdu(pieces: list[bytes | int]) -> None:
    walker, found, total = Walker(Role.ACCEPTOR, SMALL), [], 0
    for piece in pieces:
        if isinstance(piece, int):
            found += plain(walker.gap(piece))
            total += piece
        else:
            found += feed(walker, piece)
            total += len(piece)
            assert len(walker._held) + len(walker._junk) <= SMALL + 1000 + JUNK_KEPT
    found += plain(walker.finish())
    # every byte is told once, in order
    assert [one.start for one in found[1:]] == [one.end for one in found[:-1]]
    assert (found[0].start if found else 0, found[-1].end if found else 0) == (0, total)
    assert walker.finish() == []


def test_a_stream_made_to_be_looked_through_again_and_again_is_not() -> None:
    lure = header(4, 1 << 20) + b"\0\0\0\2\1\3"
    held: list[int] = []
    walker = Walker(Role.REQUESTOR)
    feed(walker, b"\x99")
    for _ in range(300):
        feed(walker, lure * 100)
        held.append(len(walker._held))
    assert max(held) <= 20 * len(lure)  # each is refuted by what follows it


def test_the_longest_false_pdu_is_given_up_when_its_end_says_so() -> None:
    lure = b"\x99" + header(4, SMALL - 6) + (SMALL - 100).to_bytes(4, "big") + b"\1\0" + bytes(SMALL - 112)
    stream = lure + RAWS[1] + bytes(300)
    found = walk(stream, max_held=SMALL)
    assert [type(one) for one in found] == [JunkSeen, Frame, JunkSeen]
    assert walk(*single_bytes(stream), max_held=SMALL) == found


def test_a_stream_seen_from_its_start_begins_with_a_pdu_however_odd() -> None:
    odd = header(1, 80) + bytes(68) + b"\x99" + bytes(11)
    assert plain(Walker(Role.REQUESTOR, from_start=True).feed(odd)) == [Frame(0, len(odd), 1, odd[6:])]
    assert plain(Walker(Role.REQUESTOR).feed(odd)) == [], "in the middle it may be anything"
