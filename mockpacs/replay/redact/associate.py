"""A-ASSOCIATE-RQ and -AC with other titles and users, of the same length (PS3.8 9.3.2, PS3.7 D.3.3)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final

from mockpacs.replay.redact.report import Report
from mockpacs.replay.redact.rules import Rules

_TITLES: Final = (slice(4, 20), slice(20, 36))
_RESERVED: Final = slice(36, 68)
_FIRST_ITEM: Final = 68
_CONTEXTS: Final = frozenset((0x10, 0x20, 0x21))
_USER_INFORMATION: Final = 0x50
# maximum length, implementation class, asynchronous operations, roles, extended and common extended negotiation
_KEPT: Final = frozenset((0x51, 0x52, 0x53, 0x54, 0x56, 0x57))
_NUMBERS: Final = frozenset((0x51, 0x53))
_NUMBER_LENGTH: Final = 4
_WORD: Final = re.compile(rb"[A-Za-z]{2}")
"""Nothing that is kept has two letters in a row; where a length lies, what is taken for one item may be several."""
_IMPLEMENTATION_VERSION: Final = 0x55
_LONGEST_VERSION: Final = 16
_USER_IDENTITY: Final = 0x58
_IDENTITY_RESPONSE: Final = 0x59
_WITH_NAME: Final = (1, 2)
"""Kinds of user identity whose first field is a name; of the others it is a secret."""
_SECRET: Final = b"*"
_TOO_LONG: Final = b"\xff\xff"
"""A length that fits into no PDU: what was malformed stays malformed."""


def redacted_association(body: bytes, rules: Rules, report: Report, where: str) -> bytes:
    """The body of the PDU. What is reserved or not known becomes zeros."""
    new = bytearray(body)

    def complain(pos: int) -> None:
        report.trouble(f"{where}: an A-ASSOCIATE PDU whose items do not fit from byte {pos} on")

    for field in _TITLES:
        new[field] = _title(body[field], rules, report)
    new[_RESERVED] = bytes(len(body[_RESERVED]))
    for kind, start, end in _items(body, _FIRST_ITEM, len(body), new, complain):
        if kind == _USER_INFORMATION:
            for inner, first, last in _items(body, start, end, new, complain):
                new[first:last] = _sub_item(inner, body[first:last], rules, report)
        elif kind not in _CONTEXTS or _WORD.search(body[start:end]):
            new[start:end] = bytes(end - start)
    return bytes(new)


def _title(field: bytes, rules: Rules, report: Report) -> bytes:
    """Spaces stay; what is behind a NUL belongs to no title."""
    title = field.partition(b"\0")[0]
    if rules.is_gathering:
        rules.words.add_title(title.decode("latin-1"))
    report.other["AE titles of associations"] += bool(title.strip())
    return rules.disguise.text(title, "") + bytes(len(field) - len(title))


def _items(
    body: bytes, pos: int, end: int, new: bytearray, complain: Callable[[int], None]
) -> Iterator[tuple[int, int, int]]:
    """(type, first byte of the value, byte behind it); what does not fit becomes zeros that do not fit either."""
    while pos < end:
        start = pos + 4
        after = start + int.from_bytes(body[pos + 2 : start], "big")
        if start > end or after > end:
            new[pos:end] = bytes(end - pos)
            if start <= end:
                new[pos + 2 : start] = _TOO_LONG
            complain(pos)
            return
        yield body[pos], start, after
        pos = after


def _sub_item(kind: int, value: bytes, rules: Rules, report: Report) -> bytes:
    if kind in _KEPT and not _WORD.search(value) and (kind not in _NUMBERS or len(value) == _NUMBER_LENGTH):
        return value
    if kind == _IMPLEMENTATION_VERSION and len(value) <= _LONGEST_VERSION:
        return rules.words.scrub_name(value)
    if kind == _USER_IDENTITY:
        report.other["user identities"] += 1
        return _identity(value, rules)
    return (_SECRET if kind == _IDENTITY_RESPONSE else b"\0") * len(value)


def _identity(value: bytes, rules: Rules) -> bytes:
    """Kind, whether an answer is wanted, and two fields with their lengths (PS3.7 D.3.3.7)."""
    middle = 4 + int.from_bytes(value[2:4], "big")
    name, rest = value[4:middle], value[middle + 2 :]
    if value[:1] and value[0] in _WITH_NAME:
        if rules.is_gathering:
            rules.words.add(name)
        name = rules.disguise.text(name, "ISO_IR 192")
    else:
        name = _SECRET * len(name)
    return value[:4] + name + value[middle : middle + 2] + _SECRET * len(rest)
