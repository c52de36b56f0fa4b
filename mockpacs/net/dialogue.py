"""The requests of one association, answered one after the other in the order they came; only a C-CANCEL overtakes."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final, Protocol

from mockpacs.net.asking import Asking, Speaker
from mockpacs.net.call import Call, retrieve_call
from mockpacs.net.courier import Way, couriers
from mockpacs.net.environment import Environment
from mockpacs.net.incoming import Incoming
from mockpacs.net.link import Link
from mockpacs.net.responder import Responder, Sender, nobody
from mockpacs.services.request import Lane, Outcome, Request
from mockpacs.traffic.exchange import Association
from mockpacs.wire import AcceptedContext, Command, encode_response
from mockpacs.wire.status import (
    CANCEL,
    PENDING,
    PENDING_WITH_WARNING,
    PROCESSING_FAILURE,
)

if TYPE_CHECKING:
    from mockpacs.net.stage import Actor, Stage
    from mockpacs.net.theatre import Theatre

RETRIEVES: Final = ("C-GET", "C-MOVE")
_WAITING_BEHIND_A_GET: Final = 32
"""How many times as many requests may wait during a C-GET, when the peer cannot be made to wait."""


class Host(Sender, Speaker, Protocol):
    """The association that requests come on."""


class Dialogue:
    """The exchanges of an association.

    The steps follow one another by callback: a store takes three turns of the event loop, with a task it took six. Only
    a stream of responses, which has to wait for the peer, runs in a task.
    """

    def __init__(
        self,
        environment: Environment,
        association: Association,
        agreed: dict[str, bytes],
        link: Link,
        sender: Host,
        actor: Actor | None = None,
        *,
        accepted: Mapping[int, AcceptedContext] | None = None,
        providers: frozenset[str] = frozenset(),
    ) -> None:
        """``actor``: the association as a scenario sees it, None without one.

        ``accepted``: the presentation contexts; ``providers``: SOP classes for which the requestor has the SCP role.
        """
        self._environment = environment
        self._association = association
        self._agreed = agreed
        self._link = link
        self._track = link.track
        self._sender = sender
        self._responder = Responder(environment, association, link, sender)
        self.asking = Asking(environment, association, link, sender, self._next_number)
        """What we ask on this association: the sub-operations of a C-GET."""
        self._way = Way(self.asking, accepted or {}, providers)
        self._stage: Stage | None = None
        if environment.theatre is not None and actor is not None:
            self.join(environment.theatre, actor)
        self._waiting: deque[Incoming] = deque()
        self._current: Incoming | None = None
        self._call: Call | None = None  # a retrieve at work
        self._is_proceeding = False
        self._when_idle: Callable[[], None] | None = None
        self._count = 0

    @property
    def is_busy(self) -> bool:
        """Whether something waits for an answer of ours, and not we for one of the peer."""
        return self._current is not None and not self.asking.is_waiting

    def join(self, theatre: Theatre, actor: Actor) -> None:
        """Exchanges that begin from now on are played as a scenario says."""
        from mockpacs.net.stage import Stage

        self._stage = Stage(self._environment, theatre, self._association, self._request, actor, self._responder)

    def begin(self, context: AcceptedContext, command: Command, start: int) -> Incoming:
        """A request whose data set, if it has one, is still to come; ``start``: bytes received before its first PDU."""
        incoming = Incoming(self._next_number(), context, command, self._association.calling, self._environment)
        if self._track is not None:
            incoming.place = self._track.place_of(start)
        if self._stage is not None and self._stage.concerns(command.service):
            self._stage.prepare(incoming)
        return incoming

    def take(self, incoming: Incoming) -> None:
        """A complete request: answer it when its turn comes. When too many wait, the peer is made to wait as well."""
        self._responder.note_request(incoming)
        self._waiting.append(incoming)
        if self._current is None:
            self._proceed()
        elif len(self._waiting) >= self._environment.limits.max_waiting_requests:
            self._hold_back(self._current)

    def cancel(self, message_id: int | None) -> None:
        """C-CANCEL-RQ names the message ID of a request not answered yet (PS3.7 9.3.2.3); any other means nothing."""
        for incoming in (self._current, *self._waiting):
            if incoming is not None and incoming.command.message_id == message_id:
                if self._stage is None:
                    incoming.cancel()
                else:
                    self._stage.cancel(incoming)
                return

    def when_idle(self, then: Callable[[], None]) -> None:
        """Call ``then`` once everything that came is answered: the peer asked for the release."""
        if self._current is None:
            then()
            return
        self._when_idle = then
        if self.asking.is_mid_message:  # the final response of the C-GET would stand in the middle of it
            self._sender.break_off("the peer asked for the release while a sub-operation was sent to it")
            return
        self.asking.end("the peer asked for the release")  # it can answer no sub-operation any more

    def lose(self, incoming: Incoming) -> None:
        """The association ended before the data set of this request did."""
        incoming.discard()
        answered = incoming.scene.final if incoming.scene is not None else None  # a rule may have answered early
        self._responder.report(incoming, answered, "the association ended within the data set")
        if self._stage is not None:
            self._stage.reported(incoming, answered)

    def end(self) -> None:
        """The association is gone: nothing more is answered, what was received but not stored is forgotten.

        What still waits is reported when its turn comes, so that the exchanges keep their order.
        """
        self._when_idle = None
        self.asking.end("the association ended")
        if self._call is not None:
            self._call.close()  # it may wait for a peer that takes nothing
        if self._stage is not None:
            self._stage.over.set()
        if self._current is not None:
            self._current.cancel()
        for incoming in self._waiting:
            incoming.discard()

    def _proceed(self) -> None:
        """Begin what waits, until something takes longer: the disk, a service, or the peer that takes no answers."""
        if self._is_proceeding:
            return  # called by what was begun below and ended at once: the loop goes on by itself
        self._is_proceeding = True
        while self._current is None and self._waiting:
            self._current = incoming = self._waiting.popleft()
            if len(self._waiting) < self._environment.limits.max_waiting_requests // 2:
                self._link.resume()
            self._link.when_drained(partial(incoming.when_written, partial(self._begin, incoming)))
        self._is_proceeding = False
        if self._current is None and self._when_idle:
            self._when_idle()

    def _begin(self, incoming: Incoming) -> None:
        """Give a request to its service, in the lane of that service."""
        if not self._sender.can_send:  # the association ended before its turn
            incoming.discard()
            self._finish(incoming, None)
            return
        if self._stage is not None:
            self._stage.look(incoming)
        if incoming.scene is not None:
            self._environment.spawn(incoming.scene.play(self._end_scene))
            return
        service = self._environment.registry.find(incoming.context.abstract_syntax, incoming.command.service)
        refusal = incoming.refusal()
        if refusal or service is None:
            incoming.discard()
            self._finish(incoming, refusal or nobody(incoming))
            return
        request = self._request(incoming)
        match service.lane:
            case Lane.WRITER:
                self._environment.lanes.write(request, partial(self._finish, incoming))
            case Lane.READER:
                self._environment.spawn(self._converse(incoming, service.answer(request)))
            case Lane.RETRIEVER:
                self._environment.spawn(self._retrieve(incoming, service.answer(request)))
            case Lane.LOOP:
                (final,) = service.answer(request)
                self._finish(incoming, final)

    def _finish(self, incoming: Incoming, final: Outcome | None) -> None:
        """Send the final response, report the exchange, go on to the next."""
        if final is not None and self._sender.can_send:
            self._responder.respond(incoming, final)
            self._sender.flush()
        else:
            final = None
        self._current = None
        self._responder.report(incoming, final)
        if self._stage is not None:
            self._stage.reported(incoming, final)
        self._proceed()

    def _end_scene(self) -> None:
        """A scenario played this exchange, and has reported it: go on to the next."""
        self._current = None
        self._proceed()

    def _request(self, incoming: Incoming) -> Request:
        """The complete request, with who brings the instances of a retrieve."""
        if incoming.command.service not in RETRIEVES:
            return incoming.request(self._agreed)
        self._link.resume()  # what the peer answers to sub-operations must come through, whatever waits before it
        meet = None
        if self._stage is not None and incoming.scene is not None and self._stage.meets_sub_operations(incoming):
            meet = partial(self._stage.meet, incoming)
        who = couriers(self._environment, self._association, incoming, self._way, meet)
        return incoming.request(self._agreed, who)

    def _hold_back(self, current: Incoming) -> None:
        """Too many requests wait: so must the peer. During a C-GET it cannot, as we wait for its answers."""
        if current.command.service != "C-GET":
            self._link.pause()
        elif len(self._waiting) >= _WAITING_BEHIND_A_GET * self._environment.limits.max_waiting_requests:
            self._sender.break_off("too many requests came while a C-GET was being served")

    def _next_number(self) -> int:
        self._count += 1
        return self._count

    async def _retrieve(self, incoming: Incoming, outcomes: Iterable[Outcome]) -> None:
        """A request with sub-operations: a response leaves before the sub-operation that begins after it."""
        final: Outcome | None = None

        def hear(outcome: Outcome, taken: Callable[[], None]) -> None:
            nonlocal final
            self._link.when_drained(taken)
            if outcome.status not in (PENDING, PENDING_WITH_WARNING):
                final = outcome
            elif self._sender.can_send:
                self._responder.respond(incoming, outcome)
                self._sender.flush()

        try:
            self._call = retrieve_call(outcomes, self._association, incoming, hear)  # or there is no thread left
            await self._call.over()
        except Exception as error:  # noqa: BLE001 - as in _converse
            self._responder.trouble(incoming, error)
            final = Outcome(PROCESSING_FAILURE, comment=f"{type(error).__name__} in the server")
        self._call = None
        self._finish(incoming, final)

    async def _converse(self, incoming: Incoming, outcomes: Iterable[Outcome]) -> None:
        """A request with many responses."""
        final = None
        try:
            final = await self._stream(outcomes, incoming)
        except Exception as error:  # noqa: BLE001 - a defect of ours must not take the association, nor go unheard
            self._responder.trouble(incoming, error)
            final = Outcome(PROCESSING_FAILURE, comment=f"{type(error).__name__} in the server")
        self._finish(incoming, final)

    async def _stream(self, outcomes: Iterable[Outcome], incoming: Incoming) -> Outcome | None:
        """Send pending responses as fast as the peer takes them, and no faster."""
        encoded: dict[int, bytes] = {}
        withheld = 0
        batches = self._environment.lanes.batches(outcomes)
        try:
            while batch := await batches.take():
                sent = 0
                for outcome in batch:
                    if outcome.status not in (PENDING, PENDING_WITH_WARNING):
                        self._responder.note_pending(incoming, sent)
                        return replace(outcome, status=CANCEL) if withheld else outcome
                    if incoming.is_cancelled or not self._sender.can_send:
                        withheld += 1
                        continue
                    command = encoded.get(outcome.status)
                    if command is None:  # equal for thousands of matches: encoding each cost a third of a query
                        command = encode_response(incoming.command, outcome.status, has_dataset=True)
                        encoded[outcome.status] = command
                    self._sender.send(incoming.context.context_id, command, outcome.data)
                    incoming.note_response(outcome.status)
                    sent += 1
                self._responder.note_pending(incoming, sent)
                self._sender.flush()
                await self._link.drained()
        finally:
            await batches.close()
        return None
