"""Each lie alone: what is wrong in the bytes, and that nothing else is."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import fields
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mockpacs.errors import LocalProtocolError
from mockpacs.scenario.lie import Lie
from mockpacs.wire import (
    NO_DATA_SET,
    PDV,
    Assembler,
    Command,
    CommandField,
    CommandReceived,
    DataReceived,
    Framer,
    Lies,
    PDataTF,
    Tag,
    cut,
    decode_command,
    decode_pdu,
    encode_command,
    request,
    response_to,
    tell,
)
from mockpacs.wire.command_set import decode_elements
from tests.wire.samples import ECHO_RQ, STORE_RQ
from tests.wire.samples import FIND as STUDY_ROOT

ECHO = response_to(ECHO_RQ, 0x0000)
FIND_RQ = request(CommandField.C_FIND_RQ, 7, has_dataset=True, elements={Tag.AFFECTED_SOP_CLASS: STUDY_ROOT})
FIND = response_to(FIND_RQ, 0xFF00, has_dataset=True)
COMMAND = 88
"""Bytes of its command set."""
DATA = bytes(range(1, 201))
MAX = 16384


def echoed(**lies: object) -> list[bytes]:
    return tell(ECHO, None, 1, MAX, Lies(**lies))


def found(max_pdu_length: int = MAX, **lies: object) -> list[bytes]:
    return tell(FIND, DATA, 3, max_pdu_length, Lies(**lies))


class Fragment(NamedTuple):
    """A PDV as the bytes have it."""

    length: int
    context_id: int
    control: int
    data: bytes


def by_hand(pdu: bytes) -> tuple[int, int, list[Fragment]]:
    """Type, claimed length and PDVs of one PDU, whose bytes are walked without the decoder; all must add up."""
    pdu_type, length = struct.unpack_from(">BxI", pdu)
    fragments, offset = [], 6
    while offset < len(pdu):
        claimed, context_id, control = struct.unpack_from(">IBB", pdu, offset)
        fragments.append(Fragment(claimed, context_id, control, pdu[offset + 6 : offset + 4 + claimed]))
        offset += 4 + claimed
    assert offset == len(pdu)
    return pdu_type, length, fragments


def layout(pdus: Sequence[bytes]) -> list[list[tuple[int, int]]]:
    """Control byte and length of what is in each PDV, by PDU; all lengths must be right."""
    rows = []
    for pdu in pdus:
        pdu_type, length, fragments = by_hand(pdu)
        assert pdu_type == 4
        assert length == len(pdu) - 6
        rows.append([(fragment.control, len(fragment.data)) for fragment in fragments])
    return rows


def pdvs_of(pdus: Sequence[bytes]) -> list[PDV]:
    """What the decoder makes of the whole stream."""
    pdvs: list[PDV] = []
    for pdu_type, body in Framer(1 << 20).feed(b"".join(pdus)):
        decoded = decode_pdu(pdu_type, bytes(body))
        assert isinstance(decoded, PDataTF)
        pdvs += decoded.pdvs
    return pdvs


def assembled(pdus: Sequence[bytes]) -> list[object]:
    assembler = Assembler({1, 3})
    return [happening for pdv in pdvs_of(pdus) if (happening := assembler.add(pdv)) is not None]


def command_bytes(pdus: Sequence[bytes]) -> bytes:
    return b"".join(pdv.data for pdv in pdvs_of(pdus) if pdv.is_command)


def data_bytes(pdus: Sequence[bytes]) -> bytes:
    return b"".join(pdv.data for pdv in pdvs_of(pdus) if not pdv.is_command)


def elements_of(pdus: Sequence[bytes]) -> dict[int, object]:
    """The elements of the command set without its group length, which is checked, as is the order of tags."""
    raw = command_bytes(pdus)
    elements = decode_elements(raw)
    assert isinstance(elements, dict)
    assert list(elements) == sorted(elements)
    assert elements.pop(Tag.GROUP_LENGTH) == len(raw) - 12
    return dict(elements)


def test_lies_are_those_of_the_language_with_the_same_defaults() -> None:
    said = {name: field.default for name, field in Lie.model_fields.items()}
    assert {field.name: field.default for field in fields(Lies)} == said


@settings(max_examples=200)
@given(
    data=st.none() | st.binary(max_size=300),
    context_id=st.sampled_from([1, 3, 255]),
    max_pdu_length=st.just(0) | st.integers(7, 400),
)
def test_without_lies_it_is_the_message(data: bytes | None, context_id: int, max_pdu_length: int) -> None:
    for command in (ECHO, STORE_RQ):
        honest = cut(context_id, encode_command(command), data, max_pdu_length)
        assert tell(command, data, context_id, max_pdu_length, Lies()) == honest


def test_without_lies_a_long_data_set_is_cut_as_the_honest_one() -> None:
    data = bytes(300_000)
    for max_pdu_length in (0, MAX, 1 << 20):
        assert tell(FIND, data, 1, max_pdu_length, Lies()) == cut(1, encode_command(FIND), data, max_pdu_length)


@pytest.mark.parametrize(
    ("lies", "changed"),
    [
        (Lies(message_id=4242), {Tag.MESSAGE_ID_RESPONDED_TO: 4242}),
        (Lies(message_id=0), {Tag.MESSAGE_ID_RESPONDED_TO: 0}),
        (Lies(command_field=CommandField.C_FIND_RSP), {Tag.COMMAND_FIELD: 0x8020}),
        (Lies(command_field=0x7777), {Tag.COMMAND_FIELD: 0x7777}),
        (Lies(sop_class="1.2.3"), {Tag.AFFECTED_SOP_CLASS: "1.2.3"}),
        (Lies(sop_class=""), {Tag.AFFECTED_SOP_CLASS: ""}),
        (Lies(sop_instance="1.2.3.4"), {Tag.AFFECTED_SOP_INSTANCE: "1.2.3.4"}),
        (Lies(sop_instance="not a UID"), {Tag.AFFECTED_SOP_INSTANCE: "not a UID"}),
        (Lies(sop_instance="9" * 1001), {Tag.AFFECTED_SOP_INSTANCE: "9" * 1001}),
        (Lies(sop_class="Köln"), {Tag.AFFECTED_SOP_CLASS: "Köln"}),
        (Lies(sop_class="東京"), {Tag.AFFECTED_SOP_CLASS: "東京".encode().decode("latin-1")}),
        (Lies(sop_class="\ud800"), {Tag.AFFECTED_SOP_CLASS: "?"}),
        (Lies(dataset_type=0x0001), {Tag.DATA_SET_TYPE: 1}),
        (Lies(remaining=1), {Tag.REMAINING_SUB_OPERATIONS: 1}),
        (Lies(completed=2), {Tag.COMPLETED_SUB_OPERATIONS: 2}),
        (Lies(failed=0xFFFF), {Tag.FAILED_SUB_OPERATIONS: 0xFFFF}),
        (Lies(warning=0), {Tag.WARNING_SUB_OPERATIONS: 0}),
        (Lies(message_id=9, failed=3), {Tag.MESSAGE_ID_RESPONDED_TO: 9, Tag.FAILED_SUB_OPERATIONS: 3}),
    ],
)
def test_one_element_is_wrong_and_no_other(lies: Lies, changed: dict[int, object]) -> None:
    pdus = tell(ECHO, None, 1, MAX, lies)

    assert elements_of(pdus) == dict(ECHO.elements) | changed
    assert layout(pdus) == [[(3, len(command_bytes(pdus)))]]


def test_the_message_id_of_a_request_is_its_own_and_that_of_a_cancel_the_one_it_names() -> None:
    cancel = Command(
        {Tag.COMMAND_FIELD: CommandField.C_CANCEL_RQ, Tag.MESSAGE_ID_RESPONDED_TO: 5, Tag.DATA_SET_TYPE: NO_DATA_SET}
    )
    for command, tag in ((STORE_RQ, Tag.MESSAGE_ID), (cancel, Tag.MESSAGE_ID_RESPONDED_TO)):
        told = elements_of(tell(command, None, 1, MAX, Lies(message_id=4242)))
        assert told == dict(command.elements) | {tag: 4242}


@pytest.mark.parametrize("removed", sorted(set(ECHO.elements)))
def test_a_removed_element_is_absent_and_the_group_length_right(removed: int) -> None:
    told = elements_of(echoed(remove=(removed,)))

    assert told == {tag: value for tag, value in ECHO.elements.items() if tag != removed}


def test_several_elements_are_removed_and_what_is_not_there_does_not_matter() -> None:
    told = elements_of(echoed(remove=(Tag.STATUS, Tag.MESSAGE_ID_RESPONDED_TO, Tag.ERROR_ID)))

    assert set(told) == set(ECHO.elements) - {Tag.STATUS, Tag.MESSAGE_ID_RESPONDED_TO}


def test_what_is_removed_is_absent_whatever_else_is_said_about_it() -> None:
    assert Tag.AFFECTED_SOP_CLASS not in elements_of(echoed(sop_class="1.2", remove=(Tag.AFFECTED_SOP_CLASS,)))


def test_a_removed_group_length_is_absent() -> None:
    pdus = echoed(remove=(Tag.GROUP_LENGTH,))

    assert command_bytes(pdus) == encode_command(ECHO)[12:]
    assert layout(pdus) == [[(3, len(encode_command(ECHO)) - 12)]]


def test_a_command_set_of_which_nothing_is_left_is_an_empty_last_fragment() -> None:
    pdus = echoed(remove=(Tag.GROUP_LENGTH, *ECHO.elements), pdvs_per_pdu=2)

    assert pdus == [bytes.fromhex("040000000006 00000002 01 03")]


def test_a_number_that_does_not_fit_is_nonsense_of_ours() -> None:
    with pytest.raises(LocalProtocolError):
        echoed(message_id=70_000)


def test_a_data_set_that_is_announced_does_not_follow() -> None:
    pdus = found(no_dataset=True)

    assert command_bytes(pdus) == encode_command(FIND)
    assert layout(pdus) == [[(3, len(encode_command(FIND)))]]


def test_a_data_set_that_is_not_announced_follows() -> None:
    pdus = found(dataset_type=NO_DATA_SET)

    assert elements_of(pdus)[Tag.DATA_SET_TYPE] == NO_DATA_SET
    assert data_bytes(pdus) == DATA


@pytest.mark.parametrize(("missing", "left"), [(0, 200), (1, 199), (199, 1), (200, 0), (5000, 0)])
def test_bytes_are_missing_at_the_end_of_the_data_set(missing: int, left: int) -> None:
    pdus = found(cut=missing)

    assert data_bytes(pdus) == DATA[:left]
    assert layout(pdus) == [[(3, len(encode_command(FIND)))], [(2, left)]]


def test_nothing_is_missing_where_there_is_no_data_set() -> None:
    assert echoed(cut=5) == echoed()


def test_the_context_of_every_fragment_is_the_wrong_one() -> None:
    pdus = found(context_id=99)

    assert {pdv.context_id for pdv in pdvs_of(pdus)} == {99}
    assert [bytes(pdv.data) for pdv in pdvs_of(pdus)] == [bytes(pdv.data) for pdv in pdvs_of(found())]


@pytest.mark.parametrize(
    ("lies", "controls"),
    [
        ({}, [[1], [3], [0], [0], [0], [2]]),
        ({"last_fragment": False}, [[1], [1], [0], [0], [0], [0]]),
        ({"last_fragment": True}, [[3], [3], [2], [2], [2], [2]]),
        ({"command_bit": False}, [[0], [2], [0], [0], [0], [2]]),
        ({"command_bit": True}, [[1], [3], [1], [1], [1], [3]]),
        ({"command_bit": True, "last_fragment": False}, [[1], [1], [1], [1], [1], [1]]),
        ({"dataset_first": True}, [[0], [0], [0], [2], [1], [3]]),
        ({"dataset_first": True, "pdvs_per_pdu": 3}, [[0, 0, 0], [2, 1, 3]]),
    ],
)
def test_the_control_bytes_are_wrong_and_no_byte_of_the_message(
    lies: dict[str, object], controls: list[list[int]]
) -> None:
    pdus = found(pdv_size=50, **lies)

    assert [[control for control, _ in row] for row in layout(pdus)] == controls
    sets = [encode_command(FIND), DATA]
    if "dataset_first" in lies:
        sets.reverse()
    assert b"".join(pdv.data for pdv in pdvs_of(pdus)) == b"".join(sets)


def test_data_before_its_command_is_malformed_to_an_honest_reader() -> None:
    assert "before its command set" in str(assembled(found(dataset_first=True))[0])


def test_one_byte_per_pdv_is_one_pdu_for_each_byte() -> None:
    pdus = found(pdv_size=1)

    assert [row for row in layout(pdus) if len(row) != 1 or row[0][1] != 1] == []
    assert len(pdus) == COMMAND + 200
    assert assembled(pdus)[0] == CommandReceived(3, decoded(FIND))
    assert data_bytes(pdus) == DATA


def decoded(command: Command) -> Command:
    made = decode_command(encode_command(command))
    assert isinstance(made, Command)
    return made


@pytest.mark.parametrize(
    ("max_pdu_length", "lies", "lengths"),
    [
        # a size: as said, whatever the peer allows
        (MAX, {"pdv_size": 90}, [[88], [90], [90], [20]]),
        (56, {"pdv_size": 90}, [[88], [90], [90], [20]]),
        (5, {"pdv_size": 90}, [[88], [90], [90], [20]]),
        (MAX, {"pdv_size": 200}, [[88], [200]]),
        (MAX, {"pdv_size": 199}, [[88], [199], [1]]),
        # a size and a count: as many as fit
        (MAX, {"pdv_size": 90, "pdvs_per_pdu": 2}, [[88, 90], [90, 20]]),
        (MAX, {"pdv_size": 90, "pdvs_per_pdu": 9}, [[88, 90, 90, 20]]),
        (190, {"pdv_size": 90, "pdvs_per_pdu": 9}, [[88, 90], [90, 20]]),
        (189, {"pdv_size": 90, "pdvs_per_pdu": 9}, [[88], [90], [90, 20]]),
        (50, {"pdv_size": 90, "pdvs_per_pdu": 9}, [[88], [90], [90], [20]]),
        # a count: the command set and the data set together where both are short
        (MAX, {"pdvs_per_pdu": 1}, [[88], [200]]),
        (MAX, {"pdvs_per_pdu": 2}, [[88, 200]]),
        (MAX, {"pdvs_per_pdu": 3}, [[88, 100, 100]]),
        (MAX, {"pdvs_per_pdu": 4}, [[68, 20, 68, 68], [64]]),
        (MAX, {"pdvs_per_pdu": 5}, [[50, 38, 50, 50, 50], [50]]),
        (152, {"pdvs_per_pdu": 2}, [[70, 18], [70, 70], [60]]),
        (155, {"pdvs_per_pdu": 2}, [[70, 18], [70, 70], [60]]),
        (7, {"pdvs_per_pdu": 2, "no_dataset": True}, [[1]] * 88),
        (16, {"pdvs_per_pdu": 2, "no_dataset": True}, [[2, 2]] * 22),
        (MAX, {"pdvs_per_pdu": 2, "no_dataset": True}, [[44, 44]]),
    ],
)
def test_the_message_is_cut_as_said(max_pdu_length: int, lies: dict[str, object], lengths: list[list[int]]) -> None:
    pdus = found(max_pdu_length, **lies)

    assert [[length for _, length in row] for row in layout(pdus)] == lengths
    command, *data = assembled(pdus)
    assert command == CommandReceived(3, decoded(FIND))
    if "no_dataset" not in lies:
        assert b"".join(one.data for one in data if isinstance(one, DataReceived)) == DATA
        assert isinstance(data[-1], DataReceived)
        assert data[-1].is_last


@settings(max_examples=300)
@given(
    data=st.none() | st.binary(max_size=200),
    max_pdu_length=st.just(0) | st.integers(7, 300),
    count=st.none() | st.integers(1, 20),
    size=st.none() | st.integers(1, 300),
)
def test_however_it_is_cut_it_is_the_message_and_no_pdu_is_too_long(
    data: bytes | None, max_pdu_length: int, count: int | None, size: int | None
) -> None:
    pdus = tell(FIND, data, 3, max_pdu_length, Lies(pdvs_per_pdu=count, pdv_size=size))

    for row in layout(pdus):
        assert 1 <= len(row) <= (count or 1)
        assert sum(length + 6 for _, length in row) <= (max_pdu_length or 1 << 30) or len(row) == 1
        if size is None:
            assert sum(length + 6 for _, length in row) <= (max_pdu_length or 1 << 30)
    assert command_bytes(pdus) == encode_command(FIND)
    assert data_bytes(pdus) == (data or b"")
    last = [pdv.is_command for pdv in pdvs_of(pdus) if pdv.is_last]
    assert last == ([True] if data is None else [True, False])


@pytest.mark.parametrize("max_pdu_length", [1, 6])
def test_a_peer_that_can_be_sent_nothing_is_nonsense_of_ours(max_pdu_length: int) -> None:
    for lies in (Lies(), Lies(pdvs_per_pdu=2), Lies(repeat=2)):
        with pytest.raises(LocalProtocolError, match="cannot carry data"):
            tell(ECHO, None, 1, max_pdu_length, lies)


@pytest.mark.parametrize("claimed", [0, 1, 99_999, 0xFFFFFFFF])
def test_the_first_pdv_claims_a_wrong_length(claimed: int) -> None:
    first, *rest = found(pdv_length=claimed)
    honest, *others = found()

    assert first == honest[:6] + struct.pack(">I", claimed) + honest[10:]
    assert rest == others


@pytest.mark.parametrize("claimed", [0, 1, 99_999, 0xFFFFFFFF])
def test_the_first_pdu_claims_a_wrong_length(claimed: int) -> None:
    first, *rest = found(pdu_length=claimed)
    honest, *others = found()

    assert first == honest[:2] + struct.pack(">I", claimed) + honest[6:]
    assert rest == others


@pytest.mark.parametrize("pdu_type", [0, 0x05, 0x99, 255])
def test_all_pdus_are_of_a_wrong_type(pdu_type: int) -> None:
    assert found(pdu_type=pdu_type) == [bytes((pdu_type,)) + pdu[1:] for pdu in found()]


def test_the_message_is_sent_several_times() -> None:
    assert found(repeat=3) == found() * 3
    assert assembled(echoed(repeat=2)) == [CommandReceived(1, decoded(ECHO))] * 2


def test_every_copy_tells_the_same_lies() -> None:
    assert found(repeat=2, pdv_length=5, message_id=9) == found(pdv_length=5, message_id=9) * 2


def test_an_empty_data_set_is_an_empty_last_fragment() -> None:
    assert layout(tell(FIND, b"", 3, MAX, Lies(pdv_size=1000))) == [[(3, COMMAND)], [(2, 0)]]
