"""One taped association, played at the level of bytes or of PDUs, stepped on what the peer says."""

from __future__ import annotations

import dataclasses
from typing import Final

from mockpacs.net.dialer import socket_to
from mockpacs.net.partner import Setting
from mockpacs.net.peer import Peer
from mockpacs.net.requestor import NotAssociated
from mockpacs.replay.association import TapedAssociation
from mockpacs.replay.client.judge import what_of
from mockpacs.replay.client.line import Line
from mockpacs.replay.client.milestones import Milestone
from mockpacs.replay.client.negotiation import has_secret, proposal_of
from mockpacs.replay.client.pace import Pace, Progress
from mockpacs.replay.client.pdus import fitting
from mockpacs.replay.client.raw import Act, Asks, End, Lost, Reached, Send, acts
from mockpacs.replay.client.report import Report
from mockpacs.replay.client.settings import PIPELINED_SECONDS, Settings
from mockpacs.wire import AssociateAC, AssociateRQ, PDataTF, PduType, decode_pdu, encode_pdu

_UNHURRIED_SECONDS: Final = 5.0
_HEADER_LENGTH: Final = 6


class RawPlayer:
    """Of one association, once."""

    def __init__(
        self, taped: TapedAssociation, peer: Peer, settings: Settings, report: Report, setting: Setting, number: int
    ) -> None:
        """``number``: of the connection in a recording of the replay."""
        self.progress = Progress()
        self._taped = taped
        self._peer = peer
        self._settings = settings
        self._report = report
        self._setting = setting
        self._number = number
        self._by_pdu = settings.fidelity == "pdu"
        self._line: Line | None = None
        self._expected: list[Milestone] = []
        self._skipped: set[int] = set()  # message ids of requests that are not played
        self._is_given_up = False
        self._recorded_end: End | None = None
        self._before, self._was_client = taped.opened, False

    async def play(self, pace: Pace) -> None:
        """All of it. Raises `NotAssociated` when there is no connection."""
        try:
            await pace.reach(self._taped.opened)
            await self._open()
            for act in acts(self._taped, by_pdu=self._by_pdu):
                if not await self._do(act, pace):
                    break
            await self._finish()
        finally:
            self.progress.end()
            if self._line is not None:
                await self._line.leave()

    async def _open(self) -> None:
        if has_secret(self._taped.request) and not (self._by_pdu and self._settings.passcode is not None):
            self._report.note(
                f"{self._taped.number}: the recording does not hold the passcode of its user identity; "
                "asterisks are sent"
            )
        sock = await socket_to(self._peer, self._settings.patience_seconds)
        self._report.associations += 1
        self._line = Line(self._number, self._peer, sock, self._setting)
        await self._line.open(self._settings.patience_seconds)
        if not self._line.is_ready:
            raise NotAssociated(f"{self._peer.address}: {self._line.why or 'the connection was closed at once'}")

    async def _do(self, act: Act, pace: Pace) -> bool:
        """Whether to go on."""
        if isinstance(act, Asks):
            self._ask(act)
            return True
        self.progress.reach(act.when)
        match act:
            case Send():
                if not await self._catch_up():
                    return False
                await self._keep_waiting(act.when)
                await pace.reach(act.when)
                if not await self._send(act):
                    now = f"nothing of them within {self._settings.patience_seconds:g} s"
                    self._report.differ(str(self._taped.number), "bytes", "taken", now)
                    self._is_given_up = True
                    return False
            case Reached():
                if act.milestone.answers not in self._skipped:
                    self._expected.append(act.milestone)
            case Lost():
                self._report.miss(
                    str(self._taped.number), "the rest", f"{act.size} bytes of the client were not captured"
                )
                return False
            case End():
                return await self._end(act, pace)
        self._before, self._was_client = act.when, isinstance(act, Send)
        return True

    def _ask(self, act: Asks) -> None:
        """In the ``pdu`` mode a message is left out for which the live peer has no context like the recorded one."""
        self._report.exchanges += 1
        if not self._by_pdu:
            return
        if self._can_say(act.context_id):
            return
        self._report.exchanges -= 1
        self._skipped.add(act.command.message_id or 0)
        self._report.miss(
            str(self._taped.number),
            what_of(act.command),
            "the peer does not accept its presentation context with the recorded transfer syntax",
        )

    def _can_say(self, context_id: int) -> bool:
        """Whether what the recorded peer could understand can be understood by the live one."""
        then, now = _accepted(self._taped, context_id), self._live.accepted(context_id)
        if then is None or self._live.answer is None:
            return True
        return now is not None and now.transfer_syntax == then

    async def _send(self, act: Send) -> bool:
        for data in self._changed(act) if act.is_pdu else [act.data]:
            self._report.bytes += len(data)
            if not await self._live.send(data, self._settings.patience_seconds):
                return False
        return True

    def _changed(self, act: Send) -> list[bytes]:
        """A PDU as it can be sent to the live peer."""
        pdu_type = act.data[0]
        if pdu_type == PduType.ASSOCIATE_RQ:
            return [self._request(act.data)]
        if pdu_type != PduType.P_DATA_TF:
            return [act.data]
        answer = self._live.answer
        limit = answer.user.max_pdu_length if answer is not None else 0
        pdu = decode_pdu(pdu_type, memoryview(act.data)[_HEADER_LENGTH:])
        if not isinstance(pdu, PDataTF):
            return [act.data]
        kept = tuple(pdv for pdv in pdu.pdvs if self._can_say(pdv.context_id))
        if len(kept) == len(pdu.pdvs) and (not limit or len(act.data) - _HEADER_LENGTH <= limit):
            return [act.data]
        return fitting(kept, limit)

    def _request(self, data: bytes) -> bytes:
        settings = self._settings
        pdu = decode_pdu(data[0], memoryview(data)[_HEADER_LENGTH:])
        if not isinstance(pdu, AssociateRQ) or not (settings.called or settings.calling or settings.passcode):
            return data
        user = proposal_of(dataclasses.replace(self._taped, request=pdu), settings).request.user
        named = dataclasses.replace(
            pdu, called=settings.called or pdu.called, calling=settings.calling or pdu.calling, user=user
        )
        return encode_pdu(named)

    async def _catch_up(self) -> bool:
        """Wait for what the recorded peer had said by now; False when it does not come."""
        line, due = self._live, len(self._expected)
        if await line.wait(lambda: len(line.milestones) >= due, self._settings.patience_seconds):
            return True
        if line.has_ended:
            return True  # what is still sent to somebody who said that nothing more will come is the client's affair
        self._is_given_up = True
        return False

    async def _keep_waiting(self, when: float) -> None:
        """The client spoke last, and long before: it waited for an answer, or stalled. The peer has as long."""
        line, seconds, due = self._live, when - self._before, len(self._expected)
        if self._was_client and seconds > PIPELINED_SECONDS:
            await line.wait(lambda: len(line.milestones) > due, min(self._settings.patience_seconds, seconds))

    async def _end(self, act: End, pace: Pace) -> bool:
        if self._recorded_end is None:
            self._recorded_end = act
        if act.how == "cut":
            return False
        if act.by_client:
            await self._catch_up()
            await self._keep_waiting(act.when)
            await pace.reach(act.when)
            if act.how == "reset":
                self._live.link.reset()
            else:
                self._live.link.half_close()
            return act.how != "reset"
        seconds = min(self._settings.patience_seconds, act.when - self._before + _UNHURRIED_SECONDS)
        await self._live.wait(lambda: False, seconds)
        return act.how != "reset"

    async def _finish(self) -> None:
        """Wait for the rest, then compare."""
        if not self._is_given_up:
            await self._catch_up()
        number, live = str(self._taped.number), self._live.milestones
        for at in range(max(len(self._expected), len(live))):
            then = self._expected[at].text if at < len(self._expected) else "nothing"
            now = live[at].text if at < len(live) else self._nothing()
            if then != now:
                self._report.differ(number, f"answer {at + 1}", then, now)
                if at >= len(live):
                    break
        self._compare_ends(number)

    def _compare_ends(self, number: str) -> None:
        end = self._recorded_end
        if self._is_given_up:
            return
        if end is None or end.how == "cut":
            self._report.note(f"{number}: the recording ends before the connection does; played up to there")
            return
        is_over = any(milestone.ends for milestone in self._expected)
        if end.by_client or is_over or len(self._expected) != len(self._live.milestones):
            return
        then = f"{'reset' if end.how == 'reset' else 'closed'} by the server"
        now = self._live.why or "still open"
        if then != now:
            self._report.differ(number, "end", then, now)

    def _nothing(self) -> str:
        if self._is_given_up:
            return f"nothing within {self._settings.patience_seconds:g} s"
        return self._live.why or "nothing"

    @property
    def _live(self) -> Line:
        assert self._line is not None
        return self._line


def _accepted(taped: TapedAssociation, context_id: int) -> str | None:
    """The transfer syntax that was accepted for a context; None when it was not."""
    if not isinstance(taped.answer, AssociateAC):
        return None
    for answer in taped.answer.contexts:
        if answer.context_id == context_id and answer.result == 0:
            return answer.transfer_syntax
    return None
