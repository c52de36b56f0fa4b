"""C-ECHO: Verification (PS3.4 Annex A)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from mockpacs.services.request import Lane, Outcome, Request
from mockpacs.wire.status import SUCCESS

VERIFICATION: Final = "1.2.840.10008.1.1"


class VerificationService:
    """Says Success."""

    lane = Lane.LOOP

    def answer(self, request: Request) -> Iterable[Outcome]:
        """One Success, whatever the request says."""
        del request
        return (Outcome(SUCCESS),)
