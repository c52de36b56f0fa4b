from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mockpacs.errors import LocalProtocolError
from mockpacs.wire import (
    Command,
    CommandField,
    Malformed,
    Tag,
    Value,
    decode_command,
    encode_command,
    encode_response,
    request,
    response_to,
)
from tests.wire.samples import CT, ECHO_RQ, FIND, FIND_RSP, STORE_RQ

FIELD, NO_DATA, ID = "0000 0001 02000000 3000", "0000 0008 02000000 0101", "0000 1001 02000000 0700"


def raw(*elements: str) -> bytes:
    return bytes.fromhex("".join(elements))


@pytest.mark.parametrize("command", [ECHO_RQ, STORE_RQ, FIND_RSP], ids=lambda command: str(command.field.name))
def test_what_is_encoded_is_decoded_with_the_right_group_length(command: Command) -> None:
    encoded = encode_command(command)
    decoded = decode_command(encoded)
    assert decoded == Command({Tag.GROUP_LENGTH: len(encoded) - 12, **command.elements})
    assert decode_command(bytearray(encoded)) == decode_command(memoryview(encoded)) == decoded


def test_an_echo_is_encoded_as_the_standard_prints_it() -> None:
    assert encode_command(ECHO_RQ) == raw(
        "0000 0000 04000000 38000000",
        "0000 0200 12000000" + b"1.2.840.10008.1.1\0".hex(),
        "0000 0001 02000000 3000",
        "0000 1001 02000000 0700",
        "0000 0008 02000000 0101",
    )


def test_every_property_reads_its_element() -> None:
    at = (0x00100010, 0x7FE00010)
    elements: dict[int, Value] = {
        0x0002: "1.1", 0x0003: "1.2", 0x0100: 0x0001, 0x0110: 1, 0x0120: 2, 0x0600: "DEST", 0x0700: 3, 0x0800: 0,
        0x0900: 0xB000, 0x0901: at, 0x0902: "why", 0x0903: 5, 0x1000: "1.3", 0x1001: "1.4", 0x1002: 6, 0x1005: at,
        0x1008: 7, 0x1020: 8, 0x1021: 9, 0x1022: 10, 0x1023: 11, 0x1030: "MOVER", 0x1031: 12,
    }  # fmt: skip
    command = decode_command(encode_command(Command(elements)))
    assert isinstance(command, Command)
    assert {tag: value for tag, value in command.elements.items() if tag} == elements
    assert (command.affected_sop_class, command.affected_sop_instance) == ("1.1", "1.3")
    assert (command.requested_sop_class, command.requested_sop_instance) == ("1.2", "1.4")
    assert (command.field, command.service, command.is_request) == (CommandField.C_STORE_RQ, "C-STORE", True)
    assert (command.message_id, command.message_id_responded_to, command.has_dataset) == (1, 2, True)
    assert (command.move_destination, command.priority, command.status) == ("DEST", 3, 0xB000)
    assert (command.offending_elements, command.attribute_identifiers) == (at, at)
    assert (command.error_comment, command.error_id, command.event_type, command.action_type) == ("why", 5, 6, 7)
    assert (command.remaining_sub_operations, command.completed_sub_operations) == (8, 9)
    assert (command.failed_sub_operations, command.warning_sub_operations) == (10, 11)
    assert (command.move_originator_aet, command.move_originator_message_id) == ("MOVER", 12)


def test_what_is_absent_is_none() -> None:
    command = Command({Tag.COMMAND_FIELD: 0x8001})
    assert (command.message_id, command.affected_sop_class, command.offending_elements) == (None, None, None)
    assert not command.has_dataset
    assert not command.is_request


@pytest.mark.parametrize("field", CommandField)
def test_every_command_field_is_decoded_and_named_as_its_service(field: CommandField) -> None:
    is_request = field == CommandField.C_CANCEL_RQ or field < 0x8000
    ids: dict[int, Value] = {Tag.MESSAGE_ID: 1, Tag.MESSAGE_ID_RESPONDED_TO: 1}
    command = decode_command(encode_command(Command({Tag.COMMAND_FIELD: field, Tag.DATA_SET_TYPE: 0x0101, **ids})))
    assert isinstance(command, Command)
    assert command.field is field
    assert command.is_request is is_request
    suffix = "-RQ" if is_request else "-RSP"
    assert f"{command.service}{suffix}" == field.name.replace("_", "-")


