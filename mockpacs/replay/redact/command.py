"""A command set with other titles and UIDs, of the same length: its fragments stay as they were (PS3.7 E.1)."""

from __future__ import annotations

import re
from struct import Struct
from typing import Final

from mockpacs.replay.redact.report import BLANKED, REPLACED, Report
from mockpacs.replay.redact.rules import Rules
from mockpacs.wire import Tag

_ELEMENT: Final = Struct("<HHI")
_TITLES: Final = frozenset((Tag.MOVE_DESTINATION, Tag.MOVE_ORIGINATOR_AET))
_INSTANCES: Final = frozenset((Tag.AFFECTED_SOP_INSTANCE, Tag.REQUESTED_SOP_INSTANCE))
_CLASSES: Final = frozenset((Tag.AFFECTED_SOP_CLASS, Tag.REQUESTED_SOP_CLASS))
_TAGS: Final = frozenset((Tag.OFFENDING_ELEMENT, Tag.ATTRIBUTE_IDENTIFIER_LIST))
_NUMBERS: Final = frozenset(Tag) - _TITLES - _INSTANCES - _CLASSES - _TAGS - {Tag.ERROR_COMMENT}
_LONGEST_NUMBER: Final = 4
_UID: Final = re.compile(rb"[0-9.]*[ \0]?")
_COMMENT: Final = b"REDACTED"


def redacted_command(raw: bytes, rules: Rules, report: Report, where: str) -> bytes:
    """The same command. Comments of errors may say anything and are overwritten, and so is what is not known."""
    new, pos = bytearray(raw), 0
    while pos < len(raw):
        start = pos + _ELEMENT.size
        group, tag, length = _ELEMENT.unpack_from(raw, pos) if start <= len(raw) else (1, 0, 0)
        after = start + length
        if group or after > len(raw):
            new[pos:] = bytes(len(raw) - pos)
            report.trouble(f"{where}: a command set that cannot be read from byte {pos} on")
            break
        new[start:after] = _value(tag, raw[start:after], rules, report)
        pos = after
    return bytes(new)


def _value(tag: int, value: bytes, rules: Rules, report: Report) -> bytes:
    if rules.keeps(tag) or not value or _is_harmless(tag, value):
        return value
    if tag in _TITLES or tag in _INSTANCES:
        vr = "AE" if tag in _TITLES else "UI"
        if rules.is_gathering:
            rules.gather(tag, vr, value)
        new, done = rules.changed(tag, vr, value, ""), REPLACED
    elif tag == Tag.ERROR_COMMENT:
        new, done = _COMMENT[: len(value)].ljust(len(value)), REPLACED
    else:
        new, done = bytes(len(value)), BLANKED
    if new != value:
        report.note([(tag, done)])
    return new


def _is_harmless(tag: int, value: bytes) -> bool:
    """Whether a value says of nobody who it is, and is what its tag says: lengths may lie."""
    if tag in _NUMBERS:
        return len(value) <= _LONGEST_NUMBER
    if tag in _TAGS:
        return len(value) % 4 == 0
    return tag in _CLASSES and _UID.fullmatch(value) is not None
