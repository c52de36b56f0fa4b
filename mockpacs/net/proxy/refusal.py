"""Telling a client of a proxy that there is nothing to be had: its request is rejected, then the connection ends."""

from __future__ import annotations

import asyncio

from mockpacs.net.proxy.ear import Ear
from mockpacs.net.proxy.leg import Leg
from mockpacs.traffic.capture.event import Flow
from mockpacs.traffic.recording.pairing import OTHER
from mockpacs.wire import AssociateRJ, Framer, Malformed, PduType, encode_pdu

TEMPORARY_CONGESTION = AssociateRJ(2, 3, 1)
"""Rejected transient, by the service provider (presentation), temporary congestion (PS3.8 9.3.4)."""
LOCAL_LIMIT_EXCEEDED = AssociateRJ(2, 3, 2)


class Refusal:
    """Of one connection. Who says anything but an A-ASSOCIATE-RQ, or nothing in time, gets no answer."""

    def __init__(self, leg: Leg, answer: AssociateRJ, why: str, ear: Ear, flow: Flow, seconds: float) -> None:
        """``seconds``: the time for the request, and after the answer that for the peer to close (ARTIM)."""
        self._leg = leg
        self._answer = answer
        self._why = why
        self._ear = ear
        self._flow = flow
        self._seconds = seconds
        self._framer = Framer(0)
        self._is_answered = False
        self._timer = asyncio.get_running_loop().call_later(seconds, leg.link.close)

    def received(self, data: memoryview | bytes) -> None:
        """Bytes came: answer when the request is whole."""
        self._ear.hear(self._flow, self._leg.sender, data)
        if not self._leg.settle() or self._is_answered:
            return
        for frame in self._framer.feed(data):
            if isinstance(frame, Malformed) or frame[0] != PduType.ASSOCIATE_RQ:
                self._leg.link.close()
            else:
                self.answer()
            return

    def answer(self) -> None:
        """The request is here."""
        self._is_answered = True
        result, source, reason = self._answer.result, self._answer.source, self._answer.reason
        text = f"association rejected: {self._why} (result {result}, source {source}, reason {reason})"
        comment = f"{self._flow.number} rejected: {text}"
        pdu = encode_pdu(self._answer)
        if self._leg.link.track is not None:
            self._leg.link.track.about_sending(comment)
        self._ear.hear(self._flow, OTHER[self._leg.sender], pdu, (comment,))
        self._leg.write(pdu)
        self.end()
        self._timer = asyncio.get_running_loop().call_later(self._seconds, self._leg.link.close)

    def end(self) -> None:
        """The connection is gone."""
        self._timer.cancel()
