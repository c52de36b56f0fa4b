"""C-ECHO."""

from __future__ import annotations

from mockpacs.services.request import Lane, Outcome, Request
from mockpacs.services.verification import VERIFICATION, VerificationService
from mockpacs.wire import AcceptedContext, CommandField, request


def test_an_echo_succeeds_without_a_thread() -> None:
    service = VerificationService()
    context = AcceptedContext(1, VERIFICATION, "1.2.840.10008.1.2")

    assert list(service.answer(Request(request(CommandField.C_ECHO_RQ, 7), context))) == [Outcome(0x0000)]
    assert service.lane is Lane.LOOP
