from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mockpacs.errors import LocalProtocolError
from mockpacs.wire import (
    PDV,
    Assembler,
    CommandReceived,
    DataReceived,
    Framer,
    Malformed,
    PDataTF,
    can_carry_data,
    cut,
    cut_stream,
    decode_command,
    decode_pdu,
    encode_command,
)
from tests.wire.samples import ECHO_RQ, STORE_RQ

ECHO, STORE = encode_command(ECHO_RQ), encode_command(STORE_RQ)
ECHOED, STORED = decode_command(ECHO), decode_command(STORE)


def command(data: bytes, *, last: bool = True, context_id: int = 1) -> PDV:
    return PDV(context_id, True, last, data)


def data(fragment: bytes, *, last: bool = True, context_id: int = 1) -> PDV:
    return PDV(context_id, False, last, fragment)


def assemble(pdvs: Iterable[PDV], max_command_length: int = 1 << 20) -> list[object]:
    assembler = Assembler({1, 3}, max_command_length)
    return [happening for pdv in pdvs if (happening := assembler.add(pdv)) is not None]


def pdvs_of(pdus: Iterable[bytes], max_pdu_length: int) -> list[PDV]:
    """Read PDUs back, and check that none is longer than the receiver allows."""
    framer, pdvs = Framer(1 << 20), []
    for pdu in pdus:
        ((pdu_type, body),) = framer.feed(pdu)
        assert len(body) <= max_pdu_length or max_pdu_length == 0
        decoded = decode_pdu(pdu_type, bytes(body))
        assert isinstance(decoded, PDataTF)
        pdvs += decoded.pdvs
    return pdvs


def test_a_command_without_data_set_is_a_message() -> None:
    assert assemble([command(ECHO), command(ECHO)]) == [CommandReceived(1, ECHOED), CommandReceived(1, ECHOED)]


def test_a_data_set_is_handed_on_fragment_by_fragment() -> None:
    assert assemble([command(STORE), data(b"ab", last=False), data(b"cd")]) == [
        CommandReceived(1, STORED),
        DataReceived(1, b"ab", False),
        DataReceived(1, b"cd", True),
    ]


def test_several_messages_may_follow_one_another_on_different_contexts() -> None:
    pdvs = [
        command(STORE),
        data(b"ab"),
        command(ECHO, context_id=3),
        command(STORE, context_id=3),
        data(b"", context_id=3),
    ]
    assert assemble(pdvs) == [
        CommandReceived(1, STORED),
        DataReceived(1, b"ab", True),
        CommandReceived(3, ECHOED),
        CommandReceived(3, STORED),
        DataReceived(3, b"", True),
    ]


def test_a_command_may_come_in_pieces_and_empty_ones_among_them() -> None:
    pieces = [command(STORE[i : i + 1], last=False) for i in range(len(STORE))]
    pieces[5:5] = [command(b"", last=False)]
    assert assemble([command(b"", last=False), *pieces, command(b"")]) == [CommandReceived(1, STORED)]
    assert assemble([*pieces, command(b""), data(b"x")])[1:] == [DataReceived(1, b"x", True)]


def test_empty_data_fragments_say_nothing_except_the_last() -> None:
    pdvs = [command(STORE), data(b"", last=False), data(b"ab", last=False), data(b"", last=False), data(b"")]
    assert assemble(pdvs)[1:] == [DataReceived(1, b"ab", False), DataReceived(1, b"", True)]


def test_it_is_known_whether_a_message_has_ended() -> None:
    assembler = Assembler({1})
    seen = []
    for pdv in (
        command(STORE[:9], last=False),
        command(STORE[9:]),
        data(b"ab", last=False),
        data(b"cd"),
        command(ECHO),
    ):
        assembler.add(pdv)
        seen.append(assembler.is_mid_message)
    assert seen == [True, True, True, False, False]


@pytest.mark.parametrize(
    ("pdvs", "reason", "why"),
    [
        ([data(b"ab")], 5, "before its command set"),
        ([command(ECHO), data(b"ab")], 5, "before its command set"),
        ([command(STORE), data(b"ab"), data(b"cd")], 5, "before its command set"),
        ([command(STORE), command(STORE)], 5, "before the end of a data set"),
        ([command(STORE), data(b"ab", last=False), command(ECHO)], 5, "before the end of a data set"),
        ([command(STORE[:9], last=False), data(b"ab")], 5, "before its command set"),
        ([command(ECHO, context_id=5)], 6, "context 5 was not accepted"),
        ([data(b"ab", context_id=5)], 6, "context 5 was not accepted"),
        ([command(STORE), data(b"ab", context_id=3)], 6, "context 3 in the middle of a message of context 1"),
        ([command(STORE[:9], last=False), command(STORE[9:], context_id=3)], 6, "in the middle"),
        ([command(STORE), data(b"ab", last=False), data(b"ab", context_id=9)], 6, "in the middle"),
        ([command(b"")], 6, "Command Field"),
        ([command(b"\0\0\0\0\xff")], 6, "left over"),
    ],
)
def test_fragments_out_of_order_are_malformed(pdvs: list[PDV], reason: int, why: str) -> None:
    *_, told = assemble(pdvs)
    assert isinstance(told, Malformed)
    assert told.reason == reason
    assert why in told.why


