"""A finding as one line of text, and as a mapping for JSON; text of a peer is made harmless here."""

from __future__ import annotations

from mockpacs.traffic.findings.finding import Finding
from mockpacs.traffic.render import clock, iso_time
from mockpacs.wire import Role
from mockpacs.wire.text import printable

_LONGEST_TITLE = 16


def line(finding: Finding) -> str:
    """One line: when, which exchange, who did it to whom, what was seen, the clause."""
    number = str(finding.association.number)
    if finding.exchange:
        number = f"{number}.{finding.exchange}"
    text = printable(finding.text)
    return f"{clock(finding.when)}  {number:<6} {who(finding)}: {text} [{finding.clause}]"


def who(finding: Finding) -> str:
    """Who did it, and whom to: ``CT1 > PACS``; the one who opened the association by its address without titles."""
    association = finding.association
    requestor = printable(association.calling, _LONGEST_TITLE) or association.address or "requestor"
    acceptor = printable(association.called, _LONGEST_TITLE) or association.server or "acceptor"
    sender, receiver = (requestor, acceptor) if finding.sender is Role.REQUESTOR else (acceptor, requestor)
    return f"{sender} > {receiver}"


def as_json(finding: Finding) -> dict[str, object]:
    """A mapping for one line of JSON; the time in ISO 8601 with offset."""
    association = finding.association
    return {
        "event": "finding",
        "time": iso_time(finding.when),
        "association": association.number,
        "peer": association.server if association.by_us else association.address,
        "calling": association.calling,
        "called": association.called,
        "exchange": finding.exchange or None,
        "sender": finding.sender.value,
        "check": finding.check,
        "clause": finding.clause,
        "text": finding.text,
        "position": finding.position,
    }
