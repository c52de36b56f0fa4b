"""Where PDUs begin, found again however a stream is cut into chunks."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockpacs.traffic.framing import Framing, Stretch

SIZES = st.one_of(st.integers(0, 20), st.sampled_from([100, 1000]))
STREAMS = st.lists(st.tuples(st.integers(1, 7), SIZES), max_size=8).map(
    lambda made: [struct.pack(">BBI", kind, 0xAA, size) + bytes([kind]) * size for kind, size in made]
)
CUTS = st.lists(st.integers(1, 40), min_size=1, max_size=6)


def chunks(data: bytes, sizes: Sequence[int]) -> list[tuple[int, bytes]]:
    """The data in pieces of these sizes, which repeat, with their positions."""
    made, at, turn = [], 0, 0
    while at < len(data):
        size = sizes[turn % len(sizes)]
        made.append((at, data[at : at + size]))
        at, turn = at + size, turn + 1
    return made


def block_of(position: int) -> int:
    """The offset at which a test says the chunk was written: not its position, but as good as it."""
    return position * 3 + 1000


def see(framing: Framing, data: bytes, sizes: Sequence[int]) -> None:
    for at, chunk in chunks(data, sizes):
        framing.see(chunk, at, block_of(at))


@given(STREAMS, st.binary(max_size=5), CUTS)
def test_the_begun_pdu_is_known_at_any_moment_however_the_stream_is_cut(
    stream: list[bytes], rest: bytes, sizes: list[int]
) -> None:
    data = b"".join(stream) + rest  # too short for a header: whatever it is, it may become one
    holder = {at + n: block_of(at) for at, chunk in chunks(data, sizes) for n in range(len(chunk))}
    begins = [sum(map(len, stream[:number])) for number in range(len(stream) + 1)]
    framing = Framing()
    for at, chunk in chunks(data, sizes):
        framing.see(chunk, at, block_of(at))
        seen = at + len(chunk)

        assert not framing.is_lost
        begun = max(begin for begin in begins if begin <= seen)
        assert framing.start == begun
        if begun < seen:
            assert framing.block == holder[begun]
        if stream and len(stream[0]) <= seen:
            assert framing.first == Stretch(0, len(stream[0]), block_of(0))
        else:
            assert framing.first is None


@given(STREAMS, st.sampled_from([0, 8, 22, 71, 80, 255]), st.binary(min_size=5, max_size=50), CUTS)
def test_from_what_is_no_pdu_on_it_is_lost_for_good(
    stream: list[bytes], kind: int, garbage: bytes, sizes: list[int]
) -> None:
    framing = Framing()
    data = b"".join(stream) + bytes([kind]) + garbage
    see(framing, data, sizes)
    first = framing.first
    framing.see(b"\4\0\0\0\0\1x" * 10, len(data), block_of(len(data)))

    assert framing.is_lost
    assert first == framing.first == (Stretch(0, len(stream[0]), block_of(0)) if stream else None)


def test_one_byte_at_a_time_is_enough() -> None:
    stream = [struct.pack(">BxI", kind, size) + bytes(size) for kind, size in ((1, 68), (4, 0), (4, 6), (5, 4))]
    framing = Framing()
    see(framing, b"".join(stream), [1])

    assert (framing.start, framing.is_lost) == (sum(map(len, stream)), False)
    assert framing.first == Stretch(0, 74, block_of(0))


def test_pdus_without_a_body_follow_one_another() -> None:
    framing = Framing()
    framing.see(b"\7\0\0\0\0\0" * 1000, 0, 5)

    assert (framing.start, framing.is_lost, framing.first) == (6000, False, Stretch(0, 6, 5))


def test_positions_may_be_of_any_size() -> None:
    framing, at = Framing(), 0
    for _ in range(300):  # bodies are not looked at: they need not be there
        framing.see(b"\4\0\xff\xff\xff\xf0", at, at % 1000)
        at += 6 + 0xFFFF_FFF0
    framing.see(b"\4\0\0\0\0\1x\4\0", at, 1234)

    assert at > 2**40
    assert (framing.start, framing.block, framing.is_lost) == (at + 7, 1234, False)


class Counting(bytes):
    """Counts the bytes that are taken out of it."""

    taken = 0

    def __getitem__(self, key: Any) -> Any:
        found = super().__getitem__(key)
        assert isinstance(found, bytes)
        Counting.taken += len(found)
        return found


GARBAGE = [
    ("zeros", b"\0" * (1 << 20)),
    ("text", b"GET / HTTP/1.1\r\n" * (1 << 16)),
    ("empty PDUs", b"\4\0\0\0\0\0" * (1 << 17)),
    ("a PDU of 4 GiB", b"\4\0\xff\xff\xff\xff" + bytes(1 << 20)),
    ("almost a header", b"\4\0\0\0\0\1x\4\0\0\0"),
]


@pytest.mark.parametrize(("what", "data"), GARBAGE, ids=[what for what, _ in GARBAGE])
@pytest.mark.parametrize("size", [1 << 20, 1461, 100])
def test_no_byte_is_looked_at_twice(monkeypatch: pytest.MonkeyPatch, what: str, data: bytes, size: int) -> None:
    monkeypatch.setattr(Counting, "taken", 0)
    framing = Framing()
    for at in range(0, len(data), size):
        framing.see(Counting(data[at : at + size]), at, at)

    assert Counting.taken <= len(data)
    assert len(framing._header) < 6, what
