"""One thing that the standard does not allow."""

from __future__ import annotations

from dataclasses import dataclass

from mockpacs.traffic.exchange import Association
from mockpacs.wire import Role


@dataclass(frozen=True, slots=True)
class Finding:
    """What one side did, when, and which clause says otherwise."""

    association: Association
    exchange: int
    """The number of the exchange in its association, 0 when it belongs to none."""
    sender: Role
    """Who did it."""
    when: float
    """Seconds since 1970."""
    clause: str
    """``PS3.7 9.3.2.2``"""
    text: str
    """A sentence that says what was seen, with the values, not what should have been alone."""
    position: int = 0
    """Where, in bytes of what this side sent."""
    check: str = ""
    """The name of the check that found it: a row of `mockpacs.traffic.findings.check.CHECKS`."""