@pytest.mark.parametrize(
    "group_length", ["", "0000 0000 04000000 FFFFFFFF", "0000 0000 04000000 00000000", "0000 0000 02000000 0100"]
)
def test_the_group_length_is_neither_trusted_nor_required(group_length: str) -> None:
    command = decode_command(raw(group_length, FIELD, ID, NO_DATA))
    assert isinstance(command, Command)
    assert command.field is CommandField.C_ECHO_RQ


def test_unknown_elements_and_misfits_are_kept_as_bytes() -> None:
    command = decode_command(
        raw(FIELD, ID, NO_DATA, "0000 0009 03000000 010203", "0000 0109 02000000 1000", "0000 10FE 02000000 6869")
    )
    assert isinstance(command, Command)
    assert command.elements[Tag.STATUS] == b"\1\2\3"
    assert command.elements[Tag.OFFENDING_ELEMENT] == b"\x10\0"
    assert command.elements[0xFE10] == b"hi"
    assert (command.status, command.offending_elements) == (None, None)
    again = decode_command(encode_command(command))
    assert isinstance(again, Command)
    assert again.elements[0xFE10] == b"hi"


def test_text_keeps_every_byte_but_its_padding() -> None:
    command = decode_command(raw(FIELD, ID, NO_DATA, "0000 0209 06000000 20FC1B580020", "0000 0200 04000000 312E3200"))
    assert isinstance(command, Command)
    assert command.error_comment == "\xfc\x1bX"
    assert command.affected_sop_class == "1.2"


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "Command Field (0000,0100) is absent"),
        (raw(FIELD, ID), "Data Set Type (0000,0800) is absent"),
        (raw(FIELD, NO_DATA), "C_ECHO_RQ has no message ID"),
        (raw("0000 0001 02000000 0180", NO_DATA, ID), "C_STORE_RSP has no message ID"),
        (raw("0000 0001 02000000 FF0F", NO_DATA, ID), "C_CANCEL_RQ has no message ID"),
        (raw("0000 0001 02000000 3412", NO_DATA, ID), "Command Field (0000,0100) is 1234H"),
        (raw("0000 0001 02000000 00FF", NO_DATA, ID), "Command Field (0000,0100) is FF00H"),
        (raw("0000 0001 01000000 30", NO_DATA, ID), "not a number"),
        (raw(FIELD, ID, NO_DATA, "00"), "1 bytes are left over"),
        (raw(FIELD, ID, NO_DATA, "0000 0209 000000"), "7 bytes are left over"),
        (raw(FIELD, ID, NO_DATA, "0000 0209 FFFFFFFF 41"), "(0000,0902) of 4294967295 bytes"),
        (raw(FIELD, ID, NO_DATA, "0800 1600 00000000"), "(0008,0016)"),
    ],
)
def test_what_is_no_command_set_is_malformed(data: bytes, why: str) -> None:
    told = decode_command(data)
    assert isinstance(told, Malformed)
    assert told.reason == 6
    assert why in told.why


texts = st.text(st.characters(min_codepoint=33, max_codepoint=255), max_size=12)
values = {
    Tag.AFFECTED_SOP_CLASS: texts,
    Tag.ERROR_COMMENT: texts,
    Tag.STATUS: st.integers(0, 65535),
    Tag.OFFENDING_ELEMENT: st.lists(st.integers(0, 0xFFFFFFFF), max_size=4).map(tuple),
    0x9999: st.binary(max_size=8).filter(lambda value: len(value) % 2 == 0),
}


@given(st.fixed_dictionaries({}, optional=values))
@settings(max_examples=60, deadline=None)
def test_any_command_is_decoded_to_what_was_encoded(elements: dict[int, Value]) -> None:
    elements = {**ECHO_RQ.elements, **elements}
    decoded = decode_command(encode_command(Command(elements)))
    assert isinstance(decoded, Command)
    assert {tag: value for tag, value in decoded.elements.items() if tag} == elements


