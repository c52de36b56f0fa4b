"""Bytes are cut into PDUs however they come, and none is lost or changed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as some

from mockpacs.net.proxy.stream import Cutter
from mockpacs.wire import ReleaseRQ, encode_pdu
from tests.net.wire_client import associate_request

RELEASE = encode_pdu(ReleaseRQ())
WHOLE = [associate_request(), b"\x04\x00\x00\x00\x00\x00", b"\x04\x00\x00\x00\x01\x00" + bytes(256), RELEASE]


@given(
    some.lists(some.sampled_from([*WHOLE, b"\x99", b"\x04\x00\xff\xff\xff\xff", RELEASE[:7]]), max_size=6),
    some.lists(some.integers(1, 300), max_size=12),
)
def test_what_is_cut_is_what_came(pieces: list[bytes], cuts: list[int]) -> None:
    data = b"".join(pieces)
    cutter, units, start = Cutter(), [], 0
    for size in [*cuts, len(data)]:
        units += cutter.feed(memoryview(data)[start : start + size])
        start += size
    units += cutter.rest()
    assert b"".join(unit.raw for unit in units) == data
    whole = 0
    for piece in pieces:
        if piece not in WHOLE:
            break
        whole += 1
    assert [unit.raw for unit in units[:whole]] == pieces[:whole]
    assert all(unit.pdu_type == unit.raw[0] for unit in units[:whole])


def test_byte_by_byte_a_pdu_is_told_at_its_end() -> None:
    cutter = Cutter()
    told = [cutter.feed(RELEASE[at : at + 1]) for at in range(len(RELEASE))]
    assert [len(units) for units in told] == [0] * (len(RELEASE) - 1) + [1]


def test_behind_what_is_no_pdu_all_passes_as_it_comes() -> None:
    cutter = Cutter()
    assert [unit.pdu_type for unit in cutter.feed(RELEASE + b"\x99abc")] == [5, 0]
    assert cutter.feed(RELEASE) == [(0, RELEASE)]
    assert cutter.rest() == []
