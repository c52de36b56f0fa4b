"""What the packet comments of a recording of ours say, gathered for one connection while it is read.

Everything that knows how comments look is here and in `mockpacs.traffic.comment`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from mockpacs.traffic import comment

_NOTICE: Final = re.compile(r"\d+ (opened|released|rejected|aborted|closed|scenario|trouble): (.*)", re.DOTALL)
_ENDINGS: Final = frozenset(("rejected", "aborted", "closed"))
_MOST_HELD: Final = 1000


class Remarks:
    """Rules and faults by exchange, and how the connection ended."""

    __slots__ = ("_decided", "_offset", "_told", "is_continued", "is_secure", "notices", "outgoing", "unsent")

    def __init__(self, comments: Sequence[str]) -> None:
        """``comments``: those of the packet that opened the connection."""
        known = comment.connection_of(comments)
        self.is_continued = known is not None and known[1]
        """Whether an earlier part of the recording has the begin of the connection."""
        self.is_secure = comment.is_secure(comments)
        self.outgoing = comment.outgoing_of(comments)
        """The exchange for which we opened it, "" for none; None when the peer opened it."""
        self.notices: list[tuple[str, str]] = []
        """Kind and text of the notices that the live server gave, until somebody told them."""
        self.unsent = 0
        """Bytes that are in the file and did not leave."""
        self._decided: dict[int, tuple[str, str]] = {}
        self._told = 0  # the number of the last request a comment was about
        self._offset: int | None = None if self.is_continued else 0

    def take(self, comments: Sequence[str]) -> None:
        """The comments of the next packet; to be told before its bytes are looked at."""
        for text in comments:
            if self._offset is None or ' rule "' in text or ' fault "' in text:
                self._take_message(text)
            elif found := _NOTICE.match(text):
                self.notices.append((found[1], found[2]))
        self.unsent += comment.unsent_of(comments)

    @property
    def has_ending(self) -> bool:
        """Whether one of the notices is about the end of the association."""
        return any(kind in _ENDINGS for kind, _ in self.notices)

    def notice(self, kind: str) -> str | None:
        """The text of the first notice of this kind, which is told with it; None when there is none."""
        for number, (known, text) in enumerate(self.notices):
            if known == kind:
                del self.notices[number]
                return text
        return None

    @property
    def is_numbered(self) -> bool:
        """Whether it is known which number the first exchange seen has; told by the first comment on a request."""
        return self._offset is not None

    def learn(self, counted: int) -> bool:
        """The last request that is complete was the ``counted``-th seen. True when that tells the numbers."""
        if self._told and counted and self._offset is None:
            self._offset = self._told - counted
        return self.is_numbered

    def number(self, counted: int) -> int:
        """The number of the exchange that is the ``counted``-th seen; they differ when the begin was not read."""
        return counted + (self._offset or 0)

    def decided(self, number: int) -> tuple[str, str]:
        """Rule and fault of an exchange, told once."""
        return self._decided.pop(number, ("", ""))

    def _take_message(self, text: str) -> None:
        remark = comment.parse(text)
        if remark is None:
            if found := _NOTICE.match(text):
                self.notices.append((found[1], found[2]))
            return
        if self._offset is None and remark.message.endswith("-RQ"):
            self._told = remark.exchange
        if (remark.rule or remark.fault) and len(self._decided) < _MOST_HELD:
            rule, fault = self._decided.get(remark.exchange, ("", ""))
            self._decided[remark.exchange] = (remark.rule or rule, remark.fault or fault)