def test_a_command_that_never_ends_is_malformed_at_the_limit() -> None:
    piece = command(bytes(1000), last=False)
    told = assemble([piece] * 11, max_command_length=10_000)
    assert [type(happening) for happening in told] == [Malformed]
    assert assemble([piece] * 10, max_command_length=10_000) == []
    (whole,) = assemble([command(bytes(10_001))], max_command_length=10_000)
    assert isinstance(whole, Malformed)
    assert "more than 10000 bytes" in whole.why


def test_a_held_command_does_not_depend_on_the_buffer_it_came_in() -> None:
    assembler = Assembler({1})
    buffer = bytearray(STORE)
    assert assembler.add(PDV(1, True, False, memoryview(buffer)[:40])) is None
    held = bytes(buffer[40:])
    buffer[:] = bytes(len(buffer))
    assert assembler.add(PDV(1, True, True, held)) == CommandReceived(1, STORED)


@given(st.binary(max_size=400), st.integers(7, 300) | st.just(0))
@settings(max_examples=80, deadline=None)
def test_a_message_survives_any_maximum_length(dataset: bytes, max_pdu_length: int) -> None:
    pdus = cut(1, STORE, dataset, max_pdu_length)
    pdvs = pdvs_of(pdus, max_pdu_length)
    received, *fragments = assemble(pdvs)
    assert received == CommandReceived(1, STORED)
    assert b"".join(bytes(fragment.data) for fragment in fragments) == dataset
    # PS3.7 Annex F: fragments are even but the last; a maximum length of 7 leaves no choice
    assert max_pdu_length == 7 or all(len(pdv.data) % 2 == 0 for pdv in pdvs if not pdv.is_last)


@given(st.lists(st.binary(max_size=50), max_size=8), st.integers(7, 60) | st.just(0))
@settings(max_examples=80, deadline=None)
def test_a_stream_of_blocks_is_cut_like_the_whole(blocks: list[bytes], max_pdu_length: int) -> None:
    streamed = list(cut_stream(1, STORE, iter(blocks), max_pdu_length))
    assert streamed == cut(1, STORE, b"".join(blocks), max_pdu_length)


def test_a_stream_is_read_no_further_than_the_pdus_that_were_taken() -> None:
    taken: list[int] = []

    def blocks() -> Iterable[bytes]:
        for number in range(1000):
            taken.append(number)
            yield bytes(100)

    pdus = cut_stream(1, STORE, blocks(), 106)
    for _ in range(5):
        next(pdus)
    assert len(taken) < 10


def test_no_data_set_and_an_empty_one_are_different() -> None:
    assert [pdv.is_command for pdv in pdvs_of(cut(1, ECHO, None, 0), 0)] == [True]
    assert [(pdv.is_command, pdv.is_last) for pdv in pdvs_of(cut(1, STORE, b"", 0), 0)] == [(True, True), (False, True)]


def test_without_a_limit_pdus_have_a_sane_size() -> None:
    for limit in (0, 0xFFFFFFFF):
        sizes = [len(pdu) for pdu in cut(1, STORE, bytes(1 << 20), limit)]
        assert max(sizes) == 128 * 1024 + 6
        assert len(sizes) == 10


@pytest.mark.parametrize("max_pdu_length", range(1, 7))
def test_a_maximum_length_that_carries_nothing_is_refused(max_pdu_length: int) -> None:
    assert not can_carry_data(max_pdu_length)
    for send in (lambda: cut(1, ECHO, None, max_pdu_length), lambda: list(cut_stream(1, ECHO, [], max_pdu_length))):
        with pytest.raises(LocalProtocolError, match="cannot carry data"):
            send()


def test_the_smallest_maximum_lengths_carry_something() -> None:
    assert can_carry_data(0)
    assert can_carry_data(7)
    assert assemble(pdvs_of(cut(1, STORE, b"abc", 7), 7))[0] == CommandReceived(1, STORED)
