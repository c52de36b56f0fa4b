"""Command sets as lines."""

from __future__ import annotations

import pytest

from mockpacs.traffic.dump import command
from mockpacs.traffic.dump.line import Tone
from mockpacs.wire import Command, CommandField, Tag, Value, request, response_to

STORE = request(
    CommandField.C_STORE_RQ,
    7,
    has_dataset=True,
    elements={Tag.AFFECTED_SOP_CLASS: "1.2.840.10008.5.1.4.1.1.2", Tag.AFFECTED_SOP_INSTANCE: "1.2.3", Tag.PRIORITY: 0},
)


def shown(one: Command) -> dict[str, str]:
    """The lines by their keyword."""
    lines = [line.text.split(maxsplit=2) for line in command.lines(one)]
    return {parts[1]: parts[2] if len(parts) > 2 else "" for parts in lines}


@pytest.mark.parametrize(
    ("keyword", "expected"),
    [
        ("AffectedSOPClassUID", "1.2.840.10008.5.1.4.1.1.2 (CT Image Storage)"),
        ("AffectedSOPInstanceUID", "1.2.3"),
        ("CommandField", "0001 C-STORE-RQ"),
        ("MessageID", "7"),
        ("Priority", "0 medium"),
        ("CommandDataSetType", "0001 data set present"),
    ],
)
def test_elements_are_named_and_their_codes_explained(keyword: str, expected: str) -> None:
    assert shown(STORE)[keyword] == expected


@pytest.mark.parametrize(
    ("status", "expected", "tone"),
    [
        (0x0000, "0000 success: the operation was done", Tone.PLAIN),
        (0xB000, "B000 coercion-of-data-elements: stored, with data elements changed", Tone.WARNING),
        (0xA700, "A700 out-of-resources: refused, out of resources", Tone.BAD),
        (0x1234, "1234 failure", Tone.BAD),
    ],
)
def test_a_status_has_its_name_for_the_service_and_a_tone(status: int, expected: str, tone: Tone) -> None:
    response = response_to(STORE, status)
    assert shown(response)["Status"] == expected
    assert [line.tone for line in command.lines(response) if "Status" in line.text] == [tone]


@pytest.mark.parametrize(
    ("tag", "value", "expected"),
    [
        (Tag.OFFENDING_ELEMENT, (0x00100010,), "(0010,0010) PatientName"),
        (Tag.ERROR_COMMENT, "a\x1b[2J", r"a\x1b[2J"),
        (Tag.ERROR_COMMENT, "", "(empty)"),
        (Tag.PRIORITY, 9, "9 unknown"),
        (Tag.PRIORITY, b"\1\2\3", "01 02 03  (3 bytes)"),
        (0x0300, b"ab", '61 62  "ab"  (2 bytes)'),
    ],
)
def test_odd_values_are_shown_harmless(tag: int, value: Value, expected: str) -> None:
    odd = Command({**STORE.elements, tag: value})
    assert next(line.text for line in command.lines(odd) if f"(0000,{tag:04X})" in line.text).endswith(expected)
