"""How values of a peer are put into a sentence: quoted, cut, numbers as the standard writes them."""

from __future__ import annotations

import re
from typing import Final

from mockpacs.wire import CommandField, Role
from mockpacs.wire.dictionary import keyword_of

_LONGEST: Final = 64
_UID: Final = re.compile(r"(0|[1-9][0-9]*)(\.(0|[1-9][0-9]*))*")

PDU_NAMES: Final = {
    1: "A-ASSOCIATE-RQ",
    2: "A-ASSOCIATE-AC",
    3: "A-ASSOCIATE-RJ",
    4: "P-DATA-TF",
    5: "A-RELEASE-RQ",
    6: "A-RELEASE-RP",
    7: "A-ABORT",
}


def quoted(text: str) -> str:
    """A value as it was sent, between quotes, cut when it is long."""
    return f'"{text}"' if len(text) <= _LONGEST else f'"{text[: _LONGEST - 1]}…"'


def tag_name(tag: int) -> str:
    """(0010,0010) PatientName."""
    keyword = keyword_of(tag)
    number = f"({tag >> 16:04X},{tag & 0xFFFF:04X})"
    return f"{number} {keyword}" if keyword else number


def message_name(field: CommandField) -> str:
    """C-STORE-RQ."""
    return field.name.replace("_", "-")


def other(role: Role) -> Role:
    """The other side."""
    return Role.ACCEPTOR if role is Role.REQUESTOR else Role.REQUESTOR


def uid_problem(uid: str) -> str:
    """What PS3.5 9.1 has against a UID, "" for nothing."""
    if not uid:
        return "is empty"
    if len(uid) > 64:
        return f"has {len(uid)} characters, 64 is the most"
    if _UID.fullmatch(uid):
        return ""
    if set(uid) - set("0123456789."):
        return "has characters other than digits and periods"
    return "has an empty component" if ".." in f".{uid}." else "has a component with a leading zero"