@pytest.mark.parametrize(
    "elements",
    [{Tag.STATUS: 65536}, {Tag.STATUS: -1}, {Tag.OFFENDING_ELEMENT: (1 << 32,)}, {Tag.OFFENDING_ELEMENT: 1 << 32}],
)
def test_a_value_of_ours_that_does_not_fit_is_refused_with_a_sentence(elements: dict[int, Value]) -> None:
    with pytest.raises(LocalProtocolError, match=r"element \(0000,090.\) cannot hold"):
        encode_command(Command(elements))


def test_a_command_without_a_known_field_says_so() -> None:
    for elements in ({}, {Tag.COMMAND_FIELD: 0x1234}, {Tag.COMMAND_FIELD: b"\1"}):
        with pytest.raises(LocalProtocolError, match="no known Command Field"):
            _ = Command(elements).field


def test_a_response_repeats_what_the_request_determines() -> None:
    assert response_to(STORE_RQ, 0).elements == {
        Tag.AFFECTED_SOP_CLASS: CT,
        Tag.COMMAND_FIELD: CommandField.C_STORE_RSP,
        Tag.MESSAGE_ID_RESPONDED_TO: 9,
        Tag.DATA_SET_TYPE: 0x0101,
        Tag.STATUS: 0,
        Tag.AFFECTED_SOP_INSTANCE: "1.2.3.4.5",
    }


def test_a_response_to_an_n_service_names_as_affected_what_was_requested() -> None:
    action = request(
        CommandField.N_ACTION_RQ,
        3,
        has_dataset=True,
        elements={Tag.REQUESTED_SOP_CLASS: FIND, Tag.REQUESTED_SOP_INSTANCE: "1.2", Tag.ACTION_TYPE: 1},
    )
    response = response_to(action, 0x0112, has_dataset=True, elements={Tag.ERROR_COMMENT: "unknown"})
    assert response.field is CommandField.N_ACTION_RSP
    assert (response.affected_sop_class, response.affected_sop_instance, response.action_type) == (FIND, "1.2", 1)
    assert (response.status, response.error_comment, response.has_dataset) == (0x0112, "unknown", True)
    assert Tag.REQUESTED_SOP_CLASS not in response.elements


def test_elements_given_for_a_response_replace_what_the_request_determines() -> None:
    assert response_to(ECHO_RQ, 0, elements={Tag.MESSAGE_ID_RESPONDED_TO: 999}).message_id_responded_to == 999


def test_there_is_no_response_to_a_response_or_to_a_cancel() -> None:
    cancel = Command({Tag.COMMAND_FIELD: CommandField.C_CANCEL_RQ, Tag.MESSAGE_ID_RESPONDED_TO: 1})
    for command in (FIND_RSP, cancel):
        with pytest.raises(LocalProtocolError, match="has no response"):
            response_to(command, 0)


@pytest.mark.parametrize("has_dataset", [True, False])
@pytest.mark.parametrize("instance", [None, "1.2.3", "1.2.34", ""])
@pytest.mark.parametrize("sop_class", [None, "1.2.840.10008.1.1", "1.2"])
@pytest.mark.parametrize(
    "field", [field for field in CommandField if not field & 0x8000 and field != CommandField.C_CANCEL_RQ]
)
def test_the_short_way_to_encode_a_response_gives_the_same_bytes(
    field: CommandField, sop_class: str | None, instance: str | None, has_dataset: bool
) -> None:
    event = 1 if field == CommandField.N_EVENT_REPORT_RQ else None
    given = {Tag.AFFECTED_SOP_CLASS: sop_class, Tag.AFFECTED_SOP_INSTANCE: instance, Tag.EVENT_TYPE: event}
    asked = request(field, 4711, elements={tag: value for tag, value in given.items() if value is not None})
    long_way = encode_command(response_to(asked, 0xFF00, has_dataset=has_dataset, elements=None))
    assert encode_response(asked, 0xFF00, has_dataset=has_dataset) == long_way
