"""From when on our own scenario disturbed an association: what its peer does from then on is no fault of the peer.

A status, an answer, a rejection or the terms of an association are what a peer must cope with: they excuse nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from mockpacs.traffic import comment
from mockpacs.traffic.capture.event import Event, Missing
from mockpacs.traffic.exchange import Exchange, Notice, Record
from mockpacs.traffic.findings.check import PROTOCOL
from mockpacs.traffic.findings.finding import Finding
from mockpacs.wire import Role

_USUAL: Final = ("status ", "stored", "not stored", "answer ", "call ", "accept", "reject ")
"""How what any server may do is told; see `mockpacs.scenario.telling`."""
_AT_EVENT: Final = re.compile(r'rule ".*" at [a-z-]+(?:: (.*))?', re.DOTALL)
_NOTICE: Final = re.compile(r"([0-9]{1,9}) (?:aborted|closed|scenario): (.*)", re.DOTALL)


class Excuses:
    """By association. What the journal does not know any more is known from the recording, though not since when."""

    def __init__(self, records: Iterable[Record]) -> None:
        """``records``: those of the journal."""
        self._since: dict[int, float] = {}
        self._recorded: set[int] = set()
        for record in records:
            if record.association is None:
                continue
            if isinstance(record, Exchange):
                if disturbs(record.fault):
                    self._disturbed(record.association.number, record.started)
            elif _is_disturbing(record):
                self._disturbed(record.association.number, record.when)

    def watched(self, events: Iterable[Event]) -> Iterator[Event]:
        """The events of the recording, whose comments say what rules did."""
        for event in events:
            if not isinstance(event, Missing):
                for text in event.comments:
                    self._read(text)
            yield event

    def heard(self, findings: Iterable[Finding]) -> None:
        """What we did against the standard ourselves, whatever made us."""
        for finding in findings:
            ours = Role.REQUESTOR if finding.association.by_us else Role.ACCEPTOR
            if finding.sender is ours and finding.check in PROTOCOL:
                self._disturbed(finding.association.number, finding.when)

    def covers(self, finding: Finding) -> bool:
        """Whether it may be a consequence of what we did."""
        number = finding.association.number
        since = self._since.get(number)
        if since is None:
            return number in self._recorded
        return finding.when >= since

    def _disturbed(self, association: int, when: float) -> None:
        self._since[association] = min(when, self._since.get(association, when))

    def _read(self, text: str) -> None:
        if (remark := comment.parse(text)) is not None:
            if disturbs(remark.fault):
                self._recorded.add(remark.association)
        elif (found := _NOTICE.fullmatch(text)) and _says_disturbance(found[2]):
            self._recorded.add(int(found[1]))


def disturbs(fault: str) -> bool:
    """Whether what a rule did to an exchange is more than an answer a server may give."""
    return any(not part.startswith(_USUAL) for part in fault.split(", ") if part)


def _is_disturbing(notice: Notice) -> bool:
    return notice.kind in ("aborted", "closed", "scenario") and _says_disturbance(notice.text)


def _says_disturbance(text: str) -> bool:
    if found := _AT_EVENT.fullmatch(text):
        return disturbs(found[1] or "")
    return 'by us: rule "' in text or 'silence by rule "' in text
