"""Where the responses of a scene come from: the honest service, and what an act makes of what it says."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from mockpacs.net.call import AHEAD_AT_MOST, Call, retrieve_call
from mockpacs.net.responder import nobody
from mockpacs.services import handled, scripted
from mockpacs.services.handler_request import HandlerRequest, Serve
from mockpacs.services.request import Lane, Outcome, Request, Service
from mockpacs.traffic.exchange import Notice
from mockpacs.wire.status import CANCEL, PENDING, PENDING_WITH_WARNING, PROCESSING_FAILURE, SUCCESS

if TYPE_CHECKING:
    from mockpacs.net.incoming import Incoming
    from mockpacs.net.stage import Stage
    from mockpacs.scenario.decision import Act
    from mockpacs.services.handler import Handler

_PENDING: Final = (PENDING, PENDING_WITH_WARNING)
_GONE: Final = Outcome(PROCESSING_FAILURE, comment="The association ended")


def is_final(service: str, outcome: Outcome) -> bool:
    """Whether no response follows; the status alone does not tell when a rule gives matches another one."""
    is_match = service == "C-FIND" and outcome.data is not None
    return not (is_match or outcome.status in _PENDING)


class Source:
    """The outcomes of one exchange. The archive is asked once, however often the exchange is answered."""

    def __init__(self, stage: Stage, incoming: Incoming) -> None:
        self._stage = stage
        self._incoming = incoming
        self._request: Request | None = None
        self._kept: Outcome | None = None  # what the archive said
        self._is_withheld = False  # a match, because of a cancel
        self._is_handed_over = False  # the archive has the data set, or has refused it
        self._calls: set[Call] = set()  # handlers that have not returned
        self._is_over = False

    def discard(self) -> None:
        """The exchange is over: what arrived is not needed any more, unless the archive has it.

        A handler that has not returned may be reading it: then that is seen to when it does.
        """
        self._is_over = True
        if not (self._calls or self._is_handed_over):
            self._incoming.discard()

    async def batches(self, act: Act | None) -> AsyncGenerator[Iterable[Outcome], None]:
        """What is said, together what is there together; to be closed, each to be taken before the next.

        ``act`` None: what the service says.
        """
        command, context = self._incoming.command, self._incoming.context
        service = self._stage.environment.registry.find(context.abstract_syntax, command.service)
        refusal = self._incoming.refusal()
        if refusal is not None and scripted.stores(act):
            yield (scripted.after_store(act, refusal),)
        elif act is not None and act.step.call is not None:
            async with contextlib.aclosing(self._handled(act.step.call, service)) as batches:
                async for batch in batches:
                    yield self._wanted(batch, act)
        elif service is None and act is None:
            yield (nobody(self._incoming),)
        elif command.service == "C-STORE":
            yield (await self._stored(act, service),)
        else:
            outcomes = scripted.stream(act, self._whole_request(), service, self._stage.theatre.answers)
            if service is not None and service.lane is Lane.LOOP:
                yield tuple(outcomes)
                return
            if service is not None and service.lane is Lane.RETRIEVER:
                async with contextlib.aclosing(self._retrieved(outcomes)) as batches:
                    async for batch in batches:
                        yield batch
                return
            made = self._stage.environment.lanes.batches(outcomes)
            try:
                while batch := await made.take():
                    yield self._wanted(batch, act)
            finally:
                await made.close()

    async def _retrieved(self, outcomes: Iterable[Outcome]) -> AsyncGenerator[Sequence[Outcome], None]:
        """What a retrieve says; a cancel it obeys by itself. All of its thread is over at the end."""
        call = retrieve_call(outcomes, self._stage.association, self._incoming)
        try:
            while batch := await call.take():
                yield batch
        finally:
            call.close()
            await call.ended.wait()
            call.thread.join()  # it is at its very end

    def _wanted(self, batch: Sequence[Outcome], act: Act | None) -> Iterator[Outcome]:
        """Without what was made before a cancel came; then the final one says so, unless a rule says something else."""
        for outcome in batch:
            if outcome.status in _PENDING and self._incoming.is_cancelled:
                self._is_withheld = True
            elif (
                self._is_withheld
                and (act is None or act.status is None)
                and (act is None or act.step.call is None or outcome.status == SUCCESS)  # a handler may say otherwise
                and is_final(self._incoming.command.service, outcome)
            ):
                yield replace(outcome, status=CANCEL)
            else:
                yield outcome

    async def _stored(self, act: Act | None, service: Service | None) -> Outcome:
        if service is None or not scripted.stores(act):
            return scripted.after_store(act, None)
        return scripted.after_store(act, await self._archived())

    async def _archived(self) -> Outcome:
        if self._kept is None:
            done: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
            self._is_handed_over = True
            self._stage.environment.lanes.write(self._whole_request(), done.set_result)
            self._kept = await done
        return self._kept

    # a handler

    async def _handled(self, name: str, service: Service | None) -> AsyncGenerator[Sequence[Outcome], None]:
        """What a handler says, together what is there together. The end of the association ends the waiting for it."""
        handler = self._stage.theatre.handlers.get(name)
        if handler is None:
            yield (self._nobody_called(name),)
            return
        call = self._called(handler, service)
        over = self._stage.environment.spawn(self._close_when_over(call))
        self._stage.environment.spawn(self._see_off(call)).set_name(f"handler {name}")
        try:
            while batch := await call.take():
                yield batch
        finally:
            call.close()
            over.cancel()

    def _called(self, handler: Handler, service: Service | None) -> Call:
        stage = self._stage
        serve = None if service is None else self._serve(service)
        request = HandlerRequest(
            self._whole_request(), stage.association, self._incoming.number, serve, is_stored=self._is_handed_over
        )
        loop = asyncio.get_running_loop()

        def tell(text: str) -> None:
            loop.call_soon_threadsafe(self._tell, text)

        # in a C-GET a response must not get in between the fragments of a sub-operation, see `retrieve_call`
        ahead = 0 if request.service == "C-GET" else AHEAD_AT_MOST
        call = Call(handled.outcomes(handler, request, tell), f"handler {handler.name}", ahead_at_most=ahead)
        self._calls.add(call)
        return call

    def _serve(self, service: Service) -> Serve:
        """The honest responses, for the thread of a handler."""
        if service.lane is not Lane.WRITER:
            return lambda: iter(service.answer(self._whole_request()))
        loop = asyncio.get_running_loop()

        def serve() -> Iterator[Outcome]:
            work = self._archived_unless_over()
            try:
                done = asyncio.run_coroutine_threadsafe(work, loop)
            except RuntimeError:  # the server has stopped without us
                work.close()
                return iter((_GONE,))
            return iter((done.result(),))

        return serve

    async def _archived_unless_over(self) -> Outcome:
        """A peer that is gone has been told nothing: what it sent is not kept."""
        return _GONE if self._is_over and not self._is_handed_over else await self._archived()

    def _tell(self, text: str) -> None:
        notice = Notice(time.time(), "trouble", f"{self._incoming.command.service}: {text}", self._stage.association)
        self._stage.environment.observe(notice)

    def _nobody_called(self, name: str) -> Outcome:
        """A handler was taken away while its rule was about to call it."""
        self._tell(f"no handler is called {name}")
        return Outcome(PROCESSING_FAILURE, comment=f"No handler is called {name}")

    async def _close_when_over(self, call: Call) -> None:
        await self._stage.over.wait()
        call.close()

    async def _see_off(self, call: Call) -> None:
        """A stop waits for this."""
        await call.ended.wait()
        call.thread.join()  # it is at its very end
        self._calls.discard(call)
        if self._is_over:
            self.discard()

    def _whole_request(self) -> Request:
        if self._request is None:
            self._request = self._stage.request(self._incoming)
        return self._request
