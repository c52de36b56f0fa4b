"""The packet comments of our recordings: made by the server, shown by Wireshark, read back by whoever reads the file.

One line each, the parts in a fixed order, so that a person can search for ``1.2 C-STORE`` and a program can parse it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, NamedTuple

from mockpacs.wire.text import printable

_NUMBER: Final = r"([0-9]{1,18})"  # a file may hold any text: no number of 5000 digits
_CONNECTION: Final = re.compile(f"connection {_NUMBER} ")
_CONTINUES: Final = re.compile(f"continues connection {_NUMBER} of ")
_OUTGOING: Final = re.compile(
    r"(?:connection [0-9]+|continues connection [0-9]+ of \S+) to \S+(?: for ([0-9]{1,18}\.[0-9]{1,18})(?![^ ]))?"
)
_SECURE: Final = re.compile(r"connection [0-9]+ (?:from|to) \S+(?: for [0-9]+\.[0-9]+)? (?!for [0-9]+\.)\S")
_QUOTED: Final = r'"((?:[^"\\]|\\.)*)"'
_MESSAGE: Final = re.compile(
    rf"{_NUMBER}\.{_NUMBER} ([CN]-[A-Z-]+)(?: [^\"]*?)??(?: rule {_QUOTED})?(?: fault {_QUOTED})?", re.DOTALL
)
_UNSENT: Final = re.compile(f"unsent {_NUMBER}")


class Remark(NamedTuple):
    """What a comment on a message says."""

    association: int
    exchange: int
    message: str
    """``C-STORE-RQ``, ``C-STORE-RSP``"""
    rule: str
    fault: str


def connection(number: int, address: str, security: str = "", *, by_us: bool = False, cause: str = "") -> str:
    """On the first packet of a connection; ``security`` names what TLS agreed on.

    ``by_us``: we opened it, and ``address`` is where to; ``cause``: for which exchange, as ``3.1``.
    """
    way = _way(address, cause) if by_us else f"from {address}"
    return f"connection {number} {way}{f' {security}' if security else ''}"


def continues(number: int, file_name: str, to: str = "", cause: str = "") -> str:
    """On the first packet of a connection that a later part of a recording repeats; ``to``: of one we opened."""
    return f"continues connection {number} of {printable(file_name)}{f' {_way(to, cause)}' if to else ''}"


def message(identity: str, name: str, titles: str, result: str = "", *, rule: str = "", fault: str = "") -> str:
    """On the last segment of a message: exchange ``1.2``, ``C-STORE-RSP``, titles, and what was decided."""
    parts = [identity, name]
    if result:
        parts.append(result)
    parts.append(titles)
    if rule:
        parts.append(f"rule {_quoted(rule)}")
    if fault:
        parts.append(f"fault {_quoted(fault)}")
    return " ".join(parts)


def titles(calling: str, called: str) -> str:
    """``CT1 > MOCKPACS``"""
    both = f"{printable(calling, 16)} > {printable(called, 16)}"
    return both.replace('"', "'")  # who calls itself ``rule "x"`` decides nothing


def unsent(size: int) -> str:
    """On the last packet: that many bytes of its direction are in the file, but the system did not take them."""
    return f"unsent {size}"


def connection_of(comments: Iterable[str]) -> tuple[int, bool] | None:
    """The number a connection of ours has, and whether it was begun in an earlier part; None when nothing says so."""
    for comment in comments:
        if found := _CONNECTION.match(comment):
            return int(found[1]), False
        if found := _CONTINUES.match(comment):
            return int(found[1]), True
    return None


def outgoing_of(comments: Iterable[str]) -> str | None:
    """The exchange a connection was opened for, when it was us who opened it: "" for none, None when it was not us."""
    for comment in comments:
        if found := _OUTGOING.match(comment):
            return found[1] or ""
    return None


def is_secure(comments: Iterable[str]) -> bool:
    """Whether the first packet of a connection says that TLS was spoken."""
    return any(_SECURE.match(comment) for comment in comments)


def parse(comment: str) -> Remark | None:
    """What a comment says about a message, None when it is about none."""
    found = _MESSAGE.fullmatch(comment)
    if found is None:
        return None
    rule, fault = found[4] or "", found[5] or ""
    return Remark(int(found[1]), int(found[2]), found[3], _unquoted(rule), _unquoted(fault))


def unsent_of(comments: Iterable[str]) -> int:
    """How many of the last bytes of this packet's sender did not leave."""
    return sum(int(found[1]) for comment in comments if (found := _UNSENT.fullmatch(comment)))


def _way(address: str, cause: str) -> str:
    return f"to {address}{f' for {cause}' if cause else ''}"


def _quoted(text: str) -> str:
    escaped = printable(text).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _unquoted(text: str) -> str:
    return "\\".join(part.replace("\\", "") for part in text.split("\\\\"))  # a hundred times as fast as re.sub
