"""How values of a peer are put into a sentence: quoted, cut, numbers as the standard writes them."""

from __future__ import annotations

import re
from typing import Final

from mockpacs.wire import Role

_LONGEST: Final = 64
_UID: Final = re.compile(r"(0|[1-9][0-9]*)(\.(0|[1-9][0-9]*))*")


def quoted(text: str) -> str:
    """A value as it was sent, between quotes, cut when it is long."""
    return f'"{text}"' if len(text) <= _LONGEST else f'"{text[: _LONGEST - 1]}…"'


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
