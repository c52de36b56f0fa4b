"""What becomes of the bytes of an answer: all of them but for the fault, in the pieces and at the times it says."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mockpacs.wire import Fault, Operation, Wait, Write, operations
from mockpacs.wire.fault import paced

ANSWERS = st.lists(st.binary(max_size=60), max_size=6)
SEEDS = st.integers(-(2**70), 2**70)
HELLO = [b"hello", b"", b" world"]


def written(done: Iterable[Operation]) -> bytes:
    return b"".join(operation.data for operation in done if isinstance(operation, Write))


def waited(done: Iterable[Operation]) -> float:
    return sum(operation.seconds for operation in done if isinstance(operation, Wait))


def differing(one: bytes, other: bytes) -> list[int]:
    return [place for place, (here, there) in enumerate(zip(one, other, strict=True)) if here != there]


def test_without_a_fault_the_answer_is_written_at_once() -> None:
    assert list(operations(HELLO, Fault())) == [Write(b"hello world")]
    assert list(operations([], Fault())) == []
    assert list(operations([b""], Fault())) == []


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Fault(truncate_after=7), [Write(b"hello w")]),
        (Fault(truncate_after=5), [Write(b"hello")]),
        (Fault(truncate_after=0), []),
        (Fault(truncate_after=100), [Write(b"hello world")]),
        (Fault(corrupt_offset=0), [Write(b"\x97ello world")]),
        (Fault(corrupt_offset=6, corrupt_xor=0x20), [Write(b"hello World")]),
        (Fault(corrupt_offset=10, corrupt_xor=1), [Write(b"hello worle")]),
        (Fault(corrupt_offset=11), [Write(b"hello world")]),
        (Fault(corrupt_offset=0, corrupt_xor=0), [Write(b"hello world")]),
        (Fault(corrupt_offset=6, truncate_after=6), [Write(b"hello ")]),
        (Fault(drip_bytes=4, drip_every_seconds=3), [Write(b"hell"), Wait(3), Write(b"o wo"), Wait(3), Write(b"rld")]),
        (Fault(drip_bytes=11, drip_every_seconds=3), [Write(b"hello world")]),
        (Fault(drip_bytes=6, drip_every_seconds=0), [Write(b"hello "), Wait(0), Write(b"world")]),
        (Fault(bandwidth=160), [Write(b"hello wo"), Wait(0.05), Write(b"rld"), Wait(3 / 160)]),
        (Fault(bandwidth=10**12), [Write(b"hello world"), Wait(11 / 10**12)]),
        (Fault(bandwidth=2, truncate_after=2), [Write(b"h"), Wait(0.5), Write(b"e"), Wait(0.5)]),
        (
            Fault(drip_bytes=8, drip_every_seconds=0.5, bandwidth=10),
            [Write(b"hello wo"), Wait(0.8), Write(b"rld"), Wait(0.3)],
        ),
        (
            Fault(drip_bytes=8, drip_every_seconds=5, bandwidth=10),
            [Write(b"hello wo"), Wait(5), Write(b"rld"), Wait(0.3)],
        ),
    ],
)
def test_a_fault_is_done_as_said(fault: Fault, expected: list[Operation]) -> None:
    assert list(operations(HELLO, fault)) == expected


@given(ANSWERS, SEEDS, st.integers(0, 400))
def test_drawn_bytes_are_changed_each_at_a_place_of_its_own(pdus: list[bytes], seed: int, count: int) -> None:
    whole = b"".join(pdus)
    changed = written(operations(pdus, Fault(corrupt_bytes=count, seed=seed)))

    assert len(differing(changed, whole)) == min(count, len(whole))


@given(SEEDS)
def test_the_same_seed_draws_the_same_places_whatever_the_pdus_and_the_pace(seed: int) -> None:
    fault = Fault(corrupt_bytes=5, seed=seed)
    whole = bytes(1000)
    once = written(operations([whole], fault))

    assert written(operations([whole], fault)) == once
    assert written(operations([whole[:7]] * 142 + [whole[:6]], fault)) == once
    assert written(operations([whole], replace(fault, drip_bytes=3, bandwidth=99))) == once


def test_another_seed_draws_other_places_and_all_places_are_drawn() -> None:
    whole = bytes(50)
    drawn = [
        tuple(differing(written(operations([whole], Fault(corrupt_bytes=3, seed=seed))), whole)) for seed in range(500)
    ]

    assert len(set(drawn)) > 490
    assert {place for places in drawn for place in places} == set(range(50))


def test_drawn_bytes_are_among_those_that_are_sent() -> None:
    for seed in range(50):
        changed = written(operations([bytes(1000)], Fault(truncate_after=20, corrupt_bytes=3, seed=seed)))
        assert len(differing(changed, bytes(20))) == 3


def test_a_byte_that_is_named_and_drawn_is_changed_once() -> None:
    everything = Fault(corrupt_offset=3, corrupt_bytes=8)

    assert written(operations([bytes(8)], everything)) == b"\xff" * 8


@settings(max_examples=300)
@given(
    pdus=ANSWERS,
    truncate=st.none() | st.integers(0, 400),
    offset=st.none() | st.integers(0, 400),
    xor=st.integers(0, 255),
    drip=st.integers(0, 70),
    every=st.floats(0, 10),
    bandwidth=st.integers(0, 2000),
)
def test_all_writes_together_are_the_answer_and_its_fault_and_the_waits_are_its_pace(
    pdus: list[bytes], truncate: int | None, offset: int | None, xor: int, drip: int, every: float, bandwidth: int
) -> None:
    fault = Fault(truncate, offset, xor, drip_bytes=drip, drip_every_seconds=every, bandwidth=bandwidth)
    done = list(operations(pdus, fault))

    expected = bytearray(b"".join(pdus)[:truncate])
    if offset is not None and offset < len(expected):
        expected[offset] ^= xor
    assert written(done) == expected
    writes = [operation.data for operation in done if isinstance(operation, Write)]
    if not expected:
        assert done == []
        return
    size = drip or (max(bandwidth // 20, 1) if bandwidth else len(expected))
    assert {len(piece) for piece in writes[:-1]} <= {size}
    assert 1 <= len(writes[-1]) <= size
    assert all(isinstance(operation, Write) == (number % 2 == 0) for number, operation in enumerate(done))
    pauses = [len(piece) / bandwidth if bandwidth else 0 for piece in writes]
    if drip:
        pauses[:-1] = [max(pause, every) for pause in pauses[:-1]]
    assert waited(done) == pytest.approx(sum(pauses))
    if bandwidth and not drip:
        assert waited(done) == pytest.approx(len(expected) / bandwidth)
    assert isinstance(done[-1], Wait) == bool(bandwidth)


def test_a_bandwidth_is_kept_over_many_short_answers() -> None:
    answers = [list(operations([bytes(10)], Fault(bandwidth=1000))) for _ in range(100)]

    assert sum(map(waited, answers)) == pytest.approx(1)


def test_a_large_answer_that_drips_is_made_piece_by_piece() -> None:
    gigabyte = [bytes(1 << 20)] * 1024

    assert list(islice(operations(gigabyte, Fault(drip_bytes=1)), 3)) == [Write(b"\0"), Wait(0.2), Write(b"\0")]


def test_a_large_answer_is_written_in_bounded_pieces() -> None:
    pieces = list(operations([bytes(100_000)] * 100, Fault()))

    assert written(pieces) == bytes(10_000_000)
    assert max(len(written([piece])) for piece in pieces) == 1 << 20


def test_a_pace_takes_nothing_else_of_the_fault() -> None:
    fault = Fault(truncate_after=1, corrupt_offset=0, corrupt_bytes=2, drip_bytes=2, drip_every_seconds=1)

    assert list(paced([b"abc", b"d"], fault)) == [Write(b"ab"), Wait(1), Write(b"cd")]
