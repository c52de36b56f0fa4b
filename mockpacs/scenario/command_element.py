"""Elements of the command set that are taken for attributes: they are no part of a data set, and have conditions of
their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from mockpacs.scenario.values import tag_text

_HOMES: Final[Mapping[int, str]] = {
    0x00000002: "write sop_class under when",
    0x00000003: "write sop_class under when",
    0x00000100: "write service under when",
    0x00000600: "write destination under when",
    0x00000900: "write status under when, at a moment that has one",
    0x00001000: "of a C-STORE write dataset: { SOPInstanceUID: ... }",
    0x00001001: "of a C-STORE write dataset: { SOPInstanceUID: ... }",
}
"""What looks at an element (PS3.7 Annex E) instead."""


def is_command_element(tag: int) -> bool:
    """Whether a tag is of group 0000, which no data set and no identifier has (PS3.5 7.1)."""
    return tag >> 16 == 0


def home_of(tag: int) -> str:
    """The sentence about an element of the command set where an attribute is expected."""
    told = f"{tag_text(tag)} is an element of the command, and no data set has it"
    return f"{told}; {_HOMES.get(tag, 'there is no condition on it')}"
