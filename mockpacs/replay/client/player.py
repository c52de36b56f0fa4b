"""One taped association, played at the level of messages: a request leaves when all has come that came before it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Final

from mockpacs.net.dialer import socket_to
from mockpacs.net.partner import Partner, Setting
from mockpacs.net.peer import Peer
from mockpacs.net.requestor import NotAssociated
from mockpacs.replay.association import TapedAssociation
from mockpacs.replay.client.aliases import learn
from mockpacs.replay.client.dialogue import Dialogue, Request
from mockpacs.replay.client.judge import Judge, what_of
from mockpacs.replay.client.negotiation import has_secret, place_of, proposal_of
from mockpacs.replay.client.outgoing import UnreadableError, outgoing
from mockpacs.replay.client.pace import Pace, Progress
from mockpacs.replay.client.recorded import PENDING_STATUSES, Recorded
from mockpacs.replay.client.report import Report
from mockpacs.replay.client.settings import PIPELINED_SECONDS, Settings
from mockpacs.replay.client.uids import UidTable
from mockpacs.replay.step import Control, Ending, Gap, Noise, Said, Step
from mockpacs.traffic.comment import titles
from mockpacs.wire import Abort, AssociateAC, AssociateRJ, ReleaseRQ, Role

_UNHURRIED_SECONDS: Final = 5.0
"""How much longer than in the recording the peer may take to end the association by itself."""


class Player:
    """Of one association, once."""

    def __init__(
        self,
        taped: TapedAssociation,
        peer: Peer,
        settings: Settings,
        table: UidTable,
        report: Report,
        setting: Setting,
        number: int,
    ) -> None:
        """``number``: of the connection in a recording of the replay."""
        self.progress = Progress()
        self._taped = taped
        self._peer = peer
        self._settings = settings
        self._table = table
        self._report = report
        self._setting = setting
        self._number = number
        self._recorded = Recorded(taped)
        self._judge = Judge(taped, self._recorded, report)
        self._proposal = proposal_of(taped, settings)
        request = self._proposal.request
        self._dialogue = Dialogue(self._recorded.answers(), titles(request.calling, request.called))
        self._partner: Partner | None = None
        self._due: Counter[int] = Counter()  # pending responses that were recorded up to here, by exchange
        self._due_of_peer = 0
        self._nameless = 0
        self._is_given_up = False

    async def play(self, pace: Pace) -> None:
        """All of it. Raises `NotAssociated` when there is no connection."""
        try:
            if not self._asks_for_something():
                self._judge.nothing_to_say()
                return
            await pace.reach(self._taped.opened)
            await self._associate()
            if isinstance(self._dialogue.answer, AssociateAC):
                await self._play(pace)
            self._judge.all(self._dialogue)
        finally:
            self.progress.end()
            if self._partner is not None:
                await self._partner.leave()

    def _asks_for_something(self) -> bool:
        """Whether there was an association request; or, where that was not captured, something to ask for one with."""
        return self._taped.request is not None or bool(self._proposal.request.contexts)

    async def _associate(self) -> None:
        if has_secret(self._taped.request) and self._settings.passcode is None:
            self._report.note(
                f"{self._taped.number}: the recording does not hold the passcode of its user identity; "
                "give it with --passcode"
            )
        sock = await socket_to(self._peer, self._settings.patience_seconds)
        self._report.associations += 1
        self._partner = Partner(self._number, self._peer, sock, self._proposal.request, self._setting, self._dialogue)
        self._dialogue.partner = self._partner
        self._partner.link.open()
        unanswered = self._recorded.unanswered_association_seconds
        patience = self._patience if unanswered is None else min(self._patience, unanswered)
        answered = await self._dialogue.wait(lambda: self._dialogue.answer is not None, patience)
        if self._dialogue.end is not None and not self._partner.is_open:
            raise NotAssociated(f"{self._peer.address}: {self._dialogue.end.why}")
        if answered or self._dialogue.end is not None:
            return
        if unanswered is None:
            self._give_up("no answer to the association request")
        else:
            self._leave_as_recorded()

    def _leave_as_recorded(self) -> None:
        """The recorded client lost patience, and so do we."""
        for step in self._taped.steps:
            if step.sender is Role.REQUESTOR and isinstance(step, Ending):
                self._end(step)
                return
            if step.sender is Role.REQUESTOR and isinstance(step, Control) and isinstance(step.pdu, Abort):
                self._live.abort(step.pdu.source, step.pdu.reason)
                return
        self._live.close()

    async def _play(self, pace: Pace) -> None:
        if isinstance(self._taped.answer, AssociateRJ):
            self._live.release()
            await self._dialogue.wait(lambda: False, self._patience)
            return
        before, was_client = self._taped.opened, False
        for step in self._taped.steps:
            self.progress.reach(step.when)
            if self._dialogue.end is not None:
                break
            is_client = step.sender is Role.REQUESTOR
            if is_client and was_client:
                await self._keep_waiting(step, before)
            if self._dialogue.end is None:
                await self._step(step, pace, before)
            before, was_client = step.when, is_client
        await self._finish()

    async def _keep_waiting(self, step: Step, before: float) -> None:
        """The client spoke last, and did something again: it may have waited for an answer that did not come.

        The live peer has as long to answer. Without this an abort for lack of an answer would be the same whatever
        the peer does.
        """
        dialogue = self._dialogue
        seconds = (step.started if isinstance(step, Said) else step.when) - before
        if dialogue.open_requests and (seconds > PIPELINED_SECONDS or isinstance(step, Control | Ending)):
            await dialogue.wait(lambda: not dialogue.open_requests, min(self._patience, seconds))

    async def _step(self, step: Step, pace: Pace, before: float) -> None:
        is_client = step.sender is Role.REQUESTOR
        match step:
            case Said() if is_client and step.command.is_request:
                await pace.reach(step.started)
                await self._say(step)
            case Said() if not is_client:
                await self._await_message(step)
            case Control() if is_client:
                await pace.reach(step.when)
                await self._control(step)
            case Control(pdu=Abort() | ReleaseRQ()) if not is_client:
                await self._await_end(step.when - before)
            case Ending(how="cut"):
                pass
            case Ending() if is_client:
                await pace.reach(step.when)
                self._end(step)
            case Ending():
                await self._await_end(step.when - before)
            case Noise() | Gap() if is_client:
                self._judge.noise(step)

    async def _say(self, said: Said) -> None:
        number = said.exchange or self._nameless_number()
        if not said.is_whole:
            self._judge.miss(said, "the recording does not have all of its data set")
            return
        cancels = None
        if said.command.service == "C-CANCEL":
            asked = self._dialogue.requests.get(number)
            if asked is None or asked.final is not None:
                self._judge.miss(said, "what it cancels was not sent" if asked is None else "all was answered already")
                return
            cancels = asked.message_id
        if self._live.end is None and not self._live.can_send:
            self._judge.miss(said, f"the peer takes no message: its maximum PDU length is {self._live.max_pdu_length}")
            return
        place = place_of(said, self._proposal.ids, self._live.accepted)
        if isinstance(place, str):
            self._judge.miss(said, place)
            return
        try:
            out = outgoing(said, place, self._table, self._dialogue.next_id() if cancels is None else 0, cancels)
            if cancels is not None:
                await self._dialogue.say(place.context, out, self._patience)
                return
            is_taken = await self._dialogue.ask(number, place.context, out, self._patience)
        except UnreadableError as problem:
            self._judge.miss(said, f"its data set cannot be converted: {problem}")
            return
        self._count(said)
        if not is_taken:
            self._give_up(f"nothing of {what_of(out.command)} was taken")

    def _count(self, said: Said) -> None:
        self._report.exchanges += 1
        self._report.instances += said.command.service == "C-STORE"
        self._report.bytes += said.data.size if said.data is not None else 0

    async def _await_message(self, said: Said) -> None:
        """What the peer said in the recording has to come before anything else is said."""
        dialogue = self._dialogue
        if said.command.is_request:
            await self._await_request(said)
            return
        number = said.exchange
        asked = dialogue.requests.get(number)
        if asked is None:
            return
        if said.command.status in PENDING_STATUSES:
            self._due[number] += 1
            due = self._due[number]
            wanted: Callable[[], bool] = lambda: asked.final is not None or asked.responses >= due  # noqa: E731
        else:
            wanted = lambda: asked.final is not None  # noqa: E731
        if not wanted():
            await self._wait(wanted, "was not answered", asked)
        if asked.final is not None:
            self._learn(asked)

    async def _await_request(self, said: Said) -> None:
        """A sub-operation, or an event report. When all of ours is answered, no more sub-operations will come."""
        if said.command.service == "C-CANCEL":
            return
        dialogue = self._dialogue
        self._due_of_peer += 1
        due = self._due_of_peer
        was_open = dialogue.open_requests

        def wanted() -> bool:
            return dialogue.asked_by_peer.total() >= due or bool(was_open and not dialogue.open_requests)

        if not wanted() and (was_open or said.command.service != "C-STORE"):
            await dialogue.wait(wanted, self._patience)

    async def _wait(self, wanted: Callable[[], bool], complaint: str, asked: Request | None = None) -> None:
        if not await self._dialogue.wait(wanted, self._patience) and self._dialogue.end is None:
            self._give_up(f"{what_of(asked.command) if asked else 'a request'} {complaint}")

    def _learn(self, asked: Request) -> None:
        learn(
            self._table, asked, self._recorded.matches.get(asked.number, ()), self._recorded.responses.get(asked.number)
        )
        asked.matches.clear()

    async def _control(self, step: Control) -> None:
        if isinstance(step.pdu, Abort):
            self._live.abort(step.pdu.source, step.pdu.reason)
        elif isinstance(step.pdu, ReleaseRQ):
            self._live.release()
            seconds = self._recorded.unanswered_release_seconds
            patience = self._patience if seconds is None else min(self._patience, seconds)
            if not await self._dialogue.wait(lambda: self._dialogue.end is not None, patience) and seconds is None:
                self._give_up("the peer did not answer the release request")

    def _end(self, step: Ending) -> None:
        if step.how == "reset":
            self._live.reset()
        else:
            self._live.close()

    async def _await_end(self, recorded_seconds: float) -> None:
        """The recorded peer ended the association; the live one has the same time, and some more, to do so."""
        dialogue = self._dialogue
        was_open = dialogue.open_requests
        seconds = min(self._patience, recorded_seconds + _UNHURRIED_SECONDS)
        await dialogue.wait(lambda: bool(was_open and not dialogue.open_requests), seconds)
        if dialogue.end is None:
            await self._finish()

    async def _finish(self) -> None:
        """The recording has no end, or another one: what is open may be answered, then the association is released."""
        dialogue = self._dialogue
        if dialogue.end is None and dialogue.open_requests:
            await self._wait(lambda: not dialogue.open_requests, "was not answered")
        if dialogue.end is None:
            self._live.release()
            if not await dialogue.wait(lambda: dialogue.end is not None, self._patience):
                self._give_up("the peer did not answer the release request")

    def _give_up(self, why: str) -> None:
        if not self._is_given_up and self._dialogue.end is None:
            self._is_given_up = True
            self._judge.gave_up(f"{why} within {self._patience:g} s")
            self._live.abort()

    def _nameless_number(self) -> int:
        """For a message of no exchange."""
        self._nameless -= 1
        return self._nameless

    @property
    def _patience(self) -> float:
        return self._settings.patience_seconds

    @property
    def _live(self) -> Partner:
        assert self._partner is not None
        return self._partner
